/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's program may be "#!/proc/self/exe": the kernel then executes the runtime inside the
 * container, where /proc/PID/exe can be opened and, once the process has ended, written. So a
 * process that enters containers must be executed from a place that cannot be written: a detached
 * read-only mount of the binary (man 2 open_tree, mount_setattr), or a sealed copy in memory (man 2
 * memfd_create) where the mount API is missing. How it was done needs no record: it shows in the
 * executable's own mount flags or seals.
 */
#include "runtime/protect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/companion.h"
#include "base/fd.h"

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool is_protected(int exe)
{
	struct statvfs fs;

	if (fstatvfs(exe, &fs) == 0 && (fs.f_flag & ST_RDONLY))
		return true;

	int seals = fcntl(exe, F_GET_SEALS);

	return seals >= 0 && (seals & ALL_SEALS) == ALL_SEALS;
}

static int clone_read_only(int exe)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	CLOSE_FD int fd = open_tree(exe, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -1;
	return fd_take(&fd);
}

static int copy_sealed(int exe)
{
	struct stat st;
	CLOSE_FD int fd = memfd_create("hull", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	off_t done = 0;

	if (fd < 0 || fstat(exe, &st) < 0)
		return -1;
	while (done < st.st_size) {
		if (sendfile(fd, exe, &done, (size_t)(st.st_size - done)) <= 0)
			return -1;
	}
	if (fchmod(fd, 0755) < 0 || fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return -1;
	return fd_take(&fd);
}

int protect_self(char *const argv[], struct err *err)
{
	CLOSE_FD int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (exe < 0)
		return err_sys(err, "open '/proc/self/exe'");
	if (is_protected(exe))
		return 0;

	CLOSE_FD int fd = secure_getenv("HULL_NO_MOUNT_API") ? -1 : clone_read_only(exe);

	if (fd < 0)
		fd = copy_sealed(exe);
	if (fd < 0)
		return err_sys(err, "protect the own binary");

	/* The clone has no path of its own; companions are found beside the original. */
	int rc = companion_remember(err);

	if (rc < 0)
		return rc;
	execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(err, "execute the protected copy of the own binary");
}
