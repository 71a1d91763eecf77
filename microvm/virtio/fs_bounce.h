/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queues of a virtio-fs device whose file server does not have the guest's memory: served here,
 * by copying each request into the window of fsd/bounce.h and the answer out of it. All on the I/O
 * thread, with the device's lock.
 */
#ifndef HULL_MICROVM_VIRTIO_FS_BOUNCE_H
#define HULL_MICROVM_VIRTIO_FS_BOUNCE_H

#include "base/err.h"
#include "microvm/virtio/device.h"

struct fs_bounce;

int fs_bounce_new(struct virtio_device *d, struct fs_bounce **ret, struct err *err) MUST_CHECK;
void fs_bounce_free(struct fs_bounce *b); /* NULL: nothing */

/*
 * Makes the socket. ret_fds: the window, borrowed, and the server's end, which the caller sends and
 * closes.
 */
int fs_bounce_open(struct fs_bounce *b, int ret_fds[static 2], struct err *err) MUST_CHECK;
/* What is under way is forgotten: nothing touches guest memory afterwards. */
void fs_bounce_close(struct fs_bounce *b);

void fs_bounce_serve(struct fs_bounce *b, unsigned int q);
/* Waits until nothing is under way. -EPIPE: the server has gone. */
int fs_bounce_drain(struct fs_bounce *b, struct err *err) MUST_CHECK;

#endif
