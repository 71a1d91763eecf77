// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits as a list of single writes. Each controller's planner (v1.c, v2.c and the ones here whose
 * files are the same on both) appends what the configuration asks for, in an order the kernel
 * accepts; nothing is written before all of them agreed. A run notes what each file said before it
 * is written and puts that back in reverse order when a write fails, except in a group that was
 * just made: that one is removed instead.
 *
 * A limit of 0 that means nothing to the kernel (memory, shares, period, weight) counts as not
 * given, because container engines send it so; "no limit" (-1) is fine where the host lacks the
 * controller.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"

#define FILE_MAX (1u << 20)

struct cgroup_change *cgroup_plan_add(struct cgroup_plan *p, struct cgroup_hier *h,
				      const char *property, const char *file, const char *fmt, ...)
{
	struct cgroup_change *c;
	char value[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->changes = mem_xrealloc(p->changes, p->cap, sizeof(*p->changes));
	}
	c = &p->changes[p->n++];
	*c = (struct cgroup_change){.hier = h, .file = file, .property = property};
	c->value = arena_strdup(&p->arena, value);
	return c;
}

void cgroup_plan_release(struct cgroup_plan *p)
{
	free(p->changes);
	arena_release(&p->arena);
}

int cgroup_plan_current(struct cgroup_plan *p, struct cgroup_hier *h, const char *file,
			int64_t fallback, int64_t *ret, struct err *err)
{
	*ret = fallback;
	if (p->fresh)
		return 0;
	return cgroup_read_limit(h, file, ret, err);
}

int cgroup_plan_check_usage(struct cgroup_plan *p, struct cgroup_hier *h, const char *property,
			    int64_t limit, const char *file, struct err *err)
{
	const struct opt_bool *check = &p->limits->memory_check_before_update;
	int64_t usage;

	if (p->fresh || !check->set || !check->value || limit < 0)
		return 0;
	/* A usage that cannot be read cannot be compared: the kernel still has the last word. */
	if (cgroup_read_limit(h, file, &usage, NULL) < 0 || usage <= limit)
		return 0;
	return cgroup_property_error(err, EBUSY, property,
				     "%lld is below the %lld bytes in use (checkBeforeUpdate)",
				     (long long)limit, (long long)usage);
}

/* ---- controllers whose files are the same on v1 and v2 ---- */

static int plan_pids(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct opt_i64 *limit = &p->limits->pids_limit;

	(void)err;
	if (!limit->set || (limit->value < 0 && p->fresh))
		return 0;
	if (limit->value < 0)
		(void)cgroup_plan_add(p, h, "pids.limit", "pids.max", "max");
	else
		(void)cgroup_plan_add(p, h, "pids.limit", "pids.max", "%lld",
				      (long long)limit->value);
	return 0;
}

static int plan_cpuset(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	const struct cgroup_limits *l = p->limits;
	struct cgroup_change *c;

	(void)err;
	if (l->cpuset_cpus && *l->cpuset_cpus) {
		c = cgroup_plan_add(p, h, "cpu.cpus", "cpuset.cpus", "%s", "");
		c->value = l->cpuset_cpus;
	}
	if (l->cpuset_mems && *l->cpuset_mems) {
		c = cgroup_plan_add(p, h, "cpu.mems", "cpuset.mems", "%s", "");
		c->value = l->cpuset_mems;
	}
	return 0;
}

static int plan_rdma(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < p->limits->n_rdma; i++) {
		const struct cgroup_rdma *d = &p->limits->rdma[i];
		char handles[32] = "", objects[32] = "";
		struct cgroup_change *c;

		if (d->hca_handles.set)
			(void)snprintf(handles, sizeof(handles), " hca_handle=%llu",
				       (unsigned long long)d->hca_handles.value);
		if (d->hca_objects.set)
			(void)snprintf(objects, sizeof(objects), " hca_object=%llu",
				       (unsigned long long)d->hca_objects.value);
		if (!*handles && !*objects)
			continue;
		c = cgroup_plan_add(p, h, "rdma", "rdma.max", "%s%s%s", d->device, handles,
				    objects);
		c->undo = CGROUP_UNDO_KEYED;
		c->rest = "hca_handle=max hca_object=max";
	}
	return 0;
}

typedef int planner(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err);

/* In the order of writing: what frees or bounds memory first, what the others do not depend on
 * last. */
static const struct {
	enum cgroup_ctrl ctrl;
	planner *v1, *v2;
} planners[] = {
	{CTRL_CPUSET, plan_cpuset, plan_cpuset},
	{CTRL_CPU, cgroup_v1_cpu, cgroup_v2_cpu},
	{CTRL_MEMORY, cgroup_v1_memory, cgroup_v2_memory},
	{CTRL_PIDS, plan_pids, plan_pids},
	{CTRL_IO, cgroup_v1_io, cgroup_v2_io},
	{CTRL_HUGETLB, cgroup_v1_hugetlb, cgroup_v2_hugetlb},
	{CTRL_RDMA, plan_rdma, plan_rdma},
	{CTRL_NET_CLS, cgroup_v1_net_cls, NULL},
	{CTRL_NET_PRIO, cgroup_v1_net_prio, NULL},
};

