/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket (vm_control.h): clients are hull-oci processes of this container's owner. What
 * the guest answers is passed on as text, for them to distrust.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/vmm/client.h"

#define CLIENTS_MAX 1024

/* ---- one answer, perhaps with a text ---- */

static void answered(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;

	(void)body;
	c->n_calls--;
	client_finish(c, 0, why);
}

static void pass_string(struct client *c, const struct proto_body *body, enum proto_field field)
{
	struct err e = ERR_INIT;
	FREE char *text = NULL;
	int rc = proto_get_string(body, field, VM_CONTROL_TEXT, &text, &e);

	if (rc <= 0)
		client_refuse(c, EPROTO, rc < 0 ? e.msg : "the guest's answer is empty");
	else
		client_finish_text(c, text, strlen(text));
}

static void answered_string(struct client *c, const struct proto_body *body, enum proto_field field,
			    const struct err *why)
{
	c->n_calls--;
	if (why)
		client_finish(c, 0, why);
	else
		pass_string(c, body, field);
}

static void answered_stats(void *arg, const struct proto_body *body, const struct err *why)
{
	answered_string(arg, body, PROTO_F_STATS, why);
}

static void answered_table(void *arg, const struct proto_body *body, const struct err *why)
{
	answered_string(arg, body, PROTO_F_TEXT, why);
}

static void answered_pids(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;
	struct err e = ERR_INIT;
	FREE uint32_t *pids = NULL;
	BUF text = BUF_INIT;
	size_t n = 0;

	c->n_calls--;
	if (why || proto_get_u32s(body, PROTO_F_PIDS, &pids, &n, &e) < 0) {
		client_finish(c, 0, why ? why : &e);
		return;
	}
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%u\n", pids[i]);
	client_finish_text(c, buf_str(&text), text.len);
}

/* ---- requests ---- */

static void signal_all(struct client *c, uint32_t number)
{
	BUF request = BUF_INIT;

	proto_put_string(&request, PROTO_F_ID, c->container);
	proto_put_u32(&request, PROTO_F_SIGNAL, number);
	proto_put_u32(&request, PROTO_F_ALL, 1);
	client_call(c, PROTO_SIGNAL, &request, CALL_TIMEOUT_MS, answered);
}

static int ask(struct client *c, enum proto_op op, int *fds, size_t n_fds, agent_reply_fn *fn,
	       struct err *err)
{
	BUF request = BUF_INIT;

	if (n_fds != 1)
		return err_set(err, EINVAL, "there is no file for the answer");
	c->text_fd = fd_take(&fds[0]);
	proto_put_string(&request, PROTO_F_ID, c->container);
	client_call(c, op, &request, CALL_TIMEOUT_MS, fn);
	return 0;
}

static bool saved(void *arg, const struct err *why)
{
	struct client *c = arg;

	c->n_calls--;
	if (why)
		return client_finish(c, 0, why);
	return client_finish_text(c, c->vmm->o.guest_id, strlen(c->vmm->o.guest_id));
}

/* fds: the files that the machine is saved to, and one for the answer. */
static int begin_checkpoint(struct client *c, bool leave_running, int *fds, size_t n_fds,
			    struct err *err)
{
	const struct snapshot to = {.state_fd = n_fds == 3 ? fds[0] : -1,
				    .memory_fd = n_fds == 3 ? fds[1] : -1,
				    .working_set_fd = -1};
	int rc;

	if (n_fds != 3)
		return err_set(err, EINVAL, "there are no files");
	c->text_fd = fd_take(&fds[2]);
	c->n_calls++;
	rc = checkpoint_start(c->vmm, &to, leave_running, saved, c, err);
	if (rc < 0) {
		c->n_calls--;
		return rc;
	}
	fds[0] = fds[1] = -1;
	return 0;
}

int control_check_memory(const struct vmm *v, const struct json_node *resources, struct err *err)
{
	int64_t limit = -1;
	int rc = json_get_i64(json_get(resources, "memory"), "limit", &limit, err);

	if (rc < 0)
		return rc;
	if (limit > 0 && (uint64_t)limit > v->o.memory)
		return err_set(err, EINVAL,
			       "memory.limit: %lld is more than the %llu bytes that the virtual "
			       "machine was booted with",
			       (long long)limit, (unsigned long long)v->o.memory);
	return 0;
}

