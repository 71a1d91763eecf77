/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings as a guest may write them: what a queue takes, refuses and survives. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/microvm/fake.h"

#define DESC  0x10000u
#define AVAIL 0x14000u
#define USED  0x18000u
#define DATA  0x100000u

struct fixture {
	struct guest_memory memory;
	struct virtq q;
	struct virtq_setup setup;
	struct virtq_chain chain;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct err e;
};

static void *at(struct fixture *f, uint64_t gpa)
{
	return f->memory.regions[0].host + gpa;
}

static int set_up(void **state)
{
	const struct guest_memory_config config = {.size = FAKE_RAM};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(guest_memory_new(&config, &f->memory, &f->e), 0);
	f->setup = (struct virtq_setup){8, true, DESC, AVAIL, USED};
	f->desc = at(f, DESC);
	f->avail = at(f, AVAIL);
	f->used = at(f, USED);
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

static int activate(struct fixture *f, bool event_idx)
{
	return virtq_activate(&f->q, &f->setup, &f->memory, event_idx, &f->e);
}

static void activated(struct fixture *f)
{
	assert_int_equal(activate(f, false), 0);
}

static void describe(struct fixture *f, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	f->desc[i] = (struct vring_desc){addr, len, flags, next};
}

static void offer(struct fixture *f, uint16_t head)
{
	f->avail->ring[f->avail->idx % f->setup.size] = head;
	f->avail->idx++;
}

/* The chain from 0 is refused: given back with length 0, counted, and the next one is served. */
static void is_dropped(struct fixture *f)
{
	uint64_t before = f->q.dropped;
	uint16_t used = f->used->idx;

	describe(f, 7, DATA, 1, 0, 0);
	offer(f, 0);
	offer(f, 7);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(f->chain.head, 7);
	assert_int_equal(f->q.dropped, before + 1);
	assert_int_equal(f->used->idx, used + 1);
	assert_int_equal(f->used->ring[used % 8].id, 0);
	assert_int_equal(f->used->ring[used % 8].len, 0);
	virtq_push(&f->q, 7, 0);
}

static void a_request(void **state)
{
	struct fixture *f = *state;
	char text[16] = "";

	activated(f);
	memcpy(at(f, DATA), "headpayload", 11);
	describe(f, 3, DATA, 4, VRING_DESC_F_NEXT, 5);
	describe(f, 5, DATA + 4, 7, VRING_DESC_F_NEXT, 1);
	describe(f, 1, DATA + 4096, 8, VRING_DESC_F_WRITE, 0);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 0);
	offer(f, 3);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(f->chain.n_out, 2);
	assert_int_equal(f->chain.n_in, 1);
	assert_int_equal(f->chain.out_len, 11);
	assert_int_equal(f->chain.in_len, 8);
	assert_int_equal(virtq_read(&f->chain, 2, text, 15), 9);
	assert_string_equal(text, "adpayload");
	assert_int_equal(virtq_write(&f->chain, 3, "abcdefgh", 8), 5);
	assert_memory_equal(at(f, DATA + 4096 + 3), "abcde", 5);
	virtq_push(&f->q, f->chain.head, 8);
	assert_int_equal(f->used->idx, 1);
	assert_int_equal(f->used->ring[0].id, 3);
	assert_int_equal(f->used->ring[0].len, 8);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 0);
}

/* 65,536 requests and some: both indices wrap. */
static void indices_wrap(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, DATA, 4, 0, 0);
	for (unsigned int i = 0; i < 70000; i++) {
		offer(f, 0);
		assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
		virtq_push(&f->q, 0, i);
		assert_int_equal(f->used->ring[i % 8].len, i);
	}
	assert_int_equal(f->used->idx, 70000 % 65536);
}

static void unpop(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 2, DATA, 4, 0, 0);
	offer(f, 2);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	virtq_unpop(&f->q);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(f->chain.head, 2);
}

/* Row 1. */
static void wrong_sizes(void **state)
{
	static const uint32_t sizes[] = {0, 3, 255, 257, 512, 65536, 0x10001, 0xffffffff};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		f->setup.size = sizes[i];
		assert_int_equal(activate(f, true), -EINVAL);
		assert_false(f->q.active);
		assert_int_equal(virtq_pop(&f->q, &f->chain), 0);
	}
	f->setup.size = 256;
	assert_int_equal(activate(f, true), 0);
	f->setup.size = 1;
	assert_int_equal(activate(f, true), 0);
}

