/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of the host, one for each stream. The host connects before it asks, but for several
 * requests at a time: what is accepted on the way to another is kept until its own request comes.
 */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sock.h"
#include "microvm/guest/guest.h"

#define PATIENCE_MS 10000

/* ---- the socket ---- */

static int listen_vsock(struct err *err)
{
	/* A port below 1024 is nobody's without CAP_NET_BIND_SERVICE. */
	const struct sockaddr_vm here = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = PROTO_PORT_STREAM,
	};
	CLOSE_FD int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "vsock");
	if (bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		return err_sys(err, "bind to port %d", PROTO_PORT_STREAM);
	return fd_take(&fd);
}

static int bind_here(const struct guest *g, struct err *err)
{
	if (!g->place.socket)
		return listen_vsock(err);

	FREE char *path = mem_xprintf("%s_%u", g->place.socket, PROTO_PORT_STREAM);

	return sock_bind(path, SOCK_STREAM, err);
}

int accept_listen(struct guest *g, struct err *err)
{
	int rc = g->listen_fd = bind_here(g, err);

	if (rc < 0 || (rc = guest_leave_stdio(&g->listen_fd, err)) < 0 ||
	    (rc = fd_set_nonblock(g->listen_fd, 1, err)) < 0)
		return rc;
	return listen(g->listen_fd, ACCEPTED_MAX) < 0 ? err_sys(err, "listen for streams") : 0;
}

/* ---- connections ---- */

/* False: it is none of the host's. */
static bool port_of(const struct sockaddr_storage *peer, uint32_t *ret)
{
	const struct sockaddr_vm *vm = (const struct sockaddr_vm *)peer;
	const struct sockaddr_un *un = (const struct sockaddr_un *)peer;
	const char *dash;

	if (peer->ss_family == AF_VSOCK) {
		*ret = vm->svm_port;
		return vm->svm_cid == VMADDR_CID_HOST;
	}
	dash = strrchr(un->sun_path, '-');
	return dash && parse_u32(dash + 1, ret) == 0;
}

/* The next one, or -EAGAIN. */
static int accept_next(struct guest *g, uint32_t *ret_port, struct err *err)
{
	for (;;) {
		struct sockaddr_storage peer = {0};
		socklen_t len = sizeof(peer) - 1;
		int fd = accept4(g->listen_fd, (struct sockaddr *)&peer, &len,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0 && port_of(&peer, ret_port))
			return fd;
		if (fd >= 0)
			fd_close(fd);
		else if (errno == EAGAIN)
			return -EAGAIN;
		else if (errno != EINTR && errno != ECONNABORTED && errno != ECONNRESET)
			return err_sys(err, "accept a stream");
	}
}

static void drop(struct guest *g, size_t i)
{
	g->n_accepted--;
	memmove(&g->accepted[i], &g->accepted[i + 1], (g->n_accepted - i) * sizeof(g->accepted[0]));
}

static void keep(struct guest *g, uint32_t port, int fd)
{
	if (g->n_accepted == ACCEPTED_MAX) {
		fd_close(g->accepted[0].fd);
		drop(g, 0);
	}
	g->accepted[g->n_accepted++] = (struct accepted){port, fd};
}

static int find_kept(struct guest *g, uint32_t port)
{
	for (size_t i = 0; i < g->n_accepted; i++) {
		int fd = g->accepted[i].fd;

		if (g->accepted[i].port != port)
			continue;
		drop(g, i);
		return fd;
	}
	return -ENOENT;
}

static int wait_for_more(const struct guest *g, uint32_t port, struct err *err)
{
	struct pollfd p = {.fd = g->listen_fd, .events = POLLIN};
	int n;

	do {
		n = poll(&p, 1, PATIENCE_MS);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "poll");
	return n ? 0 : err_set(err, ETIMEDOUT, "the host does not connect from port %u", port);
}

int accept_from(struct guest *g, uint32_t port, struct err *err)
{
	int fd = find_kept(g, port), rc = 0;

	while (fd < 0 && rc >= 0) {
		uint32_t from = 0;
		int next = accept_next(g, &from, err);

		if (next >= 0 && from == port)
			fd = next;
		else if (next >= 0)
			keep(g, from, next);
		else
			rc = next == -EAGAIN ? wait_for_more(g, port, err) : next;
	}
	return fd < 0 ? rc : fd;
}

void accept_drop(struct guest *g, const struct request *q)
{
	uint32_t port;
	int fd;

	/* The queue is short, and refuses when it is full. */
	while ((fd = accept_next(g, &port, NULL)) >= 0)
		keep(g, port, fd);
	for (int i = 0; i < PORT_MAX; i++) {
		if (q->port[i])
			fd_close(find_kept(g, q->port[i]));
	}
}

void accept_forget(struct guest *g)
{
	uint32_t port;
	int fd;

	while ((fd = accept_next(g, &port, NULL)) >= 0)
		fd_close(fd);
	while (g->n_accepted)
		fd_close(g->accepted[--g->n_accepted].fd);
}
