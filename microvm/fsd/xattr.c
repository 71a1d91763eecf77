/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended attributes, by path in /proc/self/fd, the working directory: there is no call for O_PATH
 * descriptors. POSIX ACLs are hidden, as the guest could not enforce them; so are labels of the
 * host's security modules. File capabilities are served.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>

#include "microvm/fsd/internal.h"

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool hidden(const char *name)
{
	return starts_with(name, "system.") ||
	       (starts_with(name, "security.") && strcmp(name, "security.capability"));
}

static int take_xattr_name(struct fsd_request *r, const char **ret)
{
	const char *name = fsd_take_string(r);

	if (!name || !*name)
		return -EINVAL;
	if (strlen(name) > XATTR_NAME_MAX)
		return -ERANGE;
	*ret = name;
	return hidden(name) ? -EOPNOTSUPP : 0;
}

/* The node's path. */
static int node_path(struct fsd *f, struct fsd_request *r, char path[static FSD_PROC_NAME])
{
	int fd = fsd_node_fd(f, r->node);

	if (fd < 0)
		return fd;
	(void)fsd_proc_name(path, fd);
	return 0;
}

/* Answers with n bytes in f->reply, or only with their number when the guest asks for that. */
static int reply_sized(struct fsd *f, ssize_t n, uint32_t size)
{
	struct fuse_getxattr_out out = {.size = (uint32_t)n};

	if (!size)
		return fsd_reply(f, &out, sizeof(out));
	return (size_t)n > size ? -ERANGE : (int)n;
}

int fsd_getxattr(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_getxattr_in *in = fsd_take(r, sizeof(*in));
	char path[FSD_PROC_NAME];
	const char *name;
	ssize_t n;
	int rc;

	if (!in)
		return -EINVAL;
	rc = take_xattr_name(r, &name);
	if (!rc)
		rc = node_path(f, r, path);
	if (rc < 0)
		return rc;
	n = getxattr(path, name, f->reply, FSD_MAX_REPLY);
	return n < 0 ? -errno : reply_sized(f, n, in->size);
}

int fsd_listxattr(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_getxattr_in *in = fsd_take(r, sizeof(*in));
	char *names = (char *)f->reply;
	char path[FSD_PROC_NAME];
	size_t from, to = 0, len;
	ssize_t n;
	int rc;

	if (!in)
		return -EINVAL;
	rc = node_path(f, r, path);
	if (rc < 0)
		return rc;
	n = listxattr(path, names, FSD_MAX_REPLY);
	if (n < 0)
		return -errno;
	for (from = 0; from < (size_t)n; from += len) {
		len = strlen(names + from) + 1;
		if (hidden(names + from))
			continue;
		memmove(names + to, names + from, len);
		to += len;
	}
	return reply_sized(f, (ssize_t)to, in->size);
}

int fsd_setxattr(struct fsd *f, struct fsd_request *r)
{
	/* Without FUSE_SETXATTR_EXT the struct ends behind its first two members. */
	const struct {
		uint32_t size, flags;
	} *in = fsd_take(r, FUSE_COMPAT_SETXATTR_IN_SIZE);
	char path[FSD_PROC_NAME];
	const char *name;
	const void *value;
	int rc;

	if (!in || in->flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	rc = take_xattr_name(r, &name);
	if (rc < 0)
		return rc;
	value = fsd_take(r, in->size);
	if (!value)
		return -EINVAL;
	rc = node_path(f, r, path);
	if (rc < 0)
		return rc;
	return setxattr(path, name, value, in->size, (int)in->flags) < 0 ? -errno : 0;
}

int fsd_removexattr(struct fsd *f, struct fsd_request *r)
{
	char path[FSD_PROC_NAME];
	const char *name;
	int rc = take_xattr_name(r, &name);

	if (!rc)
		rc = node_path(f, r, path);
	if (rc < 0)
		return rc;
	return removexattr(path, name) < 0 ? -errno : 0;
}
