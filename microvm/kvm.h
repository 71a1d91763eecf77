/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's KVM: what it can do, asked once (linux: Documentation/virt/kvm/api.rst). */
#ifndef HULL_MICROVM_KVM_H
#define HULL_MICROVM_KVM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct kvm_msr_list;

struct kvm_host {
	int fd;                    /* /dev/kvm, owned; not needed any more once a VM runs */
	struct kvm_msr_list *msrs; /* KVM_GET_MSR_INDEX_LIST, owned */
	size_t run_size; /* bytes of a vCPU's shared kvm_run */
	unsigned int max_cpus;
	bool hardware; /* svm or vmx: ordinary guest kernels run; else a software KVM (PVM) */
	bool readonly_memory; /* KVM_MEM_READONLY slots */
	bool tsc_deadline;    /* of the in-kernel local APIC */
	bool split_irqchip;   /* local APICs alone, and routes from an irqfd to their messages */
};

/*
 * Takes fd (owned from now on, also on failure) or, when it is -1, opens /dev/kvm. Errors name what
 * is missing: the device (-ENOENT), the permission (-EACCES), a capability (-ENOTSUP).
 */
int kvm_host_open(int fd, struct kvm_host *ret, struct err *err) MUST_CHECK;
void kvm_host_close(struct kvm_host *k);

/* -ENOTSUP unless an ordinary Linux kernel can run on it. */
int kvm_host_check_linux(const struct kvm_host *k, struct err *err) MUST_CHECK;

#endif
