/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in directories: looking up, making, linking, renaming, removing. A name is one component;
 * the calls used here do not follow a symlink that stands there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "microvm/fsd/internal.h"

const char *fsd_proc_name(char buf[static FSD_PROC_NAME], int fd)
{
	(void)snprintf(buf, FSD_PROC_NAME, "%d", fd);
	return buf;
}

/* Answers with the entry called name. */
static int reply_entry(struct fsd *f, struct fsd_node *dir, const char *name)
{
	struct fuse_entry_out out;
	struct fsd_node *node;
	struct statx st;
	int rc = fsd_node_lookup(f, dir, name, &node, &st);

	if (rc < 0)
		return rc;
	fsd_entry(f, node, &st, &out);
	return fsd_reply(f, &out, sizeof(out));
}

int fsd_lookup(struct fsd *f, struct fsd_request *r)
{
	struct fuse_entry_out none;
	const char *name;
	int rc = fsd_take_name(r, &name);

	if (!rc)
		rc = reply_entry(f, r->node, name);
	/* "nodeid 0" is a name that is known not to exist; only worth it if that will not change */
	if (rc == -ENOENT && f->cache == FSD_CACHE_ALWAYS) {
		fsd_entry(f, NULL, NULL, &none);
		return fsd_reply(f, &none, sizeof(none));
	}
	return rc;
}

int fsd_mknod(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_mknod_in *in = fsd_take(r, sizeof(*in));
	const char *name;
	int fd, rc;

	if (!in)
		return -EINVAL;
	rc = fsd_take_name(r, &name);
	if (rc < 0)
		return rc;
	if (!S_ISREG(in->mode) && !S_ISFIFO(in->mode) && !S_ISSOCK(in->mode))
		return -EPERM; /* a device node would be one of the host's */
	fd = fsd_node_fd(f, r->node);
	if (fd < 0)
		return fd;
	rc = fsd_become(f, r);
	if (rc < 0)
		return rc;
	rc = mknodat(fd, name, in->mode & (S_IFMT | 07777), 0) < 0 ? -errno : 0;
	fsd_return(f);
	return rc < 0 ? rc : reply_entry(f, r->node, name);
}

int fsd_mkdir(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_mkdir_in *in = fsd_take(r, sizeof(*in));
	const char *name;
	int fd, rc;

	if (!in)
		return -EINVAL;
	rc = fsd_take_name(r, &name);
	if (rc < 0)
		return rc;
	fd = fsd_node_fd(f, r->node);
	if (fd < 0)
		return fd;
	rc = fsd_become(f, r);
	if (rc < 0)
		return rc;
	rc = mkdirat(fd, name, in->mode & 07777) < 0 ? -errno : 0;
	fsd_return(f);
	return rc < 0 ? rc : reply_entry(f, r->node, name);
}

int fsd_symlink(struct fsd *f, struct fsd_request *r)
{
	const char *name, *target;
	int fd, rc = fsd_take_name(r, &name);

	if (rc < 0)
		return rc;
	target = fsd_take_string(r);
	if (!target)
		return -EINVAL;
	fd = fsd_node_fd(f, r->node);
	if (fd < 0)
		return fd;
	rc = fsd_become(f, r);
	if (rc < 0)
		return rc;
	rc = symlinkat(target, fd, name) < 0 ? -errno : 0;
	fsd_return(f);
	return rc < 0 ? rc : reply_entry(f, r->node, name);
}

int fsd_link(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_link_in *in = fsd_take(r, sizeof(*in));
	char path[FSD_PROC_NAME];
	struct fsd_node *node;
	const char *name;
	int fd, dir_fd, rc;

	if (!in)
		return -EINVAL;
	node = fsd_id_get(&f->node_ids, in->oldnodeid);
	if (!node)
		return -ESTALE;
	rc = fsd_take_name(r, &name);
	if (!rc)
		rc = fsd_two_fds(f, node, r->node, &fd, &dir_fd);
	if (rc < 0)
		return rc;
	if (linkat(f->proc_fd, fsd_proc_name(path, fd), dir_fd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return reply_entry(f, r->node, name);
}

static int remove_name(struct fsd *f, struct fsd_request *r, int flags)
{
	const char *name;
	int fd, rc = fsd_take_name(r, &name);

	if (rc < 0)
		return rc;
	fsd_node_keep(f, r->node, name);
	fd = fsd_node_fd(f, r->node);
	if (fd < 0)
		return fd;
	return unlinkat(fd, name, flags) < 0 ? -errno : 0;
}

int fsd_unlink(struct fsd *f, struct fsd_request *r)
{
	return remove_name(f, r, 0);
}

int fsd_rmdir(struct fsd *f, struct fsd_request *r)
{
	return remove_name(f, r, AT_REMOVEDIR);
}

static int rename_to(struct fsd *f, struct fsd_request *r, uint64_t new_id, uint32_t flags)
{
	struct fsd_node *dir = fsd_id_get(&f->node_ids, new_id);
	const char *old_name, *new_name;
	int old_fd, new_fd, rc;

	if (!dir)
		return -ESTALE;
	/* RENAME_WHITEOUT leaves a device node behind. */
	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	rc = fsd_take_name(r, &old_name);
	if (!rc)
		rc = fsd_take_name(r, &new_name);
	if (rc < 0)
		return rc;
	if (!(flags & RENAME_EXCHANGE))
		fsd_node_keep(f, dir, new_name);
	rc = fsd_two_fds(f, r->node, dir, &old_fd, &new_fd);
	if (rc < 0)
		return rc;
	if (renameat2(old_fd, old_name, new_fd, new_name, flags) < 0)
		return -errno;
	fsd_node_moved(f, dir, new_name);
	if (flags & RENAME_EXCHANGE)
		fsd_node_moved(f, r->node, old_name);
	return 0;
}

int fsd_rename(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_rename_in *in = fsd_take(r, sizeof(*in));

	return in ? rename_to(f, r, in->newdir, 0) : -EINVAL;
}

int fsd_rename2(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_rename2_in *in = fsd_take(r, sizeof(*in));

	return in ? rename_to(f, r, in->newdir, in->flags) : -EINVAL;
}
