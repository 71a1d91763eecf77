/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager's socket stays outside: a container that could reach it would speak for the
 * whole service. Of the container's messages READY=1, RELOADING=1, STOPPING=1 and STATUS= are
 * passed on; with the first READY=1 goes MAINPID, because the pid that the container knows means
 * nothing outside.
 */
#include "runtime/sdnotify.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sock.h"

#define DIRECTORY "notify"
#define SOCKET    DIRECTORY "/notify.sock"
#define INSIDE    "/run/notify"

int sdnotify_prepare(const struct container *c, struct spec *spec, struct err *err)
{
	struct arena *a = &spec->arena;
	size_t n = 0;

	if (!getenv("NOTIFY_SOCKET") || !spec->has_process)
		return 0;
	if (mkdirat(c->dir_fd, DIRECTORY, 0755) < 0)
		return err_sys(err, "make '%s' in the state directory", DIRECTORY);

	struct ns_mount *mounts = arena_alloc(a, spec->rootfs.n_mounts + 1, sizeof(*mounts));

	for (size_t i = 0; i < spec->rootfs.n_mounts; i++)
		mounts[i] = spec->rootfs.mounts[i];
	mounts[spec->rootfs.n_mounts++] = (struct ns_mount){
		.destination = INSIDE,
		.source = arena_printf(a, "%s/%s/" DIRECTORY, c->rt->root, c->id),
		.flags = MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		.bind = true,
	};
	spec->rootfs.mounts = mounts;

	while (spec->process.env && spec->process.env[n])
		n++;

	const char **env = arena_alloc(a, n + 2, sizeof(*env));

	for (size_t i = 0; i < n; i++)
		env[i] = spec->process.env[i];
	env[n] = "NOTIFY_SOCKET=" INSIDE "/notify.sock";
	spec->process.env = env;
	return 0;
}

int sdnotify_open(const struct container *c, struct err *err)
{
	if (!getenv("NOTIFY_SOCKET") || faccessat(c->dir_fd, DIRECTORY, F_OK, 0) < 0)
		return -1;

	FREE char *path = mem_xprintf("/proc/self/fd/%d/" SOCKET, c->dir_fd);

	(void)unlinkat(c->dir_fd, SOCKET, 0);

	int sock = sock_bind(path, SOCK_DGRAM, err);

	if (sock < 0)
		return err_wrap(err, sock, "notify socket");
	/* Any user of the container may tell. */
	if (fchmodat(c->dir_fd, SOCKET, 0777, 0) < 0) {
		int rc = err_sys(err, "notify socket: change mode");

		fd_close(sock);
		return rc;
	}
	return sock;
}

/* Sends text to the caller's socket, whose name may be an abstract one ("@name"). */
static int tell_manager(const struct buf *text, struct err *err)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	CLOSE_FD int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return err_sys(err, "socket");
	if (len >= sizeof(addr.sun_path))
		return err_set(err, ENAMETOOLONG, "NOTIFY_SOCKET '%s' is too long", path);
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	if (sendto(sock, text->data, text->len, MSG_NOSIGNAL, (struct sockaddr *)&addr,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return err_sys(err, "send to NOTIFY_SOCKET '%s'", path);
	return 0;
}

int sdnotify_forward(int sock, pid_t pid, struct err *err)
{
	static const char *const passed[] = {"READY=1", "RELOADING=1", "STOPPING=1", "STATUS="};
	char message[4096];
	BUF out = BUF_INIT;
	bool ready = false;
	ssize_t n = recv(sock, message, sizeof(message) - 1, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0
							 : err_sys(err, "notify socket: receive");
	message[n] = '\0';
	for (char *line = message, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
			if (strncmp(line, passed[i], strlen(passed[i])) == 0)
				buf_addf(&out, "%s\n", line);
		}
		ready |= strcmp(line, "READY=1") == 0;
	}
	if (ready)
		buf_addf(&out, "MAINPID=%d\n", (int)pid);
	if (out.len > 0) {
		int rc = tell_manager(&out, err);

		if (rc < 0)
			return rc;
	}
	return ready;
}

int sdnotify_wait(int sock, pid_t pid, int pidfd, struct err *err)
{
	for (;;) {
		struct pollfd pfd[] = {
			{.fd = sock, .events = POLLIN},
			{.fd = pidfd, .events = POLLIN},
		};

		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (pfd[0].revents) {
			int rc = sdnotify_forward(sock, pid, err);

			if (rc != 0)
				return rc < 0 ? rc : 0;
		}
		if (pfd[1].revents && !(pfd[0].revents & POLLIN))
			return 0;
	}
}
