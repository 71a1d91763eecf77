/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine made smaller or larger, within what it was booted with: processors that the guest takes
 * offline and online, memory that its balloon takes and gives. A guest that does not give memory in
 * time keeps its size, processors included: what it uses is not taken from it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/vmm/vmm.h"

#define LOOK_NS     10000000ull    /* between two looks at the balloon */
#define PATIENCE_NS 20000000000ull /* until it has to be filled */
#define SLACK       (1ull << 20)   /* of what it holds: pages that the guest moves about meanwhile */

struct resize {
	struct vmm *vmm;
	uint64_t memory, was; /* bytes; memory 0: as it is */
	uint32_t cpus_were;   /* 0: as it was */
	resize_fn *fn;
	void *arg;
	struct loop_source *timer;
	unsigned int looks;
	struct err why;
};

static void resize_free(struct resize *r)
{
	r->vmm->resize = NULL;
	loop_remove(r->timer);
	free(r);
}

/* What is called may begin another one. */
static void done(struct resize *r)
{
	const struct resize_undo undo = {r->cpus_were, r->memory ? r->was : 0};
	const struct err why = r->why;
	resize_fn *fn = r->fn;
	void *arg = r->arg;

	resize_free(r);
	fn(arg, &undo, why.code ? &why : NULL);
}

static void set_cpus(struct resize *r, uint32_t cpus, agent_reply_fn *fn)
{
	BUF request = BUF_INIT;

	proto_put_u32(&request, PROTO_F_CPUS, cpus);
	calls_make(r->vmm, PROTO_SET_CPUS, &request, CALL_TIMEOUT_MS, fn, r);
}

static void taken_back(void *arg, const struct proto_body *body, const struct err *why)
{
	(void)body;
	(void)why;
	done(arg);
}

static void fail(struct resize *r, const struct err *why)
{
	r->why = *why;
	if (r->memory)
		machine_set_memory(&r->vmm->machine, r->was);
	if (r->cpus_were)
		set_cpus(r, r->cpus_were, taken_back);
	else
		done(r);
}

static void look(void *arg, uint32_t events)
{
	struct resize *r = arg;
	uint64_t has = machine_memory(&r->vmm->machine);
	struct err e = ERR_INIT;

	(void)events;
	if (has <= r->memory + SLACK) {
		done(r);
		return;
	}
	if (++r->looks > PATIENCE_NS / LOOK_NS)
		(void)err_set(&e, EBUSY,
			      "the virtual machine uses %llu bytes of memory, and does not give back "
			      "what is above %llu",
			      (unsigned long long)has, (unsigned long long)r->memory);
	if (e.code || loop_set_timer(r->timer, LOOK_NS, &e) < 0)
		fail(r, &e);
}

static void set_memory(struct resize *r)
{
	if (!r->memory) {
		done(r);
		return;
	}
	machine_set_memory(&r->vmm->machine, r->memory);
	look(r, 0);
}

static void cpus_set(void *arg, const struct proto_body *body, const struct err *why)
{
	struct resize *r = arg;
	struct err e = ERR_INIT;
	uint32_t were = 0;

	if (!why && proto_get_u32(body, PROTO_F_CPUS, &were, &e) < 0)
		why = &e;
	if (why) {
		fail(r, why);
		return;
	}
	r->cpus_were = were;
	set_memory(r);
}

int resize_start(struct vmm *v, uint32_t cpus, uint64_t memory, resize_fn *fn, void *arg,
		 struct err *err)
{
	struct resize *r;
	int rc;

	if (v->resize)
		return err_set(err, EBUSY, "the virtual machine is being resized");
	r = mem_xalloc(sizeof(*r));
	*r = (struct resize){.vmm = v, .memory = memory, .fn = fn, .arg = arg};
	rc = loop_add_timer(v->loop, look, r, &r->timer, err);
	if (rc < 0) {
		free(r);
		return rc;
	}
	v->resize = r;
	if (memory > v->o.memory)
		r->memory = v->o.memory;
	r->was = machine_wanted_memory(&v->machine);
	if (cpus)
		set_cpus(r, cpus < v->o.cpus ? cpus : v->o.cpus, cpus_set);
	else
		set_memory(r);
	return 0;
}
