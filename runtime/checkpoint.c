/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint of a container in a virtual machine: hull-vmm saves the machine to files that are opened
 * here, as it may open none. restore is run (run.c) with a machine that is made again.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "runtime/lifecycle.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/vm_control.h"
#include "runtime/vm_image.h"

static int check(const struct container *c, struct err *err)
{
	if (!c->is_vm)
		return err_set(err, EOPNOTSUPP,
			       "checkpoint is not supported yet for containers made of namespaces, "
			       "only for those in virtual machines");
	if (c->sandbox)
		return err_set(err, EOPNOTSUPP,
			       "checkpoint: container '%s' is in the virtual machine of sandbox "
			       "'%s': not supported",
			       c->id, c->sandbox);
	if (c->status == CONTAINER_RUNNING)
		return 0;
	return err_set(err, c->status == CONTAINER_STOPPED ? ESRCH : EBUSY,
		       "checkpoint: container '%s' is %s, it has to be running", c->id,
		       container_status_name(c->status));
}

/* A large machine on a slow disk takes its time. */
static int ask(const struct container *c, const struct vm_image_maker *m, bool leave_running,
	       struct buf *id, struct err *err)
{
	const struct timeval patience = {0};
	CLOSE_FD int answer_fd = vm_control_file("answer", "", 0, err);
	const int fds[] = {m->state_fd, m->memory_fd, answer_fd};
	struct vm_control_request r = vm_control_about(c, VM_CONTROL_CHECKPOINT);
	CLOSE_FD int sock = answer_fd < 0 ? answer_fd : vm_control_connect(c, err);
	uint32_t number = 0;
	int rc;

	if (sock < 0)
		return sock;
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(err, "lift the time limit for the virtual machine's answer");
	r.flag = leave_running;
	rc = vm_control_send(sock, &r, fds, ARRAY_SIZE(fds), err);
	if (rc < 0 || (rc = vm_control_receive(sock, &number, err)) < 0)
		return rc;
	return vm_control_read_text(answer_fd, id, err);
}

static int save(const struct container *c, const struct checkpoint_options *o, struct err *err)
{
	struct vm_image_maker m = VM_IMAGE_MAKER_INIT;
	BUF config = BUF_INIT, id = BUF_INIT;
	int rc = io_read_file(c->dir_fd, STATE_CONFIG, JSON_MAX_BYTES, &config, err);

	if (rc < 0 || (rc = vm_image_begin(o->image_path, &m, err)) < 0)
		return rc;
	rc = ask(c, &m, o->leave_running, &id, err);
	if (rc < 0)
		rc = err_wrap(err, rc, "checkpoint of container '%s'", c->id);
	else
		rc = vm_image_finish(&m, id.len ? buf_str(&id) : c->id, &config, err);
	vm_image_end(&m);
	return rc;
}

static int checkpoint_opened(struct container *c, const struct checkpoint_options *o,
			     struct err *err)
{
	struct spec *spec = NULL;
	int rc = check(c, err);

	if (rc == 0)
		rc = container_config(c, &spec, err);
	if (rc == 0)
		rc = save(c, o, err);
	if (rc == 0 && !o->leave_running)
		rc = lifecycle_destroy(c, spec, err);
	spec_free(spec);
	return rc;
}

int container_checkpoint(struct runtime *rt, const char *id, const struct checkpoint_options *o,
			 struct err *err)
{
	struct container *c = NULL;
	int rc = container_open(rt, id, CONTAINER_LOCK_EXCLUSIVE, &c, err);

	if (rc < 0)
		return rc;
	rc = checkpoint_opened(c, o, err);
	container_close(c);
	return rc;
}
