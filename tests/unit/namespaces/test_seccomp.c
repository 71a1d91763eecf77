// SPDX-License-Identifier: GPL-2.0-or-later
/* The system call filter: names, programs run by an interpreter, programs run by the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/audit.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/bpf_run.h"
#include "tests/unit/namespaces/child.h"

#define ENOSYS_ANSWER (SECCOMP_RET_ERRNO | ENOSYS)
#define DENY          SCMP_ACT_ERRNO(EPERM)
#define X32_BIT       0x40000000u

static const char *const getpriority_name[] = {"getpriority", NULL};

/* ---- names ---- */

static void test_actions(void **state)
{
	uint32_t action;
	size_t n = 0;

	(void)state;
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_ERRNO", false, 0, &action), 0);
	assert_int_equal(action, SCMP_ACT_ERRNO(EPERM));
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_ERRNO", true, 0, &action), 0);
	assert_int_equal(action, SCMP_ACT_ERRNO(0));
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_ERRNO", true, 4095, &action), 0);
	assert_int_equal(action, SCMP_ACT_ERRNO(4095));
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_ERRNO", true, 4096, &action), -ERANGE);
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_TRACE", true, 65535, &action), 0);
	assert_int_equal(action, SCMP_ACT_TRACE(65535));
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_TRACE", true, 65536, &action), -ERANGE);
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_KILL", false, 0, &action), 0);
	assert_int_equal(action, SCMP_ACT_KILL_THREAD);
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_KILL_PROCESS", false, 0, &action), 0);
	assert_int_equal(action, SCMP_ACT_KILL_PROCESS);
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_ALLOW", true, 1, &action), -EINVAL);
	assert_int_equal(ns_seccomp_action_parse("SCMP_ACT_NOTIFY", true, 1, &action), -EINVAL);
	assert_int_equal(ns_seccomp_action_parse("ALLOW", false, 0, &action), -EINVAL);
	while (ns_seccomp_action_name(n))
		assert_int_equal(
			ns_seccomp_action_parse(ns_seccomp_action_name(n++), false, 0, &action), 0);
	assert_int_equal(n, 9);
}

static void test_other_names(void **state)
{
	uint32_t value;
	size_t n = 0;
	int op;

	(void)state;
	assert_int_equal(ns_seccomp_arch_parse("SCMP_ARCH_X86_64", &value), 0);
	assert_int_equal(value, SCMP_ARCH_X86_64);
	assert_int_equal(ns_seccomp_arch_parse("SCMP_ARCH_VAX", &value), -EINVAL);
	/* libseccomp must be able to add each of them, alone or beside the native one. */
	for (; ns_seccomp_arch_name(n); n++) {
		assert_int_equal(ns_seccomp_arch_parse(ns_seccomp_arch_name(n), &value), 0);
		assert_true(seccomp_syscall_resolve_name_arch(value, "read") >= 0);
	}
	assert_true(n >= 19);
	assert_int_equal(ns_seccomp_op_parse("SCMP_CMP_MASKED_EQ", &op), 0);
	assert_int_equal(op, SCMP_CMP_MASKED_EQ);
	assert_int_equal(ns_seccomp_op_parse("SCMP_CMP_XX", &op), -EINVAL);
	for (n = 0; ns_seccomp_op_name(n); n++)
		assert_int_equal(ns_seccomp_op_parse(ns_seccomp_op_name(n), &op), 0);
	assert_int_equal(n, 7);
	for (n = 0; ns_seccomp_flag_name(n); n++) {
		assert_int_equal(ns_seccomp_flag_parse(ns_seccomp_flag_name(n), &value), 0);
		assert_int_equal(__builtin_popcount(value), 1);
	}
	assert_int_equal(n, 4);
	assert_int_equal(ns_seccomp_flag_parse("SECCOMP_FILTER_FLAG_NEW_LISTENER", &value),
			 -EINVAL);
	assert_true(ns_seccomp_flag_supported(SECCOMP_FILTER_FLAG_LOG));
	assert_false(ns_seccomp_flag_supported(1u << 30));
}

/* ---- programs, interpreted ---- */

static struct ns_seccomp_filter build(const struct ns_seccomp *s)
{
	struct ns_seccomp_filter f = {0};
	struct err e = ERR_INIT;
	int rc = ns_seccomp_build(s, -1, &f, &e);

