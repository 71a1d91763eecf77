/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entropy for the guest (virtio 1.2, 5.4). */
#ifndef HULL_MICROVM_VIRTIO_RNG_H
#define HULL_MICROVM_VIRTIO_RNG_H

#include "microvm/virtio/device.h"

int virtio_rng_new(const struct virtio_host *host, struct virtio_device **ret,
		   struct err *err) MUST_CHECK;

#endif
