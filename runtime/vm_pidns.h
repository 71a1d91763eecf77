/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pid namespace of a virtual machine's processes on the host. Private to runtime/.
 *
 *   vm_pidns_new   before hull-vmm is born
 *   vm_pidns_keep  when it is there, and the container's cgroups are
 *   vm_pidns_undo  or, when it could not be made, this
 */
#ifndef HULL_RUNTIME_VM_PIDNS_H
#define HULL_RUNTIME_VM_PIDNS_H

#include <sys/types.h>

#include "base/err.h"

struct setup;

struct vm_pidns {
	pid_t first; /* its first process; 0: there is none */
	int sock;    /* to it; that it closes is the process' end as long as nothing was said */
};

#define VM_PIDNS_INIT                                                                              \
	{                                                                                          \
		0, -1                                                                              \
	}

/* *ret_fd is the namespace, for hull-vmm to be born in. cgroup_fd: as for ns_clone. */
int vm_pidns_new(struct setup *s, int cgroup_fd, int *ret_fd, struct err *err) MUST_CHECK;

/* From now on it lives as long as hull-vmm, whoever else ends. */
int vm_pidns_keep(struct setup *s, struct err *err) MUST_CHECK;

/* Ends the first process, and with it what else is in the namespace. */
void vm_pidns_undo(struct vm_pidns *p);
void vm_pidns_release(struct vm_pidns *p);

#endif
