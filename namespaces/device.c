/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev: the default device nodes and those of the configuration, the links, ptmx, the console, and
 * standard streams that are the host's /dev/null (runtime-spec config-linux.md#default-devices).
 *
 * An image decides what /dev is, so everything is done through a descriptor of that directory,
 * which must not be a symlink, and no last component is ever followed: a /dev, /dev/console or
 * /dev/null that leads elsewhere is refused (CVE-2026-41579, CVE-2026-47766, CVE-2026-88264,
 * CVE-2026-88265). In a user namespace mknod(2) is denied: the nodes that the parent made are put in
 * place (device_nodes.c), or else the host's are bound. A /dev that is bound from the host is left
 * as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/rootfs_internal.h"

static const struct ns_device default_devices[] = {
	{'c', "/dev/null", 1, 3, 0666, 0, 0},    {'c', "/dev/zero", 1, 5, 0666, 0, 0},
	{'c', "/dev/full", 1, 7, 0666, 0, 0},    {'c', "/dev/random", 1, 8, 0666, 0, 0},
	{'c', "/dev/urandom", 1, 9, 0666, 0, 0}, {'c', "/dev/tty", 5, 0, 0666, 0, 0},
};

static const struct {
	const char *name, *text;
} dev_links[] = {
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
};

/* The last component of a path directly below /dev, or NULL. */
static const char *below_dev(const char *clean)
{
	if (strncmp(clean, "/dev/", 5) != 0 || strchr(clean + 5, '/'))
		return NULL;
	return clean + 5;
}

static int open_dev(const struct ns_rootfs_state *st, struct err *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
	struct err why = ERR_INIT;
	int fd = path_open_in(st->root_fd, "/dev", flags, 0, &why);

	if (fd == -ENOENT) {
		CLOSE_FD int made = path_mkdir_in(st->root_fd, "/dev", 0755, err);

		if (made < 0)
			return made;
		fd = path_open_in(st->root_fd, "/dev", flags, 0, &why);
	}
	if (fd == -ENOTDIR || fd == -ELOOP)
		return err_set(err, ENOTDIR, "'/dev' in the root is not an ordinary directory");
	return fd < 0 ? err_set(err, -fd, "%s", why.msg) : fd;
}

/* ---- nodes ---- */

size_t device_count(const struct ns_rootfs_state *st)
{
	return ARRAY_SIZE(default_devices) + st->cfg.n_devices;
}

const struct ns_device *device_at(const struct ns_rootfs_state *st, size_t i)
{
	if (i < ARRAY_SIZE(default_devices))
		return &default_devices[i];
	return &st->cfg.devices[i - ARRAY_SIZE(default_devices)];
}

mode_t device_type(const struct ns_device *d)
{
	switch (d->type) {
	case 'b':
		return S_IFBLK;
	case 'p':
		return S_IFIFO;
	default:
		return S_IFCHR;
	}
}

static bool node_matches(const struct stat *st, const struct ns_device *d)
{
	mode_t type = device_type(d);

	if ((st->st_mode & S_IFMT) != type)
		return false;
	return type == S_IFIFO || st->st_rdev == makedev(d->major, d->minor);
}

/* An existing node is fine when it is the very device (config-linux.md#devices). */
static int check_existing(int dir, const char *name, const struct ns_device *d, struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "inspect '%s'", d->path);
	if (!node_matches(&st, d))
		return err_set(err, EEXIST, "create device '%s': something else is there", d->path);
	return 0;
}

/* An empty file to mount on, or what is there and is no symlink. */
static int open_file_target(int dir, const char *name, const char *path, struct err *err)
{
	struct stat st;
	CLOSE_FD int fd = -1;

	if (mknodat(dir, name, S_IFREG, 0) < 0 && errno != EEXIST)
		return err_sys(err, "create '%s'", path);
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "inspect '%s'", path);
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return err_set(err, EEXIST, "'%s' in the root is a %s", path,
			       S_ISDIR(st.st_mode) ? "directory" : "symlink");
	return fd_take(&fd);
}

