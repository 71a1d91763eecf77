/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources that are removed while a round of events is served stay in memory until it is over: a
 * later event of the same round may still name them.
 */
#include "base/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define ROUND 64

struct loop_source {
	struct loop *loop;
	struct loop_source *next, *prev;
	int fd;
	bool timer; /* fd is ours */
	bool removed;
	loop_fn *fn;
	void *arg;
};

struct loop {
	int epoll_fd;
	bool stop, serving;
	struct loop_source *sources, *removed;
};

int loop_new(struct loop **ret, struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct loop *l;

	if (fd < 0)
		return err_sys(err, "epoll_create1");
	l = mem_xalloc(sizeof(*l));
	l->epoll_fd = fd;
	*ret = l;
	return 0;
}

static void free_source(struct loop_source *s)
{
	if (s->timer)
		fd_close(s->fd);
	free(s);
}

static void free_removed(struct loop *l)
{
	while (l->removed) {
		struct loop_source *s = l->removed;

		l->removed = s->next;
		free_source(s);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->sources)
		loop_remove(l->sources);
	free_removed(l);
	fd_close(l->epoll_fd);
	free(l);
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *arg,
	     struct loop_source **ret, struct err *err)
{
	struct loop_source *s = mem_xalloc(sizeof(*s));
	struct epoll_event e = {.events = events, .data.ptr = s};

	*s = (struct loop_source){.loop = l, .fd = fd, .fn = fn, .arg = arg};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0) {
		free(s);
		return err_sys(err, "watch descriptor %d", fd);
	}
	s->next = l->sources;
	if (s->next)
		s->next->prev = s;
	l->sources = s;
	*ret = s;
	return 0;
}

int loop_set_events(struct loop_source *s, uint32_t events, struct err *err)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	if (epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_MOD, s->fd, &e) < 0)
		return err_sys(err, "watch descriptor %d", s->fd);
	return 0;
}

void loop_remove(struct loop_source *s)
{
	struct loop *l;

	if (!s)
		return;
	l = s->loop;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->prev)
		s->prev->next = s->next;
	else
		l->sources = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->removed = true;
	s->next = l->removed;
	l->removed = s;
	if (!l->serving)
		free_removed(l);
}

int loop_add_timer(struct loop *l, loop_fn *fn, void *arg, struct loop_source **ret,
		   struct err *err)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int rc;

	if (fd < 0)
		return err_sys(err, "timerfd_create");
	rc = loop_add(l, fd, EPOLLIN, fn, arg, ret, err);
	if (rc < 0) {
		fd_close(fd);
		return rc;
	}
	(*ret)->timer = true;
	return 0;
}

int loop_set_timer(struct loop_source *s, uint64_t after_ns, struct err *err)
{
	const struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(after_ns / 1000000000),
			     .tv_nsec = (long)(after_ns % 1000000000)},
	};

	if (timerfd_settime(s->fd, 0, &when, NULL) < 0)
		return err_sys(err, "timerfd_settime");
	return 0;
}

static void serve(struct loop_source *s, uint32_t events)
{
	uint64_t count;

	if (s->removed)
		return;
	if (s->timer) {
		/* Stopped or set anew since: nothing to read, nothing to tell. */
		if (read(s->fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
			return;
		events = 0;
	}
	s->fn(s->arg, events);
}

int loop_turn(struct loop *l, int timeout_ms, struct err *err)
{
	struct epoll_event events[ROUND];
	int n = epoll_wait(l->epoll_fd, events, ROUND, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : err_sys(err, "epoll_wait");
	l->serving = true;
	for (int i = 0; i < n && !l->stop; i++)
		serve(events[i].data.ptr, events[i].events);
	l->serving = false;
	free_removed(l);
	return 0;
}

int loop_run(struct loop *l, struct err *err)
{
	int rc = 0;

	while (rc == 0 && !l->stop)
		rc = loop_turn(l, -1, err);
	return rc;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
