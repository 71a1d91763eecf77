/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both descriptors are watched edge-triggered (man 7 epoll): an end is believed ready until it says
 * EAGAIN, which spares a system call at each change of mind, and an end that hung up does not wake
 * the loop again and again. After a bounded number of bytes the others on the loop get their turn;
 * changing a watch to what it was has it reported anew.
 */
#include "base/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define BUFFER 65536
#define ROUNDS 16 /* reads or writes a turn */

enum kind {
	KIND_NONBLOCK,
	KIND_SOCKET,
	KIND_NOWAIT, /* blocking, but the kernel may know RWF_NOWAIT for it */
	KIND_POLL,   /* blocking, and it does not */
	KIND_FILE,   /* never waits */
};

struct end {
	struct relay *relay;
	int fd; /* -1 when over */
	enum kind kind;
	bool ready;
	uint32_t events;
	struct loop_source *source; /* NULL: cannot be polled */
};

struct relay {
	struct loop *loop;
	struct end from, to;
	char *data; /* NULL while empty */
	size_t start, len;
	bool eof, finish, hold;
	int read_error;
	uint64_t taken, carried, at;
	relay_fn *fn;
	void *arg;
	relay_at_fn *at_fn;
	void *at_arg;
};

/* ---- one system call ---- */

static bool would_not_wait(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, 0) == 1;
}

