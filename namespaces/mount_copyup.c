/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tmpcopyup: what the covered directory holds is copied into the tmpfs that covers it, with modes,
 * owners and modification times. What is copied comes from an image, so names are only ever used
 * relative to their directory, symlinks are copied and not followed, special files are made anew
 * and not opened, and the depth is bounded. Hard links become files of their own; the size is
 * bounded by the tmpfs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "namespaces/rootfs_internal.h"

#define COPY_DEPTH_MAX 128
#define COPY_CHUNK     (1u << 20)

static int copy_dir(int from_fd, int to_fd, unsigned int depth, struct err *err);

static int copy_data(int from, int to)
{
	ssize_t n;

	do
		n = sendfile(to, from, NULL, COPY_CHUNK);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct err *err)
{
	CLOSE_FD int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLOSE_FD int to = -1;
	int rc;

	if (from < 0)
		return err_sys(err, "open '%s'", name);
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, "create '%s'", name);
	rc = copy_data(from, to);
	return rc < 0 ? err_code(err, -rc, "copy '%s'", name) : 0;
}

static int copy_symlink(int from_dir, int to_dir, const char *name, struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, text, sizeof(text) - 1);

	if (n < 0)
		return err_sys(err, "read symlink '%s'", name);
	text[n] = '\0';
	return symlinkat(text, to_dir, name) < 0 ? err_sys(err, "create symlink '%s'", name) : 0;
}

static int copy_subdir(int from_dir, int to_dir, const char *name, unsigned int depth,
		       struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	CLOSE_FD int from = openat(from_dir, name, flags);
	CLOSE_FD int to = -1;

	if (from < 0)
		return err_sys(err, "open directory '%s'", name);
	if (mkdirat(to_dir, name, 0700) < 0)
		return err_sys(err, "create directory '%s'", name);
	to = openat(to_dir, name, flags);
	if (to < 0)
		return err_sys(err, "open directory '%s'", name);
	return copy_dir(from, to, depth + 1, err);
}

static int copy_node(int to_dir, const char *name, const struct stat *st, struct err *err)
{
	/* A user namespace may not make devices; its root cannot use those of an image either. */
	if (mknodat(to_dir, name, st->st_mode & S_IFMT, st->st_rdev) < 0)
		return err_sys(err, "create special file '%s'", name);
	return 0;
}

static int copy_meta(int to_dir, const char *name, const struct stat *st, struct err *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "change the owner of '%s'", name);
	/* After the owner: chown drops the set-id bits. */
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return err_sys(err, "change the mode of '%s'", name);
	if (utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "set the times of '%s'", name);
	return 0;
}

static int copy_entry(int from_dir, int to_dir, const char *name, unsigned int depth,
		      struct err *err)
{
	struct stat st;
	int rc;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "inspect '%s'", name);
	if (S_ISDIR(st.st_mode))
		rc = copy_subdir(from_dir, to_dir, name, depth, err);
	else if (S_ISREG(st.st_mode))
		rc = copy_file(from_dir, to_dir, name, err);
	else if (S_ISLNK(st.st_mode))
		rc = copy_symlink(from_dir, to_dir, name, err);
	else
		rc = copy_node(to_dir, name, &st, err);
	return rc < 0 ? rc : copy_meta(to_dir, name, &st, err);
}

static int copy_entries(DIR *dir, int to_fd, unsigned int depth, struct err *err)
{
	struct dirent *e;
	int rc;

	for (;;) {
		errno = 0;
		e = readdir(dir);
		if (!e)
			return errno ? err_sys(err, "read a directory") : 0;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		rc = copy_entry(dirfd(dir), to_fd, e->d_name, depth, err);
		if (rc < 0)
			return rc;
	}
}

static int copy_dir(int from_fd, int to_fd, unsigned int depth, struct err *err)
{
	int fd, rc;
	DIR *dir;

	if (depth > COPY_DEPTH_MAX)
		return err_set(err, ELOOP, "directories are nested more than %d deep",
			       COPY_DEPTH_MAX);
	fd = fd_dup(from_fd, err);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		rc = err_sys(err, "open a directory");
		fd_close(fd);
		return rc;
	}
	rc = copy_entries(dir, to_fd, depth, err);
	(void)closedir(dir);
	return rc;
}

int copy_up(int from_fd, int to_fd, struct err *err)
{
	CLOSE_FD int to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (to < 0)
		return err_sys(err, "open the tmpfs");
	return copy_dir(from_fd, to, 0, err);
}
