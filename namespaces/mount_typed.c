/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts that have a file system type, cgroup aside. Three are special: a tmpfs takes over mode and
 * owner of the directory it covers, and its contents when asked; sysfs has a substitute for user
 * namespaces; proc and sysfs want a real directory as target, no symlink (CVE-2019-19921,
 * CVE-2023-27561). Whatever the kernel knows otherwise is mounted as it stands.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/rootfs_internal.h"

#define OVERFLOW_UID 65534 /* /proc/sys/kernel/overflowuid by default */

/* ---- tmpfs ---- */

static bool data_has(const char *data, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = data; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, key, len) == 0 && p[len] == '=')
			return true;
	return false;
}

/* The covered directory's mode and owner, as far as the options do not say. */
static void tmpfs_inherit(const struct stat *st, const char *data, struct buf *b)
{
	if (!data_has(data, "mode"))
		buf_addf(b, "mode=%04o,", st->st_mode & 07777);
	if (st->st_uid != 0 && st->st_uid != OVERFLOW_UID && !data_has(data, "uid"))
		buf_addf(b, "uid=%u,", st->st_uid);
	if (st->st_gid != 0 && st->st_gid != OVERFLOW_UID && !data_has(data, "gid"))
		buf_addf(b, "gid=%u,", st->st_gid);
	if (data)
		buf_adds(b, data);
}

/* *ret_covered says whether the directory was there before. */
static int tmpfs_target(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			bool *ret_covered, struct err *err)
{
	CLOSE_FD int fd = path_open_in(st->root_fd, plan->path, O_PATH | O_DIRECTORY, 0, err);
	int rc;

	*ret_covered = fd >= 0;
	if (fd == -ENOENT)
		return mount_target(st, plan, true, err);
	if (fd < 0)
		return fd;
	rc = mount_check_target(st, fd, plan, err);
	return rc < 0 ? rc : fd_take(&fd);
}

static int mount_tmpfs(struct ns_rootfs_state *st, const struct mount_plan *plan,
		       struct mount_fs *fs, struct err *err)
{
	BUF data = BUF_INIT;
	CLOSE_FD int from = -1, target = -1, fd = -1;
	bool covered;
	struct stat sb;
	int rc;

	target = tmpfs_target(st, plan, &covered, err);
	if (target < 0)
		return target;
	if (covered) {
		if (fstat(target, &sb) < 0)
			return err_sys(err, "inspect '%s'", plan->path);
		tmpfs_inherit(&sb, fs->data, &data);
		fs->data = buf_str(&data);
	}
	if (plan->m->tmpcopyup && covered) {
		from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (from < 0)
			return err_sys(err, "open '%s' to copy it", plan->path);
	}
	fd = mount_fs_at(st, fs, target, plan->path, err);
	if (fd < 0 || from < 0)
		return fd_take(&fd);
	rc = copy_up(from, fd, err);
	if (rc < 0)
		return err_wrap(err, rc, "copy '%s' up", plan->path);
	return fd_take(&fd);
}

/* ---- sysfs without a network namespace of one's own ---- */

/* Where mount_setattr(2) is missing: at least the cgroups are out of reach. */
static int cover_cgroups(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			 struct err *err)
{
	const struct mount_fs fs = {
		.type = "tmpfs",
		.source = "tmpfs",
		.flags = MS_RDONLY,
		.data = "nr_blocks=1,nr_inodes=2,mode=755",
	};
	FREE char *path = mem_xprintf("%s/fs/cgroup", plan->path);
	CLOSE_FD int target = path_open_in(st->root_fd, path, O_PATH | O_DIRECTORY, 0, err);
	CLOSE_FD int fd = -1;

	if (target == -ENOENT)
		return 0;
	if (target < 0)
		return target;
	fd = mount_fs_at(st, &fs, target, path, err);
	return fd < 0 ? fd : 0;
}

/*
 * The kernel gives a new sysfs only to the owner of the network namespace; else the host's is
 * shown. What is mounted below it (the host's cgroups) is always read-only: a new sysfs would not
 * have it at all (CVE-2023-25809).
 */
