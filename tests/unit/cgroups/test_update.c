/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits on real groups, set by create, changed by update, and put back when one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"
#include "tests/unit/cgroups/groups.h"
#include "tests/unit/leaks.h"

#define SET(v)                                                                                     \
	{                                                                                          \
		true, v                                                                            \
	}
#define MB (1ll << 20)

static const struct cgroup_limits no_limits;

static void check_value(struct group *g, enum cgroup_ctrl ctrl, const char *v1, const char *v2,
			const char *want_v1, const char *want_v2)
{
	bool is_v2 = g->cg->at[ctrl]->v2;

	assert_string_equal(group_value(g, ctrl, v1, v2), is_v2 ? want_v2 : want_v1);
}

static void update(struct group *g, const struct cgroup_limits *l)
{
	struct err e = ERR_INIT;

	CHECK_OK(cgroup_update(g->cg, l, &e), e);
}

/* ---- memory ---- */

static void check_memory(struct group *g, const char *limit, const char *sum, const char *swap)
{
	check_value(g, CTRL_MEMORY, "memory.limit_in_bytes", "memory.max", limit, limit);
	if (sum && cgroup_has_file(group_at(g, CTRL_MEMORY), "memory.memsw.limit_in_bytes"))
		check_value(g, CTRL_MEMORY, "memory.memsw.limit_in_bytes", "", sum, "");
	if (swap && cgroup_has_file(group_at(g, CTRL_MEMORY), "memory.swap.max"))
		check_value(g, CTRL_MEMORY, "", "memory.swap.max", "", swap);
}

static void memory_with_swap(void **state)
{
	const struct cgroup_limits first = {
		.memory_limit = SET(64 * MB),
		.memory_swap = SET(96 * MB),
		.memory_reservation = SET(32 * MB),
	};
	const struct cgroup_limits raise = {.memory_limit = SET(256 * MB),
					    .memory_swap = SET(512 * MB)};
	const struct cgroup_limits lower = {.memory_limit = SET(32 * MB),
					    .memory_swap = SET(32 * MB)};
	const struct cgroup_limits swap = {.memory_swap = SET(40 * MB)};
	const struct cgroup_limits lift = {.memory_limit = SET(-1)};
	struct group *g = *state;

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_MEMORY);
	{
		struct err e = ERR_INIT;

		CHECK_OK(cgroup_destroy(g->cg, &e), e);
	}
	group_create(g, &first);
	check_memory(g, "67108864", "100663296", "33554432");
	check_value(g, CTRL_MEMORY, "memory.soft_limit_in_bytes", "memory.low", "33554432",
		    "33554432");
	update(g, &raise);
	check_memory(g, "268435456", "536870912", "268435456");
	update(g, &lower);
	check_memory(g, "33554432", "33554432", "0");
	update(g, &swap);
	check_memory(g, "33554432", "41943040", "8388608");
	update(g, &lift);
	check_memory(g, g->cg->at[CTRL_MEMORY]->v2 ? "max" : "9223372036854771712",
		     "9223372036854771712", "max");
}

static void swap_needs_memory(void **state)
{
	const struct cgroup_limits l = {.memory_swap = SET(96 * MB)};
	struct group *g = *state;
	struct err e = ERR_INIT;

	need_root();
	CHECK_FAILS(cgroup_create(g->cg, &l, &e), EINVAL, e, "linux.resources.memory.swap");
	assert_int_equal(access(g->cg->hiers[0].dir, F_OK), -1);
}

