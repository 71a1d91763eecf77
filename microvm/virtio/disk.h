/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a block device stores its bytes in: a file, or pieces of files in a row. The content is what
 * the files hold, byte by byte; no format is looked for in it, as a guest could write one
 * (a raw disk that begins like an image with a backing file would show it the host's files).
 */
#ifndef HULL_MICROVM_VIRTIO_DISK_H
#define HULL_MICROVM_VIRTIO_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "microvm/virtio/queue.h"

#define DISK_SECTOR      512u
#define DISK_MAX_FILES   256
#define DISK_MAX_EXTENTS 4096

struct disk_extent {
	size_t file;           /* index of files */
	uint64_t offset, size; /* bytes; size in whole sectors */
};

struct disk_config {
	/*
	 * Regular files or block devices, O_RDONLY for a read-only disk and O_RDWR for another.
	 * Taken over on success.
	 */
	const int *files;
	size_t n_files;
	/* The disk, from its beginning. NULL: the only file as a whole, cut to whole sectors. */
	const struct disk_extent *extents;
	size_t n_extents;
	bool readonly;
};

struct disk {
	int *files;
	size_t n_files;
	struct disk_piece *pieces;
	size_t n_pieces;
	uint64_t size; /* bytes */
	bool readonly;
	bool can_discard;
	struct iovec iov[VIRTQ_SIZE_MAX];
};

/*
 * Locks the files (open file description locks): alone for a writable disk, else shared with other
 * readers. -EBUSY: somebody has one for a use that does not go together with this.
 */
int disk_init(struct disk *d, const struct disk_config *config, struct err *err) MUST_CHECK;
void disk_release(struct disk *d);

/*
 * len bytes of the disk from offset, into or from the n buffers of iov behind their first skip
 * bytes. The caller has checked that they lie on the disk and in the buffers. 0 or -errno; -EIO when
 * a file turns out shorter than it was. durable: they are on the medium on return.
 */
int disk_read(struct disk *d, uint64_t offset, const struct iovec *iov, size_t n, size_t skip,
	      size_t len) MUST_CHECK;
int disk_write(struct disk *d, uint64_t offset, const struct iovec *iov, size_t n, size_t skip,
	       size_t len, bool durable) MUST_CHECK;
int disk_flush(struct disk *d) MUST_CHECK;

/* The content becomes anything; a file system that cannot give up space does nothing. */
int disk_discard(struct disk *d, uint64_t offset, uint64_t len) MUST_CHECK;
/* The content becomes zeroes; unmap: the space may be given up as well. */
int disk_zero(struct disk *d, uint64_t offset, uint64_t len, bool unmap) MUST_CHECK;

#endif
