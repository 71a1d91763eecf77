/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * procfs through a verified descriptor. A container engine or an image must not be able to make
 * hull write a label or read a status from something that only looks like /proc, so every file is
 * opened without leaving the mount that was checked (man 2 openat2, RESOLVE_NO_XDEV).
 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/sys.h"
#include "base/walk.h"

#define PROC_ROOT_INO   1
#define PROC_STAT_MAX   4096
#define PROC_STAT_START 22 /* number of the start time field, man 5 proc */

int proc_open_root(struct err *err)
{
	CLOSE_FD int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return err_sys(err, "open '/proc'");
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "inspect '/proc'");
	if ((unsigned long)fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
		return err_set(err, EXDEV, "'/proc' is not the root of a procfs");
	return fd_take(&fd);
}

static int open_below(int proc_fd, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};
	const struct walk_how walk = {.flags = flags, .no_xdev = true};
	int fd;

	if (*path == '/')
		return -EXDEV;
	while (!walk_forced()) {
		fd = sys_openat2(proc_fd, path, &how, sizeof(how));
		if (fd >= 0)
			return fd;
		if (errno == ENOSYS || errno == EPERM)
			break;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return walk_open(proc_fd, path, &walk);
}

int proc_open(int proc_fd, const char *path, int flags, struct err *err)
{
	int fd = open_below(proc_fd, path, flags);

	return fd < 0 ? err_code(err, -fd, "open '/proc/%s'", path) : fd;
}

int proc_write(int proc_fd, const char *path, const char *value, struct err *err)
{
	CLOSE_FD int fd = proc_open(proc_fd, path, O_WRONLY, err);
	size_t len = strlen(value);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = write(fd, value, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "write '%s' to '/proc/%s'", value, path);
	if ((size_t)n != len)
		return err_set(err, EIO, "write '%s' to '/proc/%s': only %zd bytes taken", value,
			       path, n);
	return 0;
}

/* text: "pid (comm) state ppid …"; comm may hold blanks and parentheses, so its end is the last
 * ')'. */
static int parse_stat(char *text, struct proc_stat *ret)
{
	struct proc_stat st = {0};
	char *p = strrchr(text, ')');
	char *field;
	uint64_t v;

	if (!p || p[1] != ' ')
		return -EINVAL;
	p += 2;
	for (int i = 3; i <= PROC_STAT_START; i++) {
		field = strsep(&p, " ");
		if (!field)
			return -EINVAL;
		if (i == 3)
			st.state = *field;
		if (i == 4 || i == PROC_STAT_START) {
			if (parse_u64(field, &v) < 0)
				return -EINVAL;
			if (i == 4)
				st.ppid = (pid_t)v;
			else
				st.start_time = v;
		}
	}
	*ret = st;
	return 0;
}

int proc_stat_read(int proc_fd, pid_t pid, struct proc_stat *ret, struct err *err)
{
	char path[32], text[PROC_STAT_MAX + 1];
	CLOSE_FD int fd = -1;
	ssize_t n;

	if (pid <= 0)
		return err_set(err, ENOENT, "no process has the number %d", pid);
	(void)snprintf(path, sizeof(path), "%d/stat", pid);
	fd = proc_open(proc_fd, path, O_RDONLY, err);
	if (fd < 0)
		return fd;
	n = io_read(fd, text, PROC_STAT_MAX);
	/* The process may be reaped between open and read. */
	if (n == -ESRCH)
		n = -ENOENT;
	if (n < 0)
		return err_code(err, (int)-n, "read '/proc/%s'", path);
	text[n] = '\0';
	if (parse_stat(text, ret) < 0)
		return err_set(err, EINVAL, "read '/proc/%s': unexpected text", path);
	return 0;
}
