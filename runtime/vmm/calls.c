/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent takes a limited number of requests at a time. Callers here have no such limit: what is
 * too many waits in line, as long as the control socket has clients for.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/vmm/vmm.h"

struct call {
	struct call *next;
	struct calls *calls;
	enum proto_op op;
	struct buf body;
	uint32_t timeout_ms;
	agent_reply_fn *fn;
	void *arg;
};

struct calls {
	struct vmm *vmm;
	struct loop_source *timer; /* what fails at once is told from the loop, too */
	struct call *first, **end;
};

static void call_free(struct call *c)
{
	buf_release(&c->body);
	free(c);
}

static void answered(void *arg, const struct proto_body *body, const struct err *why);

static int ask(struct call *c, struct err *err)
{
	return agent_call(c->calls->vmm->agent, c->op, &c->body, c->timeout_ms, answered, c, err);
}

/* False: it has to wait. */
static bool make(struct call *c)
{
	struct err e = ERR_INIT;
	int rc = ask(c, &e);

	if (rc == -EAGAIN)
		return false;
	if (rc < 0) {
		c->fn(c->arg, NULL, &e);
		call_free(c);
	}
	return true;
}

static void make_waiting(struct calls *calls)
{
	struct call *c;

	while ((c = calls->first)) {
		calls->first = c->next;
		if (!calls->first)
			calls->end = &calls->first;
		if (make(c))
			continue;
		c->next = calls->first;
		calls->first = c;
		if (!c->next)
			calls->end = &c->next;
		return;
	}
}

/* Not that the agent is gone is of interest then, but why. */
static void explain(const struct vmm *v, struct err *ret)
{
	if (v->failed)
		(void)err_set(ret, EIO, "%s", v->why.msg);
	else
		(void)err_set(ret, ESRCH, "the container has ended");
}

static void answered(void *arg, const struct proto_body *body, const struct err *why)
{
	struct call *c = arg;
	struct calls *calls = c->calls;
	struct err e = ERR_INIT;

	if (why && calls->vmm->stage == VMM_ENDS) {
		explain(calls->vmm, &e);
		why = &e;
	}
	c->fn(c->arg, body, why);
	call_free(c);
	if (calls->first)
		(void)!loop_set_timer(calls->timer, 1, NULL);
}

static void on_timer(void *arg, uint32_t events)
{
	(void)events;
	make_waiting(arg);
}

int calls_new(struct vmm *v, struct calls **ret, struct err *err)
{
	struct calls *calls = mem_xalloc(sizeof(*calls));

	calls->vmm = v;
	calls->end = &calls->first;
	*ret = calls;
	return loop_add_timer(v->loop, on_timer, calls, &calls->timer, err);
}

void calls_make(struct vmm *v, enum proto_op op, const struct buf *body, uint32_t timeout_ms,
		agent_reply_fn *fn, void *arg)
{
	struct calls *calls = v->calls;
	struct call *c = mem_xalloc(sizeof(*c));

	*c = (struct call){
		.calls = calls,
		.op = op,
		.timeout_ms = timeout_ms,
		.fn = fn,
		.arg = arg,
	};
	if (body)
		buf_add(&c->body, body->data, body->len);
	if (!calls->first && ask(c, NULL) == 0)
		return;
	*calls->end = c;
	calls->end = &c->next;
	(void)!loop_set_timer(calls->timer, 1, NULL);
}

bool calls_succeeded(struct vmm *v, const struct err *why)
{
	if (v->stage == VMM_ENDS)
		return false;
	if (why)
		vmm_fail(v, why);
	return !why;
}
