/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest reaches files of the host through one server, so everything it may see is mounted into
 * one small tree: what is not mounted there does not exist for it.
 */
#include "runtime/vm_share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int make_target(int dir, const char *name, bool is_dir, struct err *err)
{
	if (is_dir)
		return mkdirat(dir, name, 0755) < 0 ? err_sys(err, "mkdir '%s'", name) : 0;

	CLOSE_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(err, "create '%s'", name) : 0;
}

/* flags: MS_RDONLY, and MS_REC for all that is mounted in source. */
static int bind(int dir, const char *name, const char *source, unsigned long flags, struct err *err)
{
	const unsigned int recursive = flags & MS_REC ? AT_RECURSIVE : 0;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	CLOSE_FD int tree =
		open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	struct stat st;
	int rc;

	if (tree < 0 || fstat(tree, &st) < 0)
		return err_sys(err, "share '%s' with the virtual machine", source);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(err, ENOTSUP,
			       "'%s' is neither a file nor a directory: a virtual machine cannot "
			       "have it",
			       source);
	if ((flags & MS_RDONLY) && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "make the share of '%s' read-only", source);
	rc = make_target(dir, name, S_ISDIR(st.st_mode), err);
	if (rc < 0)
		return rc;
	if (move_mount(tree, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "share '%s' with the virtual machine", source);
	return 0;
}

int vm_share_build(const struct spec *spec, const char *path, struct err *err)
{
	CLOSE_FD int dir = -1;
	int rc;

	/* Nothing mounted here may reach the host; what the host mounts later stays out, too. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make mounts private");
	if (mount("hull", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
		return err_sys(err, "mount tmpfs at '%s'", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open '%s'", path);
	rc = bind(dir, "root", spec->rootfs.path, MS_REC, err);
	if (rc < 0)
		return err_wrap(err, rc, "root.path");
	for (size_t i = 0; i < spec->rootfs.n_mounts; i++) {
		const struct ns_mount *m = &spec->rootfs.mounts[i];
		char name[24];

		if (!m->bind || !m->source)
			continue;
		snprintf(name, sizeof(name), "m%zu", i);
		rc = bind(dir, name, m->source, m->flags, err);
		if (rc < 0)
			return err_wrap(err, rc, "mounts[%zu]", i);
	}
	return fd_take(&dir);
}
