/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel entered by the 64-bit boot protocol finds: the zero page with a setup header (linux:
 * arch/x86/include/uapi/asm/bootparam.h), a copy of its own if the file has one, and an identity
 * mapping of the first GiB.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "microvm/boot/boot.h"
#include "microvm/x86/layout.h"

#define E820_RAM            1
#define E820_RESERVED       2
#define SETUP_TYPE_RNG_SEED 9
#define SEED_BYTES          32
#define LAYOUT_SEED         0xc000ull /* struct setup_data, behind the page tables */

#define BOOT_FLAG    0xaa55
#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define VERSION_2_12 0x20c

#define PAGE_PRESENT 1ull
#define PAGE_WRITE   2ull
#define PAGE_LARGE   0x80ull

static int page_tables(const struct guest_memory *m, struct err *err)
{
	uint64_t *pml4 = guest_at(m, LAYOUT_PML4, 4096, true);
	uint64_t *pdpt = guest_at(m, LAYOUT_PDPT, 4096, true);
	uint64_t *pd = guest_at(m, LAYOUT_PD, 4096, true);

	if (!pml4 || !pdpt || !pd)
		return err_set(err, ENOMEM, "the guest's memory is too small for its page tables");
	pml4[0] = LAYOUT_PDPT | PAGE_PRESENT | PAGE_WRITE;
	pdpt[0] = LAYOUT_PD | PAGE_PRESENT | PAGE_WRITE;
	for (uint64_t i = 0; i < BOOT_LINUX64_MAPPED >> 21; i++)
		pd[i] = i << 21 | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
	return 0;
}

static int put_seed(const struct guest_memory *m, struct boot_params *p, struct err *err)
{
	struct {
		uint64_t next;
		uint32_t type, len;
		uint8_t data[SEED_BYTES];
	} *seed = guest_at(m, LAYOUT_SEED, sizeof(*seed), true);

	if (!seed)
		return err_set(err, ENOMEM, "the guest's memory is too small for its tables");
	seed->next = 0;
	seed->type = SETUP_TYPE_RNG_SEED;
	seed->len = SEED_BYTES;
	if (getrandom(seed->data, SEED_BYTES, 0) != SEED_BYTES)
		return err_sys(err, "getrandom");
	p->hdr.setup_data = LAYOUT_SEED;
	return 0;
}

/* A vmlinux has left it with the part of a bzImage that it would have been unpacked by. */
static void put_header(const struct boot_image *image, struct boot_params *p)
{
	size_t size = image->setup_header_size;

	if (image->setup_header) {
		memcpy(&p->hdr, image->setup_header, size < sizeof(p->hdr) ? size : sizeof(p->hdr));
	} else {
		p->hdr.boot_flag = BOOT_FLAG;
		p->hdr.header = HEADER_MAGIC;
		p->hdr.version = VERSION_2_12;
	}
	p->hdr.type_of_loader = 0xff;
	p->hdr.cmd_line_ptr = (uint32_t)image->cmdline;
	p->hdr.ramdisk_image = (uint32_t)image->initramfs;
	p->hdr.ramdisk_size = (uint32_t)image->initramfs_size;
	p->hdr.setup_data = 0;
}

int boot_linux64_tables(const struct guest_memory *m, const struct boot_image *image,
			bool random_seed, struct err *err)
{
	struct boot_params *p = guest_at(m, LAYOUT_ZERO_PAGE, sizeof(*p), true);
	struct boot_range ranges[4];
	size_t n = boot_memory_map(m, ranges);
	int rc;

	if (!p)
		return err_set(err, ENOMEM, "the guest's memory is too small for its tables");
	memset(p, 0, sizeof(*p));
	put_header(image, p);
	for (size_t i = 0; i < n; i++)
		p->e820_table[i] =
			(struct boot_e820_entry){ranges[i].start, ranges[i].size,
						 ranges[i].reserved ? E820_RESERVED : E820_RAM};
	p->e820_entries = (uint8_t)n;
	rc = page_tables(m, err);
	if (rc == 0 && random_seed)
		rc = put_seed(m, p, err);
	return rc;
}
