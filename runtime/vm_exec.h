/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec in a virtual machine: the process runs in the guest, and a process of hull on the host stands
 * for it, whose pid callers get: signals to it go on, and it ends as the other one does. Private to
 * runtime/.
 */
#ifndef HULL_RUNTIME_VM_EXEC_H
#define HULL_RUNTIME_VM_EXEC_H

#include "runtime/runtime.h"

struct child;

/* What these options ask for cannot be had of a virtual machine: an error that names the first one. */
int vm_exec_check(const struct exec_options *o, struct err *err) MUST_CHECK;

/*
 * Without a process that stands for it, where nobody is told a pid and there is no terminal: has the
 * process started with the caller's streams, and then waits for it, which ends with the caller.
 * request: of vm_request_exec.
 * *ret_sock: owned, for vm_exec_wait. signal_fd as supervise_signals has it, *ret_status as supervise.
 */
int vm_exec_start(const struct container *c, const struct buf *request, int *ret_sock,
		  struct err *err) MUST_CHECK;
int vm_exec_wait(int sock, int signal_fd, int *ret_status, struct err *err) MUST_CHECK;

/*
 * C, its standard streams (or the terminal) in place: has the process started, tells the parent that
 * it is ready, and stands for it. Returns only on failure before that.
 */
int vm_exec_main(const struct container *c, const struct child *ch, const struct buf *request,
		 int proc_fd, struct err *err) MUST_CHECK;

#endif
