/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounts of a configuration: what prepare checks of each, how a target is found, what every
 * kind of mount has in common. The kinds are in mount_bind.c, mount_cgroup.c and mount_typed.c.
 *
 * Targets are resolved inside the root, through whatever earlier mounts put there. Nothing may
 * cover the root itself or the files of /proc but for a list: security labels are written through
 * procfs, and files laid over it have been used to redirect them (CVE-2019-16884).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/rootfs_internal.h"

#define DIR_MODE  0755
#define FILE_MODE 0644

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
static int classify(struct mount_plan *plan, struct err *err)
{
	FREE char *joined = path_join("/", plan->m->destination);

	plan->path = path_clean(joined);
	plan->dest = DEST_ANY;
	if (strcmp(plan->path, "/") == 0)
		return err_set(err, EINVAL, "destination '%s' is the root itself",
			       plan->m->destination);
	if (strcmp(plan->path, "/dev") == 0)
		plan->dest = DEST_DEV;
	else if (strcmp(plan->path, "/proc") == 0)
		plan->dest = DEST_PROC;
	else if (strncmp(plan->path, "/proc/", 6) == 0 &&
		 classify_proc(plan->path + 6, &plan->dest) < 0)
		return err_set(err, EINVAL, "destination '%s' is inside /proc",
			       plan->m->destination);
	return 0;
}

static int check_type(const struct ns_rootfs_state *st, const struct mount_plan *plan,
		      struct err *err)
{
	const struct ns_mount *m = plan->m;

	if (m->idmap || m->idmaps)
		return err_set(err, EINVAL, "id mappings are possible on bind mounts only");
	if (m->flags & MS_REMOUNT)
		return 0;
	if (!m->type || !*m->type)
		return err_set(err, EINVAL, "a mount that is no bind mount needs a type");
	if (plan->dest == DEST_PROC && strcmp(m->type, "proc") != 0)
		return err_set(err, EINVAL, "a mount of type '%s' cannot cover /proc", m->type);
	if (m->tmpcopyup && strcmp(m->type, "tmpfs") != 0)
		return err_set(err, EINVAL, "option 'tmpcopyup' is for tmpfs only");
	if (strcmp(m->type, "cgroup") == 0 && (!st->cfg.cgroups || st->cfg.cgroups->n_dirs == 0))
		return err_set(err, ENOTSUP, "type 'cgroup' needs a host with cgroups");
	return 0;
}

int mount_prepare(struct ns_rootfs_state *st, struct mount_plan *plan, struct err *err)
{
	const struct ns_mount *m = plan->m;
	int rc;

	if (!m->destination || !*m->destination)
		return err_set(err, EINVAL, "destination is empty");
	rc = classify(plan, err);
	if (rc < 0)
		return rc;
	if (!m->bind || (m->flags & MS_REMOUNT))
		return check_type(st, plan, err);
	if (m->tmpcopyup)
		return err_set(err, EINVAL, "option 'tmpcopyup' is for tmpfs only");
	if (plan->dest == DEST_DEV)
		st->dev_bound = true;
	return mount_bind_prepare(st, plan, err);
}

/* ---- targets ---- */

int mount_check_target(const struct ns_rootfs_state *st, int fd, const struct mount_plan *plan,
		       struct err *err)
{
	const char *dest = plan->path;
	struct mount_identity id;
	int rc = mount_identify(st, fd, &id);

	if (rc < 0)
		return err_code(err, -rc, "inspect mount point '%s'", dest);
	if (mount_is_root(st, &id))
		return err_set(err, EINVAL, "destination '%s' leads to the root itself", dest);
	if (st->has_proc && id.dev == st->proc_dev && plan->dest != DEST_PROC &&
	    plan->dest != DEST_PROC_FILE)
		return err_set(err, EINVAL, "destination '%s' leads into /proc", dest);
	return 0;
}

int mount_target(const struct ns_rootfs_state *st, const struct mount_plan *plan, bool is_dir,
		 struct err *err)
{
	CLOSE_FD int fd = path_mountpoint_in(st->root_fd, plan->path, is_dir,
					     is_dir ? DIR_MODE : FILE_MODE, err);
	int rc;

	if (fd < 0)
		return fd;
	rc = mount_check_target(st, fd, plan, err);
	return rc < 0 ? rc : fd_take(&fd);
}

int mount_target_strict(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			struct err *err)
{
	const char *dest = plan->path;
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
	rc = mount_check_target(st, fd, plan, err);
	return rc < 0 ? rc : fd_take(&fd);
}

/* ---- one mount ---- */

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

/* The option "remount": new flags, and data but for binds, for what lies on the destination. */
static int remount(const struct ns_rootfs_state *st, const struct mount_plan *plan, struct err *err)
{
	const struct ns_mount *m = plan->m;
	CLOSE_FD int fd = path_open_in(st->root_fd, plan->path, O_PATH, 0, err);
	uint64_t set, clear;
	int rc;

	if (fd < 0)
		return fd;
	rc = mount_check_target(st, fd, plan, err);
	if (rc < 0)
		return rc;
	if (m->bind) {
		mount_attr_from_flags(m->flags, m->clear_flags, &set, &clear);
		rc = mount_attr_set(st, fd, set, clear, false, err);
	} else {
		rc = mount_classic(st, -1, m->source, fd, m->type, m->flags, m->data);
		if (rc < 0)
			return err_code(err, -rc, "remount '%s'", plan->path);
	}
	if (rc < 0)
		return err_wrap(err, rc, "remount '%s'", plan->path);
	return mount_finish(st, m, fd, err);
}

int mount_one(struct ns_rootfs_state *st, struct mount_plan *plan, struct err *err)
{
	const struct ns_mount *m = plan->m;

	if (m->flags & MS_REMOUNT)
		return remount(st, plan, err);
	if (m->bind)
		return mount_bind(st, plan, err);
	if (strcmp(m->type, "cgroup") == 0)
		return mount_cgroup(st, plan, err);
	return mount_typed(st, plan, err);
}
