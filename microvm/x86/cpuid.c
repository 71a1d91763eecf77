/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID tells the guest: all that this KVM supports, less what belongs to the host (its model,
 * its power management, its performance counters), with the topology of one socket of single
 * threads. A guest can look behind some of this masking: it is no security boundary.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "microvm/x86/cpu.h"

#define MAX_ENTRIES 256

#define BIT(n) (1u << (n))

static const char brand[48] = "Virtual CPU";

static void leaf_1(struct kvm_cpuid_entry2 *e, const struct kvm_host *k, unsigned int index,
		   unsigned int cpus)
{
	const uint32_t pdcm = BIT(15), tsc_deadline = BIT(24), hypervisor = BIT(31), htt = BIT(28);

	e->ebx = (e->ebx & 0xffff) | cpus << 16 | index << 24;
	e->ecx = (e->ecx & ~(pdcm | tsc_deadline)) | hypervisor;
	if (k->tsc_deadline)
		e->ecx |= tsc_deadline;
	e->edx = cpus > 1 ? e->edx | htt : e->edx & ~htt;
}

/* 0 threads share a core; cpus cores share the socket. */
static void leaf_topology(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int cpus)
{
	unsigned int width = 0;

	while (1u << width < cpus)
		width++;
	e->edx = index;
	if (e->index == 0) {
		e->eax = 0;
		e->ebx = 1;
		e->ecx = BIT(8); /* level 0: threads */
	} else if (e->index == 1) {
		e->eax = width;
		e->ebx = cpus;
		e->ecx = 2 << 8 | 1; /* level 1: cores */
	} else {
		e->eax = e->ebx = 0;
		e->ecx = e->index & 0xff;
	}
}

static void leaf_brand(struct kvm_cpuid_entry2 *e)
{
	uint32_t words[4];

	memcpy(words, brand + (e->function - 0x80000002) * sizeof(words), sizeof(words));
	e->eax = words[0];
	e->ebx = words[1];
	e->ecx = words[2];
	e->edx = words[3];
}

static void filter(struct kvm_cpuid_entry2 *e, const struct kvm_host *k, unsigned int index,
		   unsigned int cpus)
{
	const uint32_t turbo = BIT(1), energy_bias = BIT(3), waitpkg = BIT(5);

	switch (e->function) {
	case 1:
		leaf_1(e, k, index, cpus);
		break;
	case 4:          /* caches: cores of the socket, sharers below level 3 */
	case 0x8000001d: /* the same, AMD's */
		e->eax &= ~0x3ffc000u & (e->function == 4 ? 0x3ffffffu : ~0u);
		if ((e->eax >> 5 & 7) >= 3)
			e->eax |= (cpus - 1) << 14;
		if (e->function == 4)
			e->eax |= (cpus - 1) << 26;
		break;
	case 6:
		e->eax &= ~turbo;
		e->ecx &= ~energy_bias;
		break;
	case 7:
		if (e->index == 0)
			e->ecx &= ~waitpkg;
		break;
	case 0xa: /* no performance counters */
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	case 0xb:
	case 0x1f:
		leaf_topology(e, index, cpus);
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
		leaf_brand(e);
		break;
	case 0x80000008: /* AMD: number of cores */
		e->ecx = (e->ecx & ~0xffu) | (cpus - 1);
		break;
	case 0x8000001e: /* AMD: extended APIC id; one core a unit, one node */
		e->eax = index;
		e->ebx = index & 0xff;
		e->ecx = 0;
		break;
	default:
		break;
	}
}

int cpuid_set_up(const struct kvm_host *k, int vcpu_fd, unsigned int index, unsigned int cpus,
		 struct err *err)
{
	FREE struct kvm_cpuid2 *cpuid =
		mem_xalloc(sizeof(*cpuid) + MAX_ENTRIES * sizeof(cpuid->entries[0]));

	cpuid->nent = MAX_ENTRIES;
	if (ioctl(k->fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		return err_sys(err, "KVM_GET_SUPPORTED_CPUID");
	for (uint32_t i = 0; i < cpuid->nent; i++)
		filter(&cpuid->entries[i], k, index, cpus);
	return ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) < 0 ? err_sys(err, "KVM_SET_CPUID2") : 0;
}
