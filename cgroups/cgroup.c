// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A group: named, made in every hierarchy with its limits and device rules, changed, given to
 * another user. What is made is undone on failure, directory by directory.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

#define DELEGATE_LIST_MAX 4096

int cgroup_open(enum cgroup_manager manager, const char *path, struct cgroup **ret, struct err *err)
{
	FREE char *clean = NULL;
	struct cgroup *cg;
	int r = 0;

	if (path[0] != '/')
		return err_set(err, EINVAL, "linux.cgroupsPath: '%s' is not absolute", path);
	clean = path_clean(path);
	if (strcmp(clean, "/") == 0 || clean[0] != '/')
		return err_set(err, EINVAL, "linux.cgroupsPath: '%s' names no group of its own",
			       path);
	if (strlen(clean) >= PATH_MAX - 256 || strchr(clean, '\n'))
		return err_set(err, EINVAL, "linux.cgroupsPath: too long, or holds a line break");
	cg = mem_xalloc(sizeof(*cg));
	cg->manager = manager;
	cg->path = arena_strdup(&cg->arena, clean);
	if (manager != CGROUP_MANAGER_DISABLED)
		r = cgroup_detect(cg, err);
	if (r < 0) {
		cgroup_free(cg);
		return r;
	}
	*ret = cg;
	return 0;
}

void cgroup_free(struct cgroup *cg)
{
	if (!cg)
		return;
	for (size_t i = 0; i < cg->n_hiers; i++)
		fd_close(cg->hiers[i].fd);
	arena_release(&cg->arena);
	free(cg);
}

int cgroup_disabled(struct err *err, const char *what)
{
	return err_set(err, EOPNOTSUPP, "cannot %s: cgroups are disabled", what);
}

/* Device rules are no limit here: every engine sends some, and they only take away. */
static int refuse_limits(const struct cgroup_limits *l, struct err *err)
{
	for (int c = 0; c < CTRL_MAX; c++) {
		const char *property = cgroup_limits_need(l, (enum cgroup_ctrl)c);

		if (property)
			return cgroup_property_error(err, EOPNOTSUPP, property,
						     "cgroups are disabled");
	}
	if (l->n_unified > 0)
		return cgroup_property_error(err, EOPNOTSUPP, "unified", "cgroups are disabled");
	return 0;
}

bool cgroup_is_unified(const struct cgroup *cg)
{
	return cg->unified;
}

/* ---- create ---- */

static int refuse_used(struct cgroup *cg, struct err *err)
{
	int frozen;

	for (size_t i = 0; i < cg->n_hiers; i++) {
		PID_LIST list = {0};
		int r;

		if (cg->hiers[i].n_made > 0)
			continue;
		r = cgroup_hier_pids(&cg->hiers[i], &list, err);
		if (r < 0)
			return r;
		if (list.n > 0)
			return err_set(err, EBUSY,
				       "cgroup '%s' is in use: it has %zu processes, %d among them",
				       cg->path, list.n, list.pids[0]);
	}
	frozen = cgroup_is_frozen(cg, err);
	if (frozen > 0)
		return err_set(err, EBUSY, "cgroup '%s' exists and is frozen", cg->path);
	return frozen;
}

static int make_groups(struct cgroup *cg, const struct cgroup_limits *l, bool *ret_fresh,
		       struct err *err)
{
	*ret_fresh = true;
	for (size_t i = 0; i < cg->n_hiers; i++)
		if (!cg->born || !cg->hiers[i].v2)
			cg->hiers[i].n_made = 0;
	for (size_t i = 0; i < cg->n_hiers; i++) {
		struct cgroup_hier *h = &cg->hiers[i];
		int r = 0;

		if (!h->v2)
			r = cgroup_v1_make(cg, h, l, err);
		else if (!cg->born)
			r = cgroup_v2_make(cg, h, err);
		if (r < 0)
			return r;
		if (h->n_made == 0)
			*ret_fresh = false;
	}
	return *ret_fresh ? 0 : refuse_used(cg, err);
}

