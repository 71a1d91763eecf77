/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regular files: opening, making, and their content, which goes between the file and the guest's
 * buffers without a copy in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "microvm/fsd/internal.h"
#include "microvm/virtio/iov.h"

/* What open(2) is given of the guest's flags. O_APPEND is heeded by write, O_DIRECT is not. */
#define OPEN_FLAGS (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME)

/* A change of content shows in ctime only when it comes a clock tick after the last one. */
#define SETTLED_SEC 2

/* One request keeps the others waiting: the guest asks again for the rest. */
#define MAX_COPY (64u << 20)

/*
 * In the automatic mode data is kept from one open to the next if the file has not changed since,
 * as its ctime tells (whoever changes a file cannot set that back).
 */
static bool unchanged(struct fsd_node *node, int fd)
{
	struct timespec now;
	struct statx st;
	bool same;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_CTIME, &st) < 0 ||
	    clock_gettime(CLOCK_REALTIME, &now) < 0)
		return false;
	same = node->seen_sec && node->seen_sec == st.stx_ctime.tv_sec &&
	       node->seen_nsec == st.stx_ctime.tv_nsec;
	node->seen_sec = now.tv_sec - st.stx_ctime.tv_sec > SETTLED_SEC ? st.stx_ctime.tv_sec : 0;
	node->seen_nsec = st.stx_ctime.tv_nsec;
	return same;
}

uint32_t fsd_open_flags(struct fsd *f, struct fsd_node *node, int fd, uint32_t guest_flags)
{
	uint32_t flags = 0;

	switch (f->cache) {
	case FSD_CACHE_AUTO:
		flags = node->type == S_IFREG && unchanged(node, fd) ? FOPEN_KEEP_CACHE : 0;
		break;
	case FSD_CACHE_ALWAYS:
		flags = FOPEN_KEEP_CACHE | (node->type == S_IFDIR ? FOPEN_CACHE_DIR : 0);
		break;
	case FSD_CACHE_NEVER:
		flags = node->type == S_IFREG ? FOPEN_DIRECT_IO : 0;
		break;
	}
	if ((guest_flags & O_ACCMODE) == O_RDONLY)
		flags |= FOPEN_NOFLUSH;
	return flags;
}

