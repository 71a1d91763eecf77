/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that the host had started: who they are, how they ended, who waits for that. The
 * agent is the parent of them all as soon as the job that made one has ended, and reaps whatever
 * else becomes an orphan in the guest.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/guest/guest.h"

#define PROCESSES_MAX 4096

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

struct process *process_find(struct guest *g, const char *container, const char *exec)
{
	for (struct process *p = g->processes; p; p = p->next) {
		if (!p->gone && same(p->container, container) && same(p->exec, exec))
			return p;
	}
	return NULL;
}

/* The oldest exec that ended and was never asked for: its host has no interest in it. */
static struct process *oldest_ended(struct guest *g)
{
	struct process *found = NULL;

	for (struct process *p = g->processes; p; p = p->next) {
		if (p->exec && p->exited)
			found = p;
	}
	return found;
}

int process_new(struct guest *g, const struct request *q, struct process **ret, struct err *err)
{
	struct process *p;

	if (process_find(g, q->container, q->exec))
		return err_set(err, EEXIST, "'%s' exists already",
			       q->exec ? q->exec : q->container);
	if (g->n_processes >= PROCESSES_MAX) {
		p = oldest_ended(g);
		if (!p)
			return err_set(err, EAGAIN, "there are %u processes", g->n_processes);
		process_free(g, p);
	}
	p = mem_xalloc(sizeof(*p));
	p->container = mem_xstrdup(q->container);
	p->exec = q->exec ? mem_xstrdup(q->exec) : NULL;
	p->next = g->processes;
	g->processes = p;
	g->n_processes++;
	*ret = p;
	return 0;
}

static void release(struct process *p)
{
	for (size_t i = 0; i < p->n_waiters; i++)
		request_release(&p->waiters[i]);
	free(p->waiters);
	oom_watch_free(p->oom_watch);
	/* what a process has written still goes to the host */
	if (p->exited)
		stdio_detach(p->io);
	else
		stdio_free(p->io);
	free(p->container);
	free(p->exec);
	free(p);
}

void process_free(struct guest *g, struct process *p)
{
	struct process **at = &g->processes;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at) {
		*at = p->next;
		g->n_processes--;
	}
	release(p);
}

void process_free_all(struct guest *g)
{
	while (g->processes)
		process_free(g, g->processes);
}

/* Its directory of procfs under the container's id, by which others join its namespaces. */
static char *link_of(const struct guest *g, const struct process *p)
{
	return mem_xprintf("%s/processes/%s", g->place.dir, p->container);
}

static void make_link(struct guest *g, const struct process *p)
{
	FREE char *path = link_of(g, p);
	FREE char *target = mem_xprintf("/proc/%d", (int)p->pid);
	struct err e = ERR_INIT;

	(void)unlink(path);
	if (symlink(target, path) == 0)
		return;
	(void)err_sys(&e, "symlink '%s'", path);
	guest_log(g, "no other container can join '%s': %s", p->container, e.msg);
}

void process_started(struct guest *g, struct process *p, pid_t pid)
{
	p->pid = pid;
	if (p->exec)
		return;
	p->oom_watch = oom_watch_new(g, p->container);
	make_link(g, p);
}

/* ---- the end ---- */

static void put_status(struct buf *b, const struct process *p)
{
	proto_put_u32(b, PROTO_F_STATUS, (uint32_t)p->status);
	proto_put_u32(b, PROTO_F_OOM, p->oom);
	proto_put_u64s(b, PROTO_F_WRITTEN, p->written, 2);
}

static void answer(struct guest *g, const struct process *p, const struct request *q)
{
	BUF body = BUF_INIT;

	put_status(&body, p);
	guest_reply(g, q, &body);
}

static void tell_exit(struct guest *g, const struct process *p)
{
	BUF body = BUF_INIT;

	proto_put_string(&body, PROTO_F_ID, p->container);
	proto_put_string(&body, PROTO_F_EXEC_ID, p->exec ? p->exec : "");
	put_status(&body, p);
	guest_event(g, PROTO_EVENT_EXIT, &body);
}

/* Killed by SIGKILL while the killer was at work in its container. */
static bool was_oom(struct guest *g, const struct process *p)
{
	struct process *first = p->exec ? process_find(g, p->container, NULL) : (void *)p;

	if (!first || !oom_watch_killed(first->oom_watch))
		return false;
	return WIFSIGNALED(p->status) && WTERMSIG(p->status) == SIGKILL;
}

/* An exec is forgotten when its end has been asked for. */
static void ended(struct guest *g, struct process *p, int status)
{
	p->exited = true;
	p->status = status;
	p->oom = was_oom(g, p);
	if (p->io)
		stdio_process_ended(p->io, p->written);
	tell_exit(g, p);
	for (size_t i = 0; i < p->n_waiters; i++)
		answer(g, p, &p->waiters[i]);
	if (p->gone || (p->exec && p->n_waiters))
		process_free(g, p);
}

int process_wait(struct guest *g, struct process *p, struct request *q, struct err *err)
{
	if (p->exited) {
		answer(g, p, q);
		request_release(q);
		if (p->exec)
			process_free(g, p);
		return 0;
	}
	if (p->n_waiters >= PROTO_PENDING_MAX)
		return err_set(err, EAGAIN, "%zu wait for the process already", p->n_waiters);
	p->waiters = mem_xrealloc(p->waiters, p->n_waiters + 1, sizeof(*p->waiters));
	p->waiters[p->n_waiters++] = *q;
	*q = (struct request){0};
	return 0;
}

void process_forget(struct guest *g, const char *container)
{
	struct process *next;

	for (struct process *p = g->processes; p; p = next) {
		next = p->next;
		if (p->gone || strcmp(p->container, container) != 0)
			continue;
		p->gone = true;
		if (p->exited)
			process_free(g, p);
	}
}

void process_attached(struct guest *g, struct process *p)
{
	for (struct process *e = g->processes; e; e = e->next) {
		if (e->exec && e->pid && !e->exited && strcmp(e->container, p->container) == 0)
			(void)kill(e->pid, SIGKILL);
	}
	if (!p->exited)
		return;
	if (p->io)
		stdio_process_ended(p->io, p->written);
	tell_exit(g, p);
}

/* ---- reaping ---- */

static struct process *find_pid(struct guest *g, pid_t pid)
{
	for (struct process *p = g->processes; p; p = p->next) {
		if (p->pid == pid && !p->exited)
			return p;
	}
	return NULL;
}

/*
 * An orphan becomes ours in the moment its parent becomes a zombie, so when one is seen here the job
 * that made it can be reaped, and tells who it is.
 */
static void reap_orphan(struct guest *g, pid_t pid)
{
	struct process *p;
	int status = 0;

	job_reap(g);
	p = find_pid(g, pid);
	/* Before its number can be another's. */
	if (p && !p->exec) {
		FREE char *path = link_of(g, p);

		(void)unlink(path);
	}
	if (waitpid(pid, &status, WNOHANG) != pid || !p)
		return;
	ended(g, p, status);
}

void process_reap(struct guest *g)
{
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		if (!job_ended(g, info.si_pid))
			reap_orphan(g, info.si_pid);
	}
}
