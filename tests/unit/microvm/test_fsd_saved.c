/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest knows of its files, made known to another server: numbers go on meaning the same. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fsd_client.h"

static int restore_from(const struct buf *words)
{
	struct state_in in = {(const uint8_t *)words->data, words->len, false};

	return fsd_restore(fs, &in);
}

static void new_server(uint32_t max_fds)
{
	client_start(&(struct client_config){.max_fds = max_fds});
	fsd_reset(fs);
}

static void save(struct buf *ret)
{
	assert_int_equal(fsd_save(fs, ret), 0);
}

/* In place of the server that is there, another one that knows what it knew. */
static void change_servers(uint32_t max_fds)
{
	BUF words = BUF_INIT;

	save(&words);
	new_server(max_fds);
	assert_int_equal(restore_from(&words), 0);
}

static void nodes_and_files(void **state)
{
	struct fuse_attr attr;
	uint64_t dir, file, fh, dir_fh, other;

	(void)state;
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	tmp_write("root/dir/file", "content");
	dir = node_of(1, "dir");
	file = node_of(dir, "file");
	assert_int_equal(do_open(file, O_RDWR, &fh), 0);
	assert_int_equal(do_open_as(FUSE_OPENDIR, dir, 0, &dir_fh), 0);
	change_servers(0);
	assert_int_equal(do_getattr(file, &attr), 0);
	check_attr(&attr, "dir/file");
	assert_int_equal(do_read(file, fh, 3, 100), 4);
	assert_memory_equal(answer, "tent", 4);
	assert_int_equal(do_write(file, fh, 0, "CON", 3), 3);
	host_content("dir/file", "CONtent", 7);
	assert_true(do_read_as(FUSE_READDIR, dir, dir_fh, 0, 4096) > 0);
	assert_int_equal(do_release(file, fh), 0);
	assert_int_equal(do_releasedir(dir, dir_fh), 0);
	/* A new number is none of those that the guest has. */
	tmp_write("root/other", "");
	other = node_of(1, "other");
	assert_true(other != file && other != dir && other != 1);
	assert_int_equal(node_of(dir, "file"), file);
	do_forget(file, 100);
	assert_int_equal(do_getattr(file, &attr), -ESTALE);
}

/* Slots that were used before keep their generation, empty ones are used again. */
static void generations(void **state)
{
	struct fuse_attr attr;
	uint64_t old, now;

	(void)state;
	tmp_write("root/a", "a");
	tmp_write("root/b", "b");
	old = node_of(1, "a");
	do_forget(old, 1);
	change_servers(0);
	assert_int_equal(do_getattr(old, &attr), -ESTALE);
	now = node_of(1, "b");
	assert_true(now != old);
	assert_int_equal((uint32_t)now, (uint32_t)old);
	assert_int_equal(do_getattr(old, &attr), -ESTALE);
}

/* The directory that the guest forgot is still what its file's name begins with. */
static void forgotten_directory(void **state)
{
	struct fuse_attr attr;
	uint64_t dir, sub, file;

	(void)state;
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	assert_int_equal(mkdirat(root_fd, "dir/sub", 0755), 0);
	tmp_write("root/dir/sub/file", "content");
	dir = node_of(1, "dir");
	sub = node_of(dir, "sub");
	file = node_of(sub, "file");
	do_forget(sub, 1);
	do_forget(dir, 1);
	change_servers(0);
	assert_int_equal(do_getattr(file, &attr), 0);
	assert_int_equal(do_getattr(sub, &attr), -ESTALE);
	assert_guest_content(file, "content");
	do_forget(file, 1);
}

static void what_is_gone(void **state)
{
	struct fuse_attr attr;
	uint64_t deleted, replaced, gone, kept, fh;

	(void)state;
	tmp_write("root/deleted", "deleted");
	tmp_write("root/replaced", "old");
	tmp_write("root/gone", "gone");
	tmp_write("root/kept", "kept");
	deleted = node_of(1, "deleted");
	replaced = node_of(1, "replaced");
	gone = node_of(1, "gone");
	kept = node_of(1, "kept");
	assert_int_equal(do_open(deleted, O_RDONLY, &fh), 0);
	assert_int_equal(do_unlink(1, "deleted"), 0);
	/* Under the name is another file: it is not taken for the one that was there. */
	assert_int_equal(do_unlink(1, "replaced"), 0);
	tmp_write("root/replaced", "new");

	BUF words = BUF_INIT;

	save(&words);
	assert_int_equal(unlinkat(root_fd, "gone", 0), 0);
	new_server(0);
	assert_int_equal(restore_from(&words), 0);
	assert_int_equal(do_getattr(deleted, &attr), -ESTALE);
	assert_int_equal(do_getattr(replaced, &attr), -ESTALE);
	assert_int_equal(do_getattr(gone, &attr), -ESTALE);
	assert_int_equal(do_read(deleted, fh, 0, 10), -EBADF);
	assert_int_equal(do_release(deleted, fh), 0);
	assert_guest_content(kept, "kept");
	do_forget(gone, 1);
	do_forget(deleted, 1);
	assert_true(node_of(1, "replaced") != replaced);
}

