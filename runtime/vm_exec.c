/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_exec.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/child.h"
#include "runtime/launch.h"
#include "runtime/supervise.h"
#include "runtime/sync.h"
#include "runtime/vm_control.h"
#include "runtime/vm_home.h"
#include "runtime/vm_stand_in.h"

int vm_exec_check(const struct exec_options *o, struct err *err)
{
	if (o->preserve_fds > 0)
		return err_set(err, ENOTSUP,
			       "--preserve-fds: a virtual machine cannot be given descriptors");
	if (o->cgroups && o->cgroups[0])
		return err_set(err, ENOTSUP,
			       "--cgroup: not supported for a container in a virtual machine");
	return 0;
}

/* ---- the process as JSON ---- */

/* more: one behind the list, or NULL */
static void write_strings(struct json_writer *w, const char *key, const char *const *list,
			  const char *more)
{
	json_w_array(w, key);
	for (size_t i = 0; list && list[i]; i++)
		json_w_string(w, NULL, list[i]);
	if (more)
		json_w_string(w, NULL, more);
	json_w_end(w);
}

static void write_user(struct json_writer *w, const struct ns_process *p)
{
	json_w_object(w, "user");
	json_w_u64(w, "uid", p->uid);
	json_w_u64(w, "gid", p->gid);
	json_w_u64(w, "umask", p->umask);
	json_w_array(w, "additionalGids");
	for (size_t i = 0; i < p->n_groups; i++)
		json_w_u64(w, NULL, p->groups[i]);
	json_w_end(w);
	json_w_end(w);
}

static void write_caps(struct json_writer *w, const struct ns_caps *caps)
{
	const struct {
		const char *key;
		uint64_t set;
	} sets[] = {
		{"bounding", caps->bounding},   {"permitted", caps->permitted},
		{"effective", caps->effective}, {"inheritable", caps->inheritable},
		{"ambient", caps->ambient},
	};

	json_w_object(w, "capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		json_w_array(w, sets[i].key);
		for (int cap = 0; cap < 64 && ns_cap_name(cap); cap++) {
			if (sets[i].set & 1ULL << cap)
				json_w_string(w, NULL, ns_cap_name(cap));
		}
		json_w_end(w);
	}
	json_w_end(w);
}

/* Properties that no option of exec changes. */
static void copy_rest(struct json_writer *w, const struct json_node *from)
{
	static const char *const keys[] = {"rlimits", "oomScoreAdj", "scheduler", "ioPriority",
					   "execCPUAffinity"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct json_node *n = json_get(from, keys[i]);

		if (n)
			json_w_node(w, keys[i], n);
	}
}

void vm_exec_describe(const struct spec *spec, const struct ns_process *p,
		      const struct json_node *from, struct buf *ret)
{
	struct json_writer *w = json_w_new(false);
	FREE char *home = vm_home(spec, p);

	json_w_object(w, NULL);
	write_strings(w, "args", p->args, NULL);
	write_strings(w, "env", p->env, home);
	json_w_string(w, "cwd", p->cwd);
	json_w_bool(w, "terminal", p->terminal);
	json_w_bool(w, "noNewPrivileges", p->no_new_privs);
	if (p->has_console_size) {
		json_w_object(w, "consoleSize");
		json_w_u64(w, "width", p->console_width);
		json_w_u64(w, "height", p->console_height);
		json_w_end(w);
	}
	if (p->apparmor_profile)
		json_w_string(w, "apparmorProfile", p->apparmor_profile);
	if (p->selinux_label)
		json_w_string(w, "selinuxLabel", p->selinux_label);
	write_user(w, p);
	if (p->has_caps)
		write_caps(w, &p->caps);
	copy_rest(w, from);
	json_w_end(w);
	json_w_finish(w, ret);
}

/* terminal: its slave, -1: the standard streams are given. */
static int request(int sock, int terminal, const struct container *c, const struct buf *process,
		   struct err *err)
{
	CLOSE_FD int file = vm_control_file("process", process->data, process->len, err);
	struct vm_control_request r = vm_control_about(c, VM_CONTROL_EXEC);
	int fds[VM_CONTROL_FDS] = {file, 0, 1, 2};
	uint32_t none;
	int rc;

	if (file < 0)
		return file;
	r.number = stand_in_size(terminal);
	r.flag = terminal >= 0;
	rc = vm_control_send(sock, &r, fds, r.flag ? 2 : 4, err);
	return rc < 0 ? rc : vm_control_receive(sock, &none, err);
}

/* ---- in the foreground ---- */

int vm_exec_start(const struct container *c, const struct buf *process, int *ret_sock,
		  struct err *err)
{
	CLOSE_FD int sock = vm_control_connect(c, err);
	int rc = sock < 0 ? sock : request(sock, -1, c, process, err);

	if (rc == 0)
		*ret_sock = fd_take(&sock);
	return rc;
}

static void pass_signals(int sock, int signal_fd)
{
	struct signalfd_siginfo si;

	while (read(signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (supervise_passes(si.ssi_signo))
			stand_in_signal(sock, VM_CONTROL_EXEC_SIGNAL, si.ssi_signo);
	}
}

int vm_exec_wait(int sock, int signal_fd, int *ret_status, struct err *err)
{
	struct pollfd p[] = {
		{.fd = sock, .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};

	while (!p[0].revents) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (p[1].revents)
			pass_signals(sock, signal_fd);
	}
	*ret_status = supervise_status(stand_in_status(sock));
	return 0;
}

/* ---- what stands for it ---- */

static int prepare(const struct container *c, const struct child *ch, int proc_fd,
		   struct stand_in *s, struct err *err)
{
	int keep[] = {ch->sync[1], -1, -1}, rc;

	keep[1] = s->sock = vm_control_connect(c, err);
	if (s->sock < 0)
		return s->sock;
	rc = launch_close_descriptors(0, keep, proc_fd, err);
	return rc < 0 ? rc : stand_in_watch(s, ch->process->terminal, err);
}

int vm_exec_main(const struct container *c, const struct child *ch, const struct buf *process,
		 int proc_fd, struct err *err)
{
	struct stand_in s = STAND_IN_INIT;
	int rc;

	if ((rc = prepare(c, ch, proc_fd, &s, err)) < 0 ||
	    (rc = request(s.sock, s.terminal_fd, c, process, err)) < 0)
		return rc;
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(err, "clear the parent death signal");
	if ((rc = stand_in_leave_streams(err)) < 0 ||
	    (rc = sync_tell(ch->sync[1], SYNC_READY, err)) < 0 ||
	    (rc = sync_expect(ch->sync[1], SYNC_GO, NULL, err)) < 0)
		return rc;
	fd_close(ch->sync[1]);
	stand_in_until_end(&s);
}
