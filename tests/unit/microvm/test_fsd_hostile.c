/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest, or somebody on the host with it, that wants out of the shared directory or the server to
 * fall: whatever it says, nothing outside is read, made or changed, and every answer is well formed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fsd_client.h"

/* outside/ holds one file, which nobody touched. */
static void assert_outside_intact(void)
{
	char content[16] = "";
	int fd = openat(tmp_fd, "outside/secret", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, content, sizeof(content)), 6);
	assert_string_equal(content, "secret");
	(void)close(fd);
	assert_int_equal(unlinkat(tmp_fd, "outside/secret", 0), 0);
	assert_int_equal(unlinkat(tmp_fd, "outside", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(tmp_fd, "outside", 0755), 0);
	tmp_write("outside/secret", "secret");
}

static void link_outside(const char *name)
{
	FREE char *target = mem_xprintf("%s/outside", tmp_path);

	assert_int_equal(symlinkat(target, root_fd, name), 0);
}

static void test_names(void **state)
{
	static const char *const names[] = {"",           ".",        "..",   "/",
					    "../outside", "dir/file", "/etc", "dir/",
					    "dir/..",     "./file",   "file/"};
	char long_name[300];
	struct fuse_entry_out e;
	struct created c;
	uint64_t node;

	(void)state;
	tmp_write("root/file", "x");
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	node = node_of(1, "file");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(do_lookup(1, names[i], &e), -EINVAL);
		assert_int_equal(do_create(1, names[i], O_RDWR | O_CREAT, 0600, &c), -EINVAL);
		assert_int_equal(do_mkdir(1, names[i], 0700, &e), -EINVAL);
		assert_int_equal(do_mknod(1, names[i], S_IFREG | 0600, &e), -EINVAL);
		assert_int_equal(do_symlink(1, names[i], "x", &e), -EINVAL);
		assert_int_equal(do_unlink(1, names[i]), -EINVAL);
		assert_int_equal(do_rmdir(1, names[i]), -EINVAL);
		assert_int_equal(do_rename(1, names[i], 1, "new"), -EINVAL);
		assert_int_equal(do_rename(1, "file", 1, names[i]), -EINVAL);
		assert_int_equal(do_rename2(1, "file", 1, names[i], RENAME_NOREPLACE), -EINVAL);
		assert_int_equal(do_link(node, 1, names[i], &e), -EINVAL);
	}
	memset(long_name, 'a', sizeof(long_name));
	long_name[256] = '\0';
	assert_int_equal(do_lookup(1, long_name, &e), -ENAMETOOLONG);
	long_name[255] = '\0';
	assert_int_equal(do_lookup(1, long_name, &e), -ENOENT);
	/* A name without end. */
	client_begin(FUSE_LOOKUP, 1);
	client_add("file", 4);
	assert_int_equal(client_send(), -EINVAL);
	assert_outside_intact();
}

