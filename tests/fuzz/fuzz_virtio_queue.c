/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue alone: the input's first bytes say where its rings are and how long, the rest are turns of
 * memory content and of calls. Every buffer that comes out must lie in one region of memory, and not
 * be writable where that is not.
 */
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "microvm/virtio/queue.h"

#define LOW  0x8000u /* bytes of memory from 0, */
#define HIGH 0x4000u /* behind a hole, the second half read-only */
#define GAP  0x1000u

static uint8_t memory[LOW + HIGH] __attribute__((aligned(4096)));
static const struct guest_memory map = {
	.regions = {{0, LOW, memory, false},
		    {LOW + GAP, HIGH / 2, memory + LOW, false},
		    {LOW + GAP + HIGH / 2, HIGH / 2, memory + LOW + HIGH / 2, true}},
	.n_regions = 3,
	.fd = -1,
};

struct input {
	const uint8_t *data;
	size_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t v = 0;

	for (; bytes && in->size; bytes--, in->size--)
		v = v << 8 | *in->data++;
	return v;
}

static void check_buffer(const struct iovec *v, bool write)
{
	bool found = false;

	must(v->iov_len > 0);
	for (size_t i = 0; i < map.n_regions; i++) {
		const struct guest_region *r = &map.regions[i];
		const uint8_t *p = v->iov_base;

		if (p >= r->host && p < r->host + r->size) {
			must(v->iov_len <= (size_t)(r->host + r->size - p));
			must(!write || !r->readonly);
			found = true;
		}
	}
	must(found);
}

static void check_chain(const struct virtq *q, const struct virtq_chain *c)
{
	uint8_t bytes[300];
	size_t out = 0, in = 0, n;

	must(c->head < q->size && c->n_out + c->n_in <= q->size);
	for (size_t i = 0; i < c->n_out + c->n_in; i++) {
		check_buffer(&c->iov[i], i >= c->n_out);
		*(i < c->n_out ? &out : &in) += c->iov[i].iov_len;
	}
	must(out == c->out_len && in == c->in_len && out + in <= UINT32_MAX);
	n = virtq_read(c, 1, bytes, sizeof(bytes));
	must(n <= sizeof(bytes) && (out == 0 || n == (out - 1 < 300 ? out - 1 : 300)));
	memset(bytes, 0x41, sizeof(bytes));
	n = virtq_write(c, 1, bytes, sizeof(bytes));
	must(n <= sizeof(bytes) && (in == 0 || n == (in - 1 < 300 ? in - 1 : 300)));
}

static void write_memory(struct input *in)
{
	uint64_t at = take(in, 2), n = take(in, 1) % 64;

	for (; n; n--)
		memory[at++ % sizeof(memory)] = (uint8_t)take(in, 1);
}

/* A descriptor near the truth, where the rings of the first kept inputs have theirs. */
static void write_descriptor(const struct virtq *q, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	uint16_t i = (uint16_t)take(in, 1);

	if (!q->active)
		return;
	q->desc[i % q->size].addr = take(in, how & 0x80 ? 8 : 2);
	q->desc[i % q->size].len = (uint32_t)take(in, how & 0x40 ? 4 : 1);
	q->desc[i % q->size].flags = how & 0x3f;
	q->desc[i % q->size].next = (uint16_t)take(in, 1);
	if (how & 8) {
		q->avail->ring[q->avail->idx % q->size] = i;
		q->avail->idx++;
	}
}

static void pop(struct virtq *q, struct input *in, bool back)
{
	struct virtq_chain c;
	uint16_t next = q->next_avail;
	int rc = virtq_pop(q, &c);

	must(rc == 0 || rc == 1 || q->broken);
	if (rc != 1)
		return;
	must((uint16_t)(q->next_avail - next) <= q->size + 1);
	check_chain(q, &c);
	if (back)
		virtq_unpop(q);
	else
		virtq_push(q, c.head, (uint32_t)take(in, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct virtq q = {0};
	struct err e = ERR_INIT;

	memset(memory, 0, sizeof(memory));
	while (in.size) {
		struct virtq_setup s = {.ready = true};

		switch (take(&in, 1) % 9) {
		case 0:
			s.size = (uint32_t)take(&in, 2);
			s.desc = take(&in, 3);
			s.avail = take(&in, 3);
			s.used = take(&in, 3);
			must(virtq_activate(&q, &s, &map, s.size & 1 || take(&in, 1) & 1, &e) ==
				     0 ||
			     (!q.active && e.msg[0]));
			break;
		case 1:
			write_memory(&in);
			break;
		case 2:
		case 3:
			write_descriptor(&q, &in);
			break;
		case 4:
			pop(&q, &in, take(&in, 1) % 4 == 0);
			break;
		case 5:
			(void)virtq_listen(&q);
			break;
		case 6:
			virtq_silence(&q);
			break;
		case 7:
			(void)virtq_wants_interrupt(&q);
			break;
		default:
			virtq_push(&q, (uint16_t)take(&in, 1), (uint32_t)take(&in, 4));
			break;
		}
	}
	return 0;
}
