/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things lie in the guest's physical memory at boot. The low addresses are those that other
 * small VMMs use; nothing but the kernel's own early code depends on them.
 */
#ifndef HULL_MICROVM_X86_LAYOUT_H
#define HULL_MICROVM_X86_LAYOUT_H

#define LAYOUT_GDT          0x500ull
#define LAYOUT_PVH_INFO     0x6000ull
#define LAYOUT_PVH_MODULES  0x6040ull
#define LAYOUT_PVH_MEMMAP   0x7000ull
#define LAYOUT_ZERO_PAGE    0x7000ull /* of the 64-bit protocol, in place of the memory map */
#define LAYOUT_STACK        0x8ff0ull
#define LAYOUT_PML4         0x9000ull
#define LAYOUT_PDPT         0xa000ull
#define LAYOUT_PD           0xb000ull
#define LAYOUT_CMDLINE      0x20000ull
#define LAYOUT_CMDLINE_SIZE 0x10000ull
#define LAYOUT_MPTABLE      0x9fc00ull /* the last KiB of base memory, where kernels look for it */
#define LAYOUT_MPTABLE_SIZE 0x400ull
#define LAYOUT_LOW_END      0x9fc00ull
#define LAYOUT_HIGH_START   0x100000ull

#define LAYOUT_DEVICES      0xd0000000ull /* a virtio-mmio window each, one after the other */
#define LAYOUT_FIRST_IRQ    5
#define LAYOUT_LAST_IRQ     23
#define LAYOUT_IOAPIC       0xfec00000ull
#define LAYOUT_LAPIC        0xfee00000ull
#define LAYOUT_IDENTITY_MAP 0xfffbc000ull
#define LAYOUT_TSS          0xfffbd000ull

#endif
