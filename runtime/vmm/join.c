/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients say of further containers (member.c): the connection of one is its life. Who waits for
 * the end of one, too.
 */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/vmm/client.h"

void join_abandon(struct client *c)
{
	struct member *m = c->member;

	c->member = NULL;
	if (m)
		member_abandon(m);
}

static void member_spoke(void *arg, enum member_word word, uint32_t number, const struct err *why)
{
	struct client *c = arg;

	if (word == MEMBER_ENDED) {
		c->member = NULL;
		client_finish(c, number, NULL);
		return;
	}
	/* Who asked for it has gone in the meantime. */
	if (!client_reply(c, 0, why)) {
		join_abandon(c);
		client_free_if_idle(c);
	}
}

static int join(struct client *c, const struct vm_control_request *r, int *fds, size_t n_fds,
		struct err *err)
{
	BUF fields = BUF_INIT;
	struct member_join j = {
		.fds = {-1, -1, -1},
		.terminal = r->flag,
		.size = r->number,
		.mount_flags = r->mount_flags,
	};
	int rc;

	if (n_fds < 1)
		return err_set(err, EINVAL, "there is no configuration");
	rc = process_put_fields(fds[0], "config.json", &fields, err);
	if (rc < 0)
		return rc;
	for (j.n_fds = 0; j.n_fds + 1 < n_fds && j.n_fds < ARRAY_SIZE(j.fds); j.n_fds++)
		j.fds[j.n_fds] = fd_take(&fds[j.n_fds + 1]);
	j.fields = fields;
	rc = member_join(c->member, &j, err);
	for (size_t i = 0; i < ARRAY_SIZE(j.fds); i++)
		fd_close(j.fds[i]);
	return rc;
}

int join_serve(struct client *c, const struct vm_control_request *r, int *fds, size_t n_fds,
	       struct err *err)
{
	int rc = 0;

	if (!c->member)
		rc = member_new(c->vmm, r->container, member_spoke, c, &c->member, err);
	if (rc < 0)
		return rc;
	switch ((enum vm_control_op)r->op) {
	case VM_CONTROL_SHARE:
		return member_share(c->member, r->tree, n_fds == 1 ? fd_take(&fds[0]) : -1, err);
	case VM_CONTROL_JOIN:
		return join(c, r, fds, n_fds, err);
	case VM_CONTROL_START:
		return member_start(c->member, err);
	case VM_CONTROL_EXEC_SIGNAL:
		member_signal(c->member, r->number);
		return 0;
	case VM_CONTROL_RESIZE:
		member_resize(c->member, r->number);
		return 0;
	case VM_CONTROL_SIGNAL:
	case VM_CONTROL_PS:
	case VM_CONTROL_PS_TABLE:
	case VM_CONTROL_STATS:
	case VM_CONTROL_UPDATE:
	case VM_CONTROL_OOM:
	case VM_CONTROL_EXEC:
	case VM_CONTROL_CHECKPOINT:
	case VM_CONTROL_PAUSE:
	case VM_CONTROL_RESUME:
	case VM_CONTROL_LEAVE:
		break;
	}
	return err_set(err, EINVAL, "control request %u about a further container", r->op);
}

void join_leave(struct client *c)
{
	struct member *m = member_find(c->vmm, c->container);

	if (m)
		member_leave(m);
	else
		client_finish(c, 0, NULL);
}

void join_ended(struct vmm *v, const char *container)
{
	for (struct client *c = v->control->clients, *next; c; c = next) {
		next = c->next;
		if (c->op == VM_CONTROL_LEAVE && strcmp(c->container, container) == 0)
			client_finish(c, 0, NULL);
	}
}
