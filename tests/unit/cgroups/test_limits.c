/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits without a host: which are refused, and the conversions to the units of cgroup v2. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cgroups/internal.h"

/* ---- conversions ---- */

static void shares_at_the_points_of_the_specification(void **state)
{
	static const struct {
		uint64_t shares, weight;
	} cases[] = {
		{0, 1},
		{1, 1},
		{2, 1},
		{3, 2},
		{4, 2},
		{512, 59},
		{1024, 100},
		{2048, 174},
		{131072, 5478},
		{262143, 10000},
		{262144, 10000},
		{262145, 10000},
		{UINT64_MAX, 10000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t weight = cgroup_weight_of_shares(cases[i].shares);

		if (weight != cases[i].weight)
			print_message("# shares %llu\n", (unsigned long long)cases[i].shares);
		assert_int_equal(weight, cases[i].weight);
	}
}

/* The formula in long double, where it errs by less than 1e-14 of its value. */
static void shares_follow_the_formula_everywhere(void **state)
{
	(void)state;
	for (uint64_t s = 3; s < 262144; s++) {
		long double l = log2l((long double)s);
		long double exact = powl(10, (l * l + 125 * l) / 612 - 7.0L / 34);
		uint64_t weight = (uint64_t)ceill(exact - 1e-9L);

		if (cgroup_weight_of_shares(s) != weight)
			print_message("# shares %llu\n", (unsigned long long)s);
		assert_int_equal(cgroup_weight_of_shares(s), weight);
	}
}

static void io_weight(void **state)
{
	(void)state;
	assert_int_equal(cgroup_io_weight_of(10), 1);
	assert_int_equal(cgroup_io_weight_of(500), 4950);
	assert_int_equal(cgroup_io_weight_of(1000), 10000);
}

static void swap_is_what_is_left_above_memory(void **state)
{
	static const struct {
		int64_t swap, limit;
		int rc;
		int64_t max;
	} cases[] = {
		{-1, 100, 0, -1},      {-1, -1, 0, -1},      {0, -1, 0, -1},
		{50, -1, 0, 50},       {100, 100, 0, 0},     {150, 100, 0, 50},
		{99, 100, -EINVAL, 0}, {100, 0, -EINVAL, 0}, {INT64_MAX, 1, 0, INT64_MAX - 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = ERR_INIT;
		int64_t max = 0;

		assert_int_equal(cgroup_swap_of(cases[i].swap, cases[i].limit, &max, &e),
				 cases[i].rc);
		assert_int_equal(max, cases[i].max);
		if (cases[i].rc < 0)
			assert_non_null(strstr(e.msg, "linux.resources.memory.swap: "));
	}
}

/* ---- checks ---- */

static const struct cgroup_device_rule odd_type = {.type = 'p', .major = -1, .minor = -1};
static const struct cgroup_device_rule big_major = {.type = 'c', .major = 1ll << 31, .minor = -1};
static const struct cgroup_hugepage page_words[] = {
	{"2MB", 1}, {"64KB", 1}, {"1GB", 1},  {"2", 1},    {"02MB", 1}, {"2mb", 1},
	{"2TB", 1}, {"MB", 1},   {"2MBx", 1}, {"../x", 1}, {NULL, 1},   {"2/MB", 1},
};
static const struct cgroup_unified slash = {"../memory.max", "1"}, dots = {"..", "1"},
				   empty = {"", "1"}, no_value = {"memory.high", NULL},
				   good_unified = {"memory.high", "1"};
static const struct cgroup_rdma bad_rdma = {.device = "mlx hca"};
static const struct cgroup_net_priority bad_interface = {"eth0\neth1", 5};
static const struct cgroup_block_weight no_weight = {8, 0, {0}, {0}},
					light = {8, 0, {true, 9}, {0}},
					leaf = {8, 0, {0}, {true, 500}};

struct check {
	struct cgroup_limits l;
	const char *property; /* NULL: accepted */
};

#define I64(v)                                                                                     \
	{                                                                                          \
		true, v                                                                            \
	}
#define LIST(field, x) .field = &(x), .n_##field = 1

static void limits_that_make_no_sense_are_named(void **state)
{
	const struct check checks[] = {
		{{0}, NULL},
		{{.memory_limit = I64(-1)}, NULL},
		{{.memory_limit = I64(-2)}, "memory.limit"},
		{{.memory_reservation = I64(-2)}, "memory.reservation"},
		{{.memory_kernel = I64(-2)}, "memory.kernel"},
		{{.memory_kernel_tcp = I64(-9)}, "memory.kernelTCP"},
		{{.memory_limit = I64(100), .memory_swap = I64(99)}, "memory.swap"},
		{{.memory_limit = I64(100), .memory_swap = I64(100)}, NULL},
		{{.memory_limit = I64(100), .memory_swap = I64(0)}, NULL},
		{{.memory_limit = I64(100), .memory_swap = I64(-1)}, NULL},
		{{.memory_limit = I64(-1), .memory_swap = I64(5)}, NULL},
		{{.memory_limit = I64(INT64_MAX), .memory_swap = I64(INT64_MAX)}, NULL},
		{{.memory_swappiness = I64(100)}, NULL},
		{{.memory_swappiness = I64(101)}, "memory.swappiness"},
		{{.pids_limit = I64(0)}, NULL},
		{{.pids_limit = I64(-1)}, NULL},
		{{.cpu_idle = I64(1)}, NULL},
		{{.cpu_idle = I64(2)}, "cpu.idle"},
		{{.cpu_idle = I64(-1)}, "cpu.idle"},
		{{.cpu_quota = I64(1000), .cpu_burst = I64(1000)}, NULL},
		{{.cpu_quota = I64(1000), .cpu_burst = I64(1001)}, "cpu.burst"},
		{{.cpu_quota = I64(-1), .cpu_burst = I64(1001)}, NULL},
		{{.block_weight = I64(0)}, NULL},
		{{.block_weight = I64(10)}, NULL},
		{{.block_weight = I64(9)}, "blockIO.weight"},
		{{.block_weight = I64(1001)}, "blockIO.weight"},
		{{.block_leaf_weight = I64(5)}, "blockIO.leafWeight"},
		{{LIST(block_weights, light)}, "blockIO.weightDevice"},
		{{LIST(block_weights, no_weight)}, "blockIO.weightDevice"},
		{{LIST(block_weights, leaf)}, NULL},
		{{LIST(unified, good_unified)}, NULL},
		{{LIST(unified, slash)}, "unified"},
		{{LIST(unified, dots)}, "unified"},
		{{LIST(unified, empty)}, "unified"},
		{{LIST(unified, no_value)}, "unified"},
		{{LIST(rdma, bad_rdma)}, "rdma"},
		{{LIST(net_priorities, bad_interface)}, "network.priorities"},
		{{LIST(devices, odd_type)}, "devices"},
		{{LIST(devices, big_major)}, "devices"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		const struct check *c = &checks[i];
		struct err e = ERR_INIT;
		int r = cgroup_limits_check(&c->l, &e);

		if (r != (c->property ? -EINVAL : 0))
			print_message("# case %zu: %s\n", i, e.msg);
		assert_int_equal(r, c->property ? -EINVAL : 0);
		if (c->property) {
			assert_non_null(strstr(e.msg, "linux.resources."));
			assert_non_null(strstr(e.msg, c->property));
		}
	}
}

static void page_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(page_words); i++) {
		struct cgroup_limits l = {LIST(hugepages, page_words[i])};
		struct err e = ERR_INIT;

		assert_int_equal(cgroup_limits_check(&l, &e), i < 3 ? 0 : -EINVAL);
	}
}

/* What engines send for "not limited" asks for no controller. */
static void limits_that_ask_for_nothing(void **state)
{
	const struct cgroup_limits none = {
		.memory_limit = I64(-1),
		.memory_swap = I64(-1),
		.memory_reservation = I64(0),
		.memory_kernel = I64(0),
		.memory_kernel_tcp = I64(-1),
		.cpu_shares = I64(0),
		.cpu_quota = I64(-1),
		.cpu_period = I64(0),
		.pids_limit = I64(-1),
		.block_weight = I64(0),
		.net_class_id = I64(0),
		.cpuset_cpus = "",
		.cpu_idle = I64(0),
		.memory_disable_oom_killer = {true, false},
	};
	const struct cgroup_limits some = {
		.memory_limit = I64(1),
		.cpu_shares = I64(2),
		.pids_limit = I64(0),
		.cpuset_mems = "0",
		.block_weight = I64(10),
		.net_class_id = I64(1),
		LIST(rdma, bad_rdma),
		LIST(hugepages, page_words[0]),
		LIST(net_priorities, bad_interface),
	};
	static const enum cgroup_ctrl asked[] = {
		CTRL_MEMORY,  CTRL_CPU,  CTRL_PIDS,    CTRL_CPUSET,   CTRL_IO,
		CTRL_NET_CLS, CTRL_RDMA, CTRL_HUGETLB, CTRL_NET_PRIO,
	};

	(void)state;
	for (int c = 0; c < CTRL_MAX; c++)
		assert_null(cgroup_limits_need(&none, (enum cgroup_ctrl)c));
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		assert_non_null(cgroup_limits_need(&some, asked[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_at_the_points_of_the_specification),
		cmocka_unit_test(shares_follow_the_formula_everywhere),
		cmocka_unit_test(io_weight),
		cmocka_unit_test(swap_is_what_is_left_above_memory),
		cmocka_unit_test(limits_that_make_no_sense_are_named),
		cmocka_unit_test(page_sizes),
		cmocka_unit_test(limits_that_ask_for_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
