/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket (vm_control.h): clients are hull-oci processes of this container's owner. What
 * the guest answers is passed on as text, for them to distrust.
 */
#include <errno.h>
#include <inttypes.h>
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
#include "runtime/vm_control.h"
#include "runtime/vmm/vmm.h"

#define CLIENTS_MAX 1024

struct client {
	struct client *next;
	struct vmm *vmm;
	int fd; /* -1: gone, and freed when nothing is outstanding */
	struct loop_source *source;
	enum vm_control_op op;   /* 0: none yet */
	int text_fd;             /* -1, or where the answer's text goes */
	char *container;         /* what the guest calls the one that it is about */
	struct process *process; /* of an EXEC */
	struct member *member;   /* of a JOIN */
	unsigned int n_calls;    /* outstanding */
	struct buf request;      /* of an UPDATE, once the machine has its size */
	struct resize_undo was;
	struct err why; /* it failed */
};

struct control {
	struct vmm *vmm;
	struct loop_source *source;
	struct client *clients;
	unsigned int n_clients, last_exec;
	uint64_t execs_of; /* in their names: a guest that was saved knows those of its hull-vmm before */
};

/* ---- clients ---- */

static void free_if_idle(struct client *c)
{
	struct control *control = c->vmm->control;
	struct client **at = &control->clients;

	if (c->fd >= 0 || c->n_calls || c->process || c->member)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	control->n_clients--;
	free(c->container);
	buf_release(&c->request);
	free(c);
}

static void hang_up(struct client *c)
{
	loop_remove(c->source);
	c->source = NULL;
	fd_replace(&c->fd, -1);
	fd_replace(&c->text_fd, -1);
}

/* False: nobody is there to hear it. */
static bool send_reply(struct client *c, uint32_t number, const struct err *why)
{
	struct vm_control_reply r = {.version = VM_CONTROL_VERSION, .number = number};

	if (why)
		r.err = *why;
	if (c->fd >= 0 && fd_send(c->fd, NULL, 0, &r, sizeof(r), NULL) < 0)
		hang_up(c);
	return c->fd >= 0;
}

/* The answer to a client that has no more to say. */
static bool finish(struct client *c, uint32_t number, const struct err *why)
{
	bool heard = send_reply(c, number, why);

	hang_up(c);
	free_if_idle(c);
	return heard;
}

static void refuse(struct client *c, int error, const char *why)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, error, "%s", why);
	finish(c, 0, &e);
}

static void call(struct client *c, enum proto_op op, const struct buf *body, uint32_t timeout_ms,
		 agent_reply_fn *fn)
{
	c->n_calls++;
	calls_make(c->vmm, op, body, timeout_ms, fn, c);
}

/* ---- one answer, perhaps with a text ---- */

static bool finish_with_text(struct client *c, const char *text, size_t len)
{
	struct err e = ERR_INIT;
	int rc = io_write(c->text_fd, text, len);

	if (rc < 0)
		(void)err_code(&e, -rc, "write the guest's answer");
	return finish(c, 0, rc < 0 ? &e : NULL) && rc == 0;
}

static void answered(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;

	(void)body;
	c->n_calls--;
	finish(c, 0, why);
}

static void pass_string(struct client *c, const struct proto_body *body, enum proto_field field)
{
	struct err e = ERR_INIT;
	FREE char *text = NULL;
	int rc = proto_get_string(body, field, VM_CONTROL_TEXT, &text, &e);

	if (rc <= 0)
		refuse(c, EPROTO, rc < 0 ? e.msg : "the guest's answer is empty");
	else
		finish_with_text(c, text, strlen(text));
}

static void answered_string(struct client *c, const struct proto_body *body, enum proto_field field,
			    const struct err *why)
{
	c->n_calls--;
	if (why)
		finish(c, 0, why);
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
		finish(c, 0, why ? why : &e);
		return;
	}
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%u\n", pids[i]);
	finish_with_text(c, buf_str(&text), text.len);
}

