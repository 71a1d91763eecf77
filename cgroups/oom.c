// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * News of the kernel's OOM killer: a counter, and a descriptor that wakes when it may have grown.
 * On v1 that is an eventfd registered in cgroup.event_control, on v2 an inotify watch of
 * memory.events, which the kernel touches for other memory events as well.
 *
 * See cgroup-v1/memory.rst, "OOM Control", cgroup-v2.rst, memory.events.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "base/fd.h"

static int no_memory(const struct cgroup *cg, struct err *err)
{
	return err_set(err, EOPNOTSUPP, "watch memory of cgroup '%s': no memory controller",
		       cg->path);
}

int cgroup_oom_kills(struct cgroup *cg, uint64_t *ret, struct err *err)
{
	struct cgroup_hier *h;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return cgroup_disabled(err, "count the OOM killer's victims");
	cgroup_v2_load(cg);
	h = cg->at[CTRL_MEMORY];
	if (!h)
		return no_memory(cg, err);
	return cgroup_read_key(h, h->v2 ? "memory.events" : "memory.oom_control", "oom_kill", ret,
			       err);
}

/* "EVENT CONTROL": the first is signalled when there is news of the second. */
static int register_event(struct cgroup_hier *h, int event, int control, struct err *err)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "%d %d", event, control);
	return cgroup_write(h, "cgroup.event_control", line, err);
}

static int watch_v1(struct cgroup_hier *h, struct err *err)
{
	int dirfd = cgroup_hier_fd(h, err);
	CLOSE_FD int control = -1;
	CLOSE_FD int event = -1;
	int r;

	if (dirfd < 0)
		return dirfd;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return err_sys(err, "make an eventfd");
	control = openat(dirfd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	if (control < 0)
		return err_sys(err, "open '%s/memory.oom_control'", h->dir);
	r = register_event(h, event, control, err);
	return r < 0 ? r : fd_take(&event);
}

static int watch_v2(struct cgroup_hier *h, struct err *err)
{
	CLOSE_FD int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[PATH_MAX];

	if (fd < 0)
		return err_sys(err, "make an inotify descriptor");
	(void)snprintf(path, sizeof(path), "%s/memory.events", h->dir);
	if (inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return err_sys(err, "watch '%s'", path);
	return fd_take(&fd);
}

int cgroup_oom_watch(struct cgroup *cg, struct err *err)
{
	struct cgroup_hier *h;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return cgroup_disabled(err, "watch for the OOM killer");
	cgroup_v2_load(cg);
	h = cg->at[CTRL_MEMORY];
	if (!h)
		return no_memory(cg, err);
	return h->v2 ? watch_v2(h, err) : watch_v1(h, err);
}