/* What only v1 has is an error that names it on v2, unless it asks for nothing. */
static void settings_of_v1(void **state)
{
	static const struct {
		struct cgroup_limits l;
		const char *property;
	} only_v1[] = {
		{{.memory_swappiness = SET(10)}, "memory.swappiness"},
		{{.memory_disable_oom_killer = SET(true)}, "memory.disableOOMKiller"},
		{{.memory_use_hierarchy = SET(false)}, "memory.useHierarchy"},
		{{.memory_kernel = SET(MB)}, "memory.kernel"},
		{{.memory_kernel_tcp = SET(MB)}, "memory.kernelTCP"},
	};
	const struct cgroup_limits nothing = {
		.memory_kernel = SET(-1),
		.memory_kernel_tcp = SET(0),
		.memory_swap = SET(-1),
		.memory_disable_oom_killer = SET(false),
		.memory_use_hierarchy = SET(true),
	};
	struct group *g = *state;
	struct err e = ERR_INIT;
	bool v2;

	group_create(g, &nothing);
	v2 = need_controller(g, CTRL_MEMORY)->v2;
	update(g, &nothing);
	for (size_t i = 0; v2 && i < ARRAY_SIZE(only_v1); i++)
		CHECK_FAILS(cgroup_update(g->cg, &only_v1[i].l, &e), EOPNOTSUPP, e,
			    only_v1[i].property);
	if (v2)
		return;
	update(g, &only_v1[0].l);
	check_value(g, CTRL_MEMORY, "memory.swappiness", "", "10", "");
	update(g, &only_v1[1].l);
	assert_non_null(strstr(group_value(g, CTRL_MEMORY, "memory.oom_control", ""),
			       "oom_kill_disable 1"));
	update(g, &nothing);
	assert_non_null(strstr(group_value(g, CTRL_MEMORY, "memory.oom_control", ""),
			       "oom_kill_disable 0"));
	/* Kernels without the limit keep its file, and must be seen through. */
	if (cgroup_update(g->cg, &only_v1[3].l, &e) < 0)
		assert_non_null(strstr(e.msg, "linux.resources.memory.kernel: "));
	else
		check_value(g, CTRL_MEMORY, "memory.kmem.limit_in_bytes", "", "1048576", "");
}

static int body_use_memory(void *arg)
{
	size_t size = (size_t)(uintptr_t)arg;

	volatile char *memory = mem_xalloc(size);

	for (size_t i = 0; i < size; i += 1024)
		memory[i] = 1;
	return body_wait(NULL);
}

static void limits_below_usage(void **state)
{
	const struct cgroup_limits below = {
		.memory_limit = SET(8 * MB),
		.memory_check_before_update = SET(true),
	};
	const struct cgroup_limits above = {
		.memory_limit = SET(128 * MB),
		.memory_check_before_update = SET(true),
	};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_MEMORY);
	(void)group_fork(g, body_use_memory, (void *)(uintptr_t)(32 * MB));
	for (int64_t usage = 0; usage < 32 * MB;)
		CHECK_OK(cgroup_read_limit(g->cg->at[CTRL_MEMORY],
					   g->cg->at[CTRL_MEMORY]->v2 ? "memory.current"
								      : "memory.usage_in_bytes",
					   &usage, &e),
			 e);
	CHECK_FAILS(cgroup_update(g->cg, &below, &e), EBUSY, e, "linux.resources.memory.limit");
	assert_non_null(strstr(e.msg, "checkBeforeUpdate"));
	check_memory(g, g->cg->at[CTRL_MEMORY]->v2 ? "max" : "9223372036854771712", NULL, NULL);
	update(g, &above);
	check_memory(g, "134217728", NULL, NULL);
}

/* ---- cpu ---- */

static void check_bandwidth(struct group *g, const char *quota, const char *period, const char *max)
{
	check_value(g, CTRL_CPU, "cpu.cfs_quota_us", "cpu.max", quota, max);
	check_value(g, CTRL_CPU, "cpu.cfs_period_us", "cpu.max", period, max);
}

