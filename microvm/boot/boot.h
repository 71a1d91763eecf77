/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts a kernel, its initramfs and its command line into the guest's memory: Linux, as an ELF vmlinux
 * or a bzImage, by its 64-bit boot protocol (linux: Documentation/arch/x86/boot.rst), another ELF file
 * by the PVH entry (xen: docs/misc/pvh.pandoc). There is no firmware.
 */
#ifndef HULL_MICROVM_BOOT_BOOT_H
#define HULL_MICROVM_BOOT_BOOT_H

#include <stdint.h>

#include "base/err.h"
#include "microvm/memory.h"

enum boot_protocol {
	BOOT_PVH,     /* 32-bit protected mode, ebx: start_info */
	BOOT_LINUX64, /* long mode, rsi: boot_params */
};

struct boot_entry { /* how the first processor begins */
	enum boot_protocol protocol;
	uint64_t ip, argument;
};

struct boot_config {
	int kernel_fd, initramfs_fd; /* borrowed; initramfs -1: none */
	const char *kernel_name;     /* of messages */
	const char *cmdline;
	bool random_seed; /* 32 bytes of it in setup_data (64-bit protocol only) */
};

/*
 * -ENOEXEC: no kernel that can be booted, and why. Files are read once and believed nothing: every
 * size is checked against the file and the memory.
 */
int boot_load(const struct boot_config *config, const struct guest_memory *m,
	      struct boot_entry *ret, struct err *err) MUST_CHECK;

/* The pieces, private to boot/. */
struct boot_image {
	enum boot_protocol protocol;
	uint64_t entry; /* guest physical address */
	uint64_t end;   /* first byte behind the kernel, its bss and working space included */
	uint64_t initramfs, initramfs_size;
	uint64_t cmdline;
	const uint8_t
		*setup_header; /* of a bzImage: from 0x1f1 on, in the file's mapping; or NULL */
	uint32_t setup_header_size;
	uint32_t initramfs_max; /* highest address the initramfs may have */
};

/* A mapping is for what is looked at; what goes to the guest is read, a page fault each 4 KiB less. */
struct boot_file {
	int fd;
	const uint8_t *data;
	uint64_t size;
};
int boot_read(int fd, uint64_t offset, void *to, uint64_t len, struct err *err) MUST_CHECK;

int boot_elf_load(const struct boot_file *file, const struct guest_memory *m,
		  struct boot_image *ret, struct err *err) MUST_CHECK;
int boot_bzimage_load(const struct boot_file *file, const struct guest_memory *m,
		      struct boot_image *ret, struct err *err) MUST_CHECK;
int boot_pvh_tables(const struct guest_memory *m, const struct boot_image *image,
		    struct err *err) MUST_CHECK;

#define BOOT_LINUX64_MAPPED (1ull << 30) /* how much of memory is mapped to itself at the entry */
int boot_linux64_tables(const struct guest_memory *m, const struct boot_image *image,
			bool random_seed, struct err *err) MUST_CHECK;

/* RAM as ranges for the kernel: n of at most 4. */
struct boot_range {
	uint64_t start, size;
	bool reserved;
};
size_t boot_memory_map(const struct guest_memory *m, struct boot_range ret[static 4]);

#endif
