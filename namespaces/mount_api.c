/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's mount calls. The mount API by descriptors (fsopen, open_tree, move_mount since Linux
 * 5.2, mount_setattr since 5.12) comes first: nothing is looked up twice, and it is no slower than
 * mount(2). Where the kernel lacks it or a system call filter denies it, mount(2) does the same
 * through the descriptors' names below /proc/self/fd. Its paths are relative to a working directory
 * of hull's own verified procfs, so that no procfs that the container mounted is ever asked.
 *
 * A failure of the new calls always leads to a try with mount(2), which knows file systems and
 * option texts that fsconfig(2) does not; mount(2) then has the last word about the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/path.h"
#include "namespaces/rootfs_internal.h"

#define FSCONFIG_VALUE_MAX  255 /* man 2 fsconfig: strings of up to 256 bytes with the NUL */
#define FDINFO_MAX          1023
#define ST_NOSYMFOLLOW_FLAG 0x2000 /* of the kernel, not in <sys/statvfs.h> */
#define MS_ATIME_CHOICE     (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)
#define PROPAGATION_TYPES   (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

static const struct {
	unsigned long ms;
	uint64_t attr;
	unsigned long st; /* in the f_flag of fstatvfs(3) */
} attr_map[] = {
	{MS_RDONLY, MOUNT_ATTR_RDONLY, ST_RDONLY},
	{MS_NOSUID, MOUNT_ATTR_NOSUID, ST_NOSUID},
	{MS_NODEV, MOUNT_ATTR_NODEV, ST_NODEV},
	{MS_NOEXEC, MOUNT_ATTR_NOEXEC, ST_NOEXEC},
	{MS_NODIRATIME, MOUNT_ATTR_NODIRATIME, ST_NODIRATIME},
	{MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW, ST_NOSYMFOLLOW_FLAG},
};

void fd_path(char path[static FD_PATH_LEN], int fd)
{
	snprintf(path, FD_PATH_LEN, "self/fd/%d", fd);
}

/* The line "mnt_id:" (man 5 proc, /proc/pid/fdinfo), or 0. */
static uint64_t mount_of(const struct ns_rootfs_state *st, int fd)
{
	char path[FD_PATH_LEN], text[FDINFO_MAX + 1];
	CLOSE_FD int info = -1;
	uint64_t id = 0;
	char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "self/fdinfo/%d", fd);
	info = openat(st->proc_fd, path, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? -1 : io_read(info, text, FDINFO_MAX);
	if (n < 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, "\nmnt_id:");
	if (!at)
		return 0;
	at += strlen("\nmnt_id:");
	at += strspn(at, "\t ");
	at[strcspn(at, "\n")] = '\0';
	return parse_u64(at, &id) < 0 ? 0 : id;
}

int mount_identify(const struct ns_rootfs_state *st, int fd, struct mount_identity *ret)
{
	const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
	struct statx sx;
	struct stat sb;

	/* System call filters older than the call deny it with EPERM. */
	if (statx(fd, "", flags, STATX_INO | STATX_MNT_ID, &sx) == 0 &&
	    (sx.stx_mask & STATX_MNT_ID)) {
		*ret = (struct mount_identity){makedev(sx.stx_dev_major, sx.stx_dev_minor),
					       sx.stx_ino, sx.stx_mnt_id};
		return 0;
	}
	if (fstat(fd, &sb) < 0)
		return -errno;
	*ret = (struct mount_identity){sb.st_dev, sb.st_ino, mount_of(st, fd)};
	return 0;
}

bool mount_is_root(const struct ns_rootfs_state *st, const struct mount_identity *id)
{
	const struct mount_identity *root = &st->root_id;

	return id->ino == root->ino && id->dev == root->dev &&
	       (!id->mnt || !root->mnt || id->mnt == root->mnt);
}

