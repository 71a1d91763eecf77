/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec: another process in a running container. The child is born in the container's pid namespace
 * and cgroup and joins the other namespaces of the container's first process by its pidfd; from
 * there it goes the way of every process (launch.c). Nothing of hull can be looked into on the way:
 * it is not dumpable (CVE-2016-9962), and its own binary is protected (protect.c, CVE-2019-5736).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/child.h"
#include "runtime/console.h"
#include "runtime/state.h"
#include "runtime/supervise.h"
#include "runtime/sync.h"
#include "runtime/vm_exec.h"
#include "runtime/vm_request.h"

struct execution {
	struct runtime *rt;
	const struct exec_options *options;
	struct container *container;
	struct cgroup *cgroup; /* the container's, borrowed */
	struct spec *spec;     /* NULL: the guest has it */
	struct buf process_text; /* of --process, as the next two */
	struct json *process_doc;
	struct arena process_arena;
	struct ns_process process;
	struct buf request; /* to a virtual machine */
	struct child child;
	int vm_sock;     /* of vm_exec_start, -1: there is a child */
	bool born_in_v2; /* the clone put the child into its cgroup2 group */
};

/* ---- which process ---- */

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* True when one of the n entries sets the same variable as entry. */
static bool is_set_by(const char *entry, const char *const *list, size_t n)
{
	size_t name = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < n; i++)
		if (strncmp(entry, list[i], name) == 0)
			return true;
	return false;
}

/* The config's variables and then the command line's; of several with one name the last counts. */
static const char *const *join_env(struct arena *a, const char *const *base,
				   const char *const *more)
{
	size_t n_base = count(base), n_more = count(more), n = 0;
	const char **env = arena_alloc(a, n_base + n_more + 1, sizeof(*env));

	for (size_t i = 0; i < n_base; i++)
		if (!is_set_by(base[i], more, n_more))
			env[n++] = base[i];
	for (size_t i = 0; i < n_more; i++)
		if (!is_set_by(more[i], more + i + 1, n_more - i - 1))
			env[n++] = more[i];
	return env;
}

static int add_caps(struct ns_process *p, const char *const *names, struct err *err)
{
	for (size_t i = 0; names && names[i]; i++) {
		int cap = ns_cap_parse(names[i]);

		if (cap < 0)
			return err_set(err, EINVAL, "--cap: unknown capability '%s'", names[i]);
		/* Not inheritable and not ambient: CVE-2022-29162. */
		p->caps.bounding |= 1ULL << cap;
		p->caps.permitted |= 1ULL << cap;
		p->caps.effective |= 1ULL << cap;
		p->has_caps = true;
	}
	return 0;
}

static const gid_t *join_groups(struct arena *a, const struct ns_process *p,
				const struct exec_options *o)
{
	gid_t *groups = arena_alloc(a, p->n_groups + o->n_groups, sizeof(*groups));

	for (size_t i = 0; i < p->n_groups; i++)
		groups[i] = p->groups[i];
	for (size_t i = 0; i < o->n_groups; i++)
		groups[p->n_groups + i] = o->groups[i];
	return groups;
}

static int check_options(const struct exec_options *o, struct err *err)
{
	if (!o->args || !o->args[0])
		return err_set(err, EINVAL, "exec needs a command or --process");
	if (o->cwd && o->cwd[0] != '/')
		return err_set(err, EINVAL, "--cwd '%s' is not absolute", o->cwd);
	return 0;
}

/* The config's process with what the command line says instead. */
static int process_of_options(struct execution *x, struct err *err)
{
	const struct exec_options *o = x->options;
	struct ns_process *p = &x->process;
	struct arena *a = &x->spec->arena;
	int rc = check_options(o, err);

	if (rc < 0)
		return rc;
	if (x->spec->has_process)
		*p = x->spec->process;
	else
		*p = (struct ns_process){.cwd = "/", .umask = 0022};
	p->args = o->args;
	p->terminal = o->tty;
	p->has_console_size = false;
	if (o->cwd)
		p->cwd = o->cwd;
	if (o->has_user)
		p->uid = o->uid;
	if (o->has_gid)
		p->gid = o->gid;
	if (o->n_groups > 0) {
		p->groups = join_groups(a, p, o);
		p->n_groups += o->n_groups;
	}
	if (o->selinux_label)
		p->selinux_label = o->selinux_label;
	if (o->apparmor_profile)
		p->apparmor_profile = o->apparmor_profile;
	p->no_new_privs |= o->no_new_privs;
	p->env = join_env(a, p->env, o->env);
	return add_caps(p, o->caps, err);
}