/* The guest's flags as those of open(2), or -errno. */
static int open_flags(const struct fsd *f, uint32_t guest_flags)
{
	if ((guest_flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (f->readonly && guest_flags & (O_ACCMODE | O_TRUNC))
		return -EROFS;
	return (int)(guest_flags & OPEN_FLAGS);
}

int fsd_open(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_open_in *in = fsd_take(r, sizeof(*in));
	struct fuse_open_out out = {0};
	struct fsd_handle *h;
	int flags, fd, rc;
	bool as_user;

	if (!in)
		return -EINVAL;
	if (r->node->type == S_IFDIR)
		return -EISDIR;
	flags = open_flags(f, in->flags);
	if (flags < 0)
		return flags;
	as_user = flags & O_TRUNC && in->open_flags & FUSE_OPEN_KILL_SUIDGID;
	if (as_user)
		fsd_fsetid(f, false);
	fd = fsd_reopen(f, r->node, flags);
	if (as_user)
		fsd_fsetid(f, true);
	if (fd < 0)
		return fd;
	out.open_flags = fsd_open_flags(f, r->node, fd, in->flags);
	rc = fsd_handle_add(f, r->node, fd, S_IFREG, flags, &h);
	if (rc < 0)
		return rc;
	out.fh = h->id;
	return fsd_reply(f, &out, sizeof(out));
}

/* Answers with a node and the file opened from it; takes fd. */
static int reply_created(struct fsd *f, struct fsd_node *node, const struct statx *st, int fd,
			 uint32_t guest_flags)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {0};
	struct fsd_handle *h;
	int rc;

	out.open.open_flags = fsd_open_flags(f, node, fd, guest_flags);
	rc = fsd_handle_add(f, node, fd, S_IFREG, (int)(guest_flags & OPEN_FLAGS), &h);
	if (rc < 0) {
		fsd_node_forget(f, node->id, 1);
		return rc;
	}
	out.open.fh = h->id;
	fsd_entry(f, node, st, &out.entry);
	return fsd_reply(f, &out, sizeof(out));
}

/* The file is there after all, made by somebody on the host: opens it. */
static int open_existing(struct fsd *f, struct fsd_node *dir, const char *name, int flags,
			 uint32_t guest_flags)
{
	struct fsd_node *node;
	struct statx st;
	int fd, rc = fsd_node_lookup(f, dir, name, &node, &st);

	if (rc < 0)
		return rc;
	fd = node->type == S_IFDIR ? -EISDIR : fsd_reopen(f, node, flags);
	if (fd < 0) {
		fsd_node_forget(f, node->id, 1);
		return fd;
	}
	return reply_created(f, node, &st, fd, guest_flags);
}

/* Makes and opens a file in dir: name, or with O_TMPFILE one without name. */
static int make_file(struct fsd *f, struct fsd_request *r, const char *name, int flags,
		     uint32_t mode)
{
	const struct open_how how = {.flags = (unsigned int)flags | O_NOFOLLOW | O_CLOEXEC,
				     .mode = mode & 07777,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
						RESOLVE_NO_MAGICLINKS};
	int dir_fd = fsd_node_fd(f, r->node);
	int fd, rc;

	if (dir_fd < 0)
		return dir_fd;
	rc = fsd_become(f, r);
	if (rc < 0)
		return rc;
	fd = sys_openat2(dir_fd, name, &how, sizeof(how));
	fsd_return(f);
	return fd < 0 ? -errno : fd;
}

static int reply_made(struct fsd *f, struct fsd_node *dir, const char *name, int fd,
		      uint32_t guest_flags)
{
	char path[FSD_PROC_NAME];
	struct fsd_node *node;
	struct statx st;
	int path_fd = openat(f->proc_fd, fsd_proc_name(path, fd), O_PATH | O_CLOEXEC);
	int rc = path_fd < 0 ? -errno : fsd_node_add(f, dir, name, path_fd, &node, &st);

	if (rc < 0) {
		fd_close(fd);
		return rc;
	}
	return reply_created(f, node, &st, fd, guest_flags);
}

int fsd_create(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_create_in *in = fsd_take(r, sizeof(*in));
	const char *name;
	int flags, fd, rc;

	if (!in)
		return -EINVAL;
	rc = fsd_take_name(r, &name);
	if (rc < 0)
		return rc;
	flags = open_flags(f, in->flags);
	if (flags < 0)
		return flags;
	fd = make_file(f, r, name, (flags & ~O_TRUNC) | O_CREAT | O_EXCL, in->mode);
	if (fd == -EEXIST && !(in->flags & O_EXCL))
		return open_existing(f, r->node, name, flags, in->flags);
	return fd < 0 ? fd : reply_made(f, r->node, name, fd, in->flags);
}

int fsd_tmpfile(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_create_in *in = fsd_take(r, sizeof(*in));
	int flags, fd;

	if (!in)
		return -EINVAL;
	flags = open_flags(f, in->flags);
	if (flags < 0)
		return flags;
	flags = (flags & ~O_TRUNC) | O_TMPFILE | (int)(in->flags & O_EXCL);
	fd = make_file(f, r, ".", flags, in->mode);
	return fd < 0 ? fd : reply_made(f, r->node, NULL, fd, in->flags);
}

int fsd_read(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_read_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, S_IFREG) : NULL;
	size_t size, done = 0;
	ssize_t n = 0;

	if (!h)
		return in ? -EBADF : -EINVAL;
	if (in->offset > INT64_MAX || in->size > FSD_MAX_DATA)
		return -EINVAL;
	size = in->size < r->in_len ? in->size : r->in_len;
	while (done < size) {
		size_t n_iov = iov_slice(r->in, r->n_in, sizeof(struct fuse_out_header) + done,
					 size - done, f->iov);

		n = preadv(h->fd, f->iov, (int)n_iov, (off_t)(in->offset + done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (!done && n < 0)
		return -errno;
	r->direct = true;
	return (int)done;
}

static ssize_t write_data(struct fsd *f, const struct fsd_request *r, int fd,
			  const struct fuse_write_in *in)
{
	/* What comes from the page cache has its place, whichever open file it is sent by. */
	int how = in->flags & O_APPEND && !(in->write_flags & FUSE_WRITE_CACHE) ? RWF_APPEND : 0;
	const size_t skip = sizeof(r->h) + sizeof(*in);
	size_t done = 0;
	ssize_t n = 0;

	while (done < in->size) {
		size_t n_iov = iov_slice(r->out, r->n_out, skip + done, in->size - done, f->iov);

		n = pwritev2(fd, f->iov, (int)n_iov, (off_t)(in->offset + done), how);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done || n >= 0 ? (ssize_t)done : -errno;
}

int fsd_write(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_write_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, S_IFREG) : NULL;
	struct fuse_write_out out = {0};
	ssize_t n;

	if (!h)
		return in ? -EBADF : -EINVAL;
	if (in->offset > INT64_MAX || in->size > FSD_MAX_DATA ||
	    in->size > r->h.len - sizeof(r->h) - sizeof(*in))
		return -EINVAL;
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		fsd_fsetid(f, false);
	n = write_data(f, r, h->fd, in);
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		fsd_fsetid(f, true);
	if (n < 0)
		return (int)n;
	out.size = (uint32_t)n;
	return fsd_reply(f, &out, sizeof(out));
}

int fsd_release(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_release_in *in = fsd_take(r, sizeof(*in));
	mode_t type = r->h.opcode == FUSE_RELEASEDIR ? S_IFDIR : S_IFREG;
	struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, type) : NULL;

	if (!h)
		return in ? -EBADF : -EINVAL;
	fsd_handle_close(f, h);
	return 0;
}

/* close(2) is where some file systems (nfs, quotas) tell of writes that failed. */
int fsd_flush(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_flush_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, S_IFREG) : NULL;
	int fd;

	if (!h)
		return in ? -EBADF : -EINVAL;
	fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 || close(fd) < 0 ? -errno : 0;
}

int fsd_fsync(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_fsync_in *in = fsd_take(r, sizeof(*in));
	mode_t type = r->h.opcode == FUSE_FSYNCDIR ? S_IFDIR : S_IFREG;
	const struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, type) : NULL;

	if (!h)
		return in ? -EBADF : -EINVAL;
	if (in->fsync_flags & FUSE_FSYNC_FDATASYNC)
		return fdatasync(h->fd) < 0 ? -errno : 0;
	return fsync(h->fd) < 0 ? -errno : 0;
}

