/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel files put together by hand, in memory and with every field open to a test that wants it
 * wrong. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_CHECK_KERNEL_FILE_H
#define HULL_TESTS_UNIT_CHECK_KERNEL_FILE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"

#define KERNEL_NOTE_PVH 18

/* Appends data packed by gzip. */
static inline void kernel_gzip(struct buf *out, const void *data, size_t len)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (void *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.avail_out = (uInt)deflateBound(&z, len);
	z.next_out = (Bytef *)buf_reserve(out, z.avail_out);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += z.total_out;
	assert_int_equal(deflateEnd(&z), Z_OK);
}

/* The configuration as kernel/configs.c embeds it. */
static inline void kernel_ikconfig(struct buf *out, const char *config)
{
	buf_adds(out, "IKCFG_ST");
	kernel_gzip(out, config, strlen(config));
	buf_adds(out, "IKCFG_ED");
}

/* Where the parts of kernel_elf lie. */
#define KERNEL_ELF_PHDRS sizeof(Elf64_Ehdr)
#define KERNEL_ELF_NOTE  (KERNEL_ELF_PHDRS + 2 * sizeof(Elf64_Phdr))

/* A vmlinux: headers, a note of the given type, the configuration (NULL: none). */
static inline void kernel_elf(struct buf *out, uint32_t note_type, const char *config)
{
	Elf64_Ehdr e = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_phoff = KERNEL_ELF_PHDRS,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	struct {
		Elf64_Nhdr other;
		char other_name[8];
		Elf64_Nhdr head;
		char name[4];
		uint64_t entry;
	} __attribute__((packed)) note = {
		.other = {.n_namesz = 6, .n_type = 6},
		.other_name = "Linux",
		.head = {.n_namesz = 4, .n_descsz = 8, .n_type = note_type},
		.name = "Xen",
		.entry = 0x1000000,
	};
	Elf64_Phdr p[2] = {
		{.p_type = PT_LOAD, .p_offset = 0, .p_filesz = KERNEL_ELF_NOTE + sizeof(note)},
		{.p_type = PT_NOTE, .p_offset = KERNEL_ELF_NOTE, .p_filesz = sizeof(note)},
	};

	buf_add(out, &e, sizeof(e));
	buf_add(out, p, sizeof(p));
	buf_add(out, &note, sizeof(note));
	if (config)
		kernel_ikconfig(out, config);
}

/* A bzImage with one sector of setup behind the first and the given payload. */
#define KERNEL_BZ_PAYLOAD 1040

static inline void kernel_bzimage(struct buf *out, const void *payload, size_t len)
{
	uint8_t head[KERNEL_BZ_PAYLOAD] = {0};
	uint32_t offset = KERNEL_BZ_PAYLOAD - 1024, size = (uint32_t)len;

	head[0x1f1] = 1;
	head[0x1fe] = 0x55;
	head[0x1ff] = 0xaa;
	memcpy(head + 0x202, "HdrS", 4);
	head[0x206] = 0x0f;
	head[0x207] = 0x02;
	head[0x236] = 1;
	memcpy(head + 0x248, &offset, sizeof(offset));
	memcpy(head + 0x24c, &size, sizeof(size));
	buf_add(out, head, sizeof(head));
	buf_add(out, payload, len);
}

/* The bytes as a file; the caller closes it. */
static inline int kernel_file(const struct buf *content)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content->data, content->len), content->len);
	return fd;
}

#endif
