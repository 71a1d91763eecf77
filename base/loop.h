/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event loop over epoll(7), for one thread: descriptors and timers, each with a function. Sources
 * may be added, changed and removed from within any function, their own included.
 */
#ifndef HULL_BASE_LOOP_H
#define HULL_BASE_LOOP_H

#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_source;

typedef void loop_fn(void *arg, uint32_t events);

int loop_new(struct loop **ret, struct err *err) MUST_CHECK;
void loop_free(struct loop *l); /* and all sources; closes no descriptor of theirs */

/*
 * Calls fn with the EPOLL… events that came, from loop_run. fd stays the caller's and must not be
 * closed before the source is removed.
 */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *arg,
	     struct loop_source **ret, struct err *err) MUST_CHECK;
int loop_set_events(struct loop_source *s, uint32_t events, struct err *err) MUST_CHECK;
void loop_remove(struct loop_source *s); /* NULL: nothing */

/* A timer, stopped at first; CLOCK_MONOTONIC. Its fn gets events 0. Removed by loop_remove. */
int loop_add_timer(struct loop *l, loop_fn *fn, void *arg, struct loop_source **ret,
		   struct err *err) MUST_CHECK;
/* Fires once, after_ns from now, in place of what was set; 0: stops. */
int loop_set_timer(struct loop_source *s, uint64_t after_ns, struct err *err) MUST_CHECK;

/* Serves until loop_stop. Interrupted waits go on. */
int loop_run(struct loop *l, struct err *err) MUST_CHECK;
/* One round; waits at most timeout_ms (-1: without limit). For tests. */
int loop_turn(struct loop *l, int timeout_ms, struct err *err) MUST_CHECK;
void loop_stop(struct loop *l); /* from the loop's own thread */

#endif
