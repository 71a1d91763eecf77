/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of virtual machine a container gets. Private to runtime/. */
#ifndef HULL_RUNTIME_VM_MACHINE_H
#define HULL_RUNTIME_VM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/spec.h"

#define VM_PROGRAM "hull-vmm"

struct vm_machine {                         /* strings are owned */
	char *program, *kernel, *initramfs; /* paths */
	char *cmdline;                      /* more words for the kernel, or NULL */
	char *root_image;                   /* absolute path, or NULL: root.path it is */
	unsigned int cpus;
	uint64_t memory; /* bytes */
	bool hugepages;
	bool from_template; /* see vm_template.h */
};

/*
 * Of each the first that is given: an annotation org.hull.vm.NAME (kernel, initramfs, cpus,
 * memory-mib, hugepages, template, root-image), the vm object, /etc/hull/hull.json (kernel,
 * initramfs, template); else what belongs to this installation, as many processors as cpu.quota has
 * use for, and memory.limit with room for the guest's own kernel, or what a pod's annotations have
 * in place of these two. *ret is for vm_machine_release also after a failure.
 */
int vm_machine_choose(const struct spec *spec, struct vm_machine *ret, struct err *err) MUST_CHECK;
void vm_machine_release(struct vm_machine *m);

/* What limits alone ask for. */
uint64_t vm_machine_memory_of(const struct cgroup_limits *l); /* bytes */
unsigned int vm_machine_cpus_of(const struct cgroup_limits *l);

/* What hull-vmm may use on the host for a guest that has so much memory, in bytes. */
uint64_t vm_machine_host_memory(uint64_t memory);

#endif
