/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File descriptors: -1 means none, every one is born close-on-exec, close is never retried
 * (man 2 close, NOTES: on Linux the descriptor is gone whatever close returns).
 */
#ifndef HULL_BASE_FD_H
#define HULL_BASE_FD_H

#include <stddef.h>

#include "base/err.h"

void fd_close(int fd); /* keeps errno; ignores negative numbers */

static inline void fd_close_ptr(int *fd)
{
	fd_close(*fd);
}

#define CLOSE_FD __attribute__((cleanup(fd_close_ptr)))

/* Moves a descriptor out of its owner, which becomes -1. */
static inline int fd_take(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/* Closes *fd and stores new_fd (owned from now on). */
void fd_replace(int *fd, int new_fd);

/* Duplicates fd close-on-exec at the lowest free number >= 3. Returns the new one or -errno. */
int fd_dup(int fd, struct err *err) MUST_CHECK;

int fd_set_cloexec(int fd, int on, struct err *err) MUST_CHECK;
int fd_set_nonblock(int fd, int on, struct err *err) MUST_CHECK;

/* Opens /dev/null on those of 0, 1, 2 that are closed, so that no later descriptor lands there. */
int fd_ensure_stdio(struct err *err) MUST_CHECK;

/*
 * Marks every descriptor >= from close-on-exec (close_range(2), CLOSE_RANGE_CLOEXEC; falls back to
 * walking proc_fd's "self/fd" when the kernel lacks it). proc_fd: see proc_open_root().
 */
int fd_cloexec_from(unsigned int from, int proc_fd, struct err *err) MUST_CHECK;

/* Sends n_fds descriptors with len bytes (>= 1) of data over a unix socket in one sendmsg. */
int fd_send(int sock, const int *fds, size_t n_fds, const void *data, size_t len,
	    struct err *err) MUST_CHECK;

/*
 * Receives up to max_fds descriptors (close-on-exec) and up to len bytes. *ret_n_fds says how many.
 * Returns the number of bytes, 0 at end of file, -EPROTO when the control data was truncated (all
 * received descriptors are closed then).
 */
int fd_recv(int sock, int *fds, size_t max_fds, size_t *ret_n_fds, void *data, size_t len,
	    struct err *err) MUST_CHECK;

#endif
