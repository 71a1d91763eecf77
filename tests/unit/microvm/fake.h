/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver for devices under test, in the device's own process: guest memory is a plain mapping,
 * rings are written by hand, so that a test can be as rude as any guest. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_MICROVM_FAKE_H
#define HULL_TESTS_UNIT_MICROVM_FAKE_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/loop.h"
#include "microvm/memory.h"
#include "microvm/virtio/device.h"

#define FAKE_RAM   (32u << 20)
#define FAKE_SIZE  256
#define FAKE_RINGS 0x10000u /* a ring's three parts, a queue; the rest of RAM is the test's */

struct fake_queue {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_used;
};

struct fake {
	struct guest_memory memory;
	struct loop *loop;
	struct virtio_host host;
	struct virtio_device *d;
	struct fake_queue queues[VIRTIO_QUEUES_MAX];
	unsigned int interrupts;
};

struct fake_buf {
	uint64_t gpa;
	uint32_t len;
	bool write; /* by the device */
};

static inline void fake_interrupt(void *arg)
{
	((struct fake *)arg)->interrupts++;
}

static inline void fake_setup(struct fake *f)
{
	struct guest_memory_config config = {.size = FAKE_RAM};
	struct err err = ERR_INIT;

	*f = (struct fake){0};
	if (guest_memory_new(&config, &f->memory, &err) || loop_new(&f->loop, &err))
		fail_msg("%s", err.msg);
	f->host = (struct virtio_host){
		.memory = &f->memory,
		.loop = f->loop,
		.interrupt = fake_interrupt,
		.arg = f,
	};
}

static inline uint8_t *fake_at(struct fake *f, uint64_t gpa)
{
	return f->memory.regions[0].host + gpa;
}

static inline void fake_turns(struct fake *f, unsigned int n)
{
	struct err err = ERR_INIT;

	while (n--)
		if (loop_turn(f->loop, 0, &err))
			fail_msg("%s", err.msg);
}

static inline void fake_write(struct fake *f, uint64_t reg, uint32_t value)
{
	virtio_mmio_write(f->d, reg, (const uint8_t *)&value, sizeof(value));
}

static inline uint32_t fake_read(struct fake *f, uint64_t reg)
{
	uint32_t value = 0;

	virtio_mmio_read(f->d, reg, (uint8_t *)&value, sizeof(value));
	return value;
}

static inline void fake_write_pair(struct fake *f, uint64_t low, uint64_t value)
{
	fake_write(f, low, (uint32_t)value);
	fake_write(f, low + 4, (uint32_t)(value >> 32));
}

static inline void fake_make_queue(struct fake *f, unsigned int q)
{
	uint64_t at = FAKE_RINGS * (q + 1ull);

	memset(fake_at(f, at), 0, FAKE_RINGS);
	f->queues[q] = (struct fake_queue){
		.desc = (struct vring_desc *)(void *)fake_at(f, at),
		.avail = (struct vring_avail *)(void *)fake_at(f, at + 0x4000),
		.used = (struct vring_used *)(void *)fake_at(f, at + 0x8000),
	};
	fake_write(f, VIRTIO_MMIO_QUEUE_SEL, q);
	fake_write(f, VIRTIO_MMIO_QUEUE_NUM, FAKE_SIZE);
	fake_write_pair(f, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	fake_write_pair(f, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 0x4000);
	fake_write_pair(f, VIRTIO_MMIO_QUEUE_USED_LOW, at + 0x8000);
	fake_write(f, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* The driver's side of a start: features taken, queues made, DRIVER_OK. */
static inline void fake_start(struct fake *f, uint64_t features)
{
	uint32_t status = 0;

	features |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX;
	fake_write(f, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_ACKNOWLEDGE);
	fake_write(f, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		fake_write(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		fake_write(f, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * i)));
	}
	fake_write(f, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned int i = 0; i < f->d->n_queues; i++)
		fake_make_queue(f, i);
	fake_write(f, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(fake_read(f, VIRTIO_MMIO_STATUS), status);
}

static inline void fake_reset(struct fake *f)
{
	fake_write(f, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(fake_read(f, VIRTIO_MMIO_STATUS), 0);
}

/* Has queue q served, as its notification would. */
static inline void fake_kick(struct fake *f, unsigned int q)
{
	pthread_mutex_lock(&f->d->lock);
	f->d->ops->serve(f->d, q);
	pthread_mutex_unlock(&f->d->lock);
}

/* Makes a request of n buffers in the descriptors from head on, without a notification. */
static inline void fake_add(struct fake *f, unsigned int q, uint16_t head,
			    const struct fake_buf *bufs, unsigned int n)
{
	struct fake_queue *r = &f->queues[q];
	uint16_t idx = r->avail->idx;

	for (unsigned int i = 0; i < n; i++)
		r->desc[head + i] = (struct vring_desc){
			.addr = bufs[i].gpa,
			.len = bufs[i].len,
			.flags = (uint16_t)((bufs[i].write ? VRING_DESC_F_WRITE : 0) |
					    (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
			.next = (uint16_t)(head + i + 1),
		};
	r->avail->ring[idx % FAKE_SIZE] = head;
	__atomic_store_n(&r->avail->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
}

/* The next request that the device gave back; false: none. */
static inline bool fake_used(struct fake *f, unsigned int q, uint16_t *ret_head, uint32_t *ret_len)
{
	struct fake_queue *r = &f->queues[q];

	if (r->last_used == __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE))
		return false;
	*ret_head = (uint16_t)r->used->ring[r->last_used % FAKE_SIZE].id;
	*ret_len = r->used->ring[r->last_used++ % FAKE_SIZE].len;
	return true;
}

static inline void fake_teardown(struct fake *f)
{
	virtio_destroy(f->d);
	loop_free(f->loop);
	guest_memory_free(&f->memory);
}

#endif
