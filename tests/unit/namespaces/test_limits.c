// SPDX-License-Identifier: GPL-2.0-or-later
/* Resource limits and the out-of-memory score. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(ns_rlimit_parse("RLIMIT_NOFILE"), RLIMIT_NOFILE);
	assert_int_equal(ns_rlimit_parse("RLIMIT_RTTIME"), RLIMIT_RTTIME);
	assert_int_equal(ns_rlimit_parse("NOFILE"), -EINVAL);
	assert_int_equal(ns_rlimit_parse("RLIMIT_nofile"), -EINVAL);
	for (int r = 0; r < (int)RLIM_NLIMITS; r++)
		assert_int_equal(ns_rlimit_parse(ns_rlimit_name(r)), r);
	assert_null(ns_rlimit_name(RLIM_NLIMITS));
	assert_null(ns_rlimit_name(-1));
}

static int drop_resource_cap(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	CHECK(capget(&header, data) == 0);
	data[0].effective &= ~(1u << CAP_SYS_RESOURCE);
	data[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
	CHECK(capset(&header, data) == 0);
	return 0;
}

/* The parent's way: the limits of another process, by its pid. */
static int set_of_a_child(void *arg)
{
	struct rlimit core, now;
	struct ns_process p = {0};
	struct err e = ERR_INIT;
	pid_t pid;

	(void)arg;
	CHECK(getrlimit(RLIMIT_CORE, &core) == 0);
	const struct ns_rlimit limits[] = {
		{RLIMIT_NOFILE, 16, 17},
		{RLIMIT_CORE, 0, core.rlim_max}, /* the present hard limit is no raise */
		{RLIMIT_CPU, 3600, 7200},
	};

	p.rlimits = limits;
	p.n_rlimits = ARRAY_SIZE(limits);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	int rc = ns_process_limits_parent(pid, &p, &e);
	int got = prlimit(pid, RLIMIT_NOFILE, NULL, &now);

	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	CHECK_RC(rc, 0, e);
	CHECK(got == 0 && now.rlim_cur == 16 && now.rlim_max == 17);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max != 17);
	return 0;
}

static int raise_refused(void *arg)
{
	const struct rlimit low = {10, 20};
	const struct ns_rlimit up = {RLIMIT_NOFILE, 10, 1048576}, wrong = {RLIMIT_CPU, 2, 1};
	struct ns_process p = {.rlimits = &up, .n_rlimits = 1};
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(drop_resource_cap() == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
	CHECK_RC(ns_process_limits_parent(0, &p, &e), -EPERM, e);
	CHECK(strstr(e.msg, "process.rlimits: RLIMIT_NOFILE: hard limit 1048576 is above the "
			    "present 20: Operation not permitted"));
	p.rlimits = &wrong;
	CHECK_RC(ns_process_limits_parent(0, &p, &e), -EINVAL, e);
	CHECK(strstr(e.msg, "process.rlimits: RLIMIT_CPU: set soft 2, hard 1: Invalid argument"));
	return 0;
}

static void test_rlimits(void **state)
{
	(void)state;
	child_run(set_of_a_child, NULL);
	child_run(raise_refused, NULL);
}

static int read_score(pid_t pid)
{
	char path[64], text[16] = "";
	int fd, sign = 1, value = 0;
	const char *p = text;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 1)
		abort();
	close(fd);
	if (*p == '-') {
		sign = -1;
		p++;
	}
	while (*p >= '0' && *p <= '9')
		value = value * 10 + (*p++ - '0');
	return sign * value;
}

static int own_score(void *arg)
{
	struct ns_process p = {.oom_score_adj = 777};
	struct err e = ERR_INIT;
	int proc_fd = proc_open_root(&e), before = read_score(getpid());

	(void)arg;
	CHECK_RC(ns_process_oom_score(proc_fd, 0, &p, &e), 0, e);
	CHECK(read_score(getpid()) == before); /* unset: untouched */
	p.has_oom_score_adj = true;
	CHECK_RC(ns_process_oom_score(proc_fd, 0, &p, &e), 0, e);
	CHECK(read_score(getpid()) == 777);
	return 0;
}

/* A child in a user namespace that is not dumpable: only the parent can write its score. */
static int score_of_a_child(void *arg)
{
	struct ns_process p = {.has_oom_score_adj = true, .oom_score_adj = 888};
	struct err e = ERR_INIT;
	int proc_fd = proc_open_root(&e), ready[2], rc, score;
	char word = 0;
	pid_t pid;

	(void)arg;
	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		bool ok = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && unshare(CLONE_NEWUSER) == 0;

		if (write(ready[1], ok ? "y" : "n", 1) == 1)
			pause();
		_exit(0);
	}
	CHECK(read(ready[0], &word, 1) == 1);
	rc = ns_process_oom_score(proc_fd, pid, &p, &e);
	score = read_score(pid);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	if (word == 'n')
		SKIP_CHILD("user namespaces are not available");
	CHECK_RC(rc, 0, e);
	CHECK(score == 888);
	return 0;
}

/* Lowering takes CAP_SYS_RESOURCE: the host's root is told, a rootless caller lives without. */
static int lowering_refused(void *arg)
{
	struct ns_process p = {.has_oom_score_adj = true, .oom_score_adj = -1000};
	struct err e = ERR_INIT;
	int proc_fd = proc_open_root(&e);

	(void)arg;
	CHECK(drop_resource_cap() == 0);
	CHECK_RC(ns_process_oom_score(proc_fd, 0, &p, &e), -EACCES, e);
	CHECK(strstr(e.msg, "process.oomScoreAdj -1000: "));
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK_RC(ns_process_oom_score(proc_fd, 0, &p, &e), 0, e);
	return 0;
}

static int lowering_in_userns(void *arg)
{
	struct ns_process p = {.has_oom_score_adj = true, .oom_score_adj = -1000};
	struct err e = ERR_INIT;
	int proc_fd = proc_open_root(&e);

	(void)arg;
	if (unshare(CLONE_NEWUSER) < 0)
		SKIP_CHILD("user namespaces are not available");
	write_text("/proc/self/uid_map", "0 0 1");
	CHECK(geteuid() == 0);
	CHECK_RC(ns_process_oom_score(proc_fd, 0, &p, &e), 0, e);
	return 0;
}

static void test_oom_score(void **state)
{
	(void)state;
	child_run(own_score, NULL);
	need_root();
	child_run(score_of_a_child, NULL);
	child_run(lowering_refused, NULL);
	child_run(lowering_in_userns, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rlimits),
		cmocka_unit_test(test_oom_score),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
