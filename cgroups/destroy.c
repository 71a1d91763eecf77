// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Removing a group. The kernel takes one rmdir(2) a hierarchy when the processes are gone, as they
 * normally are; what refuses has sub-groups, which go first, or processes that are still ending. A
 * cgroup2 directory tells when the last one left; on v1 there is nothing to wait for but time.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"

#define DESTROY_TIMEOUT_MS   10000
#define DESTROY_PAUSE_MAX_MS 50
#define REMAINS_TIMEOUT_MS   1000

bool cgroup_unmake(struct cgroup *cg)
{
	bool all = true;

	for (size_t i = 0; i < cg->n_hiers; i++) {
		struct cgroup_hier *h = &cg->hiers[i];
		FREE char *dir = mem_xstrdup(h->dir);

		for (; h->n_made > 0; h->n_made--) {
			if (rmdir(dir) < 0 && errno == EBUSY)
				break;
			*strrchr(dir, '/') = '\0';
		}
		all &= h->n_made == 0;
		fd_replace(&h->fd, -1);
	}
	return all;
}

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
	PID_LIST list = {0};

	int r = cgroup_hier_pids(h, &list, NULL);

	if (r == 0 && list.n > 0)
		return err_set(err, EBUSY,
			       "remove cgroup '%s': %zu processes are left, %d among them",
			       cg->path, list.n, list.pids[0]);
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

int cgroup_undo(struct cgroup *cg, struct err *err)
{
	int64_t end = cgroup_now_ms() + REMAINS_TIMEOUT_MS;

	while (cg->manager != CGROUP_MANAGER_DISABLED && !cgroup_unmake(cg)) {
		if (cgroup_now_ms() >= end)
			return err_set(err, EBUSY, "remove cgroup '%s': it has processes",
				       cg->path);
		wait_empty(cg, 1);
	}
	return 0;
}
