/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest reaches files of the host through one server, so everything it may see is mounted into
 * one small tree: what is not mounted there does not exist for it.
 */
#include "runtime/vm_share.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"

static int make_target(int dir, const char *name, bool is_dir, struct err *err)
{
	if (is_dir)
		return mkdirat(dir, name, 0755) < 0 ? err_sys(err, "mkdir '%s'", name) : 0;

	CLOSE_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(err, "create '%s'", name) : 0;
}

static int map_ids(int proc_fd, int tree, const struct ns_mount *m, struct err *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	CLOSE_FD int userns = ns_idmap_userns(proc_fd, m->idmaps, err);
	const unsigned int recursive = m->idmap_recursive ? AT_RECURSIVE : 0;

	if (userns < 0)
		return userns;
	attr.userns_fd = (uint64_t)userns;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)) < 0)
		return err_sys(err, "map the ids of '%s'", m->source);
	return 0;
}

/* The guest is told not to write, too, but here it cannot. */
static int protect(int tree, const struct ns_mount *m, struct err *err)
{
	struct mount_attr top = {0}, all = {0};

	if (m->flags & MS_RDONLY)
		top.attr_set = MOUNT_ATTR_RDONLY;
	if (m->clear_flags & MS_RDONLY)
		top.attr_clr = MOUNT_ATTR_RDONLY;
	all.attr_set = m->rec_set & MOUNT_ATTR_RDONLY;
	all.attr_clr = m->rec_clear & MOUNT_ATTR_RDONLY;
	if (((top.attr_set || top.attr_clr) &&
	     mount_setattr(tree, "", AT_EMPTY_PATH, &top, sizeof(top)) < 0) ||
	    ((all.attr_set || all.attr_clr) &&
	     mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0))
		return err_sys(err, "make the share of '%s' read-only", m->source);
	return 0;
}

static int share(int dir, const char *name, const struct ns_mount *m, int proc_fd, struct err *err)
{
	const unsigned int recursive = m->flags & MS_REC ? AT_RECURSIVE : 0;
	CLOSE_FD int tree = open_tree(AT_FDCWD, m->source,
				      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	struct stat st;
	int rc;

	if (tree < 0 || fstat(tree, &st) < 0)
		return err_sys(err, "share '%s' with the virtual machine", m->source);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(err, ENOTSUP,
			       "'%s' is neither a file nor a directory: a virtual machine cannot "
			       "have it",
			       m->source);
	if ((m->idmaps && (rc = map_ids(proc_fd, tree, m, err)) < 0) ||
	    (rc = protect(tree, m, err)) < 0 ||
	    (rc = make_target(dir, name, S_ISDIR(st.st_mode), err)) < 0)
		return rc;
	if (move_mount(tree, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "share '%s' with the virtual machine", m->source);
	return 0;
}

/* The option "copy-symlink": what the guest makes again at the destination. True when it is one. */
static int share_link(int dir, const char *name, const char *source, struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlink(source, text, sizeof(text));

	if (n < 0 && errno == EINVAL)
		return 0;
	if (n < 0)
		return err_sys(err, "source '%s'", source);
	if ((size_t)n == sizeof(text))
		return err_code(err, ENAMETOOLONG, "source '%s'", source);
	text[n] = '\0';
	return symlinkat(text, dir, name) < 0 ? err_sys(err, "create symlink '%s'", name) : 1;
}

static int share_mount(int dir, size_t i, const struct ns_mount *m, int proc_fd, struct err *err)
{
	char name[24];
	int rc = 0;

	snprintf(name, sizeof(name), "m%zu", i);
	if (m->copy_symlink)
		rc = share_link(dir, name, m->source, err);
	if (rc == 0)
		rc = share(dir, name, m, proc_fd, err);
	return rc < 0 ? err_wrap(err, rc, "mounts[%zu]", i) : 0;
}

int vm_share_build(const struct spec *spec, int proc_fd, const char *path, struct err *err)
{
	const struct ns_mount root = {.source = spec->rootfs.path, .flags = MS_REC};
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
	rc = share(dir, "root", &root, proc_fd, err);
	if (rc < 0)
		return err_wrap(err, rc, "root.path");
	for (size_t i = 0; i < spec->rootfs.n_mounts; i++) {
		const struct ns_mount *m = &spec->rootfs.mounts[i];

		if (!m->bind || !m->source)
			continue;
		rc = share_mount(dir, i, m, proc_fd, err);
		if (rc < 0)
			return rc;
	}
	return fd_take(&dir);
}

uint32_t vm_share_root_flags(const struct spec *spec)
{
	struct statvfs fs;

	if (statvfs(spec->rootfs.path, &fs) < 0)
		return 0;
	/* ST_… and MS_… are the same bits, man 3 statvfs */
	return (uint32_t)fs.f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
}
