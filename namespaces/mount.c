/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounts of a configuration, one after the other: what prepare checks of each, how a target is
 * found, and every type but binds (mount_bind.c) and cgroups (mount_cgroup.c).
 *
 * Targets are resolved inside the root, through whatever earlier mounts put there. Nothing may
 * cover the root itself or the files of /proc but for a list: security labels are written through
 * procfs, and files laid over it have been used to redirect them (CVE-2019-16884). The file systems
 * proc and sysfs want a real directory as target, no symlink (CVE-2019-19921, CVE-2023-27561).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/rootfs_internal.h"

#define DIR_MODE     0755
#define FILE_MODE    0644
#define OVERFLOW_UID 65534 /* /proc/sys/kernel/overflowuid by default */

/* Files of /proc that lxcfs and its like may replace. */
static const char *const proc_files[] = {
	"cpuinfo",
	"diskstats",
	"loadavg",
	"meminfo",
	"slabinfo",
	"stat",
	"swaps",
	"uptime",
	"sys/crypto/fips_enabled",
	"sys/kernel/ns_last_pid",
};

/* ---- checks without side effects ---- */

static int classify_proc(const char *below, enum mount_dest *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++) {
		if (strcmp(below, proc_files[i]) == 0) {
			*ret = DEST_PROC_FILE;
			return 0;
		}
	}
	return -EINVAL;
}

/* A relative destination counts from "/" (runtime-spec config.md#mounts). */
static int classify(const char *destination, enum mount_dest *ret, struct err *err)
{
	FREE char *joined = path_join("/", destination);
	FREE char *clean = path_clean(joined);

	*ret = DEST_ANY;
	if (strcmp(clean, "/") == 0)
		return err_set(err, EINVAL, "destination '%s' is the root itself", destination);
	if (strcmp(clean, "/dev") == 0)
		*ret = DEST_DEV;
	else if (strcmp(clean, "/proc") == 0)
		*ret = DEST_PROC;
	else if (strncmp(clean, "/proc/", 6) == 0 && classify_proc(clean + 6, ret) < 0)
		return err_set(err, EINVAL, "destination '%s' is inside /proc", destination);
	return 0;
}

static int check_type(const struct ns_rootfs_state *st, const struct ns_mount *m,
		      enum mount_dest dest, struct err *err)
{
	if (m->idmap || m->idmaps)
		return err_set(err, EINVAL, "id mappings are possible on bind mounts only");
	if (m->flags & MS_REMOUNT)
		return 0;
	if (!m->type || !*m->type)
		return err_set(err, EINVAL, "a mount that is no bind mount needs a type");
	if (dest == DEST_PROC && strcmp(m->type, "proc") != 0)
		return err_set(err, EINVAL, "a mount of type '%s' cannot cover /proc", m->type);
	if (m->tmpcopyup && strcmp(m->type, "tmpfs") != 0)
		return err_set(err, EINVAL, "option 'tmpcopyup' is for tmpfs only");
	if (strcmp(m->type, "cgroup") == 0 && (!st->cfg.cgroups || st->cfg.cgroups->n_dirs == 0))
		return err_set(err, ENOTSUP, "type 'cgroup' needs a container with cgroups");
	return 0;
}

int mount_prepare(struct ns_rootfs_state *st, size_t i, struct err *err)
{
	const struct ns_mount *m = &st->cfg.mounts[i];
	struct mount_plan *plan = &st->plans[i];
	int rc;

	if (!m->destination || !*m->destination)
		return err_set(err, EINVAL, "destination is empty");
	rc = classify(m->destination, &plan->dest, err);
	if (rc < 0)
		return rc;
	if (!m->bind)
		return check_type(st, m, plan->dest, err);
	if (m->tmpcopyup)
		return err_set(err, EINVAL, "option 'tmpcopyup' is for tmpfs only");
	if (plan->dest == DEST_DEV)
		st->dev_bound = true;
	return mount_bind_prepare(st, i, err);
}

/* ---- targets ---- */

/* Refuses what the lexical checks cannot see: symlinks of the image to "/" and into /proc. */
static int check_target(const struct ns_rootfs_state *st, int fd, enum mount_dest kind,
			const char *dest, struct err *err)
{
	struct statx sx;
	dev_t dev;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_MNT_ID, &sx) < 0)
		return err_sys(err, "inspect mount point '%s'", dest);
	dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	if (sx.stx_ino == st->root_ino && dev == st->root_dev &&
	    (!(sx.stx_mask & STATX_MNT_ID) || sx.stx_mnt_id == st->root_mnt))
		return err_set(err, EINVAL, "destination '%s' leads to the root itself", dest);
	if (st->has_proc && dev == st->proc_dev && kind != DEST_PROC && kind != DEST_PROC_FILE)
		return err_set(err, EINVAL, "destination '%s' leads into /proc", dest);
	return 0;
}

