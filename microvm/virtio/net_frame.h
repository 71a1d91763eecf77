/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest may say about a frame that it sends. */
#ifndef HULL_MICROVM_VIRTIO_NET_FRAME_H
#define HULL_MICROVM_VIRTIO_NET_FRAME_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_HDR       sizeof(struct virtio_net_hdr_v1)
#define NET_ETH_LEN   14
#define NET_FRAME_MAX 65562 /* with the header: 64 KiB of TCP, as the kernel segments it */

/*
 * Checks the header of a frame of len bytes against the features that the driver took, and leaves
 * in it only what the host's kernel is to look at. False: the frame is not to be sent.
 */
bool net_check_header(struct virtio_net_hdr_v1 *h, size_t len, uint64_t features);

#endif