static void test_symlinks(void **state)
{
	static const char *const links[] = {"absolute", "relative", "root", "proc", "loop"};
	struct fuse_setattr_in size = {.valid = FATTR_SIZE};
	struct fuse_entry_out e;
	struct fuse_attr attr;
	struct created c;
	uint64_t fh;

	(void)state;
	link_outside("absolute");
	assert_int_equal(symlinkat("../outside", root_fd, "relative"), 0);
	assert_int_equal(symlinkat("/", root_fd, "root"), 0);
	assert_int_equal(symlinkat("/proc/self/root", root_fd, "proc"), 0);
	assert_int_equal(symlinkat("loop", root_fd, "loop"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		assert_int_equal(do_lookup(1, links[i], &e), 0);
		assert_true(S_ISLNK(e.attr.mode));
		assert_int_equal(do_lookup(e.nodeid, "secret", &e), -ENOTDIR);
		e.nodeid = node_of(1, links[i]);
		assert_int_equal(do_open(e.nodeid, O_RDONLY, &fh), -ELOOP);
		assert_int_equal(do_open_as(FUSE_OPENDIR, e.nodeid, O_RDONLY, &fh), -ENOTDIR);
		assert_int_equal(do_create(e.nodeid, "new", O_RDWR | O_CREAT, 0600, &c), -ENOTDIR);
		assert_int_equal(do_unlink(e.nodeid, "secret"), -ENOTDIR);
		assert_int_equal(do_rename(e.nodeid, "secret", 1, "mine"), -ENOTDIR);
		assert_int_equal(do_setattr(e.nodeid, &size, &attr), -ELOOP);
		/* Nor is one followed that stands where a file is to be made. */
		assert_int_equal(do_create(1, links[i], O_RDWR | O_CREAT, 0600, &c), -ELOOP);
		assert_int_equal(do_mkdir(1, links[i], 0700, &e), -EEXIST);
	}
	assert_outside_intact();
}

/* The host (or another container with the directory) puts a symlink where the guest knew a directory. */
static void swapped(uint32_t max_fds, int expect)
{
	struct fuse_entry_out e;
	struct created c;
	uint64_t dir, sub;

	client_start(&(struct client_config){.max_fds = max_fds});
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	assert_int_equal(mkdirat(root_fd, "dir/sub", 0755), 0);
	dir = node_of(1, "dir");
	sub = node_of(dir, "sub");
	for (int i = 0; i < 4; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "other%d", i);
		assert_int_equal(do_mkdir(1, name, 0755, &e), 0);
	}
	assert_int_equal(renameat(root_fd, "dir", root_fd, "away"), 0);
	link_outside("dir");
	assert_int_equal(mkdirat(tmp_fd, "outside/sub", 0755), 0);

	assert_int_equal(do_create(dir, "new", O_RDWR | O_CREAT, 0600, &c), expect);
	assert_int_equal(do_create(sub, "new", O_RDWR | O_CREAT, 0600, &c), expect);
	assert_int_equal(do_lookup(dir, "secret", &e), expect ? expect : -ENOENT);
	assert_int_equal(unlinkat(tmp_fd, "outside/sub", AT_REMOVEDIR), 0);
	assert_int_equal(do_lookup(1, "dir", &e), 0);
	assert_true(S_ISLNK(e.attr.mode));
	assert_int_equal(faccessat(root_fd, "away/new", F_OK, 0), expect ? -1 : 0);
	assert_outside_intact();
}

static void test_symlink_swap(void **state)
{
	(void)state;
	swapped(0, 0);
}

static void test_symlink_swap_without_fd(void **state)
{
	(void)state;
	swapped(2, -ESTALE);
}

