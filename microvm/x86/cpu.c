/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/x86/cpu.h"

#include <asm/kvm.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/mem.h"
#include "microvm/x86/layout.h"

/* Selectors of the table that write_gdt makes. */
enum { GDT_NULL, GDT_UNUSED, GDT_CODE, GDT_DATA, GDT_TSS, GDT_ENTRIES };

#define CR0_PE   0x1ull
#define CR0_ET   0x10ull
#define CR0_PG   0x80000000ull
#define CR4_PAE  0x20ull
#define EFER_LME 0x100ull
#define EFER_LMA 0x400ull

#define RFLAGS_RESERVED 2

#define APIC_LVT0   0x350
#define APIC_LVT1   0x360
#define APIC_EXTINT 0x700u
#define APIC_NMI    0x400u

/* linux: arch/x86/include/asm/msr-index.h */
static const struct {
	uint32_t index;
	uint64_t value;
	bool required;
} boot_msrs[] = {
	{0x174, 0, true},          /* SYSENTER_CS */
	{0x175, 0, true},          /* SYSENTER_ESP */
	{0x176, 0, true},          /* SYSENTER_EIP */
	{0xc0000081, 0, true},     /* STAR */
	{0xc0000082, 0, true},     /* LSTAR */
	{0xc0000083, 0, false},    /* CSTAR */
	{0xc0000084, 0, true},     /* SYSCALL_MASK */
	{0xc0000102, 0, true},     /* KERNEL_GS_BASE */
	{0x10, 0, false},          /* TSC */
	{0x1a0, 1, false},         /* MISC_ENABLE: fast strings */
	{0x2ff, 0x800 | 6, false}, /* MTRRdefType: on, write-back */
};

static struct kvm_segment segment(unsigned int index, bool code, bool long_mode)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = (uint16_t)(index * 8),
		.type = code ? 0xb : 3, /* accessed; readable or writable */
		.present = 1,
		.s = 1,
		.db = !long_mode,
		.l = code && long_mode,
		.g = 1,
	};
}

static struct kvm_segment task_segment(void)
{
	return (struct kvm_segment){
		.limit = 0x67, .selector = GDT_TSS * 8, .type = 0xb, .present = 1};
}

/* Descriptor of a segment with base 0 (Intel SDM 3A, 3.4.5). */
static uint64_t descriptor(const struct kvm_segment *s)
{
	uint64_t limit = s->g ? s->limit >> 12 : s->limit;
	uint64_t access =
		s->type | (uint64_t)s->s << 4 | (uint64_t)s->dpl << 5 | (uint64_t)s->present << 7;
	uint64_t flags = (uint64_t)s->l << 1 | (uint64_t)s->db << 2 | (uint64_t)s->g << 3;

	return (limit & 0xffff) | access << 40 | (limit >> 16 & 0xf) << 48 | flags << 52;
}

static int set_sregs(int fd, const struct boot_entry *entry, const struct guest_memory *m,
		     struct err *err)
{
	bool long_mode = entry->protocol == BOOT_LINUX64;
	struct kvm_segment code = segment(GDT_CODE, true, long_mode);
	struct kvm_segment data = segment(GDT_DATA, false, false);
	struct kvm_segment task = task_segment();
	uint64_t *gdt = guest_at(m, LAYOUT_GDT, GDT_ENTRIES * sizeof(*gdt), true);
	struct kvm_sregs s;

	if (!gdt)
		return err_set(err, ENOMEM, "the guest's memory is too small for its tables");
	if (ioctl(fd, KVM_GET_SREGS, &s) < 0)
		return err_sys(err, "KVM_GET_SREGS");
	gdt[GDT_CODE] = descriptor(&code);
	gdt[GDT_DATA] = descriptor(&data);
	gdt[GDT_TSS] = descriptor(&task);
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = task;
	s.gdt.base = LAYOUT_GDT;
	s.gdt.limit = GDT_ENTRIES * sizeof(*gdt) - 1;
	s.idt.base = s.idt.limit = 0;
	s.cr0 = CR0_PE | CR0_ET;
	s.cr4 = 0;
	if (long_mode) {
		s.cr0 |= CR0_PG;
		s.cr3 = LAYOUT_PML4;
		s.cr4 = CR4_PAE;
		s.efer |= EFER_LME | EFER_LMA;
	}
	return ioctl(fd, KVM_SET_SREGS, &s) < 0 ? err_sys(err, "KVM_SET_SREGS") : 0;
}

static int set_regs(int fd, const struct boot_entry *entry, struct err *err)
{
	struct kvm_regs r = {
		.rflags = RFLAGS_RESERVED,
		.rip = entry->ip,
		.rsp = LAYOUT_STACK,
		.rbp = LAYOUT_STACK,
	};

	if (entry->protocol == BOOT_PVH)
		r.rbx = entry->argument;
	else
		r.rsi = entry->argument;
	return ioctl(fd, KVM_SET_REGS, &r) < 0 ? err_sys(err, "KVM_SET_REGS") : 0;
}

static int set_fpu(int fd, struct err *err)
{
	struct kvm_fpu f = {.fcw = 0x37f, .mxcsr = 0x1f80};

	return ioctl(fd, KVM_SET_FPU, &f) < 0 ? err_sys(err, "KVM_SET_FPU") : 0;
}

/* What a BIOS leaves: LINT0 takes interrupts of the PIC, LINT1 is the NMI. */
static int set_lapic(int fd, struct err *err)
{
	struct kvm_lapic_state s;
	const uint32_t lint0 = APIC_EXTINT, lint1 = APIC_NMI;

	if (ioctl(fd, KVM_GET_LAPIC, &s) < 0)
		return err_sys(err, "KVM_GET_LAPIC");
	memcpy(s.regs + APIC_LVT0, &lint0, sizeof(lint0));
	memcpy(s.regs + APIC_LVT1, &lint1, sizeof(lint1));
	return ioctl(fd, KVM_SET_LAPIC, &s) < 0 ? err_sys(err, "KVM_SET_LAPIC") : 0;
}

/* One by one: some KVM back ends refuse some, and KVM_SET_MSRS stops at the first it refuses. */
static int set_msrs(int fd, struct err *err)
{
	FREE struct kvm_msrs *msr = mem_xalloc(sizeof(*msr) + sizeof(msr->entries[0]));

	for (size_t i = 0; i < ARRAY_SIZE(boot_msrs); i++) {
		msr->nmsrs = 1;
		msr->entries[0].index = boot_msrs[i].index;
		msr->entries[0].data = boot_msrs[i].value;
		if (ioctl(fd, KVM_SET_MSRS, msr) == 1)
			continue;
		if (boot_msrs[i].required)
			return err_set(err, ENOTSUP, "KVM refuses MSR %#x", boot_msrs[i].index);
		log_debug("KVM refuses MSR %#x, going on", boot_msrs[i].index);
	}
	return 0;
}

int cpu_set_up(int vcpu_fd, unsigned int index, const struct boot_entry *entry,
	       const struct guest_memory *m, struct err *err)
{
	int rc;

	if ((rc = set_msrs(vcpu_fd, err)) < 0 || (rc = set_fpu(vcpu_fd, err)) < 0 ||
	    (rc = set_lapic(vcpu_fd, err)) < 0)
		return rc;
	/* The others wait for the kernel's INIT and SIPI in the state KVM made them in. */
	if (index > 0)
		return 0;
	rc = set_sregs(vcpu_fd, entry, m, err);
	return rc < 0 ? rc : set_regs(vcpu_fd, entry, err);
}
