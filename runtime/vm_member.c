/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joining a sandbox's machine. The namespaces that engines name by path are those of host processes;
 * the guest's process that each stands for has the namespace that is meant.
 */
#include "runtime/vm_member.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "runtime/driver_vm.h"
#include "runtime/isolation.h"
#include "runtime/launch.h"
#include "runtime/pod.h"
#include "runtime/setup.h"
#include "runtime/sync.h"
#include "runtime/vm_control.h"
#include "runtime/vm_request.h"
#include "runtime/vm_stand_in.h"

/* ---- which machine ---- */

static int check_sandbox(const struct container *sandbox, const struct spec *spec, struct err *err)
{
	const char *word = spec_annotation(spec, ISOLATION_ANNOTATION);

	if (word && strcmp(word, "namespace") == 0)
		return err_set(err, EINVAL,
			       "annotation '" ISOLATION_ANNOTATION
			       "' says namespace, but the container's sandbox '%s' is a virtual "
			       "machine",
			       sandbox->id);
	if (sandbox->sandbox)
		return err_set(err, EINVAL,
			       "sandbox '%s' of the container is itself in the virtual machine of "
			       "'%s'",
			       sandbox->id, sandbox->sandbox);
	if (sandbox->status == CONTAINER_RUNNING || sandbox->status == CONTAINER_CREATED)
		return 0;
	return err_set(err, sandbox->status == CONTAINER_PAUSED ? EBUSY : ESRCH,
		       "sandbox '%s' of the container is %s, it has to be running", sandbox->id,
		       container_status_name(sandbox->status));
}

int vm_member_find(struct setup *s, const char *id, bool vm, struct err *err)
{
	struct pod_place place = {0};
	struct container *sandbox = NULL;
	int rc = pod_place_of(s->spec, id, &place, err);

	if (rc < 0 || !place.sandbox)
		return vm ? rc : 0;
	rc = container_open(s->rt, place.sandbox, CONTAINER_LOCK_NONE, &sandbox, err);
	if (rc < 0)
		return vm && place.certain ? err_wrap(err, rc, "the container's sandbox") : 0;
	if (!sandbox->is_vm) {
		rc = vm && place.certain
			     ? err_set(err, EINVAL,
				       "sandbox '%s' of the container is not a virtual machine",
				       place.sandbox)
			     : 0;
		container_close(sandbox);
		return rc;
	}
	s->member = mem_xalloc(sizeof(*s->member));
	*s->member = (struct vm_member){.sandbox = sandbox, .create_fd = -1};
	rc = check_sandbox(sandbox, s->spec, err);
	return rc < 0 ? rc : 1;
}

/* ---- which namespaces ---- */

/* The number in "/proc/PID/ns/FILE", or 0. */
static pid_t pid_in_path(const char *path, enum ns_kind kind)
{
	FREE char *copy = NULL, *end = NULL;
	uint32_t pid = 0;
	char *slash;

	if (strncmp(path, "/proc/", 6) != 0)
		return 0;
	copy = mem_xstrdup(path + 6);
	slash = strchr(copy, '/');
	end = mem_xprintf("ns/%s", ns_kind_file(kind));
	if (!slash || strcmp(slash + 1, end) != 0)
		return 0;
	*slash = '\0';
	return parse_u32(copy, &pid) < 0 ? 0 : (pid_t)pid;
}

static char *guest_id(const struct container *c)
{
	return mem_xstrdup(c->guest_id ? c->guest_id : c->id);
}

