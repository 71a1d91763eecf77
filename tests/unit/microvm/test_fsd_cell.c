/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file server's cell, tried from inside: what a server that was taken over could still reach, with
 * and without its filter of system calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/sandbox.h"
#include "tests/unit/base/tmp.h"

static void needs_root(void)
{
	if (geteuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
}

/* The shared directory, with a file in it and one beside it. */
static int shared_dir(void)
{
	int fd;

	if (mkdirat(tmp_fd, "root", 0755) == 0) {
		tmp_write("root/file", "content");
		tmp_write("secret", "secret");
	}
	fd = openat(tmp_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* In the cell: 0 when the attempt was refused. Or it does not come back (SIGSYS). */
typedef int attempt_fn(int dir_fd, int proc_fd);

/* Runs fn in a cell over root/, locked or not. Its result, or 128 + the signal that ended it. */
static int in_cell(attempt_fn *fn, bool readonly, bool lock)
{
	int dir_fd, proc_fd, pid_fd = -1, status, pipe_fds[2], root = shared_dir();
	struct err err = ERR_INIT;
	int tree = fsd_cell_tree(root, readonly, false, &err);
	pid_t pid;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	if (tree < 0)
		fail_msg("%s", err.msg);
	pid = fsd_cell_fork(&pid_fd, &err);
	if (pid == 0) {
		if (fsd_cell_enter(pipe_fds[1], tree, &dir_fd, &proc_fd, &err) ||
		    (lock && fsd_cell_lock(&err))) {
			(void)!write(pipe_fds[1], &err, sizeof(err));
			_exit(99);
		}
		_exit(fn(dir_fd, proc_fd));
	}
	fd_close(pipe_fds[1]);
	fd_close(tree);
	fd_close(root);
	if (pid < 0)
		fail_msg("%s", err.msg);
	if (read(pipe_fds[0], &err, sizeof(err)) == sizeof(err))
		fail_msg("%s", err.msg);
	fd_close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fd_close(pid_fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int opens_outside(int dir_fd, int proc_fd)
{
	static const char *const paths[] = {"/etc/passwd", "/proc/self/root", "../../etc/passwd",
					    "..",          "../..",           "/.."};
	struct stat root, st;

	if (fstat(dir_fd, &root) < 0)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int fd = openat(dir_fd, paths[i], O_PATH | O_CLOEXEC);

		/* What opens is the root itself. */
		if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino != root.st_ino))
			return 2 + (int)i;
	}
	/* From /proc/self/fd no way leads up into the host's /proc. */
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int fd = openat(proc_fd, paths[i], O_PATH | O_CLOEXEC);

		if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino == 1))
			return 20 + (int)i;
	}
	if (openat(proc_fd, "../root/etc", O_PATH | O_CLOEXEC) >= 0 ||
	    openat(proc_fd, "../../1/root", O_PATH | O_CLOEXEC) >= 0)
		return 30;
	return openat(dir_fd, "file", O_RDONLY | O_CLOEXEC) < 0 ? 31 : 0;
}

static int follows_symlink(int dir_fd, int proc_fd)
{
	(void)proc_fd;
	if (symlinkat("file", dir_fd, "link") < 0)
		return 1;
	return openat(dir_fd, "link", O_RDONLY | O_CLOEXEC) >= 0 || errno != ELOOP;
}

static int has_privileges(int dir_fd, int proc_fd)
{
	(void)proc_fd;
	if (mknodat(dir_fd, "null", S_IFCHR | 0666, makedev(1, 3)) == 0)
		return 1;
	if (chroot(".") == 0 || unshare(CLONE_NEWNS) == 0 || sethostname("x", 1) == 0)
		return 2;
	if (getppid() != 0 || getpid() != 1)
		return 3;
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && fd != dir_fd && fd != proc_fd)
			if (fcntl(fd, F_GETFL) & O_PATH)
				return 4;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static int writes_readonly(int dir_fd, int proc_fd)
{
	(void)proc_fd;
	if (openat(dir_fd, "file", O_RDWR | O_CLOEXEC) >= 0 || errno != EROFS)
		return 1;
	if (mkdirat(dir_fd, "dir", 0755) == 0 || errno != EROFS)
		return 2;
	return fchmodat(dir_fd, "file", 0777, 0) == 0 || errno != EROFS;
}

static int calls_socket(int dir_fd, int proc_fd)
{
	(void)dir_fd;
	(void)proc_fd;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int calls_execve(int dir_fd, int proc_fd)
{
	char *argv[] = {NULL};

	(void)dir_fd;
	(void)proc_fd;
	return execve("/file", argv, argv);
}

static int calls_ptrace(int dir_fd, int proc_fd)
{
	(void)dir_fd;
	(void)proc_fd;
	return (int)ptrace(PTRACE_TRACEME, 0, 0, 0);
}

static int calls_fork(int dir_fd, int proc_fd)
{
	(void)dir_fd;
	(void)proc_fd;
	return fork();
}

static int calls_mount(int dir_fd, int proc_fd)
{
	(void)dir_fd;
	(void)proc_fd;
	return mount("none", "/", "tmpfs", 0, NULL);
}

static int maps_code(int dir_fd, int proc_fd)
{
	(void)dir_fd;
	(void)proc_fd;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int makes_device(int dir_fd, int proc_fd)
{
	(void)proc_fd;
	return mknodat(dir_fd, "null", S_IFCHR | 0666, makedev(1, 3));
}

static int opens_file(int dir_fd, int proc_fd)
{
	(void)proc_fd;
	return openat(dir_fd, "file", O_RDONLY | O_CLOEXEC) < 0;
}

static void test_cell_root(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(in_cell(opens_outside, false, false), 0);
	assert_int_equal(in_cell(follows_symlink, false, false), 0);
	assert_int_equal(in_cell(has_privileges, false, false), 0);
	assert_int_equal(in_cell(writes_readonly, true, false), 0);
}

static void test_cell_calls(void **state)
{
	static attempt_fn *const attempts[] = {calls_socket, calls_execve, calls_ptrace, calls_fork,
					       calls_mount,  maps_code,    makes_device};

	(void)state;
	needs_root();
	assert_int_equal(in_cell(opens_file, false, true), 0);
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		assert_int_equal(in_cell(attempts[i], false, true), 128 + SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmp_test(test_cell_root),
		tmp_test(test_cell_calls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
