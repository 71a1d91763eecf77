/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device's registers under a driver that behaves, and under one that does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/microvm/fake.h"

#define RESET       0u
#define ACK         1u
#define DRIVER      2u
#define DRIVER_OK   4u
#define FEATURES_OK 8u
#define NEEDS_RESET 0x40u
#define FAILED      0x80u

#define CONFIG 0x100

struct device { /* counts what it is told */
	struct virtio_device d;
	uint8_t config[12];
	unsigned int activations, resets, services, config_writes;
	int activate_rc;
};

static int device_activate(struct virtio_device *d, struct err *err)
{
	struct device *me = (struct device *)d;

	me->activations++;
	return me->activate_rc ? err_set(err, EIO, "does not want to") : 0;
}

static void device_reset(struct virtio_device *d)
{
	((struct device *)d)->resets++;
}

static void device_serve(struct virtio_device *d, unsigned int q)
{
	struct device *me = (struct device *)d;
	struct virtq_chain c;

	me->services++;
	while (virtq_pop(&d->queues[q], &c) == 1)
		virtq_push(&d->queues[q], c.head, 7);
	virtio_interrupt_queue(d, q);
}

static void device_config_written(struct virtio_device *d, uint32_t offset, uint32_t len)
{
	(void)offset;
	(void)len;
	((struct device *)d)->config_writes++;
}

static const struct virtio_ops ops = {
	.name = "test",
	.activate = device_activate,
	.reset = device_reset,
	.serve = device_serve,
	.config_written = device_config_written,
};

static struct fake f;
static struct device me;

static int set_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	fake_setup(&f);
	me = (struct device){
		.config = "configurati",
		.d = {.ops = &ops, .id = 42, .offered = 0x5, .n_queues = 2, .config_size = 12},
	};
	me.d.config = me.config;
	me.d.config_writable = true;
	f.d = &me.d;
	assert_int_equal(virtio_init(&me.d, &f.host, &e), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_teardown(&f);
	return 0;
}

static uint32_t get(uint64_t offset)
{
	uint32_t v = 0xdeadbeef;

	virtio_mmio_read(&me.d, offset, (uint8_t *)&v, 4);
	return v;
}

static void set(uint64_t offset, uint32_t v)
{
	virtio_mmio_write(&me.d, offset, (const uint8_t *)&v, 4);
}

static uint32_t status(uint32_t v)
{
	set(0x70, v);
	return get(0x70);
}

static void choose_features(uint64_t features)
{
	set(0x24, 0);
	set(0x20, (uint32_t)features);
	set(0x24, 1);
	set(0x20, (uint32_t)(features >> 32));
}

static void set_queue(uint32_t q, uint64_t at, uint32_t size)
{
	set(0x30, q);
	set(0x38, size);
	set(0x80, (uint32_t)at);
	set(0x84, (uint32_t)(at >> 32));
	set(0x90, (uint32_t)at + 0x4000);
	set(0x94, (uint32_t)(at >> 32));
	set(0xa0, (uint32_t)at + 0x8000);
	set(0xa4, (uint32_t)(at >> 32));
	set(0x44, 1);
}

/* Up to FEATURES_OK. */
static void negotiate(void)
{
	assert_int_equal(status(ACK), ACK);
	assert_int_equal(status(ACK | DRIVER), ACK | DRIVER);
	choose_features(1ull << 32 | 1);
	assert_int_equal(status(ACK | DRIVER | FEATURES_OK), ACK | DRIVER | FEATURES_OK);
}

#define RUNNING (ACK | DRIVER | FEATURES_OK | DRIVER_OK)

static void start(void)
{
	negotiate();
	set_queue(0, 0x10000, 8);
	set_queue(1, 0x20000, 8);
	f.queues[0] = (struct fake_queue){
		.desc = (void *)fake_at(&f, 0x10000),
		.avail = (void *)fake_at(&f, 0x14000),
		.used = (void *)fake_at(&f, 0x18000),
	};
	assert_int_equal(status(RUNNING), RUNNING);
}

