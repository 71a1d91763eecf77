/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries bytes one way, from one descriptor to another, on an event loop: one buffer, so that a
 * slow reader holds up the writer and nothing is lost. The process must ignore SIGPIPE.
 *
 * Sockets, pipes and regular files may be in blocking mode, as descriptors from elsewhere are, whose
 * mode is not ours to change: they are asked not to wait call by call (man 2 recv, MSG_DONTWAIT; man
 * 2 preadv2, RWF_NOWAIT), or, where the kernel cannot, asked by poll(2) first. A terminal should be
 * non-blocking.
 */
#ifndef HULL_BASE_RELAY_H
#define HULL_BASE_RELAY_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct relay;

enum relay_end {
	RELAY_ENDED,        /* end of file, and all is written */
	RELAY_READ_FAILED,  /* what had been read is written */
	RELAY_WRITE_FAILED, /* nobody reads any more */
};

/* error: a positive errno, 0 with RELAY_ENDED. */
typedef void relay_fn(void *arg, enum relay_end end, int error);

/*
 * Begins. from and to stay the caller's, who may close them at once: the relay has duplicates, which
 * it has closed by the time it calls fn, once, from the loop. fn may free the relay; whoever waits
 * for an end of file behind to gets it when the caller has shut down or closed to. Two descriptors
 * that cannot be polled (man 2 epoll_ctl, EPERM): -EPERM.
 */
int relay_new(struct loop *l, int from, int to, relay_fn *fn, void *arg, struct relay **ret,
	      struct err *err) MUST_CHECK;
void relay_free(struct relay *r); /* NULL: nothing */

uint64_t relay_carried(const struct relay *r); /* bytes written so far */
uint64_t relay_taken(const struct relay *r);   /* bytes read so far */

/* Nothing new is waited for: once what is there has been read, that counts as the end of file. */
void relay_finish(struct relay *r);

/* Takes nothing any more, until it is let go on; what is taken already is written, ends are not told. */
void relay_hold(struct relay *r, int hold);

/*
 * Calls fn, in place of what was set, from the loop, once that many bytes are written. When the relay
 * ends first, its end is all that is told.
 */
typedef void relay_at_fn(void *arg);
void relay_at(struct relay *r, uint64_t bytes, relay_at_fn *fn, void *arg);

#endif