/* A container engine's root: what is written to has been copied since the guest has first seen it. */
static void copied_on_an_overlay(void **state)
{
	uint64_t dir, file;
	struct fuse_attr attr;
	int fd;

	(void)state;
	assert_int_equal(fchdir(tmp_fd), 0);
	assert_int_equal(mkdir("lower", 0755) | mkdir("upper", 0755) | mkdir("work", 0755), 0);
	assert_int_equal(mkdir("lower/dir", 0755), 0);
	tmp_write("lower/dir/file", "content");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("overlay", "root", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") < 0) {
		print_message("# needs root and overlays\n");
		skip();
	}
	/* Not below tmp_fd, which is still of the other mount namespace. */
	fd_replace(&root_fd, open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_true(root_fd >= 0);
	client_start(&(struct client_config){0});
	dir = node_of(1, "dir");
	file = node_of(dir, "file");
	fd = openat(root_fd, "dir/file", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "changed", 7), 7);
	fd_close(fd);
	change_servers(0);
	assert_int_equal(do_getattr(dir, &attr), 0);
	assert_int_equal(do_getattr(file, &attr), 0);
	assert_guest_content(file, "changed");
	fsd_free(fs);
	fs = NULL;
	fd_replace(&root_fd, -1);
	assert_int_equal(chdir(tmp_path), 0);
	assert_int_equal(umount2("root", MNT_DETACH), 0);
}

/* A copy of the directory will do, as long as types are the same. */
static void a_copy(void **state)
{
	struct fuse_attr attr;
	uint64_t file, turned;
	BUF words = BUF_INIT;

	(void)state;
	tmp_write("root/file", "content");
	tmp_write("root/turned", "");
	file = node_of(1, "file");
	turned = node_of(1, "turned");
	save(&words);
	assert_int_equal(unlinkat(root_fd, "file", 0), 0);
	tmp_write("root/file", "copy");
	assert_int_equal(unlinkat(root_fd, "turned", 0), 0);
	assert_int_equal(symlinkat("file", root_fd, "turned"), 0);
	new_server(0);
	assert_int_equal(restore_from(&words), 0);
	assert_guest_content(file, "copy");
	assert_int_equal(do_getattr(turned, &attr), -ESTALE);
}

/* More nodes than descriptors. */
static void few_descriptors(void **state)
{
	uint64_t nodes[60];
	struct fuse_attr attr;
	char name[32];

	(void)state;
	assert_int_equal(mkdirat(root_fd, "d", 0755), 0);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "root/d/f%d", i);
		tmp_write(name, name);
	}
	client_start(&(struct client_config){.max_fds = 20});
	nodes[0] = node_of(1, "d");
	for (int i = 1; i < 60; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		nodes[i] = node_of(nodes[0], name);
	}
	change_servers(20);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 60; i++)
			assert_int_equal(do_getattr(nodes[i], &attr), 0);
	change_servers(20);
	for (int i = 59; i >= 0; i--)
		do_forget(nodes[i], 1);
}

/* Any change of a byte, and any cut, is refused or harmless. */
static void crafted(void **state)
{
	struct fuse_attr attr;
	struct fsd_stats stats;
	uint64_t dir, file, fh;
	BUF words = BUF_INIT;

	(void)state;
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	tmp_write("root/dir/file", "content");
	dir = node_of(1, "dir");
	file = node_of(dir, "file");
	assert_int_equal(do_open(file, O_RDONLY, &fh), 0);
	save(&words);
	for (size_t len = 0; len < words.len; len++) {
		struct state_in in = {(const uint8_t *)words.data, len, false};

		new_server(0);
		assert_true(fsd_restore(fs, &in) < 0);
		fsd_stats(fs, &stats);
		assert_int_equal(stats.nodes, 1);
		assert_int_equal(stats.handles, 0);
		assert_int_equal(stats.fds, 0);
	}
	for (size_t at = 0; at < words.len; at++) {
		for (int bit = 0; bit < 8; bit += 3) {
			words.data[at] ^= (char)(1 << bit);
			new_server(0);
			(void)!restore_from(&words);
			(void)do_getattr(file, &attr);
			(void)do_release(file, fh);
			do_forget(file, 1);
			do_forget(dir, 1);
			words.data[at] ^= (char)(1 << bit);
		}
	}
}

/* No name leads out of the directory. */
static void no_way_out(void **state)
{
	static const char *const names[] = {"..", ".", "../outside", "dir/fi", "dir/file"};
	uint64_t file;
	BUF words = BUF_INIT;

	(void)state;
	tmp_write("root/01234567", "content");
	file = node_of(1, "01234567");
	save(&words);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *at = memmem(words.data, words.len, "01234567", 8);
		char was[8];

		assert_non_null(at);
		memcpy(was, at, 8);
		memcpy(at, names[i], strlen(names[i]) < 8 ? strlen(names[i]) : 8);
		if (strlen(names[i]) < 8)
			at[strlen(names[i])] = '/';
		new_server(0);
		assert_int_equal(restore_from(&words), -EINVAL);
		memcpy(at, was, 8);
	}
	new_server(0);
	assert_int_equal(restore_from(&words), 0);
	assert_guest_content(file, "content");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(nodes_and_files),
		client_test(generations),
		client_test(forgotten_directory),
		client_test(what_is_gone),
		client_test(copied_on_an_overlay),
		client_test(a_copy),
		client_test(few_descriptors),
		client_test(crafted),
		client_test(no_way_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
