/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading and writing whole files. No file is synced to disk: hull's state lives below /run and
 * describes processes, so it does not outlive the kernel that would lose it.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define READ_CHUNK    4096
#define TEMP_ATTEMPTS 64

ssize_t io_read(int fd, void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int io_write(int fd, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

/* How much to ask for first: the file's size and one byte more, so that one read sees its end. */
static size_t first_chunk(int fd, size_t max)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return READ_CHUNK;
	return (uintmax_t)st.st_size > max ? max + 1 : (size_t)st.st_size + 1;
}

int io_read_all(int fd, const char *name, size_t max, struct buf *b, struct err *err)
{
	size_t start = b->len;
	size_t chunk;

	if (max > SSIZE_MAX - 1)
		max = SSIZE_MAX - 1;
	chunk = first_chunk(fd, max);
	for (;;) {
		ssize_t n = io_read(fd, buf_reserve(b, chunk), chunk);

		if (n < 0) {
			b->data[b->len] = '\0';
			return err_code(err, (int)-n, "read '%s'", name);
		}
		b->len += (size_t)n;
		b->data[b->len] = '\0';
		if (b->len - start > max)
			return err_set(err, EFBIG, "'%s' is larger than %zu bytes", name, max);
		if ((size_t)n < chunk)
			return 0;
		/* b->cap has doubled by now; never ask for more than one byte beyond max. */
		chunk = b->len - start < READ_CHUNK ? READ_CHUNK : b->len - start;
		if (chunk > max - (b->len - start) + 1)
			chunk = max - (b->len - start) + 1;
	}
}

static int open_retry(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dirfd, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int io_read_file(int dirfd, const char *path, size_t max, struct buf *b, struct err *err)
{
	CLOSE_FD int fd = open_retry(dirfd, path, O_RDONLY, 0);

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return io_read_all(fd, path, max, b, err);
}

int io_write_value(int dirfd, const char *path, const char *value, struct err *err)
{
	CLOSE_FD int fd = open_retry(dirfd, path, O_WRONLY, 0);
	size_t len = strlen(value);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	do
		n = write(fd, value, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "write '%s' to '%s'", value, path);
	if ((size_t)n != len)
		return err_set(err, EIO, "write '%s' to '%s': only %zd bytes taken", value, path,
			       n);
	return 0;
}

static int create_temp(int dirfd, const char *name, char **ret_temp)
{
	for (int i = 0; i < TEMP_ATTEMPTS; i++) {
		FREE char *temp = NULL;
		uint32_t r;
		int fd;

		if (getrandom(&r, sizeof(r), 0) != sizeof(r))
			return -EIO;
		temp = mem_xprintf("%s.%08x.tmp", name, r);
		fd = open_retry(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		if (fd >= 0) {
			*ret_temp = ptr_take(&temp);
			return fd;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int fill_and_rename(int fd, int dirfd, const char *temp, const char *name, mode_t mode,
			   const void *data, size_t len)
{
	int rc = io_write(fd, data, len);

	if (rc == 0 && fchmod(fd, mode) < 0)
		rc = -errno;
	/* Network and quota file systems report a full disk only here. */
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		rc = -errno;
	return rc;
}

int io_replace_file(int dirfd, const char *name, mode_t mode, const void *data, size_t len,
		    struct err *err)
{
	FREE char *temp = NULL;
	int fd, rc;

	/* By O_TMPFILE there would be a moment without the file: linkat(2) does not replace. */
	fd = create_temp(dirfd, name, &temp);
	if (fd < 0)
		return err_code(err, -fd, "create a temporary file for '%s'", name);
	rc = fill_and_rename(fd, dirfd, temp, name, mode, data, len);
	if (rc < 0) {
		(void)unlinkat(dirfd, temp, 0);
		return err_code(err, -rc, "write '%s'", name);
	}
	return 0;
}

/* Gives a file without a name one, by procfs where AT_EMPTY_PATH needs a capability (man 2 open). */
static int link_once(int fd, int dirfd, const char *name)
{
	char path[32];

	if (linkat(fd, "", dirfd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* linkat(2) does not replace: what has the name goes first. */
static int link_file(int fd, int dirfd, const char *name)
{
	int rc = link_once(fd, dirfd, name);

	for (int i = 0; i < TEMP_ATTEMPTS && rc == -EEXIST; i++) {
		if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
			return -errno;
		rc = link_once(fd, dirfd, name);
	}
	return rc;
}

static int fill_and_link(int fd, int dirfd, const char *name, mode_t mode, const void *data,
			 size_t len)
{
	int rc = io_write(fd, data, len);

	if (rc == 0 && fchmod(fd, mode) < 0)
		rc = -errno;
	return rc < 0 ? rc : link_file(fd, dirfd, name);
}

int io_place_file(int dirfd, const char *name, mode_t mode, const void *data, size_t len,
		  struct err *err)
{
	int fd = open_retry(dirfd, ".", O_WRONLY | O_TMPFILE, 0600);
	int rc;

	/* Older kernels see the open of a directory (man 2 open, O_TMPFILE). */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return io_replace_file(dirfd, name, mode, data, len, err);
	if (fd < 0)
		return err_sys(err, "create '%s'", name);
	rc = fill_and_link(fd, dirfd, name, mode, data, len);
	if (close(fd) < 0 && rc == 0) {
		rc = -errno;
		(void)unlinkat(dirfd, name, 0);
	}
	if (rc == -EPERM || rc == -ENOENT || rc == -EOPNOTSUPP)
		return io_replace_file(dirfd, name, mode, data, len, err);
	return rc < 0 ? err_code(err, -rc, "write '%s'", name) : 0;
}
