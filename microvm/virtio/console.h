/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console for the guest's messages (virtio 1.2, 5.3): one port. It is no way for a container's
 * output: a guest waits, with a lock held, until the device has taken what it writes, so what the
 * host's side does not take at once is dropped and counted.
 */
#ifndef HULL_MICROVM_VIRTIO_CONSOLE_H
#define HULL_MICROVM_VIRTIO_CONSOLE_H

#include <stdint.h>

#include "base/err.h"
#include "microvm/virtio/device.h"

#define CONSOLE_LOG_MAX (1u << 20)

struct console_config {
	/*
	 * Where the guest's output goes: a pipe, socket or terminal, made non-blocking, or a regular
	 * file, O_RDWR, as a log: it is added to, and gives up its older half when it would get longer
	 * than log_max bytes. -1: nowhere. The process has SIGPIPE ignored.
	 */
	int out_fd;
	uint64_t log_max; /* 0: CONSOLE_LOG_MAX */
	/* Where the guest's input comes from, made non-blocking; may be out_fd; no file. -1: none. */
	int in_fd;
	uint16_t columns, rows; /* of the terminal; 0: not known */
};

struct console_stats {
	uint64_t out, dropped; /* bytes from the guest */
	uint64_t in;           /* bytes to the guest */
};

/* Takes the descriptors over on success. *ret is freed by virtio_destroy. */
int virtio_console_new(const struct virtio_host *host, const struct console_config *config,
		       struct virtio_device **ret, struct err *err) MUST_CHECK;

/* From any thread. */
void virtio_console_resize(struct virtio_device *d, uint16_t columns, uint16_t rows);
void virtio_console_stats(struct virtio_device *d, struct console_stats *ret);

#endif
