// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cgroup v1: making a group in one hierarchy, and limits as writes to v1 files. Where two files
 * bound each other (memory and memory+swap, quota and period and burst, real-time runtime and
 * period) the order of the writes follows from the direction of the change, so that every state in
 * between is one the kernel accepts; nothing is tried and retried.
 *
 * See Documentation/admin-guide/cgroup-v1/ and sched-bwc.rst in the kernel.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"

/* ---- making the group ---- */

/* How many components the group's path has. */
static size_t count_levels(const struct cgroup_hier *h)
{
	size_t n = 0;

	for (const char *p = h->dir + strlen(h->mount); *p; p++)
		n += *p == '/';
	return n;
}

/* The file in the level-th group on the way to h's (0: the hierarchy's root). Caller frees. */
static char *level_file(const struct cgroup_hier *h, size_t level, const char *file)
{
	const char *end = h->dir + strlen(h->mount);

	for (size_t i = 0; i < level; i++)
		end += 1 + strcspn(end + 1, "/");
	return mem_xprintf("%.*s/%s", (int)(end - h->dir), h->dir, file);
}

/*
 * A new cpuset has neither processors nor memory nodes and takes no process. Gives every group on
 * the way, and the new one unless own is false, what the group above it has.
 */
static int inherit_cpuset(struct cgroup_hier *h, const char *file, bool own, struct err *err)
{
	size_t levels = count_levels(h);
	char value[4096] = "", here[4096];

	for (size_t i = 0; i <= levels; i++) {
		FREE char *path = level_file(h, i, file);
		bool made = i > levels - h->n_made;
		ssize_t n = 0;
		int r = 0;

		if (i == levels && !own)
			break;
		if (!made)
			n = cgroup_read_at(AT_FDCWD, path, here, sizeof(here), err);
		if (n < 0)
			return (int)n;
		if (n > 0)
			memcpy(value, here, (size_t)n + 1);
		else
			r = io_write_value(AT_FDCWD, path, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Real-time budget is handed down: a new group above ours has none, and then ours can have none. */
static int budget_parents(struct cgroup_hier *h, const struct cgroup_limits *l, struct err *err)
{
	size_t levels = count_levels(h);
	char text[24];

	for (size_t i = levels - h->n_made + 1; i < levels; i++) {
		FREE char *period = level_file(h, i, "cpu.rt_period_us");
		FREE char *runtime = level_file(h, i, "cpu.rt_runtime_us");
		int r = 0;

		if (l->cpu_rt_period.set && l->cpu_rt_period.value > 0) {
			(void)snprintf(text, sizeof(text), "%llu",
				       (unsigned long long)l->cpu_rt_period.value);
			r = io_write_value(AT_FDCWD, period, text, err);
		}
		if (r == 0 && l->cpu_rt_runtime.set) {
			(void)snprintf(text, sizeof(text), "%lld",
				       (long long)l->cpu_rt_runtime.value);
			r = io_write_value(AT_FDCWD, runtime, text, err);
		}
		if (r < 0)
			return err_wrap(err, r, "linux.resources.cpu.realtimeRuntime");
	}
	return 0;
}

int cgroup_v1_make(struct cgroup *cg, struct cgroup_hier *h, const struct cgroup_limits *l,
		   struct err *err)
{
	int r = cgroup_mkdirs(h, err);

	(void)cg;
	if (r == 0 && h->ctrls & 1u << CTRL_CPUSET) {
		r = inherit_cpuset(h, "cpuset.cpus", !l->cpuset_cpus || !*l->cpuset_cpus, err);
		if (r == 0)
			r = inherit_cpuset(h, "cpuset.mems", !l->cpuset_mems || !*l->cpuset_mems,
					   err);
	}
	if (r == 0 && h->ctrls & 1u << CTRL_CPU && h->n_made > 1 && l->cpu_rt_runtime.set &&
	    l->cpu_rt_runtime.value != 0)
		r = budget_parents(h, l, err);
	return r;
}

/* ---- cpu ---- */

/*
 * A pair of amount per period. Amount first when it shrinks or loses its bound, else period first:
 * the share in between is never above both the old one and the new one.
 */
static int plan_share(struct cgroup_plan *p, struct cgroup_hier *h, const struct opt_i64 *amount,
		      const char *amount_file, const char *amount_property,
		      const struct opt_u64 *period, const char *period_file,
		      const char *period_property, struct err *err)
{
	bool first = false;
	int64_t now;

	if (amount->set) {
		int r = cgroup_plan_current(p, h, amount_file, amount->value, &now, err);

		if (r < 0)
			return r;
		first = amount->value < 0 || amount->value < now;
	}
	if (first)
		(void)cgroup_plan_add(p, h, amount_property, amount_file, "%lld",
				      (long long)amount->value);
	if (period->set && period->value > 0)
		(void)cgroup_plan_add(p, h, period_property, period_file, "%llu",
				      (unsigned long long)period->value);
	if (amount->set && !first)
		(void)cgroup_plan_add(p, h, amount_property, amount_file, "%lld",
				      (long long)amount->value);
	return 0;
}

static int plan_bandwidth(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct cgroup_limits *l = p->limits;
	struct opt_i64 quota = l->cpu_quota;
	int64_t burst = 0;
	bool first;
	int r = 0;

	if (l->cpu_burst.set && cgroup_has_file(h, "cpu.cfs_burst_us"))
		r = cgroup_plan_current(p, h, "cpu.cfs_burst_us", 0, &burst, err);
	if (r < 0)
		return r;
	if (quota.value <= 0)
		quota.value = -1;
	if (quota.value < 0 && p->fresh)
		quota.set = false;
	/* The burst may not exceed the quota at any moment. */
	first = l->cpu_burst.set && l->cpu_burst.value < (uint64_t)burst;
	if (first)
		(void)cgroup_plan_add(p, h, "cpu.burst", "cpu.cfs_burst_us", "%llu",
				      (unsigned long long)l->cpu_burst.value);
	r = plan_share(p, h, &quota, "cpu.cfs_quota_us", "cpu.quota", &l->cpu_period,
		       "cpu.cfs_period_us", "cpu.period", err);
	if (r == 0 && l->cpu_burst.set && !first)
		cgroup_plan_add(p, h, "cpu.burst", "cpu.cfs_burst_us", "%llu",
				(unsigned long long)l->cpu_burst.value)
			->may_be_missing = l->cpu_burst.value == 0;
	return r;
}

int cgroup_v1_cpu(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct cgroup_limits *l = p->limits;
	struct opt_i64 runtime = l->cpu_rt_runtime;
	int r;

	/* An idle group refuses shares: leave that state before, enter it after. */
	if (l->cpu_idle.set && l->cpu_idle.value == 0 && !p->fresh)
		cgroup_plan_add(p, h, "cpu.idle", "cpu.idle", "0")->may_be_missing = true;
	if (l->cpu_shares.set && l->cpu_shares.value > 0)
		(void)cgroup_plan_add(p, h, "cpu.shares", "cpu.shares", "%llu",
				      (unsigned long long)l->cpu_shares.value);
	if (l->cpu_idle.set && l->cpu_idle.value == 1)
		(void)cgroup_plan_add(p, h, "cpu.idle", "cpu.idle", "1");
	r = plan_bandwidth(p, h, err);
	if (r < 0)
		return r;
	if (runtime.value == 0 && p->fresh)
		runtime.set = false;
	return plan_share(p, h, &runtime, "cpu.rt_runtime_us", "cpu.realtimeRuntime",
			  &l->cpu_rt_period, "cpu.rt_period_us", "cpu.realtimePeriod", err);
}

/* ---- memory ---- */

static void plan_memory_file(struct cgroup_plan *p, struct cgroup_hier *h, const char *property,
			     const char *file, const struct opt_i64 *value)
{
	struct cgroup_change *c;

	if (!value->set || value->value == 0 || (value->value < 0 && p->fresh))
		return;
	c = cgroup_plan_add(p, h, property, file, "%lld", (long long)value->value);
	c->may_be_missing = value->value < 0;
}

/* Memory plus swap is never below memory: when it grows it goes first, else last. */
static int plan_memory_limits(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	static const char *const limit_file = "memory.limit_in_bytes";
	static const char *const swap_file = "memory.memsw.limit_in_bytes";
	const struct opt_i64 *limit = &p->limits->memory_limit;
	struct opt_i64 swap = p->limits->memory_swap;
	int64_t now = -1;
	bool grows;
	int r = 0;

	/* Memory without limit and no word on swap: a limit on both would keep that from being so.
	 */
	if (limit->set && limit->value < 0 && (!swap.set || swap.value == 0))
		swap = (struct opt_i64){true, -1};
	if (swap.set && swap.value > 0)
		r = cgroup_plan_current(p, h, swap_file, -1, &now, NULL);
	if (r == -ENOENT)
		r = 0; /* no swap accounting: the write itself will say so */
	if (r < 0)
		return err_set(err, -r, "read '%s' of cgroup '%s'", swap_file, p->cg->path);
	grows = swap.set && (swap.value < 0 || (now >= 0 && now < swap.value));
	if (grows)
		plan_memory_file(p, h, "memory.swap", swap_file, &swap);
	plan_memory_file(p, h, "memory.limit", limit_file, limit);
	if (!grows)
		plan_memory_file(p, h, "memory.swap", swap_file, &swap);
	r = cgroup_plan_check_usage(p, h, "memory.limit", limit->set ? limit->value : -1,
				    "memory.usage_in_bytes", err);
	if (r == 0)
		r = cgroup_plan_check_usage(p, h, "memory.swap", swap.set ? swap.value : -1,
					    "memory.memsw.usage_in_bytes", err);
	return r;
}

static int plan_use_hierarchy(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	static const char *const file = "memory.use_hierarchy";
	const struct opt_bool *want = &p->limits->memory_use_hierarchy;
	int64_t now = 1;
	int r;

	if (!want->set)
		return 0;
	/* Always on, and the file perhaps gone, since Linux 5.11. */
	r = cgroup_has_file(h, file) ? cgroup_read_limit(h, file, &now, err) : 0;
	if (r < 0 || want->value == (now == 1))
		return r;
	(void)cgroup_plan_add(p, h, "memory.useHierarchy", file, "%d", want->value);
	return 0;
}

/* Kernels keep the file for kernel memory longer than the limit behind it. */
static void plan_kernel_memory(struct cgroup_plan *p, struct cgroup_hier *h, const char *property,
			       const char *file, const struct opt_i64 *value)
{
	size_t n = p->n;

	plan_memory_file(p, h, property, file, value);
	if (p->n > n)
		p->changes[n].may_be_ignored = value->value > 0;
}

int cgroup_v1_memory(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct cgroup_limits *l = p->limits;
	int r = plan_use_hierarchy(p, h, err);

	if (r == 0)
		r = plan_memory_limits(p, h, err);
	if (r < 0)
		return r;
	plan_memory_file(p, h, "memory.reservation", "memory.soft_limit_in_bytes",
			 &l->memory_reservation);
	plan_kernel_memory(p, h, "memory.kernel", "memory.kmem.limit_in_bytes", &l->memory_kernel);
	plan_kernel_memory(p, h, "memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes",
			   &l->memory_kernel_tcp);
	if (l->memory_swappiness.set)
		(void)cgroup_plan_add(p, h, "memory.swappiness", "memory.swappiness", "%llu",
				      (unsigned long long)l->memory_swappiness.value);
	if (l->memory_disable_oom_killer.set && (l->memory_disable_oom_killer.value || !p->fresh))
		cgroup_plan_add(p, h, "memory.disableOOMKiller", "memory.oom_control", "%d",
				l->memory_disable_oom_killer.value)
			->undo = CGROUP_UNDO_OOM;
	return 0;
}

/* ---- block devices ---- */

static void plan_rates(struct cgroup_plan *p, struct cgroup_hier *h, const char *property,
		       const char *file, const struct cgroup_block_rate *rates, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cgroup_change *c =
			cgroup_plan_add(p, h, property, file, "%u:%u %llu", rates[i].major,
					rates[i].minor, (unsigned long long)rates[i].rate);

		c->undo = CGROUP_UNDO_KEYED;
		c->rest = "0";
	}
}

static void plan_weight(struct cgroup_plan *p, struct cgroup_hier *h, const char *property,
			const char *file, const struct cgroup_block_weight *device,
			const struct opt_u64 *weight)
{
	struct cgroup_change *c;

	if (!weight->set || weight->value == 0)
		return;
	if (!device) {
		(void)cgroup_plan_add(p, h, property, file, "%llu",
				      (unsigned long long)weight->value);
		return;
	}
	c = cgroup_plan_add(p, h, property, file, "%u:%u %llu", device->major, device->minor,
			    (unsigned long long)weight->value);
	c->undo = CGROUP_UNDO_KEYED;
	c->rest = "0";
}

int cgroup_v1_io(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct cgroup_limits *l = p->limits;
	bool bfq = (l->block_weight.set || l->n_block_weights > 0) &&
		   !cgroup_has_file(h, "blkio.weight");

	(void)err;
	plan_weight(p, h, "blockIO.weight", bfq ? "blkio.bfq.weight" : "blkio.weight", NULL,
		    &l->block_weight);
	plan_weight(p, h, "blockIO.leafWeight", "blkio.leaf_weight", NULL, &l->block_leaf_weight);
	for (size_t i = 0; i < l->n_block_weights; i++) {
		const struct cgroup_block_weight *w = &l->block_weights[i];

		plan_weight(p, h, "blockIO.weightDevice",
			    bfq ? "blkio.bfq.weight_device" : "blkio.weight_device", w, &w->weight);
		plan_weight(p, h, "blockIO.weightDevice", "blkio.leaf_weight_device", w,
			    &w->leaf_weight);
	}
	plan_rates(p, h, "blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device",
		   l->read_bps, l->n_read_bps);
	plan_rates(p, h, "blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device",
		   l->write_bps, l->n_write_bps);
	plan_rates(p, h, "blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device",
		   l->read_iops, l->n_read_iops);
	plan_rates(p, h, "blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device",
		   l->write_iops, l->n_write_iops);
	return 0;
}

/* ---- the rest ---- */

int cgroup_v1_hugetlb(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < p->limits->n_hugepages; i++) {
		const struct cgroup_hugepage *g = &p->limits->hugepages[i];
		unsigned long long limit = g->limit;
		const char *file;

		file = arena_printf(&p->arena, "hugetlb.%s.limit_in_bytes", g->page_size);
		(void)cgroup_plan_add(p, h, "hugepageLimits", file, "%llu", limit);
		file = arena_printf(&p->arena, "hugetlb.%s.rsvd.limit_in_bytes", g->page_size);
		cgroup_plan_add(p, h, "hugepageLimits", file, "%llu", limit)->may_be_missing = true;
	}
	return 0;
}

int cgroup_v1_net_cls(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	(void)err;
	if (p->limits->net_class_id.set)
		(void)cgroup_plan_add(p, h, "network.classID", "net_cls.classid", "%llu",
				      (unsigned long long)p->limits->net_class_id.value);
	return 0;
}

int cgroup_v1_net_prio(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < p->limits->n_net_priorities; i++) {
		const struct cgroup_net_priority *n = &p->limits->net_priorities[i];
		struct cgroup_change *c =
			cgroup_plan_add(p, h, "network.priorities", "net_prio.ifpriomap", "%s %u",
					n->interface, n->priority);

		c->undo = CGROUP_UNDO_KEYED;
		c->rest = "0";
	}
	return 0;
}
