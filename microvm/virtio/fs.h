/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared directory as a virtio file system (virtio 1.2, 5.11): the registers only. Its queues are
 * served by a process of their own (microvm/fsd/server.h), which the notify_fds wake and which raises
 * the interrupt itself; but by copying where the guest's memory is private (fs_bounce.h). When that
 * process ends the device asks for a reset and never works again.
 */
#ifndef HULL_MICROVM_VIRTIO_FS_H
#define HULL_MICROVM_VIRTIO_FS_H

#include "base/err.h"
#include "microvm/virtio/device.h"

#define VIRTIO_FS_TAG_MAX 36

struct virtio_fs_options {
	const char *tag; /* what the guest mounts: 1 to VIRTIO_FS_TAG_MAX bytes */
	int control_fd;  /* the server's; borrowed, outlives the device */
	int irq_fd;      /* eventfd that raises the device's interrupt; borrowed */
};

/* The host has a loop. *ret is freed by virtio_destroy. */
int virtio_fs_new(const struct virtio_host *host, const struct virtio_fs_options *options,
		  struct virtio_device **ret, struct err *err) MUST_CHECK;

#endif
