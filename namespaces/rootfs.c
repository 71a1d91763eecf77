/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container's root file system, from the directory on the host to the sealed "/" of its mount
 * namespace: prepare (parent), mount, pivot, seal (child); man 2 pivot_root, man 7
 * mount_namespaces, runtime-spec config-linux.md.
 *
 * The root is a recursive clone of the host's directory, moved over that very directory, so that
 * hooks find it there. pivot_root(".", ".") puts the old root on top of the new one without a
 * directory for it, and detaching it takes the host's mounts out of sight.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "namespaces/rootfs_internal.h"

/* ---- prepare ---- */

/* Without trailing slashes, behind which the kernel would follow a symlink. Caller frees. */
static char *strip_slashes(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return mem_xstrndup(path, len);
}

static int root_open(const char *path, struct err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0)
		return fd;
	if (errno == ENOTDIR && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(err, ELOOP, "root.path: '%s' is a symlink", path);
	return err_sys(err, "root.path: open '%s'", path);
}

/* Takes the identity of fd, so that it is known again, and as a target that must not be covered. */
static int root_identify(struct ns_rootfs_state *st, int fd, struct err *err)
{
	int rc = mount_identify(st, fd, &st->root_id);

	return rc < 0 ? err_code(err, -rc, "root.path: inspect '%s'", st->root_path) : 0;
}