static void cpu_bandwidth(void **state)
{
	const struct cgroup_limits quota = {.cpu_quota = SET(50000)};
	const struct cgroup_limits period = {.cpu_period = SET(1000000)};
	const struct cgroup_limits both = {.cpu_quota = SET(2000), .cpu_period = SET(5000)};
	const struct cgroup_limits lift = {.cpu_quota = SET(-1)};
	const struct cgroup_limits zero = {.cpu_quota = SET(0), .cpu_period = SET(0)};
	struct group *g = *state;

	group_create(g, &quota);
	(void)need_controller(g, CTRL_CPU);
	check_bandwidth(g, "50000", "100000", "50000 100000");
	update(g, &period);
	check_bandwidth(g, "50000", "1000000", "50000 1000000");
	update(g, &both);
	check_bandwidth(g, "2000", "5000", "2000 5000");
	update(g, &lift);
	check_bandwidth(g, "-1", "5000", "max 5000");
	update(g, &quota);
	update(g, &zero);
	check_bandwidth(g, "-1", "5000", "max 5000");
}

/*
 * A group above with half a processor: whatever the change, no state in between may ask for more,
 * or the kernel refuses it.
 */
static void cpu_bandwidth_below_a_limit(void **state)
{
	static const struct {
		int64_t quota;
		uint64_t period;
	} steps[] = {
		{5000, 10000}, {500000, 1000000}, {1000, 10000}, {400000, 1000000},
		{-1, 10000},   {500000, 1000000}, {-1, 1000},    {1000, 2000},
	};
	const struct cgroup_limits half = {.cpu_quota = SET(50000), .cpu_period = SET(100000)};
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup *below;
	char path[128];

	group_create(g, &half);
	(void)need_controller(g, CTRL_CPU);
	(void)snprintf(path, sizeof(path), "%s/below", g->path);
	CHECK_OK(cgroup_open(CGROUP_MANAGER_CGROUPFS, path, &below, &e), e);
	CHECK_OK(cgroup_create(below, &no_limits, &e), e);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct cgroup_limits l = {
			.cpu_quota = SET(steps[i].quota),
			.cpu_period = SET(steps[i].period),
		};

		CHECK_OK(cgroup_update(below, &l, &e), e);
	}
	CHECK_OK(cgroup_destroy(below, &e), e);
	cgroup_free(below);
}

static void cpu_burst(void **state)
{
	const struct cgroup_limits first = {.cpu_quota = SET(20000), .cpu_burst = SET(10000)};
	const struct cgroup_limits raise = {.cpu_quota = SET(80000), .cpu_burst = SET(60000)};
	const struct cgroup_limits lower = {.cpu_quota = SET(5000), .cpu_burst = SET(2000)};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	if (!cgroup_has_file(need_controller(g, CTRL_CPU),
			     g->cg->at[CTRL_CPU]->v2 ? "cpu.max.burst" : "cpu.cfs_burst_us")) {
		print_message("# needs a kernel with CPU burst (5.14)\n");
		skip();
	}
	CHECK_OK(cgroup_destroy(g->cg, &e), e);
	group_create(g, &first);
	check_value(g, CTRL_CPU, "cpu.cfs_burst_us", "cpu.max.burst", "10000", "10000");
	update(g, &raise);
	check_value(g, CTRL_CPU, "cpu.cfs_burst_us", "cpu.max.burst", "60000", "60000");
	update(g, &lower);
	check_value(g, CTRL_CPU, "cpu.cfs_burst_us", "cpu.max.burst", "2000", "2000");
}

static void cpu_shares_and_idle(void **state)
{
	const struct cgroup_limits shares = {.cpu_shares = SET(2048)};
	const struct cgroup_limits idle = {.cpu_idle = SET(1)};
	const struct cgroup_limits back = {.cpu_idle = SET(0), .cpu_shares = SET(512)};
	struct group *g = *state;

	group_create(g, &shares);
	(void)need_controller(g, CTRL_CPU);
	check_value(g, CTRL_CPU, "cpu.shares", "cpu.weight", "2048", "174");
	update(g, &idle);
	check_value(g, CTRL_CPU, "cpu.idle", "cpu.idle", "1", "1");
	update(g, &back);
	check_value(g, CTRL_CPU, "cpu.idle", "cpu.idle", "0", "0");
	check_value(g, CTRL_CPU, "cpu.shares", "cpu.weight", "512", "59");
}

