/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers of frames that the guest sends (virtio 1.2, 5.1.6.2). The tap's end of them is the host's
 * kernel, which has had its own trouble with offsets from guests: only what the driver negotiated,
 * and what lies within the frame, goes there; everything else is cleared or the frame is refused.
 */
#include "microvm/virtio/net_frame.h"

#include <endian.h>

static bool has(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

static bool check_checksum(struct virtio_net_hdr_v1 *h, size_t len, uint64_t features)
{
	/* The driver's other flags have no meaning in this direction. */
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (!h->flags) {
		h->csum_start = 0;
		h->csum_offset = 0;
		return true;
	}
	return has(features, VIRTIO_NET_F_CSUM) &&
	       (size_t)le16toh(h->csum_start) + le16toh(h->csum_offset) + 2 <= len;
}

static bool check_segmentation(struct virtio_net_hdr_v1 *h, size_t len, uint64_t features)
{
	switch (h->gso_type) {
	case VIRTIO_NET_HDR_GSO_NONE:
		h->gso_size = 0;
		h->hdr_len = 0;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		if (!has(features, VIRTIO_NET_F_HOST_TSO4))
			return false;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!has(features, VIRTIO_NET_F_HOST_TSO6))
			return false;
		break;
	default:
		return false;
	}
	return h->flags && h->gso_size && le16toh(h->hdr_len) <= len;
}

bool net_check_header(struct virtio_net_hdr_v1 *h, size_t len, uint64_t features)
{
	h->num_buffers = 0;
	return check_checksum(h, len, features) && check_segmentation(h, len, features);
}
