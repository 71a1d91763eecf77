/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream is a socket pair: one end is the device's, which connects it to the guest, and relays carry
 * the bytes at the other, both ways with back-pressure, so that a guest that floods a stream nobody
 * reads fills one buffer.
 */
#include "microvm/agent_stream.h"

#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/relay.h"
#include "microvm/proto.h"
#include "microvm/virtio/vsock.h"

/* Of the host's side, from the first to the one before the last, then the first again. */
#define FIRST_PORT (1u << 30)
#define LAST_PORT  (1u << 31)

/* So few are written whole or not at all (man 7 pipe). */
#define REQUESTS_AT_ONCE 8

struct agent_stream {
	struct agent_stream *next;
	struct agent_streams *set;
	bool ended;
	int fd;
	int remote; /* the device's end, until it is asked for the connection; then -1 */
	uint32_t port;
	struct relay *in, *out; /* to the guest, from the guest */
	uint64_t sent;          /* once in has ended */
	agent_stream_fn *fn;
	void *arg;
};

struct agent_streams {
	struct loop *loop;
	int requests_fd;
	uint32_t next_port;
	struct agent_stream *streams;
};

/* ---- streams ---- */

static void stream_close(struct agent_stream *s)
{
	relay_free(s->in);
	relay_free(s->out);
	s->in = s->out = NULL;
	fd_replace(&s->fd, -1);
	fd_replace(&s->remote, -1);
}

/* The last thing done with s: its owner may free it. */
static void stream_end(struct agent_stream *s)
{
	stream_close(s);
	s->ended = true;
	s->fn(s->arg, AGENT_STREAM_ENDED);
}

static void in_ended(void *arg, enum relay_end how, int error)
{
	struct agent_stream *s = arg;

	(void)how;
	(void)error;
	s->sent = relay_carried(s->in);
	relay_free(s->in);
	s->in = NULL;
	if (s->out)
		(void)shutdown(s->fd, SHUT_WR);
	else
		stream_end(s);
}

static void out_ended(void *arg, enum relay_end how, int error)
{
	(void)how;
	(void)error;
	stream_end(arg);
}

static void settled(void *arg)
{
	struct agent_stream *s = arg;

	s->fn(s->arg, AGENT_STREAM_SETTLED);
}

static int start(struct agent_stream *s, int from, int to, struct err *err)
{
	struct loop *l = s->set->loop;
	int pair[2], rc = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(err, "socketpair");
	s->fd = pair[0];
	s->remote = pair[1];
	s->port = s->set->next_port++;
	if (s->set->next_port == LAST_PORT)
		s->set->next_port = FIRST_PORT;
	if (to >= 0)
		rc = relay_new(l, s->fd, to, out_ended, s, &s->out, err);
	if (rc == 0 && from >= 0)
		rc = relay_new(l, from, s->fd, in_ended, s, &s->in, err);
	return rc;
}

int agent_stream_new(struct agent_streams *set, int from, int to, agent_stream_fn *fn, void *arg,
		     uint32_t *ret_port, struct agent_stream **ret, struct err *err)
{
	/* the relays have their own */
	CLOSE_FD int own_from = from;
	CLOSE_FD int own_to = to;
	struct agent_stream *s = mem_xalloc(sizeof(*s));
	int rc;

	*s = (struct agent_stream){
		.next = set->streams,
		.set = set,
		.fd = -1,
		.remote = -1,
		.fn = fn,
		.arg = arg,
	};
	set->streams = s;
	rc = start(s, own_from, own_to, err);
	if (rc < 0) {
		agent_stream_free(s);
		return rc;
	}
	*ret_port = s->port;
	*ret = s;
	return 0;
}

/* Those that were not asked for, of which ret gets up to n. */
static size_t not_asked_for(const struct agent_streams *set, struct agent_stream **ret, size_t n)
{
	size_t found = 0;

	for (struct agent_stream *s = set->streams; s && found < n; s = s->next) {
		if (s->remote >= 0)
			ret[found++] = s;
	}
	return found;
}

int agent_streams_connect(struct agent_streams *set, struct err *err)
{
	struct agent_stream *streams[REQUESTS_AT_ONCE];
	struct vsock_request requests[REQUESTS_AT_ONCE];
	size_t n;

	while ((n = not_asked_for(set, streams, ARRAY_SIZE(streams)))) {
		for (size_t i = 0; i < n; i++)
			requests[i] = (struct vsock_request){PROTO_PORT_STREAM, streams[i]->port,
							     streams[i]->remote};
		if (write(set->requests_fd, requests, n * sizeof(requests[0])) < 0)
			return err_sys(err, "ask for connections to the guest");
		for (size_t i = 0; i < n; i++)
			streams[i]->remote = -1; /* the device's */
	}
	return 0;
}

void agent_stream_free(struct agent_stream *s)
{
	struct agent_stream **at;

	if (!s)
		return;
	for (at = &s->set->streams; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	stream_close(s);
	free(s);
}

void agent_stream_hold(struct agent_stream *s, bool hold, uint64_t *ret_sent, uint64_t *ret_written)
{
	if (s->in)
		relay_hold(s->in, hold);
	*ret_sent = s->in ? relay_taken(s->in) : s->sent;
	*ret_written = s->out ? relay_carried(s->out) : 0;
}

void agent_stream_settle(struct agent_stream *s, uint64_t bytes)
{
	if (bytes == AGENT_STREAM_ALL)
		return;
	if (s->out)
		relay_at(s->out, bytes, settled, s);
}

bool agent_stream_has_ended(const struct agent_stream *s)
{
	return s->ended;
}

/* ---- the set ---- */

struct agent_streams *agent_streams_new(struct loop *l, int requests_fd)
{
	struct agent_streams *set = mem_xalloc(sizeof(*set));
	uint32_t any = 0;

	/*
	 * A guest that was saved still has sockets of connections to the host that it had then. They are
	 * reset, but until its agent closes them the kernel takes what comes from their ports for theirs.
	 */
	(void)!getrandom(&any, sizeof(any), 0);
	*set = (struct agent_streams){
		.loop = l,
		.requests_fd = requests_fd,
		.next_port = FIRST_PORT + any % (LAST_PORT - FIRST_PORT),
	};
	return set;
}

void agent_streams_free(struct agent_streams *set)
{
	if (!set)
		return;
	while (set->streams)
		agent_stream_free(set->streams);
	free(set);
}