void mount_attr_from_flags(unsigned long set, unsigned long clear, uint64_t *ret_set,
			   uint64_t *ret_clear)
{
	*ret_set = *ret_clear = 0;
	for (size_t i = 0; i < ARRAY_SIZE(attr_map); i++) {
		if (set & attr_map[i].ms)
			*ret_set |= attr_map[i].attr;
		else if (clear & attr_map[i].ms)
			*ret_clear |= attr_map[i].attr;
	}
	/* man 2 mount_setattr: a new choice of access times wants the old one cleared. */
	if ((set | clear) & MS_ATIME_CHOICE)
		*ret_clear |= MOUNT_ATTR__ATIME;
	if (set & MS_NOATIME)
		*ret_set |= MOUNT_ATTR_NOATIME;
	else if (set & MS_STRICTATIME)
		*ret_set |= MOUNT_ATTR_STRICTATIME;
}

int mount_classic(const struct ns_rootfs_state *st, int source_fd, const char *source,
		  int target_fd, const char *type, unsigned long flags, const char *data)
{
	char from[FD_PATH_LEN], to[FD_PATH_LEN];

	if (fchdir(st->proc_fd) < 0)
		return -errno;
	fd_path(to, target_fd);
	if (source_fd >= 0) {
		fd_path(from, source_fd);
		source = from;
	}
	return mount(source, to, type, flags, data) < 0 ? -errno : 0;
}

/*
 * Opens the mount that now lies on target_fd. Its path is looked up again, so what is found must
 * have the very name that the target has.
 */
static int reopen(const struct ns_rootfs_state *st, int target_fd, const char *dest,
		  struct err *err)
{
	char link[FD_PATH_LEN], before[PATH_MAX], after[PATH_MAX];
	CLOSE_FD int fd = path_open_in(st->root_fd, dest, O_PATH, 0, err);
	ssize_t n, m;

	if (fd < 0)
		return fd;
	fd_path(link, target_fd);
	n = readlinkat(st->proc_fd, link, before, sizeof(before));
	fd_path(link, fd);
	m = readlinkat(st->proc_fd, link, after, sizeof(after));
	if (n < 0 || m < 0)
		return err_sys(err, "read the path of '%s'", dest);
	if (n != m || memcmp(before, after, (size_t)n) != 0)
		return err_set(err, EXDEV, "'%s' moved while it was mounted on", dest);
	return fd_take(&fd);
}

/* ---- new file systems ---- */

/* What fsconfig(2) cannot say: flags without an option word, texts with escapes, long values. */
static bool fs_wants_classic(const struct mount_fs *fs)
{
	size_t len = 0;

	if (fs->flags & (MS_SILENT | MS_I_VERSION | MS_REMOUNT))
		return true;
	if (fs->source && strlen(fs->source) > FSCONFIG_VALUE_MAX)
		return true;
	for (const char *p = fs->data ? fs->data : ""; *p; p++) {
		len = *p == ',' ? 0 : len + 1;
		if (*p == '\\' || *p == '"' || len > FSCONFIG_VALUE_MAX)
			return true;
	}
	return false;
}

/* Superblocks of these are shared with the host: read-only is for the mount alone. */
static bool fs_is_shared(const char *type)
{
	static const char *const shared[] = {"sysfs", "cgroup", "cgroup2", "mqueue", "proc"};

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (strcmp(type, shared[i]) == 0)
			return true;
	return false;
}

static int fs_set_flags(int fd, const struct mount_fs *fs)
{
	static const struct {
		unsigned long ms;
		const char *word;
	} words[] = {
		{MS_RDONLY, "ro"},     {MS_SYNCHRONOUS, "sync"},  {MS_DIRSYNC, "dirsync"},
		{MS_MANDLOCK, "mand"}, {MS_LAZYTIME, "lazytime"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!(fs->flags & words[i].ms))
			continue;
		if (words[i].ms == MS_RDONLY && fs_is_shared(fs->type))
			continue;
		if (fsconfig(fd, FSCONFIG_SET_FLAG, words[i].word, NULL, 0) < 0)
			return -errno;
	}
	return 0;
}

static int fs_set_data(int fd, const char *data)
{
	FREE char *copy = mem_xstrdup(data);
	char *rest = copy, *word;

	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');
		int rc;

		if (*word == '\0')
			continue;
		if (value) {
			*value++ = '\0';
			rc = fsconfig(fd, FSCONFIG_SET_STRING, word, value, 0);
		} else {
			rc = fsconfig(fd, FSCONFIG_SET_FLAG, word, NULL, 0);
		}
		if (rc < 0)
			return -errno;
	}
	return 0;
}

