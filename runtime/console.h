/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Terminals of containers. Private to runtime/. */
#ifndef HULL_RUNTIME_CONSOLE_H
#define HULL_RUNTIME_CONSOLE_H

#include "namespaces/namespaces.h"

/*
 * C, in the container's root: opens a new pty of the container's own devpts. The window size is the
 * process' console size when it has one.
 */
int console_open(const struct ns_process *p, int *ret_master, int *ret_slave,
		 struct err *err) MUST_CHECK;

/* C, a session leader: makes slave the controlling terminal and descriptors 0 to 2 (owned by p's user). */
int console_attach(const struct ns_process *p, int slave, struct err *err) MUST_CHECK;

/* Sends master over a connected console socket, with the pty's name as data (runc, docs/terminals.md). */
int console_send(int sock, int master, struct err *err) MUST_CHECK;

/* C without a terminal: gives descriptors 0 to 2 to p's user where they are files or pipes. */
void console_own_stdio(const struct ns_process *p);

#endif
