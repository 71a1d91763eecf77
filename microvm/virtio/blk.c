/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block device (virtio 1.2, 5.2). A request's header is copied before it is looked at, data goes
 * between file and guest memory directly, the status is the last byte that the guest lets us write.
 * How the guest cuts a request into buffers does not matter.
 *
 * A read-only disk refuses writes here and has a descriptor that cannot write.
 */
#include "microvm/virtio/blk.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define HEADER          sizeof(struct virtio_blk_outhdr)
#define SEGMENTS        (VIRTQ_SIZE_MAX - 2) /* beside header and status */
#define SEGMENT_MAX     (256u << 10)
#define DATA_MAX        ((size_t)SEGMENTS * SEGMENT_MAX)
#define DISCARD_SEGS    16
#define DISCARD_SECTORS (1u << 21) /* 1 GiB */
#define ZERO_SEGS       1
#define ZERO_SECTORS    (1u << 16) /* 32 MiB: some files need these written */
#define FEATURE(name)   (1ull << VIRTIO_BLK_F_##name)

struct blk {
	struct virtio_device base;
	struct disk disk;
	struct virtio_blk_config space;
	char serial[BLK_SERIAL_MAX];
	struct blk_stats stats;
};

static bool on_disk(const struct blk *b, uint64_t sector, uint64_t n)
{
	uint64_t capacity = b->disk.size / DISK_SECTOR;

	return sector <= capacity && n <= capacity - sector;
}

/* The largest request that the limits told to the driver allow, so that none takes all day. */
static bool is_data(const struct blk *b, uint64_t sector, size_t len)
{
	return len % DISK_SECTOR == 0 && len <= DATA_MAX && on_disk(b, sector, len / DISK_SECTOR);
}

/* Without VIRTIO_BLK_F_FLUSH the driver takes what is written for stored (5.2.6.2). */
static bool write_through(const struct blk *b)
{
	return !virtio_has(&b->base, VIRTIO_BLK_F_FLUSH);
}