static void cpu_realtime(void **state)
{
	const struct cgroup_limits runtime = {.cpu_rt_runtime = SET(1000),
					      .cpu_rt_period = SET(500000)};
	struct group *g = *state;
	struct err e = ERR_INIT;
	bool v2;

	group_create(g, &no_limits);
	v2 = need_controller(g, CTRL_CPU)->v2;
	if (v2) {
		CHECK_FAILS(cgroup_update(g->cg, &runtime, &e), EOPNOTSUPP, e,
			    "linux.resources.cpu.realtimeRuntime");
		return;
	}
	if (!cgroup_has_file(g->cg->at[CTRL_CPU], "cpu.rt_runtime_us")) {
		CHECK_FAILS(cgroup_update(g->cg, &runtime, &e), EOPNOTSUPP, e, "realtime");
		return;
	}
	update(g, &runtime);
	check_value(g, CTRL_CPU, "cpu.rt_runtime_us", "", "1000", "");
	check_value(g, CTRL_CPU, "cpu.rt_period_us", "", "500000", "");
}

/* Budget is handed to groups above that are made on the way. */
static void cpu_realtime_below_new_groups(void **state)
{
	const struct cgroup_limits runtime = {.cpu_rt_runtime = SET(1000)};
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup *below;
	char path[128], value[32];

	need_root();
	(void)snprintf(path, sizeof(path), "%s/a/b", g->path);
	CHECK_OK(cgroup_open(CGROUP_MANAGER_CGROUPFS, path, &below, &e), e);
	if (!below->at[CTRL_CPU] || access("/sys/fs/cgroup/cpu/cpu.rt_runtime_us", F_OK) < 0) {
		cgroup_free(below);
		print_message("# needs cgroup v1 with real-time group scheduling\n");
		skip();
	}
	CHECK_OK(cgroup_create(below, &runtime, &e), e);
	assert_true(cgroup_read(below->at[CTRL_CPU], "cpu.rt_runtime_us", value, sizeof(value),
				&e) > 0);
	assert_string_equal(value, "1000");
	CHECK_OK(cgroup_destroy(below, &e), e);
	cgroup_free(below);
}

static void cpuset(void **state)
{
	const struct cgroup_limits one = {.cpuset_cpus = "0", .cpuset_mems = "0"};
	const struct cgroup_limits bad = {.cpuset_cpus = "0-x"};
	const struct cgroup_limits empty = {.cpuset_cpus = "", .cpuset_mems = ""};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &one);
	(void)need_controller(g, CTRL_CPUSET);
	check_value(g, CTRL_CPUSET, "cpuset.cpus", "cpuset.cpus", "0", "0");
	check_value(g, CTRL_CPUSET, "cpuset.mems", "cpuset.mems", "0", "0");
	CHECK_FAILS(cgroup_update(g->cg, &bad, &e), EINVAL, e, "linux.resources.cpu.cpus");
	update(g, &empty);
	check_value(g, CTRL_CPUSET, "cpuset.cpus", "cpuset.cpus", "0", "0");
}

/* ---- the others ---- */

