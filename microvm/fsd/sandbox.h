/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cell that the FUSE server lives in: nothing but the shared directory as its root, namespaces of
 * its own, the capabilities over files that it needs, and a closed list of system calls.
 */
#ifndef HULL_MICROVM_FSD_SANDBOX_H
#define HULL_MICROVM_FSD_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct confine_filter;
struct confine_table;

/*
 * Makes a mount of the directory that a cell can have as its root: without set-user-id, device nodes,
 * programs and symlinks to follow, and read-only when asked; with what is mounted below it or without.
 * Needs CAP_SYS_ADMIN; dir_fd is of the caller's mount namespace, or itself a mount without a place
 * (open_tree(2)). Returns a descriptor or -errno.
 */
int fsd_cell_tree(int dir_fd, bool readonly, bool submounts, struct err *err) MUST_CHECK;

/*
 * Forks into new namespaces; *ret_pid_fd is close-on-exec. Returns as fork(2), or -errno;
 * single-threaded callers only.
 */
pid_t fsd_cell_fork(int *ret_pid_fd, struct err *err) MUST_CHECK;

/*
 * In the child: closes all descriptors but keep_fd and tree_fd, makes tree_fd the root, gives up
 * privileges. *ret_dir_fd is the root and *ret_proc_fd the process's own /proc/self/fd, a mount
 * without a place that leads nowhere else.
 */
int fsd_cell_enter(int keep_fd, int tree_fd, int *ret_dir_fd, int *ret_proc_fd,
		   struct err *err) MUST_CHECK;

/* Last: any system call that serving does not need ends the process (SIGSYS). */
int fsd_cell_lock(struct err *err) MUST_CHECK;

extern const struct confine_table fsd_cell_calls;
extern const struct confine_filter fsd_cell_filter; /* made of them */

#endif
