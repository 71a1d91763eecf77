/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading kernel files: both kinds, each way a file can be cut off, damaged or meant to harm, and
 * the one line that it gives.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/check/image.h"
#include "tests/unit/check/kernel_file.h"
#include "tests/unit/leaks.h"

#define CONFIG "# Linux\nCONFIG_SMP=y\n"
#define MIB    (1u << 20)

static int read_image(const struct buf *content, struct kernel_image *ret, struct err *err)
{
	CLOSE_FD int fd = kernel_file(content);

	return kernel_image_read(fd, "k", ret, err);
}

static void expect_image(const struct buf *content, bool bzimage, bool pvh, bool entry64,
			 const char *config)
{
	struct err err = ERR_INIT;
	struct kernel_image image;

	assert_int_equal(read_image(content, &image, &err), 0);
	assert_int_equal(image.bzimage, bzimage);
	assert_int_equal(image.pvh, pvh);
	assert_int_equal(image.entry64, entry64);
	assert_int_equal(image.has_config, config != NULL);
	if (config)
		assert_string_equal(buf_str(&image.config), config);
	kernel_image_release(&image);
}

static void expect_error(const struct buf *content, int code, const char *msg)
{
	struct err err = ERR_INIT;
	struct kernel_image image;

	assert_int_equal(read_image(content, &image, &err), -code);
	assert_string_equal(err.msg, msg);
}

static void elf_with_note_and_configuration(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	kernel_elf(&b, KERNEL_NOTE_PVH, CONFIG);
	expect_image(&b, false, true, false, CONFIG);
}

static void elf_without_either(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	kernel_elf(&b, 19, NULL);
	expect_image(&b, false, false, false, NULL);
}

/* The file is read in pieces of 64 KiB: the mark and what is behind it may lie across two. */
static void configuration_across_pieces(void **state)
{
	(void)state;
	for (size_t at = 65536 - 40; at <= 65536 + 1; at++) {
		BUF b = BUF_INIT;

		kernel_elf(&b, KERNEL_NOTE_PVH, NULL);
		memset(buf_reserve(&b, at - b.len), 'I', at - b.len);
		b.len = at;
		kernel_ikconfig(&b, CONFIG);
		expect_image(&b, false, true, false, CONFIG);
	}
}

static void false_marks_are_passed(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	kernel_elf(&b, KERNEL_NOTE_PVH, NULL);
	buf_adds(&b, "IKCFG_ST IKCFG_IKCFG_STIKCFG_ST\x1f\x8b\x08\xffnothing");
	kernel_ikconfig(&b, CONFIG);
	expect_image(&b, false, true, false, CONFIG);
}

static void a_file_of_marks_is_given_up(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	kernel_elf(&b, KERNEL_NOTE_PVH, NULL);
	for (size_t i = 0; i < 100000; i++)
		buf_adds(&b, "IKCFG_ST\x1f\x8b\x08\xff");
	kernel_ikconfig(&b, CONFIG);
	expect_image(&b, false, true, false, NULL);
}

static void a_configuration_that_ends_early_is_none(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	kernel_elf(&b, KERNEL_NOTE_PVH, CONFIG);
	b.len -= 20;
	expect_image(&b, false, true, false, NULL);
}

static void a_huge_configuration_is_refused(void **state)
{
	FREE char *text = mem_xalloc(8 * MIB);
	BUF b = BUF_INIT;

	(void)state;
	memset(text, 'x', 8 * MIB - 1);
	kernel_elf(&b, KERNEL_NOTE_PVH, text);
	assert_true(b.len < 65536);
	expect_error(&b, EFBIG, "'k': the embedded configuration has more than 4 MiB");
}

static void bzimage_packed_by_gzip(void **state)
{
	BUF inner = BUF_INIT;
	BUF packed = BUF_INIT;
	BUF b = BUF_INIT;

	(void)state;
	memset(buf_reserve(&inner, MIB), 'k', MIB);
	inner.len = MIB;
	kernel_ikconfig(&inner, CONFIG);
	kernel_gzip(&packed, inner.data, inner.len);
	kernel_bzimage(&b, packed.data, packed.len);
	expect_image(&b, true, false, true, CONFIG);
}

static void bzimage_without_configuration(void **state)
{
	BUF packed = BUF_INIT;
	BUF b = BUF_INIT;

	(void)state;
	kernel_gzip(&packed, "kernel", 6);
	kernel_bzimage(&b, packed.data, packed.len);
	b.data[0x236] = 0;
	expect_image(&b, true, false, false, NULL);
}

