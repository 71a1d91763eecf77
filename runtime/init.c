/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container's first process, from clone to execve, in the order that anchors of the field have
 * found to work: namespaces, mounts, hooks, pivot, sealing, identity, credentials. It runs hull's
 * own code only and is not dumpable, so nothing in the container can look into it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "runtime/console.h"
#include "runtime/hooks.h"
#include "runtime/setup.h"
#include "runtime/sync.h"

static int enter_namespaces(struct setup *s, struct err *err)
{
	const struct spec *spec = s->spec;
	bool userns = spec->spaces.kind[NS_USER].listed;
	int rc;

	/* Still with the host's uid 0, to whom the files of an undumpable process belong. */
	rc = ns_enter_time(&spec->spaces, s->rt->proc_fd, err);
	/* A user namespace first needs its maps, which the parent writes before GO. */
	if (rc == 0 && userns) {
		rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err);
		if (rc == 0)
			rc = ns_become_root(err);
	}
	if (rc == 0)
		rc = ns_enter(&spec->spaces, s->space_fds, err);
	if (rc == 0 && spec->spaces.kind[NS_NETWORK].listed && !spec->spaces.kind[NS_NETWORK].path)
		rc = ns_loopback_up(err);
	if (rc == 0 && !userns)
		rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err);
	/*
	 * A thread that moves itself in a v1 hierarchy spares the wait for all others (an RCU grace
	 * period for each hierarchy); in a user namespace it has no right to.
	 */
	if (rc == 0 && !userns)
		rc = cgroup_join(s->cgroup, 0, s->born_in_v2, err);
	if (rc == 0 && (spec->n_net_devices > 0 || s->options->furnish_network)) {
		rc = sync_tell(s->child.sync[1], SYNC_NET_DEVICES, err);
		if (rc == 0)
			rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err);
	}
	return rc < 0 ? rc : ns_enter_cgroup(&spec->spaces, s->space_fds, err);
}

static int join_keyring(struct setup *s, struct err *err)
{
	const struct spec *spec = s->spec;
	FREE char *name = mem_xprintf("_ses.%s", s->container->id);

	if (s->options->no_new_keyring)
		return 0;
	return ns_keyring_join(s->rt->proc_fd, name, true,
			       spec->has_process ? spec->process.selinux_label : NULL, err);
}

/* The caller's pid as the host sees it: /proc/self in the host's procfs. */
static pid_t host_pid(int proc_fd)
{
	char text[16] = "";
	uint32_t pid = 0;

	if (readlinkat(proc_fd, "self", text, sizeof(text) - 1) < 0 || parse_u32(text, &pid) < 0)
		return 0;
	return (pid_t)pid;
}

int init_run_hooks(struct setup *s, struct err *err)
{
	const struct spec_hooks *hooks = &s->spec->hooks;
	int rc = 0;

	if (hooks->n[HOOK_PRESTART] + hooks->n[HOOK_CREATE_RUNTIME] > 0) {
		rc = sync_tell(s->child.sync[1], SYNC_HOOKS, err);
		if (rc == 0)
			rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err);
	}
	if (rc == 0 && hooks->n[HOOK_CREATE_CONTAINER] > 0) {
		s->container->pid = host_pid(s->rt->proc_fd);
		rc = hooks_run(hooks, HOOK_CREATE_CONTAINER, s->container, "creating", err);
	}
	return rc;
}