static int fs_configure(int fd, const struct mount_fs *fs)
{
	int rc;

	if (fs->source && fsconfig(fd, FSCONFIG_SET_STRING, "source", fs->source, 0) < 0)
		return -errno;
	rc = fs_set_flags(fd, fs);
	if (rc < 0)
		return rc;
	if (fs->data) {
		rc = fs_set_data(fd, fs->data);
		if (rc < 0)
			return rc;
	}
	if (fs->label && fsconfig(fd, FSCONFIG_SET_STRING, "context", fs->label, 0) < 0)
		return -errno;
	return fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

/* The first message of the file system waits in its descriptor ("e tmpfs: Bad value for 'size'").
 */
static void fs_message(int fd, int rc, const struct mount_fs *fs, struct err *err)
{
	char text[256];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n <= 2) {
		err_code(err, -rc, "%s", fs->type);
		return;
	}
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	err_set(err, -rc, "%s", text + 2);
}

int mount_fs_new(const struct ns_rootfs_state *st, const struct mount_fs *fs, struct err *err)
{
	CLOSE_FD int fd = -1;
	uint64_t set, clear;
	int rc;

	if (st->no_mount_api || fs_wants_classic(fs))
		return err_code(err, ENOSYS, "%s", fs->type);
	fd = fsopen(fs->type, FSOPEN_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "%s", fs->type);
	rc = fs_configure(fd, fs);
	if (rc < 0) {
		fs_message(fd, rc, fs, err);
		return rc;
	}
	mount_attr_from_flags(fs->flags, 0, &set, &clear);
	rc = fsmount(fd, FSMOUNT_CLOEXEC, (unsigned int)set);
	return rc < 0 ? err_sys(err, "%s", fs->type) : rc;
}

static int fs_classic(const struct ns_rootfs_state *st, const struct mount_fs *fs, int target_fd)
{
	FREE char *text = NULL;
	const char *data = fs->data;

	if (fs->label) {
		text = mem_xprintf("%s%scontext=\"%s\"", data ? data : "", data ? "," : "",
				   fs->label);
		data = text;
	}
	return mount_classic(st, -1, fs->source ? fs->source : fs->type, target_fd, fs->type,
			     fs->flags, data);
}

/* Errors of mount(2) whose names mislead. */
static int fs_error(const struct mount_fs *fs, const char *dest, int rc, const struct err *why,
		    struct err *err)
{
	if (rc == -ENODEV)
		return err_set(err, ENODEV,
			       "mount '%s' on '%s': the kernel does not know this file system type",
			       fs->type, dest);
	if (rc == -ENOSPC)
		return err_set(err, ENOSPC,
			       "mount '%s' on '%s': too many mounts (sysctl fs.mount-max)",
			       fs->type, dest);
	if (why->code == -rc && why->msg[0])
		return err_set(err, -rc, "mount '%s' on '%s': %s", fs->type, dest, why->msg);
	return err_code(err, -rc, "mount '%s' on '%s'", fs->type, dest);
}

int mount_fs_at(const struct ns_rootfs_state *st, const struct mount_fs *fs, int target_fd,
		const char *dest, struct err *err)
{
	struct err why = ERR_INIT;
	CLOSE_FD int fd = mount_fs_new(st, fs, &why);
	int rc;

	if (fd >= 0) {
		rc = mount_move(fd, target_fd);
		if (rc == 0)
			return fd_take(&fd);
	}
	rc = fs_classic(st, fs, target_fd);
	if (rc < 0)
		return fs_error(fs, dest, rc, &why, err);
	return reopen(st, target_fd, dest, err);
}

/* ---- binds ---- */

int mount_clone(const struct ns_rootfs_state *st, int dirfd, const char *path, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	int fd;

	if (st->no_mount_api)
		return -ENOSYS;
	if (*path == '\0')
		flags |= AT_EMPTY_PATH;
	if (recursive)
		flags |= AT_RECURSIVE;
	fd = open_tree(dirfd, path, flags);
	return fd < 0 ? -errno : fd;
}

int mount_move(int mount_fd, int target_fd)
{
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

	return move_mount(mount_fd, "", target_fd, "", flags) < 0 ? -errno : 0;
}

