/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds the cell (sandbox.h): namespaces(7), pivot_root(2), capabilities(7), seccomp(2). Each step
 * must succeed; there is no serving outside.
 */
#include "microvm/fsd/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"

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

pid_t fsd_cell_fork(struct err *err)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	return pid < 0 ? err_sys(err, "clone the file server") : pid;
}

/* Leaves the standard descriptors (as /dev/null) and the two. */
static int close_others(int a, int b, struct err *err)
{
	unsigned int low = (unsigned int)(a < b ? a : b), high = (unsigned int)(a < b ? b : a);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_sys(err, "open '/dev/null'");
	for (int fd = 0; fd < 3; fd++)
		if (dup3(null, fd, 0) < 0 && errno != EINVAL)
			return err_sys(err, "replace descriptor %d", fd);
	if ((low > 3 && close_range(3, low - 1, 0) < 0) ||
	    (high > low + 1 && close_range(low + 1, high - 1, 0) < 0) ||
	    close_range(high + 1, ~0u, 0) < 0)
		return err_sys(err, "close descriptors");
	return 0;
}

static int change_root(int tree_fd, struct err *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make mounts private");
	/* On top of the old root, from where it takes its place. */
	if (move_mount(tree_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "mount the shared directory");
	if (fchdir(tree_fd) < 0)
		return err_sys(err, "change to the shared directory");
	if (sys_pivot_root(".", ".") < 0)
		return err_sys(err, "pivot_root to the shared directory");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "unmount the old root");
	return chdir("/") < 0 ? err_sys(err, "change to '/'") : 0;
}

static int drop_privileges(struct err *err)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2] = {{.effective = CAPS, .permitted = CAPS}};
	const struct rlimit none = {0, 0};

	if (setgroups(0, NULL) < 0)
		return err_sys(err, "drop supplementary groups");
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(err, "drop capability %lu from the bounding set", cap);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, "clear ambient capabilities");
	if (capset(&head, caps) < 0)
		return err_sys(err, "set capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "prctl");
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(err, "forbid core dumps");
	return 0;
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
	rc = change_root(tree_fd, err);
	if (rc < 0)
		return rc;
	dir_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "open the shared directory");
	fd_close(tree_fd);
	rc = drop_privileges(err);
	if (rc < 0)
		return rc;
	*ret_dir_fd = fd_take(&dir_fd);
	*ret_proc_fd = fd_take(&proc_fd);
	return 0;
}

static const int allowed_calls[] = {
	/* the guest and hull-vmm */
	SCMP_SYS(ppoll),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	/* files by descriptor */
	SCMP_SYS(close),
	SCMP_SYS(copy_file_range),
	SCMP_SYS(fallocate),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(getdents64),
	SCMP_SYS(lseek),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev2),
	SCMP_SYS(syncfs),
	/* files by name */
	SCMP_SYS(fchmodat),
	SCMP_SYS(fchownat),
	SCMP_SYS(getxattr),
	SCMP_SYS(linkat),
	SCMP_SYS(listxattr),
	SCMP_SYS(mkdirat),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(readlinkat),
	SCMP_SYS(removexattr),
	SCMP_SYS(renameat), /* renameat2(3) without flags */
	SCMP_SYS(renameat2),
	SCMP_SYS(setxattr),
	SCMP_SYS(statx),
	SCMP_SYS(symlinkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat),
	/* the caller's identity */
	SCMP_SYS(capset),
	SCMP_SYS(setfsgid),
	SCMP_SYS(setfsuid),
	/* the C library */
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(exit_group),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn),
	/* a sanitizer, in builds with one */
	SCMP_SYS(sigaltstack),
};

/* Calls that are allowed with some arguments: the argument's number, mask and value. */
static const struct {
	int call;
	unsigned int arg;
	uint64_t mask, value;
} allowed_with[] = {
	{SCMP_SYS(fcntl), 1, ~0ull, F_DUPFD_CLOEXEC}, {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},        {SCMP_SYS(mknodat), 2, S_IFMT, S_IFREG},
	{SCMP_SYS(mknodat), 2, S_IFMT, S_IFIFO},      {SCMP_SYS(mknodat), 2, S_IFMT, S_IFSOCK},
};

static int add_rules(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < ARRAY_SIZE(allowed_calls); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	for (size_t i = 0; !rc && i < ARRAY_SIZE(allowed_with); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_with[i].call, 1,
				      SCMP_CMP(allowed_with[i].arg, SCMP_CMP_MASKED_EQ,
					       allowed_with[i].mask, allowed_with[i].value));
	return rc;
}

int fsd_cell_lock(struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = ctx ? 0 : -ENOMEM;

	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* Binary search over the calls, in place of a walk for each. */
	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!rc)
		rc = add_rules(ctx);
	if (!rc)
		rc = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return rc < 0 ? err_code(err, -rc, "load the file server's system call filter") : 0;
}
