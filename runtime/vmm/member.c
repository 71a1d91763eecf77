/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A further container in the machine. Its files come first; then the guest mounts the share once more for
 * it, with the flags of the mount that its root lies on, and creates it. Its end, wished or not, takes
 * back what was done, in reverse, and is told last.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/vm_config.h"
#include "runtime/vmm/vmm.h"

#define SET_UP_MS   120000 /* as box.c has it */
#define DELETE_MS   60000  /* of processes that may hang in the guest's kernel */
#define SIGNALS_MAX 64

struct member {
	struct member *next;
	struct vmm *vmm;
	char *id;
	member_fn *fn; /* NULL: abandoned */
	void *arg;
	char **trees;
	size_t n_trees;
	char *target;            /* of its mount in the guest */
	struct buf create;       /* the request, until the mount is there */
	struct process *process; /* its first; NULL: none, or it has ended */
	int status;              /* how that ended */
	bool busy;               /* something was asked for, and is not answered */
	bool starts;             /* that is START */
	bool mounted, created;
	bool leaving; /* it is being removed, or will be when nothing is under way */
	/* Signals that are to be sent, one after the other, so that their order stays. */
	uint32_t signals[SIGNALS_MAX];
	size_t n_signals;
	bool signalling;
};

static void tell(struct member *m, enum member_word word, uint32_t number, const struct err *why)
{
	if (m->fn)
		m->fn(m->arg, word, number, why);
}

static void put_id(const struct member *m, struct buf *request)
{
	proto_put_string(request, PROTO_F_ID, m->id);
}

/* ---- its end ---- */

static void go_on_leaving(struct member *m);

static void release(struct member *m)
{
	for (size_t i = 0; i < m->n_trees; i++)
		free(m->trees[i]);
	free(m->trees);
	free(m->target);
	buf_release(&m->create);
	free(m->id);
	free(m);
}

/* Its last words may still be on their way. */
static void nobody_waits(struct process *p)
{
	(void)p;
}

static void finish(struct member *m)
{
	struct vmm *v = m->vmm;
	struct member **at = &v->members;

	if (m->process)
		m->process->done = nobody_waits;
	for (size_t i = 0; i < m->n_trees; i++)
		trees_leave(v, m->trees[i]);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	join_ended(v, m->id);
	tell(m, MEMBER_ENDED, (uint32_t)m->status, NULL);
	release(m);
}

static void taken_back(struct member *m, const struct err *why)
{
	/* Of a machine that ends nothing is left anyway. */
	if (why && m->vmm->stage != VMM_ENDS)
		log_warn("container '%s' in the virtual machine: %s", m->id, why->msg);
	m->busy = false;
	go_on_leaving(m);
}

static void deleted(void *arg, const struct proto_body *body, const struct err *why)
{
	struct member *m = arg;

	(void)body;
	m->created = false;
	taken_back(m, why);
}

static void unmounted(void *arg, const struct proto_body *body, const struct err *why)
{
	struct member *m = arg;

	(void)body;
	m->mounted = false;
	taken_back(m, why);
}

static void go_on_leaving(struct member *m)
{
	BUF request = BUF_INIT;

	if (m->busy || m->signalling)
		return;
	m->busy = true;
	if (m->created) {
		put_id(m, &request);
		proto_put_u32(&request, PROTO_F_FORCE, 1);
		calls_make(m->vmm, PROTO_DELETE, &request, DELETE_MS, deleted, m);
	} else if (m->mounted) {
		proto_put_string(&request, PROTO_F_TARGET, m->target);
		calls_make(m->vmm, PROTO_UMOUNT, &request, CALL_TIMEOUT_MS, unmounted, m);
	} else {
		finish(m);
	}
}

void member_leave(struct member *m)
{
	if (m->leaving)
		return;
	m->leaving = true;
	m->n_signals = 0;
	/* A process that never ran, or whose end nobody is told. */
	if (m->process && !m->created) {
		process_free(m->process);
		m->process = NULL;
	}
	go_on_leaving(m);
}