/* The container that process pid stands for, when it is in that machine; caller frees. */
static char *find_owner(struct runtime *rt, const struct container *sandbox, pid_t pid)
{
	char **ids = NULL, *found = NULL;

	if (pid == sandbox->pid)
		return guest_id(sandbox);
	if (container_ids(rt, &ids, NULL) < 0)
		return NULL;
	for (size_t i = 0; ids[i]; i++) {
		struct container *c = NULL;

		if (!found && container_open(rt, ids[i], CONTAINER_LOCK_NONE, &c, NULL) == 0 &&
		    c->sandbox && strcmp(c->sandbox, sandbox->id) == 0 && c->pid == pid)
			found = guest_id(c);
		container_close(c);
		free(ids[i]);
	}
	free(ids);
	return found;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is it the one that hull-vmm is in, and not hull-oci as well? */
static bool is_vmms(struct setup *s, enum ns_kind kind)
{
	FREE char *own = mem_xprintf("self/ns/%s", ns_kind_file(kind));
	FREE char *vmms = mem_xprintf("%d/ns/%s", (int)s->member->sandbox->pid, ns_kind_file(kind));
	struct stat meant, theirs, ours;

	return fstat(s->space_fds[kind], &meant) == 0 &&
	       fstatat(s->rt->proc_fd, vmms, &theirs, 0) == 0 &&
	       fstatat(s->rt->proc_fd, own, &ours, 0) == 0 && same_file(&meant, &theirs) &&
	       !same_file(&meant, &ours);
}

/* The one whose interfaces the machine has. */
static bool is_sandbox_network(struct setup *s)
{
	struct spec *spec = NULL;
	struct stat meant, theirs;
	const char *path;
	bool is;

	if (container_config(s->member->sandbox, &spec, NULL) < 0)
		return false;
	path = spec->spaces.kind[NS_NETWORK].path;
	is = path && stat(path, &theirs) == 0 && fstat(s->space_fds[NS_NETWORK], &meant) == 0 &&
	     same_file(&meant, &theirs);
	spec_free(spec);
	return is;
}

static int find_namespace(struct setup *s, enum ns_kind kind, const char *path, struct err *err)
{
	struct vm_member *m = s->member;
	pid_t pid = pid_in_path(path, kind);

	if (pid)
		m->owners[kind] = find_owner(s->rt, m->sandbox, pid);
	if (!m->owners[kind] && (is_vmms(s, kind) || (kind == NS_NETWORK && is_sandbox_network(s))))
		m->owners[kind] = guest_id(m->sandbox);
	if (m->owners[kind])
		return 0;
	return err_set(err, ENOTSUP,
		       "linux.namespaces: the %s namespace '%s' is not that of a container in the "
		       "virtual machine of sandbox '%s'",
		       ns_kind_name(kind), path, m->sandbox->id);
}

int vm_member_load(struct setup *s, struct err *err)
{
	int rc;

	if (s->options->image_path)
		return err_set(err, EOPNOTSUPP,
			       "restore: a container in the virtual machine of sandbox '%s' has no "
			       "checkpoint of its own",
			       s->member->sandbox->id);
	if ((rc = vm_check_environment(s, err)) < 0 ||
	    (rc = vm_config_check(s->spec, true, err)) < 0)
		return rc;
	for (int k = 0; k < NS_KIND_MAX && rc == 0; k++) {
		const char *path = s->spec->spaces.kind[k].path;

		if (path)
			rc = find_namespace(s, (enum ns_kind)k, path, err);
	}
	return rc;
}

int vm_member_prepare(struct setup *s, struct err *err)
{
	struct vm_member *m = s->member;
	struct vm_place place = {.id = s->container->id};
	int rc = vm_trees_open(s->spec, s->rt->proc_fd, &m->trees, err);

	if (rc < 0)
		return rc;
	place.root = m->trees.root;
	place.mounts = m->trees.mounts;
	memcpy(place.spaces, m->owners, sizeof(place.spaces));
	m->create_fd = vm_request_create(s->spec, &place, s->options, err);
	return m->create_fd < 0 ? m->create_fd : 0;
}

void vm_member_free(struct vm_member *m)
{
	if (!m)
		return;
	container_close(m->sandbox);
	vm_trees_close(&m->trees);
	fd_close(m->create_fd);
	for (int k = 0; k < NS_KIND_MAX; k++)
		free(m->owners[k]);
	free(m);
}

/* ---- the end ---- */

void vm_member_leave(struct runtime *rt, const char *sandbox, const char *id)
{
	const struct container c = {.rt = rt, .id = (char *)id, .sandbox = (char *)sandbox};
	struct err e = ERR_INIT;
	int rc = vm_control_call(&c, VM_CONTROL_LEAVE, 0, -1, NULL, &e);

	if (rc < 0 && rc != -ESRCH && rc != -EIO && rc != -EBUSY)
		log_warn("container '%s' may not be gone from its virtual machine: %s", id, e.msg);
}

/* ---- the child ---- */

/*
 * createContainer hooks run in the container's network namespace and in mounts that nobody else sees.
 * The stand-in itself is to hold neither.
 */
static int run_hooks(struct setup *s, struct err *err)
{
	struct ns_spaces spaces = {.kind = {[NS_MOUNT] = {.listed = true}}};
	CLOSE_FD int mounts = -1;
	CLOSE_FD int network = -1;
	int rc;

	if (s->spec->hooks.n[HOOK_CREATE_CONTAINER] == 0)
		return init_run_hooks(s, err);
	mounts = openat(s->rt->proc_fd, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	network = openat(s->rt->proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	if (mounts < 0 || network < 0)
		return err_sys(err, "open own namespaces");
	spaces.kind[NS_NETWORK] = s->spec->spaces.kind[NS_NETWORK];
	if ((rc = ns_enter(&spaces, s->space_fds, err)) < 0)
		return rc;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make mounts private");
	rc = init_run_hooks(s, err);
	if (rc == 0 && (setns(mounts, CLONE_NEWNS) < 0 || setns(network, CLONE_NEWNET) < 0))
		return err_sys(err, "leave the namespaces of the hooks");
	return rc;
}

/* The machine's answer to what was asked. */
static int answered(const struct stand_in *st, struct err *err)
{
	uint32_t none;

	return vm_control_receive(st->sock, &none, err);
}

static int share_trees(struct setup *s, const struct stand_in *st, struct err *err)
{
	const struct vm_trees *t = &s->member->trees;
	int rc = 0;

	for (size_t i = 0; i < t->n && rc == 0; i++) {
		struct vm_control_request r = vm_control_about(s->container, VM_CONTROL_SHARE);
		size_t len = strlen(t->list[i].name);

		if (len > VM_CONTROL_NAME)
			return err_code(err, ENAMETOOLONG, "share '%s'", t->list[i].name);
		memcpy(r.tree, t->list[i].name, len);
		rc = vm_control_send(st->sock, &r, &t->list[i].fd, 1, err);
		if (rc == 0)
			rc = answered(st, err);
	}
	return rc;
}

static int join(struct setup *s, const struct stand_in *st, struct err *err)
{
	struct vm_control_request r = vm_control_about(s->container, VM_CONTROL_JOIN);
	const int fds[VM_CONTROL_FDS] = {s->member->create_fd, 0, 1, 2};
	const bool terminal = s->spec->has_process && s->spec->process.terminal;
	int rc;

	r.number = stand_in_size(terminal ? 0 : -1);
	r.flag = terminal;
	r.mount_flags = vm_share_root_flags(s->spec);
	rc = vm_control_send(st->sock, &r, fds, terminal ? 2 : VM_CONTROL_FDS, err);
	return rc < 0 ? rc : answered(st, err);
}

static int set_up(struct setup *s, struct stand_in *st, struct err *err)
{
	const bool terminal = s->spec->has_process && s->spec->process.terminal;
	int keep[] = {s->child.sync[1], s->fifo_fd, -1}, rc;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "set the parent death signal");
	if (setsid() < 0)
		return err_sys(err, "setsid");
	if ((rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err)) < 0 ||
	    (rc = cgroup_join(s->cgroup, 0, s->born_in_v2, err)) < 0 ||
	    (rc = run_hooks(s, err)) < 0 || (terminal && (rc = vm_set_terminal(s, err)) < 0))
		return rc;
	keep[2] = st->sock = vm_control_connect(s->container, err);
	if (st->sock < 0)
		return st->sock;
	/* The lock of the state directory is one of what must not stay open. */
	if ((rc = share_trees(s, st, err)) < 0 || (rc = join(s, st, err)) < 0 ||
	    (rc = launch_close_descriptors(0, keep, s->rt->proc_fd, err)) < 0 ||
	    (rc = stand_in_watch(st, terminal, err)) < 0)
		return rc;
	return stand_in_leave_streams(err);
}

/* ---- until its program runs ---- */

/* Waits for the start: a byte in exec.fifo, or GO. What comes in between is dealt with. */
static int wait_for_start(struct setup *s, const struct stand_in *st, struct err *err)
{
	struct pollfd p[] = {
		{.fd = s->fifo_fd >= 0 ? s->fifo_fd : s->child.sync[1], .events = POLLIN},
		{.fd = st->signal_fd, .events = POLLIN},
		{.fd = st->sock, .events = POLLIN},
	};
	char byte;

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, "wait for start");
		}
		if (p[2].revents)
			stand_in_end(st);
		if (p[1].revents)
			stand_in_pass_signal(st);
		if (!p[0].revents)
			continue;
		if (s->fifo_fd < 0)
			return sync_expect(s->child.sync[1], SYNC_GO, NULL, err);
		return read(s->fifo_fd, &byte, 1) == 1 ? 0 : err_sys(err, "wait for start");
	}
}

