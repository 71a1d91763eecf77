/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The balloon: memory that is given up is gone, and no other; what the guest says is not believed. */
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "microvm/virtio/balloon.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define PAGE       4096u
#define LIST       0x200000u
#define AREA       0x400000u /* pages that are given up: AREA_PAGES from here on */
#define AREA_PAGES 64u
#define FIRST_PFN  (AREA / PAGE)
#define MARK       0x5a
#define STATS      (1ull << VIRTIO_BALLOON_F_STATS_VQ)
#define REPORTING  (1ull << VIRTIO_BALLOON_F_REPORTING)
#define HEAD       7

enum { INFLATE, DEFLATE, THIRD, FOURTH };

static const struct balloon_config everything = {true, true, true};
static struct fake f;

static int set_up(void **state)
{
	(void)state;
	fake_setup(&f);
	return 0;
}

static int set_up_shared(void **state)
{
	const struct guest_memory_config config = {.size = FAKE_RAM, .shared = true};
	struct err err = ERR_INIT;

	(void)state;
	fake_setup(&f);
	guest_memory_free(&f.memory);
	return guest_memory_new(&config, &f.memory, &err);
}

static int tear_down(void **state)
{
	(void)state;
	fake_teardown(&f);
	return 0;
}

static void start(const struct balloon_config *c, uint64_t features)
{
	struct err err = ERR_INIT;

	assert_int_equal(virtio_balloon_new(&f.host, c, &f.d, &err), 0);
	fake_start(&f, features);
	memset(fake_at(&f, AREA), MARK, AREA_PAGES * PAGE);
}

static struct balloon_state look(void)
{
	struct balloon_state s;

	virtio_balloon_state(f.d, &s);
	return s;
}

static bool is_back(unsigned int q, uint32_t want_len)
{
	uint16_t head = 0;
	uint32_t len = 1;

	if (!fake_used(&f, q, &head, &len))
		return false;
	assert_int_equal(head, HEAD);
	assert_int_equal(len, want_len);
	return true;
}

/* One request of one buffer at gpa. */
static void send_buffer(unsigned int q, uint64_t gpa, uint32_t len, bool write)
{
	fake_add(&f, q, HEAD, &(struct fake_buf){gpa, len, write}, 1);
	fake_kick(&f, q);
}

static void send_pfns(unsigned int q, const uint32_t *pfns, uint32_t n)
{
	memcpy(fake_at(&f, LIST), pfns, n * sizeof(*pfns));
	send_buffer(q, LIST, n * (uint32_t)sizeof(*pfns), false);
	assert_true(is_back(q, 0));
}

/* Is each page of the area there as it was, or gone where bit 1 << page is set? */
static void expect_gone(uint64_t pages)
{
	for (uint32_t i = 0; i < AREA_PAGES * PAGE; i++)
		assert_int_equal(fake_at(&f, AREA)[i], pages >> (i / PAGE) & 1 ? 0 : MARK);
}

static void test_inflate(void **state)
{
	static const uint32_t up[] = {FIRST_PFN + 1, FIRST_PFN + 2, FIRST_PFN + 3};
	static const uint32_t down[] = {FIRST_PFN + 12, FIRST_PFN + 11, FIRST_PFN + 10};
	static const uint32_t mixed[] = {FIRST_PFN + 30, FIRST_PFN + 20, FIRST_PFN + 21,
					 FIRST_PFN + 63, FIRST_PFN + 20, FIRST_PFN + 19};

	(void)state;
	start(&everything, STATS | REPORTING);
	expect_gone(0);
	send_pfns(INFLATE, up, 3);
	expect_gone(0xe);
	send_pfns(INFLATE, down, 3);
	expect_gone(0x1c0e);
	send_pfns(INFLATE, mixed, 6);
	expect_gone(0x1c0e | 1ull << 30 | 7ull << 19 | 1ull << 63);
	assert_int_equal(look().inflated, 12 * PAGE);
	assert_int_equal(look().failed, 0);
	assert_int_equal(f.d->faults, 0);
	assert_int_equal(f.interrupts, 1); /* used_event stays at 0 */
	send_pfns(DEFLATE, up, 3);
	assert_int_equal(look().deflated, 3 * PAGE);
	/* Used again it is memory as any other. */
	fake_at(&f, AREA)[PAGE] = 1;
	assert_int_equal(fake_at(&f, AREA)[PAGE], 1);
}

