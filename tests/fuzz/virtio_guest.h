/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest for the fuzzers of devices: the unit tests' fake driver, with commands read from
 * the fuzzer's input. What all devices have in common is here: any descriptors, any bytes anywhere in
 * memory, any register, and turns of the loop.
 */
#ifndef HULL_TESTS_FUZZ_VIRTIO_GUEST_H
#define HULL_TESTS_FUZZ_VIRTIO_GUEST_H

#include <stdlib.h>

#define fail_msg(...)          abort()
#define assert_int_equal(a, b) ((a) == (b) ? (void)0 : abort())

#include "tests/unit/microvm/fake.h"

struct input {
	const uint8_t *data;
	size_t size;
};

static inline uint64_t take(struct input *in, size_t bytes)
{
	uint64_t v = 0;

	for (; bytes && in->size; bytes--, in->size--)
		v = v << 8 | *in->data++;
	return v;
}

/* A chain of up to 8 descriptors, of any address, length, flags and next. */
static inline void guest_chain(struct fake *f, struct input *in)
{
	unsigned int q = (unsigned int)take(in, 1) % f->d->n_queues;
	struct fake_queue *r = &f->queues[q];
	uint16_t head = (uint16_t)take(in, 1), n = (uint16_t)take(in, 1) % 8 + 1;

	for (uint16_t i = 0; i < n; i++) {
		uint8_t how = (uint8_t)take(in, 1);

		r->desc[(head + i) % FAKE_SIZE] = (struct vring_desc){
			.addr = how & 0x80 ? take(in, 8) : take(in, 3) % FAKE_RAM,
			.len = (uint32_t)take(in, how & 0x40 ? 4 : 2),
			.flags = how & 7,
			.next = (uint16_t)(how & 0x20 ? take(in, 2) : head + i + 1u),
		};
	}
	r->avail->ring[r->avail->idx % FAKE_SIZE] = head;
	r->avail->idx++;
}

/* Runs one command of those that every device has. */
static inline void guest_act(struct fake *f, struct input *in, unsigned int command)
{
	struct fake_buf b;
	uint64_t at;
	uint16_t by;

	switch (command % 9) {
	case 0:
		guest_chain(f, in);
		break;
	case 1:
		fake_kick(f, (unsigned int)take(in, 1) % f->d->n_queues);
		break;
	case 2: /* an ordinary buffer, for the device to fill or to read */
		at = take(in, 1);
		b = (struct fake_buf){0x100000 + at * 0x1000, (uint32_t)take(in, 2),
				      take(in, 1) & 1};
		fake_add(f, (unsigned int)take(in, 1) % f->d->n_queues, (uint16_t)at, &b, 1);
		break;
	case 3: /* bytes of memory, rings included */
		at = take(in, 3) % (FAKE_RAM - 16);
		for (size_t n = take(in, 1) % 16; n; n--)
			*fake_at(f, at++) = (uint8_t)take(in, 1);
		break;
	case 4:
		at = take(in, 1);
		fake_write(f, at * 4, (uint32_t)take(in, 4));
		break;
	case 5:
		(void)fake_read(f, take(in, 2) % VIRTIO_MMIO_SIZE);
		break;
	case 6:
		fake_write(f, VIRTIO_MMIO_STATUS, 0);
		fake_start(f, take(in, 8) & f->d->offered);
		break;
	case 7: /* the newest request again and again, or an index out of reach */
		by = (uint16_t)(take(in, 2) % 300);
		f->queues[take(in, 1) % f->d->n_queues].avail->idx += by;
		break;
	default:
		fake_turns(f, 1 + (unsigned int)take(in, 1) % 4);
		break;
	}
}

#endif
