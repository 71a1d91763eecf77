/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks of files, by preadv(2) and pwritev2(2) from and to guest memory, without a copy. A request
 * that crosses from one piece into the next is done in two. fallocate(2) works alike on files and,
 * since Linux 4.9, block devices.
 */
#include "microvm/virtio/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/virtio/iov.h"

#define ZEROES     4096
#define ZERO_PARTS 16

struct disk_piece {
	uint64_t start, size; /* on the disk */
	uint64_t offset;      /* in the file */
	int fd;
};

/* ---- making it ---- */

static int file_size(int fd, uint64_t *ret, bool *ret_regular, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "disk: stat");
	*ret_regular = S_ISREG(st.st_mode);
	*ret = (uint64_t)st.st_size;
	if (*ret_regular)
		return 0;
	if (!S_ISBLK(st.st_mode))
		return err_set(err, EINVAL, "disk: neither a regular file nor a block device");
	if (ioctl(fd, BLKGETSIZE64, ret) < 0)
		return err_sys(err, "disk: size of the block device");
	return 0;
}

/* The descriptor itself must not allow more than the disk does. */
static int check_mode(int fd, bool readonly, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return err_sys(err, "disk: flags of the file");
	if ((flags & O_ACCMODE) != (readonly ? O_RDONLY : O_RDWR) || flags & (O_APPEND | O_PATH))
		return err_set(err, EINVAL, "disk: the file is not open for %s",
			       readonly ? "reading alone" : "reading and writing");
	return 0;
}

static int lock(int fd, bool readonly, struct err *err)
{
	struct flock l = {.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(err, EBUSY, "disk: the file is in use%s",
			       readonly ? " by somebody who writes to it" : "");
	/* A file system without locks: readers can live with that. */
	return readonly ? 0 : err_sys(err, "disk: lock the file");
}

static int check_file(struct disk *d, int fd, uint64_t *ret_size, struct err *err)
{
	bool regular;
	int rc;

	if ((rc = check_mode(fd, d->readonly, err)) < 0 ||
	    (rc = file_size(fd, ret_size, &regular, err)) < 0)
		return rc;
	/* Behind its end a file has nothing to lose. */
	if (regular && !d->readonly &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)*ret_size,
		      DISK_SECTOR) < 0)
		d->can_discard = false;
	return lock(fd, d->readonly, err);
}

static int add_piece(struct disk *d, int fd, uint64_t offset, uint64_t size, uint64_t file_end,
		     struct err *err)
{
	uint64_t end;

	if (size == 0 || size % DISK_SECTOR)
		return err_set(err, EINVAL, "disk: %llu bytes are no whole sectors",
			       (unsigned long long)size);
	if (offset > file_end || size > file_end - offset)
		return err_set(err, EINVAL, "disk: %llu bytes at %llu of a file of %llu",
			       (unsigned long long)size, (unsigned long long)offset,
			       (unsigned long long)file_end);
	if (__builtin_add_overflow(d->size, size, &end) || end > INT64_MAX)
		return err_set(err, EFBIG, "disk: too large");
	d->pieces[d->n_pieces++] = (struct disk_piece){d->size, size, offset, fd};
	d->size = end;
	return 0;
}