	if (rc < 0)
		fail_msg("%s", e.msg);
	return f;
}

static uint32_t answer_args(const struct ns_seccomp_filter *f, int nr, uint64_t a0, uint64_t a1)
{
	const struct seccomp_data data = {
		.nr = nr, .arch = seccomp_arch_native(), .args = {a0, a1}};

	return bpf_run(f, &data);
}

static uint32_t answer_nr(const struct ns_seccomp_filter *f, int nr)
{
	return answer_args(f, nr, 0, 0);
}

static void test_rules(void **state)
{
	const char *const allowed[] = {"read", "no_such_call", "write", NULL};
	const char *const denied[] = {"mount", NULL}, *const same[] = {"umount2", NULL};
	const struct ns_seccomp_rule rules[] = {
		{.names = allowed, .action = SCMP_ACT_ALLOW},
		{.names = denied, .action = SCMP_ACT_ERRNO(EXDEV)},
		{.names = same, .action = DENY}, /* the default: libseccomp would refuse it */
	};
	const struct ns_seccomp s = {
		.default_action = DENY, .rules = rules, .n_rules = ARRAY_SIZE(rules)};
	struct ns_seccomp_filter f = build(&s);

	(void)state;
	assert_int_equal(answer_nr(&f, SYS_read), SECCOMP_RET_ALLOW);
	assert_int_equal(answer_nr(&f, SYS_write), SECCOMP_RET_ALLOW);
	assert_int_equal(answer_nr(&f, SYS_mount), SECCOMP_RET_ERRNO | EXDEV);
	assert_int_equal(answer_nr(&f, SYS_umount2), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(answer_nr(&f, SYS_close), SECCOMP_RET_ERRNO | EPERM);
	/* An architecture that is not listed is the library's default: kill. */
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_S390X, 3), SECCOMP_RET_KILL_THREAD);
	ns_seccomp_release(&f);
	assert_null(f.insns);
	ns_seccomp_release(NULL);
}

static void test_every_action(void **state)
{
	static const uint32_t actions[] = {
		SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP,   SCMP_ACT_ERRNO(5),
		SCMP_ACT_TRACE(9),     SCMP_ACT_LOG,         SCMP_ACT_NOTIFY,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		const struct ns_seccomp_rule rule = {getpriority_name, actions[i], NULL, 0};
		const struct ns_seccomp s = {
			.default_action = SCMP_ACT_ALLOW, .rules = &rule, .n_rules = 1};
		struct ns_seccomp_filter f = build(&s);

		assert_int_equal(answer_nr(&f, SYS_getpriority), actions[i]);
		assert_int_equal(answer_nr(&f, SYS_read), SECCOMP_RET_ALLOW);
		ns_seccomp_release(&f);
	}
}

struct op_case {
	int op;
	uint64_t value, value_two;
	uint64_t yes, no;
};

