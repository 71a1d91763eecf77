/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private memory that is laid on the file of a saved machine, and what is fetched of it ahead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "microvm/saved_memory.h"
#include "microvm/working_set.h"
#include "tests/unit/base/tmp.h"

#define PAGE  4096u
#define MIB   (1u << 20)
#define RAM   (16u * MIB)
#define PAGES (RAM / PAGE)

static struct guest_memory new_memory(bool shared, uint64_t size)
{
	const struct guest_memory_config config = {.size = size, .shared = shared};
	struct guest_memory m;
	struct err e = ERR_INIT;

	if (guest_memory_new(&config, &m, &e) < 0)
		fail_msg("%s", e.msg);
	return m;
}

static int new_file(const char *name)
{
	int fd = openat(tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* What page i of the machine that is saved holds; 0: it is all zeroes. */
static uint8_t content(size_t i)
{
	/* a part, a small hole in it, one page alone, and a part at the end */
	if ((i >= 10 && i < 100 && i != 50) || i == 2000 || i >= PAGES - 5)
		return (uint8_t)(i % 255 + 1);
	return 0;
}

static struct saved_memory save(int fd)
{
	struct guest_memory m = new_memory(true, RAM);
	struct saved_memory saved;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < PAGES; i++)
		if (content(i))
			memset(m.map + i * PAGE, content(i), PAGE);
	if (memory_save(&m, fd, &saved, &e) < 0)
		fail_msg("%s", e.msg);
	guest_memory_free(&m);
	return saved;
}

static bool holds(const uint8_t *page, uint8_t byte)
{
	return page[0] == byte && memcmp(page, page + 1, PAGE - 1) == 0;
}

static void check_content(const struct guest_memory *m)
{
	for (size_t i = 0; i < PAGES; i++)
		if (!holds(m->map + i * PAGE, content(i)))
			fail_msg("page %zu", i);
}

/* Two machines of one file: what one writes, neither the other nor the file has. */
static void laid(void **state)
{
	CLOSE_FD int fd = new_file("memory");
	struct saved_memory saved = save(fd);
	struct guest_memory a = new_memory(false, RAM), b = new_memory(false, RAM);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(memory_restore(&a, fd, &saved, false, &e), 0);
	assert_int_equal(memory_restore(&b, fd, &saved, true, &e), 0);
	check_content(&a);
	memset(a.map, 0x77, RAM);
	check_content(&b);
	assert_int_equal(memory_restore(&(struct guest_memory){.ram = 0}, fd, &saved, true, &e), -EINVAL);
	/* It lives on without a name. */
	assert_int_equal(unlinkat(tmp_fd, "memory", 0), 0);
	check_content(&b);
	guest_memory_free(&a);
	guest_memory_free(&b);
}

/* What one page holds is noticed unless it is trusted. */
static void damaged(void **state)
{
	CLOSE_FD int fd = new_file("memory");
	struct saved_memory saved = save(fd);
	struct guest_memory a = new_memory(false, RAM), b = new_memory(false, RAM);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(pwrite(fd, "x", 1, 2000 * PAGE + 100), 1);
	assert_int_equal(memory_restore(&a, fd, &saved, false, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "is damaged"));
	assert_int_equal(memory_restore(&b, fd, &saved, true, &e), 0);
	assert_int_equal(b.map[2000 * PAGE + 100], 'x');
	assert_int_equal(ftruncate(fd, RAM / 2), 0);
	assert_int_equal(memory_restore(&b, fd, &saved, true, &e), -EINVAL);
	guest_memory_free(&a);
	guest_memory_free(&b);
}

/* Shared memory is copied to, and checked, trusted or not. */
static void copied(void **state)
{
	CLOSE_FD int fd = new_file("memory");
	struct saved_memory saved = save(fd);
	struct guest_memory m = new_memory(true, RAM);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(memory_restore(&m, fd, &saved, true, &e), 0);
	check_content(&m);
	assert_int_equal(pwrite(fd, "x", 1, 20 * PAGE), 1);
	assert_int_equal(memory_restore(&m, fd, &saved, true, &e), -EINVAL);
	guest_memory_free(&m);
}

static void not_laid(void **state)
{
	CLOSE_FD int fd = new_file("memory");
	struct guest_memory m = new_memory(false, RAM), shared = new_memory(true, RAM);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(ftruncate(fd, RAM), 0);
	assert_int_equal(guest_memory_lay(&m, fd, 0, RAM, &e), 0);
	assert_int_equal(guest_memory_lay(&m, fd, PAGE, RAM, &e), -EINVAL);
	assert_int_equal(guest_memory_lay(&m, fd, RAM + PAGE, 0, &e), -EINVAL);
	assert_int_equal(guest_memory_lay(&m, fd, 1, PAGE, &e), -EINVAL);
	assert_int_equal(guest_memory_lay(&m, fd, 0, 100, &e), -EINVAL);
	assert_int_equal(guest_memory_lay(&m, -1, 0, PAGE, &e), -EBADF);
	assert_int_equal(guest_memory_lay(&shared, fd, 0, PAGE, &e), -EOPNOTSUPP);
	guest_memory_free(&m);
	guest_memory_free(&shared);
}

/* ---- what is fetched ahead ---- */

static bool is_in(const struct working_set *w, uint64_t page, bool written)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct working_set_range *r = &w->ranges[i];

		if (page >= r->first && page - r->first < r->pages)
			return r->written == written;
	}
	return false;
}

