/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths inside a root full of hostile symlinks: openat2 and the walk without it find the same
 * places and make the same names, never outside. Lexical helpers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/base/child.h"
#include "tests/unit/base/tmp.h"

/* The tree: root/ is the root, outside/ beside it must never be reached. */
static int root_fd = -1;

static void force_walk(bool on)
{
	assert_int_equal(on ? setenv("HULL_NO_OPENAT2", "1", 1) : unsetenv("HULL_NO_OPENAT2"), 0);
}

static void make_link(const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, root_fd, name), 0);
}

static void make_tree(void)
{
	static const char *const dirs[] = {"outside", "outside/dir", "root", "root/dir",
					   "root/dir/sub"};
	FREE char *host = mem_xprintf("%s/outside", tmp_path);

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdirat(tmp_fd, dirs[i], 0755), 0);
	tmp_write("outside/secret", "secret");
	tmp_write("outside/dir/file", "secret");
	tmp_write("root/file", "in");
	tmp_write("root/dir/sub/file", "in");
	root_fd = openat(tmp_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root_fd >= 0);
	assert_int_equal(mkfifoat(root_fd, "fifo", 0600), 0);

	make_link("dir/sub", "rel");
	make_link("/dir", "abs");
	make_link("/", "top");
	make_link("..", "up");
	make_link(".", "here");
	make_link("../../../outside/secret", "esc");
	make_link("/../../outside/secret", "esc_abs");
	make_link("../outside", "esc_dir");
	make_link(host, "esc_host");
	make_link("dir/", "dir_slash");
	make_link("file/", "file_slash");
	make_link("loop_b", "loop_a");
	make_link("loop_a", "loop_b");
	make_link("self", "self");
	make_link("nowhere", "dangling");
	make_link("/made/by/link", "dangling_abs");
	make_link("../../../../outside/made", "dangling_up");
	make_link("dangling_c", "dangling_d");
	make_link("made_c", "dangling_c");
	make_link("../../rel/../..", "dir/back");
	make_link("../esc_dir", "dir/esc");
	make_link("file", "link0");
	for (int i = 1; i <= 40; i++) {
		FREE char *target = mem_xprintf("link%d", i - 1);
		FREE char *name = mem_xprintf("link%d", i);

		make_link(target, name);
	}
}

static int tree_setup(void **state)
{
	if (tmp_setup(state) < 0)
		return -1;
	make_tree();
	return 0;
}

static int tree_teardown(void **state)
{
	fd_close(root_fd);
	return tmp_teardown(state);
}

#define tree_test(fn) cmocka_unit_test_setup_teardown(fn, tree_setup, tree_teardown)

/* Nothing outside was made, changed or removed. */
static void outside_is_untouched(void)
{
	BUF b = BUF_INIT;
	struct stat st;

	assert_int_equal(io_read_file(tmp_fd, "outside/secret", 100, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "secret");
	assert_int_equal(fstatat(tmp_fd, "outside/made", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(tmp_fd, "outside", &st, 0), 0);
	assert_int_equal(st.st_nlink, 3);
}

/* path opens as what the root has at place (a path without symlinks), or fails with rc. */
struct lookup {
	const char *path;
	int flags;
	int rc;
	const char *place;
};

static void check_lookup(const struct lookup *c, bool walk)
{
	struct err e = ERR_INIT;
	struct stat found, expected;
	int fd;

	force_walk(walk);
	fd = path_open_in(root_fd, c->path, c->flags, 0644, &e);
	force_walk(false);
	if ((fd < 0 ? fd : 0) != c->rc)
		fail_msg("'%s' flags %#x walk %d: %d %s", c->path, c->flags, walk, fd, e.msg);
	if (fd < 0)
		return;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &found), 0);
	assert_int_equal(fstatat(root_fd, c->place, &expected, AT_SYMLINK_NOFOLLOW), 0);
	if (found.st_ino != expected.st_ino || found.st_dev != expected.st_dev)
		fail_msg("'%s' walk %d: another place than '%s'", c->path, walk, c->place);
	fd_close(fd);
}

