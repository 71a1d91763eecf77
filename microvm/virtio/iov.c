/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of scattered buffers. Headers and payload of a request may be cut anywhere between
 * descriptors (virtio 1.2, 2.7.4.2: devices make no assumption about framing), so what follows a
 * header is found by counting bytes, never by counting buffers.
 */
#include "microvm/virtio/iov.h"

#include <stdint.h>

size_t iov_slice(const struct iovec *iov, size_t n, size_t skip, size_t len, struct iovec *to)
{
	size_t used = 0;

	for (size_t i = 0; i < n && len; i++) {
		size_t part = iov[i].iov_len;

		if (part <= skip) {
			skip -= part;
			continue;
		}
		part -= skip;
		if (part > len)
			part = len;
		to[used++] = (struct iovec){(uint8_t *)iov[i].iov_base + skip, part};
		skip = 0;
		len -= part;
	}
	return used;
}
