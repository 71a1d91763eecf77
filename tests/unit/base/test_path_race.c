/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Somebody renames inside the root while paths are resolved: a directory changes places with a
 * symlink that leads out, a directory is moved out with the resolution inside it, what is being
 * made is removed. Whatever the answer, it is never a place outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/base/tmp.h"

#define ROUNDS 20000

static int root_fd = -1;
static ino_t inside_ino, secret_ino;

static int race_setup(void **state)
{
	static const char *const dirs[] = {"outside", "root", "root/a", "root/a/d", "root/a/d/e"};
	struct stat st;

	if (tmp_setup(state) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdirat(tmp_fd, dirs[i], 0755), 0);
	root_fd = openat(tmp_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	tmp_write("secret", "secret");
	tmp_write("outside/f", "secret");
	tmp_write("root/a/f", "in");
	assert_int_equal(symlinkat("../outside", root_fd, "b"), 0);
	assert_int_equal(fstatat(tmp_fd, "root/a/f", &st, 0), 0);
	inside_ino = st.st_ino;
	assert_int_equal(fstatat(tmp_fd, "outside/f", &st, 0), 0);
	secret_ino = st.st_ino;
	return 0;
}

static int race_teardown(void **state)
{
	fd_close(root_fd);
	return tmp_teardown(state);
}

#define race_test(fn) cmocka_unit_test_setup_teardown(fn, race_setup, race_teardown)

/* Runs step over and over in a child until stop_racing. */
static pid_t start_racing(void (*step)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			step();
	}
	assert_true(pid > 0);
	return pid;
}

static void stop_racing(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void set_way(int round)
{
	assert_int_equal(
		round % 2 ? setenv("HULL_NO_OPENAT2", "1", 1) : unsetenv("HULL_NO_OPENAT2"), 0);
}

static void exchange(void)
{
	(void)renameat2(root_fd, "a", root_fd, "b", RENAME_EXCHANGE);
}

static void open_while_exchanged(void **state)
{
	static const char *const paths[] = {"a/f", "a/d/../f", "/a/../a/f", "b/f",
					    "a/d/e/../../../b/f"};
	size_t inside = 0, failed = 0;
	pid_t pid = start_racing(exchange);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct stat st;

		set_way(i);
		CLOSE_FD int fd = path_open_in(root_fd, paths[(size_t)i / 2 % ARRAY_SIZE(paths)],
					       O_RDONLY | O_NONBLOCK, 0, NULL);

		if (fd < 0) {
			failed++;
			continue;
		}
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(st.st_ino != secret_ino);
		inside += st.st_ino == inside_ino;
	}
	stop_racing(pid);
	set_way(0);
	assert_true(inside > 0);
	assert_true(inside + failed == ROUNDS);
}

static void make_while_exchanged(void **state)
{
	pid_t pid = start_racing(exchange);
	size_t made = 0;
	struct stat st;

	(void)state;
	for (int i = 0; i < ROUNDS / 4; i++) {
		FREE char *path = mem_xprintf("a/new%d/x", i);
		FREE char *file = mem_xprintf("b/mp%d", i);

		set_way(i);
		CLOSE_FD int dir = path_mkdir_in(root_fd, path, 0755, NULL);
		CLOSE_FD int mp = path_mountpoint_in(root_fd, file, false, 0644, NULL);

		made += dir >= 0;
		made += mp >= 0;
	}
	stop_racing(pid);
	set_way(0);
	assert_true(made > 0);
	/* The directory outside has no directory in it and nothing but its file. */
	assert_int_equal(fstatat(tmp_fd, "outside", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(unlinkat(tmp_fd, "outside/f", 0), 0);
	assert_int_equal(unlinkat(tmp_fd, "outside", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(tmp_fd, "outside", 0755), 0);
}

static void move_out_and_back(void)
{
	(void)renameat(root_fd, "a/d", tmp_fd, "outside/d");
	(void)renameat(tmp_fd, "outside/d", root_fd, "a/d");
}

/* ".." of a directory that was moved out of the root meanwhile must not lead to what is there. */
static void dotdot_while_moved_out(void **state)
{
	static const char *const paths[] = {"a/d/e/../../../f", "a/d/../f",
					    "a/d/e/../../../../secret", "a/d/e/../../f"};
	pid_t pid = start_racing(move_out_and_back);
	size_t opened = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct stat st;

		set_way(i);
		CLOSE_FD int fd = path_open_in(root_fd, paths[(size_t)i / 2 % ARRAY_SIZE(paths)],
					       O_RDONLY, 0, NULL);

		if (fd < 0)
			continue;
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_ino, inside_ino);
		opened++;
	}
	stop_racing(pid);
	set_way(0);
	move_out_and_back();
	assert_true(opened > 0);
}

static void remove_made(void)
{
	(void)unlinkat(root_fd, "x/y/z", AT_REMOVEDIR);
	(void)unlinkat(root_fd, "x/y", AT_REMOVEDIR);
	(void)unlinkat(root_fd, "x", AT_REMOVEDIR);
}

/* Several make the same place at once, somebody removes it: no answer but success and -ENOENT. */
static void make_while_removed(void **state)
{
	pid_t pid = start_racing(remove_made);
	size_t made = 0;

	(void)state;
	for (int i = 0; i < ROUNDS / 4; i++) {
		set_way(i);
		CLOSE_FD int fd = path_mkdir_in(root_fd, "x/y/z", 0755, NULL);

		if (fd < 0)
			assert_true(fd == -ENOENT || fd == -EAGAIN);
		else
			made++;
	}
	stop_racing(pid);
	set_way(0);
	assert_true(made > 0);
}

static void make_together(void **state)
{
	pid_t pids[4];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(pids); k++) {
		pids[k] = fork();
		if (pids[k] != 0)
			continue;
		for (int i = 0; i < 300; i++) {
			FREE char *path = mem_xprintf("t%d/u/v", i);
			CLOSE_FD int fd = path_mountpoint_in(root_fd, path, i % 2, 0755, NULL);

			if (fd < 0)
				_exit(1);
		}
		_exit(0);
	}
	for (size_t k = 0; k < ARRAY_SIZE(pids); k++) {
		int status;

		assert_int_equal(waitpid(pids[k], &status, 0), pids[k]);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		race_test(open_while_exchanged),   race_test(make_while_exchanged),
		race_test(dotdot_while_moved_out), race_test(make_while_removed),
		race_test(make_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
