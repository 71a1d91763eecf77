/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container of a pod whose sandbox is a virtual machine: it is made in that machine. On the host it
 * is a process that stands in for its first one (vm_stand_in.h), in its own cgroup and with a state
 * directory of its own, so all commands are the same for it. Private to runtime/.
 */
#ifndef HULL_RUNTIME_VM_MEMBER_H
#define HULL_RUNTIME_VM_MEMBER_H

#include "runtime/runtime.h"
#include "runtime/vm_config.h"
#include "runtime/vm_share.h"

struct setup;

struct vm_member {
	struct container *sandbox;
	struct vm_trees trees;
	int create_fd;             /* of vm_request_create */
	char *owners[NS_KIND_MAX]; /* ids in the guest, of whose namespaces are joined */
};

/*
 * P: does it belong into the machine of a sandbox? 1: s->member is there; 0: no. vm: the container asks
 * for a virtual machine, so that what its annotations say must be true.
 */
int vm_member_find(struct setup *s, const char *id, bool vm, struct err *err) MUST_CHECK;

/* P, before any side effect, with the namespaces open: checks the configuration. */
int vm_member_load(struct setup *s, struct err *err) MUST_CHECK;

/* P: opens what the guest is to see, writes the guest's configuration. */
int vm_member_prepare(struct setup *s, struct err *err) MUST_CHECK;

/* C: has the container made, and stands in for it. */
void vm_member_main(struct setup *s) __attribute__((noreturn));

/*
 * P, the stand-in being dead: waits until nothing of container id is left in the sandbox's machine. A
 * machine that has ended, or is paused, is not waited for; failures are logged.
 */
void vm_member_leave(struct runtime *rt, const char *sandbox, const char *id);

void vm_member_free(struct vm_member *m); /* NULL: nothing */

#endif
