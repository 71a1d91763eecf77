/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that the host begins. Each is asked for by a struct vsock_request; what the asker writes
 * to its end belongs to the stream and waits in the socket until the guest has answered, also when that
 * end is closed by then.
 */
#include <unistd.h>

#include "base/fd.h"
#include "microvm/virtio/vsock_conn.h"

/* Without a guest, or with too many connections, the asker reads the end. */
static void begin(struct vsock *s, const struct vsock_request *r)
{
	struct vsock_conn *c = NULL;

	if (s->live && !vsock_conn_find(s, r->guest_port, r->host_port))
		c = vsock_conn_new(s, r->fd, VSOCK_REQUESTED);
	if (!c) {
		fd_close(r->fd);
		return;
	}
	vsock_conn_insert(c, r->guest_port, r->host_port);
	c->pending = VSOCK_TELL_REQUEST;
	vsock_conn_start_timer(c);
	vsock_conn_update(c);
}

/* A pipe's writes of so few bytes are whole (man 7 pipe), and so are reads of one of them. */
static bool next_request(struct vsock *s, struct vsock_request *ret)
{
	return read(s->config.requests_fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
}

void vsock_on_requests(void *arg, uint32_t events)
{
	struct vsock *s = arg;
	struct vsock_request r;

	(void)events;
	vsock_enter(s);
	while (next_request(s, &r))
		begin(s, &r);
	vsock_leave(s);
}

void vsock_drop_requests(struct vsock *s)
{
	struct vsock_request r;

	loop_remove(s->requests);
	while (s->config.requests_fd >= 0 && next_request(s, &r))
		fd_close(r.fd);
	fd_close(s->config.requests_fd);
}
