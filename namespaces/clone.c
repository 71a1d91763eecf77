/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a container's first process comes to be in its namespaces.
 *
 * The plain case is one clone3(2) with CLONE_NEWPID and CLONE_NEWUSER; the child makes or joins the
 * rest itself in ns_enter, so that the slow ones (network) overlap with what the parent does.
 * A process enters a pid namespace only by being born in it, and a namespace that belongs to
 * another user namespace can be joined only before the new user namespace is entered. Where config
 * asks for such a mixture, a short-lived intermediate process joins first and then clones the
 * container's process as its own sibling (CLONE_PARENT), so the caller is its parent either way.
 *
 * man 2 clone3, setns, unshare; man 7 namespaces, user_namespaces, time_namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "namespaces/namespaces.h"

static const struct {
	const char *name, *file;
	int flag;
} kinds[NS_KIND_MAX] = {
	[NS_USER] = {"user", "user", CLONE_NEWUSER},
	[NS_MOUNT] = {"mount", "mnt", CLONE_NEWNS},
	[NS_PID] = {"pid", "pid", CLONE_NEWPID},
	[NS_NETWORK] = {"network", "net", CLONE_NEWNET},
	[NS_IPC] = {"ipc", "ipc", CLONE_NEWIPC},
	[NS_UTS] = {"uts", "uts", CLONE_NEWUTS},
	[NS_CGROUP] = {"cgroup", "cgroup", CLONE_NEWCGROUP},
	[NS_TIME] = {"time", "time", CLONE_NEWTIME},
};

const char *ns_kind_name(enum ns_kind kind)
{
	return kinds[kind].name;
}

const char *ns_kind_file(enum ns_kind kind)
{
	return kinds[kind].file;
}

int ns_kind_flag(enum ns_kind kind)
{
	return kinds[kind].flag;
}

int ns_kind_parse(const char *oci_name)
{
	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (strcmp(kinds[k].name, oci_name) == 0)
			return k;
	}
	return -EINVAL;
}

static bool is_new(const struct ns_spaces *spaces, enum ns_kind kind)
{
	return spaces->kind[kind].listed && !spaces->kind[kind].path;
}

static void close_all(int fds[static NS_KIND_MAX])
{
	for (int k = 0; k < NS_KIND_MAX; k++)
		fd_replace(&fds[k], -1);
}

static int open_space(enum ns_kind kind, const char *path, struct err *err)
{
	CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open %s namespace '%s'", kinds[kind].name, path);

	int type = ioctl(fd, NS_GET_NSTYPE);

	if (type < 0)
		return err_set(err, EINVAL, "'%s' is not a namespace", path);
	if (type != kinds[kind].flag)
		return err_set(err, EINVAL, "'%s' is not a %s namespace", path, kinds[kind].name);
	return fd_take(&fd);
}

int ns_spaces_open(const struct ns_spaces *spaces, int ret_fds[static NS_KIND_MAX], struct err *err)
{
	int fds[NS_KIND_MAX];

	memset(fds, -1, sizeof(fds));
	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (!spaces->kind[k].path)
			continue;
		fds[k] = open_space((enum ns_kind)k, spaces->kind[k].path, err);
		if (fds[k] < 0) {
			int rc = fds[k];

			close_all(fds);
			return rc;
		}
	}
	memcpy(ret_fds, fds, sizeof(fds));
	return 0;
}

/*
 * clone3, or clone where clone3 is missing (before 5.3) or refused by an outer container's filter.
 * cgroup_fd is -1 or a cgroup2 directory.
 */
static pid_t do_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd, bool *ret_in_cgroup)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = (flags & CLONE_PARENT) ? 0 : SIGCHLD,
	};
	pid_t pid = -1;

	*ret_in_cgroup = false;
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
		pid = sys_clone3(&args, sizeof(args));
		if (pid >= 0)
			*ret_in_cgroup = true;
		args.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
		args.cgroup = 0;
	}
	/* What INTO_CGROUP refused (a threaded group, a real-time task) the caller does by a write.
	 */
	if (pid < 0)
		pid = sys_clone3(&args, sizeof(args));
	if (pid < 0 && (errno == ENOSYS || errno == EPERM))
		pid = (pid_t)syscall(SYS_clone, (unsigned long)(args.flags | args.exit_signal),
				     NULL, &pidfd, NULL, NULL);
	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

