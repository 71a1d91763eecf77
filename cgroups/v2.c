// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cgroup v2: making the group with every controller that can be had, and limits as writes to v2
 * files. Controllers are enabled in the groups above ours one write a group, and not at all where
 * they are on already; one that a group refuses (it has processes, say) is left out and only
 * matters when a limit asks for it.
 *
 * See Documentation/admin-guide/cgroup-v2.rst in the kernel.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"

/* ---- making the group ---- */

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

/* Enables one controller after the other, because one refusal refuses a whole write. */
static void enable_singly(struct cgroup *cg, const char *control, const char *missing)
{
	FREE char *copy = mem_xstrdup(missing);
	char *rest = copy, *word;

	while ((word = cgroup_word(&rest, " "))) {
		int r = io_write_value(AT_FDCWD, control, word, NULL);

		if (r < 0 && cg->enable_errno == 0)
			cg->enable_errno = -r;
	}
}

/*
 * Enables in the group dir what of available is not enabled for its children yet. available becomes
 * what the children have then. A failure is no error here, see the file's comment.
 */
static void enable_controllers(struct cgroup *cg, const char *dir, bool made, char *available,
			       size_t size)
{
	FREE char *control = mem_xprintf("%s/cgroup.subtree_control", dir);
	FREE char *words = mem_xstrdup(available);
	char enabled[1024] = "";
	char *rest = words, *word;
	BUF missing = BUF_INIT;
	int r;

	if (!made && cgroup_read_at(AT_FDCWD, control, enabled, sizeof(enabled), NULL) < 0)
		enabled[0] = '\0';
	while ((word = cgroup_word(&rest, " ")))
		if (!has_word(enabled, word))
			buf_addf(&missing, "%s+%s", missing.len ? " " : "", word);
	if (missing.len == 0)
		return;
	r = io_write_value(AT_FDCWD, control, missing.data, NULL);
	if (r == 0)
		return;
	/*
	 * A group that has processes refuses most controllers. It would take the thread-aware ones,
	 * but only by becoming the root of a threaded subtree, in which no container can live.
	 */
	if (r == -EBUSY)
		cg->enable_errno = EBUSY;
	else
		enable_singly(cg, control, missing.data);
	if (cgroup_read_at(AT_FDCWD, control, available, size, NULL) < 0)
		available[0] = '\0';
}

static void take_controllers(struct cgroup *cg, struct cgroup_hier *h, char *words)
{
	char *word;

	h->ctrls = 0;
	while ((word = cgroup_word(&words, " "))) {
		int ctrl = cgroup_ctrl_parse(word, strlen(word), true);

		if (ctrl < 0)
			continue;
		h->ctrls |= 1u << ctrl;
		if (!cg->at[ctrl])
			cg->at[ctrl] = h;
	}
	cg->v2_loaded = true;
}

int cgroup_v2_make(struct cgroup *cg, struct cgroup_hier *h, struct err *err)
{
	FREE char *dir = mem_xstrdup(h->dir);
	FREE char *root = mem_xprintf("%s/cgroup.controllers", h->mount);
	char available[1024];
	char *slash = dir + strlen(h->mount);
	bool made = false;
	ssize_t n;

	cg->enable_errno = 0;
	n = cgroup_read_at(AT_FDCWD, root, available, sizeof(available), err);
	if (n < 0)
		return (int)n;
	while (slash) {
		*slash = '\0';
		enable_controllers(cg, dir, made, available, sizeof(available));
		*slash = '/';
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		made = mkdir(dir, 0755) == 0;
		if (!made && errno != EEXIST)
			return err_sys(err, "create cgroup '%s'", dir);
		h->n_made += made;
		if (slash)
			*slash = '/';
	}
	take_controllers(cg, h, available);
	return 0;
}

void cgroup_v2_load(struct cgroup *cg)
{
	char words[1024];

	if (!cg->v2 || cg->v2_loaded)
		return;
	if (cgroup_read(cg->v2, "cgroup.controllers", words, sizeof(words), NULL) >= 0)
		take_controllers(cg, cg->v2, words);
}

/* ---- cpu ---- */