int mount_target(const struct ns_rootfs_state *st, enum mount_dest kind, const char *dest,
		 bool is_dir, struct err *err)
{
	CLOSE_FD int fd =
		path_mountpoint_in(st->root_fd, dest, is_dir, is_dir ? DIR_MODE : FILE_MODE, err);
	int rc;

	if (fd < 0)
		return fd;
	rc = check_target(st, fd, kind, dest, err);
	return rc < 0 ? rc : fd_take(&fd);
}

/* The target of proc and sysfs: no symlink as last component. */
static int strict_target(const struct ns_rootfs_state *st, enum mount_dest kind, const char *dest,
			 struct err *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
	struct err why = ERR_INIT;
	CLOSE_FD int fd = path_open_in(st->root_fd, dest, flags, 0, &why);
	int rc;

	if (fd == -ENOENT) {
		CLOSE_FD int made = path_mkdir_in(st->root_fd, dest, DIR_MODE, err);

		if (made < 0)
			return made;
		fd = path_open_in(st->root_fd, dest, flags, 0, &why);
	}
	if (fd == -ENOTDIR || fd == -ELOOP)
		return err_set(err, ENOTDIR, "'%s' in the root is not an ordinary directory", dest);
	if (fd < 0)
		return err_set(err, -fd, "%s", why.msg);
	rc = check_target(st, fd, kind, dest, err);
	return rc < 0 ? rc : fd_take(&fd);
}

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
static int tmpfs_target(const struct ns_rootfs_state *st, enum mount_dest kind, const char *dest,
			bool *ret_covered, struct err *err)
{
	CLOSE_FD int fd = path_open_in(st->root_fd, dest, O_PATH | O_DIRECTORY, 0, err);
	int rc;

	if (fd == -ENOENT) {
		*ret_covered = false;
		return mount_target(st, kind, dest, true, err);
	}
	if (fd < 0)
		return fd;
	rc = check_target(st, fd, kind, dest, err);
	if (rc < 0)
		return rc;
	*ret_covered = true;
	return fd_take(&fd);
}

static int mount_tmpfs(struct ns_rootfs_state *st, const struct ns_mount *m, struct mount_fs *fs,
		       enum mount_dest kind, struct err *err)
{
	BUF data = BUF_INIT;
	CLOSE_FD int from = -1, target = -1, fd = -1;
	bool covered;
	struct stat sb;
	int rc;

	target = tmpfs_target(st, kind, m->destination, &covered, err);
	if (target < 0)
		return target;
	if (covered) {
		if (fstat(target, &sb) < 0)
			return err_sys(err, "inspect '%s'", m->destination);
		tmpfs_inherit(&sb, fs->data, &data);
		fs->data = buf_str(&data);
	}
	if (m->tmpcopyup && covered) {
		from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (from < 0)
			return err_sys(err, "open '%s' to copy it", m->destination);
	}
	fd = mount_fs_at(st, fs, target, m->destination, err);
	if (fd < 0 || from < 0)
		return fd < 0 ? fd : fd_take(&fd);
	rc = copy_up(from, fd, err);
	if (rc < 0)
		return err_wrap(err, rc, "copy '%s' up", m->destination);
	return fd_take(&fd);
}

/* ---- sysfs without a network namespace of one's own ---- */

/*
 * The kernel gives a new sysfs only to the owner of the network namespace; else the host's is
 * shown. What is mounted below it (the host's cgroups) is always read-only: a new sysfs would not
 * have it at all (CVE-2023-25809).
 */
static int sysfs_from_host(const struct ns_rootfs_state *st, const struct ns_mount *m, int target,
			   struct err *err)
{
	CLOSE_FD int fd = mount_bind_at(st, AT_FDCWD, "/sys", true, target, m->destination, err);
	uint64_t set, clear;
	int rc;

	if (fd < 0)
		return fd;
	rc = mount_attr_set(st, fd, MOUNT_ATTR_RDONLY, 0, true, err);
	if (rc < 0)
		return rc;
	mount_attr_from_flags(m->flags, m->flags & MS_RDONLY ? 0 : MS_RDONLY, &set, &clear);
	rc = mount_attr_set(st, fd, set, clear, false, err);
	return rc < 0 ? rc : fd_take(&fd);
}