/* The answer comes once the program runs, or cannot: hooks of the guest may take their time. */
static int start(const struct stand_in *st, struct err *err)
{
	const struct vm_control_request r = {.op = VM_CONTROL_START};
	struct pollfd p[] = {
		{.fd = st->sock, .events = POLLIN},
		{.fd = st->signal_fd, .events = POLLIN},
	};
	int rc = vm_control_send(st->sock, &r, NULL, 0, err);

	while (rc == 0) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_sys(err, "wait for the program");
		if (p[0].revents)
			return answered(st, err);
		if (p[1].revents)
			stand_in_pass_signal(st);
	}
	return rc;
}

/* For create the parent is gone by now, and it is start that waits. */
static int run(struct setup *s, const struct stand_in *st, struct err *err)
{
	int rc;

	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(err, "clear the parent death signal");
	rc = sync_tell(s->child.sync[1], SYNC_READY, err);
	if (rc == 0 && s->fifo_fd >= 0) {
		rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err);
		if (rc < 0)
			return rc;
		fd_replace(&s->child.sync[1], -1);
	}
	if (rc == 0)
		rc = wait_for_start(s, st, err);
	return rc < 0 ? rc : start(st, err);
}

void vm_member_main(struct setup *s)
{
	struct stand_in st = STAND_IN_INIT;
	struct err e = ERR_INIT;
	sigset_t none;

	fd_replace(&s->child.sync[0], -1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (set_up(s, &st, &e) == 0 && run(s, &st, &e) == 0) {
		fd_replace(&s->child.sync[1], -1);
		fd_replace(&s->fifo_fd, -1);
		stand_in_until_end(&st);
	}
	if (s->child.sync[1] >= 0)
		sync_send_error(s->child.sync[1], &e);
	else
		(void)!io_write(s->fifo_fd, &e, sizeof(e));
	_exit(STAND_IN_FAILED);
}
