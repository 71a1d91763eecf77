/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last steps of a process before execve, the same for a container's first process and for one
 * that exec starts. Private to runtime/.
 */
#ifndef HULL_RUNTIME_LAUNCH_H
#define HULL_RUNTIME_LAUNCH_H

#include "namespaces/namespaces.h"
#include "runtime/notify.h"

struct launch {
	const struct ns_process *process;
	const struct ns_seccomp_filter *filter; /* NULL: none */
	struct notify *notify;                  /* set when the filter notifies */
	int proc_fd;                            /* the host's procfs */
	int sync;
	int fifo_fd; /* exec.fifo or -1 */
	/*
	 * READY comes before the last steps, so that the parent works meanwhile: for one that stays
	 * until execve anyway and then hears of what failed, as run does.
	 */
	bool ready_early;
	bool in_userns;
	unsigned int preserve_fds; /* 3 … 3 + n - 1 stay open in the program */

	char *path; /* out: what to execute; owned */
	char **env; /* out: with HOME and LISTEN_…; owned, its strings mixed, never freed before execve */
};

/* P: how many descriptors to keep: n of --preserve-fds behind those of LISTEN_FDS; each must be open. */
int launch_preserved(unsigned int n, unsigned int *ret, struct err *err) MUST_CHECK;

/*
 * C: closes every descriptor but 0 … 2 + preserve_fds, the three to keep (-1: none) and the log's;
 * proc_fd, closed too, serves the fallback. The kept ones are close-on-exec.
 */
int launch_close_descriptors(unsigned int preserve_fds, const int keep_fds[static 3], int proc_fd,
			     struct err *err) MUST_CHECK;

/*
 * C: scheduling, limits, labels, credentials, filter; then tells READY and waits for GO. From here
 * on only read, write and execve are needed.
 */
int launch_prepare(struct launch *l, struct err *err) MUST_CHECK;

/* C: execve. Returns only on failure, with messages as engines parse them. */
int launch_exec(const struct launch *l, struct err *err) MUST_CHECK;

#endif