static size_t resident(const struct guest_memory *m, int pagemap)
{
	uint64_t entries[PAGES];
	size_t n = 0;

	assert_int_equal(pread(pagemap, entries, sizeof(entries),
			       (off_t)((uintptr_t)m->map / PAGE * sizeof(entries[0]))),
			 sizeof(entries));
	for (size_t i = 0; i < PAGES; i++)
		n += entries[i] >> 63;
	return n;
}

static void recorded(void **state)
{
	CLOSE_FD int fd = new_file("memory");
	CLOSE_FD int set_fd = new_file("set");
	CLOSE_FD int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct saved_memory saved = save(fd);
	struct guest_memory a = new_memory(false, RAM), b = new_memory(false, RAM);
	struct working_set w;
	struct err e = ERR_INIT;
	volatile uint8_t byte;

	(void)state;
	assert_int_equal(working_set_read(set_fd, &a, PAGES, &w, &e), -ENODATA);
	assert_int_equal(memory_restore(&a, fd, &saved, true, &e), 0);
	byte = a.map[20 * PAGE];
	(void)byte;
	a.map[90 * PAGE] = 1;
	a.map[400 * PAGE] = 1;  /* new, beside what was saved */
	a.map[3000 * PAGE] = 1; /* new, where nothing was */
	if (working_set_record(&a, fd, pagemap, set_fd, &e) < 0 ||
	    working_set_read(set_fd, &a, PAGES, &w, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(is_in(&w, 20, false));
	assert_true(is_in(&w, 90, true));
	assert_true(is_in(&w, 400, true));
	assert_false(is_in(&w, 2000, false) || is_in(&w, 2000, true));
	assert_false(is_in(&w, 3000, false) || is_in(&w, 3000, true));

	assert_int_equal(memory_restore(&b, fd, &saved, true, &e), 0);
	assert_int_equal(resident(&b, pagemap), 0);
	working_set_fetch(&w, &b);
	assert_true(resident(&b, pagemap) >= 2);
	check_content(&b);
	working_set_free(&w);
	guest_memory_free(&a);
	guest_memory_free(&b);
}

/* What a machine's process may read of its page tables tells nothing of the host's memory. */
static void pages_without_places(void **state)
{
	struct guest_memory m = new_memory(false, RAM);
	struct err e = ERR_INIT;
	CLOSE_FD int fd = working_set_open_pagemap(&e);
	uint64_t entry = 0;

	(void)state;
	if (fd < 0)
		fail_msg("%s", e.msg);
	m.map[0] = 1;
	assert_int_equal(pread(fd, &entry, sizeof(entry),
			       (off_t)((uintptr_t)m.map / PAGE * sizeof(entry))),
			 sizeof(entry));
	assert_true(entry >> 63);
	assert_int_equal(entry & ((1ull << 55) - 1), 0);
	guest_memory_free(&m);
}

/* A file that is none, or of a larger machine, is refused; whatever byte of it is another. */
static void wrong_set(void **state)
{
	CLOSE_FD int fd = new_file("memory");
	CLOSE_FD int set_fd = new_file("set");
	CLOSE_FD int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct saved_memory saved = save(fd);
	struct guest_memory m = new_memory(false, RAM), small = new_memory(false, MIB);
	struct working_set w;
	struct err e = ERR_INIT;
	char byte;

	(void)state;
	assert_int_equal(memory_restore(&m, fd, &saved, true, &e), 0);
	m.map[2000 * PAGE] = 1;
	assert_int_equal(working_set_record(&m, fd, pagemap, set_fd, &e), 0);
	assert_int_equal(working_set_read(set_fd, &m, PAGES, &w, &e), 0);
	assert_int_equal(w.n, 1);
	working_set_free(&w);
	assert_int_equal(working_set_read(set_fd, &m, 0, &w, &e), -EINVAL); /* more than was saved */
	assert_int_equal(working_set_read(set_fd, &small, PAGES, &w, &e), -EINVAL);
	for (off_t i = 0; i < 24 + 16; i++) {
		assert_int_equal(pread(set_fd, &byte, 1, i), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(set_fd, &byte, 1, i), 1);
		assert_int_equal(working_set_read(set_fd, &m, PAGES, &w, &e), -EINVAL);
		byte ^= 0x40;
		assert_int_equal(pwrite(set_fd, &byte, 1, i), 1);
	}
	for (off_t len = 1; len < 24 + 16; len++) {
		assert_int_equal(ftruncate(set_fd, 24 + 16 - len), 0);
		assert_int_equal(working_set_read(set_fd, &m, PAGES, &w, &e), -EINVAL);
	}
	guest_memory_free(&m);
	guest_memory_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmp_test(laid),	    tmp_test(damaged),	tmp_test(copied),
		tmp_test(not_laid), tmp_test(recorded), tmp_test(pages_without_places),
		tmp_test(wrong_set),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
