/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "runtime/child.h"
#include "runtime/end.h"
#include "runtime/launch.h"
#include "runtime/sync.h"
#include "runtime/vm_control.h"

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

static void write_strings(struct json_writer *w, const char *key, const char *const *list)
{
	json_w_array(w, key);
	for (size_t i = 0; list && list[i]; i++)
		json_w_string(w, NULL, list[i]);
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

void vm_exec_describe(const struct ns_process *p, const struct json_node *from, struct buf *ret)
{
	struct json_writer *w = json_w_new(false);

	json_w_object(w, NULL);
	write_strings(w, "args", p->args);
	write_strings(w, "env", p->env);
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

/* ---- what stands for it ---- */

struct stand_in {
	int sock, signal_fd, terminal_fd;
};

static uint32_t terminal_size(int fd)
{
	struct winsize ws;

	if (fd < 0 || ioctl(fd, TIOCGWINSZ, &ws) < 0)
		return 0;
	return (uint32_t)ws.ws_row << 16 | ws.ws_col;
}

static int request(const struct stand_in *s, const struct buf *process, struct err *err)
{
	CLOSE_FD int file = vm_control_file("process", process->data, process->len, err);
	int fds[VM_CONTROL_FDS] = {file, 0, 1, 2};
	bool terminal = s->terminal_fd >= 0;
	uint32_t none;
	int rc;

	if (file < 0)
		return file;
	rc = vm_control_send(s->sock, VM_CONTROL_EXEC, terminal_size(s->terminal_fd), terminal, fds,
			     terminal ? 2 : 4, err);
	return rc < 0 ? rc : vm_control_receive(s->sock, &none, err);
}

/* The streams are hull-vmm's now: an end of file must not wait for this process. */
static int leave_streams(struct err *err)
{
	CLOSE_FD int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (null < 0)
		return err_sys(err, "open '/dev/null'");
	for (int i = 0; i < 3; i++) {
		if (dup3(null, i, 0) < 0)
			return err_sys(err, "set descriptor %d to '/dev/null'", i);
	}
	return 0;
}

static void pass_signal(const struct stand_in *s)
{
	struct signalfd_siginfo si;

	if (read(s->signal_fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH && si.ssi_code > 0 && s->terminal_fd >= 0)
		(void)!vm_control_send(s->sock, VM_CONTROL_RESIZE, terminal_size(s->terminal_fd),
				       false, NULL, 0, NULL);
	else
		(void)!vm_control_send(s->sock, VM_CONTROL_EXEC_SIGNAL, si.ssi_signo, false, NULL,
				       0, NULL);
}

static void stand(const struct stand_in *s) __attribute__((noreturn));

static void stand(const struct stand_in *s)
{
	struct pollfd p[] = {
		{.fd = s->sock, .events = POLLIN},
		{.fd = s->signal_fd, .events = POLLIN},
	};

	for (;;) {
		uint32_t status = SIGKILL; /* of all that is in a machine that ends */

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			_exit(255);
		if (p[1].revents)
			pass_signal(s);
		if (p[0].revents) {
			(void)!vm_control_receive(s->sock, &status, NULL);
			end_as((int)status);
		}
	}
}

static int prepare(const struct container *c, const struct child *ch, int proc_fd,
		   struct stand_in *s, struct err *err)
{
	sigset_t all;
	int rc;

	s->sock = vm_control_connect(c, err);
	if (s->sock < 0)
		return s->sock;
	rc = launch_close_descriptors(0, ch->sync[1], s->sock, proc_fd, err);
	if (rc < 0)
		return rc;
	sys_sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return err_sys(err, "block signals");
	s->signal_fd = signalfd(-1, &all, SFD_CLOEXEC);
	if (s->signal_fd < 0)
		return err_sys(err, "signalfd");
	if (ch->process->terminal) {
		s->terminal_fd = fd_dup(0, err);
		return s->terminal_fd < 0 ? s->terminal_fd : 0;
	}
	return 0;
}

int vm_exec_main(const struct container *c, const struct child *ch, const struct buf *process,
		 int proc_fd, struct err *err)
{
	struct stand_in s = {.sock = -1, .signal_fd = -1, .terminal_fd = -1};
	int rc;

	if ((rc = prepare(c, ch, proc_fd, &s, err)) < 0 || (rc = request(&s, process, err)) < 0)
		return rc;
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(err, "clear the parent death signal");
	if ((rc = leave_streams(err)) < 0 || (rc = sync_tell(ch->sync[1], SYNC_READY, err)) < 0 ||
	    (rc = sync_expect(ch->sync[1], SYNC_GO, NULL, err)) < 0)
		return rc;
	fd_close(ch->sync[1]);
	stand(&s);
}