static const struct lookup lookups[] = {
	{"file", O_RDONLY, 0, "file"},
	{"/file", O_RDONLY, 0, "file"},
	{"//dir//sub///file", O_RDONLY, 0, "dir/sub/file"},
	{"./dir/./sub/../sub/file", O_RDONLY, 0, "dir/sub/file"},
	{"/", O_PATH, 0, "."},
	{"/", O_RDONLY | O_DIRECTORY, 0, "."},
	{".", O_PATH, 0, "."},
	{"..", O_PATH, 0, "."},
	{"../../..", O_PATH, 0, "."},
	{"/../../file", O_RDONLY, 0, "file"},
	{"dir/../../../file", O_RDONLY, 0, "file"},
	{"dir/sub/../..", O_PATH, 0, "."},
	{"dir/", O_PATH, 0, "dir"},
	{"dir/.", O_PATH, 0, "dir"},
	{"dir/sub/..", O_PATH | O_DIRECTORY, 0, "dir"},
	{"rel/file", O_RDONLY, 0, "dir/sub/file"},
	{"abs/sub/file", O_RDONLY, 0, "dir/sub/file"},
	{"rel/../sub/file", O_RDONLY, 0, "dir/sub/file"},
	{"rel/..", O_PATH, 0, "dir"},
	{"top/top/top/file", O_RDONLY, 0, "file"},
	{"up/up/up/file", O_RDONLY, 0, "file"},
	{"here/here/file", O_RDONLY, 0, "file"},
	{"dir/back/file", O_RDONLY, 0, "file"},
	{"dir_slash", O_PATH, 0, "dir"},
	{"dir_slash/sub", O_PATH, 0, "dir/sub"},
	{"link38", O_RDONLY, 0, "file"},
	{"link39", O_RDONLY, 0, "file"},
	{"link40", O_RDONLY, -ELOOP, NULL},
	{"here/link38", O_RDONLY, 0, "file"},
	{"here/link39", O_RDONLY, -ELOOP, NULL},

	{"esc", O_RDONLY, -ENOENT, NULL},
	{"esc_abs", O_RDONLY, -ENOENT, NULL},
	{"esc_dir", O_PATH, -ENOENT, NULL},
	{"esc_dir/secret", O_RDONLY, -ENOENT, NULL},
	{"esc_host/secret", O_RDONLY, -ENOENT, NULL},
	{"dir/esc/secret", O_RDONLY, -ENOENT, NULL},
	{"up/../outside/secret", O_RDONLY, -ENOENT, NULL},
	{"../outside/secret", O_RDONLY, -ENOENT, NULL},
	{"dir/back/../outside/secret", O_RDONLY, -ENOENT, NULL},

	{"", O_RDONLY, -ENOENT, NULL},
	{"no", O_RDONLY, -ENOENT, NULL},
	{"no/..", O_RDONLY, -ENOENT, NULL},
	{"no/", O_RDONLY, -ENOENT, NULL},
	{"file/", O_RDONLY, -ENOTDIR, NULL},
	{"file/.", O_RDONLY, -ENOTDIR, NULL},
	{"file/..", O_RDONLY, -ENOTDIR, NULL},
	{"file/x", O_RDONLY, -ENOTDIR, NULL},
	{"file_slash", O_RDONLY, -ENOTDIR, NULL},
	{"file", O_RDONLY | O_DIRECTORY, -ENOTDIR, NULL},
	{"file", O_PATH | O_DIRECTORY, -ENOTDIR, NULL},
	{"dir", O_WRONLY, -EISDIR, NULL},
	{"loop_a", O_RDONLY, -ELOOP, NULL},
	{"self", O_PATH, -ELOOP, NULL},
	{"self/x", O_PATH, -ELOOP, NULL},
	{"dangling", O_RDONLY, -ENOENT, NULL},

	{"rel", O_PATH | O_NOFOLLOW, 0, "rel"},
	{"esc", O_PATH | O_NOFOLLOW, 0, "esc"},
	{"self", O_PATH | O_NOFOLLOW, 0, "self"},
	{"abs/sub", O_PATH | O_NOFOLLOW, 0, "dir/sub"},
	{"rel/", O_PATH | O_NOFOLLOW, 0, "dir/sub"},
	{"rel/.", O_PATH | O_NOFOLLOW, 0, "dir/sub"},
	{"rel", O_RDONLY | O_NOFOLLOW, -ELOOP, NULL},
	{"rel", O_RDONLY | O_NOFOLLOW | O_DIRECTORY, -ENOTDIR, NULL},
	{"rel", O_PATH | O_NOFOLLOW | O_DIRECTORY, -ENOTDIR, NULL},
	{"file", O_RDONLY | O_NOFOLLOW, 0, "file"},
	{"fifo", O_RDONLY | O_NONBLOCK, 0, "fifo"},
	{"fifo", O_PATH, 0, "fifo"},
	{"fifo/x", O_PATH, -ENOTDIR, NULL},
};

