/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF vmlinux: its loadable segments go to their physical addresses, its entry is the one of the
 * PVH note (XEN_ELFNOTE_PHYS32_ENTRY, xen/interface/elfnote.h).
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "microvm/boot/boot.h"
#include "microvm/x86/layout.h"

#define NOTE_PHYS32_ENTRY 18
#define MAX_SEGMENTS      64

static bool inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

static int load_segment(const struct boot_file *file, const Elf64_Phdr *p,
			const struct guest_memory *m, uint64_t *end, struct err *err)
{
	uint8_t *to;

	if (p->p_memsz == 0)
		return 0;
	if (p->p_filesz > p->p_memsz || !inside(p->p_offset, p->p_filesz, file->size))
		return err_set(err, ENOEXEC, "a segment lies outside the file");
	if (p->p_paddr < LAYOUT_HIGH_START)
		return err_set(err, ENOEXEC, "a segment lies below 1 MiB");
	to = guest_at(m, p->p_paddr, p->p_memsz, true);
	if (!to)
		return err_set(err, ENOMEM,
			       "a segment of %llu bytes at %#llx lies outside the guest's memory",
			       (unsigned long long)p->p_memsz, (unsigned long long)p->p_paddr);
	if (p->p_paddr + p->p_memsz > *end)
		*end = p->p_paddr + p->p_memsz;
	/* The rest is zero: nothing was in this memory before. */
	return boot_read(file->fd, p->p_offset, to, p->p_filesz, err);
}

/* One PT_NOTE segment; true when it has the PVH entry. */
static bool find_entry(const uint8_t *notes, uint64_t size, uint64_t *ret)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		uint64_t name, desc;

		memcpy(&n, notes, sizeof(n));
		name = ((uint64_t)n.n_namesz + 3) & ~3ull;
		desc = ((uint64_t)n.n_descsz + 3) & ~3ull;
		notes += sizeof(n);
		size -= sizeof(n);
		if (name > size || desc > size - name)
			return false;
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    memcmp(notes, "Xen", 4) == 0 && (n.n_descsz == 4 || n.n_descsz == 8)) {
			*ret = 0;
			memcpy(ret, notes + name, n.n_descsz);
			return true;
		}
		notes += name + desc;
		size -= name + desc;
	}
	return false;
}

static int check_header(const Elf64_Ehdr *h, uint64_t size, struct err *err)
{
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != EM_X86_64)
		return err_set(err, ENOEXEC, "not for x86-64");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return err_set(err, ENOEXEC, "not an executable file");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > MAX_SEGMENTS ||
	    !inside(h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr), size))
		return err_set(err, ENOEXEC, "its program headers are damaged");
	return 0;
}

int boot_elf_load(const struct boot_file *file, const struct guest_memory *m,
		  struct boot_image *ret, struct err *err)
{
	Elf64_Ehdr h;
	bool entry = false;
	int rc;

	memcpy(&h, file->data, sizeof(h));
	rc = check_header(&h, file->size, err);
	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, file->data + h.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD && (rc = load_segment(file, &p, m, &ret->end, err)) < 0)
			return rc;
		if (p.p_type == PT_NOTE && !entry && inside(p.p_offset, p.p_filesz, file->size))
			entry = find_entry(file->data + p.p_offset, p.p_filesz, &ret->entry);
	}
	if (!entry)
		return err_set(err, ENOEXEC,
			       "it has no PVH entry: a kernel with CONFIG_PVH is needed");
	if (!guest_at(m, ret->entry, 1, false) || ret->entry > UINT32_MAX)
		return err_set(err, ENOEXEC, "its PVH entry %#llx is outside the guest's memory",
			       (unsigned long long)ret->entry);
	return 0;
}
