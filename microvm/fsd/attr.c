/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes of files and of the file system. Changes go through /proc/self/fd, as most calls refuse
 * an O_PATH descriptor itself (open(2), O_PATH).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/internal.h"

#define NSEC_PER_SEC 1000000000u

/* Files below mounts in the shared directory get inode numbers of their own for find(1) and tar(1). */
uint64_t fsd_ino(struct fsd *f, uint64_t dev, uint64_t ino)
{
	uint32_t i = 0;

	while (i < f->n_devs && f->devs[i] != dev)
		i++;
	if (i == f->n_devs) {
		if (i < ARRAY_SIZE(f->devs))
			f->devs[f->n_devs++] = dev;
		else
			i--;
	}
	return ino ^ (uint64_t)i << 52;
}

void fsd_attr(struct fsd *f, const struct statx *st, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){
		.ino = fsd_ino(f, fsd_dev(st), st->stx_ino),
		.size = st->stx_size,
		.blocks = st->stx_blocks,
		.atime = (uint64_t)st->stx_atime.tv_sec,
		.mtime = (uint64_t)st->stx_mtime.tv_sec,
		.ctime = (uint64_t)st->stx_ctime.tv_sec,
		.atimensec = st->stx_atime.tv_nsec,
		.mtimensec = st->stx_mtime.tv_nsec,
		.ctimensec = st->stx_ctime.tv_nsec,
		.mode = st->stx_mode,
		.nlink = st->stx_nlink,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
		/* new_encode_dev() of the kernel */
		.rdev = (st->stx_rdev_minor & 0xff) | st->stx_rdev_major << 8 |
			(st->stx_rdev_minor & ~0xffu) << 12,
		.blksize = st->stx_blksize,
	};
}

static uint64_t valid_sec(const struct fsd *f)
{
	switch (f->cache) {
	case FSD_CACHE_AUTO:
		return 1;
	case FSD_CACHE_ALWAYS:
		return 24 * 60 * 60;
	case FSD_CACHE_NEVER:
		break;
	}
	return 0;
}

void fsd_entry(struct fsd *f, const struct fsd_node *node, const struct statx *st,
	       struct fuse_entry_out *ret)
{
	*ret = (struct fuse_entry_out){.entry_valid = valid_sec(f), .attr_valid = valid_sec(f)};
	if (!node)
		return; /* there is none, and the guest may remember that */
	ret->nodeid = node->id;
	fsd_attr(f, st, &ret->attr);
}

/* Answers with the attributes of fd, the node's or that of an open file. */
static int reply_attr(struct fsd *f, int fd)
{
	struct fuse_attr_out out = {.attr_valid = valid_sec(f)};
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, FSD_STATX, &st) < 0)
		return -errno;
	fsd_attr(f, &st, &out.attr);
	return fsd_reply(f, &out, sizeof(out));
}

int fsd_getattr(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_getattr_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *h = NULL;
	int fd;

	if (!in)
		return -EINVAL;
	if (in->getattr_flags & FUSE_GETATTR_FH)
		h = fsd_handle_get(f, in->fh, r->node->type);
	fd = h ? h->fd : fsd_node_fd(f, r->node);
	return fd < 0 ? fd : reply_attr(f, fd);
}

static int set_size(struct fsd *f, struct fsd_node *node, const struct fsd_handle *h,
		    const struct fuse_setattr_in *in)
{
	bool as_user = in->valid & FATTR_KILL_SUIDGID;
	CLOSE_FD int opened = -1;
	int rc;

	if (in->size > INT64_MAX)
		return -EINVAL;
	if (!h) {
		opened = fsd_reopen(f, node, O_WRONLY);
		if (opened < 0)
			return opened;
	}
	if (as_user)
		fsd_fsetid(f, false);
	rc = ftruncate(h ? h->fd : opened, (off_t)in->size) < 0 ? -errno : 0;
	if (as_user)
		fsd_fsetid(f, true);
	return rc;
}