/* Row 2: a ring in use does not hear of it. */
static void setup_changes_afterwards(void **state)
{
	struct fixture *f = *state;

	activated(f);
	f->setup = (struct virtq_setup){65535, true, 0, 2, 4};
	describe(f, 0, DATA, 4, 0, 0);
	f->avail->ring[0] = 0;
	f->avail->idx = 1;
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	virtq_push(&f->q, 0, 0);
	assert_int_equal(f->used->idx, 1);
}

/* Row 4. */
static void wrong_addresses(void **state)
{
	static const struct virtq_setup wrong[] = {
		{8, true, DESC + 8, AVAIL, USED}, /* alignment */
		{8, true, DESC, AVAIL + 1, USED},        {8, true, DESC, AVAIL, USED + 2},
		{8, true, FAKE_RAM, AVAIL, USED}, /* outside */
		{8, true, DESC, FAKE_RAM, USED},         {8, true, DESC, AVAIL, FAKE_RAM},
		{8, true, FAKE_RAM - 112, AVAIL, USED}, /* half outside */
		{8, true, DESC, FAKE_RAM - 20, USED},    {8, true, DESC, AVAIL, FAKE_RAM - 68},
		{8, true, UINT64_MAX - 15, AVAIL, USED}, /* overflow */
		{8, true, DESC, UINT64_MAX - 1, USED},   {8, true, DESC, AVAIL, UINT64_MAX - 3},
		{8, true, 0xc0000000, AVAIL, USED}, /* the hole */
		{8, true, DESC, 0xfee00000, USED},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		f->setup = wrong[i];
		assert_int_equal(activate(f, false), -EINVAL);
		assert_false(f->q.active);
	}
	/* The last bytes of RAM are as good as any. */
	f->setup = (struct virtq_setup){8, true, DESC, AVAIL, FAKE_RAM - 72};
	assert_int_equal(activate(f, false), 0);
}

/* Row 5. */
static void available_index_out_of_reach(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, DATA, 4, 0, 0);
	f->avail->idx = 9;
	assert_int_equal(virtq_pop(&f->q, &f->chain), -EPROTO);
	assert_true(f->q.broken);
	/* and stays broken, whatever the driver says later */
	f->avail->idx = 1;
	assert_int_equal(virtq_pop(&f->q, &f->chain), -EPROTO);
	assert_false(virtq_listen(&f->q));
}

static void full_ring(void **state)
{
	struct fixture *f = *state;

	activated(f);
	for (uint16_t i = 0; i < 8; i++) {
		describe(f, i, DATA, 4, 0, 0);
		offer(f, i);
	}
	for (uint16_t i = 0; i < 8; i++)
		assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 0);
}

/* Row 6: the index cannot even be given back. */
static void head_outside_the_table(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 1, DATA, 4, 0, 0);
	offer(f, 8);
	offer(f, 65535);
	offer(f, 1);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(f->chain.head, 1);
	assert_int_equal(f->q.dropped, 2);
	assert_int_equal(f->used->idx, 0);
}

static void next_outside_the_table(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, DATA, 4, VRING_DESC_F_NEXT, 8);
	is_dropped(f);
	describe(f, 0, DATA, 4, VRING_DESC_F_NEXT, 65535);
	is_dropped(f);
}

/* Row 7. */
static void loops(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, DATA, 4, VRING_DESC_F_NEXT, 0);
	is_dropped(f);
	describe(f, 0, DATA, 4, VRING_DESC_F_NEXT, 1);
	describe(f, 1, DATA, 4, VRING_DESC_F_NEXT, 2);
	describe(f, 2, DATA, 4, VRING_DESC_F_NEXT, 1);
	is_dropped(f);
	describe(f, 0, DATA, 0, VRING_DESC_F_NEXT, 0); /* empty buffers loop as well */
	is_dropped(f);
}