static int check_memory(const struct vmm *v, const struct buf *text, struct err *err)
{
	JSON *doc = NULL;
	int rc = json_parse("resources", buf_str(text), text->len, &doc, err);

	return rc < 0 ? rc : control_check_memory(v, json_root(doc), err);
}

static void taken_back(void *arg, const struct resize_undo *undo, const struct err *why)
{
	struct client *c = arg;

	(void)undo;
	c->n_calls--;
	if (why)
		log_debug("update: the machine keeps its new size: %s", why->msg);
	client_finish(c, 0, &c->why);
}

static void updated(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;

	(void)body;
	if (why)
		c->why = *why;
	if (why && resize_start(c->vmm, c->was.cpus, c->was.memory, taken_back, c, NULL) == 0)
		return;
	c->n_calls--;
	client_finish(c, 0, why);
}

/* First the size, as it is what may be refused by what the container uses. */
static void resized(void *arg, const struct resize_undo *undo, const struct err *why)
{
	struct client *c = arg;

	c->n_calls--;
	c->was = *undo;
	if (why)
		client_finish(c, 0, why);
	else
		client_call(c, PROTO_UPDATE, &c->request, CALL_TIMEOUT_MS, updated);
}

static int update(struct client *c, uint32_t size, const int *fds, size_t n_fds, struct err *err)
{
	/* A machine of several containers is as big as its pod was said to be. */
	const uint32_t wanted = c->vmm->members ? 0 : size;
	const uint32_t cpus = wanted >> VM_CONTROL_CPUS_SHIFT, mib = wanted & VM_CONTROL_MIB;
	BUF text = BUF_INIT;
	int rc =
		n_fds != 1 ? -EINVAL : io_read_all(fds[0], "resources", PROTO_BODY_MAX, &text, err);

	if (rc < 0 || (rc = check_memory(c->vmm, &text, err)) < 0)
		return rc;
	proto_put_string(&c->request, PROTO_F_ID, c->container);
	proto_put_bytes(&c->request, PROTO_F_RESOURCES, text.data, text.len);
	c->n_calls++;
	rc = resize_start(c->vmm, cpus, (uint64_t)mib << 20, resized, c, err);
	if (rc < 0)
		c->n_calls--;
	return rc;
}

static void freeze_container(struct client *c, enum proto_op op)
{
	BUF request = BUF_INIT;

	proto_put_string(&request, PROTO_F_ID, c->container);
	client_call(c, op, &request, CALL_TIMEOUT_MS, answered);
}

/* Whose request it is, as the guest calls it. LEAVE may be about one that is not there. */
static int find_container(struct client *c, const struct vm_control_request *r, struct err *err)
{
	const char *id = *r->container ? r->container : c->vmm->o.guest_id;

	if (*r->container && r->op != VM_CONTROL_SHARE && r->op != VM_CONTROL_JOIN &&
	    r->op != VM_CONTROL_LEAVE && !member_find(c->vmm, id))
		return err_set(err, ESRCH, "container '%s' is not in the virtual machine", id);
	c->container = mem_xstrdup(id);
	return 0;
}

static int begin(struct client *c, const struct vm_control_request *r, int *fds, size_t n_fds,
		 struct err *err)
{
	int rc = find_container(c, r, err);

	if (rc < 0)
		return rc;
	c->op = (enum vm_control_op)r->op;
	switch (c->op) {
	case VM_CONTROL_SIGNAL:
		signal_all(c, r->number);
		return 0;
	case VM_CONTROL_PS:
		return ask(c, PROTO_PS, fds, n_fds, answered_pids, err);
	case VM_CONTROL_PS_TABLE:
		return ask(c, PROTO_PS, fds, n_fds, answered_table, err);
	case VM_CONTROL_STATS:
		return ask(c, PROTO_STATS, fds, n_fds, answered_stats, err);
	case VM_CONTROL_UPDATE:
		return update(c, r->number, fds, n_fds, err);
	case VM_CONTROL_OOM:
		return 0;
	case VM_CONTROL_EXEC:
		return exec_begin(c, r->flag, r->number, fds, n_fds, err);
	case VM_CONTROL_CHECKPOINT:
		return begin_checkpoint(c, r->flag, fds, n_fds, err);
	case VM_CONTROL_PAUSE:
		freeze_container(c, PROTO_PAUSE);
		return 0;
	case VM_CONTROL_RESUME:
		freeze_container(c, PROTO_RESUME);
		return 0;
	case VM_CONTROL_SHARE:
	case VM_CONTROL_JOIN:
		return join_serve(c, r, fds, n_fds, err);
	case VM_CONTROL_LEAVE:
		join_leave(c);
		return 0;
	case VM_CONTROL_EXEC_SIGNAL:
	case VM_CONTROL_RESIZE:
	case VM_CONTROL_START:
		break;
	}
	return err_set(err, EINVAL, "control request %u is not known", r->op);
}

