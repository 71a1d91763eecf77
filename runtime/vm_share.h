/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VM container's guest shares with the host: one directory, made for the container that the
 * machine is for; and trees, one for the root and each bind mount of a container that joins it later.
 * Private to runtime/.
 */
#ifndef HULL_RUNTIME_VM_SHARE_H
#define HULL_RUNTIME_VM_SHARE_H

#include <stdint.h>

#include "runtime/spec.h"

/*
 * In a mount namespace of the caller's own: mounts at path (an empty directory) a tmpfs with the
 * container's root as "root", unless it comes from elsewhere, and the source of each bind mount N as "mN", read-only and with ids
 * mapped where the configuration says so. Returns a descriptor of the directory.
 */
int vm_share_build(const struct spec *spec, int proc_fd, const char *path, bool with_root,
		   struct err *err) MUST_CHECK;

/* A file or directory of the host as a mount without a place, which hull-vmm's file server can have. */
struct vm_tree {
	char *name; /* what the guest finds it by */
	int fd;
};

struct vm_trees {
	struct vm_tree *list;
	size_t n;
	const char *root;    /* the name of the root's */
	const char **mounts; /* those of the sources, by the number of the mount; NULL: none */
};

/*
 * A container's trees. Sources that are the same one, with what is allowed there, have the same name: for
 * the guest they are one, so that containers see each other's locks and shared memory in them.
 */
int vm_trees_open(const struct spec *spec, int proc_fd, struct vm_trees *ret,
		  struct err *err) MUST_CHECK;
void vm_trees_close(struct vm_trees *t);

/* MS_… of the mount that the root lies on: nosuid, nodev, noexec, noatime. */
uint32_t vm_share_root_flags(const struct spec *spec);

#endif
