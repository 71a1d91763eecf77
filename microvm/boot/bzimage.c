/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bzImage: a real-mode part that is left out, and a protected-mode part that unpacks the kernel
 * and can be entered in long mode 0x200 bytes behind its start. Fields of the setup header by their
 * offsets in linux: Documentation/arch/x86/boot.rst.
 */
#include <errno.h>
#include <string.h>

#include "microvm/boot/boot.h"
#include "microvm/x86/layout.h"

#define SETUP_SECTS     0x1f1
#define BOOT_FLAG       0x1fe
#define JUMP_LENGTH     0x201
#define MAGIC           0x202
#define VERSION         0x206
#define INITRD_ADDR_MAX 0x22c
#define XLOADFLAGS      0x236
#define PREF_ADDRESS    0x258
#define INIT_SIZE       0x260

#define XLF_KERNEL_64 1
#define VERSION_2_12  0x20c /* the first with xloadflags */
#define ENTRY_64      0x200
#define SECTOR        512u

static uint64_t field(const uint8_t *file, uint32_t offset, uint32_t size)
{
	uint64_t v = 0;

	memcpy(&v, file + offset, size);
	return v;
}

static int check(const uint8_t *file, struct err *err)
{
	if (field(file, BOOT_FLAG, 2) != 0xaa55 || memcmp(file + MAGIC, "HdrS", 4) != 0)
		return err_set(err, ENOEXEC, "neither an ELF vmlinux nor a bzImage");
	if (field(file, VERSION, 2) < VERSION_2_12 || !(field(file, XLOADFLAGS, 2) & XLF_KERNEL_64))
		return err_set(err, ENOEXEC, "a bzImage without a 64-bit entry");
	return 0;
}

int boot_bzimage_load(const struct boot_file *f, const struct guest_memory *m,
		      struct boot_image *ret, struct err *err)
{
	const uint8_t *file = f->data;
	uint64_t setup, at, space;
	uint32_t header_end;
	uint8_t *to;
	int rc = check(file, err);

	if (rc < 0)
		return rc;
	setup = (field(file, SETUP_SECTS, 1) ?: 4) * SECTOR + SECTOR;
	header_end = MAGIC + (uint32_t)field(file, JUMP_LENGTH, 1);
	at = field(file, PREF_ADDRESS, 8);
	space = field(file, INIT_SIZE, 4);
	if (setup >= f->size || header_end > setup || f->size - setup > space)
		return err_set(err, ENOEXEC, "its setup header is damaged");
	if (at < LAYOUT_HIGH_START)
		return err_set(err, ENOEXEC, "it wants to lie below 1 MiB");
	to = guest_at(m, at, space, true);
	if (!to)
		return err_set(err, ENOMEM,
			       "it needs %llu bytes at %#llx, more than the guest's memory has",
			       (unsigned long long)space, (unsigned long long)at);
	ret->protocol = BOOT_LINUX64;
	ret->entry = at + ENTRY_64;
	ret->end = at + space;
	ret->setup_header = file + SETUP_SECTS;
	ret->setup_header_size = header_end - SETUP_SECTS;
	ret->initramfs_max = (uint32_t)field(file, INITRD_ADDR_MAX, 4);
	return boot_read(f->fd, setup, to, f->size - setup, err);
}
