/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels, good and hostile, into memory that no VM has. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "microvm/boot/boot.h"
#include "microvm/x86/layout.h"
#include "microvm/x86/mptable.h"
#include "tests/unit/microvm/kernel.h"

#define MIB (1ull << 20)

static const uint8_t code[] = {0xf4, 1, 2, 3};

struct fixture {
	struct guest_memory memory;
	struct kernel kernel;
	struct boot_entry entry;
	struct err e;
};

static int set_up(void **state)
{
	const struct guest_memory_config config = {.size = 8 * MIB};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(guest_memory_new(&config, &f->memory, &f->e), 0);
	kernel_make(&f->kernel, code, sizeof(code));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	guest_memory_free(&f->memory);
	free(f);
	return 0;
}

static int load_bytes(struct fixture *f, const void *data, size_t size, int initramfs_fd,
		      const char *cmdline)
{
	struct boot_config config = {
		.kernel_fd = kernel_file(data, size),
		.initramfs_fd = initramfs_fd,
		.kernel_name = "k",
		.cmdline = cmdline,
	};
	int rc;

	assert_true(config.kernel_fd >= 0);
	rc = boot_load(&config, &f->memory, &f->entry, &f->e);
	close(config.kernel_fd);
	return rc;
}

static int load(struct fixture *f)
{
	return load_bytes(f, &f->kernel, sizeof(f->kernel), -1, "one two");
}

static void refused(struct fixture *f, int code_, const char *why)
{
	assert_int_equal(load(f), -code_);
	assert_non_null(strstr(f->e.msg, "kernel 'k': "));
	if (!strstr(f->e.msg, why))
		fail_msg("'%s' does not say '%s'", f->e.msg, why);
}

static uint64_t value(const struct fixture *f, uint64_t gpa, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, guest_at(&f->memory, gpa, size, false), size);
	return v;
}

static void pvh(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f), 0);
	assert_int_equal(f->entry.protocol, BOOT_PVH);
	assert_int_equal(f->entry.ip, KERNEL_ADDRESS);
	assert_memory_equal(guest_at(&f->memory, KERNEL_ADDRESS, 4, false), code, 4);
	assert_int_equal(value(f, f->entry.argument, 4), 0x336ec578);
	assert_int_equal(value(f, f->entry.argument + 12, 4), 0); /* no modules */

	uint64_t cmdline = value(f, f->entry.argument + 24, 8);

	assert_string_equal(guest_at(&f->memory, cmdline, 8, false), "one two");

	uint64_t map = value(f, f->entry.argument + 40, 8);
	uint64_t n = value(f, f->entry.argument + 48, 4), ram = 0;

	for (uint64_t i = 0; i < n; i++)
		if (value(f, map + i * 24 + 16, 4) == 1)
			ram += value(f, map + i * 24 + 8, 8);
	assert_int_equal(ram, 8 * MIB - (LAYOUT_HIGH_START - LAYOUT_LOW_END));
}

/* A note that only Linux has, behind the one with the PVH entry. */
static void make_linux(struct fixture *f, uint64_t entry)
{
	const struct {
		Elf64_Nhdr head;
		char name[8];
		uint32_t salt;
	} note = {{.n_namesz = 6, .n_descsz = 4, .n_type = 0x100}, "Linux", 0};

	memcpy(f->kernel.pad, &note, sizeof(note));
	f->kernel.note.p_filesz = sizeof(f->kernel.pvh) + sizeof(note);
	f->kernel.head.e_entry = entry;
}

static void linux_by_its_own_entry(void **state)
{
	struct fixture *f = *state;
	int fd = kernel_file("070701 archive", 14);
	uint64_t cmdline;

	make_linux(f, KERNEL_ADDRESS + 1);
	assert_int_equal(load_bytes(f, &f->kernel, sizeof(f->kernel), fd, "one two"), 0);
	assert_int_equal(f->entry.protocol, BOOT_LINUX64);
	assert_int_equal(f->entry.ip, KERNEL_ADDRESS + 1);
	assert_int_equal(f->entry.argument, LAYOUT_ZERO_PAGE);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x1fe, 2), 0xaa55);
	assert_memory_equal(guest_at(&f->memory, LAYOUT_ZERO_PAGE + 0x202, 4, false), "HdrS", 4);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x206, 2), 0x20c);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x210, 1), 0xff);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x21c, 4), 14);
	cmdline = value(f, LAYOUT_ZERO_PAGE + 0x228, 4);
	assert_string_equal(guest_at(&f->memory, cmdline, 8, false), "one two");
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x1e8, 1), 3);
	close(fd);
}