/* The same all the time, while the guest looks. */
static void test_symlink_race(void **state)
{
	struct fuse_entry_out e, below;
	unsigned int dirs = 0, links = 0;
	uint64_t fh;
	pid_t pid;

	(void)state;
	client_start(&(struct client_config){.max_fds = 2});
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	tmp_write("root/dir/secret", "inside");
	link_outside("link");
	pid = fork();
	if (pid == 0)
		for (;;)
			(void)renameat2(root_fd, "dir", root_fd, "link", RENAME_EXCHANGE);
	for (int i = 0; i < 200000 && (dirs < 300 || links < 300); i++) {
		if (do_lookup(1, "dir", &e))
			continue;
		if (S_ISLNK(e.attr.mode)) {
			assert_int_equal(do_lookup(e.nodeid, "secret", &below), -ENOTDIR);
			links++;
		} else if (do_lookup(e.nodeid, "secret", &below) == 0 &&
			   do_open(below.nodeid, O_RDONLY, &fh) == 0) {
			assert_int_equal(do_read(below.nodeid, fh, 0, 100), 6);
			assert_memory_equal(answer, "inside", 6);
			assert_int_equal(do_release(below.nodeid, fh), 0);
			dirs++;
		}
		if (i % 8 == 0)
			do_forget(e.nodeid, UINT64_MAX);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(dirs && links);
}

/* A directory that the guest is in is moved out of the shared one: it is a way to nothing else. */
static void test_parent_moved_out(void **state)
{
	struct fuse_entry_out e;
	struct created c;
	uint64_t sub, fh;

	(void)state;
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	assert_int_equal(mkdirat(root_fd, "dir/sub", 0755), 0);
	tmp_write("root/dir/sub/file", "mine");
	sub = node_of(node_of(1, "dir"), "sub");
	assert_int_equal(renameat(root_fd, "dir", tmp_fd, "outside/dir"), 0);
	assert_int_equal(do_lookup(sub, "..", &e), -EINVAL);
	assert_int_equal(do_lookup(sub, "../../secret", &e), -EINVAL);
	assert_int_equal(do_rename(sub, "file", 1, "../x"), -EINVAL);
	assert_int_equal(do_create(sub, "new", O_RDWR | O_CREAT, 0600, &c), 0);
	assert_int_equal(do_open_as(FUSE_OPENDIR, sub, O_RDONLY, &fh), 0);
	assert_int_equal(faccessat(tmp_fd, "outside/dir/sub/new", F_OK, 0), 0);
	assert_int_equal(do_rename(sub, "file", 1, "back"), 0);
	assert_guest_content(node_of(1, "back"), "mine");
	assert_int_equal(unlinkat(tmp_fd, "outside/dir/sub/new", 0), 0);
	assert_int_equal(unlinkat(tmp_fd, "outside/dir/sub", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(tmp_fd, "outside/dir", AT_REMOVEDIR), 0);
	/* There is no directory any more, and none to make files in. */
	assert_int_equal(do_create(sub, "new", O_RDWR | O_CREAT, 0600, &c), -ENOENT);
	assert_outside_intact();
}

static void test_parent_moved_by_guest(void **state)
{
	struct fuse_entry_out e;
	struct created c;
	uint64_t dir, sub, other;

	(void)state;
	assert_int_equal(do_mkdir(1, "dir", 0755, &e), 0);
	dir = e.nodeid;
	assert_int_equal(do_mkdir(dir, "sub", 0755, &e), 0);
	sub = e.nodeid;
	assert_int_equal(do_mkdir(1, "other", 0755, &e), 0);
	other = e.nodeid;
	assert_int_equal(do_rename(1, "dir", other, "moved"), 0);
	assert_int_equal(do_create(sub, "file", O_RDWR | O_CREAT, 0600, &c), 0);
	assert_int_equal(faccessat(root_fd, "other/moved/sub/file", F_OK, 0), 0);
	/* Into itself. */
	assert_int_equal(do_rename(1, "other", sub, "x"), -EINVAL);
	assert_int_equal(do_rename2(1, "other", dir, "sub", RENAME_EXCHANGE), -EINVAL);
}

static void test_numbers(void **state)
{
	static const uint64_t ids[] = {
		0, 2, 63, 64, 65535, UINT32_MAX, 1ull << 32 | 1, 1ull << 63, UINT64_MAX};
	struct fuse_attr attr;
	struct fuse_entry_out e;
	uint64_t file, fh, dir_fh;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(do_getattr(ids[i], &attr), -ESTALE);
		assert_int_equal(do_lookup(ids[i], "file", &e), -ESTALE);
		assert_int_equal(do_rename(1, "a", ids[i], "b"), -ESTALE);
		assert_int_equal(do_link(ids[i], 1, "b", &e), -ESTALE);
		assert_int_equal(do_read(1, ids[i], 0, 100), -EBADF);
		assert_int_equal(do_release(1, ids[i]), -EBADF);
		do_forget(ids[i], 1);
	}
	tmp_write("root/file", "x");
	file = node_of(1, "file");
	assert_int_equal(do_open(file, O_RDWR, &fh), 0);
	assert_int_equal(do_open_as(FUSE_OPENDIR, 1, O_RDONLY, &dir_fh), 0);
	assert_int_equal(do_read_as(FUSE_READDIR, 1, fh, 0, 4096), -EBADF);
	assert_int_equal(do_read_as(FUSE_READDIR, file, dir_fh, 0, 4096), -EBADF);
	assert_int_equal(do_write(file, dir_fh, 0, "x", 1), -EBADF);
	assert_int_equal(do_releasedir(1, fh), -EBADF);
	assert_int_equal(do_read(file, fh ^ 1ull << 32, 0, 10), -EBADF);
	do_forget(file ^ 1ull << 32, 1);
	assert_int_equal(do_getattr(file, &attr), 0);
	/* The open file outlives the node. */
	do_forget(file, 1);
	assert_int_equal(do_read(1, fh, 0, 10), 1);
	assert_int_equal(do_read(file, fh, 0, 10), -ESTALE);
}

static void test_lengths(void **state)
{
	struct fuse_write_in w = {.size = 100};
	struct fuse_read_in read_in = {.size = UINT32_MAX};
	struct {
		uint32_t size, flags;
	} x = {UINT32_MAX, 0};
	static const uint32_t lens[] = {0, 1, 39, 1000, 65536, UINT32_MAX};
	struct fuse_out_header head;
	uint64_t node;

	(void)state;
	tmp_write("root/file", "content");
	node = node_of(1, "file");
	/* The header says more or less than there is. */
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		client_begin(FUSE_LOOKUP, 1);
		client_add_string("file");
		memcpy(client_out, &lens[i], sizeof(lens[i]));
		assert_int_equal(client_send_raw(), sizeof(head));
		memcpy(&head, client_in, sizeof(head));
		assert_int_equal(head.error, -EINVAL);
	}
	for (size_t len = 0; len < sizeof(struct fuse_in_header); len++) {
		client_out_len = len;
		assert_int_equal(client_send_raw(), 0);
	}
	assert_int_equal(do_open(node, O_RDWR, &w.fh), 0);
	read_in.fh = w.fh;
	client_begin(FUSE_WRITE, node);
	client_add(&w, sizeof(w));
	client_add("too short", 9);
	assert_int_equal(client_send(), -EINVAL);
	w.size = 1;
	w.offset = UINT64_MAX;
	client_begin(FUSE_WRITE, node);
	client_add(&w, sizeof(w));
	client_add("x", 1);
	assert_int_equal(client_send(), -EINVAL);
	w.offset = INT64_MAX;
	client_begin(FUSE_WRITE, node);
	client_add(&w, sizeof(w));
	client_add("x", 1);
	assert_true(client_send() < 0);
	assert_int_equal(call(FUSE_READ, node, &read_in, sizeof(read_in), NULL, NULL), -EINVAL);
	read_in.size = 10;
	read_in.offset = UINT64_MAX;
	assert_int_equal(call(FUSE_READ, node, &read_in, sizeof(read_in), NULL, NULL), -EINVAL);
	assert_int_equal(call(FUSE_SETXATTR, node, &x, sizeof(x), "user.a", NULL), -EINVAL);
	assert_guest_content(node, "content");
	/* More than any request but a WRITE may have. */
	client_begin(FUSE_SETXATTR, node);
	client_add(client_in, 200 << 10);
	assert_int_equal(client_send(), -E2BIG);
}