static void identity(void **state)
{
	(void)state;
	assert_int_equal(get(0x00), 0x74726976);
	assert_int_equal(get(0x04), 2);
	assert_int_equal(get(0x08), 42);
	set(0x14, 0);
	assert_int_equal(get(0x10), 0x20000005); /* and EVENT_IDX */
	set(0x14, 1);
	assert_int_equal(get(0x10), 1); /* VERSION_1 */
	set(0x14, 2);
	assert_int_equal(get(0x10), 0);
	set(0x14, 0xffffffff);
	assert_int_equal(get(0x10), 0);
	assert_int_equal(get(0x34), 256);
	assert_int_equal(get(0xb0), 0xffffffff); /* no shared memory */
}

static void a_whole_life(void **state)
{
	const struct fake_buf buf = {0x100000, 16, true};
	uint16_t head;
	uint32_t len;

	(void)state;
	start();
	assert_int_equal(me.activations, 1);
	assert_int_equal(me.d.features, 1ull << 32 | 1);
	fake_turns(&f, 1); /* queues are looked at once without being asked */
	assert_int_equal(me.services, 2);
	fake_add(&f, 0, 0, &buf, 1);
	assert_int_equal(write(me.d.notify_fds[0], "\1\0\0\0\0\0\0", 8), 8);
	fake_turns(&f, 1);
	assert_int_equal(me.services, 3);
	assert_true(fake_used(&f, 0, &head, &len));
	assert_int_equal(len, 7);
	assert_int_equal(f.interrupts, 1);
	assert_int_equal(get(0x60), 1);
	set(0x64, 1);
	assert_int_equal(get(0x60), 1); /* of used buffers it always tells */
	assert_int_equal(status(RESET), 0);
	assert_int_equal(me.resets, 1);
	assert_false(me.d.queues[0].active);
	assert_int_equal(get(0x44), 0);
	start();
	assert_int_equal(me.activations, 2);
}

static void features_that_are_not_offered(void **state)
{
	(void)state;
	status(ACK);
	status(ACK | DRIVER);
	choose_features(1ull << 32 | 2);
	assert_int_equal(status(ACK | DRIVER | FEATURES_OK), ACK | DRIVER);
	choose_features(1); /* no VERSION_1 */
	assert_int_equal(status(ACK | DRIVER | FEATURES_OK), ACK | DRIVER);
	choose_features(1ull << 32);
	assert_int_equal(status(ACK | DRIVER | FEATURES_OK), ACK | DRIVER | FEATURES_OK);
}

static void features_at_the_wrong_time(void **state)
{
	(void)state;
	choose_features(~0ull);
	negotiate();
	choose_features(0);
	set_queue(0, 0x10000, 8);
	status(RUNNING);
	choose_features(0);
	assert_int_equal(me.d.features, 1ull << 32 | 1);
}

/* Row 17: only the next step counts. */
static void status_jumps(void **state)
{
	static const uint32_t jumps[] = {DRIVER,  DRIVER_OK,       FEATURES_OK, ACK | DRIVER,
					 RUNNING, ACK | DRIVER_OK, 0x20,        0xffffff00};

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		if (jumps[i] & FAILED)
			continue;
		assert_int_equal(status(jumps[i]), 0);
	}
	status(ACK);
	assert_int_equal(status(RUNNING), ACK);
	status(ACK | DRIVER);
	assert_int_equal(status(ACK | DRIVER | DRIVER_OK), ACK | DRIVER);
	assert_int_equal(status(ACK), ACK | DRIVER); /* bits are not taken back */
	assert_int_equal(me.activations, 0);
}

static void status_taken_back_while_running(void **state)
{
	(void)state;
	start();
	assert_int_equal(status(ACK | DRIVER | FEATURES_OK), RUNNING);
	assert_int_equal(status(RUNNING), RUNNING);
	assert_int_equal(me.activations, 1);
	assert_int_equal(me.resets, 0);
}

static void the_driver_gives_up(void **state)
{
	(void)state;
	start();
	assert_int_equal(status(RUNNING | FAILED), RUNNING | FAILED);
	assert_int_equal(status(RESET), 0);
	assert_int_equal(me.resets, 1);
}

