/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests: which of them are jobs, which the agent answers itself, and what their answers hold.
 */
#include "microvm/guest/ops.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* ---- the ends of jobs ---- */

static void done_plain(struct guest *g, struct request *q, void *arg, const struct buf *output,
		       const struct err *why)
{
	BUF none = BUF_INIT;

	(void)arg;
	(void)output;
	if (why)
		guest_fail(g, q, why);
	else
		guest_reply(g, q, &none);
}

static void done_delete(struct guest *g, struct request *q, void *arg, const struct buf *output,
			const struct err *why)
{
	if (!why)
		process_forget(g, q->container);
	done_plain(g, q, arg, output, why);
}

static void done_stats(struct guest *g, struct request *q, void *arg, const struct buf *output,
		       const struct err *why)
{
	BUF body = BUF_INIT;
	size_t len = strcspn(buf_str(output), "\n");

	(void)arg;
	if (why) {
		guest_fail(g, q, why);
		return;
	}
	proto_put_bytes(&body, PROTO_F_STATS, buf_str(output), len);
	guest_reply(g, q, &body);
}

/* The ids, then a table of them: see op_ps. */
static void done_ps(struct guest *g, struct request *q, void *arg, const struct buf *output,
		    const struct err *why)
{
	BUF body = BUF_INIT;
	FREE uint32_t *pids = NULL;
	uint32_t n = 0;
	size_t head;

	(void)arg;
	if (why) {
		guest_fail(g, q, why);
		return;
	}
	if (output->len >= sizeof(n))
		memcpy(&n, output->data, sizeof(n));
	head = sizeof(n) + (size_t)n * sizeof(*pids);
	if (output->len < head)
		head = output->len;
	pids = mem_xcalloc((size_t)n + 1, sizeof(*pids));
	if (head > sizeof(n))
		memcpy(pids, output->data + sizeof(n), head - sizeof(n));
	proto_put_u32s(&body, PROTO_F_PIDS, pids, n);
	if (output->len > head)
		proto_put_bytes(&body, PROTO_F_TEXT, output->data + head, output->len - head);
	guest_reply(g, q, &body);
}

static void done_cpus(struct guest *g, struct request *q, void *arg, const struct buf *output,
		      const struct err *why)
{
	BUF body = BUF_INIT;
	uint32_t were = 0;

	(void)arg;
	if (why) {
		guest_fail(g, q, why);
		return;
	}
	if (output->len == sizeof(were))
		memcpy(&were, output->data, sizeof(were));
	proto_put_u32(&body, PROTO_F_CPUS, were);
	guest_reply(g, q, &body);
}

static int take_process(struct guest *g, const struct request *q, struct process *p,
			const struct buf *output, struct err *err)
{
	pid_t pid = 0;

	if (output->len != sizeof(pid))
		return err_set(err, EIO, "a child's result is not of its size");
	memcpy(&pid, output->data, sizeof(pid));
	process_started(g, p, pid);
	if (!stdio_console(p->io))
		return 0;
	return stdio_take_console(p->io, q, err);
}

static void done_process(struct guest *g, struct request *q, void *arg, const struct buf *output,
			 const struct err *why)
{
	struct process *p = arg;
	struct err err = ERR_INIT;
	BUF body = BUF_INIT;

	if (why) {
		guest_fail(g, q, why);
		process_free(g, p);
		return;
	}
	if (q->op == PROTO_CREATE && guest_network_of(g, q->container))
		guest_forget_network(g);
	/* It runs, with or without its terminal: its end is told as any. */
	if (take_process(g, q, p, output, &err) < 0) {
		guest_fail(g, q, &err);
		return;
	}
	proto_put_u32(&body, PROTO_F_PID, (uint32_t)p->pid);
	guest_reply(g, q, &body);
}

/* ---- what begins ---- */

/* 0: it will be answered, or has been; q is spent then. Else -errno, and it is answered with that. */
typedef int serve_fn(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
		     struct err *err);

static int serve_job(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
		     struct err *err)
{
	return job_start(g, fn, NULL, q, done, NULL, err);
}

static int serve_process(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
			 struct err *err)
{
	struct process *p = NULL;
	int child[3] = {-1, -1, -1};
	int rc = process_new(g, q, &p, err);

	if (rc < 0)
		return rc;
	/* Of a machine that was saved before it had a container: it is not made again any more. */
	if (q->op == PROTO_CREATE)
		g->suspended = false;
	rc = stdio_open(g, q, &p->io, child, err);
	if (rc == 0)
		rc = job_start(g, fn, child, q, done, p, err);
	for (int i = 0; i < 3; i++)
		fd_close(child[i]);
	if (rc < 0)
		process_free(g, p);
	return rc;
}

static int find(struct guest *g, const struct request *q, struct process **ret, struct err *err)
{
	struct process *p = process_find(g, q->container, q->exec);

	if (!p && q->exec)
		return err_set(err, ENOENT, "there is no process '%s' in container '%s'", q->exec,
			       q->container);
	if (!p)
		return err_set(err, ENOENT, "container '%s' does not exist", q->container);
	*ret = p;
	return 0;
}

static int answer(struct guest *g, struct request *q)
{
	BUF none = BUF_INIT;

	guest_reply(g, q, &none);
	request_release(q);
	return 0;
}

/* To an exec's process directly; a container's is hull's business. */
static int serve_signal(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
			struct err *err)
{
	struct process *p = NULL;
	int rc;