static void test_operators(void **state)
{
	const uint64_t big = UINT64_C(0xfedcba9876543210);
	const struct op_case cases[] = {
		{SCMP_CMP_EQ, big, 0, big, big - 1},
		{SCMP_CMP_EQ, 1, 0, 1, UINT64_C(0x100000001)},
		{SCMP_CMP_NE, big, 0, big & 0xffffffff, big},
		{SCMP_CMP_LT, big, 0, big - 1, big},
		{SCMP_CMP_LE, big, 0, big, big + 1},
		{SCMP_CMP_GE, big, 0, big, big - 1},
		{SCMP_CMP_GT, big, 0, UINT64_MAX, big},
		/* value is the mask, valueTwo what the masked argument must be. */
		{SCMP_CMP_MASKED_EQ, 0x7e020000, 0, 0x11, 0x10000000},
		{SCMP_CMP_MASKED_EQ, UINT64_C(0xff00000000), UINT64_C(0x1200000000),
		 UINT64_C(0x3412000000aa), UINT64_C(0x1300000000)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct op_case *c = &cases[i];
		const struct ns_seccomp_arg arg = {1, c->value, c->value_two, c->op};
		const struct ns_seccomp_rule rule = {getpriority_name, SCMP_ACT_ALLOW, &arg, 1};
		const struct ns_seccomp s = {.default_action = DENY, .rules = &rule, .n_rules = 1};
		struct ns_seccomp_filter f = build(&s);

		assert_int_equal(answer_args(&f, SYS_getpriority, 9, c->yes), SECCOMP_RET_ALLOW);
		assert_int_equal(answer_args(&f, SYS_getpriority, 9, c->no),
				 SECCOMP_RET_ERRNO | EPERM);
		ns_seccomp_release(&f);
	}
}

/* Different arguments: all must hold. One argument twice: either may. */
static void test_several_conditions(void **state)
{
	const struct ns_seccomp_arg both[] = {{0, 1, 0, SCMP_CMP_EQ}, {1, 2, 0, SCMP_CMP_EQ}};
	const struct ns_seccomp_arg either[] = {
		{0, 1, 0, SCMP_CMP_EQ}, {0, 5, 0, SCMP_CMP_EQ}, {1, 7, 0, SCMP_CMP_EQ}};
	struct ns_seccomp_rule rule = {getpriority_name, SCMP_ACT_ALLOW, both, 2};
	const struct ns_seccomp s = {.default_action = DENY, .rules = &rule, .n_rules = 1};
	struct ns_seccomp_filter f = build(&s);

	(void)state;
	assert_int_equal(answer_args(&f, SYS_getpriority, 1, 2), SECCOMP_RET_ALLOW);
	assert_int_equal(answer_args(&f, SYS_getpriority, 1, 3), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(answer_args(&f, SYS_getpriority, 2, 2), SECCOMP_RET_ERRNO | EPERM);
	ns_seccomp_release(&f);

	rule.args = either;
	rule.n_args = 3;
	f = build(&s);
	assert_int_equal(answer_args(&f, SYS_getpriority, 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer_args(&f, SYS_getpriority, 5, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer_args(&f, SYS_getpriority, 0, 7), SECCOMP_RET_ALLOW);
	assert_int_equal(answer_args(&f, SYS_getpriority, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	ns_seccomp_release(&f);
}

static void test_refused_profiles(void **state)
{
	const struct ns_seccomp_arg arg = {6, 1, 0, SCMP_CMP_EQ};
	const struct ns_seccomp_rule rule = {getpriority_name, SCMP_ACT_ALLOW, &arg, 1};
	const uint32_t arch = 0x12345;
	struct ns_seccomp s = {.default_action = SCMP_ACT_NOTIFY};
	struct ns_seccomp_filter f;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(ns_seccomp_build(&s, -1, &f, &e), -EINVAL);
	assert_string_equal(e.msg, "linux.seccomp.defaultAction cannot be SCMP_ACT_NOTIFY");
	s = (struct ns_seccomp){.default_action = DENY, .rules = &rule, .n_rules = 1};
	assert_int_equal(ns_seccomp_build(&s, -1, &f, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "has no argument 6"));
	s = (struct ns_seccomp){.default_action = DENY, .archs = &arch, .n_archs = 1};
	assert_int_equal(ns_seccomp_build(&s, -1, &f, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "add architecture 0x12345"));
	s = (struct ns_seccomp){.default_action = 0x1234567};
	assert_int_equal(ns_seccomp_build(&s, -1, &f, &e), -EINVAL);
}

/* More than the kernel's 4096 instructions: a line that says so, not EINVAL at installation. */
static void test_too_large(void **state)
{
	enum { N = 3000 };
	struct ns_seccomp_arg *args = mem_xcalloc(N, sizeof(*args));
	const struct ns_seccomp_rule rule = {getpriority_name, SCMP_ACT_ALLOW, args, N};
	const struct ns_seccomp s = {.default_action = DENY, .rules = &rule, .n_rules = 1};
	struct ns_seccomp_filter f;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < N; i++)
		args[i] = (struct ns_seccomp_arg){0, i * UINT64_C(0x100000001), 0, SCMP_CMP_EQ};
	assert_int_equal(ns_seccomp_build(&s, -1, &f, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "instructions, the kernel takes 4096"));
	free(args);
}

/* A sorted program (many calls) and a linear one say the same. */
static void test_many_calls(void **state)
{
	enum { N = 300 };
	const char *names[N + 1] = {0};
	struct ns_seccomp_rule rule = {names, SCMP_ACT_ALLOW, NULL, 0};
	const uint32_t archs[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
	const struct ns_seccomp s = {
		.default_action = DENY,
		.rules = &rule,
		.n_rules = 1,
		.archs = archs,
		.n_archs = seccomp_arch_native() == SCMP_ARCH_X86_64 ? 2 : 0,
	};
	struct ns_seccomp_filter f;

	(void)state;
	for (int i = 0, nr = 0; i < N; nr += 3) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr % 400);

		names[i++] = name ?: strdup("read");
	}
	f = build(&s);
	assert_true(f.n_insns > N && f.n_insns < BPF_MAXINSNS);
	for (int nr = 0; nr < 334; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
		bool named = false;

		for (int i = 0; name && i < N; i++)
			named |= strcmp(names[i], name) == 0;
		assert_int_equal(answer_nr(&f, nr),
				 named ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM);
		free(name);
	}
	for (int i = 0; i < N; i++)
		free((void *)names[i]);
	ns_seccomp_release(&f);
}

/* ---- calls newer than the profile ---- */

static struct ns_seccomp_filter build_for(uint32_t default_action, const char *const *names,
					  const uint32_t *archs, size_t n_archs)
{
	const struct ns_seccomp_rule rule = {
		names, default_action == SCMP_ACT_ALLOW ? DENY : SCMP_ACT_ALLOW, NULL, 0};
	const struct ns_seccomp s = {
		.default_action = default_action,
		.archs = archs,
		.n_archs = n_archs,
		.rules = &rule,
		.n_rules = 1,
	};

	return build(&s);
}

static void need_x86_64(void)
{
	if (seccomp_arch_native() != SCMP_ARCH_X86_64) {
		fprintf(stderr, "# skipped: the numbers below are those of x86_64\n");
		skip();
	}
}

static void test_newer_calls(void **state)
{
	/* openat2 is 437 on every architecture; clone3 435, faccessat2 439. */
	const char *const names[] = {"read", "openat2", "not_yet_invented", NULL};
	struct ns_seccomp_filter f = build_for(DENY, names, NULL, 0);
	const uint32_t arch = seccomp_arch_native();

	(void)state;
	need_x86_64();
	assert_int_equal(bpf_answer(&f, arch, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, arch, 437), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, arch, 435), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(bpf_answer(&f, arch, 436), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(bpf_answer(&f, arch, 438), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, arch, 439), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, arch, 0x3fffffff), ENOSYS_ANSWER);
	/* x32 is not in the profile: a foreign architecture. */
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 600), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_I386, 439), SECCOMP_RET_KILL_THREAD);
	ns_seccomp_release(&f);
}

