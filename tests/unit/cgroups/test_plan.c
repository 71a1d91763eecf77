/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files are written, in which order, with what: plans for hierarchies that are plain
 * directories, so that controllers, devices and kernels count which the host at hand lacks.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "cgroups/internal.h"
#include "tests/unit/leaks.h"

#define SET(v)                                                                                     \
	{                                                                                          \
		true, v                                                                            \
	}

struct fake {
	char path[64];
	struct cgroup cg;
	struct cgroup_hier hier; /* one that has every controller */
};

static int setup(void **state, bool v2)
{
	struct fake *f = mem_xalloc(sizeof(*f));

	(void)snprintf(f->path, sizeof(f->path), "/tmp/hull-plan-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->hier = (struct cgroup_hier){
		.mount = "", .root = "/", .dir = f->path, .names = "all", .v2 = v2, .fd = -1};
	f->cg.path = f->path;
	f->cg.hiers = &f->hier;
	f->cg.n_hiers = 1;
	f->cg.v2 = v2 ? &f->hier : NULL;
	f->cg.v2_loaded = true;
	for (int c = 0; c < CTRL_MAX; c++)
		f->cg.at[c] = v2 && c >= CTRL_DEVICES ? NULL : &f->hier;
	*state = f;
	return 0;
}

static int setup_v1(void **state)
{
	return setup(state, false);
}

static int setup_v2(void **state)
{
	return setup(state, true);
}

static int teardown(void **state)
{
	struct fake *f = *state;
	int r = path_remove_tree(AT_FDCWD, f->path, NULL);

	fd_close(f->hier.fd);
	free(f);
	return r;
}

static void put(struct fake *f, const char *file, const char *text)
{
	FREE char *path = mem_xprintf("%s/%s", f->path, file);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, text, strlen(text)), 0);
	close(fd);
}

static const char *get(struct fake *f, const char *file)
{
	static char text[512];

	assert_true(cgroup_read(&f->hier, file, text, sizeof(text), NULL) >= 0);
	return text;
}

/* The plan as text, "file=value;file=value". */
static void check_plan(struct fake *f, const struct cgroup_limits *l, bool fresh, const char *want)
{
	struct cgroup_plan p = {.cg = &f->cg, .limits = l, .fresh = fresh};
	struct err e = ERR_INIT;
	char text[1024] = "";
	int r = cgroup_plan_make(&p, &e);

	if (r < 0)
		print_message("# %s\n", e.msg);
	assert_int_equal(r, 0);
	for (size_t i = 0; i < p.n; i++) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof(text) - len, "%s%s=%s", i ? ";" : "",
			       p.changes[i].file, p.changes[i].value);
	}
	cgroup_plan_release(&p);
	assert_string_equal(text, want);
}

static void check_refused(struct fake *f, const struct cgroup_limits *l, bool fresh, int errnum,
			  const char *property)
{
	struct cgroup_plan p = {.cg = &f->cg, .limits = l, .fresh = fresh};
	struct err e = ERR_INIT;
	int r = cgroup_plan_make(&p, &e);

	cgroup_plan_release(&p);
	assert_int_equal(r, -errnum);
	if (!strstr(e.msg, property))
		print_message("# %s\n", e.msg);
	assert_int_equal(strncmp(e.msg, "linux.resources.", 16), 0);
	assert_non_null(strstr(e.msg, property));
}

/* ---- both versions ---- */

static void nothing_asked_nothing_written(void **state)
{
	const struct cgroup_limits none = {0};
	const struct cgroup_limits unlimited = {
		.memory_limit = SET(-1),
		.memory_swap = SET(-1),
		.memory_kernel = SET(-1),
		.memory_kernel_tcp = SET(0),
		.cpu_shares = SET(0),
		.cpu_quota = SET(-1),
		.cpu_period = SET(0),
		.pids_limit = SET(-1),
		.block_weight = SET(0),
		.cpuset_cpus = "",
		.cpuset_mems = "",
		.memory_disable_oom_killer = SET(false),
		.memory_use_hierarchy = SET(true),
		.cpu_rt_runtime = SET(0),
		.cpu_rt_period = SET(0),
	};

	check_plan(*state, &none, true, "");
	check_plan(*state, &none, false, "");
	check_plan(*state, &unlimited, true, "");
}

