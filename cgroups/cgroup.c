// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a group: named, made in every hierarchy with its limits and device rules, joined by
 * processes, changed, removed. What is made is undone on failure, directory by directory; removing
 * takes one rmdir(2) a hierarchy when the processes are gone, as they normally are.
 *
 * Joining. A process moved by its number in cgroup.procs makes the kernel take a lock of all
 * threads of the host (cgroup_threadgroup_rwsem), whose first taker in a while waits for an RCU
 * grace period: on an idle host with nine v1 hierarchies 3.5 to 4.2 ms in the first write, 10 us in
 * each other one. A thread that writes "0" into the v1 file tasks moves itself, and for that the
 * kernel skips the lock: 0.15 to 0.3 ms for all. CLONE_INTO_CGROUP does not take it either. Order
 * of the hierarchies, and cgroup.procs against tasks with a number, made no difference.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"

#define DESTROY_TIMEOUT_MS   10000
#define DESTROY_PAUSE_MAX_MS 50
#define REMAINS_TIMEOUT_MS   1000
#define DELEGATE_LIST_MAX    4096
#define GROUPS_OF_MAX	     (1u << 20)

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

/* ---- create ---- */

static int refuse_used(struct cgroup *cg, struct err *err)
{
	int frozen;

	for (size_t i = 0; i < cg->n_hiers; i++) {
		struct cgroup_pid_list list = {0};
		FREE pid_t *pids = NULL;
		int r;

		if (cg->hiers[i].n_made > 0)
			continue;
		r = cgroup_hier_pids(&cg->hiers[i], &list, err);
		pids = list.pids;
		if (r < 0)
			return r;
		if (list.n > 0)
			return err_set(err, EBUSY,
				       "cgroup '%s' is in use: it has %zu processes, %d among them",
				       cg->path, list.n, pids[0]);
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
		cg->hiers[i].n_made = 0;
	for (size_t i = 0; i < cg->n_hiers; i++) {
		struct cgroup_hier *h = &cg->hiers[i];
		int r = h->v2 ? cgroup_v2_make(cg, h, err) : cgroup_v1_make(cg, h, l, err);

		if (r < 0)
			return r;
		if (h->n_made == 0)
			*ret_fresh = false;
	}
	return *ret_fresh ? 0 : refuse_used(cg, err);
}

/* Removes what cgroup_create made, deepest first. */
static void unmake_groups(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n_hiers; i++) {
		struct cgroup_hier *h = &cg->hiers[i];
		FREE char *dir = mem_xstrdup(h->dir);

		for (; h->n_made > 0; h->n_made--) {
			(void)rmdir(dir);
			*strrchr(dir, '/') = '\0';
		}
		fd_replace(&h->fd, -1);
	}
}

static int apply_limits(struct cgroup *cg, const struct cgroup_limits *l, bool fresh,
			struct err *err)
{
	struct cgroup_plan plan = {.cg = cg, .limits = l, .fresh = fresh};
	int r = cgroup_plan_make(&plan, err);

	if (r == 0)
		r = cgroup_plan_run(&plan, err);
	cgroup_plan_release(&plan);
	return r;
}

int cgroup_create(struct cgroup *cg, const struct cgroup_limits *limits, struct err *err)
{
	int r = cgroup_limits_check(limits, err);
	bool fresh;

	if (r < 0)
		return r;
	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return refuse_limits(limits, err);
	if (limits->memory_swap.set && limits->memory_swap.value > 0 &&
	    (!limits->memory_limit.set || limits->memory_limit.value == 0))
		return cgroup_property_error(
			err, EINVAL, "memory.swap",
			"memory plus swap cannot be limited without memory.limit");
	r = make_groups(cg, limits, &fresh, err);
	if (r == 0)
		r = apply_limits(cg, limits, fresh, err);
	if (r == 0)
		r = cgroup_devices_apply(cg, limits, err);
	if (r < 0)
		unmake_groups(cg);
	cg->no_fork = limits->pids_limit.set && limits->pids_limit.value == 0 &&
		      cg->at[CTRL_PIDS] && cg->at[CTRL_PIDS]->v2;
	return r;
}

int cgroup_update(struct cgroup *cg, const struct cgroup_limits *limits, struct err *err)
{
	int r = cgroup_limits_check(limits, err);

	if (r < 0)
		return r;
	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return refuse_limits(limits, err);
	r = cgroup_hier_fd(cgroup_main_hier(cg), err);
	if (r < 0)
		return r;
	cgroup_v2_load(cg);
	return apply_limits(cg, limits, false, err);
}

/* ---- join ---- */

bool cgroup_is_unified(const struct cgroup *cg)
{
	return cg->unified;
}

int cgroup_v2_fd(const struct cgroup *cg)
{
	if (!cg->v2 || cg->no_fork || cg->manager == CGROUP_MANAGER_DISABLED)
		return -1;
	return cgroup_hier_fd(cg->v2, NULL) < 0 ? -1 : cg->v2->fd;
}

