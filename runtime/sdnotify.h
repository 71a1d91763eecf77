/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NOTIFY_SOCKET (man 3 sd_notify): when the caller of hull has one, the container gets a socket of its
 * own, and what counts of its messages is passed on with the container's pid. Private to runtime/.
 */
#ifndef HULL_RUNTIME_SDNOTIFY_H
#define HULL_RUNTIME_SDNOTIFY_H

#include "runtime/runtime.h"

/*
 * create: makes the socket's directory in the state directory and adds its mount and variable to
 * spec. Does nothing without NOTIFY_SOCKET in the environment.
 */
int sdnotify_prepare(const struct container *c, struct spec *spec, struct err *err) MUST_CHECK;

/*
 * start: binds the socket. Returns it (caller closes), or -1 with *err untouched when there is
 * nothing to do, or another -errno.
 */
int sdnotify_open(const struct container *c, struct err *err) MUST_CHECK;

/* Passes one waiting message on. Returns 1 once the container has said READY=1, else 0 or -errno. */
int sdnotify_forward(int sock, pid_t pid, struct err *err) MUST_CHECK;

/* Passes messages on until READY=1 or the end of the process. */
int sdnotify_wait(int sock, pid_t pid, int pidfd, struct err *err) MUST_CHECK;

#endif