int fsd_syncfs(struct fsd *f, struct fsd_request *r)
{
	CLOSE_FD int fd = fsd_reopen(f, f->root, O_RDONLY);

	(void)r;
	if (fd < 0)
		return fd;
	return syncfs(fd) < 0 ? -errno : 0;
}

int fsd_fallocate(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_fallocate_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, S_IFREG) : NULL;
	const uint32_t known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

	if (!h)
		return in ? -EBADF : -EINVAL;
	if (in->mode & ~known)
		return -EOPNOTSUPP;
	if (in->offset > INT64_MAX || in->length > INT64_MAX)
		return -EINVAL;
	return fallocate(h->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0 ? -errno
											 : 0;
}

int fsd_lseek(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_lseek_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, S_IFREG) : NULL;
	struct fuse_lseek_out out;
	off_t at;

	if (!h)
		return in ? -EBADF : -EINVAL;
	if (in->offset > INT64_MAX || (in->whence != SEEK_DATA && in->whence != SEEK_HOLE))
		return -EINVAL;
	at = lseek(h->fd, (off_t)in->offset, (int)in->whence);
	if (at < 0)
		return -errno;
	out.offset = (uint64_t)at;
	return fsd_reply(f, &out, sizeof(out));
}

int fsd_copy_file_range(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_copy_file_range_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *from = in ? fsd_handle_get(f, in->fh_in, S_IFREG) : NULL;
	const struct fsd_handle *to = in ? fsd_handle_get(f, in->fh_out, S_IFREG) : NULL;
	struct fuse_write_out out = {0};
	off64_t off_in, off_out;
	ssize_t n;

	if (!from || !to)
		return in ? -EBADF : -EINVAL;
	if (in->off_in > INT64_MAX || in->off_out > INT64_MAX || in->flags)
		return -EINVAL;
	off_in = (off64_t)in->off_in;
	off_out = (off64_t)in->off_out;
	n = copy_file_range(from->fd, &off_in, to->fd, &off_out,
			    in->len < MAX_COPY ? in->len : MAX_COPY, 0);
	if (n < 0)
		return -errno;
	out.size = (uint32_t)n;
	return fsd_reply(f, &out, sizeof(out));
}
