/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Further trees of the FUSE server: found by their name in the shared directory only, apart from each
 * other whatever the guest says, and gone without a rest when they are removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/mount.h>

#include "tests/unit/base/tmp.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fsd_client.h"

/* A directory of the test's own, beside the shared one, with a file in it. */
static void make_dir(const char *name)
{
	char path[64];

	assert_int_equal(mkdirat(tmp_fd, name, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/file", name);
	tmp_write(path, name);
	(void)snprintf(path, sizeof(path), "%s/dir", name);
	assert_int_equal(mkdirat(tmp_fd, path, 0755), 0);
}

static int open_top(const char *path)
{
	int fd = openat(tmp_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t add(const char *name, const char *path)
{
	assert_int_equal(fsd_tree_add(fs, name, open_top(path)), 0);
	return node_of(1, name);
}

/* As hull gives them: a mount of its own, which needs the right to make one. */
static uint64_t add_mount(const char *name, const char *path)
{
	int fd = open_tree(tmp_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fsd_tree_add(fs, name, fd), 0);
	return node_of(1, name);
}

static uint32_t open_fds(void)
{
	struct fsd_stats s;

	fsd_stats(fs, &s);
	return s.fds;
}

static void test_names(void **state)
{
	static const char *const refused[] = {"", ".", "..", "a/b", "/", "/a", "../a", "a/", ".a"};
	char longest[FSD_TREE_NAME_MAX + 2];
	struct fuse_entry_out e;

	(void)state;
	make_dir("one");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(fsd_tree_add(fs, refused[i], open_top("one")), -EINVAL);
	assert_int_equal(fsd_tree_add(fs, longest, open_top("one")), -EINVAL);
	longest[FSD_TREE_NAME_MAX] = '\0';
	assert_int_equal(fsd_tree_add(fs, longest, open_top("one")), 0);
	assert_int_equal(fsd_tree_add(fs, longest, open_top("root")), -EEXIST);
	/* The same file twice would be one for the guest. */
	assert_int_equal(fsd_tree_add(fs, "again", open_top("one")), -EEXIST);
	assert_int_equal(fsd_tree_remove(fs, "again"), -ENOENT);
	assert_int_equal(fsd_tree_remove(fs, ""), -ENOENT);
	assert_int_equal(fsd_tree_remove(fs, longest), 0);
	assert_int_equal(fsd_tree_remove(fs, longest), -ENOENT);
	assert_int_equal(do_lookup(1, longest, &e), -ENOENT);
}

static void test_other_files(void **state)
{
	(void)state;
	assert_int_equal(mknodat(tmp_fd, "fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(fsd_tree_add(fs, "fifo", open_top("fifo")), -EINVAL);
	assert_int_equal(fsd_tree_add(fs, "none", -1), -EBADF);
}

static void test_directory(void **state)
{
	struct fuse_entry_out e;
	struct created c;
	struct stat st;
	uint64_t top;

	(void)state;
	make_dir("one");
	top = add("tree", "one");
	assert_guest_content(node_of(top, "file"), "one");
	assert_int_equal(do_create(top, "new", O_RDWR | O_CREAT, 0600, &c), 0);
	assert_int_equal(do_release(c.entry.nodeid, c.open.fh), 0);
	assert_int_equal(do_mkdir(node_of(top, "dir"), "deep", 0755, &e), 0);
	assert_int_equal(fstatat(tmp_fd, "one/new", &st, 0), 0);
	assert_int_equal(fstatat(tmp_fd, "one/dir/deep", &st, 0), 0);
	assert_int_equal(do_unlink(top, "new"), 0);
	assert_int_equal(node_of(1, "tree"), top);
	/* Only in the shared directory itself it has that name. */
	assert_int_equal(mkdirat(root_fd, "sub", 0755), 0);
	assert_int_equal(do_lookup(node_of(1, "sub"), "tree", &e), -ENOENT);
	assert_int_equal(do_lookup(top, "tree", &e), -ENOENT);
}

static void test_file_and_symlink(void **state)
{
	struct fuse_entry_out e;
	uint64_t node, fh;

	(void)state;
	make_dir("one");
	assert_int_equal(symlinkat("../outside", tmp_fd, "link"), 0);
	node = add("file", "one/file");
	assert_guest_content(node, "one");
	assert_int_equal(do_open(node, O_WRONLY, &fh), 0);
	assert_int_equal(do_write(node, fh, 0, "two", 3), 3);
	assert_int_equal(do_release(node, fh), 0);
	assert_guest_content(node, "two");
	node = add("link", "link");
	assert_int_equal(call(FUSE_READLINK, node, NULL, 0, NULL, NULL), 0);
	assert_int_equal(answer_len, strlen("../outside"));
	assert_memory_equal(answer, "../outside", answer_len);
	assert_int_equal(do_lookup(node, "secret", &e), -ENOTDIR);
}

/* From one to the next, to the shared directory and out. */
static void test_apart(void **state)
{
	static const char *const names[] = {"..", "../two", "../two/file",
					    "/",  "/file",  "dir/../.."};
	uint64_t one, two, file;
	struct fuse_entry_out e;
	struct created c;

	(void)state;
	needs_root();
	make_dir("one");
	make_dir("two");
	assert_int_equal(symlinkat("../two", tmp_fd, "one/link"), 0);
	one = add_mount("a", "one");
	two = add_mount("b", "two");
	file = node_of(one, "file");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(do_lookup(one, names[i], &e), -EINVAL);
		assert_int_equal(do_create(one, names[i], O_RDWR | O_CREAT, 0600, &c), -EINVAL);
		assert_int_equal(do_rename(one, "file", two, names[i]), -EINVAL);
	}
	assert_int_equal(do_lookup(node_of(one, "link"), "file", &e), -ENOTDIR);
	assert_int_equal(do_rename(one, "file", two, "stolen"), -EXDEV);
	assert_int_equal(do_rename2(one, "file", two, "file", 2 /* RENAME_EXCHANGE */), -EXDEV);
	assert_int_equal(do_rename(one, "dir", 1, "dir"), -EXDEV);
	assert_int_equal(do_link(file, two, "stolen", &e), -EXDEV);
	assert_int_equal(do_link(file, 1, "stolen", &e), -EXDEV);
	/* The names of trees are not the guest's to change. */
	assert_int_equal(do_rename(1, "a", 1, "c"), -ENOENT);
	assert_int_equal(do_rmdir(1, "a"), -ENOENT);
	assert_int_equal(do_unlink(1, "a"), -ENOENT);
	assert_int_equal(node_of(1, "a"), one);
	assert_guest_content(node_of(two, "file"), "two");
}

/* One file, reached through two trees, is two for the guest: they may differ in what is allowed. */
static void test_same_directory_twice(void **state)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	uint64_t a, b, fh;
	int fd;

	(void)state;
	needs_root();
	make_dir("one");
	a = add_mount("a", "one");
	fd = open_tree(tmp_fd, "one", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	assert_int_equal(mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)), 0);
	assert_int_equal(fsd_tree_add(fs, "b", fd), 0);
	b = node_of(1, "b");
	assert_int_not_equal(a, b);
	assert_int_not_equal(node_of(a, "file"), node_of(b, "file"));
	assert_int_equal(do_open(node_of(b, "file"), O_RDWR, &fh), -EROFS);
	assert_int_equal(do_open(node_of(a, "file"), O_RDWR, &fh), 0);
	assert_int_equal(fsd_tree_remove(fs, "a"), 0);
	assert_guest_content(node_of(b, "file"), "one");
}

static void test_removed(void **state)
{
	bool before[LEAKS_MAX_FD], after[LEAKS_MAX_FD];
	uint64_t top, dir, file, fh, dir_fh;
	uint32_t fds = open_fds();
	struct fuse_entry_out e;
	struct fuse_attr attr;

	(void)state;
	make_dir("one");
	assert_int_equal(leaks_scan(before), 0);
	top = add("tree", "one");
	dir = node_of(top, "dir");
	file = node_of(top, "file");
	assert_int_equal(do_open(file, O_RDONLY, &fh), 0);
	assert_int_equal(do_open_as(FUSE_OPENDIR, dir, O_RDONLY, &dir_fh), 0);
	/* A number that the guest has given up in the meantime holds nothing either. */
	do_forget(file, 1000);
	assert_int_equal(fsd_tree_remove(fs, "tree"), 0);
	assert_int_equal(open_fds(), fds);
	assert_int_equal(leaks_scan(after), 0);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(do_lookup(1, "tree", &e), -ENOENT);
	assert_int_equal(do_lookup(top, "file", &e), -ESTALE);
	assert_int_equal(do_getattr(dir, &attr), -ESTALE);
	assert_int_equal(do_mkdir(dir, "new", 0755, &e), -ESTALE);
	assert_true(do_read(top, fh, 0, 10) < 0);
	assert_true(do_read_as(FUSE_READDIR, dir, dir_fh, 0, 4096) < 0);
	assert_int_equal(do_release(top, fh), 0);
	assert_int_equal(do_releasedir(dir, dir_fh), 0);
	do_forget(dir, 1);
	do_forget(top, 1);
	assert_int_equal(do_getattr(top, &attr), -ESTALE);
	/* The name may be used again. */
	top = add("tree", "one");
	assert_guest_content(node_of(top, "file"), "one");
}

/* A guest that forgets more than it knows takes nothing away, one that begins anew finds them. */
static void test_kept(void **state)
{
	uint64_t top;
	BUF saved = BUF_INIT;

	(void)state;
	make_dir("one");
	top = add("tree", "one");
	do_forget(top, 1000);
	assert_int_equal(node_of(1, "tree"), top);
	assert_int_equal(do_init(~0ull), 0);
	assert_int_equal(node_of(1, "tree"), top);
	assert_guest_content(node_of(top, "file"), "one");
	assert_int_equal(fsd_save(fs, &saved), -EBUSY);
	assert_int_equal(fsd_tree_remove(fs, "tree"), 0);
	assert_int_equal(fsd_save(fs, &saved), 0);
}

/* With more files than descriptors those of a tree are found again by name, its top stays open. */
static void test_few_descriptors(void **state)
{
	uint64_t top, nodes[100];
	struct fsd_stats s;
	char path[64];

	(void)state;
	make_dir("one");
	client_start(&(struct client_config){.max_fds = 16});
	top = add("tree", "one");
	for (int i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "one/dir/%d", i);
		tmp_write(path, path);
		nodes[i] = node_of(node_of(top, "dir"), path + strlen("one/dir/"));
	}
	fsd_stats(fs, &s);
	assert_true(s.evicted > 50 && s.fds <= 16);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "one/dir/%d", i);
		assert_guest_content(nodes[i], path);
	}
	assert_int_equal(node_of(1, "tree"), top);
	assert_int_equal(fsd_tree_remove(fs, "tree"), 0);
	fsd_stats(fs, &s);
	assert_int_equal(s.fds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(test_names),           client_test(test_other_files),
		client_test(test_directory),       client_test(test_file_and_symlink),
		client_test(test_apart),           client_test(test_same_directory_twice),
		client_test(test_removed),         client_test(test_kept),
		client_test(test_few_descriptors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