static int bind_host_node(const struct ns_rootfs_state *st, const struct ns_device *d, int target,
			  struct err *err)
{
	CLOSE_FD int fd = mount_bind_at(st, AT_FDCWD, d->path, false, target, d->path, err);
	struct stat sb;

	if (fd < 0)
		return fd;
	if (fstat(fd, &sb) < 0)
		return err_sys(err, "inspect '%s'", d->path);
	if (!node_matches(&sb, d))
		return err_set(err, ENODEV, "bind device '%s': the host's is not %c %u:%u", d->path,
			       d->type, d->major, d->minor);
	return 0;
}

static int mount_node(const struct ns_rootfs_state *st, int dir, const char *name, size_t i,
		      struct err *err)
{
	const struct ns_device *d = device_at(st, i);
	CLOSE_FD int target = open_file_target(dir, name, d->path, err);
	int rc;

	if (target < 0)
		return target;
	rc = device_nodes_put(st, i, target, err);
	return rc == -ENOENT ? bind_host_node(st, d, target, err) : rc;
}

/* Device i becomes name in dir. */
static int make_node(const struct ns_rootfs_state *st, int dir, const char *name, size_t i,
		     struct err *err)
{
	const struct ns_device *d = device_at(st, i);
	mode_t type = device_type(d);

	if (st->cfg.in_userns && type != S_IFIFO)
		return mount_node(st, dir, name, i, err);
	if (mknodat(dir, name, type | (d->mode & 07777), makedev(d->major, d->minor)) < 0) {
		if (errno == EEXIST)
			return check_existing(dir, name, d, err);
		if (errno == EPERM && type != S_IFIFO)
			return mount_node(st, dir, name, i, err);
		return err_sys(err, "create device '%s'", d->path);
	}
	if ((d->uid || d->gid) && fchownat(dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "change the owner of device '%s'", d->path);
	return 0;
}

static int make_device(const struct ns_rootfs_state *st, size_t i, struct err *err)
{
	const struct ns_device *d = device_at(st, i);
	FREE char *joined = path_join("/", d->path);
	FREE char *clean = path_clean(joined);
	const char *name = below_dev(clean);
	CLOSE_FD int dir = -1;
	char *slash;

	if (strcmp(clean, "/dev/ptmx") == 0)
		return 0;
	if (st->dev_bound && strncmp(clean, "/dev/", 5) == 0)
		return 0;
	if (name)
		return make_node(st, st->dev_fd, name, i, err);
	slash = strrchr(clean, '/');
	if (!slash || !slash[1])
		return err_set(err, EINVAL, "device path '%s' does not end in a name", d->path);
	*slash = '\0';
	dir = path_mkdir_in(st->root_fd, *clean ? clean : "/", 0755, err);
	return dir < 0 ? dir : make_node(st, dir, slash + 1, i, err);
}

static bool is_configured(const struct ns_rootfs *cfg, const char *path)
{
	for (size_t i = 0; i < cfg->n_devices; i++)
		if (strcmp(cfg->devices[i].path, path) == 0)
			return true;
	return false;
}

static int make_all(const struct ns_rootfs_state *st, struct err *err)
{
	const size_t n_default = ARRAY_SIZE(default_devices);
	int rc;

	for (size_t i = 0; i < n_default && !st->dev_bound; i++) {
		if (is_configured(&st->cfg, default_devices[i].path))
			continue;
		rc = make_node(st, st->dev_fd, default_devices[i].path + 5, i, err);
		if (rc < 0)
			return rc;
	}
	for (size_t i = n_default; i < device_count(st); i++) {
		rc = make_device(st, i, err);
		if (rc < 0)
			return err_wrap(err, rc, "linux.devices[%zu]", i - n_default);
	}
	return 0;
}

static int make_devices(const struct ns_rootfs_state *st, struct err *err)
{
	int rc = device_nodes_attach(st, err);

	if (rc == 0)
		rc = make_all(st, err);
	return rc < 0 ? rc : device_nodes_detach(st, err);
}

/* ---- links ---- */

static int make_links(const struct ns_rootfs_state *st, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++)
		if (symlinkat(dev_links[i].text, st->dev_fd, dev_links[i].name) < 0 &&
		    errno != EEXIST)
			return err_sys(err, "create symlink '/dev/%s'", dev_links[i].name);
	if (faccessat(st->proc_fd, "kcore", F_OK, 0) == 0 &&
	    symlinkat("/proc/kcore", st->dev_fd, "core") < 0 && errno != EEXIST)
		return err_sys(err, "create symlink '/dev/core'");
	return 0;
}

