/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The update command on a virtual machine: on the host, inside, and how big it is. Private to runtime/. */
#ifndef HULL_RUNTIME_VM_UPDATE_H
#define HULL_RUNTIME_VM_UPDATE_H

#include "cgroups/cgroups.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

struct vm_update {
	const struct container *c;
	struct cgroup *cg;
	const struct json_node *resources; /* what is changed */
	const struct json_node *old;       /* as they were; NULL: there were none */
	uint32_t size, old_size;           /* of VM_CONTROL_UPDATE */
	/*
	 * Limits on the host. What the guest has to give back first is in after: a limit of memory in
	 * use would have the machine killed.
	 */
	struct cgroup_limits before, after;
	struct cgroup_limits host_was; /* what after changes */
	bool shrinks; /* after is not empty */
};

/*
 * given: the limits that are changed; merged: all, with them. The caller puts before in force, then
 * calls vm_update_inside, which changes nothing when it fails.
 */
void vm_update_plan(const struct container *c, struct cgroup *cg, const struct spec *was,
		    const struct json_node *resources, const struct cgroup_limits *given,
		    const struct cgroup_limits *merged, struct vm_update *ret);
int vm_update_inside(const struct vm_update *u, struct err *err) MUST_CHECK;
void vm_update_undo(const struct vm_update *u); /* what vm_update_inside did, as far as it can be */

#endif