/* "QUOTA PERIOD": a period alone keeps the quota that is there. */
static int plan_cpu_max(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct opt_i64 *quota = &p->limits->cpu_quota;
	bool set_period = p->limits->cpu_period.set && p->limits->cpu_period.value > 0;
	const char *property = quota->set ? "cpu.quota" : "cpu.period";
	char amount[32] = "max", now[64];
	struct cgroup_change *c;

	if (!set_period && (!quota->set || (quota->value <= 0 && p->fresh)))
		return 0;
	if (quota->set && quota->value > 0) {
		(void)snprintf(amount, sizeof(amount), "%lld", (long long)quota->value);
	} else if (!quota->set && !p->fresh) {
		ssize_t n = cgroup_read(h, "cpu.max", now, sizeof(now), err);

		if (n < 0)
			return (int)n;
		(void)snprintf(amount, sizeof(amount), "%.*s", (int)strcspn(now, " "), now);
	}
	c = cgroup_plan_add(p, h, property, "cpu.max", "%s", amount);
	if (set_period)
		c->value = arena_printf(&p->arena, "%s %llu", amount,
					(unsigned long long)p->limits->cpu_period.value);
	return 0;
}

static int refuse_realtime(const struct cgroup_limits *l, struct err *err)
{
	if (l->cpu_rt_runtime.set && l->cpu_rt_runtime.value != 0)
		return cgroup_property_error(err, EOPNOTSUPP, "cpu.realtimeRuntime",
					     "cgroup v2 cannot limit real-time scheduling");
	if (l->cpu_rt_period.set && l->cpu_rt_period.value != 0)
		return cgroup_property_error(err, EOPNOTSUPP, "cpu.realtimePeriod",
					     "cgroup v2 cannot limit real-time scheduling");
	return 0;
}

int cgroup_v2_cpu(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct cgroup_limits *l = p->limits;
	int64_t burst = 0;
	bool first;
	int r = refuse_realtime(l, err);

	/* An idle group refuses weights: leave that state before, enter it after. */
	if (l->cpu_idle.set && l->cpu_idle.value == 0 && !p->fresh)
		cgroup_plan_add(p, h, "cpu.idle", "cpu.idle", "0")->may_be_missing = true;
	if (l->cpu_shares.set && l->cpu_shares.value > 0)
		(void)cgroup_plan_add(
			p, h, "cpu.shares", "cpu.weight", "%llu",
			(unsigned long long)cgroup_weight_of_shares(l->cpu_shares.value));
	if (l->cpu_idle.set && l->cpu_idle.value == 1)
		(void)cgroup_plan_add(p, h, "cpu.idle", "cpu.idle", "1");
	if (r == 0 && l->cpu_burst.set && cgroup_has_file(h, "cpu.max.burst"))
		r = cgroup_plan_current(p, h, "cpu.max.burst", 0, &burst, err);
	if (r < 0)
		return r;
	/* The burst may not exceed the quota at any moment. */
	first = l->cpu_burst.set && l->cpu_burst.value < (uint64_t)burst;
	if (first)
		(void)cgroup_plan_add(p, h, "cpu.burst", "cpu.max.burst", "%llu",
				      (unsigned long long)l->cpu_burst.value);
	r = plan_cpu_max(p, h, err);
	if (r == 0 && l->cpu_burst.set && !first)
		cgroup_plan_add(p, h, "cpu.burst", "cpu.max.burst", "%llu",
				(unsigned long long)l->cpu_burst.value)
			->may_be_missing = l->cpu_burst.value == 0;
	return r;
}

/* ---- memory ---- */

/* value: -1 is "max". Unlimited is what a fresh group has already. */
static struct cgroup_change *plan_size(struct cgroup_plan *p, struct cgroup_hier *h,
				       const char *property, const char *file, int64_t value)
{
	if (value < 0)
		return cgroup_plan_add(p, h, property, file, "max");
	return cgroup_plan_add(p, h, property, file, "%lld", (long long)value);
}

static int plan_swap(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct opt_i64 *limit = &p->limits->memory_limit;
	struct opt_i64 swap = p->limits->memory_swap;
	int64_t memory = limit->set ? limit->value : 0, value = -1;
	int r = 0;

	if (swap.value == 0)
		swap.set = limit->set && limit->value < 0;
	if (!swap.set)
		return 0;
	/* An update of swap alone counts from the memory limit that is in force. */
	if (memory == 0 && swap.value > 0 && !p->fresh)
		r = cgroup_read_limit(h, "memory.max", &memory, err);
	if (r == 0)
		r = cgroup_swap_of(swap.value, memory, &value, err);
	if (r == 0)
		r = cgroup_plan_check_usage(p, h, "memory.swap", value, "memory.swap.current", err);
	if (r < 0 || (value < 0 && p->fresh))
		return r;
	/* Without swap accounting there is nothing to lift, and nothing to forbid. */
	plan_size(p, h, "memory.swap", "memory.swap.max", value)->may_be_missing = value <= 0;
	return 0;
}

