/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the host when the kernel's OOM killer was at work in a container, by the same notifications
 * and counters as hull-oci events (runtime/events.c has their weaknesses).
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/guest/guest.h"

struct oom_watch {
	struct guest *g;
	struct container *container;
	struct cgroup *cgroup; /* the container's */
	int fd;
	struct loop_source *source;
	uint64_t told;  /* kills that an event has told */
	uint64_t known; /* kills at the last oom_watch_killed */
};

static void tell(struct oom_watch *w)
{
	BUF body = BUF_INIT;

	proto_put_string(&body, PROTO_F_ID, w->container->id);
	guest_event(w->g, PROTO_EVENT_OOM, &body);
}

static void check(void *arg, uint32_t events)
{
	struct oom_watch *w = arg;
	uint64_t kills = 0;
	char data[4096];
	ssize_t n = read(w->fd, data, sizeof(data));

	(void)events;
	if (n < 0 || cgroup_oom_kills(w->cgroup, &kills, NULL)) {
		loop_remove(w->source); /* the group is gone */
		w->source = NULL;
		return;
	}
	/* cgroup v1 tells by an eventfd, before the killer has chosen */
	if (kills > w->told || n == sizeof(uint64_t))
		tell(w);
	w->told = kills;
}

static int open_watch(struct oom_watch *w, const char *id, struct err *err)
{
	int rc = container_open(&w->g->rt, id, CONTAINER_LOCK_NONE, &w->container, err);

	if (rc == 0)
		rc = container_cgroup(w->container, &w->cgroup, err);
	if (rc < 0)
		return rc;
	w->fd = cgroup_oom_watch(w->cgroup, err);
	if (w->fd < 0)
		return w->fd;
	return loop_add(w->g->loop, w->fd, EPOLLIN | EPOLLPRI, check, w, &w->source, err);
}

struct oom_watch *oom_watch_new(struct guest *g, const char *container)
{
	struct oom_watch *w = mem_xalloc(sizeof(*w));
	struct err err = ERR_INIT;

	*w = (struct oom_watch){.g = g, .fd = -1};
	if (open_watch(w, container, &err) < 0) {
		guest_log(g, "no out-of-memory events: %s", err.msg);
		oom_watch_free(w);
		return NULL;
	}
	return w;
}

void oom_watch_free(struct oom_watch *w)
{
	if (!w)
		return;
	loop_remove(w->source);
	fd_close(w->fd);
	container_close(w->container);
	free(w);
}

bool oom_watch_killed(struct oom_watch *w)
{
	uint64_t kills = 0, before;

	if (!w || cgroup_oom_kills(w->cgroup, &kills, NULL))
		return false;
	before = w->known;
	w->known = kills;
	return kills > before;
}