/* Joins every namespace of fds but the cgroup one; what needs the joined user namespace comes last.
 */
static int join_all(const int fds[static NS_KIND_MAX], struct err *err)
{
	bool retry[NS_KIND_MAX] = {false};

	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (fds[k] < 0 || k == NS_USER || k == NS_CGROUP)
			continue;
		if (setns(fds[k], kinds[k].flag) == 0)
			continue;
		if (errno != EPERM || fds[NS_USER] < 0)
			return err_sys(err, "join %s namespace", kinds[k].name);
		retry[k] = true;
	}
	if (fds[NS_USER] >= 0 && setns(fds[NS_USER], CLONE_NEWUSER) < 0)
		return err_sys(err, "join user namespace");
	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (retry[k] && setns(fds[k], kinds[k].flag) < 0)
			return err_sys(err, "join %s namespace", kinds[k].name);
	}
	return 0;
}

struct birth { /* what the intermediate process reports */
	pid_t pid;
	struct err err;
};

/* The intermediate process. Returns 0 in the container's process, else does not return. */
static int intermediate(int sock, const int fds[static NS_KIND_MAX], uint64_t flags)
{
	struct birth b = {0};
	bool in_cgroup;
	int pidfd = -1;

	if (join_all(fds, &b.err) == 0) {
		b.pid = do_clone(flags | CLONE_PARENT, -1, &pidfd, &in_cgroup);
		if (b.pid == 0)
			return 0;
		if (b.pid < 0)
			(void)err_sys(&b.err, "clone");
	}
	if (fd_send(sock, &pidfd, pidfd >= 0 ? 1 : 0, &b, sizeof(b), NULL) < 0)
		_exit(1);
	_exit(0);
}

static pid_t clone_by_intermediate(const int fds[static NS_KIND_MAX], uint64_t flags, int cgroup_fd,
				   int *ret_pidfd, bool *ret_in_cgroup, struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "socketpair");

	CLOSE_FD int ours = pair[0];
	CLOSE_FD int theirs = pair[1];
	CLOSE_FD int middle_pidfd = -1;
	pid_t middle = do_clone(0, cgroup_fd, &middle_pidfd, ret_in_cgroup);

	if (middle < 0)
		return err_sys(err, "clone");
	if (middle == 0)
		return intermediate(theirs, fds, flags);

	struct birth b = {0};
	size_t n_fds = 0;

	fd_replace(&theirs, -1);
	ssize_t n = fd_recv(ours, ret_pidfd, 1, &n_fds, &b, sizeof(b), err);

	while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
		;
	if (n < 0)
		return (pid_t)n;
	if (n != (ssize_t)sizeof(b))
		return err_set(err, ECHILD, "join namespaces: the process that joins them died");
	if (b.err.code) {
		if (err)
			*err = b.err;
		return -b.err.code;
	}
	return b.pid;
}

/* Children are born in the pid namespace fd; the caller's own view stays (man 2 setns). */
static pid_t clone_into_pid_ns(int fd, uint64_t flags, int cgroup_fd, int *ret_pidfd,
			       bool *ret_in_cgroup, struct err *err)
{
	CLOSE_FD int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return err_sys(err, "open '/proc/self/ns/pid'");
	if (setns(fd, CLONE_NEWPID) < 0)
		return err_sys(err, "join pid namespace");

	pid_t pid = do_clone(flags, cgroup_fd, ret_pidfd, ret_in_cgroup);
	int rc = pid < 0 ? err_sys(err, "clone") : pid;

	if (pid != 0 && setns(own, CLONE_NEWPID) < 0 && pid > 0) {
		rc = err_sys(err, "return to the own pid namespace");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		fd_replace(ret_pidfd, -1);
	}
	return rc;
}

