/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between hull-oci (P) and the process that it sets up in a container (C), over a pair of
 * SOCK_SEQPACKET sockets: one message, one packet. An end of file means that the other side is gone;
 * C ends then. Once C has called execve its end is closed, which is how P knows that the container's
 * program runs.
 *
 * Order (in brackets: only when needed):
 *   P->C GO           maps written, cgroups joined (C makes its namespaces meanwhile)
 *   [C->P NET_DEVICES the network namespace is there; P moves linux.netDevices into it]
 *   [P->C GO]
 *   [C->P HOOKS       namespaces and mounts are there; P runs prestart and createRuntime]
 *   [P->C GO]
 *   [C->P TTY + fd    pty master, for a foreground run]
 *   [C->P LIMITS      P sets the rlimits that C, in a user namespace, has no right to raise]
 *   [P->C GO]
 *   [C->P NOTIFY      a filter with a listener comes next: see notify.h]
 *   C->P READY        all set up, credentials dropped (run: all but that)
 *   P->C GO           state is on disk; C waits for start (create) or goes on (run, exec)
 *   C->P ERROR        at any point, the last message
 */
#ifndef HULL_RUNTIME_SYNC_H
#define HULL_RUNTIME_SYNC_H

#include <stdint.h>

#include "base/err.h"

enum sync_type {
	SYNC_GO = 1,
	SYNC_NET_DEVICES,
	SYNC_HOOKS,
	SYNC_TTY,
	SYNC_LIMITS,
	SYNC_NOTIFY,
	SYNC_READY,
	SYNC_ERROR,
};

/* Makes the pair, both close-on-exec. */
int sync_pair(int ret[static 2], struct err *err) MUST_CHECK;

/* P: fails with -EPIPE instead of a signal when C is gone. */
int sync_send(int sock, enum sync_type type, struct err *err) MUST_CHECK;
/* C: a plain write, which ends C (SIGPIPE) when P is gone. */
int sync_tell(int sock, enum sync_type type, struct err *err) MUST_CHECK;
int sync_send_fd(int sock, enum sync_type type, int fd, struct err *err) MUST_CHECK;
void sync_send_error(int sock, const struct err *e);

/*
 * Waits for a message. Returns its type; for SYNC_ERROR fills err with the sender's error and returns
 * its -errno. -ECONNRESET: the other side is gone. ret_fd (may be NULL) gets a descriptor or -1.
 */
int sync_recv(int sock, int *ret_fd, struct err *err) MUST_CHECK;

/* The same, and anything but type is -EPROTO. */
int sync_expect(int sock, enum sync_type type, int *ret_fd, struct err *err) MUST_CHECK;

/*
 * Waits until the other side has called execve (end of file: 0) or reports why it could not (its
 * -errno).
 */
int sync_wait_exec(int sock, struct err *err) MUST_CHECK;

#endif