static void finds_the_same_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		check_lookup(&lookups[i], false);
		check_lookup(&lookups[i], true);
	}
	outside_is_untouched();
}

static void long_names_and_paths(void **state)
{
	char name[300], path[PATH_MAX + 10];
	const struct lookup long_name = {name, O_RDONLY, -ENAMETOOLONG, NULL};
	const struct lookup long_path = {path, O_RDONLY, -ENAMETOOLONG, NULL};
	const struct lookup longest = {path, O_RDONLY, 0, "file"};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(path, '/', sizeof(path));
	(void)snprintf(path + PATH_MAX - 4, 14, "file");
	for (int walk = 0; walk < 2; walk++) {
		check_lookup(&long_name, walk);
		check_lookup(&long_path, walk);
	}
	memmove(path, path + 1, PATH_MAX);
	for (int walk = 0; walk < 2; walk++)
		check_lookup(&longest, walk);
}

/* A reproducible mix of names, so that both ways are compared where no table thought of it. */
static const char *const words[] = {
	"dir", "sub",  "file",  "..",   ".",  "rel",       "abs",        "top",
	"up",  "here", "back",  "self", "",   "dir_slash", "file_slash", "..",
	"dir", "sub",  "link5", "top",  "no", "dangling",  "fifo",       "esc_dir",
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void random_paths_agree(void **state)
{
	static const int flags[] = {
		O_PATH,
		O_RDONLY | O_NONBLOCK,
		O_PATH | O_NOFOLLOW,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
		O_PATH | O_DIRECTORY,
		O_PATH | O_DIRECTORY | O_NOFOLLOW,
		O_RDWR | O_NONBLOCK,
	};
	uint32_t seed = 1;
	size_t opened = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int flag = flags[next_random(&seed) % ARRAY_SIZE(flags)];
		uint32_t n = 1 + next_random(&seed) % 5;
		BUF path = BUF_INIT;
		struct stat st[2] = {0};
		int fd[2];

		for (uint32_t k = 0; k < n; k++)
			buf_addf(&path, "%s%s", k || next_random(&seed) % 4 == 0 ? "/" : "",
				 words[next_random(&seed) % ARRAY_SIZE(words)]);
		for (int walk = 0; walk < 2; walk++) {
			force_walk(walk);
			fd[walk] = path_open_in(root_fd, buf_str(&path), flag, 0, NULL);
			if (fd[walk] >= 0)
				assert_int_equal(fstat(fd[walk], &st[walk]), 0);
		}
		if ((fd[0] < 0 || fd[1] < 0) ? fd[0] != fd[1] : st[0].st_ino != st[1].st_ino)
			fail_msg("'%s' flags %#x: %d inode %ju and %d inode %ju", buf_str(&path),
				 flag, fd[0], (uintmax_t)st[0].st_ino, fd[1],
				 (uintmax_t)st[1].st_ino);
		opened += fd[0] >= 0;
		fd_close(fd[0]);
		fd_close(fd[1]);
	}
	force_walk(false);
	/* The mix must not consist of failures. */
	assert_true(opened > 2000);
	outside_is_untouched();
}