/* Of a memfd the pages are gone for all who map it, and for the host. */
static void test_inflate_shared(void **state)
{
	uint32_t pfns[AREA_PAGES];
	struct stat before, after;

	(void)state;
	start(&everything, 0);
	for (uint32_t i = 0; i < AREA_PAGES; i++)
		pfns[i] = FIRST_PFN + i;
	*fake_at(&f, LIST) = 0; /* there from now on */
	assert_int_equal(fstat(f.memory.fd, &before), 0);
	send_pfns(INFLATE, pfns + 32, 32);
	/* Before they are looked at: that brings them back. */
	assert_int_equal(fstat(f.memory.fd, &after), 0);
	assert_int_equal(before.st_blocks - after.st_blocks, 32 * PAGE / 512);
	assert_int_equal(after.st_size, before.st_size);
	expect_gone(~0ull << 32);
}

static void test_no_such_page(void **state)
{
	static const uint32_t pfns[] = {FAKE_RAM / PAGE, UINT32_MAX, 0xc0000, 0x100000,
					FIRST_PFN + 5};

	(void)state;
	start(&everything, 0);
	send_pfns(INFLATE, pfns, 5);
	expect_gone(1 << 5);
	assert_int_equal(look().inflated, PAGE);
	assert_int_equal(f.d->faults, 4);
}

/* Memory that is not the guest's own to give: another mapping, a region for reading alone. */
static void test_other_regions(void **state)
{
	static const uint32_t pfns[] = {0x100000, 0x100001, 0x200000};
	uint8_t *other =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct guest_region r = {1ull << 32, 2 * PAGE, other, true};

	(void)state;
	assert_ptr_not_equal(other, MAP_FAILED);
	memset(other, MARK, 2 * PAGE);
	f.memory.regions[f.memory.n_regions++] = r;
	r = (struct guest_region){2ull << 32, 2 * PAGE, other, false};
	f.memory.regions[f.memory.n_regions++] = r;
	start(&everything, REPORTING);
	send_pfns(INFLATE, pfns, 3);
	assert_int_equal(f.d->faults, 3);
	send_buffer(THIRD, 1ull << 32, PAGE, true); /* refused by the queue */
	assert_true(is_back(THIRD, 0));
	assert_int_equal(f.d->queues[THIRD].dropped, 1);
	send_buffer(THIRD, 2ull << 32, PAGE, true);
	assert_true(is_back(THIRD, 0));
	assert_int_equal(f.d->faults, 4);
	for (unsigned int i = 0; i < 2 * PAGE; i++)
		assert_int_equal(other[i], MARK);
	assert_int_equal(look().reported, 0);
	assert_int_equal(munmap(other, 2 * PAGE), 0);
}

static void test_odd_lists(void **state)
{
	uint32_t *list = (uint32_t *)(void *)fake_at(&f, LIST);

	(void)state;
	start(&everything, 0);
	list[0] = FIRST_PFN;
	list[1] = FIRST_PFN + 1;
	send_buffer(INFLATE, LIST, 0, false);
	assert_true(is_back(INFLATE, 0));
	send_buffer(INFLATE, LIST, 3, false);
	assert_true(is_back(INFLATE, 0));
	send_buffer(INFLATE, LIST, 8, true); /* for us to write */
	assert_true(is_back(INFLATE, 0));
	expect_gone(0);
	send_buffer(INFLATE, LIST, 7, false);
	assert_true(is_back(INFLATE, 0));
	expect_gone(1);
	/* All of memory as a list of pages: it ends. */
	send_buffer(INFLATE, 0, FAKE_RAM, false);
	assert_true(is_back(INFLATE, 0));
	send_buffer(DEFLATE, 0, FAKE_RAM, false);
	assert_true(is_back(DEFLATE, 0));
	assert_in_range(f.d->faults, 3, 2000);
}

/* A list cut anywhere, into descriptors of one byte. */
static void test_cut_list(void **state)
{
	const uint32_t pfns[] = {FIRST_PFN + 2, FIRST_PFN + 9};
	struct fake_buf bufs[sizeof(pfns)];

	(void)state;
	start(&everything, 0);
	memcpy(fake_at(&f, LIST), pfns, sizeof(pfns));
	for (uint32_t i = 0; i < sizeof(pfns); i++)
		bufs[i] = (struct fake_buf){LIST + i, 1, false};
	fake_add(&f, INFLATE, HEAD, bufs, sizeof(pfns));
	fake_kick(&f, INFLATE);
	assert_true(is_back(INFLATE, 0));
	expect_gone(1 << 2 | 1 << 9);
}

