/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-vmm's part in making a container, as init.c has it: READY to the hull-oci that creates it and
 * GO from there (sync.h); then, for create, one byte in exec.fifo from the hull-oci that starts it.
 * Whoever waits sees the socket or the fifo closed once the process runs, or gets the error.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "runtime/sync.h"
#include "runtime/vmm/vmm.h"

static void start(struct vmm *v)
{
	loop_remove(v->parent);
	v->parent = NULL;
	box_start(v);
}

static void fifo_readable(void *arg, uint32_t events)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;
	char byte;
	ssize_t n = read(v->o.fifo_fd, &byte, 1);

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n == 1) {
		start(v);
		return;
	}
	(void)err_sys(&e, "wait for start");
	vmm_fail(v, &e);
}

static void parent_spoke(void *arg, uint32_t events)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	(void)events;
	/* It is gone, and so is what it was about to make. */
	if (sync_expect(v->o.sync_fd, SYNC_GO, NULL, &e) < 0) {
		fd_replace(&v->o.sync_fd, -1);
		vmm_fail(v, &e);
		return;
	}
	if (v->o.fifo_fd < 0) {
		start(v);
		return;
	}
	loop_remove(v->parent);
	v->parent = NULL;
	fd_replace(&v->o.sync_fd, -1);
	if (loop_add(v->loop, v->o.fifo_fd, EPOLLIN, fifo_readable, v, &v->parent, &e) < 0)
		vmm_fail(v, &e);
}

int parent_ready(struct vmm *v, struct err *err)
{
	int rc = loop_add(v->loop, v->o.sync_fd, EPOLLIN, parent_spoke, v, &v->parent, err);

	if (rc < 0)
		return rc;
	/* hull-oci has set it for the time it needs to make the container. */
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(err, "clear the parent death signal");
	return sync_send(v->o.sync_fd, SYNC_READY, err);
}

void parent_started(struct vmm *v)
{
	fd_replace(&v->o.sync_fd, -1);
	fd_replace(&v->o.fifo_fd, -1);
}

bool parent_told(struct vmm *v, const struct err *why)
{
	bool told =
		v->o.sync_fd >= 0 || (v->o.fifo_fd >= 0 && v->stage == VMM_CREATED && !v->parent);

	if (v->o.sync_fd >= 0)
		sync_send_error(v->o.sync_fd, why);
	else if (told && io_write(v->o.fifo_fd, why, sizeof(*why)) < 0)
		told = false;
	loop_remove(v->parent);
	v->parent = NULL;
	/* From here on the descriptors tell an end, so they stay open until this process ends. */
	return told;
}
