/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handing the descriptor of a seccomp filter with SCMP_ACT_NOTIFY to the agent that serves it. Once
 * the filter is in place any call of the filtered process may wait for that agent, so the process
 * cannot send the descriptor itself: it leaves the number in memory shared with its parent, which
 * takes a copy by pidfd_getfd(2) and sends it. Private to runtime/.
 *
 * Calling sequence: P notify_new before clone; C sends SYNC_NOTIFY, installs the filter,
 * notify_publish; P on SYNC_NOTIFY notify_serve.
 */
#ifndef HULL_RUNTIME_NOTIFY_H
#define HULL_RUNTIME_NOTIFY_H

#include "namespaces/namespaces.h"
#include "runtime/runtime.h"

struct notify;

int notify_new(struct notify **ret, struct err *err) MUST_CHECK;
void notify_free(struct notify *n);

/* C: publishes the listener and waits, without a system call, until P has handed it over; closes it. */
void notify_publish(struct notify *n, int listener);

/*
 * P: waits for the listener of process pid, connects to s->listener_path and sends the container
 * process state (runtime-spec config-linux.md, The Container Process State) with the descriptor.
 * On failure the caller kills the process, which waits for ever.
 */
int notify_serve(struct notify *n, const struct ns_seccomp *s, const struct container *c, pid_t pid,
		 int pidfd, const char *status, struct err *err) MUST_CHECK;

#endif