/* The guest gives away what the queue itself lies in: its own loss. */
static void test_own_ring(void **state)
{
	uint32_t pfns[FAKE_RINGS / PAGE];

	(void)state;
	start(&everything, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(pfns); i++)
		pfns[i] = FAKE_RINGS / PAGE + i;
	for (unsigned int i = 0; i < 2; i++) { /* the index is then 0, or ahead of it */
		memcpy(fake_at(&f, LIST), pfns, sizeof(pfns));
		send_buffer(INFLATE, LIST, sizeof(pfns), false);
		fake_turns(&f, 2);
	}
	fake_write(&f, VIRTIO_MMIO_STATUS, 0);
	fake_start(&f, 0);
	send_pfns(INFLATE, (const uint32_t[]){FIRST_PFN}, 1);
	expect_gone(1);
}

static void test_report(void **state)
{
	const struct fake_buf bufs[] = {
		{AREA, 2 * PAGE, true},
		{AREA + 4 * PAGE + 1, 3 * PAGE, true}, /* two whole pages */
		{AREA + 10 * PAGE + 1, PAGE, true},    /* none */
		{AREA + 20 * PAGE, PAGE - 1, true},    /* none */
	};

	(void)state;
	start(&everything, STATS | REPORTING);
	fake_add(&f, FOURTH, HEAD, bufs, ARRAY_SIZE(bufs));
	fake_kick(&f, FOURTH);
	assert_true(is_back(FOURTH, 0));
	expect_gone(3 | 3 << 5);
	assert_int_equal(look().reported, 4 * PAGE);
	/* What the device shall not write is no report. */
	send_buffer(FOURTH, AREA + 30 * PAGE, PAGE, false);
	assert_true(is_back(FOURTH, 0));
	expect_gone(3 | 3 << 5);
}

static void test_report_shared(void **state)
{
	(void)state;
	start(&everything, REPORTING);
	send_buffer(THIRD, AREA + PAGE, 3 * PAGE, true);
	assert_true(is_back(THIRD, 0));
	expect_gone(0xe);
}