void member_abandon(struct member *m)
{
	m->fn = NULL;
	member_leave(m);
}

/* What was asked for is answered. False: the member is on its way out, and may be gone. */
static bool settle(struct member *m, const struct err *why)
{
	tell(m, MEMBER_ANSWER, 0, why);
	m->busy = m->starts = false;
	if (!m->leaving)
		return true;
	go_on_leaving(m);
	return false;
}

static int begin(struct member *m, struct err *err)
{
	if (m->busy)
		return err_set(err, EBUSY, "another request about the container is under way");
	if (m->leaving)
		return err_set(err, ESRCH, "the container is ending");
	return 0;
}

/* ---- its files ---- */

static void shared(void *arg, const struct err *why)
{
	struct member *m = arg;

	if (why)
		free(m->trees[--m->n_trees]);
	(void)settle(m, why);
}

int member_share(struct member *m, const char *tree, int fd, struct err *err)
{
	CLOSE_FD int owned = fd;
	int rc = begin(m, err);

	if (rc < 0)
		return rc;
	if (owned < 0 || m->process || m->created)
		return err_set(err, EINVAL, "there are no files");
	m->trees = mem_xrealloc(m->trees, m->n_trees + 1, sizeof(*m->trees));
	m->trees[m->n_trees++] = mem_xstrdup(tree);
	m->busy = true;
	trees_use(m->vmm, tree, fd_take(&owned), shared, m);
	return 0;
}

/* ---- making it ---- */

static void process_done(struct process *p)
{
	struct member *m = p->arg;

	m->process = NULL;
	m->status = p->status;
	/* The answer to START tells whether its program ever ran. */
	if (!m->starts)
		member_leave(m);
}

static void created(void *arg, const struct proto_body *body, const struct err *why)
{
	struct member *m = arg;

	(void)body;
	m->created = !why;
	(void)settle(m, why);
}

static void mounted(void *arg, const struct proto_body *body, const struct err *why)
{
	struct member *m = arg;

	(void)body;
	m->mounted = !why;
	if (why || m->leaving) {
		(void)settle(m, why);
		return;
	}
	calls_make(m->vmm, PROTO_CREATE, &m->create, SET_UP_MS, created, m);
	buf_release(&m->create);
}

static int check_memory(const struct vmm *v, const struct buf *fields, struct err *err)
{
	const struct proto_body body = proto_body_of(fields);
	FREE char *config = NULL;
	JSON *doc = NULL;
	int rc = proto_get_string(&body, PROTO_F_CONFIG, PROTO_BODY_MAX, &config, err);

	if (rc == 0)
		return err_set(err, EINVAL, "there is no configuration");
	if (rc < 0 || (rc = json_parse("config.json", config, strlen(config), &doc, err)) < 0)
		return rc;
	return control_check_memory(v, json_get(json_get(json_root(doc), "linux"), "resources"),
				    err);
}

static void put_size(uint32_t size, struct buf *request)
{
	if (!(size >> 16))
		return;
	proto_put_u32(request, PROTO_F_ROWS, size >> 16);
	proto_put_u32(request, PROTO_F_COLUMNS, size & 0xffff);
}

static int make_request(struct member *m, struct member_join *j, struct err *err)
{
	struct buf *request = &m->create;

	put_id(m, request);
	buf_add(request, j->fields.data, j->fields.len);
	if (j->terminal)
		put_size(j->size, request);
	m->process = process_new(m->vmm, m->id, NULL);
	m->process->done = process_done;
	m->process->arg = m;
	return process_streams(m->process, request, j->fds, j->n_fds, j->terminal, err);
}

