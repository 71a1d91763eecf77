/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard streams. A process gets pipes, or a terminal of its container's, and never the
 * connection itself: programs open /dev/stdout again, which a socket does not stand. Each stream is
 * carried by a relay between the agent's end and a connection to the host, so a slow reader on
 * either side holds up the writer on the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/relay.h"
#include "base/sock.h"
#include "microvm/guest/guest.h"

enum { IN, OUT, ERR, N_STREAMS };

struct stream {
	struct stdio *io;
	struct relay *relay; /* NULL when it has ended */
	int local;           /* our end of the pipe; the terminal's is io->master */
	int remote;          /* connection to the host; a terminal's output uses the input's */
	uint64_t carried;    /* once it has ended */
	bool cut;            /* its connection broke while suspended: another one may come */
};

struct stdio {
	struct guest *g;
	struct stream streams[N_STREAMS];
	int master; /* of the terminal */
	int listener;
	char *console;
	bool detached, suspended;
};

static void stream_close(struct stream *s)
{
	relay_free(s->relay);
	s->relay = NULL;
	fd_replace(&s->local, -1);
	fd_replace(&s->remote, -1);
}

static void free_when_idle(struct stdio *io)
{
	if (io->detached && !io->suspended && !io->streams[IN].relay && !io->streams[OUT].relay &&
	    !io->streams[ERR].relay)
		stdio_free(io);
}

static void stream_ended(void *arg, enum relay_end how, int error)
{
	struct stream *s = arg;
	struct stdio *io = s->io;
	const bool is_terminal = io->console;

	(void)error;
	s->carried = relay_carried(s->relay);
	if (io->suspended && how != RELAY_ENDED) {
		relay_free(s->relay);
		s->relay = NULL;
		s->cut = true;
		return;
	}
	if (is_terminal && s == &io->streams[IN]) {
		/* the host has nothing more to type; the connection still carries output */
		relay_free(s->relay);
		s->relay = NULL;
	} else {
		stream_close(s);
	}
	if (is_terminal && s == &io->streams[OUT]) {
		(void)shutdown(io->streams[IN].remote, SHUT_RDWR);
		stream_close(&io->streams[IN]);
	}
	if (is_terminal && how != RELAY_ENDED)
		fd_replace(&io->master, -1); /* the host is gone: a hangup */
	free_when_idle(io);
}

/* ---- opening ---- */

/* A terminal has one connection, that of its input. 0: the request has none for it. */
static uint32_t port_of(const struct request *q, bool is_terminal, int i)
{
	if (is_terminal)
		return i == IN ? q->port[PORT_TTY] : 0;
	return q->port[i];
}

/* *ret: -1 where the request has no port; the caller closes them, after a failure, too. */
static int take_connections(struct guest *g, const struct request *q, bool is_terminal,
			    int ret[N_STREAMS], struct err *err)
{
	int rc = 0;

	for (int i = 0; i < N_STREAMS; i++)
		ret[i] = -1;
	for (int i = 0; i < N_STREAMS && rc >= 0; i++) {
		uint32_t port = port_of(q, is_terminal, i);

		if (port)
			rc = ret[i] = accept_from(g, port, err);
	}
	return rc < 0 ? rc : 0;
}

static int open_null(int *ret, struct err *err)
{
	*ret = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret < 0 ? err_sys(err, "open '/dev/null'") : 0;
}

static int open_pipe(struct stdio *io, int i, int *ret_child, struct err *err)
{
	struct stream *s = &io->streams[i];
	const int mine = i == IN ? 1 : 0;
	int p[2], rc;

	if (s->remote < 0)
		return open_null(ret_child, err);
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	s->local = p[mine];
	*ret_child = p[!mine];
	rc = fd_set_nonblock(s->local, 1, err);
	if (rc < 0)
		return rc;
	return relay_new(io->g->loop, i == IN ? s->remote : s->local,
			 i == IN ? s->local : s->remote, stream_ended, s, &s->relay, err);
}

