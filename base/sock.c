/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unix sockets by path. A path that does not fit into sun_path is reached through a descriptor of
 * its directory, as /proc/self/fd/N/NAME.
 */
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* Fills addr with path or with a shorter way to it; *ret_dir must stay open until the address is
 * used. */
static int set_address(const char *path, struct sockaddr_un *addr, int *ret_dir, struct err *err)
{
	size_t len = strlen(path);
	const char *slash = strrchr(path, '/');

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (len < sizeof(addr->sun_path)) {
		memcpy(addr->sun_path, path, len + 1);
		return 0;
	}
	if (!slash || slash == path || strlen(slash) > 64)
		return err_set(err, ENAMETOOLONG, "socket path '%s' is too long", path);

	FREE char *dir = mem_xstrndup(path, (size_t)(slash - path));
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open directory '%s'", dir);
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d%s", fd, slash);
	*ret_dir = fd;
	return 0;
}

typedef int attach_fn(int fd, const struct sockaddr *addr, socklen_t len);

static int attach(const char *path, int type, attach_fn *fn, const char *what, struct err *err)
{
	struct sockaddr_un addr;
	CLOSE_FD int dir = -1;
	CLOSE_FD int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "socket");

	int rc = set_address(path, &addr, &dir, err);

	if (rc < 0)
		return rc;
	if (fn(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(err, "%s '%s'", what, path);
	return fd_take(&fd);
}

int sock_connect(const char *path, int type, struct err *err)
{
	return attach(path, type, connect, "connect to socket", err);
}

int sock_bind(const char *path, int type, struct err *err)
{
	return attach(path, type, bind, "bind socket", err);
}
