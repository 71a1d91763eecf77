/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maskedPaths and readonlyPaths. A masked file gets the host's /dev/null laid over, whose
 * descriptor is known to be the device 1:3: what an image calls /dev/null may be anything
 * (CVE-2025-31133). A masked directory gets an empty read-only tmpfs. Both are mounted once and
 * then bound again and again: a clone needs a source that lies in the namespace, so the first
 * masked path is the source of the others. A path that does not exist is left out (runtime-spec
 * config-linux.md).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "namespaces/rootfs_internal.h"

static int check_null(int fd, const char *whose, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "inspect %s /dev/null", whose);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(err, ENODEV, "%s /dev/null is not the device 1:3", whose);
	return 0;
}

int masks_prepare(struct ns_rootfs_state *st, struct err *err)
{
	int rc;

	if (st->cfg.n_masked_paths == 0)
		return 0;
	rc = mount_clone(st, AT_FDCWD, "/dev/null", false);
	if (rc == -ENOSYS || rc == -EPERM)
		return 0;
	if (rc < 0)
		return err_code(err, -rc, "clone the host's /dev/null");
	st->null_tree = rc;
	return check_null(st->null_tree, "the host's", err);
}

/* Where the mount API is denied, the container's node serves, once it is known to be the device. */
static int null_classic(struct ns_rootfs_state *st, struct err *err)
{
	int rc;

	st->null_tree = path_open_in(st->root_fd, "/dev/null", O_PATH | O_NOFOLLOW, 0, err);
	if (st->null_tree < 0)
		return st->null_tree;
	rc = check_null(st->null_tree, "the container's", err);
	st->null_used = true;
	return rc;
}

/* Lays the mount *tree over target: itself the first time, clones afterwards. */
static int lay(const struct ns_rootfs_state *st, int tree, bool *used, int target, const char *path,
	       struct err *err)
{
	CLOSE_FD int fd = -1;
	int rc;

	if (!*used) {
		rc = mount_move(tree, target);
		if (rc < 0)
			return err_code(err, -rc, "mask '%s'", path);
		*used = true;
		return 0;
	}
	fd = mount_bind_at(st, tree, "", false, target, path, err);
	return fd < 0 ? fd : 0;
}

static int mask_file(struct ns_rootfs_state *st, int target, const char *path, struct err *err)
{
	int rc;

	if (st->null_tree < 0) {
		rc = null_classic(st, err);
		if (rc < 0)
			return rc;
	}
	return lay(st, st->null_tree, &st->null_used, target, path, err);
}

static int mask_dir(struct ns_rootfs_state *st, int target, const char *path, struct err *err)
{
	const struct mount_fs fs = {
		.type = "tmpfs",
		.source = "tmpfs",
		.flags = MS_RDONLY,
		.data = "nr_blocks=1,nr_inodes=2,mode=755",
		.label = st->cfg.mount_label,
	};

	if (st->empty_tree >= 0)
		return lay(st, st->empty_tree, &st->empty_used, target, path, err);
	st->empty_tree = mount_fs_at(st, &fs, target, path, err);
	st->empty_used = true;
	return st->empty_tree < 0 ? st->empty_tree : 0;
}

/* 1 or 0. A mount on top of the root would change nothing for those who stand on it. */
static int leads_to_root(const struct ns_rootfs_state *st, int fd, const char *path,
			 struct err *err)
{
	struct mount_identity id;
	int rc = mount_identify(st, fd, &id);

	return rc < 0 ? err_code(err, -rc, "inspect '%s'", path) : mount_is_root(st, &id);
}

static int mask_path(struct ns_rootfs_state *st, const char *path, struct err *err)
{
	CLOSE_FD int fd = path_open_in(st->root_fd, path, O_PATH, 0, err);
	struct stat sb;
	int rc;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fd;
	rc = leads_to_root(st, fd, path, err);
	if (rc < 0)
		return rc;
	if (rc == 1)
		return err_set(err, EINVAL, "'%s' is the root itself", path);
	if (fstat(fd, &sb) < 0)
		return err_sys(err, "inspect '%s'", path);
	return S_ISDIR(sb.st_mode) ? mask_dir(st, fd, path, err) : mask_file(st, fd, path, err);
}

/* All that lies below becomes read-only too; without mount_setattr(2) only the mount itself can. */
static int readonly_path(const struct ns_rootfs_state *st, const char *path, struct err *err)
{
	CLOSE_FD int target = path_open_in(st->root_fd, path, O_PATH, 0, err);
	CLOSE_FD int fd = -1;
	int rc;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	rc = leads_to_root(st, target, path, err);
	if (rc < 0)
		return rc;
	fd = rc == 1 ? fd_dup(st->root_fd, err)
		     : mount_bind_at(st, target, "", true, target, path, err);
	if (fd < 0)
		return fd;
	rc = mount_attr_set(st, fd, MOUNT_ATTR_RDONLY, 0, true, err);
	if (rc == -ENOSYS || rc == -EPERM)
		rc = mount_attr_set(st, fd, MOUNT_ATTR_RDONLY, 0, false, err);
	return rc;
}

int masks_apply(struct ns_rootfs_state *st, struct err *err)
{
	int rc;

	for (size_t i = 0; i < st->cfg.n_readonly_paths; i++) {
		rc = readonly_path(st, st->cfg.readonly_paths[i], err);
		if (rc < 0)
			return err_wrap(err, rc, "linux.readonlyPaths[%zu]", i);
	}
	for (size_t i = 0; i < st->cfg.n_masked_paths; i++) {
		rc = mask_path(st, st->cfg.masked_paths[i], err);
		if (rc < 0)
			return err_wrap(err, rc, "linux.maskedPaths[%zu]", i);
	}
	return 0;
}
