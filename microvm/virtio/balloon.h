/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory back from the guest (virtio 1.2, 5.5): pages that it puts into the balloon, and free ones
 * that it reports, are given up by the host and come back as zeroes when the guest uses them again.
 * A guest that does not take part keeps its memory; no host memory depends on what it says.
 */
#ifndef HULL_MICROVM_VIRTIO_BALLOON_H
#define HULL_MICROVM_VIRTIO_BALLOON_H

#include "microvm/virtio/device.h"

#define BALLOON_STATS 10 /* VIRTIO_BALLOON_S_…: what the guest can tell of itself */

struct balloon_config {
	bool deflate_on_oom; /* the guest takes pages back rather than kill processes */
	bool stats;
	bool reporting; /* of free pages, by itself */
};

struct balloon_state {
	uint64_t target;                       /* bytes that the guest is asked to give */
	uint64_t actual;                       /* that it says it has given; at most its memory */
	uint64_t inflated, deflated, reported; /* bytes, of all requests so far */
	uint64_t failed; /* ranges that the host's kernel did not take (4 KiB of a huge page) */
	/* What the guest said of itself last, by VIRTIO_BALLOON_S_… tag; bytes or events. */
	uint32_t known; /* bit 1 << tag */
	uint64_t stats[BALLOON_STATS];
	uint64_t stats_seen; /* number of such answers */
};

int virtio_balloon_new(const struct virtio_host *host, const struct balloon_config *config,
		       struct virtio_device **ret, struct err *err) MUST_CHECK;

/* From any thread: */

/* Asks for a balloon of this size; rounded down to pages, at most all memory. */
void virtio_balloon_set_target(struct virtio_device *d, uint64_t bytes);
/* Asks for statistics, which stats_seen tells of. -EAGAIN: the driver is not ready to answer. */
int virtio_balloon_ask_stats(struct virtio_device *d);
void virtio_balloon_state(struct virtio_device *d, struct balloon_state *ret);

#endif