/* Row 2. */
static void queue_registers_while_running(void **state)
{
	(void)state;
	start();
	set(0x30, 0);
	set(0x38, 65535);
	set(0x80, 0xfffffff0);
	set(0x84, 0xffffffff);
	set(0x44, 0);
	assert_int_equal(get(0x44), 1);
	assert_int_equal(me.d.setup[0].size, 8);
	assert_int_equal(me.d.setup[0].desc, 0x10000);
	assert_int_equal(me.d.queues[0].size, 8);
}

/* Row 3. */
static void a_queue_that_is_not_there(void **state)
{
	static const uint32_t which[] = {2, 7, 8, 255, 0x7fffffff, 0xffffffff};

	(void)state;
	negotiate();
	for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		set_queue(which[i], 0x10000, 8);
		assert_int_equal(get(0x34), 0);
		assert_int_equal(get(0x44), 0);
	}
	for (unsigned int q = 0; q < VIRTIO_QUEUES_MAX; q++)
		assert_false(me.d.setup[q].ready);
}

/* Row 1 and 4, as a driver does it: no activation, but a device that says so. */
static void broken_queue(void **state)
{
	(void)state;
	negotiate();
	set_queue(0, 0x10000, 7);
	assert_int_equal(status(RUNNING), RUNNING | NEEDS_RESET);
	assert_int_equal(me.activations, 0);
	assert_int_equal(get(0x60), 3);
	assert_true(f.interrupts > 0);
	assert_int_equal(write(me.d.notify_fds[0], "\1\0\0\0\0\0\0", 8), 8);
	fake_turns(&f, 2);
	assert_int_equal(me.services, 0);
	assert_int_equal(status(RESET), 0);
	start();
	assert_int_equal(me.activations, 1);
}

static void device_that_does_not_start(void **state)
{
	(void)state;
	me.activate_rc = -EIO;
	negotiate();
	assert_int_equal(status(RUNNING), RUNNING | NEEDS_RESET);
	assert_false(me.d.active);
	assert_int_equal(status(RESET), 0);
	assert_int_equal(me.resets, 0); /* what did not start is not ended */
}

static void queues_that_the_driver_leaves_out(void **state)
{
	(void)state;
	negotiate();
	set_queue(1, 0x20000, 8);
	assert_int_equal(status(RUNNING), RUNNING);
	assert_false(me.d.queues[0].active);
	assert_true(me.d.queues[1].active);
	fake_turns(&f, 2);
}

/* Row 15. */
static void odd_accesses(void **state)
{
	uint8_t data[8];

	(void)state;
	for (uint32_t len = 1; len <= 8; len++) {
		for (uint64_t offset = 0; offset < CONFIG + 4; offset++) {
			if (len == 4 && offset % 4 == 0)
				continue;
			memset(data, 0xff, sizeof(data));
			virtio_mmio_write(&me.d, offset, data, len);
			if (offset >= CONFIG)
				continue;
			virtio_mmio_read(&me.d, offset, data, len);
			for (uint32_t i = 0; i < len; i++)
				assert_int_equal(data[i], 0);
		}
	}
	assert_int_equal(get(0x70), 0);
	assert_int_equal(me.d.queue_sel, 0);
}

static void every_register_written(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (uint64_t offset = 0; offset < VIRTIO_MMIO_SIZE; offset += 4) {
			if (offset != 0x70) {
				set(offset, 0xffffffff);
				(void)get(offset);
			}
		}
		if (round == 0)
			status(ACK);
		else if (round == 1)
			status(ACK | DRIVER);
	}
	assert_int_equal(me.activations, 0);
	assert_int_equal(status(RESET), 0);
	start();
}

