/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket device (virtio 1.2, 5.10): stream connections between the guest and sockets of the
 * host. What the guest says is believed nowhere: a connection that breaks the rules is reset, and
 * memory is bounded by VSOCK_MAX_CONNS connections of VSOCK_BUF_SIZE bytes.
 */
#ifndef HULL_MICROVM_VIRTIO_VSOCK_H
#define HULL_MICROVM_VIRTIO_VSOCK_H

#include <stdint.h>

#include "base/err.h"
#include "microvm/virtio/device.h"

#define VSOCK_HOST_CID  2
#define VSOCK_MAX_CONNS 1023
#define VSOCK_BUF_SIZE  65536u /* from the guest and not yet taken by the host, a connection */

struct vsock_config {
	uint64_t guest_cid; /* 3 to 2^32 - 2 */
	/*
	 * The guest connects to host_port: a connected stream socket, the device's from then on, or
	 * -errno, which the guest sees as a refusal. Called on the I/O thread with the device's lock
	 * held: it must not block, nor call the device.
	 */
	int (*connect)(void *arg, uint32_t host_port);
	void *arg;
	int requests_fd; /* the end to read from of a pipe of vsock_request, taken over on success, or -1 */
};

/*
 * The host connects to a port of the guest. Written whole into the pipe, so that any thread may ask;
 * what asks for two things in a row has them reach the guest in that order.
 */
struct vsock_request {
	uint32_t guest_port;
	/* Of the host's side, by which the guest knows this one: 2^30 and more, the caller's to choose. */
	uint32_t host_port;
	/*
	 * The guest's end: a connected stream socket, the device's from then on. What is written to the other
	 * end waits for the guest to accept; its end says that the guest refused or was silent for long.
	 */
	int fd;
};

/*
 * *ret is freed by virtio_destroy. A reset of the device ends all connections, but what the guest
 * sent before is still given to the host's sockets.
 */
int virtio_vsock_new(const struct virtio_host *host, const struct vsock_config *config,
		     struct virtio_device **ret, struct err *err) MUST_CHECK;

/* Bytes from the guest that no socket has taken yet; from any thread. */
uint64_t virtio_vsock_buffered(struct virtio_device *d);

#endif