/* Where the 64-bit protocol cannot enter it. */
static void linux_by_pvh(void **state)
{
	static const uint64_t entries[] = {0, 0xfffff, 8 * MIB, 1ull << 30, UINT64_MAX};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		make_linux(f, entries[i]);
		assert_int_equal(load(f), 0);
		assert_int_equal(f->entry.protocol, BOOT_PVH);
		assert_int_equal(f->entry.ip, KERNEL_ADDRESS);
	}
}

static void initramfs(void **state)
{
	struct fixture *f = *state;
	int fd = kernel_file("070701 archive", 14);
	uint64_t module, at;

	assert_int_equal(load_bytes(f, &f->kernel, sizeof(f->kernel), fd, ""), 0);
	assert_int_equal(value(f, f->entry.argument + 12, 4), 1);
	module = value(f, f->entry.argument + 16, 8);
	at = value(f, module, 8);
	assert_int_equal(at % 4096, 0);
	assert_int_equal(value(f, module + 8, 8), 14);
	assert_memory_equal(guest_at(&f->memory, at, 14, false), "070701 archive", 14);
	close(fd);
}

static void initramfs_without_room(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("large", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 8 * MIB - 4096), 0);
	assert_int_equal(load_bytes(f, &f->kernel, sizeof(f->kernel), fd, ""), -ENOMEM);
	close(fd);
}

static void long_command_line(void **state)
{
	struct fixture *f = *state;
	char line[2049];

	memset(line, 'a', sizeof(line));
	line[2048] = '\0';
	assert_int_equal(load_bytes(f, &f->kernel, sizeof(f->kernel), -1, line), -E2BIG);
	line[2047] = '\0';
	assert_int_equal(load_bytes(f, &f->kernel, sizeof(f->kernel), -1, line), 0);
}

static void no_kernel(void **state)
{
	struct fixture *f = *state;

	memset(f->kernel.head.e_ident, 0, 4);
	refused(f, ENOEXEC, "neither an ELF vmlinux nor a bzImage");
	assert_int_equal(load_bytes(f, "short", 5, -1, ""), -ENOEXEC);
}

static void no_entry_note(void **state)
{
	struct fixture *f = *state;

	f->kernel.pvh.head.n_type = 17;
	refused(f, ENOEXEC, "no PVH entry");
}

static void damaged_notes(void **state)
{
	struct fixture *f = *state;

	f->kernel.pvh.head.n_namesz = 0xfffffffe;
	refused(f, ENOEXEC, "no PVH entry");
	f->kernel.pvh.head.n_namesz = 4;
	f->kernel.pvh.head.n_descsz = 0xffffffff;
	refused(f, ENOEXEC, "no PVH entry");
	f->kernel.pvh.head.n_descsz = 4;
	f->kernel.note.p_offset = UINT64_MAX - 4;
	refused(f, ENOEXEC, "no PVH entry");
}

static void entry_outside(void **state)
{
	struct fixture *f = *state;

	f->kernel.pvh.entry = 0xc0000000;
	refused(f, ENOEXEC, "outside the guest's memory");
}

static void segment_outside_the_file(void **state)
{
	struct fixture *f = *state;

	f->kernel.load.p_offset = KERNEL_SIZE - 1;
	refused(f, ENOEXEC, "outside the file");
	f->kernel.load.p_offset = UINT64_MAX;
	f->kernel.load.p_filesz = 2;
	refused(f, ENOEXEC, "outside the file");
	f->kernel.load.p_offset = KERNEL_CODE;
	f->kernel.load.p_memsz = 1;
	refused(f, ENOEXEC, "outside the file");
}