static int process_of_file(struct execution *x, struct err *err)
{
	const char *path = x->options->process_file;
	struct buf *text = &x->process_text;
	int rc = io_read_file(AT_FDCWD, path, JSON_MAX_BYTES, text, err);

	if (rc < 0 || (rc = json_parse(path, buf_str(text), text->len, &x->process_doc, err)) < 0)
		return rc;
	return spec_parse_process(json_root(x->process_doc), &x->process_arena, &x->process, err);
}

static int read_process(struct execution *x, struct err *err)
{
	const struct ns_process *first = &x->spec->process;
	int rc = x->options->process_file ? process_of_file(x, err) : process_of_options(x, err);

	if (rc < 0)
		return rc;
	/* These are properties of the container (linux.personality and memoryPolicy). */
	x->process.has_personality = first->has_personality;
	x->process.personality = first->personality;
	x->process.mempolicy = first->mempolicy;
	if (x->options->passwd && !spec_mounts_over(x->spec, "/etc/passwd"))
		x->process.passwd = x->options->passwd;
	return 0;
}

static int prepare_for_namespaces(struct execution *x, struct err *err)
{
	int rc = container_config(x->container, &x->spec, err);

	if (rc < 0 || (rc = read_process(x, err)) < 0)
		return rc;
	x->child.seccomp = x->spec->seccomp;
	x->child.in_userns = x->spec->spaces.kind[NS_USER].listed;
	return 0;
}

/* The guest has the configuration, and makes of it and the options what namespaces' exec makes here. */
static int prepare_for_vm(struct execution *x, struct err *err)
{
	const struct exec_options *o = x->options;
	int rc = vm_exec_check(o, err);

	if (rc == 0)
		rc = o->process_file ? process_of_file(x, err) : check_options(o, err);
	if (rc < 0)
		return rc;
	if (!o->process_file) {
		x->process.env = o->env;
		x->process.terminal = o->tty;
	}
	vm_request_exec(x->container, o, o->process_file ? &x->process_text : NULL, x->process.env,
			&x->request);
	return 0;
}

/* ---- the child ---- */

