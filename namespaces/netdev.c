// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network devices of a container: linux.netDevices, by way of the program hull-netdev
 * (netdev/main.c), and the loopback device, by one ioctl (man 7 netdevice).
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/companion.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "namespaces/netdev.h"

#define ANSWER_MAX_BYTES (1u << 20)

_Static_assert(NS_NETDEV_NAME_LEN == IFNAMSIZ, "device names have IFNAMSIZ bytes");

/* What the child gets: descriptors on themselves, which takes their close-on-exec flag away there alone. */
static int add_descriptors(posix_spawn_file_actions_t *actions, const struct netdev_job *job,
			   int out_fd)
{
	int rc = posix_spawn_file_actions_adddup2(actions, out_fd, STDOUT_FILENO)
			 ?: posix_spawn_file_actions_adddup2(actions, out_fd, STDERR_FILENO);

	for (size_t i = 0; i < job->n_fds && !rc; i++)
		rc = posix_spawn_file_actions_adddup2(actions, job->fds[i], job->fds[i]);
	return rc;
}

/* Starts the helper with its output in out_fd. Returns its pid or -errno. */
static pid_t spawn_helper(const char *path, const struct netdev_job *job, int out_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char *const env[] = {NULL};
	sigset_t none;
	pid_t pid = -1;
	int rc;

	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	rc = add_descriptors(&actions, job, out_fd) ?:
	     posix_spawnattr_setsigmask(&attr, &none) ?:
	     posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK) ?:
	     posix_spawn(&pid, path, &actions, &attr, job->argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc ? -rc : pid;
}

static int wait_helper(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int netdev_run(const struct netdev_job *job, struct buf *out, struct err *err)
{
	FREE char *found = job->helper ? NULL : companion_path(NETDEV_PROGRAM);
	const char *path = job->helper ?: found;
	CLOSE_FD int read_fd = -1, write_fd = -1;
	int pipe_fds[2], status, rc;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(err, "%s: pipe", job->what);
	read_fd = pipe_fds[0];
	write_fd = pipe_fds[1];
	pid = spawn_helper(path, job, write_fd);
	if (pid < 0)
		return err_code(err, -pid, "%s: run '%s'", job->what, path);
	fd_replace(&write_fd, -1);
	rc = io_read_all(read_fd, NETDEV_PROGRAM, ANSWER_MAX_BYTES, out, err);
	fd_replace(&read_fd, -1);
	if (wait_helper(pid, &status) < 0)
		return err_sys(err, "%s: wait for " NETDEV_PROGRAM, job->what);
	if (rc < 0)
		return rc;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && out->len > 0) {
		out->data[strcspn(out->data, "\n")] = '\0';
		return err_set(err, WEXITSTATUS(status), "%s", out->data);
	}
	return err_set(err, EPROTO, "%s: %s failed (wait status %#x)", job->what, path, status);
}

static int take_names(struct buf *out, char (*ret_names)[NS_NETDEV_NAME_LEN], size_t n,
		      struct err *err)
{
	char *rest = out->data;

	for (size_t i = 0; i < n; i++) {
		const char *line = strsep(&rest, "\n");

		if (!line || !rest)
			return err_set(err, EPROTO,
				       "linux.netDevices: " NETDEV_PROGRAM " gave no name");
		if (ret_names)
			snprintf(ret_names[i], NS_NETDEV_NAME_LEN, "%s", line);
	}
	return 0;
}

int ns_netdev_move(int from_fd, int to_fd, const struct ns_netdev *devs, size_t n,
		   char (*ret_names)[NS_NETDEV_NAME_LEN], const char *helper, struct err *err)
{
	FREE char *from = mem_xprintf("%d", from_fd);
	FREE char *to = mem_xprintf("%d", to_fd);
	FREE char **argv = mem_xcalloc(2 * n + 4, sizeof(*argv));
	const struct netdev_job job = {
		.what = "linux.netDevices",
		.helper = helper,
		.argv = argv,
		.fds = (const int[]){from_fd, to_fd},
		.n_fds = 2,
	};
	BUF out = BUF_INIT;
	int rc;

	argv[0] = (char *)NETDEV_PROGRAM;
	argv[1] = from;
	argv[2] = to;
	for (size_t i = 0; i < n; i++) {
		argv[2 * i + 3] = (char *)devs[i].host_name;
		argv[2 * i + 4] = (char *)(devs[i].name ?: devs[i].host_name);
	}
	rc = netdev_run(&job, &out, err);
	return rc < 0 ? rc : take_names(&out, ret_names, n, err);
}

int ns_loopback_up(struct err *err)
{
	/* Any family's socket takes the ioctl; this one is always there. */
	CLOSE_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (fd < 0)
		return err_sys(err, "open a socket to set up 'lo'");
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return err_sys(err, "set up 'lo'");
	return 0;
}
