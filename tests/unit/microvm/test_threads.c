/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device between threads, as in a VM: one processor starts and resets it again and again with
 * requests in flight, another writes to any register, the I/O thread serves. Nothing may be left
 * over of it; built with SAN=thread it also shows what is touched without the lock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "microvm/virtio/blk.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define ROUNDS   300
#define REQUESTS 64
#define HEADER   0x100000u
#define DATA     0x200000u
#define STATUS   0x300000u
#define DISK     (1u << 20)

struct machine {
	struct fake f;
	pthread_t io;
	int wake_fd;
	struct loop_source *wake;
	/* a call to the I/O thread */
	pthread_mutex_t calls, lock;
	pthread_cond_t done;
	void (*fn)(void *fn_arg);
	void *fn_arg;
	bool stop;
	uint64_t interrupts;
};

static struct machine m;

/* ---- the I/O thread ---- */

static void signal_io(void)
{
	(void)!write(m.wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void on_wake(void *arg, uint32_t events)
{
	uint64_t count;

	(void)arg;
	(void)events;
	(void)!read(m.wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&m.lock);
	if (m.fn)
		m.fn(m.fn_arg);
	m.fn = NULL;
	if (m.stop)
		loop_stop(m.f.loop);
	pthread_cond_broadcast(&m.done);
	pthread_mutex_unlock(&m.lock);
}

static void call_io(void *run_arg, void (*fn)(void *fn_arg), void *fn_arg)
{
	(void)run_arg;
	pthread_mutex_lock(&m.calls);
	pthread_mutex_lock(&m.lock);
	m.fn = fn;
	m.fn_arg = fn_arg;
	signal_io();
	while (m.fn)
		pthread_cond_wait(&m.done, &m.lock);
	pthread_mutex_unlock(&m.lock);
	pthread_mutex_unlock(&m.calls);
}

static void *io_main(void *arg)
{
	(void)arg;
	return loop_run(m.f.loop, NULL) < 0 ? &m : NULL;
}

static void on_interrupt(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&m.interrupts, 1, __ATOMIC_RELAXED);
}

static int set_up(void **state)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	const struct blk_config config = {.disk = {.files = &fd, .n_files = 1}};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(ftruncate(fd, DISK), 0);
	m = (struct machine){.calls = PTHREAD_MUTEX_INITIALIZER,
			     .lock = PTHREAD_MUTEX_INITIALIZER,
			     .done = PTHREAD_COND_INITIALIZER};
	fake_setup(&m.f);
	m.f.host.run = call_io;
	m.f.host.interrupt = on_interrupt;
	assert_int_equal(virtio_blk_new(&m.f.host, &config, &m.f.d, &e), 0);
	m.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(loop_add(m.f.loop, m.wake_fd, EPOLLIN, on_wake, NULL, &m.wake, &e), 0);
	assert_int_equal(pthread_create(&m.io, NULL, io_main, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	void *failed;

	(void)state;
	pthread_mutex_lock(&m.lock);
	m.stop = true;
	pthread_mutex_unlock(&m.lock);
	signal_io();
	assert_int_equal(pthread_join(m.io, &failed), 0);
	assert_null(failed);
	loop_remove(m.wake);
	fake_teardown(&m.f);
	return close(m.wake_fd);
}

/* ---- processors ---- */

/* Reads of the disk's beginning; all that a guest writes to memory is written here, once. */
static void prepare_ring(void)
{
	const struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_IN};
	const struct fake_buf bufs[] = {{HEADER, 16, false}, {DATA, 4096, true}, {STATUS, 1, true}};

	memcpy(fake_at(&m.f, HEADER), &h, sizeof(h));
	fake_make_queue(&m.f, 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		fake_add(&m.f, 0, 0, bufs, 3);
}

static void offer(uint16_t n)
{
	__atomic_store_n(&m.f.queues[0].avail->idx, n, __ATOMIC_RELEASE);
}

static void start_device(void)
{
	const uint64_t at = FAKE_RINGS;
	struct fake *f = &m.f;

	offer(0);
	fake_write(f, VIRTIO_MMIO_STATUS, 1);
	fake_write(f, VIRTIO_MMIO_STATUS, 3);
	fake_write(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fake_write(f, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	fake_write(f, VIRTIO_MMIO_STATUS, 11);
	fake_write(f, VIRTIO_MMIO_QUEUE_SEL, 0);
	fake_write(f, VIRTIO_MMIO_QUEUE_NUM, FAKE_SIZE);
	fake_write_pair(f, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	fake_write_pair(f, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 0x4000);
	fake_write_pair(f, VIRTIO_MMIO_QUEUE_USED_LOW, at + 0x8000);
	fake_write(f, VIRTIO_MMIO_QUEUE_READY, 1);
	fake_write(f, VIRTIO_MMIO_STATUS, 15);
}

static void *starts_and_resets(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		start_device();
		offer(REQUESTS);
		fake_write(&m.f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		(void)fake_read(&m.f, VIRTIO_MMIO_INTERRUPT_STATUS);
		fake_write(&m.f, VIRTIO_MMIO_INTERRUPT_ACK, 3);
		if (i % 3)
			fake_write(&m.f, VIRTIO_MMIO_STATUS, 0);
	}
	return NULL;
}

static void *writes_anything(void *arg)
{
	uint32_t random = 12345;

	(void)arg;
	for (int i = 0; i < 20 * ROUNDS; i++) {
		random = random * 1664525 + 1013904223;
		if (random >> 30)
			(void)fake_read(&m.f, (random >> 16 & 0xff) * 4);
		else
			fake_write(&m.f, (random >> 16 & 0x3f) * 4, random >> 8 & 15);
	}
	return NULL;
}

/* In the end the device does what it is for. */
static void still_works(void)
{
	uint16_t used = 0;

	fake_write(&m.f, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(fake_read(&m.f, VIRTIO_MMIO_STATUS), 0);
	/* After the reset nobody but us has the rings. */
	m.f.queues[0].used->idx = 0;
	*fake_at(&m.f, STATUS) = 0xff;
	start_device();
	assert_int_equal(fake_read(&m.f, VIRTIO_MMIO_STATUS), 15);
	offer(REQUESTS);
	fake_write(&m.f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	for (int i = 0; i < 10000 && used != REQUESTS; i++) {
		used = __atomic_load_n(&m.f.queues[0].used->idx, __ATOMIC_ACQUIRE);
		(void)usleep(1000);
	}
	assert_int_equal(used, REQUESTS);
	assert_int_equal(*fake_at(&m.f, STATUS), VIRTIO_BLK_S_OK);
	fake_write(&m.f, VIRTIO_MMIO_STATUS, 0);
}

static void resets_with_requests_in_flight(void **state)
{
	(void)state;
	prepare_ring();
	(void)starts_and_resets(NULL);
	still_works();
	assert_true(m.interrupts > 0);
}

static void two_processors(void **state)
{
	pthread_t a, b;

	(void)state;
	prepare_ring();
	assert_int_equal(pthread_create(&a, NULL, starts_and_resets, NULL), 0);
	assert_int_equal(pthread_create(&b, NULL, writes_anything, NULL), 0);
	assert_int_equal(pthread_join(a, NULL), 0);
	assert_int_equal(pthread_join(b, NULL), 0);
	still_works();
}

/* No answer is written after the reset has returned, though the notifications were many. */
static void nothing_after_the_reset(void **state)
{
	(void)state;
	prepare_ring();
	for (int i = 0; i < ROUNDS; i++) {
		uint16_t used;

		start_device();
		offer(REQUESTS);
		for (int n = 0; n < 3; n++)
			fake_write(&m.f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		fake_write(&m.f, VIRTIO_MMIO_STATUS, 0);
		used = __atomic_load_n(&m.f.queues[0].used->idx, __ATOMIC_ACQUIRE);
		memset(fake_at(&m.f, DATA), 0x66, 4096);
		(void)usleep(200);
		assert_int_equal(m.f.queues[0].used->idx, used);
		for (uint32_t k = 0; k < 4096; k += 256)
			assert_int_equal(*fake_at(&m.f, DATA + k), 0x66);
	}
	still_works();
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(resets_with_requests_in_flight),
		TEST(two_processors),
		TEST(nothing_after_the_reset),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