/* What needs mounts cannot be had in the caller's mount namespace. */
static int check_no_mounts(const struct ns_rootfs *cfg, struct err *err)
{
	const struct {
		bool given;
		const char *name;
	} asked[] = {
		{cfg->n_mounts > 0, "mounts"},
		{cfg->n_masked_paths > 0, "linux.maskedPaths"},
		{cfg->n_readonly_paths > 0, "linux.readonlyPaths"},
		{cfg->readonly, "root.readonly"},
		{cfg->propagation != 0, "linux.rootfsPropagation"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		if (asked[i].given)
			return err_set(err, EINVAL,
				       "%s: needs a mount namespace of the container's own",
				       asked[i].name);
	return 0;
}

static int check_label(const struct ns_rootfs *cfg, struct err *err)
{
	struct statfs fs;

	if (cfg->mount_label && (statfs("/sys/fs/selinux", &fs) < 0 || fs.f_type != SELINUX_MAGIC))
		return err_set(err, EOPNOTSUPP,
			       "linux.mountLabel '%s': SELinux is not enabled on this host",
			       cfg->mount_label);
	return 0;
}

static int prepare_mounts(struct ns_rootfs_state *st, struct err *err)
{
	for (size_t i = 0; i < st->cfg.n_mounts; i++) {
		int rc = mount_prepare(st, &st->plans[i], err);

		if (rc < 0)
			return err_wrap(err, rc, "mounts[%zu]", i);
	}
	return 0;
}

/* A user namespace may not be able to reach the root's parent directories. */
static int prepare_root_tree(struct ns_rootfs_state *st, struct err *err)
{
	st->root_tree = mount_tree_prepare(st, st->root_path, true);
	if (st->root_tree == -ENOSYS || st->root_tree == -EPERM)
		st->root_tree = -1;
	else if (st->root_tree < 0)
		return err_code(err, -st->root_tree, "root.path: clone '%s'", st->root_path);
	return 0;
}

static int prepare(struct ns_rootfs_state *st, struct err *err)
{
	const struct ns_rootfs *cfg = &st->cfg;
	int rc;

	st->root_fd = root_open(st->root_path, err);
	if (st->root_fd < 0)
		return st->root_fd;
	rc = root_identify(st, st->root_fd, err);
	if (rc < 0)
		return rc;
	if (!cfg->new_mount_ns)
		return check_no_mounts(cfg, err);
	if (cfg->no_pivot && (cfg->propagation & MS_PRIVATE))
		return err_set(err, EINVAL,
			       "linux.rootfsPropagation: private is not safe without pivot_root");
	rc = check_label(cfg, err);
	if (rc == 0)
		rc = prepare_mounts(st, err);
	if (rc == 0 && cfg->in_userns)
		rc = prepare_root_tree(st, err);
	if (rc == 0 && cfg->in_userns && cfg->userns_maps)
		rc = device_nodes_prepare(st, err);
	return rc;
}

int ns_rootfs_prepare(const struct ns_rootfs *cfg, int proc_fd, struct ns_rootfs_state **ret,
		      struct err *err)
{
	struct ns_rootfs_state *st = mem_xalloc(sizeof(*st));
	const char *denied = secure_getenv("HULL_NO_MOUNT_API");
	int rc;

	st->cfg = *cfg;
	st->root_path = strip_slashes(cfg->path);
	st->proc_fd = proc_fd;
	st->no_mount_api = denied && strcmp(denied, "1") == 0;
	st->root_fd = st->root_tree = st->dev_fd = st->nodes_fd = -1;
	st->null_tree = st->empty_tree = st->userns_fd = -1;
	st->plans = mem_xcalloc(cfg->n_mounts, sizeof(*st->plans));
	for (size_t i = 0; i < cfg->n_mounts; i++)
		st->plans[i] = (struct mount_plan){.m = &cfg->mounts[i], .tree = -1};
	rc = prepare(st, err);
	if (rc < 0) {
		ns_rootfs_free(st);
		return rc;
	}
	*ret = st;
	return 0;
}

void ns_rootfs_free(struct ns_rootfs_state *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < st->cfg.n_mounts; i++) {
		fd_close(st->plans[i].tree);
		free(st->plans[i].path);
		free(st->plans[i].link);
	}
	for (size_t i = 0; i < st->n_late_ro; i++)
		fd_close(st->late_ro[i]);
	free(st->plans);
	free(st->root_path);
	free(st->late_ro);
	fd_close(st->root_fd);
	fd_close(st->root_tree);
	fd_close(st->dev_fd);
	fd_close(st->nodes_fd);
	fd_close(st->null_tree);
	fd_close(st->empty_tree);
	fd_close(st->userns_fd);
	free(st);
}

/* ---- mount ---- */

/*
 * What the container's mounts start with. An unbindable root must be bound first and only becomes
 * unbindable in the end.
 */
static unsigned long first_propagation(unsigned long asked)
{
	if (!asked)
		return MS_SLAVE | MS_REC;
	return asked & MS_UNBINDABLE ? MS_PRIVATE | (asked & MS_REC) : asked;
}

static bool leaves_nothing_shared(unsigned long propagation)
{
	return (propagation & MS_REC) && !(propagation & MS_SHARED);
}

static int set_propagation(unsigned long how, struct err *err)
{
	if (mount(NULL, "/", NULL, how, NULL) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(err, EINVAL,
			       "set the propagation of '/': not a mount point, as in a chroot");
	return err_sys(err, "set the propagation of '/'");
}

/* To the root of the whole mount namespace (man 2 setns; the kernel's mntns_install). */
static int enter_whole(const struct ns_rootfs_state *st, struct err *err)
{
	CLOSE_FD int own = openat(st->proc_fd, "self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return err_sys(err, "open the mount namespace");
	return setns(own, CLONE_NEWNS) < 0 ? err_sys(err, "enter the mount namespace") : 0;
}

/*
 * In a chroot "/" is a part of the mount namespace only. Pivoted there, the container's root would
 * be one, too, with the host's around it: for exec, which begins at the root of the namespace it
 * joins, and for whoever inside may do so. So pivot_root is called from outside the chroot. What is
 * mounted there is cut off from the host here, and paths are the chroot's again until then.
 */
static int look_outside(struct ns_rootfs_state *st, struct err *err)
{
	CLOSE_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLOSE_FD int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLOSE_FD int whole = -1;
	struct mount_identity inside, outside;
	int rc;

	if (root < 0 || cwd < 0)
		return err_sys(err, "open '/'");
	rc = enter_whole(st, err);
	if (rc < 0)
		return rc;
	whole = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (whole < 0)
		return err_sys(err, "open '/'");
	if ((rc = mount_identify(st, root, &inside)) < 0 ||
	    (rc = mount_identify(st, whole, &outside)) < 0)
		return err_code(err, -rc, "inspect '/'");
	st->in_chroot =
		inside.mnt != outside.mnt || inside.dev != outside.dev || inside.ino != outside.ino;
	if (st->in_chroot) {
		if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
			return err_sys(err, "set the propagation of what is outside the chroot");
		if (fchdir(root) < 0 || chroot(".") < 0)
			return err_sys(err, "enter the chroot again");
	}
	return fchdir(cwd) < 0 ? err_sys(err, "change to the working directory") : 0;
}

/*
 * Nothing that is mounted from here on may reach the host. pivot_root(2) wants the mount that
 * holds the root, and a clone of it, not to be shared; where it still is, it is found upwards.
 */
static int isolate(struct ns_rootfs_state *st, struct err *err)
{
	unsigned long how = first_propagation(st->cfg.propagation);
	unsigned long parent = how & MS_SLAVE ? MS_SLAVE : MS_PRIVATE;
	FREE char *p = mem_xstrdup(st->root_path);
	char *slash;
	int rc = look_outside(st, err);

	if (rc == 0)
		rc = set_propagation(how, err);
	if (rc < 0)
		return rc;
	if (leaves_nothing_shared(how))
		return 0;
	while (mount(NULL, p, NULL, parent, NULL) < 0) {
		slash = strrchr(p, '/');
		/* Not the root of a mount, or out of a user namespace's reach: go up. */
		if ((errno != EINVAL && errno != EACCES) || !slash || p[1] == '\0')
			return err_sys(err, "set the propagation of the mount below '%s'",
				       st->root_path);
		slash[slash == p ? 1 : 0] = '\0';
	}
	return 0;
}

/* The clone that the parent made goes on the root's path, or on "/" when that cannot be reached. */
static int attach_tree(struct ns_rootfs_state *st, struct err *err)
{
	const char *path = st->root_path;

	if (move_mount(st->root_tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return fd_take(&st->root_tree);
	if (errno != EACCES)
		return err_sys(err, "root.path: mount '%s'", path);
	if (mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(err, "set the propagation of '/'");
	if (move_mount(st->root_tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "root.path: mount '%s' on '/'", path);
	return fd_take(&st->root_tree);
}

static int attach_own(const struct ns_rootfs_state *st, struct err *err)
{
	const char *path = st->root_path;
	CLOSE_FD int dir = root_open(path, err);
	CLOSE_FD int fd = -1;
	struct stat sb;

	if (dir < 0)
		return dir;
	if (fstat(dir, &sb) < 0)
		return err_sys(err, "root.path: inspect '%s'", path);
	if (sb.st_dev != st->root_id.dev || sb.st_ino != st->root_id.ino)
		return err_set(err, EXDEV, "root.path: '%s' was replaced meanwhile", path);
	fd = mount_clone(st, dir, "", true);
	if (fd >= 0 && mount_move(fd, dir) == 0)
		return fd_take(&fd);
	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(err, "root.path: bind '%s'", path);
	return root_open(path, err);
}

static int attach_root(struct ns_rootfs_state *st, struct err *err)
{
	const struct mount_identity was = st->root_id;
	int fd, rc;

	fd = st->root_tree >= 0 ? attach_tree(st, err) : attach_own(st, err);
	if (fd < 0)
		return fd;
	fd_replace(&st->root_fd, fd);
	rc = root_identify(st, fd, err);
	if (rc < 0)
		return rc;
	if (was.dev != st->root_id.dev || was.ino != st->root_id.ino)
		return err_set(err, EXDEV, "root.path: '%s' was replaced meanwhile", st->root_path);
	return 0;
}

static int mount_all(struct ns_rootfs_state *st, struct err *err)
{
	int rc;

	for (size_t i = 0; i < st->cfg.n_mounts; i++) {
		rc = mount_one(st, &st->plans[i], err);
		if (rc < 0)
			return err_wrap(err, rc, "mounts[%zu]", i);
	}
	rc = dev_setup(st, err);
	return rc < 0 ? rc : masks_prepare(st, err);
}

int ns_rootfs_mount(struct ns_rootfs_state *st, struct err *err)
{
	mode_t old;
	int rc;

	if (!st->cfg.new_mount_ns)
		return 0;
	rc = isolate(st, err);
	if (rc == 0)
		rc = attach_root(st, err);
	if (rc < 0)
		return rc;
	/* The modes of nodes and mount points are as they are written here. */
	old = umask(0);
	rc = mount_all(st, err);
	umask(old);
	if (rc < 0)
		return rc;
	return fchdir(st->root_fd) < 0 ? err_sys(err, "change to the root") : 0;
}

/* ---- pivot ---- */

static int pivot(const struct ns_rootfs_state *st, struct err *err)
{
	CLOSE_FD int old = -1;

	if (st->in_chroot) {
		int rc = enter_whole(st, err);

		if (rc < 0)
			return rc;
	}
	/* Where "/" is shared, detaching the old root would unmount things on the host. */
	if (!leaves_nothing_shared(first_propagation(st->cfg.propagation))) {
		old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (old < 0)
			return err_sys(err, "open '/'");
	}
	if (fchdir(st->root_fd) < 0)
		return err_sys(err, "change to the root");
	if (sys_pivot_root(".", ".") < 0)
		return err_sys(err, "pivot_root to '%s'", st->root_path);
	if (old >= 0) {
		if (fchdir(old) < 0)
			return err_sys(err, "change to the old root");
		if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
			return err_sys(err, "set the propagation of the old root");
	}
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "detach the old root");
	return 0;
}

static int enter_root(const struct ns_rootfs_state *st, struct err *err)
{
	if (fchdir(st->root_fd) < 0)
		return err_sys(err, "change to the root");
	if (st->cfg.no_pivot && st->cfg.new_mount_ns && mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(err, "move the root to '/'");
	if (chroot(".") < 0)
		return err_sys(err, "chroot to '%s'", st->root_path);
	return 0;
}

int ns_rootfs_pivot(struct ns_rootfs_state *st, struct err *err)
{
	int rc = 0;

	if (st->cfg.new_mount_ns && !st->cfg.no_pivot) {
		rc = pivot(st, err);
	} else if (st->cfg.no_pivot && st->in_chroot) {
		rc = err_set(err, ENOTSUP, "--no-pivot: not in a chroot");
	} else {
		if (st->cfg.new_mount_ns)
			rc = hide_host(st, err);
		if (rc == 0)
			rc = enter_root(st, err);
	}
	if (rc < 0)
		return rc;
	return chdir("/") < 0 ? err_sys(err, "change to '/'") : 0;
}

/* ---- seal ---- */

static int seal(struct ns_rootfs_state *st, struct err *err)
{
	const struct ns_rootfs *cfg = &st->cfg;
	int rc = 0;

	if (!st->dev_bound)
		rc = stdio_reopen(st, err);
	for (size_t i = 0; i < st->n_late_ro && rc == 0; i++)
		rc = mount_attr_set(st, st->late_ro[i], MOUNT_ATTR_RDONLY, 0, false, err);
	if (rc == 0)
		rc = masks_apply(st, err);
	if (rc == 0 && cfg->readonly)
		rc = mount_attr_set(st, st->root_fd, MOUNT_ATTR_RDONLY, 0, false, err);
	/* Slave and private it became in the beginning. */
	if (rc == 0 && cfg->propagation & (MS_SHARED | MS_UNBINDABLE))
		rc = mount_propagate(st, st->root_fd, cfg->propagation, err);
	return rc;
}

int ns_rootfs_seal(struct ns_rootfs_state *st, struct err *err)
{
	int rc;

	if (!st->cfg.new_mount_ns)
		return 0;
	rc = seal(st, err);
	if (rc < 0)
		return rc;
	/* The classic calls work from within procfs. */
	return chdir("/") < 0 ? err_sys(err, "change to '/'") : 0;
}
