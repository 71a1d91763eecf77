/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resolves a path inside a root directory without help from openat2(2), with the same answers as
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS.
 *
 * Every component is opened on its own with O_NOFOLLOW, so the kernel follows nothing and what is
 * renamed or replaced meanwhile cannot lead out of the root. Symlinks are read through their own
 * descriptor and their text is put in front of what is left. The directories passed form a stack of
 * descriptors: ".." pops it and never asks the kernel, whose answer a rename could have changed, and
 * at the root it stays there.
 */
#include "base/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"

#define WALK_MAX_LINKS   40 /* MAXSYMLINKS of the kernel (man 7 path_resolution) */
#define WALK_RACE_RETRY  64
#define PROC_ROOT_INO    1
#define WALK_NOSYMFOLLOW 0x2000 /* ST_NOSYMFOLLOW of the kernel, f_flags of statfs(2) */

struct walk {
	const struct walk_how *how;
	struct walk_mount mount; /* of the root, for no_xdev */
	int rootfd;              /* borrowed */
	int *dirs;               /* directories below the root on the way to here, owned */
	size_t n_dirs;
	char *rest; /* what is left of the path, owned */
	char *pos;  /* within rest */
	unsigned int n_links;
};

bool walk_forced(void)
{
	const char *v = secure_getenv("HULL_NO_OPENAT2");

	return v && strcmp(v, "1") == 0;
}

int walk_mount_of(int fd, struct walk_mount *ret)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &stx) == 0 &&
	    (stx.stx_mask & STATX_MNT_ID)) {
		*ret = (struct walk_mount){.id = stx.stx_mnt_id};
	} else {
		struct stat st;

		if (fstat(fd, &st) < 0)
			return -errno;
		*ret = (struct walk_mount){.dev = st.st_dev};
	}
	return 0;
}

bool walk_same_mount(const struct walk_mount *a, const struct walk_mount *b)
{
	return a->id == b->id && a->dev == b->dev;
}

static int top(const struct walk *w)
{
	return w->n_dirs ? w->dirs[w->n_dirs - 1] : w->rootfd;
}

static void push(struct walk *w, int fd)
{
	w->dirs = mem_xrealloc(w->dirs, w->n_dirs + 1, sizeof(*w->dirs));
	w->dirs[w->n_dirs++] = fd;
}

static void pop(struct walk *w)
{
	if (w->n_dirs)
		fd_close(w->dirs[--w->n_dirs]);
}

static void release(struct walk *w)
{
	while (w->n_dirs)
		pop(w);
	free(w->dirs);
	free(w->rest);
}

static int check_mount(const struct walk *w, int fd)
{
	struct walk_mount m;
	int rc;

	if (!w->how->no_xdev)
		return 0;
	rc = walk_mount_of(fd, &m);
	if (rc < 0)
		return rc;
	return walk_same_mount(&m, &w->mount) ? 0 : -EXDEV;
}

static int open_retry(int dirfd, const char *name, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/*
 * Links below a process directory of procfs jump to an object whatever their text says: magic. The
 * ones in the root of procfs (self, thread-self, mounts, net) are ordinary.
 */
static int check_link(const struct walk *w, int link)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(link, &fs) < 0)
		return -errno;
	if (fs.f_flags & WALK_NOSYMFOLLOW)
		return -ELOOP;
	if ((unsigned long)fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	if (fstat(top(w), &st) < 0)
		return -errno;
	return st.st_ino == PROC_ROOT_INO ? 0 : -ELOOP;
}

/* Replaces what is left of the path by the text of link and the old rest. */
static int follow(struct walk *w, int link, bool must_be_dir)
{
	char text[PATH_MAX];
	char *rest;
	ssize_t n;
	int rc;

	if (++w->n_links > WALK_MAX_LINKS)
		return -ELOOP;
	rc = check_link(w, link);
	if (rc < 0)
		return rc;
	n = readlinkat(link, "", text, sizeof(text));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n == sizeof(text))
		return -ENAMETOOLONG;
	rest = mem_xprintf("%.*s%s%s", (int)n, text, must_be_dir ? "/" : "", w->pos);
	free(w->rest);
	w->rest = rest;
	w->pos = rest;
	if (*rest == '/')
		while (w->n_dirs)
			pop(w);
	return 0;
}

