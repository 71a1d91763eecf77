/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard streams of processes in a guest, on the host: connections to the agent's port
 * PROTO_PORT_STREAM, each for descriptors that a caller gave. The process must ignore SIGPIPE.
 */
#ifndef HULL_MICROVM_AGENT_STREAM_H
#define HULL_MICROVM_AGENT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct agent_streams;
struct agent_stream;

/* requests_fd: where the guest's socket device reads its vsock_requests, borrowed; does not block. */
struct agent_streams *agent_streams_new(struct loop *l, int requests_fd);
void agent_streams_free(struct agent_streams *set); /* and every stream */

enum agent_stream_event {
	AGENT_STREAM_SETTLED, /* see agent_stream_settle */
	AGENT_STREAM_ENDED,   /* nothing more will flow */
};
/* From the loop. May free the stream; who does so at SETTLED hears of no end. */
typedef void agent_stream_fn(void *arg, enum agent_stream_event event);

/*
 * Makes a stream: from is what goes to the guest (a process' standard input), to is where comes what
 * the guest sends, each -1 or owned from now on, also on failure; both of a terminal, which has
 * ended when its output has. See relay.h on blocking descriptors. The guest is told of *ret_port
 * (PROTO_F_PORT_…).
 */
int agent_stream_new(struct agent_streams *set, int from, int to, agent_stream_fn *fn, void *arg,
		     uint32_t *ret_port, struct agent_stream **ret, struct err *err) MUST_CHECK;
/*
 * Has the guest's socket device connect those that are new, all at once, before the guest is told of
 * their ports: it wakes up for each thing that comes.
 */
int agent_streams_connect(struct agent_streams *set, struct err *err) MUST_CHECK;
/* Takes no more of from, or goes on. What it took is sent; *ret_sent and *ret_written: so far. */
void agent_stream_hold(struct agent_stream *s, bool hold, uint64_t *ret_sent,
		       uint64_t *ret_written);
void agent_stream_free(struct agent_stream *s); /* NULL: nothing. Cuts what flows. */

/*
 * Has SETTLED told once to has got that many bytes, which is how an exit's written says that all
 * of a process' output is there although others may go on writing. A terminal is settled at its end:
 * AGENT_STREAM_ALL. When ENDED comes first, it stands for both; it may have come before.
 */
#define AGENT_STREAM_ALL UINT64_MAX
void agent_stream_settle(struct agent_stream *s, uint64_t bytes);
bool agent_stream_has_ended(const struct agent_stream *s);

#endif
