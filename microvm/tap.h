/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tap devices as the network device wants them: Ethernet frames, each behind a struct
 * virtio_net_hdr_v1 of 12 bytes, little-endian, non-blocking (Documentation/networking/tuntap).
 */
#ifndef HULL_MICROVM_TAP_H
#define HULL_MICROVM_TAP_H

#include "base/err.h"

/*
 * Attaches to the tap device name of this network namespace; makes it, until the descriptor is
 * closed, when there is none and CAP_NET_ADMIN is. Returns the descriptor or -errno.
 */
int tap_open(const char *name, struct err *err) MUST_CHECK;

/* Makes a tap's descriptor, opened by someone else, ready. -EINVAL: no tap, or without headers. */
int tap_prepare(int fd, struct err *err) MUST_CHECK;

/* What the reader of the tap can take: TUN_F_…, TUNSETOFFLOAD. */
int tap_set_offload(int fd, unsigned int flags, struct err *err) MUST_CHECK;

#endif
