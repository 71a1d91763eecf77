/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF vmlinux: its loadable segments go to their physical addresses, its entry is the one of the
 * PVH note (XEN_ELFNOTE_PHYS32_ENTRY, xen/interface/elfnote.h).
 *
 * A Linux, which is known by notes of its own (linux/elfnote-lto.h, build-salt.h), is entered where
 * the file itself says, by the 64-bit protocol: by PVH it would first look for a Xen around it, with
 * 256 CPUIDs, each an exit, and it could not be given a seed of random numbers.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "microvm/boot/boot.h"
#include "microvm/x86/layout.h"

#define NOTE_PHYS32_ENTRY 18    /* of "Xen" */
#define NOTE_BUILD_SALT   0x100 /* of "Linux" */
#define MAX_SEGMENTS      64

struct notes {
	bool pvh, linux_kernel;
	uint64_t pvh_entry;
};

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

static void take_note(const Elf64_Nhdr *n, const uint8_t *name, const uint8_t *desc,
		      struct notes *ret)
{
	if (n->n_type == NOTE_PHYS32_ENTRY && n->n_namesz == 4 && memcmp(name, "Xen", 4) == 0 &&
	    (n->n_descsz == 4 || n->n_descsz == 8) && !ret->pvh) {
		ret->pvh = true;
		memcpy(&ret->pvh_entry, desc, n->n_descsz);
	}
	if (n->n_type == NOTE_BUILD_SALT && n->n_namesz == 6 && memcmp(name, "Linux", 6) == 0)
		ret->linux_kernel = true;
}

/* One PT_NOTE segment, up to where it is damaged. */
static void read_notes(const uint8_t *notes, uint64_t size, struct notes *ret)
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
			return;
		take_note(&n, notes, notes + name, ret);
		notes += name + desc;
		size -= name + desc;
	}
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

/* Below the end of what boot_linux64_tables maps. */
static bool can_enter_64(const struct guest_memory *m, uint64_t entry)
{
	return entry >= LAYOUT_HIGH_START && entry < BOOT_LINUX64_MAPPED &&
	       guest_at(m, entry, 1, false);
}

static int find_entry(const Elf64_Ehdr *h, const struct notes *notes, const struct guest_memory *m,
		      struct boot_image *ret, struct err *err)
{
	if (!notes->pvh)
		return err_set(err, ENOEXEC,
			       "it has no PVH entry: a kernel with CONFIG_PVH is needed");
	if (!guest_at(m, notes->pvh_entry, 1, false) || notes->pvh_entry > UINT32_MAX)
		return err_set(err, ENOEXEC, "its PVH entry %#llx is outside the guest's memory",
			       (unsigned long long)notes->pvh_entry);
	ret->protocol = BOOT_PVH;
	ret->entry = notes->pvh_entry;
	if (notes->linux_kernel && can_enter_64(m, h->e_entry)) {
		ret->protocol = BOOT_LINUX64;
		ret->entry = h->e_entry;
	}
	return 0;
}

int boot_elf_load(const struct boot_file *file, const struct guest_memory *m,
		  struct boot_image *ret, struct err *err)
{
	struct notes notes = {.pvh = false};
	Elf64_Ehdr h;
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
		if (p.p_type == PT_NOTE && inside(p.p_offset, p.p_filesz, file->size))
			read_notes(file->data + p.p_offset, p.p_filesz, &notes);
	}
	return find_entry(&h, &notes, m, ret, err);
}
