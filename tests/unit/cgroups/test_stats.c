/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics of a real group that did something, and the formats of block statistics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroups/stats.h"
#include "tests/unit/cgroups/groups.h"
#include "tests/unit/leaks.h"

#define MB (1ll << 20)

static const struct cgroup_limits no_limits;

/* 24 MB of memory and some processor time. */
static int body_work(void *arg)
{
	volatile char *memory = mem_xalloc(24 * MB);
	int ready = *(const int *)arg;

	for (int round = 0; round < 20; round++)
		for (size_t i = 0; i < 24 * MB; i += 1024)
			memory[i]++;
	(void)!write(ready, "x", 1);
	return body_wait(NULL);
}

static void check_cpu(struct group *g, const struct cgroup_stats *st)
{
	uint64_t percpu = 0;

	if (!g->cg->v2 && !g->cg->at[CTRL_CPUACCT])
		return;
	assert_true(st->cpu.total_ns > 1000000);
	assert_true(st->cpu.total_ns < 600ull * 1000000000);
	if (!g->cg->at[CTRL_CPUACCT])
		return;
	assert_int_equal(st->cpu.percpu_ns.n, sysconf(_SC_NPROCESSORS_CONF));
	assert_int_equal(st->cpu.percpu_user_ns.n, st->cpu.percpu_ns.n);
	assert_int_equal(st->cpu.percpu_kernel_ns.n, st->cpu.percpu_ns.n);
	for (size_t i = 0; i < st->cpu.percpu_ns.n; i++)
		percpu += st->cpu.percpu_ns.v[i];
	assert_true(percpu >= st->cpu.total_ns);
}

static void check_memory(struct group *g, const struct cgroup_stats *st)
{
	bool named = false;

	if (!g->cg->at[CTRL_MEMORY])
		return;
	assert_true(st->memory.usage.usage >= 24 * MB);
	assert_int_equal(st->memory.usage.limit, 64 * MB);
	assert_true(st->memory.usage.max == 0 || st->memory.usage.max >= st->memory.usage.usage);
	assert_true(st->memory.swap.usage == 0 || st->memory.swap.usage >= st->memory.usage.usage);
	assert_true(st->memory.n_raw > 10);
	for (size_t i = 0; i < st->memory.n_raw; i++)
		named |= strcmp(st->memory.raw[i].name,
				g->cg->at[CTRL_MEMORY]->v2 ? "anon" : "rss") == 0 &&
			 st->memory.raw[i].value >= 20 * MB;
	assert_true(named);
}

static void a_group_at_work(void **state)
{
	const struct cgroup_limits l = {.memory_limit = {true, 64 * MB}, .pids_limit = {true, 33}};
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup_stats st;
	int ready[2];
	char c;

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_MEMORY);
	(void)need_controller(g, CTRL_PIDS);
	CHECK_OK(cgroup_update(g->cg, &l, &e), e);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	(void)group_fork(g, body_work, &ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	CHECK_OK(cgroup_stats_read(g->cg, &st, &e), e);
	check_cpu(g, &st);
	check_memory(g, &st);
	assert_int_equal(st.pids.current, 1);
	assert_int_equal(st.pids.limit, 33);
	if (g->cg->at[CTRL_CPUSET]) {
		assert_true(st.cpuset.cpus.n > 0);
		assert_int_equal(st.cpuset.mems.v[0], 0);
	}
	if (g->cg->at[CTRL_HUGETLB] &&
	    access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) == 0) {
		bool found = false;

		for (size_t i = 0; i < st.n_hugetlb; i++)
			found |= strcmp(st.hugetlb[i].page_size, "2MB") == 0;
		assert_true(found);
	}
	if (cgroup_has_file(cgroup_main_hier(g->cg), "cpu.pressure"))
		assert_true(st.cpu.psi.set);
	cgroup_stats_release(&st);
}

