/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File descriptor helpers and the passing of descriptors over unix sockets (man 7 unix,
 * SCM_RIGHTS). HULL_NO_CLOSE_RANGE=1 forces the way of kernels before 5.11 in fd_cloexec_from
 * (tests).
 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/proc.h"

#define FD_SEND_MAX 252 /* the kernel takes one more (man 7 unix), musl no more than 1024 bytes */

union fd_control {
	char buf[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
	struct cmsghdr align;
};

void fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

void fd_replace(int *fd, int new_fd)
{
	fd_close(*fd);
	*fd = new_fd;
}

int fd_dup(int fd, struct err *err)
{
	int n = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return n < 0 ? err_sys(err, "duplicate descriptor %d", fd) : n;
}

int fd_set_cloexec(int fd, int on, struct err *err)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC) < 0)
		return err_sys(err, "set close-on-exec of descriptor %d", fd);
	return 0;
}

int fd_set_nonblock(int fd, int on, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
		return err_sys(err, "set O_NONBLOCK of descriptor %d", fd);
	return 0;
}

int fd_ensure_stdio(struct err *err)
{
	for (int want = STDIN_FILENO; want <= STDERR_FILENO; want++) {
		int fd;

		if (fcntl(want, F_GETFD) >= 0)
			continue;
		/* The lowest free number is want; it is for the programs hull starts too. */
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return err_sys(err, "open '/dev/null' for descriptor %d", want);
		if (fd != want) {
			fd_close(fd);
			return err_set(err, EBUSY, "descriptor %d was opened meanwhile", want);
		}
	}
	return 0;
}

static int cloexec_by_walk(unsigned int from, int proc_fd, struct err *err)
{
	struct dirent *e;
	DIR *d;
	int fd, rc = 0;

	fd = proc_open(proc_fd, "self/fd", O_RDONLY | O_DIRECTORY, err);
	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		rc = err_sys(err, "read '/proc/self/fd'");
		fd_close(fd);
		return rc;
	}
	while (!rc && (errno = 0, e = readdir(d))) {
		uint32_t n;

		if (parse_u32(e->d_name, &n) == 0 && n >= from && n <= INT_MAX)
			rc = fd_set_cloexec((int)n, 1, err);
	}
	if (!rc && errno)
		rc = err_sys(err, "read '/proc/self/fd'");
	(void)closedir(d);
	return rc;
}

int fd_cloexec_from(unsigned int from, int proc_fd, struct err *err)
{
	if (!secure_getenv("HULL_NO_CLOSE_RANGE")) {
		if (close_range(from, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
			return 0;
		/* EINVAL: a kernel from 5.9 to 5.10 knows the call but not the flag. */
		if (errno != ENOSYS && errno != EINVAL && errno != EPERM)
			return err_sys(err, "mark descriptors from %u close-on-exec", from);
	}
	return cloexec_by_walk(from, proc_fd, err);
}

int fd_send(int sock, const int *fds, size_t n_fds, const void *data, size_t len, struct err *err)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_control control = {0};
	ssize_t n;

	if (n_fds > FD_SEND_MAX || len == 0)
		return err_set(err, EINVAL, "cannot send %zu descriptors with %zu bytes", n_fds,
			       len);
	if (n_fds) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = (socklen_t)CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "send %zu descriptors", n_fds);
	if ((size_t)n != len)
		return err_set(err, EIO, "send %zu descriptors: %zd of %zu bytes sent", n_fds, n,
			       len);
	return 0;
}

/* Copies at most max descriptors of msg to fds, closes the rest; returns how many there were. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t max)
{
	size_t total = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++, total++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (total < max)
				fds[total] = fd;
			else
				fd_close(fd);
		}
	}
	return total;
}

int fd_recv(int sock, int *fds, size_t max_fds, size_t *ret_n_fds, void *data, size_t len,
	    struct err *err)
{
	struct iovec iov = {.iov_base = data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_control control = {0};
	size_t got;
	ssize_t n;

	if (max_fds > FD_SEND_MAX || len > INT_MAX)
		return err_set(err, EINVAL, "cannot receive %zu descriptors", max_fds);
	if (max_fds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = (socklen_t)CMSG_SPACE(max_fds * sizeof(int));
	}
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "receive descriptors");

	/* CMSG_SPACE is rounded up, so one more than max_fds may have come in. */
	got = take_fds(&msg, fds, max_fds);
	if ((msg.msg_flags & MSG_CTRUNC) || got > max_fds) {
		for (size_t i = 0; i < got && i < max_fds; i++)
			fd_close(fds[i]);
		return err_set(err, EPROTO, "receive descriptors: more than %zu were sent",
			       max_fds);
	}
	*ret_n_fds = got;
	return (int)n;
}
