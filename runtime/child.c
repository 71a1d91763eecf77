/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parent's side of a process in a container: from the options to SYNC_READY. */
#include "runtime/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtime/sync.h"

int child_check(struct child *ch, bool foreground, const char *console_socket,
		unsigned int preserve_fds, struct err *err)
{
	bool terminal = ch->process && ch->process->terminal;
	int rc;

	if (terminal && !foreground && !console_socket)
		return err_set(
			err, EINVAL,
			"process.terminal is true: a detached process needs --console-socket");
	if (!terminal && console_socket)
		return err_set(err, EINVAL,
			       "--console-socket is given but process.terminal is false");
	if (foreground && console_socket)
		return err_set(err, EINVAL, "--console-socket needs --detach");
	if (ch->process && (rc = ns_process_labels_check(ch->process, err)) < 0)
		return rc;
	if ((rc = launch_preserved(preserve_fds, &ch->preserve_fds, err)) < 0)
		return rc;
	if (console_socket) {
		ch->console_fd = sock_connect(console_socket, SOCK_STREAM, err);
		if (ch->console_fd < 0)
			return err_wrap(err, ch->console_fd, "--console-socket");
	}
	return 0;
}

int child_build_filter(struct child *ch, struct runtime *rt, struct err *err)
{
	if (!ch->seccomp)
		return 0;

	/* Without a cache the filter is compiled each time; that is slower and no error. */
	CLOSE_FD int cache = ns_seccomp_cache_open(rt->root_fd, ".seccomp", NULL);
	int rc = ns_seccomp_build(ch->seccomp, cache, &ch->filter, err);

	if (rc == 0 && ch->seccomp->listener_path)
		rc = notify_new(&ch->notify, err);
	return rc;
}

void child_become(struct child *ch, int proc_fd, struct launch *ret)
{
	sigset_t none;

	fd_replace(&ch->sync[0], -1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	*ret = (struct launch){
		.process = ch->process,
		.filter = ch->seccomp ? &ch->filter : NULL,
		.notify = ch->notify,
		.proc_fd = proc_fd,
		.sync = ch->sync[1],
		.fifo_fd = -1,
		.in_userns = ch->in_userns,
		.preserve_fds = ch->preserve_fds,
	};
}

/* The child is gone without an error of its own. */
static int describe_end(struct child *ch, struct cgroup *cg, struct err *err)
{
	siginfo_t info = {0};
	uint64_t kills = 0;

	if (waitid(P_PID, (id_t)ch->pid, &info, WEXITED | WNOWAIT) < 0 || info.si_pid == 0)
		return err_set(err, ECHILD, "the container's process went away");
	if (cg && cgroup_oom_kills(cg, &kills, NULL) == 0 && kills > 0)
		return err_set(
			err, ENOMEM,
			"the container's process was killed for lack of memory while it was set up "
			"(linux.resources.memory.limit is too low)");
	if (info.si_code == CLD_EXITED)
		return err_set(err, ECHILD,
			       "the container's process ended with status %d while it was set up",
			       info.si_status);
	return err_set(err, ECHILD,
		       "the container's process was killed by signal %d while it was set up",
		       info.si_status);
}

int child_go(struct child *ch, struct cgroup *cg, struct err *err)
{
	int rc = sync_send(ch->sync[0], SYNC_GO, err);

	if (rc != -ECONNRESET)
		return rc;
	do
		rc = sync_recv(ch->sync[0], NULL, err);
	while (rc >= 0);
	return rc == -ECONNRESET ? describe_end(ch, cg, err) : rc;
}

static int serve_limits(struct child *ch, struct cgroup *cg, struct err *err)
{
	int rc = ns_process_limits_parent(ch->pid, ch->process, err);

	return rc < 0 ? rc : child_go(ch, cg, err);
}

int child_serve(struct child *ch, const struct container *c, struct cgroup *cg, const char *status,
		child_request_fn *request, void *arg, struct err *err)
{
	for (;;) {
		int fd = -1;
		int rc = sync_recv(ch->sync[0], &fd, err);

		if (rc == -ECONNRESET)
			return describe_end(ch, cg, err);
		if (rc < 0)
			return rc;
		switch ((enum sync_type)rc) {
		case SYNC_READY:
			return 0;
		case SYNC_NET_DEVICES:
		case SYNC_HOOKS:
			rc = request(arg, (enum sync_type)rc, err);
			if (rc == 0)
				rc = child_go(ch, cg, err);
			break;
		case SYNC_TTY:
			fd_replace(&ch->console_master, fd);
			rc = 0;
			break;
		case SYNC_LIMITS:
			rc = serve_limits(ch, cg, err);
			break;
		case SYNC_NOTIFY:
			rc = notify_serve(ch->notify, ch->seccomp, c, ch->pid, ch->pidfd, status,
					  err);
			break;
		case SYNC_GO:
		case SYNC_ERROR:
			rc = err_set(err, EPROTO,
				     "unexpected message from the container's process");
			break;
		}
		if (rc < 0)
			return rc;
	}
}

/* A device or a FIFO named as the pid file is written to; only files are replaced and removed. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int write_special(const char *path, const char *text, size_t len, struct err *err)
{
	/* Without a reader, O_NONBLOCK makes a FIFO an error instead of a wait. */
	CLOSE_FD int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int rc = fd < 0 ? -errno : io_write(fd, text, len);

	return rc < 0 ? err_code(err, -rc, "write pid file '%s'", path) : 0;
}