static void test_newer_calls_of_x32(void **state)
{
	const uint32_t archs[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};
	/* execve is 59, 11 and x32's own 520; clone3 is 435 everywhere. */
	const char *const names[] = {"execve", "clone3", NULL};
	struct ns_seccomp_filter f = build_for(DENY, names, archs, 3);
	const uint32_t arch = AUDIT_ARCH_X86_64;

	(void)state;
	need_x86_64();
	assert_int_equal(bpf_answer(&f, arch, 59), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, arch, 436), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 520), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 435), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 434), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 436), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 511), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 547), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(bpf_answer(&f, arch, X32_BIT + 548), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_I386, 11), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_I386, 12), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_I386, 436), ENOSYS_ANSWER);
	ns_seccomp_release(&f);
}

static void test_newer_calls_of_arm(void **state)
{
	const uint32_t archs[] = {SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, SCMP_ARCH_S390X};
	/* cacheflush is one of ARM's private calls, 0xf0002, and no bound for the others. */
	const char *const names[] = {"read", "cacheflush", "clone3", NULL};
	struct ns_seccomp_filter f = build_for(DENY, names, archs, 2);

	(void)state;
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_AARCH64, 63), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_AARCH64, 64), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_AARCH64, 436), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_ARM, 435), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_ARM, 436), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_ARM, 0x0effff), ENOSYS_ANSWER);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_ARM, 0x0f0002), SECCOMP_RET_ALLOW);
	assert_int_equal(bpf_answer(&f, AUDIT_ARCH_ARM, 0x0f0005), SECCOMP_RET_ERRNO | EPERM);
	ns_seccomp_release(&f);
}