static void rdma_devices(void **state)
{
	static const struct cgroup_rdma devices[] = {
		{.device = "mlx5_0", .hca_handles = SET(3), .hca_objects = SET(10000)},
		{.device = "mlx4_0", .hca_objects = SET(0)},
		{.device = "idle"},
		{.device = "mlx5_1", .hca_handles = SET(7)},
	};
	const struct cgroup_limits l = {.rdma = devices, .n_rdma = ARRAY_SIZE(devices)};

	check_plan(*state, &l, true,
		   "rdma.max=mlx5_0 hca_handle=3 hca_object=10000;rdma.max=mlx4_0 hca_object=0;"
		   "rdma.max=mlx5_1 hca_handle=7");
}

/* ---- v1 ---- */

static void v1_network(void **state)
{
	static const struct cgroup_net_priority priorities[] = {{"eth0", 5}, {"lo", 0}};
	const struct cgroup_limits l = {
		.net_class_id = SET(1048577),
		.net_priorities = priorities,
		.n_net_priorities = 2,
	};

	check_plan(*state, &l, true,
		   "net_cls.classid=1048577;net_prio.ifpriomap=eth0 5;net_prio.ifpriomap=lo 0");
}

static void v1_memory_order(void **state)
{
	const struct cgroup_limits l = {.memory_limit = SET(100), .memory_swap = SET(200)};
	const struct cgroup_limits lift = {.memory_limit = SET(-1)};
	const struct cgroup_limits lift_swap = {.memory_limit = SET(100), .memory_swap = SET(-1)};
	struct fake *f = *state;

	check_plan(f, &l, true, "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=200");
	put(f, "memory.memsw.limit_in_bytes", "300\n");
	check_plan(f, &l, false, "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=200");
	put(f, "memory.memsw.limit_in_bytes", "150\n");
	check_plan(f, &l, false, "memory.memsw.limit_in_bytes=200;memory.limit_in_bytes=100");
	put(f, "memory.memsw.limit_in_bytes", "9223372036854771712\n");
	check_plan(f, &l, false, "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=200");
	check_plan(f, &lift, false, "memory.memsw.limit_in_bytes=-1;memory.limit_in_bytes=-1");
	check_plan(f, &lift_swap, false,
		   "memory.memsw.limit_in_bytes=-1;memory.limit_in_bytes=100");
}

static void v1_memory_others(void **state)
{
	const struct cgroup_limits l = {
		.memory_reservation = SET(50),
		.memory_kernel = SET(60),
		.memory_kernel_tcp = SET(70),
		.memory_swappiness = SET(0),
		.memory_disable_oom_killer = SET(true),
	};
	const struct cgroup_limits off = {.memory_use_hierarchy = SET(false)};
	const struct cgroup_limits on = {.memory_use_hierarchy = SET(true)};
	struct fake *f = *state;

	check_plan(f, &l, true,
		   "memory.soft_limit_in_bytes=50;memory.kmem.limit_in_bytes=60;"
		   "memory.kmem.tcp.limit_in_bytes=70;memory.swappiness=0;memory.oom_control=1");
	put(f, "memory.use_hierarchy", "1\n");
	check_plan(f, &on, true, "");
	check_plan(f, &off, true, "memory.use_hierarchy=0");
	put(f, "memory.use_hierarchy", "0\n");
	check_plan(f, &on, true, "memory.use_hierarchy=1");
	check_plan(f, &off, true, "");
}

