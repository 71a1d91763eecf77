/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run: create and start in one process, without the fifo. In the foreground it stays: forwards
 * signals, carries bytes between its terminal and the container's, reaps, and removes the container
 * at its end.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/lifecycle.h"
#include "runtime/sdnotify.h"
#include "runtime/setup.h"
#include "runtime/state.h"
#include "runtime/supervise.h"
#include "runtime/sync.h"

/* Lets the child go and waits until it executes its program; then the poststart hooks. */
static int release(struct setup *s, int *ret_notify, struct err *err)
{
	struct err e = ERR_INIT;
	int rc = 0;

	*ret_notify = sdnotify_open(s->container, &e);
	if (*ret_notify < 0 && e.code)
		rc = err_set(err, e.code, "%s", e.msg);
	if (rc == 0)
		rc = child_go(&s->child, s->cgroup, err);
	if (rc == 0)
		rc = sync_wait_exec(s->child.sync[0], err);
	if (rc < 0) {
		setup_undo(s);
		return rc;
	}
	return lifecycle_poststart(s->container, s->spec, err);
}

/* Removes the ended container; its first process has been reaped. */
static void remove_ended(struct setup *s)
{
	struct err e = ERR_INIT;

	s->container->status = CONTAINER_STOPPED;
	/* -ENOENT: somebody else has deleted it in the meantime. */
	int rc = state_lock(s->container, CONTAINER_LOCK_EXCLUSIVE, &e);

	if (rc == 0)
		rc = lifecycle_destroy(s->container, s->spec, &e);
	if (rc < 0 && rc != -ENOENT)
		log_error("%s", e.msg);
}

int container_run(struct runtime *rt, const char *id, const struct create_options *o,
		  int *ret_status, struct err *err)
{
	struct setup s;
	struct supervisor sup = SUPERVISOR_INIT;
	int status = 0;
	int rc = 0;

	if (!o->detach) {
		/* Orphans of the container come to us, not to the caller. */
		if (!o->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
			return err_sys(err, "prctl PR_SET_CHILD_SUBREAPER");
		rc = supervise_signals(&sup, err);
	}
	if (rc == 0)
		rc = setup_begin(rt, id, o, false, &s, err);
	if (rc == 0) {
		rc = release(&s, &sup.notify_fd, err);
		state_unlock(s.container);
		if (rc == 0 && !o->detach) {
			rc = supervise(&sup, s.child.pid, s.child.pidfd,
				       fd_take(&s.child.console_master), &status, err);
			if (!o->keep)
				remove_ended(&s);
		}
		if (rc == 0 && o->detach && sup.notify_fd >= 0)
			rc = sdnotify_wait(sup.notify_fd, s.child.pid, s.child.pidfd, err);
		setup_release(&s);
	}
	supervise_end(&sup);
	if (rc == 0)
		*ret_status = status;
	return rc;
}
