/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages are given up by madvise(MADV_DONTNEED) where memory is the process's own, and by
 * fallocate(FALLOC_FL_PUNCH_HOLE) where it is a memfd, which another process maps too. Only RAM is
 * touched: regions that are mapped from files are the guest's for reading alone.
 *
 * Linux numbers the queues behind deflate without those whose feature was not negotiated, so what a
 * queue is for is settled at activation. The guest's statistics wait in a buffer of its own that the
 * device keeps until it asks: giving it back is the question (5.5.6.3).
 */
#include "microvm/virtio/balloon.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/mem.h"

#define PAGE       (1ull << VIRTIO_BALLOON_PFN_SHIFT)
#define PFNS_MAX   1024u /* of a request; Linux sends 256. The rest keep their memory */
#define PFNS_PART  128u
#define STATS_MAX  64u /* of an answer; later ones are not looked at */
#define FEATURE(n) (1ull << VIRTIO_BALLOON_F_##n)

enum { INFLATE, DEFLATE }; /* the others' numbers depend on features */

struct balloon {
	struct virtio_device base;
	/* What the driver reads and writes, and what of it is this side's. */
	struct virtio_balloon_config space;
	uint32_t target;                           /* pages */
	unsigned int stats_queue, reporting_queue; /* 0: none */
	bool has_stats_buffer;
	uint16_t stats_head;
	struct balloon_state state; /* without target and actual */
};

_Static_assert(VIRTIO_BALLOON_S_NR == BALLOON_STATS, "statistics as the kernel's header has them");

/* ---- giving up memory ---- */

/* Pages in a row, in the order that they came, up or down; [start, end) on this side. */
struct run {
	uint8_t *start, *end;
};

/* Gives up whole pages of RAM. */
static void discard(struct balloon *b, uint8_t *start, uint64_t len)
{
	const struct guest_memory *m = b->base.host.memory;
	int rc;

	if (m->fd >= 0)
		rc = fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)(start - m->map), (off_t)len);
	else
		rc = madvise(start, len, MADV_DONTNEED);
	if (rc < 0)
		b->state.failed++;
}

static void end_run(struct balloon *b, struct run *r)
{
	if (r->start)
		discard(b, r->start, (uint64_t)(r->end - r->start));
	*r = (struct run){0};
}

static void add_page(struct balloon *b, struct run *r, uint8_t *page)
{
	if (r->start && page == r->end) {
		r->end += PAGE;
	} else if (r->start && page + PAGE == r->start) {
		r->start = page;
	} else {
		end_run(b, r);
		*r = (struct run){page, page + PAGE};
	}
}

/* len bytes at p, whole ones, in RAM? */
static bool in_ram(const struct guest_memory *m, const uint8_t *p, uint64_t len)
{
	return p >= m->map && (uint64_t)(p - m->map) <= m->ram &&
	       len <= m->ram - (uint64_t)(p - m->map);
}

static uint8_t *page_at(const struct guest_memory *m, uint32_t pfn)
{
	uint8_t *p = guest_at(m, (uint64_t)pfn << VIRTIO_BALLOON_PFN_SHIFT, PAGE, true);

	return p && in_ram(m, p, PAGE) ? p : NULL;
}

static uint32_t inflate(struct virtio_device *d, const struct virtq_chain *c)
{
	struct balloon *b = (struct balloon *)d;
	size_t n = c->out_len / sizeof(uint32_t);
	uint32_t pfns[PFNS_PART];
	struct run r = {0};

	if (n > PFNS_MAX || c->out_len % sizeof(uint32_t))
		virtio_fault(d, "a list of pages of an odd length");
	if (n > PFNS_MAX)
		n = PFNS_MAX;
	for (size_t done = 0; done < n;) {
		size_t part = n - done < PFNS_PART ? n - done : PFNS_PART;

		part = virtq_read(c, done * sizeof(pfns[0]), pfns, part * sizeof(pfns[0])) /
		       sizeof(pfns[0]);
		for (size_t i = 0; i < part; i++) {
			uint8_t *page = page_at(d->host.memory, le32toh(pfns[i]));

			if (!page) {
				virtio_fault(d, "a page that is no memory");
				continue;
			}
			add_page(b, &r, page);
			b->state.inflated += PAGE;
		}
		done += part;
	}
	end_run(b, &r);
	return 0;
}

