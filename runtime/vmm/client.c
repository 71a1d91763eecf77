/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vmm/client.h"

#include <stdlib.h>

#include "base/fd.h"
#include "base/io.h"

void client_free(struct client *c)
{
	free(c->container);
	buf_release(&c->request);
	free(c);
}

void client_free_if_idle(struct client *c)
{
	struct control *control = c->vmm->control;
	struct client **at = &control->clients;

	if (c->fd >= 0 || c->n_calls || c->process || c->member)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	control->n_clients--;
	client_free(c);
}

void client_hang_up(struct client *c)
{
	loop_remove(c->source);
	c->source = NULL;
	fd_replace(&c->fd, -1);
	fd_replace(&c->text_fd, -1);
}

bool client_reply(struct client *c, uint32_t number, const struct err *why)
{
	struct vm_control_reply r = {.version = VM_CONTROL_VERSION, .number = number};

	if (why)
		r.err = *why;
	if (c->fd >= 0 && fd_send(c->fd, NULL, 0, &r, sizeof(r), NULL) < 0)
		client_hang_up(c);
	return c->fd >= 0;
}

bool client_finish(struct client *c, uint32_t number, const struct err *why)
{
	bool heard = client_reply(c, number, why);

	client_hang_up(c);
	client_free_if_idle(c);
	return heard;
}

void client_refuse(struct client *c, int error, const char *why)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, error, "%s", why);
	client_finish(c, 0, &e);
}

void client_call(struct client *c, enum proto_op op, const struct buf *body, uint32_t timeout_ms,
		 agent_reply_fn *fn)
{
	c->n_calls++;
	calls_make(c->vmm, op, body, timeout_ms, fn, c);
}

bool client_finish_text(struct client *c, const char *text, size_t len)
{
	struct err e = ERR_INIT;
	int rc = io_write(c->text_fd, text, len);

	if (rc < 0)
		(void)err_code(&e, -rc, "write the guest's answer");
	return client_finish(c, 0, rc < 0 ? &e : NULL) && rc == 0;
}
