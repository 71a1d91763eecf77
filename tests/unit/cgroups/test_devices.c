/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device rules: the same lists are asked as written (the last rule that matches decides), as the
 * default and exceptions of cgroup v1, and as the program of cgroup v2, which is run here as the
 * kernel would. What a real kernel makes of them is in test_create.c.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cgroups/internal.h"

#define R 1u
#define W 2u
#define M 4u

static struct cgroup_device_rule rule(bool allow, char type, int64_t major, int64_t minor,
				      unsigned int access)
{
	return (struct cgroup_device_rule){
		.allow = allow,
		.type = type,
		.major = major,
		.minor = minor,
		.read = access & R,
		.write = access & W,
		.mknod = access & M,
	};
}

static unsigned int access_of(const struct cgroup_device_rule *r)
{
	return (r->read ? R : 0) | (r->write ? W : 0) | (r->mknod ? M : 0);
}

static bool matches(const struct cgroup_device_rule *r, char type, int64_t major, int64_t minor)
{
	return (r->type == 'a' || r->type == type) && (r->major < 0 || r->major == major) &&
	       (r->minor < 0 || r->minor == minor);
}

struct request {
	char type;
	uint32_t major, minor;
	unsigned int access;
};

/* As the configuration says it: for each access the last rule that matches, else yes. */
static bool by_rules(const struct cgroup_device_list *dl, const struct request *q)
{
	for (unsigned int bit = R; bit <= M; bit <<= 1) {
		if (!(q->access & bit))
			continue;
		for (size_t i = dl->n; i-- > 0;) {
			const struct cgroup_device_rule *r = &dl->rules[i];

			if (!(access_of(r) & bit) || !matches(r, q->type, q->major, q->minor))
				continue;
			if (!r->allow)
				return false;
			break;
		}
	}
	return true;
}

/* As the v1 controller does (security/device_cgroup.c), but one access at a time. */
static bool by_exceptions(bool allow, const struct cgroup_device_list *dl, const struct request *q)
{
	for (unsigned int bit = R; bit <= M; bit <<= 1) {
		bool excepted = false;

		if (!(q->access & bit))
			continue;
		for (size_t i = 0; i < dl->n; i++)
			excepted |= (access_of(&dl->rules[i]) & bit) &&
				    matches(&dl->rules[i], q->type, q->major, q->minor);
		if (excepted == allow)
			return false;
	}
	return true;
}

/* Runs the program; fails on anything that the verifier would refuse. */
static bool by_program(const struct bpf_insn *insns, size_t n, const struct request *q)
{
	uint32_t access = (q->access & R ? BPF_DEVCG_ACC_READ : 0) |
			  (q->access & W ? BPF_DEVCG_ACC_WRITE : 0) |
			  (q->access & M ? BPF_DEVCG_ACC_MKNOD : 0);
	const uint32_t ctx[3] = {
		access << 16 | (q->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		q->major,
		q->minor,
	};
	uint64_t reg[16] = {0};

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &insns[pc];
		uint64_t k = (uint64_t)(int64_t)i->imm;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_true(i->off >= 0 && i->off % 4 == 0 && i->off < 12);
			reg[i->dst_reg] = ctx[i->off / 4];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			reg[i->dst_reg] = reg[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			reg[i->dst_reg] = k;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			reg[i->dst_reg] &= k;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			reg[i->dst_reg] >>= k;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += reg[i->dst_reg] != k ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += reg[i->dst_reg] == k ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return reg[0] != 0;
		default:
			fail_msg("instruction %#x", i->code);
		}
	}
	fail_msg("the program runs off its end");
	return false;
}

/* Every request on a small set of devices, in all three forms. */
static void compare(const struct cgroup_device_list *dl, bool v1_holds_it)
{
	struct bpf_insn *insns = mem_xcalloc(cgroup_devices_bpf_max(dl->n), sizeof(*insns));
	size_t n = cgroup_devices_bpf_build(dl, insns);
	struct cgroup_device_list ex = {0};
	struct err e = ERR_INIT;
	bool allow;
	int r = cgroup_devices_reduce(dl, &allow, &ex, &e);

	assert_true(n <= cgroup_devices_bpf_max(dl->n));
	if (v1_holds_it)
		assert_int_equal(r, 0);
	for (unsigned int i = 0; i < 2u * 4 * 4 * 7; i++) {
		const struct request q = {
			.type = i & 1 ? 'b' : 'c',
			.major = i / 2 % 4,
			.minor = i / 8 % 4,
			.access = i / 32 + 1,
		};
		bool want = by_rules(dl, &q);

		if (by_program(insns, n, &q) != want ||
		    (r == 0 && by_exceptions(allow, &ex, &q) != want))
			print_message("# %c %u:%u %u should be %d\n", q.type, q.major, q.minor,
				      q.access, want);
		assert_int_equal(by_program(insns, n, &q), want);
		if (r == 0)
			assert_int_equal(by_exceptions(allow, &ex, &q), want);
	}
	free(insns);
	free(ex.rules);
}

