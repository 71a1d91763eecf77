/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a container, the parent's side. Everything that can be found wrong is found before the
 * first side effect (load); then a short list of steps runs, each with its undo (setup_undo, in
 * reverse).
 *
 * The child works on its namespaces while the parent makes the cgroups. On a pure cgroup2 host the
 * group is made first instead, because CLONE_INTO_CGROUP spares the move.
 */
#include <errno.h>
#include <fcntl.h>
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
#include "base/path.h"
#include "base/proc.h"
#include "base/utc.h"
#include "runtime/driver_vm.h"
#include "runtime/hooks.h"
#include "runtime/isolation.h"
#include "runtime/rdt.h"
#include "runtime/sdnotify.h"
#include "runtime/setup.h"
#include "runtime/state.h"
#include "runtime/sync.h"
#include "runtime/vm_config.h"
#include "runtime/vm_member.h"
#include "runtime/vm_net.h"

/* ---- everything that has no side effect ---- */

/* Without waiting for a writer, should it be a fifo. */
static int read_config(int dir, const char *file, struct buf *text, struct err *err)
{
	struct stat st;
	CLOSE_FD int fd = openat(dir, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open '%s'", file);
	if (S_ISDIR(st.st_mode))
		return err_code(err, EISDIR, "open '%s'", file);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is not a regular file", file);
	return io_read_all(fd, file, JSON_MAX_BYTES, text, err);
}

static int load_spec(struct setup *s, struct buf *text, struct err *err)
{
	const char *bundle = s->options->bundle ? s->options->bundle : ".";
	const char *file = s->options->config ? s->options->config : "config.json";
	FREE char *real = realpath(bundle, NULL);

	if (!real)
		return err_sys(err, "bundle '%s'", bundle);

	CLOSE_FD int dir = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(err, "bundle '%s'", bundle);

	int rc = read_config(dir, file, text, err);

	if (rc < 0)
		return err_wrap(err, rc, "bundle '%s'", bundle);
	return spec_parse(real, file, buf_str(text), text->len, &s->spec, err);
}

static char *cgroup_path_of(const struct spec *spec, const char *id)
{
	if (!spec->cgroups_path)
		return mem_xprintf("/%s", id);
	return path_join("/", spec->cgroups_path);
}

static int refuse_restore(struct err *err)
{
	return err_set(err, EOPNOTSUPP,
		       "restore is not supported yet for containers made of namespaces, only for "
		       "those in virtual machines");
}

/* Namespaces, a machine of its own, or that of its sandbox. */
static int choose(struct setup *s, const char *id, struct err *err)
{
	bool vm;
	int rc = isolation_choose(s->spec, s->rt->prefers_vm, &vm, err), joins;

	if (rc < 0 || (joins = vm_member_find(s, id, vm, err)) < 0)
		return rc < 0 ? rc : joins;
	if (joins)
		return 0;
	if (!vm && s->options->image_path)
		return refuse_restore(err);
	return vm ? vm_setup_load(s, err) : 0;
}

/* With the namespaces open that are joined. */
static int check_namespaces(struct setup *s, struct err *err)
{
	if (s->member)
		return vm_member_load(s, err);
	return s->vm ? vm_net_check(s->space_fds[NS_NETWORK], s->rt->proc_fd, err) : 0;
}

static int load(struct setup *s, const char *id, bool foreground, struct buf *text, struct err *err)
{
	const struct create_options *o = s->options;
	int rc;

	if ((rc = container_check_id(id, err)) < 0 || (rc = load_spec(s, text, err)) < 0 ||
	    (rc = choose(s, id, err)) < 0)
		return rc;
	s->spec->rootfs.no_pivot = o->no_pivot;
	s->child.process = s->spec->has_process ? &s->spec->process : NULL;
	if (o->passwd && !spec_mounts_over(s->spec, "/etc/passwd"))
		s->spec->process.passwd = o->passwd;
	/* In a virtual machine these are made inside. */
	s->child.seccomp = setup_in_vm(s) ? NULL : s->spec->seccomp;
	s->child.in_userns = !setup_in_vm(s) && s->spec->spaces.kind[NS_USER].listed;
	if ((rc = child_check(&s->child, foreground, o->console_socket, o->preserve_fds, err)) < 0)
		return rc;
	rc = ns_spaces_open(&s->spec->spaces, s->space_fds, err);
	return rc < 0 ? rc : check_namespaces(s, err);
}

/* ---- the steps ---- */

static struct spec_annotation *copy_annotations(const struct spec *spec)
{
	struct spec_annotation *list = mem_xcalloc(spec->n_annotations, sizeof(*list));

	for (size_t i = 0; i < spec->n_annotations; i++) {
		list[i].key = mem_xstrdup(spec->annotations[i].key);
		list[i].value = mem_xstrdup(spec->annotations[i].value);
	}
	return list;
}

static int make_state(struct setup *s, const char *id, const struct buf *text, bool fifo,
		      struct err *err)
{
	const struct spec *spec = s->spec;
	int rc = state_create(s->rt, id, &s->container, err);
	char now[UTC_LEN];
	struct timespec t;

	if (rc < 0)
		return rc;

	struct container *c = s->container;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	utc_format(&t, UTC_NANOSECONDS, now);

	c->bundle = mem_xstrdup(spec->bundle);
	c->rootfs = mem_xstrdup(spec->rootfs.path);
	c->created = mem_xstrdup(now);
	c->owner = geteuid() == 0 ? mem_xstrdup("root") : mem_xprintf("%u", geteuid());
	c->cgroup_manager = s->rt->cgroup_manager;
	c->cgroup_path = cgroup_path_of(spec, id);
	c->is_vm = setup_in_vm(s);
	if (s->member)
		c->sandbox = mem_xstrdup(s->member->sandbox->id);
	if (s->vm && s->vm->image.guest_id)
		c->guest_id = mem_xstrdup(s->vm->image.guest_id);
	c->own_pid_ns = !setup_in_vm(s) && spec->spaces.kind[NS_PID].listed &&
			!spec->spaces.kind[NS_PID].path;
	c->has_process = spec->has_process;
	c->annotations = copy_annotations(spec);
	c->n_annotations = spec->n_annotations;

	CLOSE_FD int fd =
		openat(c->dir_fd, STATE_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, "create '%s' in the state directory", STATE_CONFIG);
	rc = io_write(fd, buf_str(text), text->len);
	if (rc < 0)
		return err_code(err, -rc, "write '%s' in the state directory", STATE_CONFIG);
	if (!fifo)
		return 0;
	if (mkfifoat(c->dir_fd, STATE_FIFO, 0600) < 0)
		return err_sys(err, "make '%s' in the state directory", STATE_FIFO);
	s->fifo_fd = openat(c->dir_fd, STATE_FIFO, O_RDWR | O_CLOEXEC);
	if (s->fifo_fd < 0)
		return err_sys(err, "open '%s' in the state directory", STATE_FIFO);
	return 0;
}

/* The hierarchies as the rootfs module wants them; lives as long as the spec. */
static int fill_cgroup_view(struct setup *s, struct err *err)
{
	const struct cgroup_mount_info *info;
	struct ns_cgroup_view *view;
	bool wanted = false, unified;
	size_t n;

	for (size_t i = 0; i < s->spec->rootfs.n_mounts; i++) {
		const char *type = s->spec->rootfs.mounts[i].type;

		wanted |= type && strcmp(type, "cgroup") == 0;
	}
	if (!wanted)
		return 0;

	int rc = cgroup_mounts(s->cgroup, &info, &n, &unified, err);

	if (rc < 0)
		return rc;
	view = arena_alloc(&s->spec->arena, 1, sizeof(*view));
	view->unified = unified;
	view->readonly = s->rt->cgroup_manager == CGROUP_MANAGER_DISABLED;
	view->n_dirs = n;
	view->dirs = arena_alloc(&s->spec->arena, n, sizeof(*view->dirs));
	for (size_t i = 0; i < n; i++)
		view->dirs[i] = (struct ns_cgroup_dir){info[i].name, info[i].source,
						       info[i].options, info[i].links};
	s->spec->rootfs.cgroups = view;
	return 0;
}

/* False when the container has no number on the host for id, or its maps are not ours. */
static bool host_id(const struct ns_space *user, const struct idmap *maps, size_t n, uint32_t id,
		    uint32_t *ret)
{
	if (ns_idmap_host(maps, n, id, ret))
		return true;
	*ret = id;
	return !user->listed;
}

static bool mounts_cgroup_writable(const struct ns_rootfs *rootfs)
{
	for (size_t i = 0; i < rootfs->n_mounts; i++) {
		const struct ns_mount *m = &rootfs->mounts[i];
		FREE char *dest = path_clean(m->destination);

		if (m->type && strcmp(m->type, "cgroup") == 0 &&
		    strcmp(dest, "/sys/fs/cgroup") == 0)
			return !(m->flags & MS_RDONLY);
	}
	return false;
}

/*
 * A container that has a cgroup namespace of its own and its group mounted writable is to manage
 * that group: it goes to whom process.user names (config-linux.md#cgroup-ownership). Never on v1.
 */
static int delegate_cgroup(struct setup *s, struct err *err)
{
	const struct spec *spec = s->spec;
	const struct ns_space *own = &spec->spaces.kind[NS_CGROUP];
	const struct ns_space *user = &spec->spaces.kind[NS_USER];
	const struct idmaps *maps = &spec->spaces.idmaps;
	uint32_t uid, gid;

	if (!cgroup_is_unified(s->cgroup) || !own->listed || own->path ||
	    !mounts_cgroup_writable(&spec->rootfs))
		return 0;
	if (!host_id(user, maps->uids, maps->n_uids, spec->process.uid, &uid) ||
	    !host_id(user, maps->gids, maps->n_gids, spec->process.gid, &gid))
		return 0;
	return cgroup_delegate(s->cgroup, uid, gid, err);
}

/* A machine's limit of CPU time begins when it has booted: see limit_machine. */
static int make_machine_cgroup(struct setup *s, struct err *err)
{
	struct cgroup_limits l = vm_config_on_host(&s->spec->limits, s->vm->machine.memory);

	l.cpu_quota.set = l.cpu_period.set = l.cpu_burst.set = false;
	return cgroup_create(s->cgroup, &l, err);
}

static int make_cgroup(struct setup *s, struct err *err)
{
	const struct cgroup_limits none = {0};
	int rc = s->vm ? make_machine_cgroup(s, err)
		       : cgroup_create(s->cgroup, s->member ? &none : &s->spec->limits, err);

	s->made_cgroup = rc == 0;
	return rc == 0 && !setup_in_vm(s) ? delegate_cgroup(s, err) : rc;
}

/*
 * A container may have so little of the processors that its guest would boot for minutes. Its start is
 * the runtime's work and not the container's.
 */
static int limit_machine(struct setup *s, struct err *err)
{
	const struct cgroup_limits *l = &s->spec->limits;
	const struct cgroup_limits cpu = {
		.cpu_quota = l->cpu_quota,
		.cpu_period = l->cpu_period,
		.cpu_burst = l->cpu_burst,
	};

	if (!s->vm || (!l->cpu_quota.set && !l->cpu_period.set && !l->cpu_burst.set))
		return 0;
	return cgroup_update(s->cgroup, &cpu, err);
}

static pid_t clone_child(struct setup *s, int v2, struct err *err)
{
	return ns_clone(&s->spec->spaces, s->space_fds, v2, &s->child.pidfd, &s->born_in_v2, err);
}

/* hull-vmm: all but the pid namespace it enters or makes itself. */
static pid_t clone_vm(struct setup *s, int v2, struct err *err)
{
	static const struct ns_spaces no_spaces;
	CLOSE_FD int pid_ns = -1;
	int fds[NS_KIND_MAX];
	int rc = vm_pidns_new(s, v2, &pid_ns, err);

	if (rc < 0)
		return rc;
	memset(fds, -1, sizeof(fds));
	fds[NS_PID] = pid_ns;
	return ns_clone(&no_spaces, fds, v2, &s->child.pidfd, &s->born_in_v2, err);
}

/* What stands in for a process of the sandbox's machine has nothing of its own. */
static pid_t clone_member(struct setup *s, int v2, struct err *err)
{
	static const struct ns_spaces no_spaces;
	int fds[NS_KIND_MAX];

	memset(fds, -1, sizeof(fds));
	return ns_clone(&no_spaces, fds, v2, &s->child.pidfd, &s->born_in_v2, err);
}

static int fork_child(struct setup *s, struct err *err)
{
	int v2, rc;

	if (cgroup_is_unified(s->cgroup) && (rc = make_cgroup(s, err)) < 0)
		return rc;
	/* On a hybrid host the cgroup2 group comes first and the others while the child runs. */
	v2 = s->made_cgroup ? cgroup_v2_fd(s->cgroup) : cgroup_birth_fd(s->cgroup);
	s->made_birth_group = !s->made_cgroup && v2 >= 0;
	if ((rc = sync_pair(s->child.sync, err)) < 0)
		return rc;
	/* Inherited by the child: nothing in the container may look into it (CVE-2016-9962). */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, "prctl PR_SET_DUMPABLE");

	pid_t pid = s->vm       ? clone_vm(s, v2, err)
		    : s->member ? clone_member(s, v2, err)
				: clone_child(s, v2, err);

	if (pid < 0)
		return pid;
	if (pid == 0 && s->vm)
		vm_init_main(s);
	if (pid == 0 && s->member)
		vm_member_main(s);
	if (pid == 0)
		init_main(s);
	s->child.pid = s->container->pid = pid;
	fd_replace(&s->child.sync[1], -1);
	rc = s->made_cgroup ? 0 : make_cgroup(s, err);
	return rc == 0 && s->vm ? vm_pidns_keep(s, err) : rc;
}