static void v1_bandwidth_order(void **state)
{
	static const struct {
		const char *now;
		int64_t quota;
		const char *plan;
	} cases[] = {
		{"-1", 500, "cpu.cfs_period_us=9;cpu.cfs_quota_us=500"},
		{"100", 500, "cpu.cfs_period_us=9;cpu.cfs_quota_us=500"},
		{"500", 500, "cpu.cfs_period_us=9;cpu.cfs_quota_us=500"},
		{"900", 500, "cpu.cfs_quota_us=500;cpu.cfs_period_us=9"},
		{"900", -1, "cpu.cfs_quota_us=-1;cpu.cfs_period_us=9"},
		{"900", 0, "cpu.cfs_quota_us=-1;cpu.cfs_period_us=9"},
	};
	struct fake *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct cgroup_limits l = {.cpu_quota = SET(cases[i].quota),
						.cpu_period = SET(9)};

		put(f, "cpu.cfs_quota_us", cases[i].now);
		check_plan(f, &l, false, cases[i].plan);
	}
}

static void v1_burst_order(void **state)
{
	const struct cgroup_limits l = {.cpu_quota = SET(500), .cpu_burst = SET(50)};
	const struct cgroup_limits none = {.cpu_burst = SET(0)};
	struct fake *f = *state;

	check_plan(f, &l, true, "cpu.cfs_quota_us=500;cpu.cfs_burst_us=50");
	put(f, "cpu.cfs_quota_us", "900\n");
	put(f, "cpu.cfs_burst_us", "80\n");
	check_plan(f, &l, false, "cpu.cfs_burst_us=50;cpu.cfs_quota_us=500");
	put(f, "cpu.cfs_burst_us", "20\n");
	check_plan(f, &l, false, "cpu.cfs_quota_us=500;cpu.cfs_burst_us=50");
	check_plan(f, &none, false, "cpu.cfs_burst_us=0");
}

static void v1_idle_and_shares(void **state)
{
	const struct cgroup_limits on = {.cpu_idle = SET(1), .cpu_shares = SET(5)};
	const struct cgroup_limits off = {.cpu_idle = SET(0), .cpu_shares = SET(5)};

	check_plan(*state, &on, true, "cpu.shares=5;cpu.idle=1");
	check_plan(*state, &off, false, "cpu.idle=0;cpu.shares=5");
	check_plan(*state, &off, true, "cpu.shares=5");
}

static void v1_block_weights(void **state)
{
	static const struct cgroup_block_weight devices[] = {
		{8, 0, SET(300), SET(200)},
		{8, 16, SET(0), SET(100)},
	};
	const struct cgroup_limits l = {
		.block_weight = SET(500),
		.block_leaf_weight = SET(400),
		.block_weights = devices,
		.n_block_weights = 2,
	};
	struct fake *f = *state;

	check_plan(f, &l, true,
		   "blkio.bfq.weight=500;blkio.leaf_weight=400;blkio.bfq.weight_device=8:0 300;"
		   "blkio.leaf_weight_device=8:0 200;blkio.leaf_weight_device=8:16 100");
	put(f, "blkio.weight", "500\n");
	check_plan(f, &l, true,
		   "blkio.weight=500;blkio.leaf_weight=400;blkio.weight_device=8:0 300;"
		   "blkio.leaf_weight_device=8:0 200;blkio.leaf_weight_device=8:16 100");
}

static void v1_block_rates(void **state)
{
	static const struct cgroup_block_rate a[] = {{8, 0, 1}, {8, 16, 2}}, b[] = {{8, 0, 3}},
					      c[] = {{8, 0, 4}}, d[] = {{8, 0, UINT64_MAX}};
	const struct cgroup_limits l = {
		.read_bps = a,
		.n_read_bps = 2,
		.write_bps = b,
		.n_write_bps = 1,
		.read_iops = c,
		.n_read_iops = 1,
		.write_iops = d,
		.n_write_iops = 1,
	};

	check_plan(*state, &l, true,
		   "blkio.throttle.read_bps_device=8:0 1;blkio.throttle.read_bps_device=8:16 2;"
		   "blkio.throttle.write_bps_device=8:0 3;blkio.throttle.read_iops_device=8:0 4;"
		   "blkio.throttle.write_iops_device=8:0 18446744073709551615");
}

