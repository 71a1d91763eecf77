/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Callers know the container by this process' pid: a signal for it goes on to the container's first
 * process, one after the other, so that their order stays. A fault of this process still ends it: a
 * blocked signal that an instruction raises kills (man 2 sigprocmask).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"
#include "runtime/vmm/vmm.h"

struct signals {
	int fd;
	struct loop_source *source;
};

int signals_new(struct vmm *v, struct signals **ret, struct err *err)
{
	sigset_t all;
	struct signals *s = mem_xalloc(sizeof(*s));

	(void)v;
	*ret = s;
	s->fd = -1;
	sys_sigfillset(&all);
	if (sys_sigmask(SIG_SETMASK, &all, NULL) < 0)
		return err_sys(err, "block signals");
	s->fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->fd < 0 ? err_sys(err, "signalfd") : 0;
}

static void sent(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;

	(void)body;
	if (why)
		log_debug("signal: %s", why->msg);
	(void)!loop_set_events(v->signals->source, EPOLLIN, NULL);
}

static void resized(void *arg, const struct proto_body *body, const struct err *why)
{
	(void)arg;
	(void)body;
	if (why)
		log_debug("resize: %s", why->msg);
}

static void resize(struct vmm *v)
{
	BUF request = BUF_INIT;
	struct winsize ws;

	if (!v->first || ioctl(v->terminal_fd, TIOCGWINSZ, &ws) < 0)
		return;
	process_put_name(v->first, &request);
	proto_put_u32(&request, PROTO_F_ROWS, ws.ws_row);
	proto_put_u32(&request, PROTO_F_COLUMNS, ws.ws_col);
	calls_make(v, PROTO_RESIZE_TTY, &request, CALL_TIMEOUT_MS, resized, v);
}

static void forward(struct vmm *v, uint32_t signal)
{
	BUF request = BUF_INIT;

	proto_put_string(&request, PROTO_F_ID, v->o.guest_id);
	proto_put_u32(&request, PROTO_F_SIGNAL, signal);
	(void)!loop_set_events(v->signals->source, 0, NULL);
	calls_make(v, PROTO_SIGNAL, &request, CALL_TIMEOUT_MS, sent, v);
}

static void on_signal(void *arg, uint32_t events)
{
	struct vmm *v = arg;
	struct signalfd_siginfo si;

	(void)events;
	if (read(v->signals->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	/* The kernel's: of the file server's end, of a pipe without a reader, of a terminal's size. */
	if ((si.ssi_signo == SIGCHLD && si.ssi_code > 0) ||
	    (si.ssi_signo == SIGPIPE && si.ssi_pid == (uint32_t)getpid()))
		return;
	if (si.ssi_signo == SIGWINCH && si.ssi_code > 0 && v->terminal_fd >= 0)
		resize(v);
	else
		forward(v, si.ssi_signo);
}

int signals_start(struct vmm *v, struct err *err)
{
	return loop_add(v->loop, v->signals->fd, EPOLLIN, on_signal, v, &v->signals->source, err);
}
