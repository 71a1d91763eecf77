/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the registers (mmio.c) and the life of a device (device.c). Private to virtio/. */
#ifndef HULL_MICROVM_VIRTIO_TRANSPORT_H
#define HULL_MICROVM_VIRTIO_TRANSPORT_H

#include "microvm/virtio/device.h"

/* A write to the status register; the lock is not held. Returns when it has taken effect. */
void virtio_set_status(struct virtio_device *d, uint32_t to);

/* The page of registers, all with the lock held but for the interrupt's, which need none. */
void virtio_mmio_init(struct virtio_device *d);
void virtio_mmio_show(struct virtio_device *d);        /* after status, features or queues changed */
void virtio_mmio_show_config(struct virtio_device *d); /* after the device changed config */
void virtio_mmio_set_interrupt(struct virtio_device *d, uint32_t why);
void virtio_mmio_clear_interrupt(struct virtio_device *d, uint32_t why);
/* Registers that only the page holds: InterruptStatus, ConfigGeneration. */
uint32_t virtio_mmio_get(const struct virtio_device *d, uint64_t offset);
void virtio_mmio_put(struct virtio_device *d, uint64_t offset, uint32_t value);

#endif
