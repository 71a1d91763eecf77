/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's terminal is a pty of the container's own devpts instance, so that its name means
 * something inside. Nothing in the container is trusted on the way: the multiplexer is opened
 * without following symlinks and must be the character device 5:2 of a devpts, and the slave is
 * taken from the master by TIOCGPTPEER instead of by its name (man 2 ioctl_tty; CVE-2025-52565).
 */
#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTMX         "/dev/pts/ptmx"

/*
 * A /dev/pts that is a link to /proc/self/fd/N must not lead through the directories of the host
 * that hull still has open.
 */
static int open_multiplexer(struct err *err)
{
	CLOSE_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(err, "open '/'");

	int fd = path_open_in(root, PTMX, O_RDWR | O_NOCTTY | O_NOFOLLOW, 0, err);

	return fd < 0 ? err_wrap(err, fd, "process.terminal needs a devpts mount") : fd;
}

int console_open(const struct ns_process *p, int *ret_master, int *ret_slave, struct err *err)
{
	struct stat st;
	struct statfs fs;
	int unlock = 0;
	CLOSE_FD int master = open_multiplexer(err);

	if (master < 0)
		return master;
	if (fstat(master, &st) < 0 || fstatfs(master, &fs) < 0)
		return err_sys(err, "stat '" PTMX "'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || fs.f_type != DEVPTS_MAGIC)
		return err_set(err, ENOTTY,
			       "'" PTMX "' in the container is not the multiplexer of a devpts");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(err, "unlock pty");

	CLOSE_FD int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (slave < 0)
		return err_sys(err, "open pty slave");
	if (p->has_console_size) {
		struct winsize ws = {.ws_row = p->console_height, .ws_col = p->console_width};

		if (ioctl(master, TIOCSWINSZ, &ws) < 0)
			return err_sys(err, "set console size");
	}
	*ret_master = fd_take(&master);
	*ret_slave = fd_take(&slave);
	return 0;
}

int console_attach(const struct ns_process *p, int slave, struct err *err)
{
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_sys(err, "set controlling terminal");
	/* devpts gives the node to its opener; a read-only or unmapped one is no reason to stop. */
	if (fchown(slave, p->uid, (gid_t)-1) < 0 && errno != EPERM && errno != EROFS &&
	    errno != EINVAL)
		return err_sys(err, "change owner of the terminal");
	for (int fd = 0; fd <= 2; fd++) {
		if (dup2(slave, fd) < 0)
			return err_sys(err, "set descriptor %d to the terminal", fd);
	}
	return 0;
}

int console_send(int sock, int master, struct err *err)
{
	char name[64];

	if (ptsname_r(master, name, sizeof(name)) != 0)
		return err_sys(err, "name of the pty");

	int rc = fd_send(sock, &master, 1, name, strlen(name), err);

	return rc < 0 ? err_wrap(err, rc, "console socket") : 0;
}

/*
 * The program must be able to reopen its own standard streams (/dev/stdout) as the container's
 * user. Refusals are put up with: an unmapped owner, a read-only file system.
 */
void console_own_stdio(const struct ns_process *p)
{
	for (int fd = 0; fd <= 2; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0 || st.st_uid == p->uid || S_ISCHR(st.st_mode))
			continue;
		(void)!fchown(fd, p->uid, (gid_t)-1);
	}
}