/* Opens name in the current directory as O_PATH, making it when it is missing and asked for. */
static int lookup(struct walk *w, const char *name, bool last, bool must_be_dir)
{
	for (int i = 0; i < WALK_RACE_RETRY; i++) {
		mode_t mode = last ? w->how->mode : w->how->parent_mode;
		int fd = open_retry(top(w), name, O_PATH, 0);

		if (fd != -ENOENT || w->how->make == WALK_MAKE_NOTHING)
			return fd;
		if (w->how->make == WALK_MAKE_DIR || !last) {
			if (mkdirat(top(w), name, mode) < 0 && errno != EEXIST)
				return -errno;
			continue;
		}
		if (must_be_dir)
			return -EISDIR;
		fd = open_retry(top(w), name, O_WRONLY | O_CREAT | O_EXCL, mode);
		if (fd < 0 && fd != -EEXIST)
			return fd;
		fd_close(fd);
	}
	return -EAGAIN;
}

/* The last component, found as the O_PATH descriptor found (owned, -1: missing). */
static int finish(struct walk *w, const char *name, int found)
{
	int flags = w->how->flags;
	struct stat st;
	int fd;

	if (flags & O_PATH) {
		if ((flags & O_DIRECTORY) && (fstat(found, &st) < 0 || !S_ISDIR(st.st_mode))) {
			fd_close(found);
			return -ENOTDIR;
		}
		return found;
	}
	fd_close(found);
	fd = open_retry(top(w), name, flags, w->how->mode);
	if (fd >= 0) {
		int rc = check_mount(w, fd);

		if (rc < 0) {
			fd_close(fd);
			return rc;
		}
	}
	return fd;
}

/* The path ends at the current directory. */
static int finish_dir(struct walk *w)
{
	return open_retry(top(w), ".", w->how->flags, w->how->mode);
}

/* open(2): O_CREAT | O_EXCL does not follow a final symlink, dangling or not. */
static bool keeps_link(int flags)
{
	return (flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
}

/* One component. Returns a descriptor at the end of the path, -EINPROGRESS before, else -errno. */
static int step(struct walk *w, const char *name, bool last, bool must_be_dir)
{
	int flags = w->how->flags;
	struct stat st;
	int fd, rc;

	if (last && must_be_dir && (flags & O_CREAT))
		return -EISDIR;
	fd = lookup(w, name, last, must_be_dir);
	if (fd == -ENOENT && last && (flags & O_CREAT))
		return finish(w, name, -1);
	if (fd < 0)
		return fd;
	rc = check_mount(w, fd);
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc < 0) {
		fd_close(fd);
		return rc;
	}
	if (S_ISLNK(st.st_mode) && !(last && !must_be_dir && keeps_link(flags))) {
		rc = follow(w, fd, must_be_dir);
		fd_close(fd);
		return rc < 0 ? rc : -EINPROGRESS;
	}
	if (last && !must_be_dir)
		return finish(w, name, fd);
	if (!S_ISDIR(st.st_mode)) {
		fd_close(fd);
		return -ENOTDIR;
	}
	push(w, fd);
	return -EINPROGRESS;
}

static int run(struct walk *w)
{
	for (;;) {
		char *name, *end;
		bool last, must_be_dir;
		int rc;

		while (*w->pos == '/')
			w->pos++;
		if (!*w->pos)
			return finish_dir(w);
		name = w->pos;
		end = strchrnul(name, '/');
		must_be_dir = *end == '/';
		last = !end[strspn(end, "/")];
		w->pos = end;
		if (must_be_dir) {
			*end = '\0';
			w->pos++;
		}
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			pop(w);
			continue;
		}
		rc = step(w, name, last, must_be_dir);
		if (rc != -EINPROGRESS)
			return rc;
	}
}

int walk_open(int rootfd, const char *path, const struct walk_how *how)
{
	struct walk w = {.how = how, .rootfd = rootfd};
	int rc = 0;

	/* As openat2 has it: opening a place only cannot create. */
	if ((how->flags & (O_PATH | O_CREAT)) == (O_PATH | O_CREAT))
		return -EINVAL;
	if (!*path)
		return -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (how->no_xdev)
		rc = walk_mount_of(rootfd, &w.mount);
	if (rc < 0)
		return rc;
	w.rest = mem_xstrdup(path);
	w.pos = w.rest;
	rc = run(&w);
	release(&w);
	return rc;
}
