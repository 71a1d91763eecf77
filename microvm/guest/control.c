/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's connection to the host: frames in and out, HELLO. Whatever breaks it ends the agent,
 * for without the host there is nothing left to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sock.h"
#include "microvm/guest/guest.h"

#define FRAMES_A_TURN 32
#define HELLO_ID      1
/* The socket device may still be on its way. */
#define CONNECT_TRIES    200
#define CONNECT_PAUSE_NS 10000000

/* ---- connecting ---- */

static int connect_vsock(struct err *err)
{
	const struct sockaddr_vm host = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = PROTO_PORT_CONTROL,
	};
	CLOSE_FD int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "vsock");
	if (connect(fd, (const struct sockaddr *)&host, sizeof(host)) < 0)
		return err_sys(err, "connect to the host");
	return fd_take(&fd);
}

static int connect_host(const struct guest *g, struct err *err)
{
	if (!g->place.socket)
		return connect_vsock(err);

	FREE char *path = mem_xprintf("%s_%u", g->place.socket, PROTO_PORT_CONTROL);

	return sock_connect(path, SOCK_STREAM, err);
}

static int connect_control(struct guest *g, struct err *err)
{
	const struct timespec pause = {.tv_nsec = CONNECT_PAUSE_NS};
	int fd = -1;

	for (int i = 0; i < CONNECT_TRIES; i++) {
		fd = connect_host(g, err);
		if (fd != -ENODEV && fd != -EAFNOSUPPORT)
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (fd < 0)
		return fd;
	g->control_fd = fd;
	return fd_set_nonblock(fd, 1, err);
}

int guest_leave_stdio(int *fd, struct err *err)
{
	int higher = *fd > STDERR_FILENO ? *fd : fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (higher < 0)
		return err_sys(err, "duplicate a socket");
	if (higher != *fd)
		fd_replace(fd, higher);
	return 0;
}

/* ---- out ---- */

/* From the loop, as what is in the middle of a frame must not lose its connection under its hands. */
static void end_with(struct guest *g, const struct err *why)
{
	if (g->suspended && g->reconnect && !g->lost) {
		g->lost = loop_set_timer(g->reconnect, 1, NULL) == 0;
		if (g->lost)
			return;
	}
	if (g->lost)
		return;
	if (!g->end.code)
		g->end = *why;
	if (g->loop)
		loop_stop(g->loop);
}

static void flush(struct guest *g)
{
	struct err err = ERR_INIT;
	int rc = proto_flush(&g->out, g->control_fd, &err);
	bool more = rc > 0;

	if (rc >= 0 && g->control && more != g->writes)
		rc = loop_set_events(g->control, EPOLLIN | (more ? EPOLLOUT : 0), &err);
	g->writes = more;
	if (rc < 0)
		end_with(g, &err);
}

/* Written by the loop: what one round has to say goes out together, and wakes the host once. */
static void send_frame(struct guest *g, const struct proto_frame *frame)
{
	struct err err = ERR_INIT;

	if (g->lost)
		return;
	if (proto_send(&g->out, frame, &err) < 0 ||
	    (g->control && !g->writes &&
	     loop_set_events(g->control, EPOLLIN | EPOLLOUT, &err) < 0)) {
		end_with(g, &err);
		return;
	}
	g->writes = true;
}

void guest_reply(struct guest *g, const struct request *q, const struct buf *body)
{
	const struct proto_frame frame = {
		.op = q->op,
		.flags = PROTO_REPLY,
		.id = q->id,
		.body = proto_body_of(body),
	};

	if (q->connection == g->connection)
		send_frame(g, &frame);
}

static void fail(struct guest *g, uint16_t op, uint32_t id, const struct err *why)
{
	struct proto_frame frame = {.op = op, .flags = PROTO_REPLY, .id = id};
	BUF body = BUF_INIT;

	frame.error = why->code > 0 ? (uint32_t)why->code : EIO;
	proto_put_string(&body, PROTO_F_MESSAGE, why->msg);
	frame.body = proto_body_of(&body);
	send_frame(g, &frame);
}

void guest_fail(struct guest *g, const struct request *q, const struct err *why)
{
	if (q->connection == g->connection)
		fail(g, q->op, q->id, why);
}

void guest_event(struct guest *g, enum proto_event event, const struct buf *more)
{
	struct proto_frame frame = {.op = PROTO_EVENT};
	BUF body = BUF_INIT;

	proto_put_u32(&body, PROTO_F_EVENT, event);
	buf_add(&body, buf_str(more), more->len);
	frame.body = proto_body_of(&body);
	send_frame(g, &frame);
}

void guest_log(struct guest *g, const char *fmt, ...)
{
	BUF body = BUF_INIT;
	struct err text = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	(void)err_vset(&text, EIO, fmt, ap);
	va_end(ap);
	proto_put_string(&body, PROTO_F_TEXT, text.msg);
	guest_event(g, PROTO_EVENT_LOG, &body);
}

/* ---- in ---- */

static void say_hello(struct guest *g)
{
	const uint64_t times[] = {g->boot_ns, system_boottime_ns()};
	struct proto_frame frame = {.op = PROTO_HELLO, .id = HELLO_ID};
	BUF body = BUF_INIT;

	proto_put_u32(&body, PROTO_F_VERSION, PROTO_VERSION);
	proto_put_u64(&body, PROTO_F_FEATURES, 0);
	proto_put_u64s(&body, PROTO_F_BOOT_NS, times, ARRAY_SIZE(times));
	frame.body = proto_body_of(&body);
	send_frame(g, &frame);
	flush(g);
}

static int take_hello(struct guest *g, const struct proto_frame *f, struct err *err)
{
	uint8_t entropy[PROTO_ENTROPY_LEN];
	uint64_t clock_ns = 0;
	uint32_t version = 0;
	int rc, has_entropy;

	if (f->op != PROTO_HELLO || f->id != HELLO_ID || g->greeted)
		return err_set(err, EPROTO, "an answer to nothing");
	if (f->error)
		return err_set(err, (int)f->error, "the host refused");
	if ((rc = proto_get_u32(&f->body, PROTO_F_VERSION, &version, err)) < 0 ||
	    (rc = proto_get_u64(&f->body, PROTO_F_CLOCK_NS, &clock_ns, err)) < 0)
		return rc;
	has_entropy = proto_get_array(&f->body, PROTO_F_ENTROPY, entropy, sizeof(entropy), err);
	if (has_entropy < 0)
		return has_entropy;
	if (version != PROTO_VERSION)
		return err_set(err, EPROTO, "the host speaks version %u", version);
	if (g->place.is_machine && has_entropy)
		system_add_entropy(entropy, sizeof(entropy));
	if (g->place.is_machine && clock_ns)
		system_set_clock(clock_ns);
	explicit_bzero(entropy, sizeof(entropy));
	g->greeted = true;
	return 0;
}

static int take_frame(struct guest *g, const struct proto_frame *f, struct err *err)
{
	struct request q;
	struct err why = ERR_INIT;

	if (f->flags & PROTO_REPLY)
		return take_hello(g, f, err);
	if (!g->greeted)
		return err_set(err, EPROTO, "a request before the answer to hello");
	if (request_parse(f, &q, &why) < 0) {
		fail(g, f->op, f->id, &why);
		return 0;
	}
	q.connection = g->connection;
	guest_serve(g, &q);
	return 0;
}

static void control_event(void *arg, uint32_t events)
{
	struct guest *g = arg;
	struct err err = ERR_INIT;

	if (events & EPOLLOUT)
		flush(g);
	for (int i = 0; i < FRAMES_A_TURN && !g->end.code && !g->lost; i++) {
		int rc = proto_read(&g->in, g->control_fd, &err);

		if (rc == PROTO_READ_AGAIN)
			return;
		if (rc == PROTO_READ_END)
			rc = err_set(&err, ECONNRESET, "the host went away");
		else if (rc == PROTO_READ_FRAME)
			rc = take_frame(g, &g->in.frame, &err);
		if (rc < 0) {
			end_with(g, &err);
			return;
		}
	}
}

/* ---- another host ---- */

static int connect_again(struct guest *g, struct err *err)
{
	int rc = connect_control(g, err);

	return rc < 0 ? rc
		      : loop_add(g->loop, g->control_fd, EPOLLIN, control_event, g, &g->control, err);
}

/*
 * The machine was made again from what was saved of it: the new host's side of every connection is
 * missing. It gets the same hello, and answers with entropy of its own and the time of day.
 */
static void reconnect(void *arg, uint32_t events)
{
	struct guest *g = arg;
	struct err err = ERR_INIT;

	(void)events;
	loop_remove(g->control);
	g->control = NULL;
	fd_replace(&g->control_fd, -1);
	proto_reader_release(&g->in);
	proto_writer_release(&g->out);
	proto_reader_init(&g->in);
	proto_writer_init(&g->out);
	g->greeted = g->writes = false;
	g->connection++;
	if (connect_again(g, &err) < 0) {
		if (g->tries++ < CONNECT_TRIES &&
		    loop_set_timer(g->reconnect, CONNECT_PAUSE_NS, NULL) == 0)
			return;
		g->suspended = false;
		g->lost = false;
		end_with(g, &err);
		return;
	}
	g->tries = 0;
	g->lost = false;
	accept_forget(g);
	say_hello(g);
}

/* ---- serving ---- */

static void signal_event(void *arg, uint32_t events)
{
	struct guest *g = arg;
	struct signalfd_siginfo si;
	bool stop = false;

	(void)events;
	while (read(g->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		stop |= si.ssi_signo != SIGCHLD;
	process_reap(g);
	if (stop && !g->place.is_machine)
		loop_stop(g->loop);
}

static int watch_signals(struct guest *g, struct err *err)
{
	struct loop_source *source;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, "block signals");
	g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->signal_fd < 0)
		return err_sys(err, "signalfd");
	return loop_add(g->loop, g->signal_fd, EPOLLIN, signal_event, g, &source, err);
}

int guest_greet(struct guest *g, struct err *err)
{
	int rc;

	proto_reader_init(&g->in);
	proto_writer_init(&g->out);
	(void)signal(SIGPIPE, SIG_IGN);
	if ((rc = connect_control(g, err)) < 0 ||
	    (rc = guest_leave_stdio(&g->control_fd, err)) < 0 || (rc = accept_listen(g, err)) < 0)
		return rc;
	say_hello(g);
	return g->end.code ? err_set(err, g->end.code, "%s", g->end.msg) : 0;
}

int guest_run(struct guest *g, struct err *err)
{
	int rc;

	if ((rc = watch_signals(g, err)) < 0 ||
	    (rc = loop_add_timer(g->loop, reconnect, g, &g->reconnect, err)) < 0 ||
	    (rc = loop_add(g->loop, g->control_fd, EPOLLIN | (g->writes ? EPOLLOUT : 0),
			   control_event, g, &g->control, err)) < 0)
		return rc;
	rc = loop_run(g->loop, err);
	flush(g); /* the answer to what has ended the loop */
	if (rc == 0 && g->end.code)
		return err_set(err, g->end.code, "%s", g->end.msg);
	return rc;
}