static int apply_limits(struct cgroup_plan *plan, struct err *err)
{
	int r = cgroup_plan_make(plan, err);

	if (r == 0)
		r = cgroup_plan_run(plan, err);
	cgroup_plan_release(plan);
	return r;
}

int cgroup_birth_fd(struct cgroup *cg)
{
	if (!cg->v2 || cg->manager == CGROUP_MANAGER_DISABLED)
		return -1;
	/* What is wrong here cgroup_create will find wrong again, and say so. */
	if (cgroup_v2_make(cg, cg->v2, NULL) < 0 || cg->v2->n_made == 0) {
		cgroup_unmake(cg);
		return -1;
	}
	cg->born = true;
	return cgroup_v2_fd(cg);
}

int cgroup_create(struct cgroup *cg, const struct cgroup_limits *limits, struct err *err)
{
	struct cgroup_plan plan = {.cg = cg, .limits = limits};
	int r = cgroup_limits_check(limits, err);

	if (r < 0)
		return r;
	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return refuse_limits(limits, err);
	if (limits->memory_swap.set && limits->memory_swap.value > 0 &&
	    (!limits->memory_limit.set || limits->memory_limit.value == 0))
		return cgroup_property_error(
			err, EINVAL, "memory.swap",
			"memory plus swap cannot be limited without memory.limit");
	r = make_groups(cg, limits, &plan.fresh, err);
	if (r == 0)
		r = apply_limits(&plan, err);
	if (r == 0)
		r = cgroup_devices_apply(cg, limits, err);
	if (r < 0)
		cgroup_unmake(cg);
	cg->born = false;
	cg->no_fork = limits->pids_limit.set && limits->pids_limit.value == 0 &&
		      cg->at[CTRL_PIDS] && cg->at[CTRL_PIDS]->v2;
	return r;
}

int cgroup_update_then(struct cgroup *cg, const struct cgroup_limits *limits, cgroup_then *then,
		       void *arg, struct err *err)
{
	struct cgroup_plan plan = {.cg = cg, .limits = limits, .then = then, .arg = arg};
	int r = cgroup_limits_check(limits, err);

	if (r < 0)
		return r;
	if (cg->manager == CGROUP_MANAGER_DISABLED) {
		r = refuse_limits(limits, err);
		return r == 0 && then ? then(arg, err) : r;
	}
	r = cgroup_hier_fd(cgroup_main_hier(cg), err);
	if (r < 0)
		return r;
	cgroup_v2_load(cg);
	return apply_limits(&plan, err);
}

int cgroup_update(struct cgroup *cg, const struct cgroup_limits *limits, struct err *err)
{
	return cgroup_update_then(cg, limits, NULL, NULL, err);
}

/* ---- delegate ---- */

int cgroup_delegate(struct cgroup *cg, uint32_t uid, uint32_t gid, struct err *err)
{
	char list[DELEGATE_LIST_MAX];
	char *rest = list, *file;
	int dirfd;

	if (!cg->v2 || cg->manager == CGROUP_MANAGER_DISABLED)
		return 0;
	dirfd = cgroup_hier_fd(cg->v2, err);
	if (dirfd < 0)
		return dirfd;
	if (fchownat(dirfd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return err_sys(err, "delegate cgroup '%s' to %u:%u", cg->v2->dir, uid, gid);
	/* Before Linux 4.15 the list of files was not to be had from the kernel. */
	if (cgroup_read_at(AT_FDCWD, "/sys/kernel/cgroup/delegate", list, sizeof(list), NULL) <= 0)
		(void)snprintf(list, sizeof(list),
			       "cgroup.procs\ncgroup.subtree_control\ncgroup.threads");
	while ((file = cgroup_word(&rest, "\n")))
		if (fchownat(dirfd, file, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return err_sys(err, "delegate '%s/%s' to %u:%u", cg->v2->dir, file, uid,
				       gid);
	return 0;
}