static int body_fork(void *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static void pids_zero_is_a_limit(void **state)
{
	const struct cgroup_limits zero = {.pids_limit = SET(0)};
	const struct cgroup_limits none = {.pids_limit = SET(-1)};
	struct group *g = *state;

	group_create(g, &zero);
	(void)need_controller(g, CTRL_PIDS);
	check_value(g, CTRL_PIDS, "pids.max", "pids.max", "0", "0");
	assert_int_equal(WEXITSTATUS(group_wait(g, group_fork(g, body_fork, NULL))), EAGAIN);
	/* A clone into the group would fail as well. */
	if (g->cg->at[CTRL_PIDS]->v2)
		assert_int_equal(cgroup_v2_fd(g->cg), -1);
	update(g, &none);
	check_value(g, CTRL_PIDS, "pids.max", "pids.max", "max", "max");
	assert_int_equal(WEXITSTATUS(group_wait(g, group_fork(g, body_fork, NULL))), 0);
}

static void huge_pages(void **state)
{
	static const struct cgroup_hugepage good = {"2MB", 4 * MB}, bad = {"3MB", MB};
	const struct cgroup_limits l = {.hugepages = &good, .n_hugepages = 1};
	const struct cgroup_limits unknown = {.hugepages = &bad, .n_hugepages = 1};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	if (!group_at(g, CTRL_HUGETLB)) {
		CHECK_FAILS(cgroup_update(g->cg, &l, &e), EOPNOTSUPP, e, "controller 'hugetlb'");
		return;
	}
	update(g, &l);
	check_value(g, CTRL_HUGETLB, "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max", "4194304",
		    "4194304");
	check_value(g, CTRL_HUGETLB, "hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.max",
		    "4194304", "4194304");
	CHECK_FAILS(cgroup_update(g->cg, &unknown, &e), EOPNOTSUPP, e,
		    "linux.resources.hugepageLimits");
}

static void block_weight(void **state)
{
	const struct cgroup_limits l = {.block_weight = SET(500)};
	const struct cgroup_limits leaf = {.block_leaf_weight = SET(500)};
	struct group *g = *state;
	struct err e = ERR_INIT;
	bool bfq;

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_IO);
	bfq = cgroup_has_file(g->cg->at[CTRL_IO],
			      g->cg->at[CTRL_IO]->v2 ? "io.bfq.weight" : "blkio.bfq.weight");
	if (cgroup_update(g->cg, &l, &e) < 0) {
		assert_non_null(strstr(e.msg, "linux.resources.blockIO.weight: "));
	} else if (bfq) {
		check_value(g, CTRL_IO, "blkio.bfq.weight", "io.bfq.weight", "500", "default 500");
	} else {
		check_value(g, CTRL_IO, "blkio.weight", "io.weight", "500", "default 4950");
	}
	/* Its scheduler went with Linux 5.0. */
	CHECK_FAILS(cgroup_update(g->cg, &leaf, &e), EOPNOTSUPP, e,
		    "linux.resources.blockIO.leafWeight");
}

/* Major and minor number of some whole disk, from /sys/block. */
static bool find_disk(struct cgroup_block_rate *ret)
{
	static const char *const names[] = {"vda", "sda", "nvme0n1", "loop0", "ram0", "vdb"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		FREE char *path = mem_xprintf("/sys/block/%s/dev", names[i]);
		char text[32], *rest = text;
		const char *major;

		if (cgroup_read_at(AT_FDCWD, path, text, sizeof(text), NULL) <= 0)
			continue;
		major = strsep(&rest, ":");
		if (parse_u32(major, &ret->major) == 0 && parse_u32(rest, &ret->minor) == 0)
			return true;
	}
	return false;
}

static void block_rates(void **state)
{
	struct cgroup_block_rate bps = {.rate = 1 << 20}, iops = {.rate = 100}, none = {.rate = 0};
	const struct cgroup_limits l = {
		.read_bps = &bps,
		.n_read_bps = 1,
		.write_iops = &iops,
		.n_write_iops = 1,
	};
	const struct cgroup_limits lift = {.read_bps = &none, .n_read_bps = 1};
	struct group *g = *state;
	char v1[64], v2[128];

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_IO);
	if (!find_disk(&bps) && (system("modprobe -q loop 2>/dev/null") != 0 || !find_disk(&bps))) {
		print_message("# needs a block device\n");
		skip();
	}
	iops.major = none.major = bps.major;
	iops.minor = none.minor = bps.minor;
	update(g, &l);
	(void)snprintf(v1, sizeof(v1), "%u:%u 1048576", bps.major, bps.minor);
	(void)snprintf(v2, sizeof(v2), "%u:%u rbps=1048576 wbps=max riops=max wiops=100", bps.major,
		       bps.minor);
	check_value(g, CTRL_IO, "blkio.throttle.read_bps_device", "io.max", v1, v2);
	update(g, &lift);
	(void)snprintf(v2, sizeof(v2), "%u:%u rbps=max wbps=max riops=max wiops=100", bps.major,
		       bps.minor);
	check_value(g, CTRL_IO, "blkio.throttle.read_bps_device", "io.max", "", v2);
}