/* ---- exec ---- */

static void put_process(struct client *c, struct buf *request)
{
	process_put_name(c->process, request);
}

static void ignore(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;

	(void)body;
	if (why)
		log_debug("exec: %s", why->msg);
	c->n_calls--;
	free_if_idle(c);
}

static void signal_exec(struct client *c, uint32_t number)
{
	BUF request = BUF_INIT;

	put_process(c, &request);
	proto_put_u32(&request, PROTO_F_SIGNAL, number);
	call(c, PROTO_SIGNAL, &request, CALL_TIMEOUT_MS, ignore);
}

static void resize_exec(struct client *c, uint32_t number)
{
	BUF request = BUF_INIT;

	put_process(c, &request);
	proto_put_u32(&request, PROTO_F_ROWS, number >> 16);
	proto_put_u32(&request, PROTO_F_COLUMNS, number & 0xffff);
	call(c, PROTO_RESIZE_TTY, &request, CALL_TIMEOUT_MS, ignore);
}

static void exec_done(struct process *p)
{
	struct client *c = p->arg;

	c->process = NULL;
	finish(c, (uint32_t)p->status, NULL);
}

static void executed(void *arg, const struct proto_body *body, const struct err *why)
{
	struct client *c = arg;

	(void)body;
	c->n_calls--;
	if (why) {
		process_free(c->process);
		c->process = NULL;
		finish(c, 0, why);
		return;
	}
	if (!c->process) { /* it has ended, and its end has been told */
		free_if_idle(c);
		return;
	}
	send_reply(c, 0, NULL);
	/* Who asked for it has gone in the meantime. */
	if (c->fd < 0)
		signal_exec(c, SIGKILL);
}

static int begin_exec(struct client *c, bool terminal, uint32_t size, int *fds, size_t n_fds,
		      struct err *err)
{
	BUF request = BUF_INIT, text = BUF_INIT;
	struct vmm *v = c->vmm;
	int rc;

	if (n_fds < 1)
		return err_set(err, EINVAL, "there is no process");
	rc = io_read_all(fds[0], "process", PROTO_BODY_MAX, &text, err);
	if (rc < 0)
		return rc;
	c->process = process_new(v, c->container,
				 mem_xprintf("exec-%016" PRIx64 "-%u", v->control->execs_of,
					     ++v->control->last_exec));
	c->process->done = exec_done;
	c->process->arg = c;
	put_process(c, &request);
	proto_put_bytes(&request, PROTO_F_PROCESS, text.data, text.len);
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
	call(c, PROTO_EXEC, &request, CALL_TIMEOUT_MS, executed);
	return 0;
}

/* ---- a further container ---- */

static void leave_member(struct client *c)
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
		finish(c, number, NULL);
		return;
	}
	/* Who asked for it has gone in the meantime. */
	if (!send_reply(c, 0, why)) {
		leave_member(c);
		free_if_idle(c);
	}
}

static int join(struct client *c, const struct vm_control_request *r, int *fds, size_t n_fds,
		struct err *err)
{
	BUF config = BUF_INIT;
	struct member_join j = {
		.fds = {-1, -1, -1},
		.terminal = r->flag,
		.size = r->number,
		.mount_flags = r->mount_flags,
		.no_pivot = r->options & VM_CONTROL_NO_PIVOT,
		.no_new_keyring = r->options & VM_CONTROL_NO_NEW_KEYRING,
	};
	int rc;

	if (n_fds < 1)
		return err_set(err, EINVAL, "there is no configuration");
	rc = io_read_all(fds[0], "config.json", PROTO_BODY_MAX, &config, err);
	if (rc < 0)
		return rc;
	for (j.n_fds = 0; j.n_fds + 1 < n_fds && j.n_fds < ARRAY_SIZE(j.fds); j.n_fds++)
		j.fds[j.n_fds] = fd_take(&fds[j.n_fds + 1]);
	j.config = config;
	rc = member_join(c->member, &j, err);
	for (size_t i = 0; i < ARRAY_SIZE(j.fds); i++)
		fd_close(j.fds[i]);
	return rc;
}

