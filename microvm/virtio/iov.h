/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of scattered buffers: what recvmsg and writev are given of a request. */
#ifndef HULL_MICROVM_VIRTIO_IOV_H
#define HULL_MICROVM_VIRTIO_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/*
 * Describes the len bytes behind the first skip ones of iov's n buffers in to, which has room for n;
 * fewer when the buffers end before. Empty buffers are left out. Returns the number of buffers.
 */
size_t iov_slice(const struct iovec *iov, size_t n, size_t skip, size_t len, struct iovec *to);

#endif
