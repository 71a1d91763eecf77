// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moving processes into a group: the container's first one, those of exec, and into sub-groups.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"

#define GROUPS_OF_MAX (1u << 20)

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
