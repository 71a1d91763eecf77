/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a container that is a virtual machine: what differs from namespaces. Private to runtime/. */
#ifndef HULL_RUNTIME_DRIVER_VM_H
#define HULL_RUNTIME_DRIVER_VM_H

#include "base/err.h"
#include "namespaces/namespaces.h"
#include "runtime/vm_image.h"
#include "runtime/vm_machine.h"
#include "runtime/vm_pidns.h"
#include "runtime/vm_template.h"

struct setup;

/* What the hull-vmm of a container gets. Descriptors are owned, -1: not opened. */
struct vm_setup {
	struct vm_machine machine;
	int program_fd, kvm_fd, kernel_fd, initramfs_fd, create_fd, control_fd;
	int root_image_fd; /* -1: the root is a directory */
	const char *root_image_type;
	uint32_t root_flags;     /* MS_…, of the mount that the container's root lies on */
	struct ns_taken network; /* in C */
	int network_fd;          /* its configuration; -1: there is none */
	struct vm_image image; /* in place of kernel, initramfs and config: for a restore */
	struct vm_pidns pidns; /* in P */
	struct vm_template from; /* in place of a boot, if all goes well */
};

/* P: what the caller would hand on to a container that is not in a virtual machine. */
int vm_check_environment(const struct setup *s, struct err *err) MUST_CHECK;
/* C: makes the container's terminal, sends its master, and has the slave as 0 to 2. */
int vm_set_terminal(struct setup *s, struct err *err) MUST_CHECK;

/* P, before any side effect: checks the configuration, finds the files, opens them and /dev/kvm. */
int vm_setup_load(struct setup *s, struct err *err) MUST_CHECK;

/* P, with the state directory: the control socket, the guest's configuration. */
int vm_setup_prepare(struct setup *s, struct err *err) MUST_CHECK;

/* C: joins cgroups and the network namespace, builds the share, becomes hull-vmm. */
void vm_init_main(struct setup *s) __attribute__((noreturn));

void vm_setup_free(struct vm_setup *vm); /* NULL: nothing */

#endif
