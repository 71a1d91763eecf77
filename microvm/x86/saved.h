/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processors and interrupt controllers, saved and made again (linux: Documentation/virt/kvm/api.rst).
 * The order of calls matters in both directions and is argued in saved_cpu.c.
 */
#ifndef HULL_MICROVM_X86_SAVED_H
#define HULL_MICROVM_X86_SAVED_H

#include "base/err.h"
#include "microvm/kvm.h"
#include "microvm/state.h"

/* The processor is not running, and its last exit is finished. */
int cpu_save(const struct kvm_host *k, int vm_fd, int vcpu_fd, struct buf *ret,
	     struct err *err) MUST_CHECK;
/*
 * For a processor that cpuid_set_up has prepared: what it may have is what this host offers.
 * -ENOTSUP: the saved one had more.
 */
int cpu_restore(int vcpu_fd, struct state_in *in, struct err *err) MUST_CHECK;

/* KVM's own PICs and IOAPIC. What is cut is left for the caller to notice. */
int irqchip_save(int vm_fd, struct buf *ret, struct err *err) MUST_CHECK;
int irqchip_restore(int vm_fd, struct state_in *in, struct err *err) MUST_CHECK;

#endif