/* What O_CREAT makes: place is the new file's, NULL when it fails with rc. */
static const struct lookup creations[] = {
	{"new", O_WRONLY | O_CREAT, 0, "new"},
	{"rel/new", O_WRONLY | O_CREAT | O_EXCL, 0, "dir/sub/new"},
	{"dangling", O_WRONLY | O_CREAT, 0, "nowhere"},
	{"dangling_up", O_WRONLY | O_CREAT, -ENOENT, NULL},
	{"dangling_d", O_WRONLY | O_CREAT, 0, "made_c"},
	{"dangling", O_WRONLY | O_CREAT | O_EXCL, -EEXIST, NULL},
	{"dangling", O_WRONLY | O_CREAT | O_NOFOLLOW, -ELOOP, NULL},
	{"dangling_abs", O_WRONLY | O_CREAT, -ENOENT, NULL},
	{"file", O_WRONLY | O_CREAT, 0, "file"},
	{"file", O_WRONLY | O_CREAT | O_EXCL, -EEXIST, NULL},
	{"link3", O_WRONLY | O_CREAT, 0, "file"},
	{"link3", O_WRONLY | O_CREAT | O_EXCL, -EEXIST, NULL},
	{"dir", O_WRONLY | O_CREAT, -EISDIR, NULL},
	{"dir/", O_WRONLY | O_CREAT, -EISDIR, NULL},
	{"new/", O_WRONLY | O_CREAT, -EISDIR, NULL},
	{"dir/.", O_WRONLY | O_CREAT, -EISDIR, NULL},
	{"/", O_WRONLY | O_CREAT, -EISDIR, NULL},
	{"no/new", O_WRONLY | O_CREAT, -ENOENT, NULL},
	{"esc_dir/new", O_WRONLY | O_CREAT, -ENOENT, NULL},
	{"file/new", O_WRONLY | O_CREAT, -ENOTDIR, NULL},
	{"new", O_PATH | O_CREAT, -EINVAL, NULL},
};

static void creates_the_same_files(void **state)
{
	static const char *const made[] = {"new", "dir/sub/new", "nowhere", "made_c"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(creations); i++)
		for (int walk = 0; walk < 2; walk++) {
			check_lookup(&creations[i], walk);
			for (size_t k = 0; k < ARRAY_SIZE(made); k++)
				(void)unlinkat(root_fd, made[k], 0);
		}
	outside_is_untouched();
}

static int find_without_openat2(unsigned int errnum)
{
	CHILD_CHECK(deny_syscall(SYS_openat2, errnum));
	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		struct stat found, expected;
		CLOSE_FD int fd = path_open_in(root_fd, lookups[i].path, lookups[i].flags, 0, NULL);

		CHILD_CHECK((fd < 0 ? fd : 0) == lookups[i].rc);
		if (fd < 0)
			continue;
		CHILD_CHECK(fstat(fd, &found) == 0);
		CHILD_CHECK(fstatat(root_fd, lookups[i].place, &expected, AT_SYMLINK_NOFOLLOW) ==
			    0);
		CHILD_CHECK(found.st_ino == expected.st_ino);
	}
	return 0;
}

static int old_kernel_child(void)
{
	return find_without_openat2(ENOSYS);
}

static int sandbox_child(void)
{
	return find_without_openat2(EPERM);
}

static void kernels_and_sandboxes_without_openat2(void **state)
{
	(void)state;
	run_in_child(old_kernel_child);
	run_in_child(sandbox_child);
}