static int refuse_memory(const struct cgroup_limits *l, struct err *err)
{
	const char *property = NULL;

	if (l->memory_kernel.set && l->memory_kernel.value > 0)
		property = "memory.kernel";
	else if (l->memory_kernel_tcp.set && l->memory_kernel_tcp.value > 0)
		property = "memory.kernelTCP";
	else if (l->memory_swappiness.set)
		property = "memory.swappiness";
	else if (l->memory_disable_oom_killer.set && l->memory_disable_oom_killer.value)
		property = "memory.disableOOMKiller";
	else if (l->memory_use_hierarchy.set && !l->memory_use_hierarchy.value)
		property = "memory.useHierarchy";
	if (!property)
		return 0;
	return cgroup_property_error(err, EOPNOTSUPP, property, "cgroup v2 has no such setting");
}

int cgroup_v2_memory(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct opt_i64 *limit = &p->limits->memory_limit;
	const struct opt_i64 *low = &p->limits->memory_reservation;
	int r = refuse_memory(p->limits, err);

	if (r == 0)
		r = plan_swap(p, h, err);
	if (r == 0 && limit->set)
		r = cgroup_plan_check_usage(p, h, "memory.limit", limit->value ? limit->value : -1,
					    "memory.current", err);
	if (r < 0)
		return r;
	if (limit->set && limit->value != 0 && (limit->value > 0 || !p->fresh))
		(void)plan_size(p, h, "memory.limit", "memory.max", limit->value);
	if (low->set && low->value != 0)
		(void)plan_size(p, h, "memory.reservation", "memory.low", low->value);
	return 0;
}

/* ---- block devices ---- */

static bool same_device(const struct cgroup_block_rate *a, const struct cgroup_block_rate *b)
{
	return a->major == b->major && a->minor == b->minor;
}

static const struct cgroup_block_rate *find_rate(const struct cgroup_block_rate *rates, size_t n,
						 const struct cgroup_block_rate *device)
{
	for (size_t i = n; i-- > 0;)
		if (same_device(&rates[i], device))
			return &rates[i];
	return NULL;
}

struct rates {
	const char *property, *key;
	const struct cgroup_block_rate *v;
	size_t n;
};

/* One line for a device: what each of the four lists says about it. A rate of 0 lifts the limit. */
static void plan_device_rates(struct cgroup_plan *p, struct cgroup_hier *h,
			      const struct rates lists[4], const char *property,
			      const struct cgroup_block_rate *device)
{
	struct cgroup_change *c =
		cgroup_plan_add(p, h, property, "io.max", "%u:%u", device->major, device->minor);

	for (size_t i = 0; i < 4; i++) {
		const struct cgroup_block_rate *rate = find_rate(lists[i].v, lists[i].n, device);

		if (rate && rate->rate > 0)
			c->value = arena_printf(&p->arena, "%s %s=%llu", c->value, lists[i].key,
						(unsigned long long)rate->rate);
		else if (rate)
			c->value = arena_printf(&p->arena, "%s %s=max", c->value, lists[i].key);
	}
	c->undo = CGROUP_UNDO_KEYED;
	c->rest = "rbps=max wbps=max riops=max wiops=max";
}

static void plan_rates(struct cgroup_plan *p, struct cgroup_hier *h)
{
	const struct cgroup_limits *l = p->limits;
	const struct rates lists[4] = {
		{"blockIO.throttleReadBpsDevice", "rbps", l->read_bps, l->n_read_bps},
		{"blockIO.throttleWriteBpsDevice", "wbps", l->write_bps, l->n_write_bps},
		{"blockIO.throttleReadIOPSDevice", "riops", l->read_iops, l->n_read_iops},
		{"blockIO.throttleWriteIOPSDevice", "wiops", l->write_iops, l->n_write_iops},
	};

	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < lists[i].n; k++) {
			const struct cgroup_block_rate *device = &lists[i].v[k];
			bool seen = find_rate(lists[i].v, k, device) != NULL;

			for (size_t before = 0; before < i; before++)
				seen |= find_rate(lists[before].v, lists[before].n, device) != NULL;
			if (!seen)
				plan_device_rates(p, h, lists, lists[i].property, device);
		}
	}
}

