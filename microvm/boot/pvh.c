/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel entered by PVH is told: struct hvm_start_info (xen/interface/hvm/start_info.h). */
#include <errno.h>
#include <string.h>

#include "microvm/boot/boot.h"
#include "microvm/x86/layout.h"

#define START_MAGIC     0x336ec578u
#define START_VERSION   1
#define MEMORY_RAM      1
#define MEMORY_RESERVED 2

struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t n_memmap, reserved;
};

struct module {
	uint64_t address, size, cmdline, reserved;
};

struct memmap_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};

_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct module) == 32 &&
		       sizeof(struct memmap_entry) == 24,
	       "layout of the PVH structs");

int boot_pvh_tables(const struct guest_memory *m, const struct boot_image *image, struct err *err)
{
	struct boot_range ranges[4];
	size_t n = boot_memory_map(m, ranges);
	struct start_info *info = guest_at(m, LAYOUT_PVH_INFO, sizeof(*info), true);
	struct module *initramfs = guest_at(m, LAYOUT_PVH_MODULES, sizeof(*initramfs), true);
	struct memmap_entry *map = guest_at(m, LAYOUT_PVH_MEMMAP, n * sizeof(*map), true);

	if (!info || !initramfs || !map)
		return err_set(err, ENOMEM, "the guest's memory is too small for its tables");
	for (size_t i = 0; i < n; i++)
		map[i] =
			(struct memmap_entry){ranges[i].start, ranges[i].size,
					      ranges[i].reserved ? MEMORY_RESERVED : MEMORY_RAM, 0};
	*initramfs = (struct module){image->initramfs, image->initramfs_size, 0, 0};
	*info = (struct start_info){
		.magic = START_MAGIC,
		.version = START_VERSION,
		.n_modules = image->initramfs_size > 0,
		.modules = LAYOUT_PVH_MODULES,
		.cmdline = image->cmdline,
		.memmap = LAYOUT_PVH_MEMMAP,
		.n_memmap = (uint32_t)n,
	};
	return 0;
}