/* From the host's root, where a procfs is mounted: ordinary links work, magic ones do not. */
static void magic_links_are_refused(void **state)
{
	static const struct {
		const char *path;
		int flags, rc;
	} cases[] = {
		{"/proc/self/status", O_RDONLY, 0},    {"/proc/thread-self/comm", O_RDONLY, 0},
		{"/proc/mounts", O_RDONLY, 0},         {"/proc/net/dev", O_RDONLY, 0},
		{"/proc/self/exe", O_RDONLY, -ELOOP},  {"/proc/self/exe", O_PATH | O_NOFOLLOW, 0},
		{"/proc/self/cwd", O_PATH, -ELOOP},    {"/proc/self/root/etc", O_PATH, -ELOOP},
		{"/proc/self/fd/0", O_RDONLY, -ELOOP}, {"/proc/self/ns/net", O_RDONLY, -ELOOP},
	};
	CLOSE_FD int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int walk = 0; walk < 2; walk++) {
			int fd;

			force_walk(walk);
			fd = path_open_in(host, cases[i].path, cases[i].flags, 0, NULL);
			force_walk(false);
			if ((fd < 0 ? fd : 0) != cases[i].rc)
				fail_msg("'%s' walk %d: %d", cases[i].path, walk, fd);
			fd_close(fd);
		}
}

