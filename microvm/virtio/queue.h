/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A split virtqueue, the device's side (virtio 1.2, 2.7). Everything in it is written by a hostile
 * guest: addresses are resolved once, at activation; a descriptor is copied before it is looked at;
 * what the driver says afterwards about size or addresses is ignored until reset.
 */
#ifndef HULL_MICROVM_VIRTIO_QUEUE_H
#define HULL_MICROVM_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "microvm/memory.h"

#define VIRTQ_SIZE_MAX 256

/* What the driver asks for through the transport; becomes effective by virtq_activate. */
struct virtq_setup {
	uint32_t size;
	bool ready;
	uint64_t desc, avail, used; /* guest physical addresses */
};

struct virtq {
	const struct guest_memory *memory;
	bool active, event_idx, broken;
	uint16_t size; /* a power of two */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail, next_used;
	uint16_t signalled; /* used index at the last virtq_wants_interrupt */
	uint64_t dropped;   /* chains refused */
};

/* One request: what the driver wrote for us (out) and where we answer (in), in this order. */
struct virtq_chain {
	uint16_t head;
	size_t n_out, n_in;
	struct iovec iov[VIRTQ_SIZE_MAX]; /* n_out of them, then n_in */
	size_t out_len, in_len;           /* bytes; their sum fits in 32 bits */
};

#define virtq_chain_in(c) ((c)->iov + (c)->n_out)

/*
 * Takes the driver's setup. -EINVAL: size not a power of two in 1..VIRTQ_SIZE_MAX, ring misaligned,
 * outside RAM, in two regions or overflowing.
 */
int virtq_activate(struct virtq *q, const struct virtq_setup *setup,
		   const struct guest_memory *memory, bool event_idx, struct err *err) MUST_CHECK;
void virtq_reset(struct virtq *q);

/* Where an active queue is, to go on from there in another process. */
struct virtq_place {
	uint16_t next_avail, next_used, signalled;
	bool broken;
};

struct virtq_place virtq_place(const struct virtq *q);
/* Of an active queue; any place will do, as a driver may write any index as well. */
void virtq_set_place(struct virtq *q, const struct virtq_place *place);

/*
 * The next request. 1: in *ret; 0: none; -EPROTO: the available index is out of reach, the queue is
 * broken from now on and the device wants a reset. A chain that is malformed (index, loop, length,
 * direction, address) is returned to the driver with length 0, counted in dropped, and skipped; after
 * a ring full of these, 0 (virtq_listen then tells that there is more).
 */
int virtq_pop(struct virtq *q, struct virtq_chain *ret) MUST_CHECK;

/* Puts the request last popped back; for a device that cannot serve it yet. */
void virtq_unpop(struct virtq *q);

/* Gives a request back with written bytes of answer. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);

/* Gives several back at once: a frame in many buffers, which the driver must not see in part. */
struct virtq_used_part {
	uint16_t head;
	uint32_t written;
};
void virtq_push_all(struct virtq *q, const struct virtq_used_part *parts, size_t n);

/* Is an interrupt due for what was pushed since the last call (VIRTIO_F_EVENT_IDX, NO_INTERRUPT)? */
bool virtq_wants_interrupt(struct virtq *q);

/*
 * Asks the driver to be silent, or to notify again; true from the latter: requests came meanwhile,
 * look again.
 */
void virtq_silence(struct virtq *q);
bool virtq_listen(struct virtq *q);

/* How many buffers the driver has made available so far, counted modulo 2^16. */
uint16_t virtq_available(const struct virtq *q);
/* Asks it to notify when it adds to those, whether or not they have been popped. */
void virtq_listen_for_more(struct virtq *q);

/* Copies between a chain's buffers and a flat one, from byte offset; the bytes copied, at most len. */
size_t virtq_read(const struct virtq_chain *c, size_t offset, void *to, size_t len);
size_t virtq_write(const struct virtq_chain *c, size_t offset, const void *from, size_t len);

#endif