/* Linux leaves out the queue of a feature that it did not take. */
static void test_queue_numbers(void **state)
{
	const struct balloon_config bare = {false, false, false};
	const struct virtio_balloon_stat s = {VIRTIO_BALLOON_S_MEMTOT, 5};

	(void)state;
	start(&everything, STATS);
	memcpy(fake_at(&f, LIST), &s, sizeof(s));
	send_buffer(THIRD, LIST, sizeof(s), false);
	assert_int_equal(look().stats_seen, 1);
	send_buffer(FOURTH, AREA, PAGE, true); /* nobody's */
	assert_false(is_back(FOURTH, 0));
	expect_gone(0);
	/* The next driver takes another choice. */
	fake_write(&f, VIRTIO_MMIO_STATUS, 0);
	fake_start(&f, REPORTING);
	send_buffer(THIRD, AREA, PAGE, true);
	assert_true(is_back(THIRD, 0));
	expect_gone(1);
	assert_int_equal(virtio_balloon_ask_stats(f.d), -EAGAIN);
	virtio_destroy(f.d);
	start(&bare, 0);
	assert_int_equal(f.d->n_queues, 2);
	assert_false(f.d->offered & (STATS | REPORTING | 1 << VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
}

static void put_stat(unsigned int i, uint16_t tag, uint64_t value)
{
	const struct virtio_balloon_stat s = {tag, value};

	memcpy(fake_at(&f, LIST + i * sizeof(s)), &s, sizeof(s));
}

static void test_stats(void **state)
{
	(void)state;
	start(&everything, STATS | REPORTING);
	assert_int_equal(virtio_balloon_ask_stats(f.d), -EAGAIN);
	put_stat(0, VIRTIO_BALLOON_S_MEMFREE, 1 << 20);
	put_stat(1, 999, 1);
	put_stat(2, VIRTIO_BALLOON_S_NR, 1);
	put_stat(3, VIRTIO_BALLOON_S_MEMTOT, UINT64_MAX);
	put_stat(4, VIRTIO_BALLOON_S_MEMFREE, 2 << 20);
	send_buffer(THIRD, LIST, 5 * sizeof(struct virtio_balloon_stat) + 3, false);
	assert_false(is_back(THIRD, 0));
	assert_int_equal(look().stats_seen, 1);
	assert_int_equal(look().known,
			 1 << VIRTIO_BALLOON_S_MEMFREE | 1 << VIRTIO_BALLOON_S_MEMTOT);
	assert_int_equal(look().stats[VIRTIO_BALLOON_S_MEMFREE], 2 << 20);
	assert_int_equal(look().stats[VIRTIO_BALLOON_S_MEMTOT], UINT64_MAX);
	/* The question is the buffer, back. */
	assert_int_equal(virtio_balloon_ask_stats(f.d), 0);
	assert_true(is_back(THIRD, 0));
	assert_int_equal(f.interrupts, 1);
	assert_int_equal(virtio_balloon_ask_stats(f.d), -EAGAIN);
	put_stat(0, VIRTIO_BALLOON_S_CACHES, 3);
	send_buffer(THIRD, LIST, sizeof(struct virtio_balloon_stat), false);
	assert_int_equal(look().stats_seen, 2);
	assert_int_equal(look().known, 1 << VIRTIO_BALLOON_S_CACHES);
}

static void test_odd_stats(void **state)
{
	static const uint32_t lengths[] = {0, 1, 9, 11, FAKE_RAM - LIST};

	(void)state;
	start(&everything, STATS);
	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		send_buffer(THIRD, LIST, lengths[i], false);
		/* The one before comes back, this one is kept. */
		assert_int_equal(is_back(THIRD, 0), i > 0);
		assert_false(is_back(THIRD, 0));
		assert_int_equal(look().stats_seen, i + 1);
	}
	fake_write(&f, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(virtio_balloon_ask_stats(f.d), -EAGAIN);
	fake_start(&f, STATS);
	assert_int_equal(virtio_balloon_ask_stats(f.d), -EAGAIN);
	send_buffer(THIRD, LIST, 10, false);
	assert_false(is_back(THIRD, 0));
	f.queues[THIRD].avail->idx += FAKE_SIZE + 1;
	fake_kick(&f, THIRD);
	assert_true(fake_read(&f, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static uint32_t config(uint32_t offset)
{
	return fake_read(&f, VIRTIO_MMIO_CONFIG + offset);
}

static void test_target(void **state)
{
	uint32_t generation;

	(void)state;
	start(&everything, 0);
	generation = fake_read(&f, VIRTIO_MMIO_CONFIG_GENERATION);
	virtio_balloon_set_target(f.d, 10 * PAGE + 5);
	assert_int_equal(config(0), 10);
	assert_int_equal(look().target, 10 * PAGE);
	assert_int_equal(f.interrupts, 1);
	assert_int_equal(fake_read(&f, VIRTIO_MMIO_INTERRUPT_STATUS),
			 VIRTIO_MMIO_INT_CONFIG | VIRTIO_MMIO_INT_VRING);
	assert_int_not_equal(fake_read(&f, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	virtio_balloon_set_target(f.d, UINT64_MAX);
	assert_int_equal(look().target, FAKE_RAM);
}

static void test_guest_config(void **state)
{
	uint8_t bytes[8];

	(void)state;
	start(&everything, 0);
	virtio_balloon_set_target(f.d, 10 * PAGE);
	fake_write(&f, VIRTIO_MMIO_CONFIG + 4, 9);
	assert_int_equal(look().actual, 9 * PAGE);
	assert_int_equal(config(4), 9);
	/* The target is not the guest's to say. */
	fake_write(&f, VIRTIO_MMIO_CONFIG, 77);
	assert_int_equal(config(0), 10);
	memset(bytes, 0xff, sizeof(bytes));
	virtio_mmio_write(f.d, VIRTIO_MMIO_CONFIG, bytes, sizeof(bytes));
	assert_int_equal(config(0), 10);
	assert_int_equal(look().target, 10 * PAGE);
	/* More than it has. */
	assert_int_equal(look().actual, FAKE_RAM);
	/* Past the end. */
	fake_write(&f, VIRTIO_MMIO_CONFIG + 8, 1);
	assert_int_equal(config(8), 0);
	virtio_mmio_write(f.d, VIRTIO_MMIO_CONFIG + 6, bytes, 4);
	fake_write(&f, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(look().actual, 0);
	assert_int_equal(look().target, 10 * PAGE);
}

#define TEST(fn)        cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define TEST_SHARED(fn) cmocka_unit_test_setup_teardown(fn, set_up_shared, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_inflate),
		TEST_SHARED(test_inflate_shared),
		TEST(test_no_such_page),
		TEST(test_other_regions),
		TEST(test_odd_lists),
		TEST(test_cut_list),
		TEST(test_own_ring),
		TEST(test_report),
		TEST_SHARED(test_report_shared),
		TEST(test_queue_numbers),
		TEST(test_stats),
		TEST(test_odd_stats),
		TEST(test_target),
		TEST(test_guest_config),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
