/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of the I/O APIC, written by a guest that may write anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "microvm/ioapic.h"

#define SELECT 0x00
#define WINDOW 0x10
#define MASKED 0x10000u

struct fixture {
	struct ioapic ioapic;
	unsigned int changes;
};

static void changed(void *arg, const struct ioapic *ioapic)
{
	struct fixture *f = arg;

	assert_ptr_equal(ioapic, &f->ioapic);
	f->changes++;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	ioapic_init(&f->ioapic, changed, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	ioapic_release(&f->ioapic);
	free(f);
	return 0;
}

static void put32(struct fixture *f, uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	memcpy(data, &value, sizeof(data));
	ioapic_write(&f->ioapic, offset, data, sizeof(data));
}

static uint32_t get32(struct fixture *f, uint64_t offset)
{
	uint8_t data[4];
	uint32_t value;

	ioapic_read(&f->ioapic, offset, data, sizeof(data));
	memcpy(&value, data, sizeof(value));
	return value;
}

static uint32_t get_register(struct fixture *f, uint32_t n)
{
	put32(f, SELECT, n);
	return get32(f, WINDOW);
}

static void put_register(struct fixture *f, uint32_t n, uint32_t value)
{
	put32(f, SELECT, n);
	put32(f, WINDOW, value);
}

static void put_pin(struct fixture *f, unsigned int pin, uint32_t high, uint32_t low)
{
	put_register(f, 0x11 + 2 * pin, high);
	put_register(f, 0x10 + 2 * pin, low);
}

static void at_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get_register(f, 0), 0);
	assert_int_equal(get_register(f, 1), 0x170011); /* version 0x11, 24 pins */
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		assert_int_equal(get_register(f, 0x10 + 2 * pin), MASKED);
		assert_int_equal(get_register(f, 0x11 + 2 * pin), 0);
		assert_false(ioapic_message(&f->ioapic, pin).wanted);
	}
	assert_int_equal(f->changes, 0);
}

static void identity(void **state)
{
	struct fixture *f = *state;

	put_register(f, 0, 0xffffffff);
	assert_int_equal(get_register(f, 0), 0xf000000);
	assert_int_equal(get_register(f, 2), 0xf000000);
	put_register(f, 1, 0xffffffff); /* read-only */
	put_register(f, 2, 0);
	assert_int_equal(get_register(f, 1), 0x170011);
	assert_int_equal(get_register(f, 2), 0xf000000);
	assert_int_equal(f->changes, 0);
}

static void message(void **state)
{
	static const struct {
		uint32_t high, low, address, data;
	} cases[] = {
		{0x00000000, 0x0041, 0xfee00000, 0x41},
		{0x1f000000, 0x0010, 0xfee1f000, 0x10},
		{0xff000000, 0x09ff, 0xfeeff004, 0x1ff}, /* logical, lowest priority */
		{0x03000000, 0xa020, 0xfee03000,
		 0x20}, /* a level, active low: an edge all the same */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ioapic_message m;

		put_pin(f, 7, cases[i].high, cases[i].low);
		m = ioapic_message(&f->ioapic, 7);
		assert_true(m.wanted);
		assert_int_equal(m.address, cases[i].address);
		assert_int_equal(m.data, cases[i].data);
	}
	put_pin(f, 7, 0, MASKED | 0x41);
	assert_false(ioapic_message(&f->ioapic, 7).wanted);
}

/* Neither an exception's vector nor an SMI, NMI, INIT or a PIC. */
static void messages_that_there_are_not(void **state)
{
	struct fixture *f = *state;

	for (uint32_t vector = 0; vector < 16; vector++) {
		put_pin(f, 3, 0, vector);
		assert_false(ioapic_message(&f->ioapic, 3).wanted);
	}
	for (uint32_t mode = 2; mode < 8; mode++) {
		put_pin(f, 3, 0, mode << 8 | 0x41);
		assert_false(ioapic_message(&f->ioapic, 3).wanted);
	}
	assert_int_equal(f->changes, 0);
}

/* A change that an edge would notice is told, and no other: each is work for the host. */
static void changes(void **state)
{
	struct fixture *f = *state;

	put_pin(f, 5, 0x2000000, MASKED | 0x41);
	assert_int_equal(f->changes, 0);
	put_register(f, 0x1a, 0x41);
	assert_int_equal(f->changes, 1);
	put_pin(f, 5, 0x2000000, 0x41);
	put_register(f, 0x1a, 0x2041); /* the polarity */
	assert_int_equal(f->changes, 1);
	put_register(f, 0x1b, 0x3000000);
	assert_int_equal(f->changes, 2);
	put_register(f, 0x1a, MASKED | 0x41);
	assert_int_equal(f->changes, 3);
	assert_false(ioapic_message(&f->ioapic, 5).wanted);
}

static void fixed_bits(void **state)
{
	struct fixture *f = *state;

	put_pin(f, 23, 0xffffffff, 0xffffffff);
	assert_int_equal(get_register(f, 0x10 + 2 * 23),
			 0x1afff); /* nothing pending, no Remote IRR */
	assert_int_equal(get_register(f, 0x11 + 2 * 23), 0xff000000);
}

static void registers_that_there_are_not(void **state)
{
	struct fixture *f = *state;
	struct ioapic before;

	f->ioapic.n_pins = 6;
	assert_int_equal(get_register(f, 1), 0x50011);
	before = f->ioapic;
	for (uint32_t n = 0; n < 0x300; n++) {
		uint32_t at = n & 0xff;

		if (at == 0 || (at >= 0x10 && at < 0x10 + 2 * 6))
			continue;
		put_register(f, n, 0x41);
		assert_memory_equal(f->ioapic.pins, before.pins, sizeof(before.pins));
		assert_int_equal(get_register(f, n), at == 1 ? 0x50011 : 0);
	}
	assert_int_equal(f->ioapic.id, 0);
	assert_int_equal(f->changes, 0);
}

/* Other widths and places read as zero and write nothing. */
static void odd_accesses(void **state)
{
	static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
	struct fixture *f = *state;
	uint8_t data[8];

	put_register(f, 0x1a, MASKED | 0x41);
	for (uint64_t offset = 0; offset < IOAPIC_SIZE; offset++) {
		for (uint32_t len = 1; len <= 8; len++) {
			if (len == 4 && (offset == SELECT || offset == WINDOW))
				continue;
			ioapic_write(&f->ioapic, offset, ones, len);
			memcpy(data, ones, sizeof(data));
			ioapic_read(&f->ioapic, offset, data, len);
			for (uint32_t i = 0; i < 8; i++)
				assert_int_equal(data[i], i < len ? 0 : 255);
		}
	}
	assert_int_equal(get32(f, SELECT), 0x1a);
	assert_int_equal(get32(f, WINDOW), MASKED | 0x41);
	put32(f, SELECT, 0xffffff1a); /* the rest of it is reserved */
	assert_int_equal(get32(f, SELECT), 0x1a);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(at_first),
		TEST(identity),
		TEST(message),
		TEST(messages_that_there_are_not),
		TEST(changes),
		TEST(fixed_bits),
		TEST(registers_that_there_are_not),
		TEST(odd_accesses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