/* Where the runtime is to send the terminal's master. */
static int open_console(struct stdio *io, struct err *err)
{
	io->console = mem_xprintf("%s/agent/console-%u", io->g->place.dir, io->g->next_job++);
	io->listener = sock_bind(io->console, SOCK_STREAM, err);
	if (io->listener < 0)
		return io->listener;
	if (listen(io->listener, 1) < 0)
		return err_sys(err, "listen on '%s'", io->console);
	return fd_set_nonblock(io->listener, 1, err);
}

static int open_streams(struct stdio *io, const struct request *q, int child[3], struct err *err)
{
	const bool is_terminal = q->port[PORT_TTY];
	int remote[N_STREAMS];
	int rc = take_connections(io->g, q, is_terminal, remote, err);

	for (int i = 0; i < N_STREAMS; i++)
		io->streams[i].remote = remote[i];
	if (rc == 0 && is_terminal)
		rc = open_console(io, err);
	for (int i = 0; i < N_STREAMS && rc == 0; i++)
		rc = is_terminal ? open_null(&child[i], err) : open_pipe(io, i, &child[i], err);
	return rc;
}

int stdio_open(struct guest *g, const struct request *q, struct stdio **ret, int ret_child[3],
	       struct err *err)
{
	struct stdio *io = mem_xalloc(sizeof(*io));
	int child[3] = {-1, -1, -1}, rc;

	*io = (struct stdio){.g = g, .master = -1, .listener = -1};
	for (int i = 0; i < N_STREAMS; i++)
		io->streams[i] = (struct stream){.io = io, .local = -1, .remote = -1};
	rc = open_streams(io, q, child, err);
	if (rc < 0) {
		for (int i = 0; i < 3; i++)
			fd_close(child[i]);
		stdio_free(io);
		return rc;
	}
	memcpy(ret_child, child, sizeof(child));
	*ret = io;
	return 0;
}

/* ---- the terminal ---- */

const char *stdio_console(const struct stdio *io)
{
	return io->console;
}

