/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root without pivot_root: the host's mounts stay in the container's mount namespace, below its
 * root, out of reach but there. The kernel lets a user namespace mount a new procfs or sysfs as
 * long as one is fully visible in the mount namespace, and the host's would count as that whatever
 * the container has masked. So they are unmounted, or covered where that is denied.
 *
 * This is the only place where the list of mounts is read; /proc/self/mountinfo is described in
 * man 5 proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/proc.h"
#include "namespaces/rootfs_internal.h"

#define MOUNTINFO_MAX (64u << 20)

/* "\040" and the like, in place. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* The mount point of a line that shows a whole procfs or sysfs, else NULL. */
static char *full_pseudo_mount(char *line)
{
	char *type = strstr(line, " - "), *root = NULL, *point = NULL;

	if (!type)
		return NULL;
	*type = '\0';
	type += 3;
	if (strncmp(type, "proc ", 5) != 0 && strncmp(type, "sysfs ", 6) != 0)
		return NULL;
	for (int i = 0; i < 5 && line; i++) {
		char *field = strsep(&line, " ");

		if (i == 3)
			root = field;
		if (i == 4)
			point = field;
	}
	if (!root || !point || strcmp(root, "/") != 0)
		return NULL;
	unescape(point);
	return point;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int hide(const char *point, struct err *err)
{
	if (mount(NULL, point, NULL, MS_SLAVE | MS_REC, NULL) < 0) {
		/* It went away together with the one that it was mounted on. */
		if (errno == ENOENT || errno == EINVAL)
			return 0;
		return err_sys(err, "set the propagation of '%s'", point);
	}
	if (umount2(point, MNT_DETACH) == 0)
		return 0;
	if (errno != EINVAL && errno != EPERM)
		return err_sys(err, "unmount '%s'", point);
	if (mount("tmpfs", point, "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=2") < 0)
		return err_sys(err, "cover '%s'", point);
	return 0;
}

int hide_host(const struct ns_rootfs_state *st, struct err *err)
{
	BUF text = BUF_INIT;
	CLOSE_FD int fd = proc_open(st->proc_fd, "self/mountinfo", O_RDONLY, err);
	char *rest, *line;
	int rc;

	if (fd < 0)
		return fd;
	rc = io_read_all(fd, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, err);
	if (rc < 0)
		return rc;
	rest = text.data;
	while ((line = strsep(&rest, "\n"))) {
		char *point = full_pseudo_mount(line);

		if (!point || is_below(point, st->root_path))
			continue;
		rc = hide(point, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
