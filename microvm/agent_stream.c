/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection is a stranger until it has said a token, and there are few of them. Then relays carry the bytes, both ways with back-pressure, so that a guest that floods a
 * stream nobody reads fills one buffer.
 */
#include "microvm/agent_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/relay.h"

struct stranger {
	struct stranger *next;
	struct agent_streams *set;
	int fd;
	struct loop_source *source;
	uint8_t token[PROTO_TOKEN_LEN];
	size_t n;
};

struct agent_stream {
	struct agent_stream *next;
	struct agent_streams *set;
	uint8_t token[PROTO_TOKEN_LEN];
	bool connected, ended;
	int from, to, fd;
	struct relay *in, *out; /* to the guest, from the guest */
	uint64_t sent; /* once in has ended */
	bool settles;
	uint64_t settle;
	agent_stream_fn *fn;
	void *arg;
};

struct agent_streams {
	struct loop *loop;
	struct agent_stream *streams;
	struct stranger *strangers; /* newest first */
	unsigned int n_strangers;
};

/* ---- streams ---- */

static void stream_close(struct agent_stream *s)
{
	relay_free(s->in);
	relay_free(s->out);
	s->in = s->out = NULL;
	fd_replace(&s->from, -1);
	fd_replace(&s->to, -1);
	fd_replace(&s->fd, -1);
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
	/* whoever writes to it shall see that nobody reads */
	fd_replace(&s->from, -1);
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

static int start(struct agent_stream *s, int fd, struct err *err)
{
	struct loop *l = s->set->loop;
	int rc = 0;

	s->connected = true;
	s->fd = fd;
	if (s->to >= 0)
		rc = relay_new(l, s->fd, s->to, out_ended, s, &s->out, err);
	if (rc == 0 && s->from >= 0)
		rc = relay_new(l, s->from, s->fd, in_ended, s, &s->in, err);
	if (rc == 0 && s->out && s->settles)
		relay_at(s->out, s->settle, settled, s);
	/* the relays have their own */
	fd_replace(&s->from, -1);
	fd_replace(&s->to, -1);
	return rc;
}

static struct agent_stream *find(struct agent_streams *set, const uint8_t *token)
{
	for (struct agent_stream *s = set->streams; s; s = s->next) {
		if (!s->connected && memcmp(s->token, token, PROTO_TOKEN_LEN) == 0)
			return s;
	}
	return NULL;
}

int agent_stream_new(struct agent_streams *set, int from, int to, agent_stream_fn *fn, void *arg,
		     uint8_t ret_token[static PROTO_TOKEN_LEN], struct agent_stream **ret,
		     struct err *err)
{
	struct agent_stream *s = mem_xalloc(sizeof(*s));

	*s = (struct agent_stream){
		.next = set->streams,
		.set = set,
		.from = from,
		.to = to,
		.fd = -1,
		.fn = fn,
		.arg = arg,
	};
	set->streams = s;
	if (getrandom(s->token, sizeof(s->token), 0) != (ssize_t)sizeof(s->token)) {
		int rc = err_sys(err, "getrandom");

		agent_stream_free(s);
		return rc;
	}
	memcpy(ret_token, s->token, sizeof(s->token));
	*ret = s;
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
	s->settles = true;
	s->settle = bytes;
	if (s->out)
		relay_at(s->out, bytes, settled, s);
}

bool agent_stream_has_ended(const struct agent_stream *s)
{
	return s->ended;
}

/* ---- strangers ---- */

static void stranger_free(struct stranger *x)
{
	struct stranger **at = &x->set->strangers;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	x->set->n_strangers--;
	loop_remove(x->source);
	fd_close(x->fd);
	free(x);
}

static void introduce(struct stranger *x)
{
	struct agent_stream *s = find(x->set, x->token);
	int fd = s ? fd_take(&x->fd) : -1;

	loop_remove(x->source);
	x->source = NULL;
	stranger_free(x);
	if (s && start(s, fd, NULL) < 0)
		stream_end(s);
}

static void stranger_event(void *arg, uint32_t events)
{
	struct stranger *x = arg;

	(void)events;
	for (;;) {
		ssize_t n = recv(x->fd, x->token + x->n, sizeof(x->token) - x->n, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			stranger_free(x);
			return;
		}
		x->n += (size_t)n;
		if (x->n == sizeof(x->token)) {
			introduce(x);
			return;
		}
	}
}

static void forget_oldest(struct agent_streams *set)
{
	struct stranger *x = set->strangers;

	while (x->next)
		x = x->next;
	stranger_free(x);
}

void agent_stream_connected(struct agent_streams *set, int fd)
{
	struct stranger *x = mem_xalloc(sizeof(*x));

	if (set->n_strangers >= AGENT_STRANGERS_MAX)
		forget_oldest(set);
	*x = (struct stranger){.next = set->strangers, .set = set, .fd = fd};
	set->strangers = x;
	set->n_strangers++;
	if (fd_set_nonblock(fd, 1, NULL) < 0 ||
	    loop_add(set->loop, fd, EPOLLIN, stranger_event, x, &x->source, NULL) < 0)
		stranger_free(x);
}

/* ---- the set ---- */

struct agent_streams *agent_streams_new(struct loop *l)
{
	struct agent_streams *set = mem_xalloc(sizeof(*set));

	set->loop = l;
	return set;
}

void agent_streams_free(struct agent_streams *set)
{
	if (!set)
		return;
	while (set->strangers)
		stranger_free(set->strangers);
	while (set->streams)
		agent_stream_free(set->streams);
	free(set);
}