static void check_rules(const struct cgroup_device_rule *rules, size_t n, bool v1_holds_it)
{
	struct cgroup_device_list dl = {0};

	for (size_t i = 0; i < n; i++)
		cgroup_device_list_add(&dl, &rules[i]);
	compare(&dl, v1_holds_it);
	free(dl.rules);
}

#define CHECK(v1, ...)                                                                             \
	do {                                                                                       \
		const struct cgroup_device_rule list[] = {__VA_ARGS__};                            \
		check_rules(list, ARRAY_SIZE(list), v1);                                           \
	} while (0)

static void lists_that_engines_send(void **state)
{
	const struct cgroup_device_rule deny_all = rule(false, 'a', -1, -1, R | W | M);

	(void)state;
	check_rules(NULL, 0, true);
	CHECK(true, deny_all);
	CHECK(true, rule(true, 'a', -1, -1, R | W | M));
	CHECK(true, deny_all, rule(true, 'a', -1, -1, R | W | M));
	CHECK(true, deny_all, rule(true, 'c', -1, -1, M), rule(true, 'b', -1, -1, M),
	      rule(true, 'c', 1, 3, R | W | M), rule(true, 'c', 2, -1, R | W));
	CHECK(true, deny_all, rule(true, 'c', 1, 3, R), rule(true, 'c', 1, 3, W));
	CHECK(true, rule(true, 'c', 1, 3, R), deny_all, rule(true, 'b', 3, 0, R | M));
}

static void denials_among_devices_allowed(void **state)
{
	(void)state;
	CHECK(true, rule(false, 'c', 1, 3, R | W | M));
	CHECK(true, rule(false, 'c', 1, 3, W), rule(true, 'c', 1, 3, W));
	CHECK(true, rule(false, 'a', 1, 3, R | W | M), rule(true, 'c', 1, 3, R));
	CHECK(true, rule(false, 'a', -1, -1, W));
	/* All character devices but one: only as exceptions to a denial of all. */
	CHECK(true, rule(false, 'c', -1, -1, R | W | M), rule(true, 'c', 1, 3, R | W));
	CHECK(true, rule(false, 'a', -1, -1, R | W | M), rule(true, 'c', 1, -1, R | W | M),
	      rule(false, 'c', -1, -1, W));
}

/* A hole in a range of devices has no form in cgroup v1, on v2 it works. */
static void a_hole_in_a_range(void **state)
{
	const struct cgroup_device_rule list[] = {
		rule(false, 'a', -1, -1, R | W | M),
		rule(true, 'c', -1, -1, R | W | M),
		rule(false, 'c', 1, 3, R | W | M),
	};
	struct cgroup_device_list dl = {0}, ex = {0};
	struct err e = ERR_INIT;
	bool allow;

	(void)state;
	check_rules(list, ARRAY_SIZE(list), false);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		cgroup_device_list_add(&dl, &list[i]);
	assert_int_equal(cgroup_devices_reduce(&dl, &allow, &ex, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "linux.resources.devices: entry 2"));
	free(dl.rules);
	free(ex.rules);
}

static void rules_of_every_shape(void **state)
{
	unsigned int seed = 20250101;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct cgroup_device_list dl = {0};
		int n = rand_r(&seed) % 8;

		while (n-- > 0) {
			int major = rand_r(&seed) % 5 - 1, minor = rand_r(&seed) % 5 - 1;
			struct cgroup_device_rule r =
				rule(rand_r(&seed) % 2, "abc"[rand_r(&seed) % 3], major, minor,
				     (unsigned int)rand_r(&seed) % 8);

			cgroup_device_list_add(&dl, &r);
		}
		compare(&dl, false);
		free(dl.rules);
	}
}

static void every_container_has_the_harmless_ones(void **state)
{
	static const struct request yes[] = {
		{'c', 1, 3, R | W | M}, {'c', 1, 5, R | W | M}, {'c', 1, 7, R | W | M},
		{'c', 1, 8, R | W | M}, {'c', 1, 9, R | W | M}, {'c', 5, 0, R | W | M},
		{'c', 5, 1, R | W | M}, {'c', 5, 2, R | W | M}, {'c', 136, 77, R | W | M},
		{'c', 10, 229, M},      {'b', 8, 0, M},
	};
	static const struct request no[] = {
		{'c', 1, 1, R},     {'c', 10, 229, R},     {'b', 8, 0, R},
		{'b', 8, 0, W | M}, {'c', 10, 200, R | W},
	};
	const struct cgroup_device_rule deny = rule(false, 'a', -1, -1, R | W | M);
	const struct cgroup_limits l = {.devices = &deny, .n_devices = 1};
	struct cgroup_device_list dl = {0};

	(void)state;
	cgroup_devices_effective(&l, &dl);
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(by_rules(&dl, &yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(by_rules(&dl, &no[i]));
	compare(&dl, true);
	free(dl.rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_that_engines_send),
		cmocka_unit_test(denials_among_devices_allowed),
		cmocka_unit_test(a_hole_in_a_range),
		cmocka_unit_test(rules_of_every_shape),
		cmocka_unit_test(every_container_has_the_harmless_ones),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