int mount_bind_at(const struct ns_rootfs_state *st, int source_fd, const char *source,
		  bool recursive, int target_fd, const char *dest, struct err *err)
{
	CLOSE_FD int fd = mount_clone(st, source_fd, source, recursive);
	int rc;

	if (fd >= 0) {
		rc = mount_move(fd, target_fd);
		if (rc == 0)
			return fd_take(&fd);
	}
	rc = mount_classic(st, *source ? -1 : source_fd, source, target_fd, NULL,
			   MS_BIND | (recursive ? MS_REC : 0), NULL);
	if (rc == -ENOSPC)
		return err_set(err, ENOSPC, "bind on '%s': too many mounts (sysctl fs.mount-max)",
			       dest);
	if (rc < 0 && *source)
		return err_code(err, -rc, "bind '%s' on '%s'", source, dest);
	if (rc < 0)
		return err_code(err, -rc, "bind on '%s'", dest);
	return reopen(st, target_fd, dest, err);
}

/* ---- changes of a mount ---- */

/* The MS_… flags that a remount must name to keep what the mount has. */
static unsigned long flags_of(unsigned long have)
{
	unsigned long flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attr_map); i++)
		if (have & attr_map[i].st)
			flags |= attr_map[i].ms;
	if (have & ST_NOATIME)
		flags |= MS_NOATIME;
	else if (have & ST_RELATIME)
		flags |= MS_RELATIME;
	else
		flags |= MS_STRICTATIME;
	return flags;
}

/* mount(2) sets all flags at once: locked ones (man 7 mount_namespaces) stay because all are kept.
 */
static int attr_classic(const struct ns_rootfs_state *st, int mount_fd, uint64_t set,
			uint64_t clear)
{
	struct statvfs fs;
	unsigned long flags;

	if (fstatvfs(mount_fd, &fs) < 0)
		return -errno;
	flags = flags_of(fs.f_flag);
	for (size_t i = 0; i < ARRAY_SIZE(attr_map); i++) {
		if (clear & attr_map[i].attr)
			flags &= ~attr_map[i].ms;
		if (set & attr_map[i].attr)
			flags |= attr_map[i].ms;
	}
	if (clear & MOUNT_ATTR__ATIME) {
		flags &= ~(unsigned long)MS_ATIME_CHOICE;
		if (set & MOUNT_ATTR_NOATIME)
			flags |= MS_NOATIME;
		else if (set & MOUNT_ATTR_STRICTATIME)
			flags |= MS_STRICTATIME;
		else
			flags |= MS_RELATIME;
	}
	return mount_classic(st, -1, NULL, mount_fd, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

/* mount_setattr(2), or -ENOSYS where it is missing or denied. */
static int setattr(const struct ns_rootfs_state *st, int mount_fd, bool recursive,
		   struct mount_attr *attr)
{
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	if (st->no_mount_api)
		return -ENOSYS;
	return mount_setattr(mount_fd, "", flags, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

int mount_attr_set(const struct ns_rootfs_state *st, int mount_fd, uint64_t set, uint64_t clear,
		   bool recursive, struct err *err)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear};
	int rc = setattr(st, mount_fd, recursive, &attr);

	if (rc == 0)
		return 0;
	if (recursive) {
		if (rc == -ENOSYS)
			return err_set(err, ENOSYS,
				       "recursive mount options need mount_setattr(2), Linux 5.12");
		return err_code(err, -rc, "set recursive mount options");
	}
	if (rc == -ENOSYS || rc == -EPERM)
		rc = attr_classic(st, mount_fd, set, clear);
	return rc < 0 ? err_code(err, -rc, "set mount options") : 0;
}

int mount_propagate(const struct ns_rootfs_state *st, int mount_fd, unsigned long how,
		    struct err *err)
{
	struct mount_attr attr = {.propagation = how & PROPAGATION_TYPES};
	int rc = setattr(st, mount_fd, how & MS_REC, &attr);

	if (rc == -ENOSYS || rc == -EPERM)
		rc = mount_classic(st, -1, NULL, mount_fd, NULL, how, NULL);
	return rc < 0 ? err_code(err, -rc, "set mount propagation") : 0;
}
