/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a split ring (virtio 1.2, 2.7). The barriers: what the available index covers
 * is read after the index, what the used index covers is written before it; between writing our index
 * and reading the driver's wish, and the other way round, lies a full fence, or both could go to
 * sleep. Indirect descriptors are not offered, so one that is marked so is malformed.
 */
#include "microvm/virtio/queue.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <string.h>

#define DESC_SIZE sizeof(struct vring_desc)

/* Ring fields are little-endian, as this host is; the other side changes them at any time. */
#define read_once(x)        __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define read_acquire(x)     __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define write_once(x, v)    __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define write_release(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)

/* VIRTIO_F_EVENT_IDX: each ring ends with the other's event index (virtio 1.2, 2.7.7 and 2.7.10). */
static uint16_t *used_event(const struct virtq *q)
{
	return &q->avail->ring[q->size];
}

static uint16_t *avail_event(const struct virtq *q)
{
	return (uint16_t *)(void *)&q->used->ring[q->size];
}

int virtq_activate(struct virtq *q, const struct virtq_setup *setup,
		   const struct guest_memory *memory, bool event_idx, struct err *err)
{
	uint64_t n = setup->size;

	virtq_reset(q);
	if (n == 0 || n > VIRTQ_SIZE_MAX || (n & (n - 1)))
		return err_set(err, EINVAL, "a queue of %u entries", setup->size);
	if (setup->desc % 16 || setup->avail % 2 || setup->used % 4)
		return err_set(err, EINVAL, "a queue that is not aligned");
	/* All in writable memory, even what is only read: pmem is no place for a ring. */
	q->desc = guest_at(memory, setup->desc, n * DESC_SIZE, true);
	/* Two more bytes each for the event indices, which the layout always has. */
	q->avail = guest_at(memory, setup->avail, 6 + 2 * n, true);
	q->used = guest_at(memory, setup->used, 6 + 8 * n, true);
	if (!q->desc || !q->avail || !q->used) {
		virtq_reset(q);
		return err_set(err, EINVAL, "a queue outside the guest's memory");
	}
	q->memory = memory;
	q->size = (uint16_t)n;
	q->event_idx = event_idx;
	q->active = true;
	return 0;
}

void virtq_reset(struct virtq *q)
{
	*q = (struct virtq){.dropped = q->dropped};
}

struct virtq_place virtq_place(const struct virtq *q)
{
	return (struct virtq_place){q->next_avail, q->next_used, q->signalled, q->broken};
}

void virtq_set_place(struct virtq *q, const struct virtq_place *place)
{
	q->next_avail = place->next_avail;
	q->next_used = place->next_used;
	q->signalled = place->signalled;
	q->broken = place->broken;
}

/* Adds one descriptor's buffer. False: the chain is malformed. */
static bool add_buffer(const struct virtq *q, const struct vring_desc *d, struct virtq_chain *c)
{
	bool in = d->flags & VRING_DESC_F_WRITE;
	size_t n = c->n_out + c->n_in;
	void *p;

	/* What the driver writes comes first (2.7.4.2). */
	if (n == VIRTQ_SIZE_MAX || (!in && c->n_in > 0))
		return false;
	if (c->out_len + c->in_len + d->len > UINT32_MAX)
		return false;
	if (d->len == 0)
		return true;
	p = guest_at(q->memory, d->addr, d->len, in);
	if (!p)
		return false;
	c->iov[n] = (struct iovec){p, d->len};
	if (in) {
		c->n_in++;
		c->in_len += d->len;
	} else {
		c->n_out++;
		c->out_len += d->len;
	}
	return true;
}

/* Follows a chain from head, at most as long as the ring. */
static bool collect(const struct virtq *q, uint16_t head, struct virtq_chain *c)
{
	uint16_t index = head;

	c->head = head;
	c->n_out = c->n_in = 0;
	c->out_len = c->in_len = 0;
	for (unsigned int i = 0; i < q->size; i++) {
		struct vring_desc d;

		if (index >= q->size)
			return false;
		/* Copied once: what was checked is what is used. */
		d.addr = read_once(q->desc[index].addr);
		d.len = read_once(q->desc[index].len);
		d.flags = read_once(q->desc[index].flags);
		d.next = read_once(q->desc[index].next);
		if (d.flags & VRING_DESC_F_INDIRECT) /* never offered */
			return false;
		if (!add_buffer(q, &d, c))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		index = d.next;
	}
	return false;
}

