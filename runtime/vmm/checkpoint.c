/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A checkpoint of the running container. In this order: nothing more is taken of its standard input;
 * the guest freezes the container, so that no program sees the moment between two lives, nor draws
 * random numbers before the agent has new ones; the guest stops taking output, and what was taken on
 * either side arrives on the other, so that streams are empty; then the machine is paused and saved.
 *
 * An output that its reader does not take, or an input that the container does not, stays under way:
 * the checkpoint fails then, for these bytes would be nowhere. What is still in the container's own
 * pipes or terminal is saved with the guest.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/vmm/vmm.h"

#define LOOK_NS     10000000ull    /* between two looks at what is under way */
#define PATIENCE_NS 10000000000ull /* until it has to be through */
#define ARRIVED     UINT64_MAX     /* of an input that the container takes no more of */

struct checkpoint {
	struct vmm *vmm;
	struct snapshot to;
	bool leave_running;
	checkpoint_fn *fn;
	void *arg;
	struct loop_source *timer;
	uint64_t deadline_ns;
	bool suspended, paused; /* in the guest */
	bool told;
	struct err why; /* it failed; code 0: it did not */
};

static void put_id(const struct checkpoint *c, struct buf *request)
{
	proto_put_string(request, PROTO_F_ID, c->vmm->o.guest_id);
}

static void release(struct checkpoint *c)
{
	c->vmm->checkpoint = NULL;
	loop_remove(c->timer);
	snapshot_close(&c->to);
	free(c);
}

static void hold_input(struct checkpoint *c, bool hold)
{
	uint64_t sent, written;

	if (c->vmm->first && c->vmm->first->streams[0].stream)
		agent_stream_hold(c->vmm->first->streams[0].stream, hold, &sent, &written);
}

/* ---- back to where it was ---- */

static void thawed(void *arg, const struct proto_body *body, const struct err *why)
{
	struct checkpoint *c = arg;

	(void)body;
	if (why && !c->why.code)
		c->why = *why;
	hold_input(c, false);
	c->vmm->checkpoint = NULL;
	if (!c->told)
		(void)c->fn(c->arg, c->why.code ? &c->why : NULL);
	release(c);
}

static void thaw(struct checkpoint *c)
{
	BUF request = BUF_INIT;

	put_id(c, &request);
	calls_make(c->vmm, PROTO_RESUME, &request, CALL_TIMEOUT_MS, thawed, c);
}

static void attached(void *arg, const struct proto_body *body, const struct err *why)
{
	struct checkpoint *c = arg;

	(void)body;
	if (why && !c->why.code)
		c->why = *why;
	thaw(c);
}

/* What was done is taken back, in reverse. */
static void go_on(struct checkpoint *c)
{
	BUF request = BUF_INIT;

	put_id(c, &request);
	if (c->suspended)
		calls_make(c->vmm, PROTO_ATTACH, &request, CALL_TIMEOUT_MS, attached, c);
	else if (c->paused)
		thaw(c);
	else
		thawed(c, NULL, NULL);
}

static void fail(struct checkpoint *c, const struct err *why)
{
	c->why = *why;
	go_on(c);
}

/* ---- saving ---- */

static void save(struct checkpoint *c)
{
	struct vm *vm = c->vmm->machine.vm;
	struct err e = ERR_INIT;
	int rc;

	/* Only a SIGKILL from inside can have ended what is frozen. */
	if (c->vmm->stage != VMM_RUNS) {
		(void)err_set(&e, ESRCH, "the container has ended");
		fail(c, &e);
		return;
	}
	vm_pause(vm);
	rc = vm_save(vm, &c->to, &e);
	/* The guest does not run on from what was saved, as the saved one may. */
	c->told = rc == 0 && !c->leave_running;
	if (c->told && c->fn(c->arg, NULL)) {
		c->vmm->status = SIGKILL;
		vmm_stop(c->vmm);
		release(c);
		return;
	}
	vm_resume(vm);
	if (rc < 0)
		fail(c, &e);
	else
		go_on(c);
}

/* ---- streams ---- */

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* All that the guest took is handed on, and all that it was sent has arrived. */
static bool is_drained(const struct checkpoint *c, const uint64_t written[2], uint64_t arrived)
{
	const struct process *p = c->vmm->first;
	const bool terminal = c->vmm->o.terminal;

	for (int i = 0; p && i < 3; i++) {
		struct agent_stream *s = p->streams[i].stream;
		uint64_t sent = 0, got = 0;

		if (!s)
			continue;
		agent_stream_hold(s, true, &sent, &got);
		if (i == 0 && arrived != ARRIVED && arrived != sent)
			return false;
		if ((i > 0 || terminal) && got < written[i > 1])
			return false;
	}
	return true;
}

static void suspended(void *arg, const struct proto_body *body, const struct err *why)
{
	struct checkpoint *c = arg;
	uint64_t written[2] = {0}, arrived = 0;
	struct err e = ERR_INIT;
	size_t n = 0;

	if (!why) {
		c->suspended = true;
		if (proto_get_u64s(body, PROTO_F_WRITTEN, written, 2, &n, &e) < 0 ||
		    proto_get_u64(body, PROTO_F_READ, &arrived, &e) < 0)
			why = &e;
	}
	if (why)
		fail(c, why);
	else if (is_drained(c, written, arrived))
		save(c);
	else if (now_ns() < c->deadline_ns && loop_set_timer(c->timer, LOOK_NS, NULL) == 0)
		return;
	else if (err_set(&e, EBUSY,
			 "its standard streams are under way: somebody does not read them") < 0)
		fail(c, &e);
}

static void look(void *arg, uint32_t events)
{
	struct checkpoint *c = arg;
	BUF request = BUF_INIT;

	(void)events;
	put_id(c, &request);
	calls_make(c->vmm, PROTO_SUSPEND, &request, CALL_TIMEOUT_MS, suspended, c);
}

static void frozen(void *arg, const struct proto_body *body, const struct err *why)
{
	struct checkpoint *c = arg;

	(void)body;
	if (why) {
		fail(c, why);
		return;
	}
	c->paused = true;
	c->deadline_ns = now_ns() + PATIENCE_NS;
	look(c, 0);
}

int checkpoint_start(struct vmm *v, const struct snapshot *to, bool leave_running,
		     checkpoint_fn *fn, void *arg, struct err *err)
{
	struct checkpoint *c;
	BUF request = BUF_INIT;
	int rc;

	if (v->stage != VMM_RUNS || !v->first || v->first->exited)
		return err_set(err, EBUSY, "the container is not running");
	if (v->members)
		return err_set(err, EOPNOTSUPP,
			       "there are other containers in its virtual machine: not supported");
	if (v->checkpoint)
		return err_set(err, EBUSY, "there is another checkpoint under way");
	c = mem_xalloc(sizeof(*c));
	*c = (struct checkpoint){.vmm = v,
				 .to = SNAPSHOT_INIT,
				 .leave_running = leave_running,
				 .fn = fn,
				 .arg = arg};
	rc = loop_add_timer(v->loop, look, c, &c->timer, err);
	if (rc < 0) {
		free(c);
		return rc;
	}
	c->to = *to;
	v->checkpoint = c;
	hold_input(c, true);
	put_id(c, &request);
	calls_make(v, PROTO_PAUSE, &request, CALL_TIMEOUT_MS, frozen, c);
	return 0;
}