static ssize_t move_once(struct end *e, char *data, size_t len, bool reading)
{
	struct iovec v = {data, len};

	switch (e->kind) {
	case KIND_SOCKET:
		return reading ? recv(e->fd, data, len, MSG_DONTWAIT)
			       : send(e->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case KIND_NOWAIT:
		return reading ? preadv2(e->fd, &v, 1, -1, RWF_NOWAIT)
			       : pwritev2(e->fd, &v, 1, -1, RWF_NOWAIT);
	case KIND_POLL:
		if (!would_not_wait(e->fd, reading ? POLLIN : POLLOUT)) {
			errno = EAGAIN;
			return -1;
		}
		/* as much as a pipe that is not full takes without waiting (man 7 pipe) */
		if (!reading && len > PIPE_BUF)
			len = PIPE_BUF;
		break;
	case KIND_NONBLOCK:
	case KIND_FILE:
		break;
	}
	return reading ? read(e->fd, data, len) : write(e->fd, data, len);
}

/* A count, 0 at the end of file, or -errno. */
static ssize_t move(struct end *e, char *data, size_t len, bool reading)
{
	for (;;) {
		ssize_t n = move_once(e, data, len, reading);

		if (n >= 0)
			return n;
		if (e->kind == KIND_NOWAIT && (errno == EOPNOTSUPP || errno == ESPIPE))
			e->kind = KIND_POLL;
		else if (errno != EINTR)
			return -errno;
	}
}

/* ---- the ends ---- */

static void end_close(struct end *e)
{
	loop_remove(e->source);
	e->source = NULL;
	fd_replace(&e->fd, -1);
}

static void turn(struct relay *r);

static void end_event(void *arg, uint32_t events)
{
	struct end *e = arg;

	(void)events;
	e->ready = true;
	turn(e->relay);
}

static enum kind kind_of(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
		return KIND_SOCKET;
	return flags >= 0 && (flags & O_NONBLOCK) ? KIND_NONBLOCK : KIND_NOWAIT;
}

static int end_open(struct relay *r, struct end *e, int fd, uint32_t events, struct err *err)
{
	int rc;

	e->relay = r;
	e->events = events | EPOLLET;
	e->fd = fd_dup(fd, err);
	if (e->fd < 0)
		return e->fd;
	e->kind = kind_of(e->fd);
	rc = loop_add(r->loop, e->fd, e->events, end_event, e, &e->source, err);
	if (rc != -EPERM)
		return rc;
	e->kind = KIND_FILE;
	e->ready = true;
	return 0;
}

/* ---- the turn ---- */

/* The last thing done with r: its owner may free it. */
static void end(struct relay *r, enum relay_end how, int error)
{
	end_close(&r->from);
	end_close(&r->to);
	free(ptr_take(&r->data));
	r->fn(r->arg, how, error);
}

static void take(struct relay *r)
{
	ssize_t n;

	if (!r->data)
		r->data = mem_xalloc(BUFFER);
	n = move(&r->from, r->data, BUFFER, true);
	if (n > 0) {
		r->start = 0;
		r->len = (size_t)n;
		r->taken += (size_t)n;
	} else if (n == -EAGAIN) {
		r->from.ready = false;
		r->eof = r->finish;
	} else {
		r->eof = true;
		if (n < 0 && n != -EIO) /* EIO: the last slave of a pty is closed */
			r->read_error = (int)-n;
	}
}

/* Or -errno. */
static int give(struct relay *r)
{
	ssize_t n = move(&r->to, r->data + r->start, r->len, false);

	if (n == -EAGAIN) {
		r->to.ready = false;
		return 0;
	}
	if (n < 0)
		return (int)n;
	r->start += (size_t)n;
	r->len -= (size_t)n;
	r->carried += (size_t)n;
	return 0;
}

/* Whether anything can be done now. */
static bool can_go_on(const struct relay *r)
{
	if (r->len)
		return r->to.ready;
	if (r->hold)
		return false;
	return r->eof || r->from.ready || r->finish;
}

static void again(struct relay *r)
{
	struct end *e = r->to.source ? &r->to : &r->from;

	if (e->source)
		(void)!loop_set_events(e->source, e->events, NULL);
}

static void turn(struct relay *r)
{
	for (int i = 0; i < ROUNDS && can_go_on(r); i++) {
		int rc = 0;

		if (r->len) {
			rc = give(r);
		} else if (r->eof) {
			end(r, r->read_error ? RELAY_READ_FAILED : RELAY_ENDED, r->read_error);
			return;
		} else {
			take(r);
		}
		if (rc < 0) {
			end(r, RELAY_WRITE_FAILED, -rc);
			return;
		}
	}
	if (!r->len && !r->from.ready)
		free(ptr_take(&r->data));
	if (can_go_on(r))
		again(r);
	if (r->at_fn && r->carried >= r->at) {
		relay_at_fn *fn = r->at_fn;

		r->at_fn = NULL;
		fn(r->at_arg);
	}
}

/* ---- the owner's side ---- */

int relay_new(struct loop *l, int from, int to, relay_fn *fn, void *arg, struct relay **ret,
	      struct err *err)
{
	struct relay *r = mem_xalloc(sizeof(*r));
	int rc;

	*r = (struct relay){.loop = l, .from.fd = -1, .to.fd = -1, .fn = fn, .arg = arg};
	rc = end_open(r, &r->from, from, EPOLLIN | EPOLLRDHUP, err);
	if (rc == 0)
		rc = end_open(r, &r->to, to, EPOLLOUT, err);
	if (rc == 0 && !r->from.source && !r->to.source)
		rc = err_set(err, EPERM, "neither of descriptors %d and %d can be watched", from,
			     to);
	if (rc < 0) {
		relay_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	end_close(&r->from);
	end_close(&r->to);
	free(r->data);
	free(r);
}

uint64_t relay_carried(const struct relay *r)
{
	return r->carried;
}

uint64_t relay_taken(const struct relay *r)
{
	return r->taken;
}

void relay_finish(struct relay *r)
{
	r->finish = true;
	again(r);
}

void relay_hold(struct relay *r, int hold)
{
	r->hold = hold;
	if (!hold)
		again(r);
}

void relay_at(struct relay *r, uint64_t bytes, relay_at_fn *fn, void *arg)
{
	r->at = bytes;
	r->at_fn = fn;
	r->at_arg = arg;
	again(r);
}