int virtq_pop(struct virtq *q, struct virtq_chain *ret)
{
	/* A driver that goes on writing nonsense must not keep the thread in here. */
	for (unsigned int i = 0; i <= q->size; i++) {
		uint16_t avail, head;

		if (!q->active || q->broken)
			return q->broken ? -EPROTO : 0;
		avail = read_acquire(q->avail->idx);
		if (avail == q->next_avail)
			return 0;
		if ((uint16_t)(avail - q->next_avail) > q->size) {
			q->broken = true;
			return -EPROTO;
		}
		head = read_once(q->avail->ring[q->next_avail % q->size]);
		q->next_avail++;
		if (collect(q, head, ret))
			return 1;
		q->dropped++;
		/* An index that is none cannot be given back either. */
		if (head < q->size)
			virtq_push(q, head, 0);
	}
	return 0;
}

void virtq_unpop(struct virtq *q)
{
	q->next_avail--;
}

void virtq_push_all(struct virtq *q, const struct virtq_used_part *parts, size_t n)
{
	if (!q->active)
		return;
	for (size_t i = 0; i < n; i++) {
		struct vring_used_elem *e = &q->used->ring[q->next_used++ % q->size];

		write_once(e->id, parts[i].head);
		write_once(e->len, parts[i].written);
	}
	write_release(q->used->idx, q->next_used);
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	virtq_push_all(q, &(struct virtq_used_part){head, written}, 1);
}

bool virtq_wants_interrupt(struct virtq *q)
{
	uint16_t old = q->signalled;

	if (!q->active || q->next_used == old)
		return false;
	q->signalled = q->next_used;
	/* The index above must be visible before the driver's wish is read (2.7.7.2, 2.7.8). */
	atomic_thread_fence(memory_order_seq_cst);
	if (q->event_idx)
		return vring_need_event(read_once(*used_event(q)), q->next_used, old);
	return !(read_once(q->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

void virtq_silence(struct virtq *q)
{
	if (q->active && !q->event_idx)
		write_once(q->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool virtq_listen(struct virtq *q)
{
	if (!q->active || q->broken)
		return false;
	if (q->event_idx)
		write_once(*avail_event(q), q->next_avail);
	else
		write_once(q->used->flags, 0);
	atomic_thread_fence(memory_order_seq_cst);
	return read_acquire(q->avail->idx) != q->next_avail;
}

uint16_t virtq_available(const struct virtq *q)
{
	return q->active ? read_acquire(q->avail->idx) : 0;
}

void virtq_listen_for_more(struct virtq *q)
{
	if (!q->active)
		return;
	if (q->event_idx)
		write_once(*avail_event(q), read_once(q->avail->idx));
	else
		write_once(q->used->flags, 0);
	atomic_thread_fence(memory_order_seq_cst);
}

/* ---- buffers ---- */

size_t virtq_read(const struct virtq_chain *c, size_t offset, void *to, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < c->n_out && done < len; i++) {
		const struct iovec *v = &c->iov[i];
		size_t n;

		if (offset >= v->iov_len) {
			offset -= v->iov_len;
			continue;
		}
		n = v->iov_len - offset < len - done ? v->iov_len - offset : len - done;
		memcpy((uint8_t *)to + done, (const uint8_t *)v->iov_base + offset, n);
		done += n;
		offset = 0;
	}
	return done;
}

size_t virtq_write(const struct virtq_chain *c, size_t offset, const void *from, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < c->n_in && done < len; i++) {
		const struct iovec *v = &c->iov[c->n_out + i];
		size_t n;

		if (offset >= v->iov_len) {
			offset -= v->iov_len;
			continue;
		}
		n = v->iov_len - offset < len - done ? v->iov_len - offset : len - done;
		memcpy((uint8_t *)v->iov_base + offset, (const uint8_t *)from + done, n);
		done += n;
		offset = 0;
	}
	return done;
}