int cgroup_v2_io(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct cgroup_limits *l = p->limits;
	bool weights = (l->block_weight.set && l->block_weight.value > 0) || l->n_block_weights > 0;
	bool bfq = weights && cgroup_has_file(h, "io.bfq.weight");
	const char *file = bfq ? "io.bfq.weight" : "io.weight";

	if (l->block_leaf_weight.set && l->block_leaf_weight.value > 0)
		return cgroup_property_error(err, EOPNOTSUPP, "blockIO.leafWeight",
					     "cgroup v2 has no such setting");
	if (l->block_weight.set && l->block_weight.value > 0) {
		uint64_t w = l->block_weight.value;
		struct cgroup_change *c =
			cgroup_plan_add(p, h, "blockIO.weight", file, "default %llu",
					(unsigned long long)(bfq ? w : cgroup_io_weight_of(w)));

		c->undo = CGROUP_UNDO_KEYED;
		c->rest = "100";
	}
	for (size_t i = 0; i < l->n_block_weights; i++) {
		const struct cgroup_block_weight *d = &l->block_weights[i];
		uint64_t w = d->weight.value;
		struct cgroup_change *c;

		if (d->leaf_weight.set && d->leaf_weight.value > 0)
			return cgroup_property_error(err, EOPNOTSUPP, "blockIO.weightDevice",
						     "cgroup v2 has no leafWeight");
		if (!d->weight.set || w == 0)
			continue;
		c = cgroup_plan_add(p, h, "blockIO.weightDevice", file, "%u:%u %llu", d->major,
				    d->minor,
				    (unsigned long long)(bfq ? w : cgroup_io_weight_of(w)));
		c->undo = CGROUP_UNDO_KEYED;
		c->rest = "default";
	}
	plan_rates(p, h);
	return 0;
}

/* ---- the rest ---- */

int cgroup_v2_hugetlb(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < p->limits->n_hugepages; i++) {
		const struct cgroup_hugepage *g = &p->limits->hugepages[i];
		unsigned long long limit = g->limit;
		const char *file;

		file = arena_printf(&p->arena, "hugetlb.%s.max", g->page_size);
		(void)cgroup_plan_add(p, h, "hugepageLimits", file, "%llu", limit);
		file = arena_printf(&p->arena, "hugetlb.%s.rsvd.max", g->page_size);
		cgroup_plan_add(p, h, "hugepageLimits", file, "%llu", limit)->may_be_missing = true;
	}
	return 0;
}

/* Why a file of unified cannot be there on this host, or 0. */
static int check_unified(const struct cgroup *cg, const struct cgroup_unified *u,
			 const char *property, struct err *err)
{
	size_t len = strcspn(u->file, ".");
	int ctrl = cgroup_ctrl_parse(u->file, len, true);

	if (!cg->v2)
		return cgroup_property_error(err, EOPNOTSUPP, property,
					     "this host has no cgroup v2");
	if (ctrl >= 0 && cg->at[ctrl] && !cg->at[ctrl]->v2)
		return cgroup_property_error(err, EOPNOTSUPP, property,
					     "controller '%s' is on cgroup v1 on this host",
					     cgroup_ctrl_name((enum cgroup_ctrl)ctrl, true));
	if (ctrl >= 0 && !cg->at[ctrl])
		return cgroup_property_error(err, EOPNOTSUPP, property,
					     "controller '%s' is not available to cgroup '%s'",
					     cgroup_ctrl_name((enum cgroup_ctrl)ctrl, true),
					     cg->path);
	return 0;
}

/* Files of several lines take one line a write. */
int cgroup_v2_unified(struct cgroup_plan *p, struct err *err)
{
	for (size_t i = 0; i < p->limits->n_unified; i++) {
		const struct cgroup_unified *u = &p->limits->unified[i];
		const char *property = arena_printf(&p->arena, "unified.%s", u->file);
		char *rest = arena_strdup(&p->arena, u->value), *line;
		int r = check_unified(p->cg, u, property, err);

		if (r < 0)
			return r;
		if (!strchr(u->value, '\n')) {
			cgroup_plan_add(p, p->cg->v2, property, u->file, "%s", "")->value =
				u->value;
			continue;
		}
		while ((line = cgroup_word(&rest, "\n"))) {
			struct cgroup_change *c =
				cgroup_plan_add(p, p->cg->v2, property, u->file, "%s", "");

			c->value = line;
			c->undo = CGROUP_UNDO_KEYED;
		}
	}
	return 0;
}
