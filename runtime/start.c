/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start: lets the container's first process go on. It blocks reading exec.fifo; start writes one
 * byte and waits until nobody holds the fifo open for reading any more, which is the case once
 * execve has closed it (or the process died). An error that the process met comes back through the
 * same fifo. So start returns only after the user's program runs, and poststart hooks run after it
 * as the specification asks (runtime.md, Lifecycle, steps 7 to 9).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "runtime/hooks.h"
#include "runtime/lifecycle.h"
#include "runtime/sdnotify.h"
#include "runtime/state.h"

/* The writing side sees POLLERR when the last reader is gone (man 2 poll). */
static int wait_readers_gone(int fifo, int pidfd, struct err *err)
{
	struct pollfd pfd[] = {
		{.fd = fifo, .events = 0},
		{.fd = pidfd, .events = POLLIN},
	};

	for (;;) {
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "wait for the container's process");
		if (pfd[0].revents & POLLERR)
			return 0;
		if (pfd[1].revents)
			return 0;
	}
}

/* What the process left in the fifo: nothing after execve, its error otherwise. */
static int read_outcome(int dir_fd, struct err *err)
{
	struct err theirs = ERR_INIT;
	CLOSE_FD int fd = openat(dir_fd, STATE_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s' in the state directory", STATE_FIFO);

	ssize_t n;

	/* Once: what is there came in one piece, and at the end of it waits -EAGAIN. */
	do
		n = read(fd, &theirs, sizeof(theirs));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	if (n != (ssize_t)sizeof(theirs) || theirs.code <= 0)
		return err_set(err, ESRCH,
			       "the container's process died before it could execute its program");
	theirs.msg[sizeof(theirs.msg) - 1] = '\0';
	return err_set(err, theirs.code, "%s", theirs.msg);
}

static int release_process(struct container *c, struct err *err)
{
	CLOSE_FD int fifo = openat(c->dir_fd, STATE_FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	int rc;

	if (fifo < 0)
		return err_sys(err, "open '%s' in the state directory", STATE_FIFO);
	rc = io_write(fifo, "", 1);
	if (rc < 0)
		return err_code(err, -rc, "write '%s' in the state directory", STATE_FIFO);
	rc = wait_readers_gone(fifo, c->pidfd, err);
	if (rc == 0)
		rc = read_outcome(c->dir_fd, err);
	if (rc == 0)
		(void)unlinkat(c->dir_fd, STATE_FIFO, 0);
	return rc;
}

static int start_locked(struct container *c, struct err *err)
{
	struct spec *spec = NULL;
	int rc;

	if (c->status != CONTAINER_CREATED)
		return err_set(err, EINVAL, "cannot start a container in the %s state",
			       container_status_name(c->status));
	if (!c->has_process)
		return err_set(err, EINVAL,
			       "cannot start a container whose config.json has no process");
	rc = container_config(c, &spec, err);
	if (rc < 0)
		return rc;

	struct err e = ERR_INIT;
	CLOSE_FD int notify = sdnotify_open(c, &e);

	if (notify < 0 && e.code)
		rc = err_set(err, e.code, "%s", e.msg);
	if (rc == 0)
		rc = release_process(c, err);
	if (rc == 0)
		rc = lifecycle_poststart(c, spec, err);
	spec_free(spec);
	if (rc == 0 && notify >= 0) {
		/* Until the service is ready others may look at the container and stop it. */
		state_unlock(c);
		rc = sdnotify_wait(notify, c->pid, c->pidfd, err);
	}
	return rc;
}

int container_start(struct runtime *rt, const char *id, struct err *err)
{
	struct container *c = NULL;
	int rc = container_open(rt, id, CONTAINER_LOCK_EXCLUSIVE, &c, err);

	if (rc < 0)
		return rc;
	rc = start_locked(c, err);
	container_close(c);
	return rc;
}
