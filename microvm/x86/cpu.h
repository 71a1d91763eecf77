/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state in which a virtual processor begins (cpu.c), and what CPUID tells the guest (cpuid.c). */
#ifndef HULL_MICROVM_X86_CPU_H
#define HULL_MICROVM_X86_CPU_H

#include "base/err.h"
#include "microvm/boot/boot.h"
#include "microvm/kvm.h"
#include "microvm/memory.h"

/* Registers, segments, FPU, local APIC lines and MSRs; entry is for the first processor only. */
int cpu_set_up(int vcpu_fd, unsigned int index, const struct boot_entry *entry,
	       const struct guest_memory *m, struct err *err) MUST_CHECK;

/* Before cpu_set_up: some MSRs depend on it. */
int cpuid_set_up(const struct kvm_host *k, int vcpu_fd, unsigned int index, unsigned int cpus,
		 struct err *err) MUST_CHECK;

#endif