/* Who lets unknown calls through, hands them to a tracer, or says ENOSYS already, needs nothing. */
static void test_newer_calls_untouched(void **state)
{
	static const uint32_t defaults[] = {SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_TRACE(3)};
	const char *const names[] = {"openat2", NULL};
	const uint32_t arch = seccomp_arch_native();
	struct ns_seccomp_filter f, all;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		f = build_for(defaults[i], names, NULL, 0);
		assert_int_equal(bpf_answer(&f, arch, 439), defaults[i]);
		ns_seccomp_release(&f);
	}
	f = build_for(SCMP_ACT_ERRNO(ENOSYS), names, NULL, 0);
	all = build_for(SCMP_ACT_ERRNO(EPERM), names, NULL, 0);
	assert_true(f.n_insns < all.n_insns);
	ns_seccomp_release(&f);
	ns_seccomp_release(&all);
	f = build_for(SCMP_ACT_KILL_PROCESS, names, NULL, 0);
	assert_int_equal(bpf_answer(&f, arch, 439), ENOSYS_ANSWER);
	ns_seccomp_release(&f);
	/* A profile that names nothing says nothing about its age. */
	f = build_for(SCMP_ACT_KILL_PROCESS, (const char *const[]){"no_such_call", NULL}, NULL, 0);
	assert_int_equal(bpf_answer(&f, arch, 439), SECCOMP_RET_KILL_PROCESS);
	ns_seccomp_release(&f);
}

/* ---- flags ---- */

static uint32_t flags_of(uint32_t flags, bool given, uint32_t action)
{
	const struct ns_seccomp_rule rule = {getpriority_name, action, NULL, 0};
	const struct ns_seccomp s = {
		.default_action = SCMP_ACT_ALLOW,
		.rules = &rule,
		.n_rules = 1,
		.flags = flags,
		.flags_given = given,
	};
	struct ns_seccomp_filter f = build(&s);
	uint32_t got = f.flags;

	assert_int_equal(f.default_flags, !given);
	ns_seccomp_release(&f);
	return got;
}

static void test_flags(void **state)
{
	const uint32_t spec = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	const uint32_t listener = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	const uint32_t wait = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	const uint32_t tsync = SECCOMP_FILTER_FLAG_TSYNC;

	(void)state;
	assert_int_equal(flags_of(0, false, DENY), spec);
	assert_int_equal(flags_of(0, true, DENY), 0);
	assert_int_equal(flags_of(SECCOMP_FILTER_FLAG_LOG, true, DENY), SECCOMP_FILTER_FLAG_LOG);
	assert_int_equal(flags_of(0, false, SCMP_ACT_NOTIFY), spec | listener);
	assert_int_equal(flags_of(wait, true, SCMP_ACT_NOTIFY), wait | listener);
	assert_int_equal(flags_of(wait, true, DENY), 0);
	assert_int_equal(flags_of(tsync, true, DENY), tsync);
	assert_int_equal(flags_of(tsync, true, SCMP_ACT_NOTIFY),
			 tsync | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | listener);
}

/* ---- programs, run by the kernel ---- */

static int install(const struct ns_seccomp *s, int *listener)
{
	struct ns_seccomp_filter f = {0};
	struct err e = ERR_INIT;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK_RC(ns_seccomp_build(s, -1, &f, &e), 0, e);
	CHECK_RC(ns_seccomp_install(&f, listener, &e), 0, e);
	ns_seccomp_release(&f);
	return 0;
}

static int kernel_answers(void *arg)
{
	const char *const names[] = {"getpriority", NULL};
	const struct ns_seccomp_arg which = {0, 1, 0, SCMP_CMP_EQ};
	const struct ns_seccomp_rule rule = {names, SCMP_ACT_ERRNO(EHOSTDOWN), &which, 1};
	const struct ns_seccomp s = {
		.default_action = SCMP_ACT_ALLOW, .rules = &rule, .n_rules = 1};
	int listener = 99;

	(void)arg;
	CHECK(install(&s, &listener) == 0);
	CHECK(listener == -1);
	CHECK(syscall(SYS_getpriority, 1, 0) == -1 && errno == EHOSTDOWN);
	CHECK(syscall(SYS_getpriority, 0, 0) > 0);
	return 0;
}

