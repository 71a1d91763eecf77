/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory that a VM container's guest shares with the host. Private to runtime/. */
#ifndef HULL_RUNTIME_VM_SHARE_H
#define HULL_RUNTIME_VM_SHARE_H

#include <stdint.h>

#include "runtime/spec.h"

/*
 * In a mount namespace of the caller's own: mounts at path (an empty directory) a tmpfs with the
 * container's root as "root" and the source of each bind mount N as "mN", read-only and with ids
 * mapped where the configuration says so. Returns a descriptor of the directory.
 */
int vm_share_build(const struct spec *spec, int proc_fd, const char *path,
		   struct err *err) MUST_CHECK;

/* MS_… of the mount that the root lies on: nosuid, nodev, noexec, noatime. */
uint32_t vm_share_root_flags(const struct spec *spec);

#endif
