// SPDX-License-Identifier: GPL-2.0-or-later
/* Scheduler, I/O priority, memory policy, personality, CPU affinity: set, then asked of the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

#define FLAG_RESET_ON_FORK 1

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(ns_scheduler_policy_parse("SCHED_OTHER"), SCHED_OTHER);
	assert_int_equal(ns_scheduler_policy_parse("SCHED_FIFO"), SCHED_FIFO);
	assert_int_equal(ns_scheduler_policy_parse("SCHED_RR"), SCHED_RR);
	assert_int_equal(ns_scheduler_policy_parse("SCHED_BATCH"), SCHED_BATCH);
	assert_int_equal(ns_scheduler_policy_parse("SCHED_ISO"), 4);
	assert_int_equal(ns_scheduler_policy_parse("SCHED_IDLE"), SCHED_IDLE);
	assert_int_equal(ns_scheduler_policy_parse("SCHED_DEADLINE"), 6);
	assert_int_equal(ns_scheduler_policy_parse("SCHED_NORMAL"), -EINVAL);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_RESET_ON_FORK"), 0x01);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_RECLAIM"), 0x02);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_DL_OVERRUN"), 0x04);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_KEEP_POLICY"), 0x08);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_KEEP_PARAMS"), 0x10);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_UTIL_CLAMP_MIN"), 0x20);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_UTIL_CLAMP_MAX"), 0x40);
	assert_int_equal(ns_scheduler_flag_parse("SCHED_FLAG_ALL"), -EINVAL);
	assert_int_equal(ns_ioprio_class_parse("IOPRIO_CLASS_RT"), IOPRIO_CLASS_RT);
	assert_int_equal(ns_ioprio_class_parse("IOPRIO_CLASS_BE"), IOPRIO_CLASS_BE);
	assert_int_equal(ns_ioprio_class_parse("IOPRIO_CLASS_IDLE"), IOPRIO_CLASS_IDLE);
	assert_int_equal(ns_ioprio_class_parse("IOPRIO_CLASS_WOW"), -EINVAL);
}

static void test_mempolicy_names(void **state)
{
	size_t n = 0;

	(void)state;
	assert_int_equal(ns_mempolicy_mode_parse("MPOL_BIND"), MPOL_BIND);
	assert_int_equal(ns_mempolicy_mode_parse("MPOL_WEIGHTED_INTERLEAVE"), 6);
	assert_int_equal(ns_mempolicy_mode_parse("bind"), -EINVAL);
	assert_int_equal(ns_mempolicy_flag_parse("MPOL_F_STATIC_NODES"), MPOL_F_STATIC_NODES);
	assert_int_equal(ns_mempolicy_flag_parse("MPOL_F_NUMA_BALANCING"), MPOL_F_NUMA_BALANCING);
	assert_int_equal(ns_mempolicy_flag_parse("MPOL_F_NODE"), -EINVAL);
	while (ns_mempolicy_mode_name(n))
		assert_true(ns_mempolicy_mode_parse(ns_mempolicy_mode_name(n++)) >= 0);
	assert_int_equal(n, 7);
	for (n = 0; ns_mempolicy_flag_name(n); n++)
		assert_true(ns_mempolicy_flag_parse(ns_mempolicy_flag_name(n)) > 0);
	assert_int_equal(n, 3);
}

static int nothing_asked(void *arg)
{
	const struct ns_process p = {0};
	struct err e = ERR_INIT;
	unsigned int before = (unsigned int)personality(0xffffffff);

	(void)arg;
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	CHECK(sched_getscheduler(0) == SCHED_OTHER);
	CHECK((unsigned int)personality(0xffffffff) == before);
	return 0;
}

static int batch_with_nice(void *arg)
{
	const struct ns_scheduler s = {
		.policy = SCHED_BATCH, .nice = 7, .flags = FLAG_RESET_ON_FORK};
	const struct ns_process p = {.scheduler = &s};
	struct err e = ERR_INIT;

	(void)arg;
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	CHECK(sched_getscheduler(0) == (SCHED_BATCH | SCHED_RESET_ON_FORK));
	CHECK(getpriority(PRIO_PROCESS, 0) == 7);
	return 0;
}

static int realtime(void *arg)
{
	const struct ns_scheduler s = {.policy = SCHED_RR, .priority = 3};
	const struct ns_process p = {.scheduler = &s};
	struct err e = ERR_INIT;
	struct sched_param now;
	int rc = ns_process_scheduling(&p, &e);

	(void)arg;
	/* A cgroup without a real-time budget answers so, and so does a host without the rights. */
	if (rc == -EPERM)
		SKIP_CHILD("real-time scheduling is not permitted here");
	CHECK_RC(rc, 0, e);
	CHECK(sched_getscheduler(0) == SCHED_RR);
	CHECK(sched_getparam(0, &now) == 0 && now.sched_priority == 3);
	return 0;
}

static int refused_policy(void *arg)
{
	const struct ns_scheduler s = {.policy = 4};
	const struct ns_process p = {.scheduler = &s};
	struct err e = ERR_INIT;

	(void)arg;
	CHECK_RC(ns_process_scheduling(&p, &e), -EINVAL, e);
	CHECK(strstr(e.msg, "process.scheduler: set policy 4"));
	return 0;
}

static void test_scheduler(void **state)
{
	(void)state;
	child_run(nothing_asked, NULL);
	child_run(batch_with_nice, NULL);
	child_run(refused_policy, NULL);
}