/* The container's own devpts multiplexer, whatever node an image has there. */
static int make_ptmx(const struct ns_rootfs_state *st, struct err *err)
{
	if (symlinkat("pts/ptmx", st->dev_fd, "ptmx") == 0)
		return 0;
	if (errno == EEXIST && unlinkat(st->dev_fd, "ptmx", 0) == 0 &&
	    symlinkat("pts/ptmx", st->dev_fd, "ptmx") == 0)
		return 0;
	return err_sys(err, "create symlink '/dev/ptmx'");
}

int dev_setup(struct ns_rootfs_state *st, struct err *err)
{
	int rc;

	if (!st->dev_bound) {
		st->dev_fd = open_dev(st, err);
		if (st->dev_fd < 0)
			return st->dev_fd;
	}
	rc = make_devices(st, err);
	if (rc == 0 && !st->dev_bound)
		rc = make_links(st, err);
	if (rc == 0 && !st->dev_bound)
		rc = make_ptmx(st, err);
	return rc;
}

/* ---- console and standard streams ---- */

int ns_rootfs_console(struct ns_rootfs_state *st, int tty_fd, struct err *err)
{
	CLOSE_FD int dir = -1, target = -1, fd = -1;

	if (!st->cfg.new_mount_ns)
		return 0;
	dir = open_dev(st, err);
	if (dir < 0)
		return dir;
	target = open_file_target(dir, "console", "/dev/console", err);
	if (target < 0)
		return target;
	fd = mount_bind_at(st, tty_fd, "", false, target, "/dev/console", err);
	return fd < 0 ? fd : 0;
}

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* Opened first as a mere path: opening an unknown device node may have effects. */
static int open_null(const struct ns_rootfs_state *st, struct err *err)
{
	CLOSE_FD int fd = path_open_in(st->root_fd, "/dev/null", O_PATH | O_NOFOLLOW, 0, err);
	char path[FD_PATH_LEN];
	struct stat sb;
	int null_fd;

	if (fd < 0)
		return fd;
	if (fstat(fd, &sb) < 0)
		return err_sys(err, "inspect '/dev/null' in the root");
	if (!is_null(&sb))
		return err_set(err, ENODEV, "'/dev/null' in the root is not the device 1:3");
	fd_path(path, fd);
	null_fd = openat(st->proc_fd, path, O_RDWR | O_CLOEXEC);
	return null_fd < 0 ? err_sys(err, "open '/dev/null' in the root") : null_fd;
}

int stdio_reopen(struct ns_rootfs_state *st, struct err *err)
{
	CLOSE_FD int null_fd = -1;
	struct stat sb;

	for (int fd = 0; fd <= 2; fd++) {
		if (fstat(fd, &sb) < 0 || !is_null(&sb))
			continue;
		if (null_fd < 0) {
			null_fd = open_null(st, err);
			if (null_fd < 0)
				return null_fd;
		}
		if (dup3(null_fd, fd, 0) < 0)
			return err_sys(err, "duplicate '/dev/null'");
	}
	return 0;
}