/* Row 8: 8 buffers of 16 MiB are fine, but not a sum beyond 32 bits. */
static void total_length_overflows(void **state)
{
	const struct guest_memory_config config = {.size = 2ull << 30};
	struct fixture *f = *state;
	struct guest_memory small = f->memory;

	assert_int_equal(guest_memory_new(&config, &f->memory, &f->e), 0);
	f->desc = at(f, DESC);
	f->avail = at(f, AVAIL);
	f->used = at(f, USED);
	activated(f);
	for (uint16_t i = 0; i < 3; i++)
		describe(f, i, DATA, 0x60000000, i < 2 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	is_dropped(f);
	guest_memory_free(&f->memory);
	f->memory = small;
}

/* Row 9. */
static void buffers_outside_the_memory(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} wrong[] = {
		{FAKE_RAM, 1},       {FAKE_RAM - 1, 2},  {UINT64_MAX, 1},
		{UINT64_MAX - 3, 8}, {0xc0000000, 4},    {0xfee00000, 4},
		{GUEST_HOLE_END, 1}, {DATA, 0xffffffff}, {1ull << 63, 4096},
	};
	struct fixture *f = *state;

	activated(f);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		describe(f, 0, wrong[i].addr, wrong[i].len, 0, 0);
		is_dropped(f);
		describe(f, 0, DATA, 4, VRING_DESC_F_NEXT, 1);
		describe(f, 1, wrong[i].addr, wrong[i].len, VRING_DESC_F_WRITE, 0);
		is_dropped(f);
	}
}

static void buffers_across_two_regions(void **state)
{
	struct fixture *f = *state;
	struct guest_region whole = f->memory.regions[0];

	/* RAM in two slots that are neighbours, as below and above the hole they never are. */
	f->memory.regions[0].size = 0x200000;
	f->memory.regions[1] =
		(struct guest_region){0x200000, 0x100000, whole.host + 0x200000, false};
	f->memory.n_regions = 2;
	activated(f);
	describe(f, 0, 0x200000 - 2, 4, 0, 0);
	is_dropped(f);
	f->memory.n_regions = 1;
	f->memory.regions[0] = whole;
}

static void writes_into_read_only_memory(void **state)
{
	struct fixture *f = *state;
	struct guest_region whole = f->memory.regions[0];

	f->memory.regions[0].size = 0x200000;
	f->memory.regions[1] =
		(struct guest_region){0x200000, 0x100000, whole.host + 0x200000, true};
	f->memory.n_regions = 2;
	activated(f);
	describe(f, 0, 0x200000, 4, VRING_DESC_F_WRITE, 0);
	is_dropped(f);
	f->setup.used = 0x200000;
	assert_int_equal(activate(f, false), -EINVAL);
	f->memory.n_regions = 1;
	f->memory.regions[0] = whole;
}

/* Row 10: allowed, and whatever it does to the driver's own rings, it stays inside them. */
static void buffer_over_the_ring(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, DESC, 128, VRING_DESC_F_WRITE, 0);
	offer(f, 0);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);

	uint8_t bytes[128];

	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(virtq_write(&f->chain, 0, bytes, sizeof(bytes)), 128);
	virtq_push(&f->q, 0, 128);
	offer(f, 0); /* every descriptor is 0xff… now */
	assert_int_equal(virtq_pop(&f->q, &f->chain), 0);
	assert_int_equal(f->q.dropped, 1);
	/* and over the used ring: the device's own index is not read back from it */
	describe(f, 0, USED, 70, VRING_DESC_F_WRITE, 0);
	offer(f, 0);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(virtq_write(&f->chain, 0, bytes, 70), 70);
	virtq_push(&f->q, 0, 70);
	assert_int_equal(f->used->idx, 3);
}

/* Row 11: what the device reads after what it writes. */
static void wrong_order(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, DATA, 4, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	describe(f, 1, DATA, 4, 0, 0);
	is_dropped(f);
}

/* Row 12. */
static void indirect(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, DATA, 16, VRING_DESC_F_INDIRECT, 0);
	is_dropped(f);
	describe(f, 0, DATA, 4, VRING_DESC_F_NEXT, 1);
	describe(f, 1, DATA, 16, VRING_DESC_F_INDIRECT, 0);
	is_dropped(f);
}