static void segment_outside_the_memory(void **state)
{
	struct fixture *f = *state;

	f->kernel.load.p_paddr = 8 * MIB - 4;
	refused(f, ENOMEM, "outside the guest's memory");
	f->kernel.load.p_paddr = UINT64_MAX - 1;
	refused(f, ENOMEM, "outside the guest's memory");
	f->kernel.load.p_paddr = 0x9000;
	refused(f, ENOEXEC, "below 1 MiB");
	f->kernel.load.p_paddr = KERNEL_ADDRESS;
	f->kernel.load.p_memsz = UINT64_MAX;
	refused(f, ENOMEM, "outside the guest's memory");
}

static void damaged_program_headers(void **state)
{
	struct fixture *f = *state;

	f->kernel.head.e_phoff = UINT64_MAX;
	refused(f, ENOEXEC, "program headers");
	f->kernel.head.e_phoff = KERNEL_SIZE - 56;
	refused(f, ENOEXEC, "program headers");
	f->kernel.head.e_phnum = 65535;
	refused(f, ENOEXEC, "program headers");
}

static void other_machine(void **state)
{
	struct fixture *f = *state;

	f->kernel.head.e_machine = EM_AARCH64;
	refused(f, ENOEXEC, "not for x86-64");
}

static void put(uint8_t *file, size_t offset, uint64_t v, size_t size)
{
	memcpy(file + offset, &v, size);
}

/* A bzImage with one setup sector and 4096 bytes of kernel. */
static void make_bzimage(uint8_t *file)
{
	memset(file, 0, 1024 + 4096);
	put(file, 0x1f1, 1, 1);
	put(file, 0x1fe, 0xaa55, 2);
	put(file, 0x201, 0x6a, 1);
	memcpy(file + 0x202, "HdrS", 4);
	put(file, 0x206, 0x20f, 2);
	put(file, 0x22c, 0x7fffffff, 4);
	put(file, 0x236, 1, 2);
	put(file, 0x258, 0x200000, 8);
	put(file, 0x260, 0x10000, 4);
	file[1024] = 0xf4;
}

static void bzimage(void **state)
{
	struct fixture *f = *state;
	uint8_t file[1024 + 4096];
	int fd = kernel_file("070701 archive", 14);

	make_bzimage(file);
	assert_int_equal(load_bytes(f, file, sizeof(file), fd, "x"), 0);
	assert_int_equal(f->entry.protocol, BOOT_LINUX64);
	assert_int_equal(f->entry.ip, 0x200200);
	assert_int_equal(value(f, 0x200000, 1), 0xf4);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x1fe, 2), 0xaa55);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x210, 1), 0xff);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x21c, 4), 14);
	assert_true(value(f, LAYOUT_ZERO_PAGE + 0x218, 4) >= 0x210000);
	assert_int_equal(value(f, LAYOUT_ZERO_PAGE + 0x1e8, 1), 3);
	assert_int_equal(value(f, LAYOUT_PD + 8, 8), 0x200083);
	close(fd);
}

