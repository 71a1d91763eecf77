/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What create and run share: everything gathered before the clone. Private to runtime/. */
#ifndef HULL_RUNTIME_SETUP_H
#define HULL_RUNTIME_SETUP_H

#include "namespaces/namespaces.h"
#include "runtime/child.h"
#include "runtime/runtime.h"

struct vm_setup;
struct vm_member;

struct setup {
	struct runtime *rt;
	const struct create_options *options;
	struct spec *spec;
	struct container *container;
	struct cgroup *cgroup; /* the container's, borrowed */
	struct child child;
	struct vm_setup *vm; /* the container is a virtual machine; NULL: it is not */
	struct vm_member *member; /* it joins that of its sandbox; NULL: it does not */

	/* Inherited by the child. */
	int space_fds[NS_KIND_MAX];
	struct ns_rootfs_state *rootfs;
	int fifo_fd;     /* exec.fifo, O_RDWR; -1 for run */
	bool born_in_v2; /* the clone put the child into its cgroup2 group */

	/* Done so far, undone in reverse on failure. */
	bool made_birth_group, made_cgroup, joined_rdt, ran_hooks, announced;
};

/* What its process needs is made in a guest, not here. */
static inline bool setup_in_vm(const struct setup *s)
{
	return s->vm || s->member;
}

/* C: everything between clone and execve. Does not return. */
void init_main(struct setup *s) __attribute__((noreturn));

/* C: has P run prestart and createRuntime, then runs createContainer. */
int init_run_hooks(struct setup *s, struct err *err) MUST_CHECK;

/*
 * P: from the options to a container process that waits for SYNC_GO, with all of its state on disk.
 * fifo: the container will be started by another process. On failure everything is undone.
 */
int setup_begin(struct runtime *rt, const char *id, const struct create_options *o, bool fifo,
		struct setup *ret, struct err *err) MUST_CHECK;

/* P: kills the child if there is one and undoes all that setup_begin did. */
void setup_undo(struct setup *s);

/* P: frees what setup_begin holds in memory and closes its descriptors; the container stays. */
void setup_release(struct setup *s);

#endif