static void network_controllers(void **state)
{
	static const struct cgroup_net_priority lo = {"lo", 5};
	const struct cgroup_limits class = {.net_class_id = SET(0x100001)};
	const struct cgroup_limits priority = {.net_priorities = &lo, .n_net_priorities = 1};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	if (g->cg->at[CTRL_NET_CLS]) {
		update(g, &class);
		check_value(g, CTRL_NET_CLS, "net_cls.classid", "", "1048577", "");
	} else {
		CHECK_FAILS(cgroup_update(g->cg, &class, &e), EOPNOTSUPP, e,
			    "linux.resources.network.classID: ");
		assert_non_null(strstr(e.msg, "'net_cls'"));
	}
	if (g->cg->at[CTRL_NET_PRIO])
		update(g, &priority);
	else
		CHECK_FAILS(cgroup_update(g->cg, &priority, &e), EOPNOTSUPP, e, "'net_prio'");
}

static void rdma(void **state)
{
	static const struct cgroup_rdma device = {.device = "mlx5_9", .hca_handles = SET(3)};
	const struct cgroup_limits l = {.rdma = &device, .n_rdma = 1};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	/* Without the controller, or without the device. */
	assert_true(cgroup_update(g->cg, &l, &e) < 0);
	assert_non_null(strstr(e.msg, "linux.resources.rdma: "));
}

static void unified(void **state)
{
	static const struct cgroup_unified high = {"memory.high", "104857600"};
	static const struct cgroup_unified missing = {"memory.nosuch", "1"};
	static const struct cgroup_unified depth = {"cgroup.max.depth", "3"};
	const struct cgroup_limits l = {.unified = &high, .n_unified = 1};
	const struct cgroup_limits no_file = {.unified = &missing, .n_unified = 1};
	const struct cgroup_limits core = {.unified = &depth, .n_unified = 1};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	if (!g->cg->v2) {
		CHECK_FAILS(cgroup_update(g->cg, &l, &e), EOPNOTSUPP, e, "linux.resources.unified");
		return;
	}
	update(g, &core);
	if (!group_at(g, CTRL_MEMORY) || !g->cg->at[CTRL_MEMORY]->v2) {
		CHECK_FAILS(
			cgroup_update(g->cg, &l, &e), EOPNOTSUPP, e,
			"linux.resources.unified.memory.high: controller 'memory' is on cgroup v1");
		return;
	}
	update(g, &l);
	assert_string_equal(group_value(g, CTRL_MEMORY, "", "memory.high"), "104857600");
	CHECK_FAILS(cgroup_update(g->cg, &no_file, &e), EOPNOTSUPP, e, "memory.nosuch");
}

/* ---- all or nothing ---- */

static void a_refused_update_changes_nothing(void **state)
{
	const struct cgroup_limits before = {
		.cpu_quota = SET(20000),
		.cpu_period = SET(50000),
		.cpu_shares = SET(512),
		.memory_limit = SET(64 * MB),
		.memory_swap = SET(96 * MB),
		.pids_limit = SET(20),
		.cpuset_cpus = "0",
	};
	/* The last one to be written is a file that does not take it. */
	static const struct cgroup_block_rate no_disk = {4000, 4000, 1};
	const struct cgroup_limits update_limits = {
		.cpu_quota = SET(90000),
		.cpu_period = SET(100000),
		.cpu_shares = SET(2048),
		.cpu_burst = SET(1000),
		.memory_limit = SET(512 * MB),
		.memory_swap = SET(1024 * MB),
		.pids_limit = SET(9),
		.read_bps = &no_disk,
		.n_read_bps = 1,
	};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	for (int c = 0; c <= CTRL_PIDS; c++)
		if (c != CTRL_CPUACCT)
			(void)need_controller(g, (enum cgroup_ctrl)c);
	update(g, &before);
	assert_true(cgroup_update(g->cg, &update_limits, &e) < 0);
	assert_non_null(strstr(e.msg, "linux.resources.blockIO.throttleReadBpsDevice"));
	check_bandwidth(g, "20000", "50000", "20000 50000");
	check_value(g, CTRL_CPU, "cpu.shares", "cpu.weight", "512", "59");
	check_value(g, CTRL_CPU, "cpu.cfs_burst_us", "cpu.max.burst", "0", "0");
	check_memory(g, "67108864", "100663296", "33554432");
	check_value(g, CTRL_PIDS, "pids.max", "pids.max", "20", "20");
}

