/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole-file and whole-buffer input and output. EINTR is retried here and nowhere above. */
#ifndef HULL_BASE_IO_H
#define HULL_BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads until len bytes or end of file. Returns the count (less than len: the end) or -errno. */
ssize_t io_read(int fd, void *data, size_t len) MUST_CHECK;

/* Writes all len bytes. 0 or -errno. */
int io_write(int fd, const void *data, size_t len) MUST_CHECK;

/* Appends fd's content up to its end to b. More than max bytes: -EFBIG. name is for messages. */
int io_read_all(int fd, const char *name, size_t max, struct buf *b, struct err *err) MUST_CHECK;

/* Reads the file path (relative to dirfd) whole into b, at most max bytes. O_CLOEXEC. */
int io_read_file(int dirfd, const char *path, size_t max, struct buf *b,
		 struct err *err) MUST_CHECK;

/*
 * Writes one value into an existing file in a single write(2), as the kernel's own file systems
 * (cgroup, procfs, sysfs) want it. O_WRONLY|O_CLOEXEC, no creation.
 */
int io_write_value(int dirfd, const char *path, const char *value, struct err *err) MUST_CHECK;

/* Replaces dirfd/name atomically: temporary file in the same directory, write, rename. */
int io_replace_file(int dirfd, const char *name, mode_t mode, const void *data, size_t len,
		    struct err *err) MUST_CHECK;

/*
 * The same without a temporary name, for a directory that is not hull's: whoever is killed in here
 * leaves the old file, none, or the whole new one, and nothing else. A file system without O_TMPFILE
 * or hard links is written to by io_replace_file.
 */
int io_place_file(int dirfd, const char *name, mode_t mode, const void *data, size_t len,
		  struct err *err) MUST_CHECK;

#endif