static int lacks_controller(const struct cgroup *cg, enum cgroup_ctrl ctrl, const char *property,
			    struct err *err)
{
	bool v1_only = ctrl == CTRL_NET_CLS || ctrl == CTRL_NET_PRIO;
	const char *name = cgroup_ctrl_name(ctrl, cg->unified);

	if (cg->unified && v1_only)
		return cgroup_property_error(err, EOPNOTSUPP, property,
					     "cgroup v2 has no '%s' controller", name);
	if (cg->enable_errno)
		return cgroup_property_error(
			err, cg->enable_errno, property,
			"controller '%s' is not available to cgroup '%s': enabling "
			"it in the groups above failed: %s",
			name, cg->path, strerrordesc_np(cg->enable_errno));
	return cgroup_property_error(err, EOPNOTSUPP, property,
				     "controller '%s' is not available to cgroup '%s' on this host",
				     name, cg->path);
}

int cgroup_plan_make(struct cgroup_plan *p, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(planners); i++) {
		enum cgroup_ctrl ctrl = planners[i].ctrl;
		struct cgroup_hier *h = p->cg->at[ctrl];
		planner *make = !h ? NULL : h->v2 ? planners[i].v2 : planners[i].v1;
		const char *property = make ? NULL : cgroup_limits_need(p->limits, ctrl);
		int r = 0;

		if (make)
			r = make(p, h, err);
		else if (property)
			r = lacks_controller(p->cg, ctrl, property, err);
		if (r < 0)
			return r;
	}
	return cgroup_v2_unified(p, err);
}

/* ---- running a plan ---- */

/* The line of text that begins with the first word of value, or NULL. Cuts text. */
static char *find_keyed(char *text, const char *value)
{
	size_t len = strcspn(value, " ");
	char *line;

	while ((line = strsep(&text, "\n")))
		if (strncmp(line, value, len) == 0 && line[len] == ' ')
			return line;
	return NULL;
}

/*
 * A cpuset that was never set cannot become so again while it has processes; what it has from the
 * groups above can be named instead.
 */
static bool read_effective(struct cgroup_plan *p, const struct cgroup_change *c, const char **ret)
{
	const char *file = arena_printf(&p->arena, "%s.effective", c->file);
	char text[4096];

	if (cgroup_read(c->hier, file, text, sizeof(text), NULL) <= 0)
		return false;
	*ret = arena_strdup(&p->arena, text);
	return true;
}

/* What has to be written into c's file to make it say again what it says now; NULL: not known. */
static int read_old(struct cgroup_plan *p, const struct cgroup_change *c, const char **ret,
		    struct err *err)
{
	BUF text = BUF_INIT;
	char *line;
	int r;

	r = io_read_file(cgroup_hier_fd(c->hier, NULL), c->file, FILE_MAX, &text, err);
	if (r < 0)
		return r;
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	if (text.len == 0 && read_effective(p, c, ret))
		return 0;
	if (c->undo == CGROUP_UNDO_OOM) {
		*ret = strstr(buf_str(&text), "oom_kill_disable 1") ? "1" : "0";
	} else if (c->undo == CGROUP_UNDO_KEYED || strchr(buf_str(&text), '\n')) {
		line = text.data ? find_keyed(text.data, c->value) : NULL;
		if (line)
			*ret = arena_strdup(&p->arena, line);
		else if (c->rest)
			*ret = arena_printf(&p->arena, "%.*s %s", (int)strcspn(c->value, " "),
					    c->value, c->rest);
	} else {
		*ret = arena_strdup(&p->arena, buf_str(&text));
	}
	return 0;
}

static int run_change(struct cgroup_plan *p, const struct cgroup_change *c, const char **ret_old,
		      struct err *err)
{
	int64_t now;
	int r = 0;

	*ret_old = NULL;
	if (!p->fresh && c->undo != CGROUP_UNDO_NONE)
		r = read_old(p, c, ret_old, err);
	if (r == 0)
		r = cgroup_write(c->hier, c->file, c->value, err);
	if (r == 0 && c->may_be_ignored && cgroup_read_limit(c->hier, c->file, &now, NULL) == 0 &&
	    now < 0)
		return cgroup_property_error(err, EOPNOTSUPP, c->property,
					     "this kernel ignores '%s'", c->file);
	if (r == -ENOENT && c->may_be_missing)
		return 0;
	if (r == -ENOENT)
		return cgroup_property_error(err, EOPNOTSUPP, c->property,
					     "the kernel has no file '%s' in cgroup '%s'", c->file,
					     p->cg->path);
	if (r < 0)
		return err_wrap(err, r, "linux.resources.%s", c->property);
	return 0;
}

int cgroup_plan_run(struct cgroup_plan *p, struct err *err)
{
	const char **old = arena_alloc(&p->arena, p->n + 1, sizeof(*old));
	size_t n = 0;
	int r = 0;

	while (n < p->n && r == 0) {
		r = run_change(p, &p->changes[n], &old[n], err);
		n += r == 0;
	}
	if (r == 0 && p->then)
		r = p->then(p->arg, err);
	while (r < 0 && !p->fresh && n-- > 0) {
		if (old[n])
			cgroup_put(p->changes[n].hier, p->changes[n].file,
				   *old[n] ? old[n] : "\n");
	}
	return r;
}