static int write_pid_file(const char *path, pid_t pid, struct err *err)
{
	const char *slash = strrchr(path, '/');
	FREE char *parent =
		slash ? mem_xstrndup(path, (size_t)(slash - path) + 1) : mem_xstrdup(".");
	CLOSE_FD int dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", (int)pid);

	if (dir < 0)
		return err_sys(err, "pid file '%s'", path);
	if (is_special(path))
		return write_special(path, text, (size_t)len, err);

	int rc = io_place_file(dir, slash ? slash + 1 : path, 0644, text, (size_t)len, err);

	return rc < 0 ? err_wrap(err, rc, "pid file '%s'", path) : 0;
}

static int send_pidfd(const char *path, int pidfd, struct err *err)
{
	CLOSE_FD int sock = sock_connect(path, SOCK_STREAM, err);
	int rc = sock < 0 ? sock : fd_send(sock, &pidfd, 1, "pidfd", 5, err);

	return rc < 0 ? err_wrap(err, rc, "--pidfd-socket") : 0;
}

int child_announce(const struct child *ch, const char *pid_file, const char *pidfd_socket,
		   struct err *err)
{
	int rc = pid_file ? write_pid_file(pid_file, ch->pid, err) : 0;

	if (rc == 0 && pidfd_socket)
		rc = send_pidfd(pidfd_socket, ch->pidfd, err);
	return rc;
}

void child_retract(const char *pid_file)
{
	if (pid_file && !is_special(pid_file))
		(void)unlink(pid_file);
}

void child_kill(struct child *ch)
{
	if (ch->pid <= 0)
		return;
	if (ch->pidfd >= 0)
		(void)!pidfd_send_signal(ch->pidfd, SIGKILL, NULL, 0);
	while (waitpid(ch->pid, NULL, 0) < 0 && errno == EINTR)
		;
	ch->pid = 0;
}

void child_release(struct child *ch)
{
	ns_seccomp_release(&ch->filter);
	notify_free(ch->notify);
	ch->notify = NULL;
	fd_replace(&ch->console_fd, -1);
	fd_replace(&ch->sync[0], -1);
	fd_replace(&ch->sync[1], -1);
	fd_replace(&ch->pidfd, -1);
	fd_replace(&ch->console_master, -1);
}
