/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts of type "cgroup" (runtime-spec config-linux.md#cgroups-path; man 7 cgroups).
 *
 * On a host with cgroup2 alone it is one mount at the destination: in a cgroup namespace of its own
 * the container gets the file system itself, which shows its own group as the root; otherwise, or
 * when the kernel refuses, its group's directory is bound. On others it is a tmpfs that holds a bind
 * of the group's directory in each hierarchy, with symlinks for co-mounted controllers; in a cgroup
 * namespace that cannot be told from a mount of the hierarchy and costs half as much. Version 1 is
 * read-only unless "rw" is asked for: a writable release_agent is a way out of the container
 * (CVE-2022-0492). The caller's groups, which a container without its own sees, are always read-only.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "namespaces/rootfs_internal.h"

#define CGROUP_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Puts the hierarchy d on target with flags; returns the mount's descriptor. */
static int mount_dir(const struct ns_rootfs_state *st, const struct ns_cgroup_dir *d,
		     unsigned long flags, const char *data, int target, const char *dest,
		     struct err *err)
{
	bool v2 = *d->options == '\0';
	const struct mount_fs fs = {
		.type = v2 ? "cgroup2" : "cgroup",
		.source = v2 ? "cgroup2" : "cgroup",
		.flags = flags,
		.data = v2 ? data : d->options,
	};
	CLOSE_FD int fd = -1;
	uint64_t set, clear;
	int rc;

	if (st->cfg.new_cgroupns && st->cfg.cgroups->unified) {
		fd = mount_fs_at(st, &fs, target, dest, err);
		if (fd >= 0 || (fd != -EPERM && fd != -EBUSY))
			return fd_take(&fd);
	}
	fd = mount_bind_at(st, AT_FDCWD, d->source, false, target, dest, err);
	if (fd < 0)
		return fd;
	mount_attr_from_flags(flags, 0, &set, &clear);
	rc = mount_attr_set(st, fd, set, clear, false, err);
	return rc < 0 ? rc : fd_take(&fd);
}

static int mount_unified(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			 int target, struct err *err)
{
	const struct ns_cgroup_dir *d = &st->cfg.cgroups->dirs[0];
	const struct ns_mount *m = plan->m;
	CLOSE_FD int fd = mount_dir(st, d, m->flags, m->data, target, plan->path, err);

	return fd < 0 ? fd : mount_finish(st, m, fd, err);
}

static int mount_links(const struct ns_cgroup_dir *d, int tmpfs_fd, struct err *err)
{
	for (const char *const *link = d->links; link && *link; link++)
		if (symlinkat(d->name, tmpfs_fd, *link) < 0 && errno != EEXIST)
			return err_sys(err, "create symlink '%s'", *link);
	return 0;
}

static int mount_hierarchy(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			   const struct ns_cgroup_dir *d, unsigned long flags, int tmpfs_fd,
			   struct err *err)
{
	FREE char *dest = mem_xprintf("%s/%s", plan->path, d->name);
	CLOSE_FD int target = -1, fd = -1;
	int rc;

	if (mkdirat(tmpfs_fd, d->name, 0755) < 0)
		return err_sys(err, "create directory '%s'", dest);
	target = openat(tmpfs_fd, d->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_sys(err, "open directory '%s'", dest);
	fd = mount_dir(st, d, flags, NULL, target, dest, err);
	if (fd < 0)
		return fd;
	rc = mount_links(d, tmpfs_fd, err);
	return rc < 0 ? rc : mount_finish(st, plan->m, fd, err);
}

static int mount_hierarchies(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			     int target, struct err *err)
{
	const struct ns_cgroup_view *view = st->cfg.cgroups;
	const struct ns_mount *m = plan->m;
	const struct mount_fs tmpfs = {
		.type = "tmpfs",
		.source = "tmpfs",
		.flags = CGROUP_FLAGS,
		.data = "mode=755",
		.label = st->cfg.mount_label,
	};
	unsigned long ro = m->clear_flags & MS_RDONLY ? 0 : MS_RDONLY;
	CLOSE_FD int fd = mount_fs_at(st, &tmpfs, target, plan->path, err);
	int rc;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < view->n_dirs; i++) {
		rc = mount_hierarchy(st, plan, &view->dirs[i], m->flags | CGROUP_FLAGS | ro, fd,
				     err);
		if (rc < 0)
			return rc;
	}
	if (ro) {
		rc = mount_attr_set(st, fd, MOUNT_ATTR_RDONLY, 0, false, err);
		if (rc < 0)
			return rc;
	}
	return mount_finish(st, m, fd, err);
}

int mount_cgroup(struct ns_rootfs_state *st, const struct mount_plan *plan, struct err *err)
{
	const struct ns_cgroup_view *view = st->cfg.cgroups;
	CLOSE_FD int target = mount_target(st, plan, true, err);
	struct ns_mount m = *plan->m;
	struct mount_plan p = *plan;

	if (target < 0)
		return target;
	p.m = &m;
	if (view->readonly) {
		m.flags |= MS_RDONLY;
		m.clear_flags &= ~(unsigned long)MS_RDONLY;
		m.rec_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	}
	return view->unified ? mount_unified(st, &p, target, err)
			     : mount_hierarchies(st, &p, target, err);
}