static uint8_t result(int rc)
{
	return (uint8_t)(rc < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

static uint8_t do_read(struct blk *b, uint64_t sector, const struct virtq_chain *c,
		       uint32_t *written)
{
	size_t len = c->in_len - 1;

	if (!is_data(b, sector, len))
		return VIRTIO_BLK_S_IOERR;
	if (disk_read(&b->disk, sector * DISK_SECTOR, virtq_chain_in(c), c->n_in, 0, len) < 0)
		return VIRTIO_BLK_S_IOERR;
	b->stats.reads++;
	b->stats.read_bytes += len;
	*written = (uint32_t)len;
	return VIRTIO_BLK_S_OK;
}

static uint8_t do_write(struct blk *b, uint64_t sector, const struct virtq_chain *c)
{
	size_t len = c->out_len - HEADER;

	if (b->disk.readonly || !is_data(b, sector, len))
		return VIRTIO_BLK_S_IOERR;
	if (disk_write(&b->disk, sector * DISK_SECTOR, c->iov, c->n_out, HEADER, len,
		       write_through(b)) < 0)
		return VIRTIO_BLK_S_IOERR;
	b->stats.writes++;
	b->stats.written_bytes += len;
	return VIRTIO_BLK_S_OK;
}

static uint8_t do_name(struct blk *b, const struct virtq_chain *c, uint32_t *written)
{
	if (c->in_len - 1 < BLK_SERIAL_MAX)
		return VIRTIO_BLK_S_IOERR;
	*written = (uint32_t)virtq_write(c, 0, b->serial, BLK_SERIAL_MAX);
	return VIRTIO_BLK_S_OK;
}

/* One range of a discard or zero request, in host byte order. */
struct range {
	uint64_t sector;
	uint32_t n, flags;
};

static uint8_t discard(struct blk *b, const struct range *r)
{
	if (r->flags)
		return VIRTIO_BLK_S_UNSUPP;
	if (r->n > DISCARD_SECTORS || !on_disk(b, r->sector, r->n))
		return VIRTIO_BLK_S_IOERR;
	return result(
		disk_discard(&b->disk, r->sector * DISK_SECTOR, (uint64_t)r->n * DISK_SECTOR));
}

static uint8_t zero(struct blk *b, const struct range *r)
{
	int rc;

	if (r->flags & ~VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)
		return VIRTIO_BLK_S_UNSUPP;
	if (r->n > ZERO_SECTORS || !on_disk(b, r->sector, r->n))
		return VIRTIO_BLK_S_IOERR;
	rc = disk_zero(&b->disk, r->sector * DISK_SECTOR, (uint64_t)r->n * DISK_SECTOR, r->flags);
	if (rc == 0 && write_through(b))
		rc = disk_flush(&b->disk);
	return result(rc);
}

static uint8_t do_ranges(struct blk *b, const struct virtq_chain *c, size_t max,
			 uint8_t (*fn)(struct blk *b, const struct range *r))
{
	struct virtio_blk_discard_write_zeroes raw;
	size_t n = (c->out_len - HEADER) / sizeof(raw);
	uint8_t status = VIRTIO_BLK_S_OK;

	if (b->disk.readonly || (c->out_len - HEADER) % sizeof(raw) || n == 0 || n > max)
		return VIRTIO_BLK_S_IOERR;
	for (size_t i = 0; i < n && status == VIRTIO_BLK_S_OK; i++) {
		struct range r;

		virtq_read(c, HEADER + i * sizeof(raw), &raw, sizeof(raw));
		r.sector = le64toh(raw.sector);
		r.n = le32toh(raw.num_sectors);
		r.flags = le32toh(raw.flags);
		status = fn(b, &r);
	}
	return status;
}

static uint8_t serve(struct blk *b, const struct virtio_blk_outhdr *h, const struct virtq_chain *c,
		     uint32_t *written)
{
	uint64_t sector = le64toh(h->sector);

	switch (le32toh(h->type)) {
	case VIRTIO_BLK_T_IN:
		return do_read(b, sector, c, written);
	case VIRTIO_BLK_T_OUT:
		return do_write(b, sector, c);
	case VIRTIO_BLK_T_FLUSH:
		b->stats.others++;
		return result(disk_flush(&b->disk));
	case VIRTIO_BLK_T_GET_ID:
		b->stats.others++;
		return do_name(b, c, written);
	case VIRTIO_BLK_T_DISCARD:
		b->stats.others++;
		if (!virtio_has(&b->base, VIRTIO_BLK_F_DISCARD))
			return VIRTIO_BLK_S_UNSUPP;
		return do_ranges(b, c, DISCARD_SEGS, discard);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		b->stats.others++;
		if (!virtio_has(&b->base, VIRTIO_BLK_F_WRITE_ZEROES))
			return VIRTIO_BLK_S_UNSUPP;
		return do_ranges(b, c, ZERO_SEGS, zero);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static uint32_t answer(struct virtio_device *d, const struct virtq_chain *c)
{
	struct blk *b = (struct blk *)d;
	struct virtio_blk_outhdr h;
	uint8_t status = VIRTIO_BLK_S_IOERR;
	uint32_t written = 0;

	if (c->in_len == 0) {
		b->stats.failed++;
		virtio_fault(d, "a request without room for its status");
		return 0;
	}
	if (virtq_read(c, 0, &h, sizeof(h)) == sizeof(h))
		status = serve(b, &h, c, &written);
	if (status != VIRTIO_BLK_S_OK)
		b->stats.failed++;
	virtq_write(c, c->in_len - 1, &status, sizeof(status));
	return written + (uint32_t)sizeof(status);
}

static void blk_serve(struct virtio_device *d, unsigned int q)
{
	virtio_answer_queue(d, q, answer);
}

static int blk_activate(struct virtio_device *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

/* Nothing is in flight outside of blk_serve. */
static void blk_reset(struct virtio_device *d)
{
	(void)d;
}

static void blk_free(struct virtio_device *d)
{
	struct blk *b = (struct blk *)d;

	disk_release(&b->disk);
	free(b);
}

static const struct virtio_ops blk_ops = {
	.name = "blk",
	.activate = blk_activate,
	.reset = blk_reset,
	.serve = blk_serve,
	.free = blk_free,
};

static void set_space(struct blk *b)
{
	b->space = (struct virtio_blk_config){
		.capacity = htole64(b->disk.size / DISK_SECTOR),
		.size_max = htole32(SEGMENT_MAX),
		.seg_max = htole32(SEGMENTS),
		.blk_size = htole32(DISK_SECTOR),
		.max_discard_sectors = htole32(DISCARD_SECTORS),
		.max_discard_seg = htole32(DISCARD_SEGS),
		.discard_sector_alignment = htole32(1),
		.max_write_zeroes_sectors = htole32(ZERO_SECTORS),
		.max_write_zeroes_seg = htole32(ZERO_SEGS),
		.write_zeroes_may_unmap = b->disk.can_discard,
	};
	b->base.config = (uint8_t *)&b->space;
	b->base.config_size = sizeof(b->space);
	b->base.offered = FEATURE(SIZE_MAX) | FEATURE(SEG_MAX) | FEATURE(BLK_SIZE);
	if (b->disk.readonly)
		b->base.offered |= FEATURE(RO);
	else
		b->base.offered |= FEATURE(FLUSH) | FEATURE(WRITE_ZEROES);
	if (b->disk.can_discard)
		b->base.offered |= FEATURE(DISCARD);
}

int virtio_blk_new(const struct virtio_host *host, const struct blk_config *config,
		   struct virtio_device **ret, struct err *err)
{
	size_t len = config->serial ? strlen(config->serial) : 0;
	struct blk *b;
	int rc;

	if (len > BLK_SERIAL_MAX)
		return err_set(err, EINVAL, "disk: the serial '%s' has more than %d bytes",
			       config->serial, BLK_SERIAL_MAX);
	b = mem_xalloc(sizeof(*b));
	b->base.ops = &blk_ops;
	b->base.id = VIRTIO_ID_BLOCK;
	b->base.n_queues = 1;
	if (len)
		memcpy(b->serial, config->serial, len);
	rc = disk_init(&b->disk, &config->disk, err);
	if (rc < 0) {
		free(b);
		return rc;
	}
	set_space(b);
	rc = virtio_init(&b->base, host, err);
	if (rc < 0) {
		b->disk.n_files = 0; /* the caller's still */
		virtio_destroy(&b->base);
		return rc;
	}
	*ret = &b->base;
	return 0;
}

void virtio_blk_stats(struct virtio_device *d, struct blk_stats *ret)
{
	struct blk *b = (struct blk *)d;

	pthread_mutex_lock(&d->lock);
	*ret = b->stats;
	pthread_mutex_unlock(&d->lock);
}
