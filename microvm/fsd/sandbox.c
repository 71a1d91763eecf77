/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds the cell (sandbox.h): namespaces(7), and the steps of confine.h. Each must succeed; there is
 * no serving outside.
 */
#include "microvm/fsd/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "microvm/confine.h"

/*
 * Files of any owner are read, written, made and given away, with all bits of their modes, and get
 * file capabilities; callers' ids are taken on for making files. No CAP_MKNOD: no devices.
 */
#define CAPS                                                                                       \
	(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID |          \
	 1u << CAP_SETGID | 1u << CAP_SETUID | 1u << CAP_SETFCAP)

int fsd_cell_tree(int dir_fd, bool readonly, bool submounts, struct err *err)
{
	const unsigned int all = submounts ? AT_RECURSIVE : 0;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					      MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW,
				  .propagation = MS_PRIVATE};
	CLOSE_FD int tree =
		open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | all);

	/* Before Linux 6.15 a mount without a place cannot be cloned; it is nobody else's. */
	if (tree < 0 && errno == EINVAL)
		tree = fd_dup(dir_fd, NULL);
	if (tree < 0)
		return err_sys(err, "clone the mount of the shared directory");
	if (readonly)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | all, &attr, sizeof(attr)) < 0)
		return err_sys(err, "set the mount attributes of the shared directory");
	return fd_take(&tree);
}

pid_t fsd_cell_fork(int *ret_pid_fd, struct err *err)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET |
			 CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pid_fd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	return pid < 0 ? err_sys(err, "clone the file server") : pid;
}

/* Leaves the standard descriptors (as /dev/null) and the two. */
static int close_others(int a, int b, struct err *err)
{
	const int keep[] = {a, b};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_sys(err, "open '/dev/null'");
	for (int fd = 0; fd < 3; fd++)
		if (dup3(null, fd, 0) < 0 && errno != EINVAL)
			return err_sys(err, "replace descriptor %d", fd);
	return confine_close_others(keep, ARRAY_SIZE(keep), err);
}

int fsd_cell_enter(int keep_fd, int tree_fd, int *ret_dir_fd, int *ret_proc_fd, struct err *err)
{
	CLOSE_FD int dir_fd = -1;
	CLOSE_FD int proc_fd = -1;
	int rc;

	(void)prctl(PR_SET_NAME, "hull-fs", 0, 0, 0);
	(void)setsid(); /* the terminal's signals are not for this process */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	rc = close_others(keep_fd, tree_fd, err);
	if (rc < 0)
		return rc;
	/* A clone of this one directory: its ".." is itself. */
	proc_fd = open_tree(AT_FDCWD, "/proc/self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (proc_fd < 0)
		return err_sys(err, "clone the mount of '/proc/self/fd'");
	rc = confine_change_root(tree_fd, err);
	if (rc < 0)
		return rc;
	dir_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "open the shared directory");
	fd_close(tree_fd);
	if (setgroups(0, NULL) < 0)
		return err_sys(err, "drop supplementary groups");
	rc = confine_drop_capabilities(CAPS, err);
	if (rc < 0)
		return rc;
	*ret_dir_fd = fd_take(&dir_fd);
	*ret_proc_fd = fd_take(&proc_fd);
	return 0;
}

int fsd_cell_lock(struct err *err)
{
	int rc = confine_filter_load(&fsd_cell_filter, err);

	return rc < 0 ? err_wrap(err, rc, "file server") : 0;
}