/* Every operation with a body of every length, of zeros, ones, and letters. */
static void test_short_bodies(void **state)
{
	static const uint8_t fill[] = {0, 0xff, 'a', 1};

	(void)state;
	for (uint32_t opcode = 0; opcode < 60; opcode++) {
		for (size_t f = 0; f < sizeof(fill); f++) {
			for (size_t len = 0; len < 140; len++) {
				uint32_t total;

				client_begin(opcode, 1);
				memset(client_out + client_out_len, fill[f], len);
				client_out_len += len;
				total = (uint32_t)client_out_len;
				memcpy(client_out, &total, sizeof(total));
				if (opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET)
					assert_int_equal(client_send_raw(), 0);
				else
					(void)client_send();
				if (opcode == FUSE_INIT || opcode == FUSE_DESTROY)
					assert_int_equal(do_init(0), 0);
			}
		}
	}
	assert_outside_intact();
}

/* An answer never exceeds its buffers, whatever its length. */
static void test_small_answers(void **state)
{
	struct fuse_getattr_in in = {0};
	struct fuse_out_header head;

	(void)state;
	for (size_t room = 1; room <= 16 + sizeof(struct fuse_attr_out); room++) {
		uint32_t len;

		client_begin(FUSE_GETATTR, 1);
		client_add(&in, sizeof(in));
		len = (uint32_t)client_out_len;
		memcpy(client_out, &len, sizeof(len));
		client_in_room = room;
		len = (uint32_t)client_send_raw();
		memcpy(&head, client_in, sizeof(head));
		for (size_t i = room; i < 4096; i++)
			assert_int_equal(client_in[i], 0xa5);
		if (room < 16) {
			assert_int_equal(len, 0);
		} else if (room < 16 + sizeof(struct fuse_attr_out)) {
			assert_int_equal(len, 16);
			assert_int_equal(head.error, -EIO);
		} else {
			assert_int_equal(head.error, 0);
		}
	}
	client_in_room = 0;
}

