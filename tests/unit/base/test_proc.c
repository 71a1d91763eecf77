/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procfs: only the real one, no mounts over its files, odd process names. Both ways of opening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "tests/unit/base/child.h"
#include "tests/unit/leaks.h"

#define leak_test(fn) cmocka_unit_test_setup_teardown(fn, leaks_setup, leaks_teardown)

static void force_walk(bool on)
{
	assert_int_equal(on ? setenv("HULL_NO_OPENAT2", "1", 1) : unsetenv("HULL_NO_OPENAT2"), 0);
}

static void opens_below(void **state)
{
	static const struct {
		const char *path;
		int flags, rc;
	} cases[] = {
		{"self/status", O_RDONLY, 0},
		{"self/attr/exec", O_WRONLY, 0},
		{"thread-self/comm", O_RDWR, 0},
		{"self/fd", O_RDONLY | O_DIRECTORY, 0},
		{"mounts", O_RDONLY, 0},
		{"sys/kernel/hostname", O_RDONLY, 0},
		{".", O_PATH, 0},
		{"self/../self/status", O_RDONLY, 0},
		{"self/exe", O_RDONLY, -ELOOP},
		{"self/root/etc/passwd", O_RDONLY, -ELOOP},
		{"self/cwd", O_PATH, -ELOOP},
		{"self/fd/0", O_RDONLY, -ELOOP},
		{"self/ns/mnt", O_RDONLY, -ELOOP},
		{"/proc/self/status", O_RDONLY, -EXDEV},
		{"self/status/x", O_RDONLY, -ENOTDIR},
		{"self/nothing", O_RDONLY, -ENOENT},
		{"999999999/stat", O_RDONLY, -ENOENT},
		{"", O_RDONLY, -ENOENT},
	};
	CLOSE_FD int proc = proc_open_root(NULL);

	(void)state;
	assert_true(proc >= 0);
	for (int walk = 0; walk < 2; walk++) {
		force_walk(walk);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct err e = ERR_INIT;
			int fd = proc_open(proc, cases[i].path, cases[i].flags, &e);

			if ((fd < 0 ? fd : 0) != cases[i].rc)
				fail_msg("'%s' walk %d: %d %s", cases[i].path, walk, fd, e.msg);
			fd_close(fd);
		}
		force_walk(false);
	}
}

static int without_openat2_child(void)
{
	CLOSE_FD int proc = proc_open_root(NULL);

	CHILD_CHECK(deny_syscall(SYS_openat2, ENOSYS));
	CLOSE_FD int fd = proc_open(proc, "self/attr/exec", O_WRONLY, NULL);

	CHILD_CHECK(fd >= 0);
	CHILD_CHECK(proc_open(proc, "self/exe", O_RDONLY, NULL) == -ELOOP);
	return 0;
}

static void opens_below_without_openat2(void **state)
{
	(void)state;
	run_in_child(without_openat2_child);
}

static void what_self_is(void **state)
{
	FREE char *expected = mem_xprintf("Pid:\t%d\n", (int)getpid());
	CLOSE_FD int proc = proc_open_root(NULL);

	(void)state;
	for (int walk = 0; walk < 2; walk++) {
		BUF b = BUF_INIT;

		force_walk(walk);
		CLOSE_FD int fd = proc_open(proc, "self/status", O_RDONLY, NULL);
		force_walk(false);
		assert_int_equal(io_read_all(fd, "status", 1 << 16, &b, NULL), 0);
		assert_non_null(strstr(buf_str(&b), expected));
	}
}

static void writes(void **state)
{
	CLOSE_FD int proc = proc_open_root(NULL);
	struct err e = ERR_INIT;
	char name[16];

	(void)state;
	assert_int_equal(proc_write(proc, "self/comm", "renamed", &e), 0);
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_string_equal(name, "renamed");
	assert_int_equal(proc_write(proc, "self/comm-no", "x", &e), -ENOENT);
	assert_string_equal(e.msg, "open '/proc/self/comm-no': No such file or directory");
	assert_int_equal(proc_write(proc, "self/oom_score_adj", "99999", &e), -EINVAL);
	assert_string_equal(e.msg, "write '99999' to '/proc/self/oom_score_adj': Invalid argument");
}

