/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In-root paths: openat2(2) where there is one, else the walk of base/walk.h, which also makes what
 * is missing. Lexical helpers. Removal of trees.
 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/walk.h"

#define PARENT_MODE   0755
#define OPENAT2_RETRY 32

/* -EAGAIN: a rename or mount anywhere raced with "..", man 2 openat2. */
static int open_in(int rootfd, const char *path, int flags, mode_t mode)
{
	const bool creates = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));
	const struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.mode = creates ? mode & 07777 : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	const struct walk_how walk = {.flags = flags, .mode = mode};

	for (int i = 0; i < OPENAT2_RETRY && !walk_forced(); i++) {
		int fd = sys_openat2(rootfd, path, &how, sizeof(how));

		if (fd >= 0)
			return fd;
		/* A seccomp filter that does not know openat2 may answer EPERM. */
		if (errno == ENOSYS || errno == EPERM)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return walk_open(rootfd, path, &walk);
}

int path_open_in(int rootfd, const char *path, int flags, mode_t mode, struct err *err)
{
	int fd = open_in(rootfd, path, flags, mode);

	return fd < 0 ? err_code(err, -fd, "open '%s' in the root", path) : fd;
}

int path_mkdir_in(int rootfd, const char *path, mode_t mode, struct err *err)
{
	const struct walk_how how = {
		.flags = O_PATH | O_DIRECTORY,
		.make = WALK_MAKE_DIR,
		.mode = mode,
		.parent_mode = mode,
	};
	int fd = open_in(rootfd, path, O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOENT)
		fd = walk_open(rootfd, path, &how);
	return fd < 0 ? err_code(err, -fd, "create directory '%s' in the root", path) : fd;
}

int path_mountpoint_in(int rootfd, const char *path, bool is_dir, mode_t mode, struct err *err)
{
	const struct walk_how how = {
		.flags = O_PATH,
		.make = is_dir ? WALK_MAKE_DIR : WALK_MAKE_FILE,
		.mode = mode,
		.parent_mode = PARENT_MODE,
	};
	CLOSE_FD int fd = open_in(rootfd, path, O_PATH, 0);
	struct stat st;

	if (fd == -ENOENT)
		fd = walk_open(rootfd, path, &how);
	if (fd < 0)
		return err_code(err, -fd, "create mount point '%s' in the root", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "inspect mount point '%s'", path);
	if (is_dir != (bool)S_ISDIR(st.st_mode))
		return err_code(err, is_dir ? ENOTDIR : EISDIR, "use '%s' as a mount point", path);
	return fd_take(&fd);
}

int path_parent_in(int rootfd, const char *path, const char **ret_base, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	FREE char *parent = NULL;
	int fd;

	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return err_set(err, EINVAL, "path '%s' does not end in a name", path);
	parent = slash ? mem_xstrndup(path, (size_t)(base - path)) : mem_xstrdup(".");
	fd = open_in(rootfd, parent, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return err_code(err, -fd, "open the parent directory of '%s' in the root", path);
	*ret_base = base;
	return fd;
}

/* Drops the last component of out; false when there is none that ".." could undo. */
static bool drop_last(struct buf *out, size_t floor)
{
	if (out->len <= floor)
		return false;
	while (out->len > floor && out->data[out->len - 1] != '/')
		out->len--;
	if (out->len > floor)
		out->len--;
	out->data[out->len] = '\0';
	return true;
}

char *path_clean(const char *path)
{
	bool absolute = *path == '/';
	struct buf out = BUF_INIT;
	size_t floor;

	if (absolute)
		buf_addc(&out, '/');
	floor = out.len;
	while (*path) {
		size_t len = strcspn(path, "/");
		bool dots = len == 2 && path[0] == '.' && path[1] == '.';

		if (len == 0 || (len == 1 && path[0] == '.') || (dots && drop_last(&out, floor)) ||
		    (dots && absolute)) {
			path += len + (path[len] == '/');
			continue;
		}
		if (out.len > floor || (out.len && !absolute))
			buf_addc(&out, '/');
		buf_add(&out, path, len);
		/* A leading ".." of a relative path stays: nothing behind it can undo it. */
		if (dots)
			floor = out.len;
		path += len + (path[len] == '/');
	}
	if (out.len == 0)
		buf_addc(&out, '.');
	return buf_detach(&out);
}

char *path_join(const char *base, const char *path)
{
	size_t len = strlen(base);

	if (*path == '/')
		return mem_xstrdup(path);
	return mem_xprintf("%s%s%s", base, len && base[len - 1] == '/' ? "" : "/", path);
}

static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int path_mkdirs(const char *path, mode_t mode, struct err *err)
{
	FREE char *copy = mem_xstrdup(path);
	int rc = make_dir(path, mode);

	for (char *p = copy; rc == -ENOENT && *p; p++) {
		int made;

		if (p == copy || *p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		made = make_dir(copy, mode);
		*p = '/';
		if (made < 0)
			return err_code(err, -made, "create directory '%s'", path);
	}
	if (rc == -ENOENT)
		rc = make_dir(path, mode);
	return rc < 0 ? err_code(err, -rc, "create directory '%s'", path) : 0;
}
