/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a foreground run or exec does while its process lives: one poll loop over the signals
 * (man 2 signalfd), the process (man 2 pidfd_open) and, with a terminal, both directions of it. The
 * bytes go through two buffers that are emptied before they are filled again, so a slow side holds
 * up the other one and nothing is lost; at the end what the pty still holds is written out.
 */
#include "runtime/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sys.h"
#include "runtime/sdnotify.h"

#define PUMP_SIZE 16384u

int supervise_signals(struct supervisor *sup, struct err *err)
{
	sigset_t all;

	sys_sigfillset(&all);
	/* Faults of our own must end us. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	if (sigprocmask(SIG_SETMASK, &all, &sup->old_mask) < 0)
		return err_sys(err, "block signals");
	sup->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return sup->signal_fd < 0 ? err_sys(err, "signalfd") : 0;
}

static void copy_window_size(int master)
{
	struct winsize ws;

	if (ioctl(0, TIOCGWINSZ, &ws) == 0)
		(void)ioctl(master, TIOCSWINSZ, &ws);
}

static void make_raw(struct supervisor *sup)
{
	struct termios t;

	if (tcgetattr(0, &t) < 0)
		return;
	sup->old_termios = t;
	cfmakeraw(&t);
	sup->raw = tcsetattr(0, TCSANOW, &t) == 0;
}

/* Reaps everything but the process itself, which keeps its zombie until the loop has ended. */
static void reap_others(pid_t pid)
{
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
		    info.si_pid == pid)
			return;
		(void)waitpid(info.si_pid, NULL, WNOHANG);
	}
}

bool supervise_passes(uint32_t signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGURG:
	case SIGPIPE:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return false;
	default:
		return true;
	}
}

static void take_signals(const struct supervisor *sup, pid_t pid, int pidfd, int master)
{
	struct signalfd_siginfo si;

	while (read(sup->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap_others(pid);
		else if (si.ssi_signo == SIGWINCH && master >= 0)
			copy_window_size(master);
		else if (supervise_passes(si.ssi_signo))
			(void)pidfd_send_signal(pidfd, (int)si.ssi_signo, NULL, 0);
	}
}

struct pump {        /* one direction */
	int from, to; /* from -1: nothing more comes */
	size_t len, done;
	char *data;  /* PUMP_SIZE bytes */
};

static short pump_events(const struct pump *p, bool reading)
{
	if (reading)
		return p->from >= 0 && p->len == 0 ? POLLIN : 0;
	return p->len > 0 ? POLLOUT : 0;
}

static void pump_read(struct pump *p)
{
	ssize_t n = read(p->from, p->data, PUMP_SIZE);

	if (n > 0) {
		p->len = (size_t)n;
		p->done = 0;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		p->from = -1; /* EIO: the last slave of the pty is closed */
	}
}

static void pump_write(struct pump *p)
{
	ssize_t n = write(p->to, p->data + p->done, p->len - p->done);

	if (n > 0)
		p->done += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		p->done = p->len; /* nobody reads: drop */
	if (p->done == p->len)
		p->len = 0;
}

/* The process is gone; its last words may still be in the pty. */
static void drain(int master, struct pump *out)
{
	if (out->len > 0)
		(void)!io_write(out->to, out->data + out->done, out->len - out->done);
	(void)!fd_set_nonblock(master, 1, NULL);
	for (;;) {
		ssize_t n = read(master, out->data, PUMP_SIZE);

		if (n <= 0 || io_write(out->to, out->data, (size_t)n) < 0)
			return;
	}
}

static int loop(struct supervisor *sup, pid_t pid, int pidfd, int master, struct err *err)
{
	FREE char *data = master >= 0 ? mem_xalloc(2 * PUMP_SIZE) : NULL;
	struct pump in = {.from = data ? 0 : -1, .to = master, .data = data};
	struct pump out = {.from = master, .to = 1, .data = data ? data + PUMP_SIZE : NULL};

	for (;;) {
		struct pollfd pfd[] = {
			{.fd = pidfd, .events = POLLIN},
			{.fd = sup->signal_fd, .events = POLLIN},
			{.fd = pump_events(&in, true) ? in.from : -1, .events = POLLIN},
			{.fd = pump_events(&in, false) ? master : -1, .events = POLLOUT},
			{.fd = pump_events(&out, true) ? master : -1, .events = POLLIN},
			{.fd = pump_events(&out, false) ? 1 : -1, .events = POLLOUT},
			{.fd = sup->notify_fd, .events = POLLIN},
		};

		if (poll(pfd, sizeof(pfd) / sizeof(pfd[0]), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, "poll");
		}
		if (pfd[1].revents)
			take_signals(sup, pid, pidfd, master);
		if (pfd[2].revents)
			pump_read(&in);
		if (pfd[3].revents)
			pump_write(&in);
		if (pfd[4].revents)
			pump_read(&out);
		if (pfd[5].revents)
			pump_write(&out);
		if (pfd[6].revents && sdnotify_forward(sup->notify_fd, pid, NULL) < 0)
			fd_replace(&sup->notify_fd, -1);
		if (pfd[0].revents) {
			if (master >= 0)
				drain(master, &out);
			return 0;
		}
	}
}

int supervise_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int supervise(struct supervisor *sup, pid_t pid, int pidfd, int master, int *ret_status,
	      struct err *err)
{
	CLOSE_FD int owned = master;
	int status = 0;
	int rc;

	if (owned >= 0) {
		copy_window_size(owned);
		make_raw(sup);
	}
	rc = loop(sup, pid, pidfd, owned, err);
	if (rc < 0)
		return rc;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_sys(err, "wait for process %d", (int)pid);
	}
	*ret_status = supervise_status(status);
	return 0;
}

void supervise_end(struct supervisor *sup)
{
	if (sup->raw)
		(void)tcsetattr(0, TCSANOW, &sup->old_termios);
	fd_replace(&sup->notify_fd, -1);
	if (sup->signal_fd >= 0) {
		fd_replace(&sup->signal_fd, -1);
		(void)sigprocmask(SIG_SETMASK, &sup->old_mask, NULL);
	}
}