static void v1_huge_pages(void **state)
{
	static const struct cgroup_hugepage pages[] = {{"2MB", UINT64_MAX}};
	const struct cgroup_limits l = {.hugepages = pages, .n_hugepages = 1};

	check_plan(*state, &l, true,
		   "hugetlb.2MB.limit_in_bytes=18446744073709551615;"
		   "hugetlb.2MB.rsvd.limit_in_bytes=18446744073709551615");
}

static void v1_has_no_unified(void **state)
{
	static const struct cgroup_unified u = {"memory.high", "1"};
	const struct cgroup_limits l = {.unified = &u, .n_unified = 1};

	check_refused(*state, &l, true, EOPNOTSUPP, "unified.memory.high");
}

/* ---- v2 ---- */

static void v2_memory(void **state)
{
	static const struct {
		struct cgroup_limits l;
		bool fresh;
		const char *plan;
	} cases[] = {
		{{.memory_limit = SET(100)}, true, "memory.max=100"},
		{{.memory_limit = SET(100), .memory_swap = SET(100)},
		 true,
		 "memory.swap.max=0;memory.max=100"},
		{{.memory_limit = SET(100), .memory_swap = SET(150)},
		 true,
		 "memory.swap.max=50;memory.max=100"},
		{{.memory_limit = SET(100), .memory_swap = SET(-1)}, true, "memory.max=100"},
		{{.memory_limit = SET(100), .memory_swap = SET(-1)},
		 false,
		 "memory.swap.max=max;memory.max=100"},
		{{.memory_limit = SET(-1)}, false, "memory.swap.max=max;memory.max=max"},
		{{.memory_limit = SET(-1), .memory_swap = SET(70)}, true, "memory.swap.max=70"},
		{{.memory_limit = SET(0), .memory_swap = SET(0)}, false, ""},
		{{.memory_swap = SET(4096)}, false, "memory.swap.max=3096"},
		{{.memory_reservation = SET(7)}, true, "memory.low=7"},
		{{.memory_reservation = SET(-1)}, false, "memory.low=max"},
	};
	struct fake *f = *state;

	put(f, "memory.max", "1000\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_plan(f, &cases[i].l, cases[i].fresh, cases[i].plan);
}

static void v2_memory_below_usage(void **state)
{
	const struct cgroup_limits l = {
		.memory_limit = SET(100),
		.memory_check_before_update = SET(true),
	};
	const struct cgroup_limits swap = {
		.memory_limit = SET(5000),
		.memory_swap = SET(5100),
		.memory_check_before_update = SET(true),
	};
	const struct cgroup_limits unchecked = {.memory_limit = SET(100)};
	struct fake *f = *state;

	put(f, "memory.current", "101\n");
	put(f, "memory.swap.current", "101\n");
	check_refused(f, &l, false, EBUSY, "memory.limit: 100 is below the 101 bytes in use");
	check_refused(f, &swap, false, EBUSY, "memory.swap: 100 is below");
	check_plan(f, &unchecked, false, "memory.max=100");
	check_plan(f, &l, true, "memory.max=100");
	put(f, "memory.current", "100\n");
	check_plan(f, &l, false, "memory.max=100");
}

static void v2_cpu(void **state)
{
	static const struct {
		struct cgroup_limits l;
		bool fresh;
		const char *plan;
	} cases[] = {
		{{.cpu_quota = SET(500)}, true, "cpu.max=500"},
		{{.cpu_period = SET(9000)}, true, "cpu.max=max 9000"},
		{{.cpu_period = SET(9000)}, false, "cpu.max=700 9000"},
		{{.cpu_quota = SET(500), .cpu_period = SET(9000)}, false, "cpu.max=500 9000"},
		{{.cpu_quota = SET(-1)}, false, "cpu.max=max"},
		{{.cpu_quota = SET(0)}, false, "cpu.max=max"},
		{{.cpu_quota = SET(-1), .cpu_period = SET(5)}, true, "cpu.max=max 5"},
		{{.cpu_shares = SET(1024)}, true, "cpu.weight=100"},
		{{.cpu_shares = SET(2), .cpu_idle = SET(1)}, true, "cpu.weight=1;cpu.idle=1"},
		{{.cpu_burst = SET(50), .cpu_quota = SET(500)},
		 true,
		 "cpu.max=500;cpu.max.burst=50"},
		{{.cpu_burst = SET(50), .cpu_quota = SET(500)},
		 false,
		 "cpu.max.burst=50;cpu.max=500"},
		{{.cpu_burst = SET(90), .cpu_quota = SET(500)},
		 false,
		 "cpu.max=500;cpu.max.burst=90"},
		{{.cpuset_cpus = "0-1", .cpuset_mems = "0"}, true, "cpuset.cpus=0-1;cpuset.mems=0"},
	};
	const struct cgroup_limits runtime = {.cpu_rt_runtime = SET(5)};
	const struct cgroup_limits period = {.cpu_rt_period = SET(5)};
	struct fake *f = *state;

	put(f, "cpu.max", "700 100000\n");
	put(f, "cpu.max.burst", "80\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_plan(f, &cases[i].l, cases[i].fresh, cases[i].plan);
	check_refused(f, &runtime, true, EOPNOTSUPP, "cpu.realtimeRuntime");
	check_refused(f, &period, true, EOPNOTSUPP, "cpu.realtimePeriod");
}

static void v2_block_weights(void **state)
{
	static const struct cgroup_block_weight device = {8, 0, SET(1000), {0}};
	static const struct cgroup_block_weight leaf = {8, 0, {0}, SET(10)};
	const struct cgroup_limits l = {
		.block_weight = SET(10),
		.block_weights = &device,
		.n_block_weights = 1,
	};
	const struct cgroup_limits bad = {.block_weights = &leaf, .n_block_weights = 1};
	const struct cgroup_limits bad_leaf = {.block_leaf_weight = SET(10)};
	struct fake *f = *state;

	check_plan(f, &l, true, "io.weight=default 1;io.weight=8:0 10000");
	put(f, "io.bfq.weight", "default 100\n");
	check_plan(f, &l, true, "io.bfq.weight=default 10;io.bfq.weight=8:0 1000");
	check_refused(f, &bad, true, EOPNOTSUPP, "blockIO.weightDevice");
	check_refused(f, &bad_leaf, true, EOPNOTSUPP, "blockIO.leafWeight");
}

/* One line for a device whatever lists it is in; said twice in a list, the last counts. */
static void v2_block_rates(void **state)
{
	static const struct cgroup_block_rate a[] = {{8, 0, 1}, {8, 16, 2}, {8, 0, 9}},
					      b[] = {{8, 16, 3}}, c[] = {{7, 0, 4}},
					      d[] = {{8, 0, 0}};
	const struct cgroup_limits l = {
		.read_bps = a,
		.n_read_bps = 3,
		.write_bps = b,
		.n_write_bps = 1,
		.read_iops = c,
		.n_read_iops = 1,
		.write_iops = d,
		.n_write_iops = 1,
	};

	check_plan(*state, &l, true,
		   "io.max=8:0 rbps=9 wiops=max;io.max=8:16 rbps=2 wbps=3;io.max=7:0 riops=4");
}

static void v2_unified(void **state)
{
	static const struct cgroup_unified files[] = {
		{"memory.high", "max"},
		{"io.max", "8:0 rbps=1\n8:16 wbps=2\n"},
		{"cgroup.max.depth", "4"},
	};
	static const struct cgroup_unified missing = {"rdma.max", "x"};
	const struct cgroup_limits l = {
		.memory_limit = SET(5),
		.unified = files,
		.n_unified = ARRAY_SIZE(files),
	};
	const struct cgroup_limits no_rdma = {.unified = &missing, .n_unified = 1};
	struct fake *f = *state;

	check_plan(f, &l, true,
		   "memory.max=5;memory.high=max;io.max=8:0 rbps=1;io.max=8:16 wbps=2;"
		   "cgroup.max.depth=4");
	f->cg.at[CTRL_RDMA] = NULL;
	check_refused(f, &no_rdma, true, EOPNOTSUPP, "unified.rdma.max: controller 'rdma'");
}

static void v2_lacks_network_controllers(void **state)
{
	static const struct cgroup_net_priority priority = {"eth0", 5};
	const struct cgroup_limits class = {.net_class_id = SET(1)};
	const struct cgroup_limits zero = {.net_class_id = SET(0)};
	const struct cgroup_limits prio = {.net_priorities = &priority, .n_net_priorities = 1};

	check_refused(*state, &class, true, EOPNOTSUPP, "network.classID");
	check_refused(*state, &prio, true, EOPNOTSUPP, "network.priorities");
	check_plan(*state, &zero, true, "");
}

/* ---- taking back ---- */

static int run(struct fake *f, const struct cgroup_limits *l, struct err *e)
{
	struct cgroup_plan p = {.cg = &f->cg, .limits = l};
	int r = cgroup_plan_make(&p, e);

	if (r == 0)
		r = cgroup_plan_run(&p, e);
	cgroup_plan_release(&p);
	return r;
}

/* Every shape of file is put back when the last one, which is missing, fails the update. */
static void old_values_of_every_shape(void **state)
{
	static const struct cgroup_block_rate known = {8, 0, 1}, unknown = {8, 16, 2};
	static const struct cgroup_unified missing = {"no.such", "1"};
	const struct cgroup_limits rates[] = {
		{.read_bps = &known, .n_read_bps = 1, .unified = &missing, .n_unified = 1},
		{.read_bps = &unknown, .n_read_bps = 1, .unified = &missing, .n_unified = 1},
		{.block_weight = SET(10), .unified = &missing, .n_unified = 1},
		{.pids_limit = SET(3), .unified = &missing, .n_unified = 1},
	};
	static const char *const after[][2] = {
		{"io.max", "8:0 rbps=5 wbps=max riops=max wiops=max"},
		{"io.max", "8:16 rbps=max wbps=max riops=max wiops=max"},
		{"io.weight", "default 77"},
		{"pids.max", "max"},
	};
	struct fake *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct err e = ERR_INIT;
		size_t len = strlen(after[i][1]);

		put(f, "io.max", "8:0 rbps=5 wbps=max riops=max wiops=max\n7:0 rbps=1\n");
		put(f, "io.weight", "default 77\n8:0 50\n");
		put(f, "pids.max", "max\n");
		assert_int_equal(run(f, &rates[i], &e), -EOPNOTSUPP);
		assert_non_null(strstr(e.msg, "unified.no.such"));
		/* A plain file is written over from its start on. */
		assert_int_equal(strncmp(get(f, after[i][0]), after[i][1], len), 0);
	}
}

#define V1_TEST(f) cmocka_unit_test_setup_teardown(f, setup_v1, teardown)
#define V2_TEST(f) cmocka_unit_test_setup_teardown(f, setup_v2, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		V1_TEST(nothing_asked_nothing_written),
		V2_TEST(nothing_asked_nothing_written),
		V1_TEST(rdma_devices),
		V2_TEST(rdma_devices),
		V1_TEST(v1_network),
		V1_TEST(v1_memory_order),
		V1_TEST(v1_memory_others),
		V1_TEST(v1_bandwidth_order),
		V1_TEST(v1_burst_order),
		V1_TEST(v1_idle_and_shares),
		V1_TEST(v1_block_weights),
		V1_TEST(v1_block_rates),
		V1_TEST(v1_huge_pages),
		V1_TEST(v1_has_no_unified),
		V2_TEST(v2_memory),
		V2_TEST(v2_memory_below_usage),
		V2_TEST(v2_cpu),
		V2_TEST(v2_block_weights),
		V2_TEST(v2_block_rates),
		V2_TEST(v2_unified),
		V2_TEST(v2_lacks_network_controllers),
		V2_TEST(old_values_of_every_shape),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
