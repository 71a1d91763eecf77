/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removal of a directory tree that somebody else filled (path_remove_tree). Each directory is
 * opened relative to its parent without following symlinks and refused when it is on another mount.
 * The descent is bounded: what lies deeper is moved up into the top directory and removed from
 * there, so that a tree of any depth needs few descriptors.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/walk.h"

#define REMOVE_MAX_DEPTH 64

struct removal {
	struct walk_mount mount;
	int top_fd;
	unsigned int n_moved; /* makes names for directories moved up */
	bool again;           /* something was moved up behind the reader's back */
};

/* Returns 1 when it is gone, 0 when it is a directory with something in it, or -errno. */
static int unlink_simple(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 1;
	if (errno != EISDIR)
		return -errno;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 1;
	return errno == ENOTEMPTY || errno == EEXIST ? 0 : -errno;
}

static int move_up(struct removal *r, int dirfd, const char *name)
{
	char to[32];

	for (;;) {
		(void)snprintf(to, sizeof(to), ".removed-%u", r->n_moved++);
		if (renameat2(dirfd, name, r->top_fd, to, RENAME_NOREPLACE) == 0)
			break;
		if (errno != EEXIST)
			return -errno;
	}
	r->again = true;
	return 0;
}

/*
 * Opens the directory dirfd/name. rmdir(2) has refused a mount point already (EBUSY); this catches
 * one that was mounted since.
 */
static int open_dir(const struct removal *r, int dirfd, const char *name)
{
	CLOSE_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct walk_mount m;
	int rc;

	if (fd < 0)
		return -errno;
	rc = walk_mount_of(fd, &m);
	if (rc < 0)
		return rc;
	return walk_same_mount(&m, &r->mount) ? fd_take(&fd) : -EBUSY;
}

static int remove_in(struct removal *r, int dirfd, const char *name, unsigned int depth);

/* Empties the directory fd (consumed). */
static int empty_dir(struct removal *r, int fd, unsigned int depth)
{
	struct dirent *e;
	int rc = 0;
	DIR *d = fdopendir(fd);

	if (!d) {
		rc = -errno;
		fd_close(fd);
		return rc;
	}
	while (rc == 0 && (errno = 0, e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = remove_in(r, fd, e->d_name, depth);
	if (rc == 0)
		rc = -errno;
	(void)closedir(d);
	return rc;
}

static int remove_in(struct removal *r, int dirfd, const char *name, unsigned int depth)
{
	int fd, rc = unlink_simple(dirfd, name);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	fd = open_dir(r, dirfd, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (depth >= REMOVE_MAX_DEPTH) {
		fd_close(fd);
		return move_up(r, dirfd, name);
	}
	rc = empty_dir(r, fd, depth + 1);
	if (rc == 0)
		rc = unlink_simple(dirfd, name);
	return rc == 0 ? -ENOTEMPTY : rc < 0 ? rc : 0;
}

int path_remove_tree(int dirfd, const char *name, struct err *err)
{
	struct removal r = {.top_fd = -1};
	CLOSE_FD int top = -1;
	int rc = unlink_simple(dirfd, name);

	if (rc == 0) {
		top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = top < 0 ? -errno : walk_mount_of(top, &r.mount);
	}
	r.top_fd = top;
	while (rc == 0) {
		int fd = open_dir(&r, top, ".");

		r.again = false;
		rc = fd < 0 ? fd : empty_dir(&r, fd, 1);
		if (rc == 0 && !r.again) {
			rc = unlink_simple(dirfd, name);
			if (rc == 0)
				rc = -ENOTEMPTY;
		}
	}
	return rc < 0 ? err_code(err, -rc, "remove '%s'", name) : 0;
}