static int set_times(struct fsd *f, const char *path, const struct fuse_setattr_in *in)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	if (in->atimensec >= NSEC_PER_SEC || in->mtimensec >= NSEC_PER_SEC)
		return -EINVAL;
	if (in->valid & FATTR_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	else if (in->valid & FATTR_ATIME)
		times[0] = (struct timespec){(time_t)in->atime, in->atimensec};
	if (in->valid & FATTR_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	else if (in->valid & FATTR_MTIME)
		times[1] = (struct timespec){(time_t)in->mtime, in->mtimensec};
	return utimensat(f->proc_fd, path, times, 0) < 0 ? -errno : 0;
}

static int set_owner(const char *path, const struct fsd *f, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	return fchownat(f->proc_fd, path, uid, gid, 0) < 0 ? -errno : 0;
}

int fsd_setattr(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_setattr_in *in = fsd_take(r, sizeof(*in));
	const struct fsd_handle *h = NULL;
	char path[FSD_PROC_NAME];
	int fd, rc = 0;

	if (!in)
		return -EINVAL;
	if (in->valid & FATTR_FH)
		h = fsd_handle_get(f, in->fh, S_IFREG);
	fd = h ? h->fd : fsd_node_fd(f, r->node);
	if (fd < 0)
		return fd;
	(void)fsd_proc_name(path, fd);

	if (in->valid & FATTR_MODE)
		rc = fchmodat(f->proc_fd, path, in->mode & 07777, 0) < 0 ? -errno : 0;
	if (!rc && in->valid & (FATTR_UID | FATTR_GID))
		rc = set_owner(path, f, in);
	if (!rc && in->valid & FATTR_SIZE)
		rc = set_size(f, r->node, h, in);
	if (!rc && in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW))
		rc = set_times(f, path, in);
	return rc < 0 ? rc : reply_attr(f, fd);
}

int fsd_readlink(struct fsd *f, struct fsd_request *r)
{
	int fd = fsd_node_fd(f, r->node);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (r->node->type != S_IFLNK)
		return -EINVAL;
	n = readlinkat(fd, "", (char *)f->reply, PATH_MAX);
	return n < 0 ? -errno : (int)n;
}

int fsd_statfs(struct fsd *f, struct fsd_request *r)
{
	int fd = fsd_node_fd(f, r->node);
	struct fuse_statfs_out out = {0};
	struct statfs st;

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	out.st = (struct fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree,
		.bavail = st.f_bavail,
		.files = st.f_files,
		.ffree = st.f_ffree,
		.bsize = (uint32_t)st.f_bsize,
		.namelen = (uint32_t)st.f_namelen,
		.frsize = (uint32_t)st.f_frsize,
	};
	return fsd_reply(f, &out, sizeof(out));
}

/*
 * Asked only by guests that leave permissions to the server, which Linux does not for virtio-fs. The
 * caller's supplementary groups are not known: the answer is by mode bits of owner, group and others.
 */
int fsd_access(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_access_in *in = fsd_take(r, sizeof(*in));
	uint32_t granted, mask;
	struct statx st;
	int fd;

	if (!in || in->mask & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	mask = in->mask;
	fd = fsd_node_fd(f, r->node);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH, FSD_STATX, &st) < 0)
		return -errno;
	if (mask & W_OK && f->readonly)
		return -EROFS;
	if (r->h.uid == st.stx_uid)
		granted = st.stx_mode >> 6;
	else if (r->h.gid == st.stx_gid)
		granted = st.stx_mode >> 3;
	else
		granted = st.stx_mode;
	if (r->h.uid == 0) /* all but executing what nobody may */
		granted = R_OK | W_OK | (S_ISDIR(st.stx_mode) || st.stx_mode & 0111 ? X_OK : 0);
	return mask & ~granted ? -EACCES : 0;
}