/* Row 16. */
static void config_space(void **state)
{
	uint8_t data[16];

	(void)state;
	virtio_mmio_read(&me.d, CONFIG, data, 12);
	assert_memory_equal(data, "configurati", 12);
	virtio_mmio_read(&me.d, CONFIG + 3, data, 1);
	assert_int_equal(data[0], 'f');
	memset(data, 0xff, sizeof(data));
	virtio_mmio_read(&me.d, CONFIG + 10, data, 4); /* half of it is past the end */
	assert_memory_equal(data, "\0\0\0\0", 4);
	virtio_mmio_read(&me.d, CONFIG + 12, data, 1);
	assert_int_equal(data[0], 0);
	virtio_mmio_read(&me.d, 0xffc, data, 8);
	assert_memory_equal(data, "\0\0\0\0\0\0\0", 8);
	virtio_mmio_read(&me.d, UINT64_MAX - 1, data, 4);
	assert_memory_equal(data, "\0\0\0\0", 4);
	virtio_mmio_write(&me.d, CONFIG, (const uint8_t *)"XXXX", 4); /* before DRIVER */
	assert_int_equal(me.config_writes, 0);
	negotiate();
	virtio_mmio_write(&me.d, CONFIG + 10, (const uint8_t *)"XXXX", 4);
	virtio_mmio_write(&me.d, CONFIG + 12, (const uint8_t *)"X", 1);
	virtio_mmio_write(&me.d, UINT64_MAX, (const uint8_t *)"XXXX", 4);
	assert_int_equal(me.config_writes, 0);
	assert_memory_equal(me.config, "configurati", 12);
	virtio_mmio_write(&me.d, CONFIG + 8, (const uint8_t *)"XXXX", 4);
	assert_int_equal(me.config_writes, 1);
	assert_memory_equal(me.config, "configurXXXX", 12);
	me.d.config_writable = false;
	virtio_mmio_write(&me.d, CONFIG, (const uint8_t *)"YYYY", 4);
	assert_int_equal(me.config_writes, 1);
}

static void config_changes(void **state)
{
	uint32_t before = get(0xfc);

	(void)state;
	start();
	pthread_mutex_lock(&me.d.lock);
	virtio_config_changed(&me.d);
	pthread_mutex_unlock(&me.d.lock);
	assert_int_not_equal(get(0xfc), before);
	assert_int_equal(get(0x60), 3);
	set(0x64, 2);
	assert_int_equal(get(0x60), 1);
}

/* Row 17: a reset between a request and its service. */
static void reset_with_a_notification_under_way(void **state)
{
	const struct fake_buf buf = {0x100000, 16, true};

	(void)state;
	start();
	fake_turns(&f, 1);
	fake_add(&f, 0, 0, &buf, 1);
	assert_int_equal(write(me.d.notify_fds[0], "\1\0\0\0\0\0\0", 8), 8);
	me.services = 0;
	assert_int_equal(status(RESET), 0);
	fake_turns(&f, 2);
	assert_int_equal(me.services, 0);
	assert_int_equal(f.queues[0].used->idx, 0);
}

/* Row 18: a storm is one service a round. */
static void notify_storm(void **state)
{
	(void)state;
	start();
	fake_turns(&f, 1);
	me.services = 0;
	for (int i = 0; i < 10000; i++)
		assert_int_equal(write(me.d.notify_fds[0], "\1\0\0\0\0\0\0", 8), 8);
	fake_turns(&f, 1);
	assert_int_equal(me.services, 1);
	fake_turns(&f, 3);
	assert_int_equal(me.services, 1);
}

static void notified_before_it_is_ready(void **state)
{
	(void)state;
	assert_int_equal(write(me.d.notify_fds[0], "\1\0\0\0\0\0\0", 8), 8);
	fake_turns(&f, 2);
	assert_int_equal(me.services, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(a_whole_life),
		TEST(features_that_are_not_offered),
		TEST(features_at_the_wrong_time),
		TEST(status_jumps),
		TEST(status_taken_back_while_running),
		TEST(the_driver_gives_up),
		TEST(queue_registers_while_running),
		TEST(a_queue_that_is_not_there),
		TEST(broken_queue),
		TEST(device_that_does_not_start),
		TEST(queues_that_the_driver_leaves_out),
		TEST(odd_accesses),
		TEST(every_register_written),
		TEST(config_space),
		TEST(config_changes),
		TEST(reset_with_a_notification_under_way),
		TEST(notify_storm),
		TEST(notified_before_it_is_ready),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
