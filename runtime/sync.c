/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The set-up protocol of sync.h. A message without an error is one word, so that the usual exchange
 * costs next to nothing; read and write are used where no descriptor travels, because they are the
 * calls a container's own system call filter is surest to allow.
 */
#include "runtime/sync.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

struct message {
	uint32_t type;  /* enum sync_type */
	struct err err; /* sent with SYNC_ERROR only */
};

#define WORD sizeof(uint32_t)

int sync_pair(int ret[static 2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return err_sys(err, "socketpair");
	return 0;
}

int sync_send(int sock, enum sync_type type, struct err *err)
{
	uint32_t word = type;

	if (send(sock, &word, WORD, MSG_NOSIGNAL) == (ssize_t)WORD)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return err_set(err, ECONNRESET, "the other process went away");
	return err_sys(err, "write to the other process");
}

int sync_tell(int sock, enum sync_type type, struct err *err)
{
	uint32_t word = type;

	if (write(sock, &word, WORD) < 0)
		return err_sys(err, "write to the other process");
	return 0;
}

int sync_send_fd(int sock, enum sync_type type, int fd, struct err *err)
{
	uint32_t word = type;

	return fd_send(sock, &fd, 1, &word, WORD, err);
}

void sync_send_error(int sock, const struct err *e)
{
	struct message m = {.type = SYNC_ERROR, .err = *e};

	/* Nobody is left to be told when this fails. */
	(void)!write(sock, &m, sizeof(m));
}

/* -ECONNRESET, 0 at the end, or the length of a message. */
static ssize_t recv_message(int sock, struct message *m, int *ret_fd, struct err *err)
{
	size_t n_fds = 0;
	ssize_t n;

	if (ret_fd)
		return fd_recv(sock, ret_fd, 1, &n_fds, m, sizeof(*m), err);
	do
		n = read(sock, m, sizeof(*m));
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, "read from the other process") : n;
}

int sync_recv(int sock, int *ret_fd, struct err *err)
{
	struct message m = {0};
	int fd = -1;
	ssize_t n = recv_message(sock, &m, ret_fd ? &fd : NULL, err);

	/* Reported once, and before what the other process said, when it died with mail unread. */
	if (n == -ECONNRESET)
		n = recv_message(sock, &m, ret_fd ? &fd : NULL, err);
	if (n < 0 && n != -ECONNRESET)
		return (int)n;
	if (n < (ssize_t)WORD) {
		fd_close(fd);
		return err_set(err, ECONNRESET, "the other process went away");
	}
	if (m.type == SYNC_ERROR) {
		fd_close(fd);
		m.err.msg[sizeof(m.err.msg) - 1] = '\0';
		if (n != (ssize_t)sizeof(m) || m.err.code <= 0)
			return err_set(err, EPROTO, "the other process failed and did not say why");
		if (err)
			*err = m.err;
		return -m.err.code;
	}
	if (ret_fd)
		*ret_fd = fd;
	return (int)m.type;
}

int sync_expect(int sock, enum sync_type type, int *ret_fd, struct err *err)
{
	int rc = sync_recv(sock, ret_fd, err);

	if (rc < 0)
		return rc;
	if (rc != (int)type)
		return err_set(err, EPROTO, "unexpected message %d from the other process", rc);
	return 0;
}

int sync_wait_exec(int sock, struct err *err)
{
	int rc = sync_recv(sock, NULL, err);

	if (rc == -ECONNRESET) {
		if (err)
			memset(err, 0, sizeof(*err));
		return 0;
	}
	if (rc > 0)
		return err_set(err, EPROTO, "unexpected message %d from the other process", rc);
	return rc;
}