/* pid 0: the caller itself, see init.c */
static int join_cgroups(struct execution *x, pid_t pid, struct err *err)
{
	const char *const *subs = x->options->cgroups;
	int rc;

	if (!subs || !subs[0])
		return cgroup_join_beside(x->cgroup, x->container->pid, pid, x->born_in_v2, err);
	/* "controller:path" places it in that hierarchy alone; the others get the container's
	 * group. */
	if (strchr(subs[0], ':') &&
	    (rc = cgroup_join_beside(x->cgroup, x->container->pid, pid, x->born_in_v2, err)) < 0)
		return rc;
	for (size_t i = 0; subs[i]; i++) {
		rc = cgroup_join_sub(x->cgroup, subs[i], pid, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int join_namespaces(struct execution *x, struct err *err)
{
	const struct container *c = x->container;
	const struct ns_spaces *spaces = &x->spec->spaces;
	int flags = 0;
	int rc;

	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (spaces->kind[k].listed && k != NS_PID)
			flags |= ns_kind_flag((enum ns_kind)k);
	}
	rc = ns_join_process(x->rt->proc_fd, c->pid, c->pidfd, flags, err);
	if (rc == 0 && spaces->kind[NS_USER].listed)
		rc = ns_become_root(err);
	/* Without a mount namespace the container was made by chroot alone. */
	if (rc == 0 && !spaces->kind[NS_MOUNT].listed && chroot(x->spec->rootfs.path) < 0)
		rc = err_sys(err, "chroot '%s'", x->spec->rootfs.path);
	return rc;
}

static int set_terminal(struct execution *x, struct err *err)
{
	CLOSE_FD int master = -1;
	CLOSE_FD int slave = -1;
	int rc = console_open(&x->process, &master, &slave, err);

	if (rc < 0)
		return rc;
	if (x->child.console_fd >= 0)
		rc = console_send(x->child.console_fd, master, err);
	else
		rc = sync_send_fd(x->child.sync[1], SYNC_TTY, master, err);
	/* Of a virtual machine's process the terminal on the host is only one end. */
	const struct ns_process root = {0};

	return rc < 0 ? rc
		      : console_attach(x->container->is_vm ? &root : &x->process, slave, err);
}

static int child_setup(struct execution *x, struct launch *l, struct err *err)
{
	FREE char *keyring = mem_xprintf("_ses.%s", x->container->id);
	int rc;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "set the parent death signal");
	if (setsid() < 0)
		return err_sys(err, "setsid");
	if (x->process.affinity_initial &&
	    (rc = ns_affinity_set(0, x->process.affinity_initial, err)) < 0)
		return rc;
	/* In its cgroups before anything of the container can act on it. */
	if (!x->child.in_userns && (rc = join_cgroups(x, 0, err)) < 0)
		return rc;
	if ((rc = sync_expect(x->child.sync[1], SYNC_GO, NULL, err)) < 0 ||
	    (rc = join_namespaces(x, err)) < 0 ||
	    (rc = ns_keyring_join(x->rt->proc_fd, keyring, false, NULL, err)) < 0)
		return rc;
	if (chdir("/") < 0)
		return err_sys(err, "chdir '/'");
	if (x->process.terminal)
		rc = set_terminal(x, err);
	else
		console_own_stdio(&x->process);
	return rc < 0 ? rc : launch_prepare(l, err);
}

/* Stands for a process in the guest; returns on failure only. */
static int vm_child(struct execution *x, struct err *err)
{
	int rc;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "set the parent death signal");
	if (setsid() < 0)
		return err_sys(err, "setsid");
	if ((rc = join_cgroups(x, 0, err)) < 0 ||
	    (rc = sync_expect(x->child.sync[1], SYNC_GO, NULL, err)) < 0)
		return rc;
	if (x->process.terminal && (rc = set_terminal(x, err)) < 0)
		return rc;
	return vm_exec_main(x->container, &x->child, &x->request, x->rt->proc_fd, err);
}

static void child_main(struct execution *x) __attribute__((noreturn));

static void child_main(struct execution *x)
{
	struct err e = ERR_INIT;
	struct launch l;

	child_become(&x->child, x->rt->proc_fd, &l);
	if (x->container->is_vm)
		(void)!vm_child(x, &e);
	else if (child_setup(x, &l, &e) == 0)
		(void)!launch_exec(&l, &e);
	sync_send_error(x->child.sync[1], &e);
	_exit(1);
}

/* A process in a virtual machine whose caller sees nothing of what would stand for it here. */
static bool needs_no_child(const struct execution *x)
{
	const struct exec_options *o = x->options;

	return x->container->is_vm && !o->detach && !o->pid_file && !o->pidfd_socket &&
	       !x->process.terminal;
}

/* ---- the parent ---- */

static int check_status(const struct execution *x, struct err *err)
{
	switch (x->container->status) {
	case CONTAINER_RUNNING:
	case CONTAINER_CREATED:
		return 0;
	case CONTAINER_PAUSED:
		if (x->options->ignore_paused)
			return 0;
		break;
	case CONTAINER_CREATING:
	case CONTAINER_STOPPED:
		break;
	}
	return err_set(err, EINVAL, "cannot exec in a container in the %s state",
		       container_status_name(x->container->status));
}

static int fork_child(struct execution *x, struct err *err)
{
	struct ns_spaces spaces = {0};
	int fds[NS_KIND_MAX];
	int rc;

	memset(fds, -1, sizeof(fds));
	if ((rc = sync_pair(x->child.sync, err)) < 0)
		return rc;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, "prctl PR_SET_DUMPABLE");
	if (!x->container->is_vm && x->spec->spaces.kind[NS_PID].listed) {
		FREE char *path = mem_xprintf("%d/ns/pid", (int)x->container->pid);

		fds[NS_PID] = openat(x->rt->proc_fd, path, O_RDONLY | O_CLOEXEC);
		if (fds[NS_PID] < 0)
			return err_sys(err, "open pid namespace of process %d",
				       (int)x->container->pid);
	}

	int into = x->options->cgroups ? -1 : cgroup_v2_fd(x->cgroup);
	pid_t pid = ns_clone(&spaces, fds, into, &x->child.pidfd, &x->born_in_v2, err);

	if (pid == 0)
		child_main(x);
	fd_close(fds[NS_PID]);
	fd_replace(&x->child.sync[1], -1);
	if (pid > 0)
		x->child.pid = pid;
	return pid < 0 ? pid : 0;
}