/* What comes on the connection of a further container. The first word makes it. */
static int serve_member(struct client *c, const struct vm_control_request *r, int *fds,
			size_t n_fds, struct err *err)
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

static void wait_until_left(struct client *c)
{
	struct member *m = member_find(c->vmm, c->container);

	if (m)
		member_leave(m);
	else
		finish(c, 0, NULL);
}

void control_left(struct vmm *v, const char *container)
{
	for (struct client *c = v->control->clients, *next; c; c = next) {
		next = c->next;
		if (c->op == VM_CONTROL_LEAVE && strcmp(c->container, container) == 0)
			finish(c, 0, NULL);
	}
}

/* ---- requests ---- */

static void signal_all(struct client *c, uint32_t number)
{
	BUF request = BUF_INIT;

	proto_put_string(&request, PROTO_F_ID, c->container);
	proto_put_u32(&request, PROTO_F_SIGNAL, number);
	proto_put_u32(&request, PROTO_F_ALL, 1);
	call(c, PROTO_SIGNAL, &request, CALL_TIMEOUT_MS, answered);
}

static int ask(struct client *c, enum proto_op op, int *fds, size_t n_fds, agent_reply_fn *fn,
	       struct err *err)
{
	BUF request = BUF_INIT;

	if (n_fds != 1)
		return err_set(err, EINVAL, "there is no file for the answer");
	c->text_fd = fd_take(&fds[0]);
	proto_put_string(&request, PROTO_F_ID, c->container);
	call(c, op, &request, CALL_TIMEOUT_MS, fn);
	return 0;
}

static bool saved(void *arg, const struct err *why)
{
	struct client *c = arg;

	c->n_calls--;
	if (why)
		return finish(c, 0, why);
	return finish_with_text(c, c->vmm->o.guest_id, strlen(c->vmm->o.guest_id));
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
	finish(c, 0, &c->why);
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
	finish(c, 0, why);
}

/* First the size, as it is what may be refused by what the container uses. */
static void resized(void *arg, const struct resize_undo *undo, const struct err *why)
{
	struct client *c = arg;

	c->n_calls--;
	c->was = *undo;
	if (why)
		finish(c, 0, why);
	else
		call(c, PROTO_UPDATE, &c->request, CALL_TIMEOUT_MS, updated);
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
	call(c, op, &request, CALL_TIMEOUT_MS, answered);
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
		return begin_exec(c, r->flag, r->number, fds, n_fds, err);
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
		return serve_member(c, r, fds, n_fds, err);
	case VM_CONTROL_LEAVE:
		wait_until_left(c);
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
		rc = serve_member(c, r, fds, n_fds, &e);
	else if (c->process && r->op == VM_CONTROL_EXEC_SIGNAL)
		signal_exec(c, r->number);
	else if (c->process && r->op == VM_CONTROL_RESIZE)
		resize_exec(c, r->number);
	if (rc < 0) {
		leave_member(c);
		finish(c, 0, &e);
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
		hang_up(c);
		/* The process is its caller's, who is dead. */
		if (c->process && !c->process->exited)
			signal_exec(c, SIGKILL);
		leave_member(c);
		free_if_idle(c);
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
		refuse(c, EAGAIN, "too many requests to the virtual machine at a time");
	else if (loop_add(v->loop, fd, EPOLLIN, client_event, c, &c->source, NULL) < 0)
		refuse(c, ENOMEM, "out of resources");
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
		send_reply(c, 0, NULL);
		free_if_idle(c);
	}
}

void control_free(struct control *control)
{
	if (!control)
		return;
	loop_remove(control->source);
	while (control->clients) {
		struct client *c = control->clients;

		control->clients = c->next;
		hang_up(c);
		free(c->container);
		buf_release(&c->request);
		free(c);
	}
	free(control);
}