static int set_names(const struct spec *spec, struct err *err)
{
	if (spec->hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
		return err_sys(err, "set hostname '%s'", spec->hostname);
	if (spec->domainname && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
		return err_sys(err, "set domainname '%s'", spec->domainname);
	return 0;
}

static int set_terminal(struct setup *s, struct err *err)
{
	const struct ns_process *p = &s->spec->process;
	CLOSE_FD int master = -1;
	CLOSE_FD int slave = -1;
	int rc = console_open(p, &master, &slave, err);

	if (rc < 0)
		return rc;
	rc = ns_rootfs_console(s->rootfs, slave, err);
	if (rc < 0)
		return rc;
	if (s->child.console_fd >= 0)
		rc = console_send(s->child.console_fd, master, err);
	else
		rc = sync_send_fd(s->child.sync[1], SYNC_TTY, master, err);
	return rc < 0 ? rc : console_attach(p, slave, err);
}

static int build_root(struct setup *s, struct err *err)
{
	const struct spec *spec = s->spec;
	int rc;

	if ((rc = ns_rootfs_mount(s->rootfs, err)) < 0 || (rc = init_run_hooks(s, err)) < 0 ||
	    (rc = ns_rootfs_pivot(s->rootfs, err)) < 0)
		return rc;
	if (spec->has_process && spec->process.terminal && (rc = set_terminal(s, err)) < 0)
		return rc;
	if (spec->has_process && (rc = ns_process_make_cwd(&spec->process, err)) < 0)
		return rc;
	if ((rc = ns_sysctl_write(s->rt->proc_fd, spec->sysctls, spec->n_sysctls, err)) < 0 ||
	    (rc = ns_rootfs_seal(s->rootfs, err)) < 0)
		return rc;
	return set_names(spec, err);
}

/* exec.fifo: one byte from start; afterwards an error, if there is one, goes back the same way. */
static int wait_for_start(struct setup *s, struct err *err)
{
	char byte;
	ssize_t n = io_read(s->fifo_fd, &byte, 1);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(err, "wait for start");
	}
	return 0;
}

static int start_hooks(struct setup *s, struct err *err)
{
	s->container->pid = getpid();
	return hooks_run(&s->spec->hooks, HOOK_START_CONTAINER, s->container, "created", err);
}

/* Without a process there is nothing to execute, but create is legal: start will say so. */
static int wait_without_process(struct setup *s, struct err *err)
{
	const int keep[] = {s->child.sync[1], s->fifo_fd, -1};
	int rc = launch_close_descriptors(s->child.preserve_fds, keep, s->rt->proc_fd, err);

	if (rc < 0)
		return rc;
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(err, "clear the parent death signal");
	if ((rc = sync_tell(s->child.sync[1], SYNC_READY, err)) < 0 ||
	    (rc = sync_expect(s->child.sync[1], SYNC_GO, NULL, err)) < 0)
		return rc;
	fd_replace(&s->child.sync[1], -1);
	rc = wait_for_start(s, err);
	return rc < 0 ? rc : err_set(err, EINVAL, "config.json has no process");
}

static int set_up(struct setup *s, struct launch *l, struct err *err)
{
	int rc;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "set the parent death signal");
	if (setsid() < 0)
		return err_sys(err, "setsid");
	umask(0);
	if ((rc = enter_namespaces(s, err)) < 0 || (rc = join_keyring(s, err)) < 0 ||
	    (rc = build_root(s, err)) < 0)
		return rc;
	if (!s->spec->has_process)
		return wait_without_process(s, err);
	console_own_stdio(&s->spec->process);
	if ((rc = launch_prepare(l, err)) < 0)
		return rc;
	if (s->fifo_fd >= 0) {
		fd_replace(&s->child.sync[1], -1);
		if ((rc = wait_for_start(s, err)) < 0)
			return rc;
	}
	return start_hooks(s, err);
}

void init_main(struct setup *s)
{
	struct err e = ERR_INIT;
	struct launch l;

	child_become(&s->child, s->rt->proc_fd, &l);
	l.fifo_fd = s->fifo_fd;
	l.ready_early = s->fifo_fd < 0 && !s->child.notify;
	if (set_up(s, &l, &e) == 0)
		(void)!launch_exec(&l, &e);
	/* Who hears it: the parent while it is there, else whoever called start. */
	if (s->child.sync[1] >= 0)
		sync_send_error(s->child.sync[1], &e);
	else
		(void)!io_write(s->fifo_fd, &e, sizeof(e));
	_exit(1);
}