static int kernel_kills(void *arg)
{
	const struct ns_seccomp_rule rule = {getpriority_name, SCMP_ACT_KILL_PROCESS, NULL, 0};
	const struct ns_seccomp s = {
		.default_action = SCMP_ACT_ALLOW, .rules = &rule, .n_rules = 1};
	int listener;

	(void)arg;
	CHECK(install(&s, &listener) == 0);
	syscall(SYS_getpriority, 0, 0);
	return 0;
}

/* A deny-all profile of a few calls, and what a C library of the future would get. */
static int kernel_enosys(void *arg)
{
	const char *const names[] = {"read",  "write",      "exit_group", "munmap", "mmap",
				     "fstat", "newfstatat", "brk",        "openat", "clone3",
				     "futex", "close",      "exit",       NULL};
	const struct ns_seccomp_rule rule = {names, SCMP_ACT_ALLOW, NULL, 0};
	const struct ns_seccomp s = {.default_action = DENY, .rules = &rule, .n_rules = 1};
	int listener;

	(void)arg;
	CHECK(install(&s, &listener) == 0);
	CHECK(syscall(SYS_getpriority, 0, 0) == -1 && errno == EPERM);
	CHECK(syscall(SYS_faccessat2, AT_FDCWD, "/", 0, 0) == -1 && errno == ENOSYS);
	CHECK(syscall(460) == -1 && errno == ENOSYS);
	return (int)syscall(SYS_exit_group,
			    0); /* a sanitizer's _exit needs more than the profile */
}

static void test_kernel(void **state)
{
	int status;

	(void)state;
	child_run(kernel_answers, NULL);
	child_run(kernel_enosys, NULL);
	status = child_status(kernel_kills, NULL);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static int answer_one(int listener, uint64_t value)
{
	struct seccomp_notif request = {0};
	struct seccomp_notif_resp response = {0};

	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0);
	CHECK(request.data.nr == SYS_getpriority && request.data.args[1] == 4711);
	response.id = request.id;
	response.val = (int64_t)value;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0);
	return 0;
}

/* A second process with the listener answers the first one's call. */
static int kernel_notifies(void *arg)
{
	const struct ns_seccomp_rule rule = {getpriority_name, SCMP_ACT_NOTIFY, NULL, 0};
	const struct ns_seccomp s = {
		.default_action = SCMP_ACT_ALLOW, .rules = &rule, .n_rules = 1};
	int listener = -1, status;
	pid_t pid;

	(void)arg;
	CHECK(install(&s, &listener) == 0);
	CHECK(listener >= 3 && fcntl(listener, F_GETFD) == FD_CLOEXEC);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(answer_one(listener, 20 - 13));
	CHECK(syscall(SYS_getpriority, 0, 4711) == 20 - 13);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

static void test_notify(void **state)
{
	(void)state;
	child_run(kernel_notifies, NULL);
}

/* A kernel that refuses a flag: one that nobody asked for is dropped, another is an error. */
static int unknown_flag(void *arg)
{
	const struct ns_seccomp_rule rule = {getpriority_name, DENY, NULL, 0};
	const struct ns_seccomp s = {
		.default_action = SCMP_ACT_ALLOW, .rules = &rule, .n_rules = 1};
	struct ns_seccomp_filter f = {0};
	struct err e = ERR_INIT;
	int listener;

	(void)arg;
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK_RC(ns_seccomp_build(&s, -1, &f, &e), 0, e);
	f.flags |= 1u << 30;
	f.default_flags = false;
	CHECK_RC(ns_seccomp_install(&f, &listener, &e), -EINVAL, e);
	CHECK(strstr(e.msg, "linux.seccomp: install the filter: Invalid argument"));
	f.default_flags = true;
	CHECK_RC(ns_seccomp_install(&f, &listener, &e), 0, e);
	CHECK(syscall(SYS_getpriority, 0, 0) == -1 && errno == EPERM);
	ns_seccomp_release(&f);
	return 0;
}

static void test_unknown_flag(void **state)
{
	(void)state;
	child_run(unknown_flag, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_every_action),
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_several_conditions),
		cmocka_unit_test(test_refused_profiles),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_many_calls),
		cmocka_unit_test(test_newer_calls),
		cmocka_unit_test(test_newer_calls_of_x32),
		cmocka_unit_test(test_newer_calls_of_arm),
		cmocka_unit_test(test_newer_calls_untouched),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_unknown_flag),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
