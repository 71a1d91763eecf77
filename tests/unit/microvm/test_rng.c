/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entropy: requests of all sizes, the largest cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "microvm/virtio/rng.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define DATA 0x200000u
#define MAX  (64u << 10)

static struct fake f;

static int set_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	fake_setup(&f);
	if (virtio_rng_new(&f.host, &f.d, &e))
		fail_msg("%s", e.msg);
	fake_start(&f, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_teardown(&f);
	return 0;
}

static uint32_t ask(const struct fake_buf *bufs, unsigned int n)
{
	uint16_t head;
	uint32_t len = 0;

	fake_add(&f, 0, 0, bufs, n);
	fake_write(&f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	fake_turns(&f, 2);
	assert_true(fake_used(&f, 0, &head, &len));
	return len;
}

/* At least an eighth of len bytes are not zero, and the ones behind are. */
static void is_filled(uint32_t gpa, uint32_t len)
{
	uint32_t set = 0;

	for (uint32_t i = 0; i < len; i++)
		set += *fake_at(&f, gpa + i) != 0;
	assert_true(set > len / 8);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(*fake_at(&f, gpa + len + i), 0);
}

static void fills_buffers(void **state)
{
	const struct fake_buf bufs[] = {
		{DATA, 1000, true}, {DATA + 0x1000, 0, true}, {DATA + 0x2000, 64, true}};
	uint8_t before[64];

	(void)state;
	assert_int_equal(ask(bufs, 3), 1064);
	is_filled(DATA, 1000);
	is_filled(DATA + 0x2000, 64);
	memcpy(before, fake_at(&f, DATA), sizeof(before));
	assert_int_equal(ask(bufs, 1), 1000);
	assert_memory_not_equal(before, fake_at(&f, DATA), sizeof(before));
	assert_true(f.interrupts > 0);
}

static void four_gigabytes(void **state)
{
	struct fake_buf bufs[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct fake_buf){DATA, 29u << 20, true};
	assert_int_equal(ask(bufs, ARRAY_SIZE(bufs)), MAX);
	is_filled(DATA, MAX);
}

static void nothing_to_fill(void **state)
{
	const struct fake_buf out = {DATA, 100, false}, empty = {DATA, 0, true};

	(void)state;
	assert_int_equal(ask(&out, 1), 0);
	assert_int_equal(ask(&empty, 1), 0);
	assert_int_equal(*fake_at(&f, DATA), 0);
}

/* Over the ring itself: the answers go on, whatever they say. */
static void fills_its_own_ring(void **state)
{
	const struct fake_buf ring = {FAKE_RINGS, 0xc000, true};

	(void)state;
	fake_add(&f, 0, 0, &ring, 1);
	fake_kick(&f, 0);
	fake_turns(&f, 10);
	fake_reset(&f);
	fake_start(&f, 0);
	assert_int_equal(ask(&(struct fake_buf){DATA, 64, true}, 1), 64);
	is_filled(DATA, 64);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fills_buffers),
		TEST(four_gigabytes),
		TEST(nothing_to_fill),
		TEST(fills_its_own_ring),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