static int prepare(struct execution *x, const char *id, struct err *err)
{
	int rc = container_open(x->rt, id, CONTAINER_LOCK_SHARED, &x->container, err);

	if (rc < 0)
		return rc;
	if (!x->container->is_vm && x->options->protect &&
	    (rc = x->options->protect(x->options->protect_arg, err)) < 0)
		return rc;
	if ((rc = check_status(x, err)) < 0)
		return rc;
	rc = x->container->is_vm ? prepare_for_vm(x, err) : prepare_for_namespaces(x, err);
	if (rc < 0)
		return rc;
	x->child.process = &x->process;
	if ((rc = child_check(&x->child, !x->options->detach, x->options->console_socket,
			      x->options->preserve_fds, err)) < 0 ||
	    (rc = child_build_filter(&x->child, x->rt, err)) < 0)
		return rc;
	return needs_no_child(x) ? 0 : container_cgroup(x->container, &x->cgroup, err);
}

/* Hooks and network devices are the first process' business. */
static int no_request(void *arg, enum sync_type type, struct err *err)
{
	(void)arg;
	return err_set(err, EPROTO, "unexpected message %d from the container's process",
		       (int)type);
}

static int launch_child(struct execution *x, struct err *err)
{
	int rc = fork_child(x, err);

	if (rc < 0)
		return rc;
	if (x->child.in_userns && (rc = join_cgroups(x, x->child.pid, err)) < 0)
		return rc;
	if ((rc = ns_process_oom_score(x->rt->proc_fd, x->child.pid, &x->process, err)) < 0 ||
	    (rc = child_go(&x->child, x->cgroup, err)) < 0 ||
	    (rc = child_serve(&x->child, x->container, x->cgroup, "running", no_request, NULL,
			      err)) < 0 ||
	    (rc = child_announce(&x->child, x->options->pid_file, x->options->pidfd_socket, err)) <
		    0 ||
	    (rc = child_go(&x->child, x->cgroup, err)) < 0)
		return rc;
	return sync_wait_exec(x->child.sync[0], err);
}

static int start(struct execution *x, struct err *err)
{
	int rc;

	/* The child freezes as soon as it is in; resume must be able to take the lock. */
	if (x->container->status == CONTAINER_PAUSED)
		state_unlock(x->container);
	if (needs_no_child(x)) {
		rc = vm_exec_start(x->container, &x->request, &x->vm_sock, err);
	} else {
		rc = launch_child(x, err);
		if (rc < 0)
			child_kill(&x->child);
	}
	return rc;
}

static int wait_for_end(struct execution *x, struct supervisor *sup, int *ret_status,
			struct err *err)
{
	if (x->vm_sock >= 0)
		return vm_exec_wait(x->vm_sock, sup->signal_fd, ret_status, err);
	return supervise(sup, x->child.pid, x->child.pidfd, fd_take(&x->child.console_master),
			 ret_status, err);
}

int container_exec(struct runtime *rt, const char *id, const struct exec_options *o,
		   int *ret_status, struct err *err)
{
	struct execution x = {.rt = rt, .options = o, .child = CHILD_INIT, .vm_sock = -1};
	struct supervisor sup = SUPERVISOR_INIT;
	int status = 0;
	int rc = prepare(&x, id, err);

	if (rc == 0 && !o->detach)
		rc = supervise_signals(&sup, err);
	if (rc == 0)
		rc = start(&x, err);
	if (x.container)
		state_unlock(x.container);
	if (rc == 0 && !o->detach)
		rc = wait_for_end(&x, &sup, &status, err);
	fd_close(x.vm_sock);
	supervise_end(&sup);
	child_release(&x.child);
	buf_release(&x.request);
	arena_release(&x.process_arena);
	json_free(x.process_doc);
	buf_release(&x.process_text);
	spec_free(x.spec);
	container_close(x.container);
	if (rc == 0)
		*ret_status = status;
	if (rc == 0 && o->ret_pid)
		*o->ret_pid = x.child.pid;
	return rc;
}
