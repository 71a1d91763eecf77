/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Further processes of a container, each of a client's, who hears of its end, may send it signals and
 * has it killed by going away.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/vmm/client.h"

static void ignore(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;

	(void)body;
	if (why)
		log_debug("exec: %s", why->msg);
	c->n_calls--;
	client_free_if_idle(c);
}

void exec_signal(struct client *c, uint32_t number)
{
	BUF request = BUF_INIT;

	process_put_name(c->process, &request);
	proto_put_u32(&request, PROTO_F_SIGNAL, number);
	client_call(c, PROTO_SIGNAL, &request, CALL_TIMEOUT_MS, ignore);
}

void exec_resize(struct client *c, uint32_t size)
{
	BUF request = BUF_INIT;

	process_put_name(c->process, &request);
	proto_put_u32(&request, PROTO_F_ROWS, size >> 16);
	proto_put_u32(&request, PROTO_F_COLUMNS, size & 0xffff);
	client_call(c, PROTO_RESIZE_TTY, &request, CALL_TIMEOUT_MS, ignore);
}

static void exec_done(struct process *p)
{
	struct client *c = p->arg;

	c->process = NULL;
	client_finish(c, (uint32_t)p->status, NULL);
}

static void executed(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;

	(void)body;
	c->n_calls--;
	if (why) {
		process_free(c->process);
		c->process = NULL;
		client_finish(c, 0, why);
		return;
	}
	if (!c->process) { /* it has ended, and its end has been told */
		client_free_if_idle(c);
		return;
	}
	client_reply(c, 0, NULL);
	/* Who asked for it has gone in the meantime. */
	if (c->fd < 0)
		exec_signal(c, SIGKILL);
}

int exec_begin(struct client *c, bool terminal, uint32_t size, int *fds, size_t n_fds,
	       struct err *err)
{
	BUF request = BUF_INIT;
	struct vmm *v = c->vmm;
	int rc;

	if (n_fds < 1)
		return err_set(err, EINVAL, "there is no process");
	c->process = process_new(v, c->container,
				 mem_xprintf("exec-%016" PRIx64 "-%u", v->control->execs_of,
					     ++v->control->last_exec));
	c->process->done = exec_done;
	c->process->arg = c;
	process_put_name(c->process, &request);
	rc = process_put_fields(fds[0], "process", &request, err);
	if (rc == 0)
		rc = process_streams(c->process, &request, fds + 1, n_fds - 1, terminal, err);
	if (rc < 0) {
		process_free(c->process);
		c->process = NULL;
		return rc;
	}
	if (terminal && size >> 16) {
		proto_put_u32(&request, PROTO_F_ROWS, size >> 16);
		proto_put_u32(&request, PROTO_F_COLUMNS, size & 0xffff);
	}
	client_call(c, PROTO_EXEC, &request, CALL_TIMEOUT_MS, executed);
	return 0;
}
