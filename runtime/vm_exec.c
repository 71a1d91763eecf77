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

/* terminal: its slave, -1: the standard streams are given. */
static int ask(int sock, int terminal, const struct container *c, const struct buf *request,
	       struct err *err)
{
	CLOSE_FD int file = vm_control_file("exec", request->data, request->len, err);
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

int vm_exec_start(const struct container *c, const struct buf *request, int *ret_sock,
		  struct err *err)
{
	CLOSE_FD int sock = vm_control_connect(c, err);
	int rc = sock < 0 ? sock : ask(sock, -1, c, request, err);

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

int vm_exec_main(const struct container *c, const struct child *ch, const struct buf *request,
		 int proc_fd, struct err *err)
{
	struct stand_in s = STAND_IN_INIT;
	int rc;

	if ((rc = prepare(c, ch, proc_fd, &s, err)) < 0 ||
	    (rc = ask(s.sock, s.terminal_fd, c, request, err)) < 0)
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