static int sysfs_from_host(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			   int target, struct err *err)
{
	CLOSE_FD int fd = mount_bind_at(st, AT_FDCWD, "/sys", true, target, plan->path, err);
	unsigned long flags = plan->m->flags;
	uint64_t set, clear;
	int rc;

	if (fd < 0)
		return fd;
	rc = mount_attr_set(st, fd, MOUNT_ATTR_RDONLY, 0, true, err);
	if (rc == -ENOSYS || rc == -EPERM)
		rc = cover_cgroups(st, plan, err);
	if (rc < 0)
		return rc;
	mount_attr_from_flags(flags, flags & MS_RDONLY ? 0 : MS_RDONLY, &set, &clear);
	rc = mount_attr_set(st, fd, set, clear, false, err);
	return rc < 0 ? rc : fd_take(&fd);
}

static int mount_sysfs(const struct ns_rootfs_state *st, const struct mount_plan *plan,
		       const struct mount_fs *fs, struct err *err)
{
	CLOSE_FD int target = mount_target_strict(st, plan, err);
	int fd;

	if (target < 0)
		return target;
	if (st->cfg.in_userns && !st->cfg.new_netns)
		return sysfs_from_host(st, plan, target, err);
	fd = mount_fs_at(st, fs, target, plan->path, err);
	/* A network namespace that was joined may belong to another user namespace. */
	if ((fd == -EPERM || fd == -EBUSY) && st->cfg.in_userns)
		return sysfs_from_host(st, plan, target, err);
	return fd;
}

/* ---- all types ---- */

/* mqueue takes no context option; its root gets the label as an attribute instead. */
static int label_mqueue(const struct ns_rootfs_state *st, int mount_fd, struct err *err)
{
	const char *label = st->cfg.mount_label;
	char path[FD_PATH_LEN];

	fd_path(path, mount_fd);
	if (fchdir(st->proc_fd) < 0)
		return err_sys(err, "change to /proc");
	if (setxattr(path, "security.selinux", label, strlen(label) + 1, 0) < 0 && errno != ENOTSUP)
		return err_sys(err, "label mqueue '%s'", label);
	return 0;
}

static bool takes_context(const char *type)
{
	static const char *const without[] = {"proc", "sysfs", "mqueue", "cgroup", "cgroup2"};

	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		if (strcmp(type, without[i]) == 0)
			return false;
	return true;
}

static int mount_by_type(struct ns_rootfs_state *st, const struct mount_plan *plan,
			 struct mount_fs *fs, struct err *err)
{
	CLOSE_FD int target = -1;

	if (strcmp(fs->type, "tmpfs") == 0)
		return mount_tmpfs(st, plan, fs, err);
	if (strcmp(fs->type, "sysfs") == 0)
		return mount_sysfs(st, plan, fs, err);
	if (strcmp(fs->type, "proc") == 0)
		target = mount_target_strict(st, plan, err);
	else
		target = mount_target(st, plan, true, err);
	return target < 0 ? target : mount_fs_at(st, fs, target, plan->path, err);
}

int mount_typed(struct ns_rootfs_state *st, const struct mount_plan *plan, struct err *err)
{
	const struct ns_mount *m = plan->m;
	struct mount_fs fs = {
		.type = m->type,
		.source = m->source,
		.flags = m->flags,
		.data = m->data,
		.label = takes_context(m->type) ? st->cfg.mount_label : NULL,
	};
	/* Others have their mount points in these, and hull its device nodes. */
	bool late =
		(m->flags & MS_RDONLY) && (strcmp(m->type, "tmpfs") == 0 || plan->dest == DEST_DEV);
	CLOSE_FD int fd = -1;
	int rc = 0;

	if (late)
		fs.flags &= ~(unsigned long)MS_RDONLY;
	fd = mount_by_type(st, plan, &fs, err);
	if (fd < 0)
		return fd;
	if (plan->dest == DEST_PROC)
		rc = mount_note_proc(st, fd, err);
	if (rc == 0 && st->cfg.mount_label && strcmp(m->type, "mqueue") == 0)
		rc = label_mqueue(st, fd, err);
	if (rc == 0)
		rc = mount_finish(st, m, fd, err);
	if (rc == 0 && late)
		mount_late_ro(st, fd_take(&fd));
	return rc;
}