static void a_group_that_is_gone(void **state)
{
	const struct cgroup_limits l = {.pids_limit = SET(5)};
	struct group *g = *state;
	struct err e = ERR_INIT;

	CHECK_FAILS(cgroup_update(g->cg, &l, &e), ENOENT, e, g->path);
	assert_int_equal(cgroup_is_frozen(g->cg, &e), 0);
}

/* Every controller that this host lacks is named with the property that asks for it. */
static void a_missing_controller_is_named(void **state)
{
	const struct cgroup_limits l = {.memory_limit = SET(MB)};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	g->cg->at[CTRL_MEMORY] = NULL;
	g->cg->v2_loaded = true;
	CHECK_FAILS(cgroup_update(g->cg, &l, &e), EOPNOTSUPP, e, "linux.resources.memory.limit: ");
	assert_non_null(strstr(e.msg, "controller 'memory' is not available"));
}

/* Below a group that has processes cgroup2 gives no controllers, which matters to a limit only. */
static void a_controller_that_cannot_be_enabled(void **state)
{
	const struct cgroup_limits l = {.memory_limit = SET(64 * MB)};
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup *below;
	char path[128];
	pid_t pid;

	group_create(g, &no_limits);
	if (!need_controller(g, CTRL_MEMORY)->v2) {
		print_message("# needs the memory controller on cgroup2\n");
		skip();
	}
	(void)group_add(g);
	(void)snprintf(path, sizeof(path), "%s/below", g->path);
	CHECK_OK(cgroup_open(CGROUP_MANAGER_CGROUPFS, path, &below, &e), e);
	CHECK_FAILS(cgroup_create(below, &l, &e), EBUSY, e, "linux.resources.memory.limit: ");
	assert_non_null(strstr(e.msg, "enabling it in the groups above failed"));
	assert_int_equal(access(below->v2->dir, F_OK), -1);
	/* Without one it is a group like any other. */
	CHECK_OK(cgroup_create(below, &no_limits, &e), e);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body_wait(NULL));
	g->pids[g->n_pids++] = pid;
	CHECK_OK(cgroup_join(below, pid, false, &e), e);
	assert_string_equal(path_of(pid, below->v2), path);
	kill(pid, SIGKILL);
	(void)group_wait(g, pid);
	CHECK_OK(cgroup_destroy(below, &e), e);
	cgroup_free(below);
}

#define GROUP_TEST(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(memory_with_swap),
		GROUP_TEST(swap_needs_memory),
		GROUP_TEST(settings_of_v1),
		GROUP_TEST(limits_below_usage),
		GROUP_TEST(cpu_bandwidth),
		GROUP_TEST(cpu_bandwidth_below_a_limit),
		GROUP_TEST(cpu_burst),
		GROUP_TEST(cpu_shares_and_idle),
		GROUP_TEST(cpu_realtime),
		GROUP_TEST(cpu_realtime_below_new_groups),
		GROUP_TEST(cpuset),
		GROUP_TEST(pids_zero_is_a_limit),
		GROUP_TEST(huge_pages),
		GROUP_TEST(block_weight),
		GROUP_TEST(block_rates),
		GROUP_TEST(network_controllers),
		GROUP_TEST(rdma),
		GROUP_TEST(unified),
		GROUP_TEST(a_refused_update_changes_nothing),
		GROUP_TEST(a_group_that_is_gone),
		GROUP_TEST(a_missing_controller_is_named),
		GROUP_TEST(a_controller_that_cannot_be_enabled),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
