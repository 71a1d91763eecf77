/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of a guest's agent (proto.h), on the event loop of hull-vmm. The guest is hostile:
 * whatever it sends costs bounded memory and time, and what breaks the protocol ends the connection.
 *
 *   agent_new
 *   agent_connected     the guest has connected to port PROTO_PORT_CONTROL
 *   … events.ready      HELLO is done: calls may be made
 *   agent_call          as often as need be
 *   … events.lost       the connection is over; what was not answered has been, with that error
 *   agent_free
 *
 * Streams of processes are in agent_stream.h.
 */
#ifndef HULL_MICROVM_AGENT_H
#define HULL_MICROVM_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "microvm/proto.h"

#define AGENT_WAITS_MAX 1024  /* WAITs without an answer; of other requests PROTO_PENDING_MAX */
#define AGENT_HELLO_MS  10000 /* from the connection to HELLO */

/* How a process ended. */
struct agent_exit {
	int code;   /* exit status, when signal is 0 */
	int signal; /* 1 to 64 */
	bool oom;
	uint64_t written[2]; /* what stdout and stderr will have carried: agent_stream_settle */
};

/* All strings are borrowed for the call, and of one line of printable bytes where they are text. */
struct agent_events {
	/* CLOCK_BOOTTIME of the guest when its agent began and when it said HELLO. */
	void (*ready)(void *arg, const uint64_t boot_ns[2]);
	/* exec is "" for a container's first process. */
	void (*exited)(void *arg, const char *id, const char *exec, const struct agent_exit *e);
	void (*oom)(void *arg, const char *id);
	void (*log)(void *arg, const char *text); /* not more often than is good for a log */
	/* The only one that may free the agent. ECONNRESET: the guest has closed. */
	void (*lost)(void *arg, const struct err *why);
};

struct agent;

int agent_new(struct loop *l, const struct agent_events *events, void *arg, struct agent **ret,
	      struct err *err) MUST_CHECK;
/* Answers what is outstanding, with ECANCELED. Not from within an agent_reply_fn or an event. */
void agent_free(struct agent *a);

/* fd: a stream socket, owned from now on, also on failure. -EBUSY: there was one before. */
int agent_connected(struct agent *a, int fd, struct err *err) MUST_CHECK;
bool agent_is_ready(const struct agent *a);

/*
 * The answer: its fields, borrowed for the call, or why != NULL, whose code is the guest's, or
 * ETIMEDOUT, or that of the lost connection. The fields are the guest's: proto_get_….
 */
typedef void agent_reply_fn(void *arg, const struct proto_body *body, const struct err *why);

/*
 * Sends a request, body being its fields (NULL: none). timeout_ms 0: the answer may take its time,
 * as that of WAIT. fn is called once, later. -ENOTCONN: not ready; -EAGAIN: too many are
 * outstanding; -E2BIG: the body is too long, as config.json may be; -ENOBUFS.
 */
int agent_call(struct agent *a, enum proto_op op, const struct buf *body, uint32_t timeout_ms,
	       agent_reply_fn *fn, void *arg, struct err *err) MUST_CHECK;

/* Reads WAIT's answer. */
int agent_exit_of(const struct proto_body *body, struct agent_exit *ret,
		  struct err *err) MUST_CHECK;

#endif
