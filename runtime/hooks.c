/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks (runtime-spec config.md, POSIX-platform Hooks). A hook gets its own environment and nothing
 * of hull's or the container's (CVE-2025-23266: an image's LD_PRELOAD must not reach a hook). It
 * may exit without reading its input, never read it, or hang: input is written without blocking,
 * and a hook that outlives its timeout is killed with its process group.
 */
#include "runtime/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/state.h"

#define STDERR_KEPT 256 /* bytes of the hook's last words that fit into a message */

struct hook_process {
	pid_t pid;
	int pidfd;
	int in, out; /* our ends of its standard input and standard error */
};

static void hook_child(const struct spec_hook *hook, const char *dir, int in, int out)
{
	const char *const no_env[] = {NULL};
	const char *const just_path[] = {hook->path, NULL};
	const char *const *args = hook->args && hook->args[0] ? hook->args : just_path;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (dup2(in, 0) < 0 || dup2(out, 2) < 0)
		_exit(127);
	/* Standard output stays the caller's; everything else is gone at execve. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 && fd_cloexec_from(3, -1, NULL) < 0)
		_exit(127);
	/* A createContainer hook in a user namespace may not be allowed to reach the bundle. */
	if (chdir(dir) < 0 && chdir("/") < 0)
		_exit(127);
	execve(hook->path, (char *const *)args, (char *const *)(hook->env ? hook->env : no_env));
	dprintf(2, "%s", strerrordesc_np(errno));
	_exit(127);
}

static int hook_spawn(const struct spec_hook *hook, const char *dir, struct hook_process *p,
		      struct err *err)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		int rc = err_sys(err, "pipe");

		fd_close(in[0]);
		fd_close(in[1]);
		return rc;
	}
	p->pid = fork();
	if (p->pid == 0)
		hook_child(hook, dir, in[0], out[1]);

	int rc = p->pid < 0 ? err_sys(err, "fork") : 0;

	fd_close(in[0]);
	fd_close(out[1]);
	p->in = in[1];
	p->out = out[0];
	p->pidfd = rc == 0 ? pidfd_open(p->pid, 0) : -1;
	return rc;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Writes what the hook takes of the state; closes its input once all is written or nobody reads. */
static void feed(struct hook_process *p, const struct buf *state, size_t *done)
{
	ssize_t n = write(p->in, state->data + *done, state->len - *done);

	if (n > 0)
		*done += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || *done == state->len)
		fd_replace(&p->in, -1);
}

