/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_stand_in.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "runtime/end.h"
#include "runtime/vm_control.h"

int stand_in_watch(struct stand_in *s, bool terminal, struct err *err)
{
	sigset_t all;

	sys_sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return err_sys(err, "block signals");
	s->signal_fd = signalfd(-1, &all, SFD_CLOEXEC);
	if (s->signal_fd < 0)
		return err_sys(err, "signalfd");
	if (!terminal)
		return 0;
	s->terminal_fd = fd_dup(0, err);
	return s->terminal_fd < 0 ? s->terminal_fd : 0;
}

uint32_t stand_in_size(int terminal_fd)
{
	struct winsize ws;

	if (terminal_fd < 0 || ioctl(terminal_fd, TIOCGWINSZ, &ws) < 0)
		return 0;
	return (uint32_t)ws.ws_row << 16 | ws.ws_col;
}

int stand_in_leave_streams(struct err *err)
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

void stand_in_signal(int sock, enum vm_control_op op, uint32_t number)
{
	const struct vm_control_request r = {.op = op, .number = number};

	(void)!vm_control_send(sock, &r, NULL, 0, NULL);
}

void stand_in_pass_signal(const struct stand_in *s)
{
	struct signalfd_siginfo si;

	if (read(s->signal_fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH && si.ssi_code > 0 && s->terminal_fd >= 0)
		stand_in_signal(s->sock, VM_CONTROL_RESIZE, stand_in_size(s->terminal_fd));
	else
		stand_in_signal(s->sock, VM_CONTROL_EXEC_SIGNAL, si.ssi_signo);
}

int stand_in_status(int sock)
{
	uint32_t status = SIGKILL; /* of all that is in a machine that ends */

	(void)!vm_control_receive(sock, &status, NULL);
	return (int)status;
}

void stand_in_end(const struct stand_in *s)
{
	end_as(stand_in_status(s->sock));
}

void stand_in_until_end(const struct stand_in *s)
{
	struct pollfd p[] = {
		{.fd = s->sock, .events = POLLIN},
		{.fd = s->signal_fd, .events = POLLIN},
	};

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			_exit(STAND_IN_FAILED);
		if (p[1].revents)
			stand_in_pass_signal(s);
		if (p[0].revents)
			stand_in_end(s);
	}
}