static void hostile_bzimage(void **state)
{
	static const struct {
		size_t offset, size;
		uint64_t value;
		int code;
	} wrong[] = {
		{0x1f1, 1, 255, ENOEXEC},    /* more setup than file */
		{0x206, 2, 0x20b, ENOEXEC},  /* too old */
		{0x236, 2, 0, ENOEXEC},      /* no 64-bit entry */
		{0x258, 8, 0x1000, ENOEXEC}, /* below 1 MiB */
		{0x258, 8, 0xfffffffffffff000, ENOMEM},
		{0x258, 8, 0xbffff000, ENOMEM},
		{0x260, 4, 0xffffffff, ENOMEM},
		{0x260, 4, 100, ENOEXEC}, /* less room than kernel */
		{0x1fe, 2, 0, ENOEXEC},
	};
	struct fixture *f = *state;
	uint8_t file[1024 + 4096];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		make_bzimage(file);
		put(file, wrong[i].offset, wrong[i].value, wrong[i].size);
		assert_int_equal(load_bytes(f, file, sizeof(file), -1, "x"), -wrong[i].code);
	}
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static void mptable(void **state)
{
	struct fixture *f = *state;
	struct mptable t = {.cpus = 32, .lines = 0xffffff, .pic = true};
	const uint8_t *p;
	uint16_t length;

	assert_int_equal(mptable_write(&f->memory, &t, &f->e), 0);
	p = guest_at(&f->memory, LAYOUT_MPTABLE, LAYOUT_MPTABLE_SIZE, false);
	assert_memory_equal(p, "_MP_", 4);
	assert_int_equal(sum(p, 16), 0);
	assert_int_equal(value(f, LAYOUT_MPTABLE + 4, 4), LAYOUT_MPTABLE + 16);
	assert_memory_equal(p + 16, "PCMP", 4);
	memcpy(&length, p + 20, 2);
	assert_int_equal(sum(p + 16, length), 0);
	t.cpus = 33;
	assert_int_equal(mptable_write(&f->memory, &t, &f->e), -EINVAL);
	t.cpus = 0;
	assert_int_equal(mptable_write(&f->memory, &t, &f->e), -EINVAL);
}

/* Entries of eight bytes and these two first ones: type 3 is a line, 4 one of the local APICs. */
static bool has_entry(const struct fixture *f, uint8_t type, uint8_t kind)
{
	const uint8_t *p = guest_at(&f->memory, LAYOUT_MPTABLE, LAYOUT_MPTABLE_SIZE, false);
	unsigned int left = p[16 + 34];

	for (p += 16 + 44; left--; p += p[0] == 0 ? 20 : 8) {
		if (p[0] == type && p[1] == kind)
			return true;
	}
	return false;
}

static unsigned int count_lines(const struct fixture *f, uint32_t *ret_pins)
{
	const uint8_t *p = guest_at(&f->memory, LAYOUT_MPTABLE, LAYOUT_MPTABLE_SIZE, false);
	unsigned int left = p[16 + 34], n = 0;

	*ret_pins = 0;
	for (p += 16 + 44; left--; p += p[0] == 0 ? 20 : 8) {
		if (p[0] != 3)
			continue;
		assert_int_equal(p[5], p[7]); /* the bus's line is the pin */
		*ret_pins |= 1u << p[7];
		n++;
	}
	return n;
}

static void mptable_lines(void **state)
{
	struct fixture *f = *state;
	struct mptable t = {.cpus = 2, .lines = 0x8000e0};
	uint32_t pins;

	assert_int_equal(mptable_write(&f->memory, &t, &f->e), 0);
	assert_int_equal(count_lines(f, &pins), 4);
	assert_int_equal(pins, 0x8000e0);
	assert_true(has_entry(f, 4, 1));  /* the NMI */
	assert_false(has_entry(f, 4, 3)); /* no PIC */
	t.pic = true;
	assert_int_equal(mptable_write(&f->memory, &t, &f->e), 0);
	assert_true(has_entry(f, 4, 3));
}

static void too_little_memory(void **state)
{
	const struct guest_memory_config config = {.size = MIB};
	struct fixture *f = *state;
	struct guest_memory small;

	assert_int_equal(guest_memory_new(&config, &small, &f->e), 0);

	struct guest_memory large = f->memory;

	f->memory = small;
	assert_int_equal(load(f), -ENOMEM);
	f->memory = large;
	guest_memory_free(&small);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(pvh),
		TEST(linux_by_its_own_entry),
		TEST(linux_by_pvh),
		TEST(initramfs),
		TEST(initramfs_without_room),
		TEST(long_command_line),
		TEST(no_kernel),
		TEST(no_entry_note),
		TEST(damaged_notes),
		TEST(entry_outside),
		TEST(segment_outside_the_file),
		TEST(segment_outside_the_memory),
		TEST(damaged_program_headers),
		TEST(other_machine),
		TEST(bzimage),
		TEST(hostile_bzimage),
		TEST(mptable),
		TEST(mptable_lines),
		TEST(too_little_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