/* A page that is used again comes by itself; nothing needs to be done for it. */
static uint32_t deflate(struct virtio_device *d, const struct virtq_chain *c)
{
	struct balloon *b = (struct balloon *)d;
	size_t n = c->out_len / sizeof(uint32_t);

	b->state.deflated += (n < PFNS_MAX ? n : PFNS_MAX) * PAGE;
	return 0;
}

/* Each buffer is free memory of the guest's, which it uses again only after our answer (5.5.6.7). */
static uint32_t take_report(struct virtio_device *d, const struct virtq_chain *c)
{
	struct balloon *b = (struct balloon *)d;

	for (size_t i = 0; i < c->n_in; i++) {
		const struct iovec *v = &virtq_chain_in(c)[i];
		uintptr_t start = ((uintptr_t)v->iov_base + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
		uintptr_t end = ((uintptr_t)v->iov_base + v->iov_len) & ~(uintptr_t)(PAGE - 1);

		if (end <= start)
			continue;
		if (!in_ram(d->host.memory, (uint8_t *)start, end - start)) {
			virtio_fault(d, "a report of a page that is no memory");
			continue;
		}
		discard(b, (uint8_t *)start, end - start);
		b->state.reported += end - start;
	}
	return 0;
}

/* ---- statistics ---- */

static void read_stats(struct balloon *b, const struct virtq_chain *c)
{
	struct virtio_balloon_stat s;

	b->state.known = 0;
	for (size_t i = 0; i < STATS_MAX; i++) {
		uint16_t tag;

		if (virtq_read(c, i * sizeof(s), &s, sizeof(s)) < sizeof(s))
			break;
		tag = le16toh(s.tag);
		if (tag >= BALLOON_STATS) /* of a newer guest */
			continue;
		b->state.known |= 1u << tag;
		b->state.stats[tag] = le64toh(s.val);
	}
	b->state.stats_seen++;
}

static void return_stats(struct balloon *b)
{
	if (!b->has_stats_buffer)
		return;
	b->has_stats_buffer = false;
	virtq_push(&b->base.queues[b->stats_queue], b->stats_head, 0);
	virtio_interrupt_queue(&b->base, b->stats_queue);
}

/* A driver has one buffer for this; of more, the latest is kept. */
static void serve_stats(struct balloon *b)
{
	struct virtq *queue = &b->base.queues[b->stats_queue];
	unsigned int left = VIRTQ_SIZE_MAX;
	struct virtq_chain c;
	int rc = 0;

	for (; left; left--) {
		rc = virtq_pop(queue, &c);
		if (rc < 0)
			break;
		if (rc == 0 && !virtq_listen(queue))
			break;
		if (rc == 0)
			continue;
		return_stats(b);
		read_stats(b, &c);
		b->stats_head = c.head;
		b->has_stats_buffer = true;
	}
	/* Chains that were refused. */
	virtio_interrupt_queue(&b->base, b->stats_queue);
	if (rc < 0)
		virtio_needs_reset(&b->base, "available index out of reach");
	else if (!left)
		virtio_serve_again(&b->base, b->stats_queue);
}

/* ---- the device ---- */

static void balloon_serve(struct virtio_device *d, unsigned int q)
{
	struct balloon *b = (struct balloon *)d;

	if (q == INFLATE)
		virtio_answer_queue(d, q, inflate);
	else if (q == DEFLATE)
		virtio_answer_queue(d, q, deflate);
	else if (q == b->stats_queue)
		serve_stats(b);
	else if (q == b->reporting_queue)
		virtio_answer_queue(d, q, take_report);
}

static int balloon_activate(struct virtio_device *d, struct err *err)
{
	struct balloon *b = (struct balloon *)d;
	unsigned int next = DEFLATE + 1;

	(void)err;
	b->stats_queue = virtio_has(d, VIRTIO_BALLOON_F_STATS_VQ) ? next++ : 0;
	b->reporting_queue = virtio_has(d, VIRTIO_BALLOON_F_REPORTING) ? next++ : 0;
	return 0;
}

/* What was in the balloon is no concern of the next driver's. */
static void balloon_reset(struct virtio_device *d)
{
	struct balloon *b = (struct balloon *)d;

	b->has_stats_buffer = false;
	b->state.known = 0;
	b->space.actual = 0;
}

/* By a vCPU's thread. Of the space the driver may write actual alone (5.5.4). */
static void balloon_config_written(struct virtio_device *d, uint32_t offset, uint32_t len)
{
	struct balloon *b = (struct balloon *)d;
	uint32_t actual = b->space.actual;

	(void)offset;
	(void)len;
	b->space = (struct virtio_balloon_config){
		.num_pages = htole32(b->target),
		.actual = actual,
	};
}

/* The buffer for statistics is one that the driver waits for. */
static int balloon_save(struct virtio_device *d, struct buf *ret, struct err *err)
{
	const struct balloon *b = (const struct balloon *)d;

	(void)err;
	state_put_u32(ret, b->target);
	state_put_u8(ret, b->has_stats_buffer);
	state_put_u16(ret, b->stats_head);
	return 0;
}

static int balloon_restore(struct virtio_device *d, struct state_in *in, struct err *err)
{
	struct balloon *b = (struct balloon *)d;
	int rc = balloon_activate(d, err);

	b->target = state_u32(in);
	b->has_stats_buffer = state_u8(in) && b->stats_queue;
	b->stats_head = state_u16(in);
	if (b->stats_head >= VIRTQ_SIZE_MAX)
		return err_set(err, EINVAL, "a buffer for statistics that is none");
	return rc;
}

static void balloon_free(struct virtio_device *d)
{
	free(d);
}

static const struct virtio_ops ops = {
	.name = "balloon",
	.activate = balloon_activate,
	.reset = balloon_reset,
	.serve = balloon_serve,
	.config_written = balloon_config_written,
	.save = balloon_save,
	.restore = balloon_restore,
	.free = balloon_free,
};

int virtio_balloon_new(const struct virtio_host *host, const struct balloon_config *config,
		       struct virtio_device **ret, struct err *err)
{
	struct balloon *b = mem_xalloc(sizeof(*b));
	int rc;

	b->base.ops = &ops;
	b->base.id = VIRTIO_ID_BALLOON;
	b->base.offered = (config->deflate_on_oom ? FEATURE(DEFLATE_ON_OOM) : 0) |
			  (config->stats ? FEATURE(STATS_VQ) : 0) |
			  (config->reporting ? FEATURE(REPORTING) : 0);
	b->base.config = (uint8_t *)&b->space;
	b->base.config_size = offsetof(struct virtio_balloon_config, free_page_hint_cmd_id);
	b->base.config_writable = true;
	b->base.n_queues = DEFLATE + 1u + config->stats + config->reporting;
	rc = virtio_init(&b->base, host, err);
	if (rc < 0) {
		virtio_destroy(&b->base);
		return rc;
	}
	*ret = &b->base;
	return 0;
}

/* ---- the host's side ---- */

static uint64_t pages_of(const struct balloon *b)
{
	uint64_t pages = b->base.host.memory->ram / PAGE;

	return pages < UINT32_MAX ? pages : UINT32_MAX;
}

void virtio_balloon_set_target(struct virtio_device *d, uint64_t bytes)
{
	struct balloon *b = (struct balloon *)d;
	uint64_t pages = bytes / PAGE;

	pthread_mutex_lock(&d->lock);
	b->target = (uint32_t)(pages < pages_of(b) ? pages : pages_of(b));
	b->space.num_pages = htole32(b->target);
	virtio_config_changed(d);
	pthread_mutex_unlock(&d->lock);
}

int virtio_balloon_ask_stats(struct virtio_device *d)
{
	struct balloon *b = (struct balloon *)d;
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	if (d->active && b->has_stats_buffer)
		return_stats(b);
	else
		rc = -EAGAIN;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

void virtio_balloon_state(struct virtio_device *d, struct balloon_state *ret)
{
	struct balloon *b = (struct balloon *)d;
	uint64_t actual;

	pthread_mutex_lock(&d->lock);
	*ret = b->state;
	ret->target = b->target * PAGE;
	actual = le32toh(b->space.actual);
	ret->actual = (actual < pages_of(b) ? actual : pages_of(b)) * PAGE;
	pthread_mutex_unlock(&d->lock);
}
