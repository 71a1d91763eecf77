/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that create, run or exec makes inside a container, as its parent sees it. Private to
 * runtime/.
 */
#ifndef HULL_RUNTIME_CHILD_H
#define HULL_RUNTIME_CHILD_H

#include "namespaces/namespaces.h"
#include "runtime/launch.h"
#include "runtime/notify.h"
#include "runtime/runtime.h"
#include "runtime/sync.h"

struct child {
	const struct ns_process *process; /* NULL: config.json has none; borrowed */
	const struct ns_seccomp *seccomp; /* NULL: none; borrowed */
	struct ns_seccomp_filter filter;
	struct notify *notify;
	bool in_userns;
	unsigned int preserve_fds;
	int console_fd; /* connected console socket; -1: a pty master comes to the parent */
	int sync[2];    /* [0] parent's, [1] child's */

	pid_t pid; /* in the parent, 0: not there */
	int pidfd;
	int console_master; /* received from the child, -1: none */
};

#define CHILD_INIT                                                                                 \
	{                                                                                          \
		.console_fd = -1, .sync = {-1, -1}, .pidfd = -1, .console_master = -1              \
	}

/*
 * P, before any side effect: checks terminal and labels against the options, connects the console
 * socket (NULL: none), counts the descriptors to preserve.
 */
int child_check(struct child *ch, bool foreground, const char *console_socket,
		unsigned int preserve_fds, struct err *err) MUST_CHECK;

/* P: the system call filter, from the cache below the runtime's root where that is possible. */
int child_build_filter(struct child *ch, struct runtime *rt, struct err *err) MUST_CHECK;

/* C: fills what launch_prepare needs; keeps the child's end of the pair only. */
void child_become(struct child *ch, int proc_fd, struct launch *ret);

/*
 * P: answers the child until it is ready. request serves SYNC_NET_DEVICES and SYNC_HOOKS; status is what
 * a seccomp agent is told. A child that died without a word: -ECHILD with its end described, an
 * out-of-memory kill in cg (may be NULL) included.
 */
typedef int child_request_fn(void *arg, enum sync_type type, struct err *err);
int child_serve(struct child *ch, const struct container *c, struct cgroup *cg, const char *status,
		child_request_fn *request, void *arg, struct err *err) MUST_CHECK;

/* P: lets the child go on; when it is gone, its own error or its end as child_serve has it. */
int child_go(struct child *ch, struct cgroup *cg, struct err *err) MUST_CHECK;

/*
 * P: writes the pid file (no newline, replaced atomically; a device or FIFO is written to) and sends
 * the pidfd; NULL: not asked for.
 */
int child_announce(const struct child *ch, const char *pid_file, const char *pidfd_socket,
		   struct err *err) MUST_CHECK;

void child_retract(const char *pid_file); /* P: removes the pid file, if it is one */
void child_kill(struct child *ch);        /* P: SIGKILL and reap; nothing when there is none */
void child_release(struct child *ch);

#endif