static bool is_terminated(const struct vm_control_request *r)
{
	return memchr(r->container, '\0', sizeof(r->container)) &&
	       memchr(r->tree, '\0', sizeof(r->tree));
}

static void serve(struct client *c, const struct vm_control_request *r, int *fds, size_t n_fds)
{
	struct vmm *v = c->vmm;
	struct err e = ERR_INIT;
	int rc = 0;

	if (r->version != VM_CONTROL_VERSION || !is_terminated(r))
		rc = err_set(&e, EPROTO,
			     "the virtual machine was started by another version of hull");
	else if (!c->op && v->stage != VMM_CREATED && v->stage != VMM_RUNS)
		rc = err_set(&e, ESRCH, "the virtual machine is ending");
	else if (!c->op && v->checkpoint)
		rc = err_set(&e, EBUSY, "a checkpoint of the container is under way");
	else if (!c->op)
		rc = begin(c, r, fds, n_fds, &e);
	else if (c->member)
		rc = join_serve(c, r, fds, n_fds, &e);
	else if (c->process && r->op == VM_CONTROL_EXEC_SIGNAL)
		exec_signal(c, r->number);
	else if (c->process && r->op == VM_CONTROL_RESIZE)
		exec_resize(c, r->number);
	if (rc < 0) {
		join_abandon(c);
		client_finish(c, 0, &e);
	}
}

static void client_event(void *arg, uint32_t events)
{
	struct client *c = arg;
	struct vm_control_request r;
	int fds[VM_CONTROL_FDS];
	size_t n_fds = 0;
	int n = fd_recv(c->fd, fds, VM_CONTROL_FDS, &n_fds, &r, sizeof(r), NULL);

	(void)events;
	if (n == -EAGAIN)
		return;
	if (n == (int)sizeof(r)) {
		serve(c, &r, fds, n_fds);
	} else {
		client_hang_up(c);
		/* The process is its caller's, who is dead. */
		if (c->process && !c->process->exited)
			exec_signal(c, SIGKILL);
		join_abandon(c);
		client_free_if_idle(c);
	}
	for (size_t i = 0; i < n_fds; i++)
		fd_close(fds[i]);
}

/* ---- the socket ---- */

static void accept_client(void *arg, uint32_t events)
{
	struct control *control = arg;
	struct vmm *v = control->vmm;
	struct client *c;
	int fd = accept4(v->o.control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	c = mem_xalloc(sizeof(*c));
	*c = (struct client){.next = control->clients, .vmm = v, .fd = fd, .text_fd = -1};
	control->clients = c;
	if (control->n_clients++ >= CLIENTS_MAX)
		client_refuse(c, EAGAIN, "too many requests to the virtual machine at a time");
	else if (loop_add(v->loop, fd, EPOLLIN, client_event, c, &c->source, NULL) < 0)
		client_refuse(c, ENOMEM, "out of resources");
}

int control_new(struct vmm *v, struct control **ret, struct err *err)
{
	struct control *control = mem_xalloc(sizeof(*control));
	int rc = fd_set_nonblock(v->o.control_fd, 1, err);

	control->vmm = v;
	*ret = control;
	if (rc == 0 && getrandom(&control->execs_of, sizeof(control->execs_of), 0) < 0)
		rc = err_sys(err, "getrandom");
	return rc < 0 ? rc
		      : loop_add(v->loop, v->o.control_fd, EPOLLIN, accept_client, control,
				 &control->source, err);
}

void control_oom(struct vmm *v, const char *container)
{
	for (struct client *c = v->control ? v->control->clients : NULL, *next; c; c = next) {
		next = c->next;
		if (c->op != VM_CONTROL_OOM || strcmp(c->container, container) != 0)
			continue;
		client_reply(c, 0, NULL);
		client_free_if_idle(c);
	}
}
