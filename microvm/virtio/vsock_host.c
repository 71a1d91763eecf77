/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that the host begins: a client of the unix socket says which port of the guest it
 * wants, "CONNECT 1024\n", and reads "OK 1073741824\n" (the port of its own side) when the guest has
 * answered. The words are those of Firecracker and cloud-hypervisor, so their clients work. What the
 * client sends behind its line already belongs to the stream and is left in the socket.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/parse.h"
#include "microvm/virtio/vsock_conn.h"

#define MAX_LINE 32 /* "CONNECT 4294967295\n" */

void vsock_accept(struct vsock *s)
{
	struct vsock_conn *c;
	int fd;

	s->accept_again = false;
	if (s->config.listen_fd < 0)
		return;
	for (;;) {
		fd = accept4(s->config.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			break;
		/* Without a guest, or with too many connections, the client reads the end. */
		c = s->live ? vsock_conn_new(s, fd, VSOCK_HANDSHAKE) : NULL;
		if (!c) {
			fd_close(fd);
			continue;
		}
		vsock_conn_start_timer(c);
		vsock_handshake(c);
		vsock_conn_update(c);
	}
	s->accept_again = errno != EAGAIN;
}

void vsock_on_listen(void *arg, uint32_t events)
{
	struct vsock *s = arg;

	(void)events;
	vsock_enter(s);
	vsock_accept(s);
	vsock_leave(s);
}

/* Reads the client's line without what follows. 1: *ret_port is set; 0: not yet; -EPROTO. */
static int read_line(int fd, uint32_t *ret_port)
{
	static const char word[] = "CONNECT ";
	char line[MAX_LINE + 1];
	ssize_t n = recv(fd, line, MAX_LINE, MSG_PEEK | MSG_DONTWAIT);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPROTO;
	line[n] = 0;
	end = memchr(line, '\n', (size_t)n);
	if (!end)
		return n < MAX_LINE ? 0 : -EPROTO;
	*end = 0;
	if (strncmp(line, word, sizeof(word) - 1) != 0 ||
	    parse_u32(line + sizeof(word) - 1, ret_port))
		return -EPROTO;
	n = recv(fd, line, (size_t)(end - line) + 1, MSG_DONTWAIT);
	return n == end - line + 1 ? 1 : -EPROTO;
}

static uint32_t choose_port(struct vsock *s, uint32_t guest_port)
{
	uint32_t port;

	/* There are a million times more ports than connections. */
	do {
		port = s->next_port++;
		if (s->next_port == VSOCK_LAST_PORT)
			s->next_port = VSOCK_FIRST_PORT;
	} while (vsock_conn_find(s, guest_port, port));
	return port;
}

void vsock_handshake(struct vsock_conn *c)
{
	uint32_t port;
	int rc = read_line(c->fd, &port);

	if (!rc && !c->ended)
		return;
	if (rc <= 0 || !c->dev->live) {
		vsock_conn_end(c, false);
		return;
	}
	vsock_conn_insert(c, port, choose_port(c->dev, port));
	c->state = VSOCK_REQUESTED;
	c->pending = VSOCK_TELL_REQUEST;
	vsock_conn_start_timer(c);
}

void vsock_handshake_done(struct vsock_conn *c)
{
	char line[MAX_LINE];
	int len = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	vsock_conn_stop_timer(c);
	if (send(c->fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) != len) {
		vsock_conn_end(c, true);
		return;
	}
	c->state = VSOCK_OPEN;
	c->readable = true;
}
