/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the control socket: a connection, on which one thing is asked for, and what has become of
 * that. Private to runtime/vmm/.
 */
#ifndef HULL_VMM_CLIENT_H
#define HULL_VMM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "runtime/vm_control.h"
#include "runtime/vmm/vmm.h"

struct control {
	struct vmm *vmm;
	struct loop_source *source;
	struct client *clients;
	unsigned int n_clients, last_exec;
	uint64_t
		execs_of; /* in their names: a guest that was saved knows those of its hull-vmm before */
};

struct client {
	struct client *next;
	struct vmm *vmm;
	int fd; /* -1: gone, and freed when nothing is outstanding */
	struct loop_source *source;
	enum vm_control_op op;   /* 0: none yet */
	int text_fd;             /* -1, or where the answer's text goes */
	char *container;         /* what the guest calls the one that it is about */
	struct process *process; /* of an EXEC */
	struct member *member;   /* of a JOIN */
	unsigned int n_calls;    /* outstanding */
	struct buf request;      /* of an UPDATE, once the machine has its size */
	struct resize_undo was;
	struct err why; /* it failed */
};

/* ---- client.c ---- */

/* False: nobody is there to hear it. */
bool client_reply(struct client *c, uint32_t number, const struct err *why);
/* The answer to a client that has no more to say; it may be freed, here and in the next two. */
bool client_finish(struct client *c, uint32_t number, const struct err *why);
bool client_finish_text(struct client *c, const char *text, size_t len); /* with a text for it */
void client_refuse(struct client *c, int error, const char *why);
/* A request to the agent. fn has to count n_calls down. */
void client_call(struct client *c, enum proto_op op, const struct buf *body, uint32_t timeout_ms,
		 agent_reply_fn *fn);
void client_hang_up(struct client *c);
void client_free_if_idle(struct client *c);
void client_free(struct client *c);

/* ---- exec.c ---- */

/* fds: a file of vm_request_exec's, then its streams; those that are taken become -1. */
int exec_begin(struct client *c, bool terminal, uint32_t size, int *fds, size_t n_fds,
	       struct err *err) MUST_CHECK;
void exec_signal(struct client *c, uint32_t number);
void exec_resize(struct client *c, uint32_t size); /* rows << 16 | columns */

/* ---- join.c ---- */

/* What comes on the connection of a further container. The first word makes it. fds: as above. */
int join_serve(struct client *c, const struct vm_control_request *r, int *fds, size_t n_fds,
	       struct err *err) MUST_CHECK;
void join_abandon(struct client *c); /* its container, if it has one, ends */
/* The one that the client names ends, and it is answered then. */
void join_leave(struct client *c);

#endif
