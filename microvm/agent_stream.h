/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard streams of processes in a guest, on the host: connections to port PROTO_PORT_STREAM, each
 * paired by its token with descriptors that a caller gave. The process must ignore SIGPIPE.
 */
#ifndef HULL_MICROVM_AGENT_STREAM_H
#define HULL_MICROVM_AGENT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "microvm/proto.h"

/* Connections that have not said their token yet; one more takes the place of the oldest. */
#define AGENT_STRANGERS_MAX 256

struct agent_streams;
struct agent_stream;

struct agent_streams *agent_streams_new(struct loop *l);
void agent_streams_free(struct agent_streams *set); /* and every stream */

/* The guest has connected: fd, a stream socket, is owned from now on. */
void agent_stream_connected(struct agent_streams *set, int fd);

enum agent_stream_event {
	AGENT_STREAM_SETTLED, /* see agent_stream_settle */
	AGENT_STREAM_ENDED,   /* nothing more will flow */
};
/* From the loop. May free the stream; who does so at SETTLED hears of no end. */
typedef void agent_stream_fn(void *arg, enum agent_stream_event event);

/*
 * Makes a stream: from is what goes to the guest (a process' standard input), to is where comes what
 * the guest sends, each -1 or owned from now on, also on failure; both of a terminal, which has
 * ended when its output has. See relay.h on blocking descriptors. ret_token is what to ask the guest
 * for (PROTO_F_TOKEN_…), before it has a chance to connect.
 */
int agent_stream_new(struct agent_streams *set, int from, int to, agent_stream_fn *fn, void *arg,
		     uint8_t ret_token[static PROTO_TOKEN_LEN], struct agent_stream **ret,
		     struct err *err) MUST_CHECK;
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