pid_t ns_clone(const struct ns_spaces *spaces, const int fds[static NS_KIND_MAX], int cgroup_fd,
	       int *ret_pidfd, bool *ret_in_cgroup, struct err *err)
{
	uint64_t flags = 0;
	bool paths = false;

	if (is_new(spaces, NS_PID))
		flags |= CLONE_NEWPID;
	if (is_new(spaces, NS_USER))
		flags |= CLONE_NEWUSER;
	for (int k = 0; k < NS_KIND_MAX; k++)
		paths |= fds[k] >= 0 && k != NS_CGROUP;

	if (fds[NS_USER] >= 0 || (paths && (flags & CLONE_NEWUSER)))
		return clone_by_intermediate(fds, flags, cgroup_fd, ret_pidfd, ret_in_cgroup, err);
	if (fds[NS_PID] >= 0)
		return clone_into_pid_ns(fds[NS_PID], flags, cgroup_fd, ret_pidfd, ret_in_cgroup,
					 err);

	pid_t pid = do_clone(flags, cgroup_fd, ret_pidfd, ret_in_cgroup);

	return pid < 0 ? err_sys(err, "clone") : pid;
}

static int write_time_offset(struct buf *b, const char *clock, const struct ns_time_offset *o)
{
	if (o->set)
		buf_addf(b, "%s %lld %u\n", clock, (long long)o->secs, o->nanosecs);
	return o->set;
}

/*
 * Offsets can be written only while nobody is in the namespace; unshare makes it for children
 * alone, and a single-threaded process may then enter it itself by setns (man 7 time_namespaces).
 */
int ns_enter_time(const struct ns_spaces *spaces, int proc_fd, struct err *err)
{
	BUF offsets = BUF_INIT;
	int rc;

	if (!is_new(spaces, NS_TIME))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(err, "create time namespace");
	if (write_time_offset(&offsets, "monotonic", &spaces->monotonic) +
	    write_time_offset(&offsets, "boottime", &spaces->boottime)) {
		rc = proc_write(proc_fd, "self/timens_offsets", buf_str(&offsets), err);
		if (rc < 0)
			return err_wrap(err, rc, "linux.timeOffsets");
	}

	CLOSE_FD int fd = openat(proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open time namespace");
	if (setns(fd, CLONE_NEWTIME) < 0)
		return err_sys(err, "enter time namespace");
	return 0;
}

int ns_enter(const struct ns_spaces *spaces, const int fds[static NS_KIND_MAX], struct err *err)
{
	int flags = 0;

	/* With a user namespace in play the intermediate process has joined the others already. */
	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (k == NS_PID || k == NS_USER || k == NS_CGROUP)
			continue;
		if (fds[k] >= 0 && !spaces->kind[NS_USER].listed &&
		    setns(fds[k], kinds[k].flag) < 0)
			return err_sys(err, "join %s namespace", kinds[k].name);
		if (is_new(spaces, (enum ns_kind)k) && k != NS_TIME)
			flags |= kinds[k].flag;
	}
	if (flags && unshare(flags) < 0)
		return err_sys(err, "create namespaces");
	return 0;
}

int ns_enter_cgroup(const struct ns_spaces *spaces, const int fds[static NS_KIND_MAX],
		    struct err *err)
{
	if (fds[NS_CGROUP] >= 0 && setns(fds[NS_CGROUP], CLONE_NEWCGROUP) < 0)
		return err_sys(err, "join cgroup namespace");
	if (is_new(spaces, NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, "create cgroup namespace");
	return 0;
}

int ns_join_process(int proc_fd, pid_t pid, int pidfd, int flags, struct err *err)
{
	if (!flags)
		return 0;
	if (!secure_getenv("HULL_NO_PIDFD_SETNS")) {
		if (setns(pidfd, flags) == 0)
			return 0;
		/* EINVAL: a kernel before 5.8, or one of the namespaces is already the caller's. */
		if (errno != EINVAL && errno != EBADF)
			return err_sys(err, "join namespaces of process %d", (int)pid);
	}

	int fds[NS_KIND_MAX];

	memset(fds, -1, sizeof(fds));
	for (int k = 0; k < NS_KIND_MAX; k++) {
		char path[64];

		if (!(flags & kinds[k].flag))
			continue;
		snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, kinds[k].file);
		fds[k] = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
		if (fds[k] < 0) {
			int rc = err_sys(err, "open %s namespace of process %d", kinds[k].name,
					 (int)pid);

			close_all(fds);
			return rc;
		}
	}

	int rc = join_all(fds, err);

	if (rc == 0 && fds[NS_CGROUP] >= 0 && setns(fds[NS_CGROUP], CLONE_NEWCGROUP) < 0)
		rc = err_sys(err, "join cgroup namespace");
	close_all(fds);
	return rc;
}