static void test_many_buffers(void **state)
{
	static struct iovec out[2000], in[2000];
	uint32_t len = sizeof(struct fuse_in_header) + sizeof(struct fuse_getattr_in);
	struct fuse_getattr_in arg = {0};
	struct fuse_out_header head;

	(void)state;
	client_begin(FUSE_GETATTR, 1);
	client_add(&arg, sizeof(arg));
	memcpy(client_out, &len, sizeof(len));
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		out[i] = (struct iovec){client_out + i, i < len};
		in[i] = (struct iovec){client_in + i, i < 512};
	}
	assert_int_equal(fsd_handle(fs, out, 1024, in, 1024), 16 + sizeof(struct fuse_attr_out));
	assert_int_equal(fsd_handle(fs, out, 2000, in, 1024), 16);
	memcpy(&head, client_in, sizeof(head));
	assert_int_equal(head.error, -EINVAL);
	assert_int_equal(fsd_handle(fs, out, 1024, in, 2000), 16);
	assert_int_equal(fsd_handle(fs, out, 0, in, 1), 0);
	assert_int_equal(fsd_handle(fs, out, 1024, in, 0), 0);
}

/* What is no regular file is never opened: it would block, or be the host's device. */
static void test_special_files(void **state)
{
	struct fuse_setattr_in size = {.valid = FATTR_SIZE};
	static const char *const names[] = {"fifo", "socket", "device"};
	struct fuse_attr attr;
	struct fuse_entry_out e;
	struct created c;
	uint64_t fh;

	(void)state;
	assert_int_equal(mkfifoat(root_fd, "fifo", 0600), 0);
	assert_int_equal(mknodat(root_fd, "socket", S_IFSOCK | 0600, 0), 0);
	if (mknodat(root_fd, "device", S_IFCHR | 0666, makedev(1, 5)) < 0)
		assert_int_equal(mkfifoat(root_fd, "device", 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(do_lookup(1, names[i], &e), 0);
		assert_int_equal(do_open(e.nodeid, O_RDONLY, &fh), -ENXIO);
		assert_int_equal(do_open(e.nodeid, O_RDWR | O_TRUNC, &fh), -ENXIO);
		assert_int_equal(do_create(1, names[i], O_RDWR | O_CREAT, 0600, &c), -ENXIO);
		assert_int_equal(do_setattr(e.nodeid, &size, &attr), -ENXIO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(test_names),
		client_test(test_symlinks),
		client_test(test_symlink_swap),
		client_test(test_symlink_swap_without_fd),
		client_test(test_symlink_race),
		client_test(test_parent_moved_out),
		client_test(test_parent_moved_by_guest),
		client_test(test_numbers),
		client_test(test_lengths),
		client_test(test_short_bodies),
		client_test(test_small_answers),
		client_test(test_many_buffers),
		client_test(test_special_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
