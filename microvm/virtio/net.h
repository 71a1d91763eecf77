/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device (virtio 1.2, 5.1): one pair of queues over a tap, with checksum and
 * segmentation offloads. Frames of the guest pass only under its own address.
 */
#ifndef HULL_MICROVM_VIRTIO_NET_H
#define HULL_MICROVM_VIRTIO_NET_H

#include <stdint.h>

#include "base/err.h"
#include "microvm/virtio/device.h"

#define NET_MAC_LEN 6

struct net_config {
	/*
	 * Frames behind a 12-byte struct virtio_net_hdr_v1, one a read or write: a tap from tap.h, or
	 * a socket that keeps messages apart. Non-blocking; taken over on success.
	 */
	int fd;
	bool spare; /* nobody's yet: made again from what was saved, it may be anybody's */
	/* Says what the guest can take (TUN_F_…): tap_set_offload; NULL: nobody needs to know. */
	int (*set_offload)(int fd, unsigned int flags, struct err *err);
	uint8_t mac[NET_MAC_LEN]; /* a unicast address */
	uint16_t mtu;             /* told to the guest; 0: not told */
};

struct net_stats {
	uint64_t rx_frames, rx_bytes; /* to the guest */
	uint64_t rx_dropped;          /* too long for its buffers */
	uint64_t tx_frames, tx_bytes; /* from the guest */
	uint64_t tx_dropped;          /* the tap did not take them */
	uint64_t tx_invalid;          /* length or header */
	uint64_t tx_spoofed;          /* another's source address */
};

/* *ret is freed by virtio_destroy. */
int virtio_net_new(const struct virtio_host *host, const struct net_config *config,
		   struct virtio_device **ret, struct err *err) MUST_CHECK;

/* From any thread. */
void virtio_net_stats(struct virtio_device *d, struct net_stats *ret);

#endif