static void throttling_is_counted(void **state)
{
	const struct cgroup_limits l = {.cpu_quota = {true, 1000}, .cpu_period = {true, 20000}};
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup_stats st;
	int ready[2];

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_CPU);
	CHECK_OK(cgroup_update(g->cg, &l, &e), e);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	(void)group_fork(g, body_work, &ready[1]);
	for (uint64_t throttled = 0; throttled == 0;) {
		(void)usleep(20000);
		CHECK_OK(cgroup_stats_read(g->cg, &st, &e), e);
		throttled = st.cpu.throttled_ns;
		assert_true(st.cpu.throttled_periods <= st.cpu.periods);
		cgroup_stats_release(&st);
	}
	close(ready[0]);
	close(ready[1]);
}

static void pids_without_limit(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup_stats st;

	group_create(g, &no_limits);
	(void)group_add(g);
	(void)group_add(g);
	CHECK_OK(cgroup_stats_read(g->cg, &st, &e), e);
	assert_int_equal(st.pids.current, 2);
	assert_int_equal(st.pids.limit, 0);
	cgroup_stats_release(&st);
	/* Without the controller the processes are counted. */
	g->cg->at[CTRL_PIDS] = NULL;
	g->cg->v2_loaded = true;
	CHECK_OK(cgroup_stats_read(g->cg, &st, &e), e);
	assert_int_equal(st.pids.current, 2);
	cgroup_stats_release(&st);
}

static void a_group_that_is_gone(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup_stats st;

	CHECK_FAILS(cgroup_stats_read(g->cg, &st, &e), ENOENT, e, g->path);
}

/* ---- formats ---- */

static void v1_block_statistics(void **state)
{
	char with_op[] = "8:0 Read 1282048\n8:0 Write 2195456\n253:16 Total 18446744073709551615\n"
			 "Total 3477504\nbad\n8 Read 1\n8:x Read 1\n8:0 Read x\n";
	char plain[] = "8:0 6792\n8:16 1\nTotal 7\n";
	struct cgroup_block_stats list = {0}, sectors = {0};
	struct arena a = ARENA_INIT;

	(void)state;
	cgroup_stats_parse_v1_block(with_op, &a, &list);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.v[1].op, "Write");
	assert_int_equal(list.v[1].value, 2195456);
	assert_int_equal(list.v[2].major, 253);
	assert_int_equal(list.v[2].minor, 16);
	assert_true(list.v[2].value == UINT64_MAX);
	cgroup_stats_parse_v1_block(plain, &a, &sectors);
	assert_int_equal(sectors.n, 2);
	assert_string_equal(sectors.v[0].op, "");
	assert_int_equal(sectors.v[0].value, 6792);
	cgroup_stats_parse_v1_block(NULL, &a, &sectors);
	assert_int_equal(sectors.n, 2);
	arena_release(&a);
}

static void io_stat(void **state)
{
	char text[] = "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7\n"
		      "7:0 \n"
		      "(unknown) rbytes=9\n"
		      "8:16 rbytes=x wbytes= rios\n";
	struct cgroup_stats st = {0};

	(void)state;
	cgroup_stats_parse_io_stat(text, &st);
	assert_int_equal(st.block.service_bytes.n, 3);
	assert_int_equal(st.block.serviced.n, 3);
	assert_string_equal(st.block.service_bytes.v[1].op, "Write");
	assert_int_equal(st.block.service_bytes.v[1].value, 2);
	assert_int_equal(st.block.serviced.v[2].value, 6);
	assert_int_equal(st.block.serviced.v[2].major, 254);
	cgroup_stats_release(&st);
}

#define GROUP_TEST(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(a_group_at_work),           GROUP_TEST(throttling_is_counted),
		GROUP_TEST(pids_without_limit),        GROUP_TEST(a_group_that_is_gone),
		cmocka_unit_test(v1_block_statistics), cmocka_unit_test(io_stat),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
