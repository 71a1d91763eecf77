/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removal of trees: what is in them goes, what they point to and what is mounted in them stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/base/child.h"
#include "tests/unit/base/tmp.h"

static bool exists(const char *name)
{
	struct stat st;

	return fstatat(tmp_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdirat(tmp_fd, name, 0755), 0);
}

static void single_things(void **state)
{
	(void)state;
	tmp_write("file", "x");
	make_dir("dir");
	make_dir("kept");
	tmp_write("kept/file", "x");
	assert_int_equal(symlinkat("kept", tmp_fd, "link"), 0);
	assert_int_equal(path_remove_tree(tmp_fd, "file", NULL), 0);
	assert_int_equal(path_remove_tree(tmp_fd, "dir", NULL), 0);
	assert_int_equal(path_remove_tree(tmp_fd, "link", NULL), 0);
	assert_int_equal(path_remove_tree(tmp_fd, "missing", NULL), 0);
	assert_false(exists("file") || exists("dir") || exists("link"));
	assert_true(exists("kept/file"));
}

static void a_tree_with_links(void **state)
{
	(void)state;
	make_dir("kept");
	tmp_write("kept/file", "x");
	make_dir("t");
	make_dir("t/a");
	make_dir("t/a/b");
	tmp_write("t/a/b/f", "x");
	assert_int_equal(mkfifoat(tmp_fd, "t/a/fifo", 0600), 0);
	assert_int_equal(symlinkat("../kept", tmp_fd, "t/link"), 0);
	assert_int_equal(symlinkat("/", tmp_fd, "t/a/top"), 0);
	assert_int_equal(symlinkat("..", tmp_fd, "t/a/b/up"), 0);
	assert_int_equal(path_remove_tree(tmp_fd, "t", NULL), 0);
	assert_false(exists("t"));
	assert_true(exists("kept/file"));
}

static void by_absolute_path(void **state)
{
	FREE char *path = mem_xprintf("%s/t", tmp_path);

	(void)state;
	make_dir("t");
	tmp_write("t/f", "x");
	assert_int_equal(path_remove_tree(AT_FDCWD, path, NULL), 0);
	assert_false(exists("t"));
}

static void many_entries(void **state)
{
	(void)state;
	make_dir("t");
	for (int i = 0; i < 3000; i++) {
		FREE char *name = mem_xprintf("t/%d-with-a-rather-long-name-to-fill-blocks", i);

		if (i % 3)
			tmp_write(name, "");
		else
			make_dir(name);
	}
	assert_int_equal(path_remove_tree(tmp_fd, "t", NULL), 0);
	assert_false(exists("t"));
}

/* Makes a chain of depth directories below dirfd, with a file in each; consumes dirfd. */
static int dig(int dirfd, int depth)
{
	for (int i = 0; i < depth; i++) {
		int next, file;

		if (mkdirat(dirfd, "d", 0755) < 0)
			return -1;
		next = openat(dirfd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(dirfd);
		dirfd = next;
		file = openat(dirfd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (file < 0)
			return -1;
		fd_close(file);
	}
	fd_close(dirfd);
	return 0;
}

static int deep_child(void)
{
	const struct rlimit limit = {100, 100};
	struct err e = ERR_INIT;
	int top;

	CHILD_CHECK(mkdirat(tmp_fd, "t", 0755) == 0);
	/* A name that the removal might choose itself is in use. */
	CHILD_CHECK(mkdirat(tmp_fd, "t/.removed-0", 0755) == 0);
	top = openat(tmp_fd, "t", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHILD_CHECK(dig(top, 3000) == 0);
	CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHILD_CHECK(path_remove_tree(tmp_fd, "t", &e) == 0);
	return 0;
}

/* Deeper than there are descriptors, and than PATH_MAX is long. */
static void a_deep_tree(void **state)
{
	(void)state;
	run_in_child(deep_child);
	assert_false(exists("t"));
}

static int mount_child(void)
{
	FREE char *inside = mem_xprintf("%s/t/m", tmp_path);
	FREE char *kept = mem_xprintf("%s/kept", tmp_path);
	FREE char *top = mem_xprintf("%s/t", tmp_path);
	struct err e = ERR_INIT;

	if (!own_mounts())
		return CHILD_SKIP;
	CLOSE_FD int dir = open(tmp_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* The same file system, so that only the mount tells. */
	CHILD_CHECK(mount(kept, inside, NULL, MS_BIND, NULL) == 0);
	CHILD_CHECK(path_remove_tree(dir, "t", &e) == -EBUSY);
	CHILD_CHECK(strcmp(e.msg, "remove 't': Device or resource busy") == 0);
	CHILD_CHECK(faccessat(dir, "kept/file", F_OK, 0) == 0);
	CHILD_CHECK(umount2(inside, MNT_DETACH) == 0);

	CHILD_CHECK(mount(kept, top, NULL, MS_BIND, NULL) == 0);
	CHILD_CHECK(path_remove_tree(dir, "t", &e) == -EBUSY);
	CHILD_CHECK(faccessat(dir, "kept/file", F_OK, 0) == 0);
	CHILD_CHECK(umount2(top, MNT_DETACH) == 0);

	CHILD_CHECK(path_remove_tree(dir, "t", &e) == 0);
	return 0;
}

static void mounts_are_not_crossed(void **state)
{
	(void)state;
	make_dir("kept");
	tmp_write("kept/file", "x");
	make_dir("t");
	make_dir("t/m");
	run_in_child(mount_child);
	assert_true(exists("kept/file"));
	assert_false(exists("t"));
}

static void what_fails_is_named(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	tmp_write("file", "x");
	assert_int_equal(path_remove_tree(tmp_fd, "file/x", &e), -ENOTDIR);
	assert_string_equal(e.msg, "remove 'file/x': Not a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmp_test(single_things),       tmp_test(a_tree_with_links),
		tmp_test(by_absolute_path),    tmp_test(many_entries),
		tmp_test(a_deep_tree),         tmp_test(mounts_are_not_crossed),
		tmp_test(what_fails_is_named),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
