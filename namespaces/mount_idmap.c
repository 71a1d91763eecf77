/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user namespace for idmapped mounts (man 2 mount_setattr, MOUNT_ATTR_IDMAP). The kernel takes id
 * maps only as a user namespace that has them, so a child is cloned into a new one, its maps are
 * written, the namespace is opened, and the child ends. It has no exit signal and does nothing but
 * say who it is and wait for the other end to close, so the caller's signal handling never hears of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/proc.h"
#include "namespaces/rootfs_internal.h"

/* Which process it is as that procfs counts: it may be in another pid namespace than the mount. */
static void tell_pid(int sock, int proc_fd)
{
	char text[16];
	ssize_t n = readlinkat(proc_fd, "self", text, sizeof(text));

	if (n > 0)
		(void)!send(sock, text, (size_t)n, MSG_NOSIGNAL);
}

/* A child in a new user namespace that ends when *ret_sock is closed. */
static pid_t spawn(int proc_fd, int *ret_sock, struct err *err)
{
	struct clone_args args = {.flags = CLONE_NEWUSER};
	int ends[2];
	pid_t pid;
	char c;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, "socketpair");
	pid = sys_clone3(&args, sizeof(args));
	if (pid == 0) {
		close(ends[1]);
		tell_pid(ends[0], proc_fd);
		while (read(ends[0], &c, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	fd_close(ends[0]);
	if (pid < 0) {
		fd_close(ends[1]);
		return err_sys(err, "create a user namespace for idmapped mounts");
	}
	*ret_sock = ends[1];
	return pid;
}

static int hear_pid(int sock, pid_t *ret, struct err *err)
{
	char text[17] = "";
	ssize_t n = recv(sock, text, sizeof(text) - 1, 0);
	uint32_t pid;

	if (n <= 0 || parse_u32(text, &pid) < 0)
		return err_set(err, ESRCH, "a process for idmapped mounts is not in procfs");
	*ret = (pid_t)pid;
	return 0;
}

static int write_map(int proc_fd, pid_t pid, const char *file, const struct idmap *map, size_t n,
		     struct err *err)
{
	BUF text = BUF_INIT;
	char path[48];

	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%u %u %u\n", map[i].inside, map[i].outside, map[i].count);
	snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	return proc_write(proc_fd, path, buf_str(&text), err);
}

static int map_and_open(int proc_fd, pid_t pid, const struct idmaps *maps, struct err *err)
{
	char path[48];
	int rc;

	rc = write_map(proc_fd, pid, "uid_map", maps->uids, maps->n_uids, err);
	if (rc < 0)
		return rc;
	rc = write_map(proc_fd, pid, "gid_map", maps->gids, maps->n_gids, err);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "%d/ns/user", (int)pid);
	rc = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	return rc < 0 ? err_sys(err, "open '/proc/%s'", path) : rc;
}

int ns_idmap_userns(int proc_fd, const struct idmaps *maps, struct err *err)
{
	int sock = -1, fd;
	pid_t pid = spawn(proc_fd, &sock, err), there = 0;

	if (pid < 0)
		return (int)pid;
	fd = hear_pid(sock, &there, err);
	if (fd == 0)
		fd = map_and_open(proc_fd, there, maps, err);
	fd_close(sock);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return fd;
}