static void other_packers_are_named(void **state)
{
	static const struct {
		const char *magic, *name;
	} cases[] = {
		{"\xfd"
		 "7zXZ\0",
		 "xz"},
		{"\x28\xb5\x2f\xfd..", "zstd"},
		{"\x02\x21\x4c\x18..", "lz4"},
		{"\x89LZO..", "lzo"},
		{"BZh9..", "bzip2"},
		{"\x5d\0\0\0\4\0", "lzma"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		FREE char *msg = mem_xprintf("'k': packed by %s, which hull does not unpack: give "
					     "the vmlinux inside (scripts/extract-vmlinux of the "
					     "kernel's source unpacks it)",
					     cases[i].name);
		BUF b = BUF_INIT;

		kernel_bzimage(&b, cases[i].magic, 6);
		expect_error(&b, EOPNOTSUPP, msg);
	}
}

/* 600 MiB of zeros in 600 KiB. */
static void a_bomb_is_refused(void **state)
{
	FREE uint8_t *zeros = mem_xalloc(MIB);
	BUF packed = BUF_INIT;
	BUF b = BUF_INIT;
	z_stream z = {0};

	(void)state;
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	for (size_t i = 0; i < 600; i++) {
		z.next_in = zeros;
		z.avail_in = MIB;
		z.next_out = (Bytef *)buf_reserve(&packed, MIB);
		z.avail_out = MIB;
		assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
		packed.len += MIB - z.avail_out;
	}
	(void)deflateEnd(&z);
	kernel_bzimage(&b, packed.data, packed.len);
	expect_error(&b, EFBIG, "'k': it unpacks to more than 512 MiB");
}

static void damaged_payloads(void **state)
{
	BUF packed = BUF_INIT;
	BUF b = BUF_INIT;

	(void)state;
	kernel_gzip(&packed, "kernel", 6);
	kernel_bzimage(&b, packed.data, packed.len);
	b.data[KERNEL_BZ_PAYLOAD + 2] = 9;
	expect_error(&b, ENOEXEC, "'k': the payload is damaged");
	b.data[KERNEL_BZ_PAYLOAD + 2] = 8;
	b.len--;
	expect_error(&b, ENOEXEC, "'k': cut off: its payload lies outside the file");
	b.data[0x24c]--;
	expect_error(&b, ENOEXEC, "'k': cut off: its payload ends early");
	b.data[0x24c] = 0;
	expect_error(&b, ENOEXEC, "'k': a bzImage without a payload");
	memset(b.data + 0x248, 0xff, 8);
	expect_error(&b, ENOEXEC, "'k': cut off: its payload lies outside the file");
	b.data[0x206] = 7;
	expect_error(&b, ENOEXEC, "'k': too old: boot protocol 2.07, 2.08 is needed");
}

static void broken_elf_files(void **state)
{
	Elf64_Ehdr *e;
	Elf64_Phdr *p;
	BUF b = BUF_INIT;
	size_t len;

	(void)state;
	kernel_elf(&b, KERNEL_NOTE_PVH, CONFIG);
	e = (void *)b.data;
	p = (void *)(b.data + KERNEL_ELF_PHDRS);
	len = b.len;
	b.len = 63;
	expect_error(&b, ENOEXEC, "'k': cut off: it ends within its ELF header");
	b.len = KERNEL_ELF_PHDRS + 10;
	expect_error(&b, ENOEXEC, "'k': cut off: its program headers lie outside the file");
	b.len = KERNEL_ELF_NOTE;
	expect_error(&b, ENOEXEC, "'k': cut off: a segment lies outside the file");
	b.len = len;
	p[1].p_offset = UINT64_MAX - 4;
	expect_error(&b, ENOEXEC, "'k': cut off: a segment lies outside the file");
	p[1].p_offset = KERNEL_ELF_NOTE;
	e->e_phoff = UINT64_MAX - 50;
	expect_error(&b, ENOEXEC, "'k': cut off: its program headers lie outside the file");
	e->e_phnum = 0;
	expect_error(&b, ENOEXEC, "'k': no kernel: it has no program headers");
	e->e_machine = EM_AARCH64;
	expect_error(&b, ENOEXEC, "'k': no x86-64 kernel but another kind of ELF file");
}

/* A note whose lengths lie ends the search, and is not read beyond the segment. */
static void broken_notes(void **state)
{
	static const uint32_t lengths[][2] = {
		{0xffffffff, 8}, {6, 0xffffffff}, {6, 1000}, {0xfffffffd, 0xfffffffd}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		BUF b = BUF_INIT;

		kernel_elf(&b, KERNEL_NOTE_PVH, CONFIG);
		memcpy(b.data + KERNEL_ELF_NOTE, lengths[i], sizeof(lengths[i]));
		expect_image(&b, false, false, false, CONFIG);
	}
}

static void what_is_no_kernel(void **state)
{
	static const char zeros[4096];
	struct err err = ERR_INIT;
	struct kernel_image image;
	BUF b = BUF_INIT;
	int pipe_fds[2];

	(void)state;
	expect_error(&b, ENOEXEC, "'k': neither an ELF vmlinux nor a bzImage");
	buf_add(&b, zeros, sizeof(zeros));
	expect_error(&b, ENOEXEC, "'k': neither an ELF vmlinux nor a bzImage");
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(kernel_image_read(pipe_fds[0], "k", &image, &err), -ENOEXEC);
	assert_string_equal(err.msg, "'k': no regular file");
	fd_close(pipe_fds[0]);
	fd_close(pipe_fds[1]);
}

static void a_huge_file_is_refused(void **state)
{
	CLOSE_FD int fd = memfd_create("kernel", MFD_CLOEXEC);
	struct err err = ERR_INIT;
	struct kernel_image image;

	(void)state;
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	assert_int_equal(kernel_image_read(fd, "k", &image, &err), -EFBIG);
	assert_string_equal(err.msg, "'k': no kernel: more than 2 GiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_with_note_and_configuration),
		cmocka_unit_test(elf_without_either),
		cmocka_unit_test(configuration_across_pieces),
		cmocka_unit_test(false_marks_are_passed),
		cmocka_unit_test(a_file_of_marks_is_given_up),
		cmocka_unit_test(a_configuration_that_ends_early_is_none),
		cmocka_unit_test(a_huge_configuration_is_refused),
		cmocka_unit_test(bzimage_packed_by_gzip),
		cmocka_unit_test(bzimage_without_configuration),
		cmocka_unit_test(other_packers_are_named),
		cmocka_unit_test(a_bomb_is_refused),
		cmocka_unit_test(damaged_payloads),
		cmocka_unit_test(broken_elf_files),
		cmocka_unit_test(broken_notes),
		cmocka_unit_test(what_is_no_kernel),
		cmocka_unit_test(a_huge_file_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