/* dir: "" or a path that ends in "/", relative to dirfd. */
static int join_dir(const struct cgroup_hier *h, int dirfd, const char *dir, pid_t pid,
		    struct err *err)
{
	const char *name = pid == 0 && !h->v2 ? "tasks" : "cgroup.procs";
	char file[PATH_MAX + 16], number[16];
	int r;

	(void)snprintf(number, sizeof(number), "%d", pid);
	(void)snprintf(file, sizeof(file), "%s%s", dir, name);
	r = io_write_value(dirfd, file, number, err);
	if (r == -EOPNOTSUPP && h->v2) {
		(void)snprintf(file, sizeof(file), "%scgroup.threads", dir);
		r = io_write_value(dirfd, file, number, err);
	}
	return r < 0 ? err_wrap(err, r, "join cgroup '%s'", h->dir) : 0;
}

static int join_hier(const struct cgroup_hier *h, pid_t pid, struct err *err)
{
	char dir[PATH_MAX];

	/* By path and not by descriptor: most hierarchies of a v1 host are used only here. */
	(void)snprintf(dir, sizeof(dir), "%s/", h->dir);
	return join_dir(h, AT_FDCWD, dir, pid, err);
}

int cgroup_join(struct cgroup *cg, pid_t pid, bool in_v2, struct err *err)
{
	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return 0;
	for (size_t i = 0; i < cg->n_hiers; i++) {
		const struct cgroup_hier *h = &cg->hiers[i];
		int r = h->v2 && in_v2 ? 0 : join_hier(h, pid, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Joins the group that process init is in now, below h's; r and err say why not h's itself. */
static int join_group_of(struct cgroup *cg, const struct cgroup_hier *h, pid_t init, pid_t pid,
			 int r, struct err *err)
{
	FREE char *file = mem_xprintf("/proc/%d/cgroup", init);
	size_t len = strlen(h->dir);
	BUF text = BUF_INIT;
	const char *own;

	if (io_read_file(AT_FDCWD, file, GROUPS_OF_MAX, &text, NULL) < 0)
		return r;
	own = cgroup_dir_of(&cg->arena, h, buf_str(&text));
	if (strncmp(own, h->dir, len) != 0 || own[len] != '/')
		return r;
	own = arena_printf(&cg->arena, "%s/", own);
	return strlen(own) < PATH_MAX ? join_dir(h, AT_FDCWD, own, pid, err) : r;
}

int cgroup_join_beside(struct cgroup *cg, pid_t init, pid_t pid, bool in_v2, struct err *err)
{
	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return 0;
	for (size_t i = 0; i < cg->n_hiers; i++) {
		const struct cgroup_hier *h = &cg->hiers[i];
		int r = h->v2 && in_v2 ? 0 : join_hier(h, pid, err);

		if (r == -EBUSY && h->v2)
			r = join_group_of(cg, h, init, pid, r, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether the list "cpu,memory" of len bytes names something of h. v2 is only meant by its name. */
static bool is_chosen(const struct cgroup_hier *h, const char *list, size_t len)
{
	FREE char *names = mem_xstrdup(h->v2 ? "unified" : h->names);
	char *rest = names, *name;

	while ((name = cgroup_word(&rest, ","))) {
		size_t n;

		if (strncmp(name, "name=", 5) == 0)
			name += 5;
		for (const char *p = list; p < list + len; p += n + 1) {
			n = strcspn(p, ",:");
			if (n == strlen(name) && memcmp(p, name, n) == 0)
				return true;
		}
	}
	return false;
}

static int join_sub(struct cgroup_hier *h, const char *sub, pid_t pid, struct err *err)
{
	int dirfd = cgroup_hier_fd(h, err);
	CLOSE_FD int fd = -1;

	if (dirfd < 0)
		return dirfd;
	fd = path_open_in(dirfd, sub, O_PATH | O_DIRECTORY, 0, err);
	if (fd < 0)
		return err_wrap(err, fd, "sub-group '%s' of cgroup '%s'", sub, h->dir);
	return join_dir(h, fd, "", pid, err);
}

int cgroup_join_sub(struct cgroup *cg, const char *sub, pid_t pid, struct err *err)
{
	const char *colon = strchr(sub, ':');
	size_t len = colon ? (size_t)(colon - sub) : 0, n = 0;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return cgroup_disabled(err, "join a sub-group");
	if (cg->unified && len > 0)
		return err_set(err, EINVAL,
			       "cgroup '%s': cgroup v2 has no groups of single controllers", sub);
	for (size_t i = 0; i < cg->n_hiers; i++) {
		struct cgroup_hier *h = &cg->hiers[i];
		int r;

		if (len > 0 && !is_chosen(h, sub, len))
			continue;
		r = join_sub(h, colon ? colon + 1 : sub, pid, err);
		if (r < 0)
			return r;
		n++;
	}
	if (n == 0)
		return err_set(err, EINVAL, "cgroup '%s': this host has no hierarchy for '%.*s'",
			       sub, (int)len, sub);
	return 0;
}

/* ---- destroy ---- */

static int remove_subgroup(int parent_fd, const char *name, void *ctx, struct err *err)
{
	(void)ctx;
	(void)err;
	/* One that is busy keeps the groups above it busy: they are tried again later. */
	(void)unlinkat(parent_fd, name, AT_REMOVEDIR);
	return 0;
}

static int visit_nothing(int fd, void *ctx, struct err *err)
{
	(void)fd;
	(void)ctx;
	(void)err;
	return 0;
}

/* 0: gone; -EBUSY: processes or sub-groups are left. */
static int remove_group(struct cgroup_hier *h, bool sub_groups, struct err *err)
{
	const struct cgroup_visitor v = {.pre = visit_nothing, .post = remove_subgroup};

	if (sub_groups) {
		int fd = cgroup_hier_fd(h, NULL);
		int r = fd < 0 ? 0 : cgroup_walk(fd, &v, err);

		if (r < 0)
			return r;
	}
	if (rmdir(h->dir) < 0 && errno != ENOENT)
		return errno == EBUSY ? -EBUSY : err_sys(err, "remove cgroup '%s'", h->dir);
	fd_replace(&h->fd, -1);
	h->n_made = 0;
	return 0;
}

/* Waits for the group to lose its last process; ms at most. v1 cannot tell, so there it sleeps. */
static void wait_empty(struct cgroup *cg, unsigned int ms)
{
	CLOSE_FD int fd = -1;
	struct pollfd p;
	char text[128];

	if (cg->v2 && cg->v2->fd >= 0)
		fd = openat(cg->v2->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || io_read(fd, text, sizeof(text) - 1) <= 0) {
		cgroup_sleep_ms(ms);
		return;
	}
	p = (struct pollfd){.fd = fd, .events = POLLPRI};
	(void)poll(&p, 1, (int)ms);
}

static int busy_error(struct cgroup *cg, struct cgroup_hier *h, struct err *err)
{
	struct cgroup_pid_list list = {0};
	FREE pid_t *pids = NULL;

	int r = cgroup_hier_pids(h, &list, NULL);

	pids = list.pids;
	if (r == 0 && list.n > 0)
		return err_set(err, EBUSY,
			       "remove cgroup '%s': %zu processes are left, %d among them",
			       cg->path, list.n, pids[0]);
	return err_set(err, EBUSY, "remove cgroup '%s': device or resource busy", h->dir);
}

/* 0: gone; -EBUSY: it has processes. */
static int remove_unused(struct cgroup_hier *h, struct err *err)
{
	struct cgroup_pid_list list = {0};
	int r = remove_group(h, false, err);

	if (r != -EBUSY)
		return r;
	r = cgroup_hier_pids(h, &list, err);
	free(list.pids);
	if (r < 0)
		return r;
	return list.n == 0 ? remove_group(h, true, err) : -EBUSY;
}

int cgroup_remove_empty(struct cgroup *cg, struct err *err)
{
	int64_t end = cgroup_now_ms() + REMAINS_TIMEOUT_MS;
	unsigned int pause_ms = 1;
	bool busy = cg->manager != CGROUP_MANAGER_DISABLED;

	while (busy) {
		busy = false;
		for (size_t i = 0; i < cg->n_hiers; i++) {
			int r = remove_unused(&cg->hiers[i], err);

			if (r < 0 && r != -EBUSY)
				return r;
			busy |= r == -EBUSY;
		}
		if (cgroup_now_ms() >= end)
			break;
		if (busy)
			wait_empty(cg, pause_ms);
		if (pause_ms < DESTROY_PAUSE_MAX_MS)
			pause_ms *= 2;
	}
	return 0;
}

int cgroup_destroy(struct cgroup *cg, struct err *err)
{
	int64_t end = 0;
	unsigned int pause_ms = 1;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return 0;
	for (bool again = false;; again = true) {
		struct cgroup_hier *busy = NULL;

		for (size_t i = 0; i < cg->n_hiers; i++) {
			struct cgroup_hier *h = &cg->hiers[i];
			int r = remove_group(h, again, err);

			if (r == -EBUSY)
				busy = h;
			else if (r < 0)
				return r;
		}
		if (!busy)
			return 0;
		if (end == 0)
			end = cgroup_now_ms() + DESTROY_TIMEOUT_MS;
		else if (cgroup_now_ms() >= end)
			return busy_error(cg, busy, err);
		else
			wait_empty(cg, pause_ms);
		if (again && pause_ms < DESTROY_PAUSE_MAX_MS)
			pause_ms *= 2;
	}
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