/* fd is what the root has at place. */
static void check_place(int fd, const char *place)
{
	struct stat found, expected;

	assert_int_equal(fstat(fd, &found), 0);
	assert_int_equal(fstatat(root_fd, place, &expected, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(found.st_ino, expected.st_ino);
}

static void remove_made(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(path_remove_tree(root_fd, names[i], NULL), 0);
}

static void mkdir_makes_inside(void **state)
{
	static const struct lookup cases[] = {
		{"a/b/c", 0, 0, "a/b/c"},
		{"/a/./b//", 0, 0, "a/b"},
		{"a/../b", 0, 0, "b"},
		{"../../a", 0, 0, "a"},
		{"dir/sub", 0, 0, "dir/sub"},
		{"/", 0, 0, "."},
		{"rel/a", 0, 0, "dir/sub/a"},
		{"esc_dir/a", 0, 0, "outside/a"},
		{"dangling", 0, 0, "nowhere"},
		{"dangling/x", 0, 0, "nowhere/x"},
		{"dangling_abs", 0, 0, "made/by/link"},
		{"dangling_up/x", 0, 0, "outside/made/x"},
		{"dangling_d", 0, 0, "made_c"},
		{"file", 0, -ENOTDIR, NULL},
		{"file/a", 0, -ENOTDIR, NULL},
		{"fifo", 0, -ENOTDIR, NULL},
		{"loop_a/x", 0, -ELOOP, NULL},
		{"", 0, -ENOENT, NULL},
	};
	static const char *const made[] = {"a",       "b",    "dir/sub/a", "outside",
					   "nowhere", "made", "made_c"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int walk = 0; walk < 2; walk++) {
			int fd;

			force_walk(walk);
			fd = path_mkdir_in(root_fd, cases[i].path, 0755, NULL);
			force_walk(false);
			if ((fd < 0 ? fd : 0) != cases[i].rc)
				fail_msg("'%s' walk %d: %d", cases[i].path, walk, fd);
			if (fd >= 0)
				check_place(fd, cases[i].place);
			fd_close(fd);
			remove_made(made, ARRAY_SIZE(made));
		}
	outside_is_untouched();
}

static void mountpoints_are_made(void **state)
{
	static const struct {
		const char *path;
		bool is_dir;
		int rc;
		const char *place;
	} cases[] = {
		{"a/b/c", true, 0, "a/b/c"},
		{"a/b/c", false, 0, "a/b/c"},
		{"dir/sub", true, 0, "dir/sub"},
		{"dir/sub/file", false, 0, "dir/sub/file"},
		{"rel", true, 0, "dir/sub"},
		{"link7", false, 0, "file"},
		{"fifo", false, 0, "fifo"},
		{"dangling", true, 0, "nowhere"},
		{"dangling", false, 0, "nowhere"},
		{"dangling_abs", false, 0, "made/by/link"},
		{"dangling_up", false, 0, "outside/made"},
		{"dangling_d", false, 0, "made_c"},
		{"esc_host/x", false, 0, NULL},
		{"../../a", false, 0, "a"},
		{"/", true, 0, "."},
		{"a/", true, 0, "a"},
		{"a/", false, -EISDIR, NULL},
		{"/", false, -EISDIR, NULL},
		{"dir", false, -EISDIR, NULL},
		{"rel", false, -EISDIR, NULL},
		{"file", true, -ENOTDIR, NULL},
		{"link7", true, -ENOTDIR, NULL},
		{"file/x", false, -ENOTDIR, NULL},
		{"self", true, -ELOOP, NULL},
	};
	static const char *const made[] = {"a", "nowhere", "made", "made_c", "outside", "tmp"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int walk = 0; walk < 2; walk++) {
			struct stat st;
			int fd;

			force_walk(walk);
			fd = path_mountpoint_in(root_fd, cases[i].path, cases[i].is_dir, 0700,
						NULL);
			force_walk(false);
			if ((fd < 0 ? fd : 0) != cases[i].rc)
				fail_msg("'%s' walk %d: %d", cases[i].path, walk, fd);
			if (fd >= 0) {
				assert_int_equal(fstat(fd, &st), 0);
				assert_int_equal(S_ISDIR(st.st_mode), cases[i].is_dir);
				assert_true(fcntl(fd, F_GETFL) & O_PATH);
			}
			if (cases[i].place)
				check_place(fd, cases[i].place);
			fd_close(fd);
			remove_made(made, ARRAY_SIZE(made));
		}
	outside_is_untouched();
}

static void mountpoints_have_their_modes(void **state)
{
	mode_t mask = umask(0);
	struct stat st;

	(void)state;
	CLOSE_FD int fd = path_mountpoint_in(root_fd, "a/b/c", false, 0600, NULL);
	CLOSE_FD int dir = path_mkdir_in(root_fd, "m/n", 0711, NULL);

	(void)umask(mask);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(fstatat(root_fd, "a/b", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(fstat(dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0711);
	assert_int_equal(fstatat(root_fd, "m", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0711);
}

static void parents(void **state)
{
	static const struct {
		const char *path;
		int rc;
		const char *place, *base;
	} cases[] = {
		{"new", 0, ".", "new"},           {"/new", 0, ".", "new"},
		{"rel/new", 0, "dir/sub", "new"}, {"dir//sub", 0, "dir", "sub"},
		{"esc", 0, ".", "esc"},           {"../../x", 0, ".", "x"},
		{"up/up/..x", 0, ".", "..x"},     {"esc_dir/x", -ENOENT, NULL, NULL},
		{"file/x", -ENOTDIR, NULL, NULL}, {"", -EINVAL, NULL, NULL},
		{"/", -EINVAL, NULL, NULL},       {"dir/", -EINVAL, NULL, NULL},
		{"dir/.", -EINVAL, NULL, NULL},   {"dir/..", -EINVAL, NULL, NULL},
		{".", -EINVAL, NULL, NULL},       {"..", -EINVAL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int walk = 0; walk < 2; walk++) {
			const char *base = NULL;
			int fd;

			force_walk(walk);
			fd = path_parent_in(root_fd, cases[i].path, &base, NULL);
			force_walk(false);
			if ((fd < 0 ? fd : 0) != cases[i].rc)
				fail_msg("'%s' walk %d: %d", cases[i].path, walk, fd);
			if (fd >= 0) {
				check_place(fd, cases[i].place);
				assert_string_equal(base, cases[i].base);
			}
			fd_close(fd);
		}
}

static void messages_name_the_path(void **state)
{
	struct err e = ERR_INIT;
	const char *base;

	(void)state;
	assert_int_equal(path_open_in(root_fd, "/no", O_RDONLY, 0, &e), -ENOENT);
	assert_string_equal(e.msg, "open '/no' in the root: No such file or directory");
	assert_int_equal(path_mkdir_in(root_fd, "/file", 0755, &e), -ENOTDIR);
	assert_string_equal(e.msg, "create directory '/file' in the root: Not a directory");
	assert_int_equal(path_mountpoint_in(root_fd, "/dir", false, 0755, &e), -EISDIR);
	assert_string_equal(e.msg, "use '/dir' as a mount point: Is a directory");
	assert_int_equal(path_parent_in(root_fd, "a/..", &base, &e), -EINVAL);
	assert_string_equal(e.msg, "path 'a/..' does not end in a name");
}

static void clean(void **state)
{
	static const char *const cases[][2] = {
		{"a//b/./c/../d", "a/b/d"},
		{"/a//b/./c/../d", "/a/b/d"},
		{"", "."},
		{".", "."},
		{"/", "/"},
		{"//", "/"},
		{"/.", "/"},
		{"/..", "/"},
		{"/../../a", "/a"},
		{"/a/../..", "/"},
		{"..", ".."},
		{"../..", "../.."},
		{"../../a", "../../a"},
		{"a/..", "."},
		{"a/../..", ".."},
		{"a/../../b", "../b"},
		{"a/b/../../../c/..", ".."},
		{"a/", "a"},
		{"./a/", "a"},
		{"a/...", "a/..."},
		{"a/..b/.c", "a/..b/.c"},
		{"abc/../x", "x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		FREE char *s = path_clean(cases[i][0]);

		assert_string_equal(s, cases[i][1]);
	}
}

static void join(void **state)
{
	static const char *const cases[][3] = {
		{"/a", "b", "/a/b"}, {"/a/", "b", "/a/b"}, {"/", "b", "/b"},
		{"/a", "/b", "/b"},  {"", "b", "/b"},      {"a", "", "a/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		FREE char *s = path_join(cases[i][0], cases[i][1]);

		assert_string_equal(s, cases[i][2]);
	}
}

static void mkdirs(void **state)
{
	FREE char *deep = mem_xprintf("%s/x//y/z/", tmp_path);
	FREE char *below_file = mem_xprintf("%s/root/file/y/z", tmp_path);
	FREE char *file = mem_xprintf("%s/root/file", tmp_path);
	FREE char *link = mem_xprintf("%s/root/rel", tmp_path);
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(path_mkdirs(deep, 0700, NULL), 0);
	assert_int_equal(path_mkdirs(deep, 0700, NULL), 0);
	assert_int_equal(fstatat(tmp_fd, "x/y/z", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(path_mkdirs(link, 0700, NULL), 0);
	assert_int_equal(path_mkdirs(below_file, 0700, NULL), -ENOTDIR);
	assert_int_equal(path_mkdirs(file, 0700, &e), -ENOTDIR);
	assert_non_null(strstr(e.msg, "/root/file': Not a directory"));
	assert_int_equal(path_mkdirs("/", 0700, NULL), 0);
	assert_int_equal(path_mkdirs("", 0700, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(finds_the_same_places),
		tree_test(long_names_and_paths),
		tree_test(random_paths_agree),
		tree_test(kernels_and_sandboxes_without_openat2),
		tree_test(creates_the_same_files),
		tree_test(magic_links_are_refused),
		tree_test(mkdir_makes_inside),
		tree_test(mountpoints_are_made),
		tree_test(mountpoints_have_their_modes),
		tree_test(parents),
		tree_test(messages_name_the_path),
		cmocka_unit_test(clean),
		cmocka_unit_test(join),
		tree_test(mkdirs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
