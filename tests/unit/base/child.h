/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a piece of a test in a forked child, for what would disturb the test program: other mounts,
 * closed standard descriptors, signals. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_BASE_CHILD_H
#define HULL_TESTS_UNIT_BASE_CHILD_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SKIP 77

/* In the child: ends it with a line for the reader when cond does not hold. */
#define CHILD_CHECK(cond)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #cond,        \
				      strerror(errno));                                            \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static inline void run_in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_SKIP) {
		print_message("# needs CAP_SYS_ADMIN for a mount namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* In the child: from now on the system call nr fails with errnum, as in a sandbox. 1: done. */
static inline int deny_syscall(unsigned int nr, unsigned int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/* In the child: a mount namespace whose mounts nobody else sees. 0 when that is not allowed. */
static inline int own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

#endif