static void test_realtime(void **state)
{
	(void)state;
	child_run(realtime, NULL);
}

static int io_priority(void *arg)
{
	struct ns_ioprio io = {.klass = IOPRIO_CLASS_BE, .priority = 6};
	const struct ns_process p = {.ioprio = &io};
	struct err e = ERR_INIT;
	long parent = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, getppid());

	(void)arg;
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) ==
	      (IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT | 6));
	/* Another process of the same group keeps its own. */
	CHECK(getpgid(getppid()) == getpgrp());
	CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, getppid()) == parent);
	/* The kernel refuses a level in these classes; the config's is ignored. */
	io = (struct ns_ioprio){.klass = IOPRIO_CLASS_IDLE, .priority = 5};
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == IOPRIO_CLASS_IDLE
									<< IOPRIO_CLASS_SHIFT);
	io = (struct ns_ioprio){.klass = IOPRIO_CLASS_NONE, .priority = 5};
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	io = (struct ns_ioprio){.klass = 5};
	CHECK_RC(ns_process_scheduling(&p, &e), -EINVAL, e);
	CHECK(strstr(e.msg, "process.ioPriority"));
	return 0;
}

static void test_io_priority(void **state)
{
	(void)state;
	child_run(io_priority, NULL);
}

static int domain(void *arg)
{
	const struct ns_process p = {.has_personality = true, .personality = PER_LINUX32};
	struct err e = ERR_INIT;

	(void)arg;
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	CHECK(personality(0xffffffff) == PER_LINUX32);
	return 0;
}

static void test_personality(void **state)
{
	(void)state;
	child_run(domain, NULL);
}

static int memory_policy(void *arg)
{
	struct ns_mempolicy m = {.mode = MPOL_BIND, .nodes = "0"};
	const struct ns_process p = {.mempolicy = &m};
	struct err e = ERR_INIT;
	unsigned long mask[16] = {0};
	int mode = -1;
	int rc = ns_process_scheduling(&p, &e);

	(void)arg;
	if (rc == -ENOSYS)
		SKIP_CHILD("the kernel has no NUMA policies");
	CHECK_RC(rc, 0, e);
	CHECK(syscall(SYS_get_mempolicy, &mode, mask, 1024, NULL, 0) == 0);
	CHECK(mode == MPOL_BIND && mask[0] == 1);
	m = (struct ns_mempolicy){.mode = MPOL_PREFERRED | MPOL_F_STATIC_NODES, .nodes = "0"};
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	m = (struct ns_mempolicy){.mode = MPOL_DEFAULT, .nodes = NULL};
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0 && mode == MPOL_DEFAULT);
	m = (struct ns_mempolicy){.mode = MPOL_LOCAL, .nodes = ""};
	CHECK_RC(ns_process_scheduling(&p, &e), 0, e);
	m = (struct ns_mempolicy){.mode = MPOL_BIND, .nodes = "1000-1023"};
	CHECK_RC(ns_process_scheduling(&p, &e), -EINVAL, e);
	CHECK(strstr(e.msg, "linux.memoryPolicy: set mode 0x2, nodes '1000-1023'"));
	return 0;
}

static int bad_node_lists(void *arg)
{
	struct ns_mempolicy m = {.mode = MPOL_BIND, .nodes = "0-"};
	const struct ns_process p = {.mempolicy = &m};
	struct err e = ERR_INIT;

	(void)arg;
	CHECK_RC(ns_process_scheduling(&p, &e), -EINVAL, e);
	CHECK(strstr(e.msg, "linux.memoryPolicy.nodes '0-'"));
	m.nodes = "1024";
	CHECK_RC(ns_process_scheduling(&p, &e), -ERANGE, e);
	return 0;
}

static void test_memory_policy(void **state)
{
	(void)state;
	child_run(bad_node_lists, NULL);
	child_run(memory_policy, NULL);
}

static int affinity(void *arg)
{
	struct err e = ERR_INIT;
	cpu_set_t all, now;
	char list[16];
	int last = -1;

	(void)arg;
	CHECK_RC(ns_affinity_reset(0, &e), 0, e);
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			last = cpu;
	snprintf(list, sizeof(list), "%d", last);
	CHECK_RC(ns_affinity_set(0, list, &e), 0, e);
	CHECK(sched_getaffinity(0, sizeof(now), &now) == 0);
	CHECK(CPU_COUNT(&now) == 1 && CPU_ISSET(last, &now));
	CHECK_RC(ns_affinity_reset(0, &e), 0, e);
	CHECK(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &all));

	CHECK_RC(ns_affinity_set(0, "0-", &e), -EINVAL, e);
	CHECK(strstr(e.msg, "process.execCPUAffinity '0-'"));
	CHECK_RC(ns_affinity_set(0, "8192", &e), -ERANGE, e);
	CHECK_RC(ns_affinity_set(0, "8000", &e), -EINVAL, e); /* no such CPU */
	CHECK_RC(ns_affinity_set(999999999, "0", &e), -ESRCH, e);
	return 0;
}

static void test_affinity(void **state)
{
	(void)state;
	child_run(affinity, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),         cmocka_unit_test(test_mempolicy_names),
		cmocka_unit_test(test_scheduler),     cmocka_unit_test(test_realtime),
		cmocka_unit_test(test_io_priority),   cmocka_unit_test(test_personality),
		cmocka_unit_test(test_memory_policy), cmocka_unit_test(test_affinity),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