int stdio_take_console(struct stdio *io, const struct request *q, struct err *err)
{
	struct stream *in = &io->streams[IN], *out = &io->streams[OUT];
	char name[64];
	size_t n = 0;
	int rc;
	CLOSE_FD int sock = accept4(io->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return err_sys(err, "the terminal has not been sent");
	rc = fd_recv(sock, &io->master, 1, &n, name, sizeof(name), err);
	if (rc < 0 || n != 1)
		return rc < 0 ? rc : err_set(err, EPROTO, "no terminal has been sent");
	fd_replace(&io->listener, -1);
	if (q->rows && q->columns && (rc = stdio_resize(io, q->rows, q->columns, err)) < 0)
		return rc;
	if ((rc = fd_set_nonblock(io->master, 1, err)) < 0 ||
	    (rc = relay_new(io->g->loop, in->remote, io->master, stream_ended, in, &in->relay,
			    err)) < 0)
		return rc;
	return relay_new(io->g->loop, io->master, in->remote, stream_ended, out, &out->relay, err);
}

int stdio_resize(struct stdio *io, uint32_t rows, uint32_t columns, struct err *err)
{
	const struct winsize size = {.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};

	if (io->master < 0)
		return err_set(err, ENOTTY, "the process has no terminal");
	return ioctl(io->master, TIOCSWINSZ, &size) < 0 ? err_sys(err, "resize the terminal") : 0;
}

/* ---- saved and made again ---- */

void stdio_suspend(struct stdio *io, uint64_t ret_carried[3])
{
	static const int order[] = {OUT, ERR, IN};

	io->suspended = true;
	for (int i = 0; i < N_STREAMS; i++) {
		const struct stream *s = &io->streams[order[i]];

		if (s->relay && order[i] != IN)
			relay_hold(s->relay, true);
		if (s->relay)
			ret_carried[i] = order[i] == IN ? relay_carried(s->relay)
							: relay_taken(s->relay);
		else
			ret_carried[i] = order[i] == IN ? UINT64_MAX : s->carried;
	}
}

/* What the host does not have any more, it will not have again: as if it had closed it. */
static void end_cut(struct stdio *io)
{
	for (int i = 0; i < N_STREAMS; i++) {
		struct stream *s = &io->streams[i];

		if (s->relay)
			relay_hold(s->relay, false);
		if (!s->cut)
			continue;
		s->cut = false;
		stream_close(s);
		if (io->console)
			fd_replace(&io->master, -1);
	}
}

static bool flows(const struct stream *s)
{
	return s->relay || s->cut;
}

/* remote, owned, in place of the old connection; of a stream that has ended, one that ends at once. */
static void attach(struct stream *s, int remote)
{
	bool flowed = flows(s);

	relay_free(s->relay);
	s->relay = NULL;
	s->cut = false;
	fd_replace(&s->remote, remote);
	if (flowed)
		return;
	fd_replace(&s->remote, -1);
	s->carried = 0;
}

static int start_pipe(struct stdio *io, int i, struct err *err)
{
	struct stream *s = &io->streams[i];

	if (s->remote < 0 || s->local < 0)
		return 0;
	return relay_new(io->g->loop, i == IN ? s->remote : s->local,
			 i == IN ? s->local : s->remote, stream_ended, s, &s->relay, err);
}

static int start_terminal(struct stdio *io, bool types, struct err *err)
{
	struct stream *in = &io->streams[IN], *out = &io->streams[OUT];
	int rc = 0;

	if (in->remote < 0 || io->master < 0)
		return 0;
	if (types)
		rc = relay_new(io->g->loop, in->remote, io->master, stream_ended, in, &in->relay,
			       err);
	if (rc == 0)
		rc = relay_new(io->g->loop, io->master, in->remote, stream_ended, out, &out->relay,
			       err);
	return rc;
}

static int attach_terminal(struct stdio *io, int remote, struct err *err)
{
	struct stream *in = &io->streams[IN], *out = &io->streams[OUT];
	bool types = flows(in), shows = flows(out);

	relay_free(out->relay);
	out->relay = NULL;
	out->cut = false;
	in->cut |= shows; /* the connection is both's */
	attach(in, remote);
	return start_terminal(io, types, err);
}

static int attach_pipe(struct stdio *io, int i, int remote, struct err *err)
{
	attach(&io->streams[i], remote);
	return start_pipe(io, i, err);
}

int stdio_attach(struct stdio *io, const struct request *q, struct err *err)
{
	int remote[N_STREAMS];
	int rc = take_connections(io->g, q, io->console, remote, err);

	io->suspended = false;
	for (int i = 0; i < N_STREAMS; i++) {
		if (rc < 0)
			fd_close(remote[i]);
		else if (remote[i] < 0)
			continue;
		else if (io->console)
			rc = attach_terminal(io, remote[i], err);
		else
			rc = attach_pipe(io, i, remote[i], err);
	}
	end_cut(io);
	free_when_idle(io);
	return rc;
}

/* ---- the end ---- */

int stdio_close_input(struct stdio *io, struct err *err)
{
	if (io->console)
		return err_set(err, EINVAL, "the process has a terminal");
	if (io->streams[IN].relay)
		relay_finish(io->streams[IN].relay);
	return 0;
}

static uint64_t written_by_now(const struct stream *s)
{
	int waiting = 0;

	if (!s->relay)
		return s->carried;
	if (ioctl(s->local, FIONREAD, &waiting) < 0 || waiting < 0)
		waiting = 0;
	return relay_taken(s->relay) + (uint64_t)waiting;
}

void stdio_process_ended(struct stdio *io, uint64_t written[2])
{
	if (io->console) {
		if (io->streams[OUT].relay)
			relay_finish(io->streams[OUT].relay);
		return;
	}
	stream_close(&io->streams[IN]);
	written[0] = written_by_now(&io->streams[OUT]);
	written[1] = written_by_now(&io->streams[ERR]);
}

void stdio_detach(struct stdio *io)
{
	if (!io)
		return;
	io->detached = true;
	free_when_idle(io);
}

void stdio_free(struct stdio *io)
{
	if (!io)
		return;
	for (int i = 0; i < N_STREAMS; i++)
		stream_close(&io->streams[i]);
	fd_close(io->master);
	fd_close(io->listener);
	if (io->console)
		(void)unlink(io->console);
	free(io->console);
	free(io);
}