/* Keeps the last STDERR_KEPT bytes. */
static void collect(struct hook_process *p, struct buf *words)
{
	char chunk[1024];
	ssize_t n = read(p->out, chunk, sizeof(chunk));

	if (n > 0)
		buf_add(words, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fd_replace(&p->out, -1);
	if (words->len > 2 * sizeof(chunk)) {
		memmove(words->data, words->data + words->len - STDERR_KEPT, STDERR_KEPT);
		words->len = STDERR_KEPT;
		words->data[words->len] = '\0';
	}
}

/* Serves the hook until it ends. Returns its wait status, or -ETIMEDOUT after killing it. */
static int hook_serve(const struct spec_hook *hook, struct hook_process *p, const struct buf *state,
		      struct buf *words)
{
	int64_t end = hook->timeout_s > 0 ? now_ms() + (int64_t)hook->timeout_s * 1000 : -1;
	size_t done = 0;
	bool timed_out = false;
	int status = 0;

	(void)!fd_set_nonblock(p->in, 1, NULL);
	(void)!fd_set_nonblock(p->out, 1, NULL);
	for (;;) {
		struct pollfd pfd[] = {
			{.fd = p->pidfd, .events = POLLIN},
			{.fd = p->in, .events = POLLOUT},
			{.fd = p->out, .events = POLLIN},
		};
		int64_t left = end < 0 ? -1 : end - now_ms();
		int n;

		if (end >= 0 && left <= 0) {
			timed_out = true;
			kill(-p->pid, SIGKILL);
			kill(p->pid, SIGKILL);
			break;
		}
		n = poll(pfd, ARRAY_SIZE(pfd), left < 0 ? -1 : (int)left);
		if (n < 0 && errno != EINTR)
			break;
		if (n <= 0)
			continue;
		if (pfd[1].revents)
			feed(p, state, &done);
		if (pfd[2].revents)
			collect(p, words);
		if (pfd[0].revents)
			break;
	}
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	while (p->out >= 0) { /* what is in the pipe; a child that lives on may hold it open */
		size_t before = words->len;

		collect(p, words);
		if (words->len == before)
			break;
	}
	return timed_out ? -ETIMEDOUT : status;
}

/* The last words on one line, without what a terminal would act on. */
static void tidy(struct buf *words)
{
	size_t from = words->len > STDERR_KEPT ? words->len - STDERR_KEPT : 0;

	while (words->len > from && strchr("\n\r ", words->data[words->len - 1]))
		words->data[--words->len] = '\0';
	if (words->len == 0)
		return;
	memmove(words->data, words->data + from, words->len - from + 1);
	words->len -= from;
	for (char *s = words->data; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
	}
}

static int hook_run(const struct spec_hook *hook, const char *what, const char *dir,
		    const struct buf *state, struct err *err)
{
	struct hook_process p = {.pid = -1, .pidfd = -1, .in = -1, .out = -1};
	BUF words = BUF_INIT;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	int rc;

	if (access(hook->path, X_OK) < 0)
		return err_sys(err, "%s '%s'", what, hook->path);
	sigaction(SIGPIPE, &ignore, &old);
	rc = hook_spawn(hook, dir, &p, err);
	if (rc == 0)
		rc = hook_serve(hook, &p, state, &words);
	/*
	 * Where the caller has signals blocked, one that came is pending in spite of being ignored;
	 * ignoring it anew discards it (man 7 signal).
	 */
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGPIPE, &old, NULL);
	fd_close(p.pidfd);
	fd_close(p.in);
	fd_close(p.out);
	if (p.pid < 0)
		return err_wrap(err, rc, "%s '%s'", what, hook->path);
	tidy(&words);
	if (rc == -ETIMEDOUT)
		return err_set(err, ETIMEDOUT, "%s '%s': killed after its timeout of %d s", what,
			       hook->path, hook->timeout_s);
	if (WIFSIGNALED(rc))
		return err_set(err, EIO, "%s '%s': killed by signal %d%s%s", what, hook->path,
			       WTERMSIG(rc), words.len ? ": " : "", buf_str(&words));
	if (WEXITSTATUS(rc) != 0)
		return err_set(err, EIO, "%s '%s': exit status %d%s%s", what, hook->path,
			       WEXITSTATUS(rc), words.len ? ": " : "", buf_str(&words));
	return 0;
}

/* The specification names none; runc and crun start hooks of the host's side in the bundle. */
static const char *hook_dir(enum spec_hook_kind kind, const struct container *c)
{
	return kind != HOOK_START_CONTAINER && c->bundle ? c->bundle : "/";
}

int hooks_run(const struct spec_hooks *hooks, enum spec_hook_kind kind, const struct container *c,
	      const char *status, struct err *err)
{
	BUF state = BUF_INIT;

	if (hooks->n[kind] == 0)
		return 0;
	state_document(c, status, &state);
	for (size_t i = 0; i < hooks->n[kind]; i++) {
		FREE char *what = mem_xprintf("hooks.%s[%zu]", spec_hook_kind_name(kind), i);
		int rc = hook_run(&hooks->list[kind][i], what, hook_dir(kind, c), &state, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void hooks_run_all(const struct spec_hooks *hooks, enum spec_hook_kind kind,
		   const struct container *c, const char *status)
{
	BUF state = BUF_INIT;

	if (hooks->n[kind] == 0)
		return;
	state_document(c, status, &state);
	for (size_t i = 0; i < hooks->n[kind]; i++) {
		FREE char *what = mem_xprintf("hooks.%s[%zu]", spec_hook_kind_name(kind), i);
		struct err e = ERR_INIT;

		if (hook_run(&hooks->list[kind][i], what, hook_dir(kind, c), &state, &e) < 0)
			log_warn("%s, going on", e.msg);
	}
}