int member_join(struct member *m, struct member_join *j, struct err *err)
{
	BUF request = BUF_INIT;
	int rc = begin(m, err);

	if (rc < 0)
		return rc;
	if (m->process || m->created)
		return err_set(err, EEXIST, "container '%s' is there already", m->id);
	if ((rc = check_memory(m->vmm, &j->fields, err)) < 0 || (rc = make_request(m, j, err)) < 0)
		return rc;
	m->busy = true;
	box_put_mount(m->target, j->mount_flags, &request);
	calls_make(m->vmm, PROTO_MOUNT_FS, &request, CALL_TIMEOUT_MS, mounted, m);
	return 0;
}

static void started(void *arg, const struct proto_body *body, const struct err *why)
{
	struct member *m = arg;

	(void)body;
	/* It may have ended since. */
	if (settle(m, why) && !m->process)
		member_leave(m);
}

int member_start(struct member *m, struct err *err)
{
	BUF request = BUF_INIT;
	int rc = begin(m, err);

	if (rc < 0)
		return rc;
	if (!m->created)
		return err_set(err, EINVAL, "container '%s' is not created", m->id);
	m->busy = m->starts = true;
	put_id(m, &request);
	calls_make(m->vmm, PROTO_START, &request, SET_UP_MS, started, m);
	return 0;
}

/* ---- signals ---- */

static void send_signals(struct member *m);

static void sent(void *arg, const struct proto_body *body, const struct err *why)
{
	struct member *m = arg;

	(void)body;
	if (why)
		log_debug("signal: %s", why->msg);
	m->signalling = false;
	if (m->leaving)
		go_on_leaving(m);
	else
		send_signals(m);
}

static void send_signals(struct member *m)
{
	BUF request = BUF_INIT;

	if (m->signalling || !m->n_signals)
		return;
	m->signalling = true;
	put_id(m, &request);
	proto_put_u32(&request, PROTO_F_SIGNAL, m->signals[0]);
	m->n_signals--;
	memmove(m->signals, m->signals + 1, m->n_signals * sizeof(*m->signals));
	calls_make(m->vmm, PROTO_SIGNAL, &request, CALL_TIMEOUT_MS, sent, m);
}

/* One that waits already comes once, as with the kernel. */
void member_signal(struct member *m, uint32_t signal)
{
	if (!m->created || m->leaving || m->n_signals == SIGNALS_MAX)
		return;
	for (size_t i = 0; i < m->n_signals; i++) {
		if (m->signals[i] == signal)
			return;
	}
	m->signals[m->n_signals++] = signal;
	send_signals(m);
}

static void resized(void *arg, const struct proto_body *body, const struct err *why)
{
	(void)arg;
	(void)body;
	if (why)
		log_debug("resize: %s", why->msg);
}

void member_resize(struct member *m, uint32_t size)
{
	BUF request = BUF_INIT;

	if (!m->created || m->leaving || !(size >> 16))
		return;
	put_id(m, &request);
	put_size(size, &request);
	calls_make(m->vmm, PROTO_RESIZE_TTY, &request, CALL_TIMEOUT_MS, resized, NULL);
}

/* ---- all of them ---- */

struct member *member_find(struct vmm *v, const char *id)
{
	struct member *m = v->members;

	while (m && strcmp(m->id, id) != 0)
		m = m->next;
	return m;
}

int member_new(struct vmm *v, const char *id, member_fn *fn, void *arg, struct member **ret,
	       struct err *err)
{
	struct member *m;

	if (!*id || strchr(id, '/'))
		return err_set(err, EINVAL, "'%s' is no container's id", id);
	if (strcmp(id, v->o.guest_id) == 0 || member_find(v, id))
		return err_set(err, EEXIST, "container '%s' is in the virtual machine already", id);
	m = mem_xalloc(sizeof(*m));
	*m = (struct member){
		.next = v->members, .vmm = v, .id = mem_xstrdup(id), .fn = fn, .arg = arg};
	m->target = mem_xprintf(VM_TREES_PATH "/%s", id);
	m->status = SIGKILL;
	v->members = m;
	*ret = m;
	return 0;
}
