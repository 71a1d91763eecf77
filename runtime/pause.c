/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pause and resume. One that is not alone in its machine is frozen in the guest, and so is what stands
 * for it here: that is what its status is read from. While its sandbox is paused nobody in the machine
 * answers; then it is frozen or thawed here alone, and the guest is told when the sandbox goes on.
 * Engines do this to all of a pod at once, in no order, so a sandbox takes the locks of those in its
 * machine: before it is frozen, as none may wait for the guest's answer then, and after it goes on, as
 * what they have become meanwhile must not change again before the guest is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/runtime.h"
#include "runtime/vm_control.h"

/* ---- one in a sandbox's machine ---- */

/* -EINVAL: it has ended. */
static int freeze_in_guest(const struct container *c, bool on, struct err *err)
{
	int rc = vm_control_call(c, on ? VM_CONTROL_PAUSE : VM_CONTROL_RESUME, 0, -1, NULL, err);

	return rc == -EALREADY ? 0 : rc;
}

static bool is_sandbox_paused(const struct container *c)
{
	struct container *sandbox = NULL;
	bool is;

	if (container_open(c->rt, c->sandbox, CONTAINER_LOCK_NONE, &sandbox, NULL) < 0)
		return false;
	is = sandbox->status == CONTAINER_PAUSED;
	container_close(sandbox);
	return is;
}

static int freeze_member(const struct container *c, struct cgroup *cg, bool on, struct err *err)
{
	int rc;

	if (is_sandbox_paused(c))
		return cgroup_freeze(cg, on, err);
	rc = freeze_in_guest(c, on, err);
	/* Of one that has ended meanwhile it is to be seen. */
	if (rc == 0 || (rc == -EINVAL && !on))
		rc = cgroup_freeze(cg, on, err);
	if (rc < 0 && on)
		(void)!freeze_in_guest(c, false, NULL);
	return rc;
}

/* ---- a machine ---- */

struct members {
	struct container **list;
	size_t n;
};

static bool is_member(struct runtime *rt, const char *id, const struct container *sandbox)
{
	struct container *c = NULL;
	bool is;

	if (container_open(rt, id, CONTAINER_LOCK_NONE, &c, NULL) < 0)
		return false;
	is = c->sandbox && strcmp(c->sandbox, sandbox->id) == 0;
	container_close(c);
	return is;
}

/* Those in the machine of another, with their locks. */
static struct members lock_members(const struct container *sandbox)
{
	struct members m = {0};
	char **ids = NULL;

	if (container_ids(sandbox->rt, &ids, NULL) < 0)
		return m;
	for (size_t i = 0; ids[i]; i++) {
		struct container *c = NULL;

		if (is_member(sandbox->rt, ids[i], sandbox) &&
		    container_open(sandbox->rt, ids[i], CONTAINER_LOCK_EXCLUSIVE, &c, NULL) == 0) {
			m.list = mem_xrealloc(m.list, m.n + 1, sizeof(*m.list));
			m.list[m.n++] = c;
		}
		free(ids[i]);
	}
	free(ids);
	return m;
}

static void unlock_members(struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		container_close(m->list[i]);
	free(m->list);
}

/* What is not frozen in the guest is not to look so, nor is what has ended to hang. */
static void tell_guest_of(struct container *c)
{
	const bool on = c->status == CONTAINER_PAUSED;
	struct cgroup *cg = NULL;
	struct err e = ERR_INIT;
	int rc = freeze_in_guest(c, on, &e);

	if (rc == 0)
		return;
	if (on && container_cgroup(c, &cg, NULL) == 0)
		(void)!cgroup_freeze(cg, false, NULL);
	if (rc != -EINVAL)
		log_warn("container '%s' cannot be %s in its virtual machine: %s", c->id,
			 on ? "paused" : "resumed", e.msg);
}

/* What has become of them while the guest could not hear of it. */
static void tell_guest(const struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i]->status != CONTAINER_STOPPED)
			tell_guest_of(m->list[i]);
}

static int pause_machine(const struct container *c, struct cgroup *cg, struct err *err)
{
	struct members m = lock_members(c);
	int rc = cgroup_freeze(cg, true, err);

	unlock_members(&m);
	return rc;
}

static int resume_machine(const struct container *c, struct cgroup *cg, struct err *err)
{
	int rc = cgroup_freeze(cg, false, err);
	struct members m = {0};

	if (rc < 0)
		return rc;
	m = lock_members(c);
	tell_guest(&m);
	unlock_members(&m);
	return 0;
}

/* ---- any ---- */

/* -EALREADY: it is paused, or goes on, as it is to. */
static int check(const struct container *c, bool on, struct err *err)
{
	const bool runs = c->status == CONTAINER_RUNNING || c->status == CONTAINER_CREATED;
	const bool paused = c->status == CONTAINER_PAUSED;

	if (!(on ? runs : paused))
		return err_set(err, (on ? paused : runs) ? EALREADY : EINVAL,
			       "cannot %s a container in the %s state", on ? "pause" : "resume",
			       container_status_name(c->status));
	if (c->cgroup_manager == CGROUP_MANAGER_DISABLED)
		return err_set(err, EOPNOTSUPP,
			       "cannot pause or resume: cgroups are disabled for this container");
	return 0;
}

static int freeze(struct runtime *rt, const char *id, bool on, struct err *err)
{
	struct container *c = NULL;
	struct cgroup *cg = NULL;
	int rc = container_open(rt, id, CONTAINER_LOCK_EXCLUSIVE, &c, err);

	if (rc < 0)
		return rc;
	if ((rc = container_cgroup(c, &cg, err)) == 0 && (rc = check(c, on, err)) == 0) {
		if (c->sandbox)
			rc = freeze_member(c, cg, on, err);
		else if (c->is_vm)
			rc = on ? pause_machine(c, cg, err) : resume_machine(c, cg, err);
		else
			rc = cgroup_freeze(cg, on, err);
	}
	container_close(c);
	return rc;
}

int container_pause(struct runtime *rt, const char *id, struct err *err)
{
	return freeze(rt, id, true, err);
}

int container_resume(struct runtime *rt, const char *id, struct err *err)
{
	return freeze(rt, id, false, err);
}