static int move_devices(struct setup *s, struct err *err)
{
	const struct spec *spec = s->spec;

	FREE char *path = mem_xprintf("%d/ns/net", (int)s->child.pid);
	CLOSE_FD int from = openat(s->rt->proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	CLOSE_FD int to = openat(s->rt->proc_fd, path, O_RDONLY | O_CLOEXEC);

	if (from < 0 || to < 0)
		return err_sys(err, "linux.netDevices: open network namespace");

	FREE struct ns_netdev *devices = mem_xcalloc(spec->n_net_devices, sizeof(*devices));

	for (size_t i = 0; i < spec->n_net_devices; i++)
		devices[i] = (struct ns_netdev){spec->net_devices[i].host_name,
						spec->net_devices[i].name};
	return ns_netdev_move(from, to, devices, spec->n_net_devices, NULL, NULL, err);
}

static int join_rdt(struct setup *s, struct err *err)
{
	const struct rdt_config rdt = rdt_config_of(s->container->id, s->spec->rdt);
	int rc = rdt_apply(&rdt, s->child.pid, err);

	s->joined_rdt = rc == 0;
	return rc;
}

/* What only the parent has the rights to do for the child, before the child goes on. */
static int prepare_child(struct setup *s, struct err *err)
{
	const struct spec *spec = s->spec;
	const struct ns_space *user = &spec->spaces.kind[NS_USER];
	struct proc_stat st;
	int rc;

	/* Without a user namespace the child moves itself, which is cheaper: see init.c. */
	if (s->child.in_userns && (rc = cgroup_join(s->cgroup, s->child.pid, s->born_in_v2, err)) < 0)
		return rc;
	if (s->child.in_userns && !user->path &&
	    (rc = ns_write_idmaps(s->rt->proc_fd, s->child.pid, &spec->spaces.idmaps, err)) < 0)
		return rc;
	if (user->path &&
	    (rc = ns_check_idmaps(s->rt->proc_fd, s->child.pid, &spec->spaces.idmaps, err)) < 0)
		return rc;
	if (spec->has_process &&
	    (rc = ns_process_oom_score(s->rt->proc_fd, s->child.pid, &spec->process, err)) < 0)
		return rc;
	if (spec->rdt && (rc = join_rdt(s, err)) < 0)
		return rc;
	if ((rc = proc_stat_read(s->rt->proc_fd, s->child.pid, &st, err)) < 0)
		return rc;
	s->container->start_time = st.start_time;
	return child_go(&s->child, s->cgroup, err);
}

static int serve_hooks(struct setup *s, struct err *err)
{
	int rc;

	s->ran_hooks = true;
	/* A hook may ask for the container's state, which is "creating" now. */
	if ((rc = state_save_creating(s->container, err)) < 0 ||
	    (rc = hooks_run(&s->spec->hooks, HOOK_PRESTART, s->container, "creating", err)) < 0)
		return rc;
	return hooks_run(&s->spec->hooks, HOOK_CREATE_RUNTIME, s->container, "creating", err);
}

/* The network comes from the configuration or from who asks for the container. */
static int serve_network(struct setup *s, struct err *err)
{
	const struct create_options *o = s->options;
	int rc = s->spec->n_net_devices > 0 ? move_devices(s, err) : 0;

	return rc == 0 && o->furnish_network ? o->furnish_network(o->network_arg, s->child.pid, err)
					     : rc;
}

static int serve_request(void *arg, enum sync_type type, struct err *err)
{
	struct setup *s = arg;

	return type == SYNC_NET_DEVICES ? serve_network(s, err) : serve_hooks(s, err);
}

/* What the child needs beside its state directory. */
static int prepare_resources(struct setup *s, struct err *err)
{
	const struct ns_space *user = &s->spec->spaces.kind[NS_USER];
	int rc;

	if ((rc = container_cgroup(s->container, &s->cgroup, err)) < 0)
		return rc;
	if (s->vm)
		return vm_setup_prepare(s, err);
	if (s->member)
		return vm_member_prepare(s, err);
	if ((rc = child_build_filter(&s->child, s->rt, err)) < 0 ||
	    (rc = fill_cgroup_view(s, err)) < 0)
		return rc;
	if (user->listed && !user->path)
		s->spec->rootfs.userns_maps = &s->spec->spaces.idmaps;
	return ns_rootfs_prepare(&s->spec->rootfs, s->rt->proc_fd, &s->rootfs, err);
}

static int run_steps(struct setup *s, const char *id, bool fifo, const struct buf *text,
		     struct err *err)
{
	int rc;

	if (!fifo && !s->spec->has_process)
		return err_set(err, EINVAL,
			       "cannot run a container whose config.json has no process");
	if ((rc = make_state(s, id, text, fifo, err)) < 0 ||
	    (rc = sdnotify_prepare(s->container, s->spec, err)) < 0 ||
	    (rc = prepare_resources(s, err)) < 0 || (rc = fork_child(s, err)) < 0 ||
	    (rc = prepare_child(s, err)) < 0 ||
	    (rc = state_stage(s->container, err)) < 0 ||
	    (rc = child_serve(&s->child, s->container, s->cgroup, "creating", serve_request, s,
			      err)) < 0 ||
	    (rc = limit_machine(s, err)) < 0 || (rc = state_publish(s->container, err)) < 0)
		return rc;
	s->announced = true;
	return child_announce(&s->child, s->options->pid_file, s->options->pidfd_socket, err);
}

int setup_begin(struct runtime *rt, const char *id, const struct create_options *o, bool fifo,
		struct setup *ret, struct err *err)
{
	BUF text = BUF_INIT;
	struct setup s = {
		.rt = rt,
		.options = o,
		.child = CHILD_INIT,
		.fifo_fd = -1,
	};
	int rc;

	memset(s.space_fds, -1, sizeof(s.space_fds));
	rc = load(&s, id, !fifo && !o->detach, &text, err);
	if (rc == 0)
		rc = run_steps(&s, id, fifo, &text, err);
	if (rc < 0) {
		setup_undo(&s);
		setup_release(&s);
		return rc;
	}
	*ret = s;
	return 0;
}

void setup_undo(struct setup *s)
{
	struct err e = ERR_INIT;

	child_kill(&s->child);
	if (s->vm) {
		vm_pidns_undo(&s->vm->pidns);
		vm_net_release(s->spec);
	}
	if (s->member && s->container)
		vm_member_leave(s->rt, s->member->sandbox->id, s->container->id);
	if (s->joined_rdt) {
		const struct rdt_config rdt = rdt_config_of(s->container->id, s->spec->rdt);

		if (rdt_remove(&rdt, &e) < 0)
			log_warn("%s, going on", e.msg);
	}
	if (s->made_cgroup && cgroup_destroy(s->cgroup, &e) < 0)
		log_warn("%s, going on", e.msg);
	else if (s->made_birth_group && cgroup_undo(s->cgroup, &e) < 0)
		log_warn("%s, going on", e.msg);
	if (s->ran_hooks) {
		s->container->pid = 0;
		hooks_run_all(&s->spec->hooks, HOOK_POSTSTOP, s->container, "stopped");
	}
	if (s->container && state_remove(s->container, &e) < 0)
		log_warn("%s, going on", e.msg);
	if (s->announced)
		child_retract(s->options->pid_file);
}

void setup_release(struct setup *s)
{
	for (int k = 0; k < NS_KIND_MAX; k++)
		fd_replace(&s->space_fds[k], -1);
	ns_rootfs_free(s->rootfs);
	vm_setup_free(s->vm);
	vm_member_free(s->member);
	fd_replace(&s->fifo_fd, -1);
	child_release(&s->child);
	container_close(s->container);
	spec_free(s->spec);
}

int container_create(struct runtime *rt, const char *id, const struct create_options *o,
		     struct err *err)
{
	struct setup s;
	int rc = setup_begin(rt, id, o, true, &s, err);

	if (rc < 0)
		return rc;
	if (o->ret_pid)
		*o->ret_pid = s.child.pid;
	rc = child_go(&s.child, s.cgroup, err);
	if (rc < 0)
		setup_undo(&s);
	setup_release(&s);
	return rc;
}
