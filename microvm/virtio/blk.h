/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk for the guest (virtio 1.2, 5.2): one queue, requests are done one after the other. */
#ifndef HULL_MICROVM_VIRTIO_BLK_H
#define HULL_MICROVM_VIRTIO_BLK_H

#include <stdint.h>

#include "base/err.h"
#include "microvm/virtio/device.h"
#include "microvm/virtio/disk.h"

#define BLK_SERIAL_MAX 20

struct blk_config {
	struct disk_config disk; /* its files are taken over on success */
	const char *serial;      /* what the guest finds in /sys/block/…/serial; NULL: empty */
};

struct blk_stats {
	uint64_t reads, read_bytes;
	uint64_t writes, written_bytes;
	uint64_t others; /* flush, discard, zeroes, name */
	uint64_t failed; /* refused or ended by an error */
};

/* *ret is freed by virtio_destroy. -EBUSY: another has the file, see disk_init. */
int virtio_blk_new(const struct virtio_host *host, const struct blk_config *config,
		   struct virtio_device **ret, struct err *err) MUST_CHECK;

/* From any thread. */
void virtio_blk_stats(struct virtio_device *d, struct blk_stats *ret);

#endif
