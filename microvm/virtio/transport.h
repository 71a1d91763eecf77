/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the registers (mmio.c) and the life of a device (device.c). Private to virtio/. */
#ifndef HULL_MICROVM_VIRTIO_TRANSPORT_H
#define HULL_MICROVM_VIRTIO_TRANSPORT_H

#include "microvm/virtio/device.h"

/* A write to the status register; the lock is not held. Returns when it has taken effect. */
void virtio_set_status(struct virtio_device *d, uint32_t to);

#endif