static int mount_sysfs(const struct ns_rootfs_state *st, const struct ns_mount *m,
		       const struct mount_fs *fs, int target, struct err *err)
{
	int fd = mount_fs_at(st, fs, target, m->destination, err);

	if ((fd == -EPERM || fd == -EBUSY) && st->cfg.in_userns && !st->cfg.new_netns)
		return sysfs_from_host(st, m, target, err);
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

static int mount_by_type(struct ns_rootfs_state *st, const struct ns_mount *m, struct mount_fs *fs,
			 enum mount_dest kind, struct err *err)
{
	CLOSE_FD int target = -1;

	if (strcmp(m->type, "tmpfs") == 0)
		return mount_tmpfs(st, m, fs, kind, err);
	if (strcmp(m->type, "proc") == 0 || strcmp(m->type, "sysfs") == 0)
		target = strict_target(st, kind, m->destination, err);
	else
		target = mount_target(st, kind, m->destination, true, err);
	if (target < 0)
		return target;
	if (strcmp(m->type, "sysfs") == 0)
		return mount_sysfs(st, m, fs, target, err);
	return mount_fs_at(st, fs, target, m->destination, err);
}

int mount_finish(const struct ns_rootfs_state *st, const struct ns_mount *m, int mount_fd,
		 struct err *err)
{
	int rc;

	if (m->rec_set || m->rec_clear) {
		rc = mount_attr_set(st, mount_fd, m->rec_set, m->rec_clear, true, err);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < m->n_propagation; i++) {
		rc = mount_propagate(st, mount_fd, m->propagation[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void mount_late_ro(struct ns_rootfs_state *st, int mount_fd)
{
	st->late_ro = mem_xrealloc(st->late_ro, st->n_late_ro + 1, sizeof(*st->late_ro));
	st->late_ro[st->n_late_ro++] = mount_fd;
}

int mount_note_proc(struct ns_rootfs_state *st, int mount_fd, struct err *err)
{
	struct stat sb;

	if (fstat(mount_fd, &sb) < 0)
		return err_sys(err, "inspect '/proc'");
	st->has_proc = true;
	st->proc_dev = sb.st_dev;
	return 0;
}

static int mount_typed(struct ns_rootfs_state *st, const struct ns_mount *m, enum mount_dest kind,
		       struct err *err)
{
	struct mount_fs fs = {
		.type = m->type,
		.source = m->source,
		.flags = m->flags,
		.data = m->data,
		.label = takes_context(m->type) ? st->cfg.mount_label : NULL,
	};
	/* Others have their mount points in these, and hull its device nodes. */
	bool late = (m->flags & MS_RDONLY) && (strcmp(m->type, "tmpfs") == 0 || kind == DEST_DEV);
	CLOSE_FD int fd = -1;
	int rc = 0;

	if (late)
		fs.flags &= ~(unsigned long)MS_RDONLY;
	fd = mount_by_type(st, m, &fs, kind, err);
	if (fd < 0)
		return fd;
	if (kind == DEST_PROC)
		rc = mount_note_proc(st, fd, err);
	if (rc == 0 && st->cfg.mount_label && strcmp(m->type, "mqueue") == 0)
		rc = label_mqueue(st, fd, err);
	if (rc == 0)
		rc = mount_finish(st, m, fd, err);
	if (rc == 0 && late)
		mount_late_ro(st, fd_take(&fd));
	return rc;
}

/* The option "remount": new flags and data for what already lies on the destination. */
static int remount(const struct ns_rootfs_state *st, const struct ns_mount *m, struct err *err)
{
	CLOSE_FD int fd = path_open_in(st->root_fd, m->destination, O_PATH, 0, err);
	int rc;

	if (fd < 0)
		return fd;
	rc = check_target(st, fd, st->plans[m - st->cfg.mounts].dest, m->destination, err);
	if (rc < 0)
		return rc;
	rc = mount_classic(st, -1, m->source, fd, m->type, m->flags, m->data);
	if (rc < 0)
		return err_code(err, -rc, "remount '%s'", m->destination);
	return mount_finish(st, m, fd, err);
}

int mount_one(struct ns_rootfs_state *st, size_t i, struct err *err)
{
	const struct ns_mount *m = &st->cfg.mounts[i];

	if (m->bind)
		return mount_bind(st, i, err);
	if (m->flags & MS_REMOUNT)
		return remount(st, m, err);
	if (strcmp(m->type, "cgroup") == 0)
		return mount_cgroup(st, m, err);
	return mount_typed(st, m, st->plans[i].dest, err);
}