	if (!q->exec)
		return job_start(g, fn, NULL, q, done, NULL, err);
	rc = find(g, q, &p, err);
	if (rc < 0)
		return rc;
	/* not reaped yet, so the number is still its own */
	if (!p->pid || p->exited)
		return err_set(err, ESRCH, "process '%s' is not running", q->exec);
	if (kill(p->pid, (int)q->signal) < 0)
		return err_sys(err, "signal process '%s'", q->exec);
	return answer(g, q);
}

/* Used, and used up, by the CREATE of that container; a later one for the same time takes its place. */
static int serve_network(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
			 struct err *err)
{
	(void)fn;
	(void)done;
	(void)err;
	guest_forget_network(g);
	g->network_of = ptr_take(&q->container);
	g->network = ptr_take(&q->network);
	return answer(g, q);
}

static int serve_wait(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
		      struct err *err)
{
	struct process *p = NULL;
	int rc = find(g, q, &p, err);

	(void)fn;
	(void)done;
	return rc < 0 ? rc : process_wait(g, p, q, err);
}

static int serve_resize(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
			struct err *err)
{
	struct process *p = NULL;
	int rc = find(g, q, &p, err);

	(void)fn;
	(void)done;
	if (rc == 0)
		rc = stdio_resize(p->io, q->rows, q->columns, err);
	return rc < 0 ? rc : answer(g, q);
}

static int serve_close(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
		       struct err *err)
{
	struct process *p = NULL;
	int rc = find(g, q, &p, err);

	(void)fn;
	(void)done;
	if (rc == 0)
		rc = stdio_close_input(p->io, err);
	return rc < 0 ? rc : answer(g, q);
}

static int serve_suspend(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
			 struct err *err)
{
	uint64_t carried[3] = {0};
	struct process *p = NULL;
	BUF body = BUF_INIT;
	int rc = q->container ? find(g, q, &p, err) : 0;

	(void)fn;
	(void)done;
	if (rc < 0)
		return rc;
	g->suspended = true;
	if (p && p->io)
		stdio_suspend(p->io, carried);
	proto_put_u64s(&body, PROTO_F_WRITTEN, carried, 2);
	proto_put_u64(&body, PROTO_F_READ, carried[2]);
	guest_reply(g, q, &body);
	request_release(q);
	return 0;
}

static bool has_streams(const struct request *q)
{
	for (int i = 0; i < PORT_MAX; i++) {
		if (q->port[i])
			return true;
	}
	return false;
}

static int serve_attach(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
			struct err *err)
{
	struct process *p = NULL;
	int rc = find(g, q, &p, err);

	(void)fn;
	(void)done;
	if (rc == 0 && p->io)
		rc = stdio_attach(p->io, q, err);
	if (rc < 0)
		return rc;
	g->suspended = false;
	rc = answer(g, &(struct request){.op = q->op, .id = q->id, .connection = q->connection});
	if (has_streams(q))
		process_attached(g, p);
	request_release(q);
	return rc;
}

static int serve_shutdown(struct guest *g, struct request *q, job_fn *fn, job_done_fn *done,
			  struct err *err)
{
	(void)fn;
	(void)done;
	(void)err;
	/*
	 * With the answer the host may end the machine, and what a mapping's close has begun to write
	 * may still be on its way, though its process has ended: virtio-fs waits for it in sync_fs.
	 */
	if (g->place.is_machine)
		sync();
	loop_stop(g->loop);
	return answer(g, q);
}

static const struct {
	serve_fn *serve;
	job_fn *fn;
	job_done_fn *done;
} ops[PROTO_OP_END] = {
	[PROTO_MOUNT_FS] = {serve_job, op_mount, done_plain},
	[PROTO_UMOUNT] = {serve_job, op_umount, done_plain},
	[PROTO_NET_CONFIG] = {serve_network, NULL, NULL},
	[PROTO_CREATE] = {serve_process, op_create, done_process},
	[PROTO_START] = {serve_job, op_start, done_plain},
	[PROTO_EXEC] = {serve_process, op_exec, done_process},
	[PROTO_SIGNAL] = {serve_signal, op_signal, done_plain},
	[PROTO_WAIT] = {serve_wait, NULL, NULL},
	[PROTO_RESIZE_TTY] = {serve_resize, NULL, NULL},
	[PROTO_CLOSE_STDIN] = {serve_close, NULL, NULL},
	[PROTO_UPDATE] = {serve_job, op_update, done_plain},
	[PROTO_STATS] = {serve_job, op_stats, done_stats},
	[PROTO_PAUSE] = {serve_job, op_pause, done_plain},
	[PROTO_RESUME] = {serve_job, op_resume, done_plain},
	[PROTO_DELETE] = {serve_job, op_delete, done_delete},
	[PROTO_PS] = {serve_job, op_ps, done_ps},
	[PROTO_SHUTDOWN] = {serve_shutdown, NULL, NULL},
	[PROTO_SUSPEND] = {serve_suspend, NULL, NULL},
	[PROTO_ATTACH] = {serve_attach, NULL, NULL},
	[PROTO_SET_CPUS] = {serve_job, op_cpus, done_cpus},
};

const struct netconf *guest_network_of(const struct guest *g, const char *container)
{
	return g->network_of && strcmp(g->network_of, container) == 0 ? g->network : NULL;
}

void guest_forget_network(struct guest *g)
{
	free(g->network_of);
	free(g->network);
	g->network_of = NULL;
	g->network = NULL;
}

void guest_serve(struct guest *g, struct request *q)
{
	struct err err = ERR_INIT;

	/* request_parse lets no other operation through */
	if (ops[q->op].serve(g, q, ops[q->op].fn, ops[q->op].done, &err) < 0) {
		guest_fail(g, q, &err);
		accept_drop(g, q);
		request_release(q);
	}
}
