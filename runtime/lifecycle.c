/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill and delete. Deleting goes: kill everything, wait until the cgroup is empty, remove it, then
 * poststop hooks, then the state directory, so that a crash in between leaves a directory with which
 * delete can be tried again.
 */
#include "runtime/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtime/hooks.h"
#include "runtime/pod.h"
#include "runtime/rdt.h"
#include "runtime/state.h"
#include "runtime/vm_control.h"
#include "runtime/vm_member.h"
#include "runtime/vm_net.h"

static int signal_first(const struct container *c, int sig, struct err *err)
{
	if (pidfd_send_signal(c->pidfd, sig, NULL, 0) == 0)
		return 0;
	if (errno == ESRCH)
		return err_set(err, ESRCH, "container not running");
	return err_sys(err, "send signal %d to process %d", sig, (int)c->pid);
}

static int kill_opened(struct container *c, struct cgroup *cg, int sig, bool all, struct err *err)
{
	bool has_cgroup = c->cgroup_manager != CGROUP_MANAGER_DISABLED;

	if (c->status == CONTAINER_CREATING && c->pidfd < 0)
		return err_set(err, ESRCH, "container not running: it is being created");
	if (c->status == CONTAINER_STOPPED && !all)
		return err_set(err, ESRCH, "container not running");
	/*
	 * Without a pid namespace of its own the end of the first process does not end the others,
	 * so KILL goes to all of them (runc does the same).
	 */
	if (all && c->is_vm && sig != SIGKILL && c->status != CONTAINER_STOPPED)
		return vm_control_call(c, VM_CONTROL_SIGNAL, (uint32_t)sig, -1, NULL, err);
	if ((all || (sig == SIGKILL && !c->own_pid_ns)) && has_cgroup)
		return cgroup_signal(cg, sig, err);
	if (c->status == CONTAINER_STOPPED)
		return err_set(err, ESRCH, "container not running");
	return signal_first(c, sig, err);
}

int container_kill(struct runtime *rt, const char *id, int sig, bool all, struct err *err)
{
	struct container *c = NULL;
	struct cgroup *cg = NULL;
	int rc = container_open(rt, id, CONTAINER_LOCK_NONE, &c, err);

	if (rc < 0)
		return rc;
	if ((rc = container_cgroup(c, &cg, err)) == 0)
		rc = kill_opened(c, cg, sig, all, err);
	/* A frozen process would get even SIGKILL only when it is thawed (cgroup v1). */
	if (rc == 0 && sig == SIGKILL && c->status == CONTAINER_PAUSED)
		rc = cgroup_freeze(cg, false, err);
	container_close(c);
	return rc;
}

/* Ten seconds are generous for a killed process; one that hangs in the kernel must not hang us. */
static int wait_end(const struct container *c, struct err *err)
{
	struct pollfd pfd = {.fd = c->pidfd, .events = POLLIN};
	int n;

	do
		n = poll(&pfd, 1, 10000);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_set(err, ETIMEDOUT, "process %d does not end after SIGKILL",
			       (int)c->pid);
	return n < 0 ? err_sys(err, "wait for process %d", (int)c->pid) : 0;
}

/*
 * The end of a pid namespace's first process ends all others in it before anybody sees it ended
 * (man 7 pid_namespaces), so a look spares freezing and thawing the group. Whoever was put into the
 * group from outside is still there.
 */
static bool all_ended(const struct container *c, struct cgroup *cg)
{
	FREE pid_t *pids = NULL;
	size_t n = 0;

	return c->status == CONTAINER_STOPPED && c->own_pid_ns &&
	       cgroup_pids(cg, &pids, &n, NULL) == 0 && n == 0;
}

static int kill_everything(struct container *c, struct cgroup *cg, struct err *err)
{
	int rc;

	if (c->pidfd >= 0) {
		rc = signal_first(c, SIGKILL, err);
		if (rc < 0 && rc != -ESRCH)
			return rc;
	}
	if (c->cgroup_manager != CGROUP_MANAGER_DISABLED && !all_ended(c, cg) &&
	    (c->pidfd < 0 || !c->own_pid_ns || c->status == CONTAINER_PAUSED)) {
		rc = cgroup_signal(cg, SIGKILL, err);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (c->status == CONTAINER_PAUSED && (rc = cgroup_freeze(cg, false, err)) < 0)
			return rc;
	}
	return c->pidfd >= 0 ? wait_end(c, err) : 0;
}

