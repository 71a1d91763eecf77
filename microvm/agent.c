/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls, answers and events. An answer has to name a request that was made and its operation; one
 * that comes after its request timed out is dropped. Nothing is handed out that was not looked at:
 * numbers are in range, text is made printable.
 */
#include "microvm/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"

#define FRAMES_A_TURN 32
#define MESSAGE_MAX   (ERR_MSG_LEN - 1)
#define SIGNAL_MAX    64
#define NS_A_MS       1000000ull
/* So many log lines in so long. */
#define LOGS_MAX       64
#define LOGS_PERIOD_NS 10000000000ull

struct call {
	struct call *next;
	uint32_t id;
	uint16_t op;
	uint64_t deadline_ns; /* 0: none */
	agent_reply_fn *fn;
	void *arg;
};

struct agent {
	struct loop *loop;
	struct agent_events events;
	void *arg;

	int fd;
	struct loop_source *source, *timer;
	uint64_t timer_ns; /* when it is due, 0: never; no later than the first deadline */
	struct proto_reader in;
	struct proto_writer out;
	bool ready, was_connected;
	uint64_t hello_deadline_ns;

	struct call *calls; /* newest first */
	unsigned int n_calls, n_waits;
	uint32_t last_id;

	uint64_t log_since_ns;
	unsigned int n_logs;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- outstanding calls ---- */

static void count(struct agent *a, uint16_t op, int by)
{
	if (op == PROTO_WAIT)
		a->n_waits += (unsigned int)by;
	else
		a->n_calls += (unsigned int)by;
}

/* Takes it out of the list. */
static void finish(struct agent *a, struct call **at, const struct proto_body *body,
		   const struct err *why)
{
	struct call c = **at;

	free(*at);
	*at = c.next;
	count(a, c.op, -1);
	c.fn(c.arg, body, why);
}

static void finish_all(struct agent *a, const struct err *why)
{
	while (a->calls)
		finish(a, &a->calls, NULL, why);
}

static void set_timer(struct agent *a)
{
	uint64_t first = a->hello_deadline_ns, now = now_ns();

	for (const struct call *c = a->calls; c; c = c->next) {
		if (c->deadline_ns && (!first || c->deadline_ns < first))
			first = c->deadline_ns;
	}
	/* One that is due for nothing costs less than to stop it at each answer. */
	if (!first || (a->timer_ns && a->timer_ns <= first))
		return;
	a->timer_ns = first;
	(void)!loop_set_timer(a->timer, first > now ? first - now : 1, NULL);
}

/* ---- the end of the connection ---- */

static void disconnect(struct agent *a)
{
	loop_remove(a->source);
	a->source = NULL;
	fd_replace(&a->fd, -1);
	a->ready = false;
	a->hello_deadline_ns = 0;
}

/* The last thing done with a: its owner may free it. */
static void lose(struct agent *a, const struct err *why)
{
	struct err e = *why;

	if (a->fd < 0)
		return;
	disconnect(a);
	finish_all(a, &e);
	a->events.lost(a->arg, &e);
}

static void timer_event(void *arg, uint32_t events)
{
	struct agent *a = arg;
	struct call **at = &a->calls;
	const uint64_t now = now_ns();
	struct err err = ERR_INIT;

	(void)events;
	a->timer_ns = 0;
	if (a->hello_deadline_ns && a->hello_deadline_ns <= now) {
		(void)err_set(&err, ETIMEDOUT, "the guest's agent does not say hello");
		lose(a, &err);
		return;
	}
	while (*at) {
		if (!(*at)->deadline_ns || (*at)->deadline_ns > now) {
			at = &(*at)->next;
			continue;
		}
		(void)err_set(&err, ETIMEDOUT, "the guest's agent does not answer '%s'",
			      proto_op_name((*at)->op));
		finish(a, at, NULL, &err);
		at = &a->calls; /* new ones may have been made */
	}
	set_timer(a);
}

/* ---- out ---- */

static int flush(struct agent *a, struct err *err)
{
	int rc = proto_flush(&a->out, a->fd, err);

	if (rc < 0)
		return rc;
	return loop_set_events(a->source, EPOLLIN | (rc ? EPOLLOUT : 0), err);
}

static int answer(struct agent *a, const struct proto_frame *request, uint32_t error,
		  const struct buf *body, struct err *err)
{
	const struct proto_frame frame = {
		.op = request->op,
		.flags = PROTO_REPLY,
		.id = request->id,
		.error = error,
		.body = proto_body_of(body),
	};
	int rc = proto_send(&a->out, &frame, err);

	return rc < 0 ? rc : flush(a, err);
}

int agent_call(struct agent *a, enum proto_op op, const struct buf *body, uint32_t timeout_ms,
	       agent_reply_fn *fn, void *arg, struct err *err)
{
	struct proto_frame frame = {.op = (uint16_t)op};
	struct call *c;
	int rc;

	if (!a->ready)
		return err_set(err, ENOTCONN, "the guest's agent is not there");
	if (op == PROTO_WAIT ? a->n_waits >= AGENT_WAITS_MAX : a->n_calls >= PROTO_PENDING_MAX)
		return err_set(err, EAGAIN, "too many requests to the guest are outstanding");
	frame.id = a->last_id + 1;
	if (body)
		frame.body = proto_body_of(body);
	rc = proto_send(&a->out, &frame, err);
	if (rc < 0)
		return rc;
	a->last_id = frame.id;
	c = mem_xalloc(sizeof(*c));
	*c = (struct call){.next = a->calls, .id = frame.id, .op = frame.op, .fn = fn, .arg = arg};
	if (timeout_ms)
		c->deadline_ns = now_ns() + timeout_ms * NS_A_MS;
	a->calls = c;
	count(a, c->op, 1);
	set_timer(a);
	/* The rest is written by the loop: an error there is the connection's, and ends it. */
	if (proto_flush(&a->out, a->fd, NULL) != 0)
		(void)!loop_set_events(a->source, EPOLLIN | EPOLLOUT, NULL);
	return 0;
}

/* ---- text of the guest's ---- */

static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

/* A string of at most max bytes, or NULL; caller frees. */
static char *get_text(const struct proto_body *body, enum proto_field type, size_t max)
{
	char *text = NULL;

	if (proto_get_string(body, type, max, &text, NULL) != 1)
		return NULL;
	make_printable(text);
	return text;
}

/* ---- in ---- */

static bool get_exit(const struct proto_body *body, struct agent_exit *ret)
{
	uint32_t status = 0, oom = 0;
	uint64_t written[2] = {0};
	size_t n = 0;

	if (proto_get_u32(body, PROTO_F_STATUS, &status, NULL) != 1 ||
	    proto_get_u32(body, PROTO_F_OOM, &oom, NULL) < 0 ||
	    proto_get_u64s(body, PROTO_F_WRITTEN, written, 2, &n, NULL) < 0 || status > 0xffff)
		return false;
	*ret = (struct agent_exit){.oom = oom, .written = {written[0], written[1]}};
	if (WIFEXITED((int)status))
		ret->code = WEXITSTATUS((int)status);
	else
		ret->signal = WTERMSIG((int)status);
	return ret->signal >= 0 && ret->signal <= SIGNAL_MAX && !WIFSTOPPED((int)status);
}

int agent_exit_of(const struct proto_body *body, struct agent_exit *ret, struct err *err)
{
	struct agent_exit e;

	if (!get_exit(body, &e))
		return err_set(err, EPROTO, "the guest tells no end of a process");
	*ret = e;
	return 0;
}

static int take_hello(struct agent *a, const struct proto_frame *f, struct err *err)
{
	uint64_t boot_ns[2] = {0};
	uint8_t entropy[PROTO_ENTROPY_LEN];
	uint32_t version = 0;
	struct timespec t;
	size_t n = 0;
	BUF body = BUF_INIT;
	int rc;

	if (a->ready || proto_get_u32(&f->body, PROTO_F_VERSION, &version, err) != 1 ||
	    proto_get_u64s(&f->body, PROTO_F_BOOT_NS, boot_ns, 2, &n, err) != 1 || n != 2)
		return err_set(err, EPROTO, "the guest's agent says hello in its own way");
	if (version != PROTO_VERSION)
		return err_set(err, EPROTO, "the guest's agent speaks version %u, not %u", version,
			       PROTO_VERSION);
	if (getrandom(entropy, sizeof(entropy), 0) != (ssize_t)sizeof(entropy))
		return err_sys(err, "getrandom");
	(void)clock_gettime(CLOCK_REALTIME, &t);
	proto_put_u32(&body, PROTO_F_VERSION, PROTO_VERSION);
	proto_put_u64(&body, PROTO_F_FEATURES, 0);
	proto_put_bytes(&body, PROTO_F_ENTROPY, entropy, sizeof(entropy));
	proto_put_u64(&body, PROTO_F_CLOCK_NS,
		      (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
	rc = answer(a, f, 0, &body, err);
	explicit_bzero(entropy, sizeof(entropy));
	if (rc < 0)
		return rc;
	a->ready = true;
	a->hello_deadline_ns = 0;
	set_timer(a);
	a->events.ready(a->arg, boot_ns);
	return 0;
}

static void take_log(struct agent *a, const char *text)
{
	const uint64_t now = now_ns();

	if (now - a->log_since_ns > LOGS_PERIOD_NS) {
		a->log_since_ns = now;
		a->n_logs = 0;
	}
	if (a->n_logs++ < LOGS_MAX)
		a->events.log(a->arg, text);
}

static int take_event(struct agent *a, const struct proto_body *b, struct err *err)
{
	FREE char *id = get_text(b, PROTO_F_ID, PROTO_ID_MAX);
	FREE char *exec = get_text(b, PROTO_F_EXEC_ID, PROTO_ID_MAX);
	FREE char *text = get_text(b, PROTO_F_TEXT, MESSAGE_MAX);
	struct agent_exit e;
	uint32_t event = 0;

	if (proto_get_u32(b, PROTO_F_EVENT, &event, err) != 1)
		return err_set(err, EPROTO, "an event of the guest that is none");
	if (event == PROTO_EVENT_EXIT && id && get_exit(b, &e))
		a->events.exited(a->arg, id, exec ? exec : "", &e);
	else if (event == PROTO_EVENT_OOM && id)
		a->events.oom(a->arg, id);
	else if (event == PROTO_EVENT_LOG && text)
		take_log(a, text);
	else if (event <= PROTO_EVENT_LOG)
		return err_set(err, EPROTO, "event %u of the guest is broken", event);
	return 0;
}

static int take_reply(struct agent *a, const struct proto_frame *f, struct err *err)
{
	struct call **at = &a->calls;
	struct err why = ERR_INIT;

	while (*at && (*at)->id != f->id)
		at = &(*at)->next;
	if (!*at && f->id - 1 < a->last_id)
		return 0; /* it has timed out */
	if (!*at || (*at)->op != f->op)
		return err_set(err, EPROTO, "the guest answers what it was not asked");
	if (f->error) {
		FREE char *text = get_text(&f->body, PROTO_F_MESSAGE, MESSAGE_MAX);

		(void)err_set(&why, (int)f->error, "%s", text ? text : "no reason is given");
	}
	finish(a, at, f->error ? NULL : &f->body, f->error ? &why : NULL);
	if (a->fd >= 0)
		set_timer(a);
	return 0;
}

static int take_frame(struct agent *a, const struct proto_frame *f, struct err *err)
{
	BUF none = BUF_INIT;

	if (!a->ready && (f->op != PROTO_HELLO || f->flags))
		return err_set(err, EPROTO, "the guest's agent does not begin with hello");
	if (f->flags & PROTO_REPLY)
		return take_reply(a, f, err);
	switch (f->op) {
	case PROTO_HELLO:
		return take_hello(a, f, err);
	case PROTO_EVENT:
		return take_event(a, &f->body, err);
	default:
		return answer(a, f, ENOSYS, &none, err);
	}
}

/* Frames that are there, a bounded number. */
static int serve(struct agent *a, uint32_t events, struct err *err)
{
	int rc = events & EPOLLOUT ? flush(a, err) : 0;

	for (int i = 0; i < FRAMES_A_TURN && rc >= 0 && a->fd >= 0; i++) {
		rc = proto_read(&a->in, a->fd, err);
		if (rc == PROTO_READ_AGAIN)
			return 0;
		if (rc == PROTO_READ_END)
			rc = err_set(err, ECONNRESET, "the guest's agent is gone");
		else if (rc == PROTO_READ_FRAME)
			rc = take_frame(a, &a->in.frame, err);
	}
	return rc;
}

static void connection_event(void *arg, uint32_t events)
{
	struct agent *a = arg;
	struct err err = ERR_INIT;

	if (serve(a, events, &err) < 0)
		lose(a, &err);
}

/* ---- the owner's side ---- */

int agent_new(struct loop *l, const struct agent_events *events, void *arg, struct agent **ret,
	      struct err *err)
{
	struct agent *a = mem_xalloc(sizeof(*a));
	int rc;

	*a = (struct agent){.loop = l, .events = *events, .arg = arg, .fd = -1};
	proto_reader_init(&a->in);
	proto_writer_init(&a->out);
	rc = loop_add_timer(l, timer_event, a, &a->timer, err);
	if (rc < 0) {
		agent_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

void agent_free(struct agent *a)
{
	struct err why = ERR_INIT;

	if (!a)
		return;
	(void)err_set(&why, ECANCELED, "the guest's agent is not asked any more");
	disconnect(a);
	finish_all(a, &why);
	loop_remove(a->timer);
	proto_reader_release(&a->in);
	proto_writer_release(&a->out);
	free(a);
}

int agent_connected(struct agent *a, int fd, struct err *err)
{
	CLOSE_FD int owned = fd;
	int rc;

	/* One boot, one connection: a second one is somebody else in the guest. */
	if (a->was_connected)
		return err_set(err, EBUSY, "the guest's agent has connected already");
	if ((rc = fd_set_nonblock(owned, 1, err)) < 0 ||
	    (rc = loop_add(a->loop, owned, EPOLLIN, connection_event, a, &a->source, err)) < 0)
		return rc;
	a->fd = fd_take(&owned);
	a->was_connected = true;
	a->hello_deadline_ns = now_ns() + AGENT_HELLO_MS * NS_A_MS;
	set_timer(a);
	return 0;
}

bool agent_is_ready(const struct agent *a)
{
	return a->ready;
}
