/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json of a container that runs in a virtual machine of its own. Private to runtime/. */
#ifndef HULL_RUNTIME_VM_CONFIG_H
#define HULL_RUNTIME_VM_CONFIG_H

#include "base/buf.h"
#include "runtime/spec.h"

/* Where the guest finds what the host shares with it: root, and mN for the source of mounts[N]. */
#define VM_SHARE_PATH "/run/hull/share"
/* And, for a container that joins later, below its id: an entry for each of its trees. */
#define VM_TREES_PATH "/run/hull/pods"
/* The directory of procfs, by its id, of each container's first process. */
#define VM_PROCESSES_PATH "/run/hull/processes"
/* Where the container's root is when it comes from an image: over it, and what is changed. */
#define VM_ROOT_IMAGE_ANNOTATION "org.hull.vm.root-image"
#define VM_ROOT_PATH             "/run/hull/root"
#define VM_IMAGE_PATH            "/run/hull/image"
#define VM_LAYER_PATH            "/run/hull/layer"

/* What a container that joins a machine shares with others in it. */
struct vm_place {
	const char *id;
	const char *root; /* the names of its trees, as struct vm_trees has them */
	const char *const *mounts;
	/* The id of the container whose namespace it joins; NULL: none. */
	const char *spaces[NS_KIND_MAX];
};

/*
 * What a VM cannot honour is an error that names the property; everything else is. joins: the container
 * is not the one that the machine is made for.
 */
int vm_config_check(const struct spec *spec, bool joins, struct err *err) MUST_CHECK;
int vm_config_check_limits(const struct cgroup_limits *l, bool joins, struct err *err) MUST_CHECK;

/*
 * The configuration as the guest's own hull gets it: root and bind sources are those of the share,
 * mounts below a bind's source are listed, hooks and limits that belong to the host are gone, and so
 * is the path of the network namespace, which the host side of the VM lives in: the guest's is new,
 * and gets what that one has. place: of a container that joins, else NULL.
 */
int vm_config_for_guest(const struct spec *spec, const struct vm_place *place, struct buf *ret,
			struct err *err) MUST_CHECK;

/*
 * Limits that hold on the host, for the whole machine, whose guest has memory bytes: of processors, of
 * memory with what hull-vmm needs beside it, and of disks, which its file server reads and writes.
 */
struct cgroup_limits vm_config_on_host(const struct cgroup_limits *l, uint64_t memory);
/* Those that hold inside, for the container alone; some hold in both places. */
void vm_config_limits_for_guest(const struct json_node *resources, struct buf *ret);

#endif