/* Row 13. */
static void empty_buffers(void **state)
{
	struct fixture *f = *state;

	activated(f);
	describe(f, 0, UINT64_MAX, 0, VRING_DESC_F_NEXT, 1); /* an address nobody uses */
	describe(f, 1, DATA, 4, VRING_DESC_F_NEXT, 2);
	describe(f, 2, DATA, 0, VRING_DESC_F_WRITE, 0);
	offer(f, 0);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(f->chain.out_len, 4);
	assert_int_equal(f->chain.in_len, 0);
	assert_int_equal(virtq_write(&f->chain, 0, "x", 1), 0);
}

static void byte_by_byte(void **state)
{
	struct fixture *f = *state;
	char text[9] = "";

	activated(f);
	memcpy(at(f, DATA), "12345678", 8);
	for (uint16_t i = 0; i < 8; i++)
		describe(f, i, DATA + i, 1, i < 7 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	offer(f, 0);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(virtq_read(&f->chain, 0, text, 8), 8);
	assert_string_equal(text, "12345678");
	assert_int_equal(virtq_read(&f->chain, 8, text, 8), 0);
	assert_int_equal(virtq_read(&f->chain, SIZE_MAX, text, 8), 0);
}

/* Row 14: never more pieces than a ring has descriptors, far below IOV_MAX. */
static void longest_chain(void **state)
{
	struct fixture *f = *state;

	f->setup.size = 256;
	activated(f);
	for (unsigned int i = 0; i < 256; i++)
		describe(f, (uint16_t)i, DATA, 1, i < 255 ? VRING_DESC_F_NEXT : 0,
			 (uint16_t)(i + 1));
	offer(f, 0);
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_int_equal(f->chain.n_out, 256);
}

static void interrupts_without_event_index(void **state)
{
	struct fixture *f = *state;

	activated(f);
	assert_false(virtq_wants_interrupt(&f->q));
	virtq_push(&f->q, 0, 0);
	assert_true(virtq_wants_interrupt(&f->q));
	assert_false(virtq_wants_interrupt(&f->q));
	f->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	virtq_push(&f->q, 0, 0);
	assert_false(virtq_wants_interrupt(&f->q));
	virtq_silence(&f->q);
	assert_int_equal(f->used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(virtq_listen(&f->q));
	assert_int_equal(f->used->flags, 0);
	offer(f, 0);
	assert_true(virtq_listen(&f->q));
}

static void interrupts_with_event_index(void **state)
{
	struct fixture *f = *state;
	uint16_t *used_event = &f->avail->ring[8];
	uint16_t *avail_event = (uint16_t *)(void *)&f->used->ring[8];

	assert_int_equal(activate(f, true), 0);
	*used_event = 1; /* after the second */
	virtq_push(&f->q, 0, 0);
	assert_false(virtq_wants_interrupt(&f->q));
	virtq_push(&f->q, 0, 0);
	assert_true(virtq_wants_interrupt(&f->q));
	describe(f, 0, DATA, 1, 0, 0);
	offer(f, 0);
	assert_true(virtq_listen(&f->q));
	assert_int_equal(virtq_pop(&f->q, &f->chain), 1);
	assert_false(virtq_listen(&f->q));
	assert_int_equal(*avail_event, 1);
}

static void a_queue_that_is_not_there(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(virtq_pop(&f->q, &f->chain), 0);
	virtq_push(&f->q, 0, 0);
	virtq_silence(&f->q);
	assert_false(virtq_listen(&f->q));
	assert_false(virtq_wants_interrupt(&f->q));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_request),
		TEST(indices_wrap),
		TEST(unpop),
		TEST(wrong_sizes),
		TEST(setup_changes_afterwards),
		TEST(wrong_addresses),
		TEST(available_index_out_of_reach),
		TEST(full_ring),
		TEST(head_outside_the_table),
		TEST(next_outside_the_table),
		TEST(loops),
		TEST(total_length_overflows),
		TEST(buffers_outside_the_memory),
		TEST(buffers_across_two_regions),
		TEST(writes_into_read_only_memory),
		TEST(buffer_over_the_ring),
		TEST(wrong_order),
		TEST(indirect),
		TEST(empty_buffers),
		TEST(byte_by_byte),
		TEST(longest_chain),
		TEST(interrupts_without_event_index),
		TEST(interrupts_with_event_index),
		TEST(a_queue_that_is_not_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