static void leave_rdt(const struct container *c, const struct spec_rdt *rdt)
{
	const struct rdt_config config = rdt_config_of(c->id, rdt);
	struct err e = ERR_INIT;

	if (rdt_remove(&config, &e) < 0)
		log_warn("%s, going on", e.msg);
}

int lifecycle_destroy(struct container *c, const struct spec *spec, struct err *err)
{
	struct cgroup *cg;
	int rc = container_cgroup(c, &cg, err);

	if (rc == 0)
		rc = kill_everything(c, cg, err);
	if (rc == 0)
		rc = cgroup_destroy(cg, err);
	if (rc < 0)
		return rc;
	if (spec && spec->rdt)
		leave_rdt(c, spec->rdt);
	if (c->sandbox)
		vm_member_leave(c->rt, c->sandbox, c->id);
	else if (spec && c->is_vm)
		vm_net_release(spec);
	c->pid = 0;
	c->status = CONTAINER_STOPPED;
	if (spec)
		hooks_run_all(&spec->hooks, HOOK_POSTSTOP, c, "stopped");
	return state_remove(c, err);
}

int lifecycle_poststart(struct container *c, const struct spec *spec, struct err *err)
{
	struct err e = ERR_INIT;
	int rc = hooks_run(&spec->hooks, HOOK_POSTSTART, c, "running", err);

	if (rc < 0 && lifecycle_destroy(c, spec, &e) < 0)
		log_warn("%s, going on", e.msg);
	return rc;
}

/* It may have been one of its own, or that of its sandbox, whose network is none of its. */
static void leave_machine(struct runtime *rt, const char *id, const struct spec *spec)
{
	struct pod_place place = {0};

	if (pod_place_of(spec, id, &place, NULL) == 0 && place.sandbox)
		vm_member_leave(rt, place.sandbox, id);
	else
		vm_net_release(spec);
}

/*
 * A directory that a crash left without state.json: its process died with its creator, its cgroup
 * may be there and must be empty, and only then is it known to be this container's.
 */
static int delete_remains(struct runtime *rt, const char *id, struct err *err)
{
	struct container c = {.rt = rt, .id = (char *)id, .pidfd = -1};
	struct spec *spec = NULL;
	struct err e = ERR_INIT;
	int rc;
	CLOSE_FD int dir = openat(rt->root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return err_sys(err, "open state directory '%s/%s'", rt->root, id);
	if (flock(dir, LOCK_EX) < 0)
		return err_sys(err, "lock state directory '%s/%s'", rt->root, id);
	c.dir_fd = dir;
	if (container_config(&c, &spec, NULL) == 0) {
		FREE char *path = spec->cgroups_path ? path_join("/", spec->cgroups_path)
						     : mem_xprintf("/%s", id);
		struct cgroup *cg = NULL;

		if (cgroup_open(rt->cgroup_manager, path, &cg, &e) < 0 ||
		    cgroup_remove_empty(cg, &e) < 0)
			log_warn("%s, going on", e.msg);
		cgroup_free(cg);
		leave_machine(rt, id, spec);
		hooks_run_all(&spec->hooks, HOOK_POSTSTOP, &c, "stopped");
	}
	rc = state_remove(&c, err);
	spec_free(spec);
	return rc;
}

static int delete_opened(struct container *c, bool force, struct err *err)
{
	struct spec *spec = NULL;
	struct err e = ERR_INIT;
	int rc;

	if (!force && c->status != CONTAINER_STOPPED && c->status != CONTAINER_CREATED)
		return err_set(err, EBUSY,
			       "cannot delete a container in the %s state; stop it or use --force",
			       container_status_name(c->status));
	if (container_config(c, &spec, &e) < 0)
		log_warn("saved config of container '%s': %s, going on without its hooks", c->id,
			 e.msg);
	rc = lifecycle_destroy(c, spec, err);
	spec_free(spec);
	return rc;
}

int container_delete(struct runtime *rt, const char *id, bool force, struct err *err)
{
	struct container *c = NULL;
	int rc = container_open(rt, id, CONTAINER_LOCK_EXCLUSIVE, &c, err);

	if (rc == -ENOENT && force)
		return 0;
	if (rc == -ENODATA && force)
		return delete_remains(rt, id, err);
	if (rc < 0)
		return rc;
	rc = delete_opened(c, force, err);
	container_close(c);
	return rc;
}