static int add_pieces(struct disk *d, const struct disk_config *c, const uint64_t *sizes,
		      struct err *err)
{
	if (!c->extents) {
		if (c->n_files != 1)
			return err_set(err, EINVAL, "disk: %zu files and no list of extents",
				       c->n_files);
		return add_piece(d, c->files[0], 0, sizes[0] - sizes[0] % DISK_SECTOR, sizes[0],
				 err);
	}
	for (size_t i = 0; i < c->n_extents; i++) {
		const struct disk_extent *e = &c->extents[i];
		int rc;

		if (e->file >= c->n_files)
			return err_set(err, EINVAL, "disk: extent %zu is of file %zu", i, e->file);
		rc = add_piece(d, c->files[e->file], e->offset, e->size, sizes[e->file], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int disk_init(struct disk *d, const struct disk_config *config, struct err *err)
{
	uint64_t sizes[DISK_MAX_FILES];
	int rc = 0;

	*d = (struct disk){.readonly = config->readonly, .can_discard = !config->readonly};
	if (config->n_files < 1 || config->n_files > DISK_MAX_FILES ||
	    (config->extents && (config->n_extents < 1 || config->n_extents > DISK_MAX_EXTENTS)))
		return err_set(err, EINVAL, "disk: %zu files and %zu extents", config->n_files,
			       config->n_extents);
	for (size_t i = 0; i < config->n_files && rc == 0; i++)
		rc = check_file(d, config->files[i], &sizes[i], err);
	if (rc < 0)
		return rc;
	d->pieces = mem_xcalloc(config->extents ? config->n_extents : 1, sizeof(*d->pieces));
	rc = add_pieces(d, config, sizes, err);
	if (rc < 0) {
		disk_release(d);
		return rc;
	}
	d->files = mem_xcalloc(config->n_files, sizeof(*d->files));
	for (d->n_files = 0; d->n_files < config->n_files; d->n_files++)
		d->files[d->n_files] = config->files[d->n_files];
	return 0;
}

void disk_release(struct disk *d)
{
	for (size_t i = 0; i < d->n_files; i++)
		fd_close(d->files[i]);
	free(d->files);
	free(d->pieces);
	*d = (struct disk){0};
}

/* ---- requests ---- */

/* The piece that offset, which is on the disk, lies in. */
static const struct disk_piece *piece_at(const struct disk *d, uint64_t offset)
{
	size_t low = 0, high = d->n_pieces;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (d->pieces[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return &d->pieces[low];
}

/* As much of len as one piece has; *ret_offset is where in its file. */
static uint64_t part_of(const struct disk_piece *p, uint64_t offset, uint64_t len,
			uint64_t *ret_offset)
{
	uint64_t left = p->size - (offset - p->start);

	*ret_offset = p->offset + (offset - p->start);
	return len < left ? len : left;
}

int disk_read(struct disk *d, uint64_t offset, const struct iovec *iov, size_t n, size_t skip,
	      size_t len)
{
	while (len) {
		const struct disk_piece *p = piece_at(d, offset);
		uint64_t at, part = part_of(p, offset, len, &at);
		size_t count = iov_slice(iov, n, skip, part, d->iov);
		ssize_t done = preadv(p->fd, d->iov, (int)count, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		offset += (size_t)done;
		skip += (size_t)done;
		len -= (size_t)done;
	}
	return 0;
}

int disk_write(struct disk *d, uint64_t offset, const struct iovec *iov, size_t n, size_t skip,
	       size_t len, bool durable)
{
	while (len) {
		const struct disk_piece *p = piece_at(d, offset);
		uint64_t at, part = part_of(p, offset, len, &at);
		size_t count = iov_slice(iov, n, skip, part, d->iov);
		ssize_t done =
			pwritev2(p->fd, d->iov, (int)count, (off_t)at, durable ? RWF_DSYNC : 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		offset += (size_t)done;
		skip += (size_t)done;
		len -= (size_t)done;
	}
	return 0;
}

int disk_flush(struct disk *d)
{
	for (size_t i = 0; i < d->n_files && !d->readonly; i++)
		if (fdatasync(d->files[i]) < 0)
			return -errno;
	return 0;
}

/* 0, -ENOTSUP when the file cannot do that, or another error. */
static int allocate(const struct disk_piece *p, int mode, uint64_t at, uint64_t len)
{
	if (fallocate(p->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len) == 0)
		return 0;
	return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? -ENOTSUP : -errno;
}

int disk_discard(struct disk *d, uint64_t offset, uint64_t len)
{
	while (len) {
		const struct disk_piece *p = piece_at(d, offset);
		uint64_t at, part = part_of(p, offset, len, &at);
		int rc = allocate(p, FALLOC_FL_PUNCH_HOLE, at, part);

		if (rc < 0 && rc != -ENOTSUP)
			return rc;
		offset += part;
		len -= part;
	}
	return 0;
}

static int write_zeroes(const struct disk_piece *p, uint64_t at, uint64_t len)
{
	static const uint8_t zeroes[ZEROES];
	struct iovec iov[ZERO_PARTS];

	while (len) {
		uint64_t planned = 0;
		int n = 0;
		ssize_t done;

		for (; n < ZERO_PARTS && planned < len; n++) {
			size_t part = len - planned < ZEROES ? len - planned : ZEROES;

			iov[n] = (struct iovec){(void *)(uintptr_t)zeroes, part};
			planned += part;
		}
		done = pwritev(p->fd, iov, n, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		at += (size_t)done;
		len -= (size_t)done;
	}
	return 0;
}

int disk_zero(struct disk *d, uint64_t offset, uint64_t len, bool unmap)
{
	while (len) {
		const struct disk_piece *p = piece_at(d, offset);
		uint64_t at, part = part_of(p, offset, len, &at);
		int rc = -ENOTSUP;

		if (unmap)
			rc = allocate(p, FALLOC_FL_PUNCH_HOLE, at, part);
		if (rc == -ENOTSUP)
			rc = allocate(p, FALLOC_FL_ZERO_RANGE, at, part);
		if (rc == -ENOTSUP)
			rc = write_zeroes(p, at, part);
		if (rc < 0)
			return rc;
		offset += part;
		len -= part;
	}
	return 0;
}
