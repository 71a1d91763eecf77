/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel of a few bytes: an ELF file with a PVH entry, made in a memfd. */
#ifndef TESTS_UNIT_MICROVM_KERNEL_H
#define TESTS_UNIT_MICROVM_KERNEL_H

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KERNEL_ADDRESS 0x100000u
#define KERNEL_SIZE    8192u
#define KERNEL_CODE    4096u /* offset in the file */

struct kernel {
	Elf64_Ehdr head;
	Elf64_Phdr load, note;
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint32_t entry;
	} pvh;
	uint8_t pad[KERNEL_CODE - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr) - sizeof(Elf64_Nhdr) -
		    8];
	uint8_t code[KERNEL_SIZE - KERNEL_CODE];
};

_Static_assert(sizeof(struct kernel) == KERNEL_SIZE, "no padding");

static inline void kernel_make(struct kernel *k, const void *code, size_t size)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->head.e_ident, ELFMAG, SELFMAG);
	k->head.e_ident[EI_CLASS] = ELFCLASS64;
	k->head.e_ident[EI_DATA] = ELFDATA2LSB;
	k->head.e_type = ET_EXEC;
	k->head.e_machine = EM_X86_64;
	k->head.e_phoff = offsetof(struct kernel, load);
	k->head.e_phentsize = sizeof(Elf64_Phdr);
	k->head.e_phnum = 2;
	k->load.p_type = PT_LOAD;
	k->load.p_offset = KERNEL_CODE;
	k->load.p_paddr = KERNEL_ADDRESS;
	k->load.p_filesz = k->load.p_memsz = sizeof(k->code);
	k->note.p_type = PT_NOTE;
	k->note.p_offset = offsetof(struct kernel, pvh);
	k->note.p_filesz = sizeof(k->pvh);
	k->pvh.head.n_namesz = 4;
	k->pvh.head.n_descsz = 4;
	k->pvh.head.n_type = 18;
	memcpy(k->pvh.name, "Xen", 4);
	k->pvh.entry = KERNEL_ADDRESS;
	memcpy(k->code, code, size);
}

/* A file of the size first bytes; -1: no memfd. */
static inline int kernel_file(const void *data, size_t size)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return -1;
	}
	return fd;
}

#endif