static int over_mount_child(void)
{
	FREE char *path = mem_xprintf("/proc/%d/attr/exec", (int)getpid());
	FREE char *dir = mem_xprintf("/proc/%d/attr", (int)getpid());
	CLOSE_FD int before = proc_open_root(NULL);
	CLOSE_FD int proc = -1;

	if (!own_mounts())
		return CHILD_SKIP;
	proc = proc_open_root(NULL);
	CHILD_CHECK(mount("/dev/null", path, NULL, MS_BIND, NULL) == 0);
	CHILD_CHECK(proc_open(proc, "self/attr/exec", O_WRONLY, NULL) == -EXDEV);
	CHILD_CHECK(setenv("HULL_NO_OPENAT2", "1", 1) == 0);
	CHILD_CHECK(proc_open(proc, "self/attr/exec", O_WRONLY, NULL) == -EXDEV);
	CHILD_CHECK(umount2(path, MNT_DETACH) == 0);

	/* Another file of the same procfs is no better. */
	CHILD_CHECK(mount("/proc/version", path, NULL, MS_BIND, NULL) == 0);
	CHILD_CHECK(proc_open(proc, "self/attr/exec", O_RDONLY, NULL) == -EXDEV);
	CHILD_CHECK(unsetenv("HULL_NO_OPENAT2") == 0);
	CHILD_CHECK(proc_open(proc, "self/attr/exec", O_RDONLY, NULL) == -EXDEV);
	CHILD_CHECK(umount2(path, MNT_DETACH) == 0);

	CHILD_CHECK(mount("tmpfs", dir, "tmpfs", 0, NULL) == 0);
	CHILD_CHECK(proc_open(proc, "self/attr/exec", O_WRONLY, NULL) == -EXDEV);
	CHILD_CHECK(setenv("HULL_NO_OPENAT2", "1", 1) == 0);
	CHILD_CHECK(proc_open(proc, "self/attr/exec", O_WRONLY, NULL) == -EXDEV);

	/* What was opened before the mount namespace does not see its mounts. */
	CLOSE_FD int fd = proc_open(before, "self/attr/exec", O_WRONLY, NULL);

	CHILD_CHECK(fd >= 0);
	return 0;
}

static void mounts_over_files_are_refused(void **state)
{
	(void)state;
	run_in_child(over_mount_child);
}

static int false_proc_child(void)
{
	struct err e = ERR_INIT;

	if (!own_mounts())
		return CHILD_SKIP;
	CHILD_CHECK(mount("/proc/sys", "/proc", NULL, MS_BIND, NULL) == 0);
	CHILD_CHECK(proc_open_root(&e) == -EXDEV);
	CHILD_CHECK(strcmp(e.msg, "'/proc' is not the root of a procfs") == 0);
	CHILD_CHECK(umount2("/proc", MNT_DETACH) == 0);
	CHILD_CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
	CHILD_CHECK(proc_open_root(&e) == -EXDEV);
	return 0;
}

static void a_false_proc_is_refused(void **state)
{
	(void)state;
	run_in_child(false_proc_child);
}

/* A child that waits, under a name of its choice. */
static pid_t sleeper(const char *name)
{
	int p[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, name);
		(void)!write(p[1], "x", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	fd_close(p[0]);
	fd_close(p[1]);
	return pid;
}

static void stat_survives_odd_names(void **state)
{
	static const char *const names[] = {"plain", "a) Z 1 (b", "x (y) R", ")", "a b c", ""};
	CLOSE_FD int proc = proc_open_root(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		pid_t pid = sleeper(names[i]);
		struct proc_stat st = {0}, self = {0};

		assert_int_equal(proc_stat_read(proc, pid, &st, NULL), 0);
		assert_int_equal(proc_stat_read(proc, getpid(), &self, NULL), 0);
		assert_true(st.state == 'S' || st.state == 'R');
		assert_int_equal(st.ppid, getpid());
		assert_true(self.start_time > 0 && st.start_time >= self.start_time);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static void stat_of_a_zombie_and_of_nobody(void **state)
{
	CLOSE_FD int proc = proc_open_root(NULL);
	pid_t pid = sleeper("z");
	struct proc_stat st = {0};
	struct err e = ERR_INIT;
	siginfo_t info;

	(void)state;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_stat_read(proc, pid, &st, NULL), 0);
	assert_int_equal(st.state, 'Z');
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_stat_read(proc, pid, &st, &e), -ENOENT);
	assert_int_equal(proc_stat_read(proc, 0, &st, &e), -ENOENT);
	assert_int_equal(proc_stat_read(proc, -1, &st, &e), -ENOENT);
	assert_string_equal(e.msg, "no process has the number -1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leak_test(opens_below),
		leak_test(opens_below_without_openat2),
		leak_test(what_self_is),
		leak_test(writes),
		leak_test(mounts_over_files_are_refused),
		leak_test(a_false_proc_is_refused),
		leak_test(stat_survives_odd_names),
		leak_test(stat_of_a_zombie_and_of_nobody),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
