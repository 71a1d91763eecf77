/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs: a fork of the agent that calls one function of hull's runtime and ends. Its result, an error
 * or output, is left in a file in memory (man 2 memfd_create), which unlike a pipe never fills up
 * and is read when the child has been reaped.
 *
 * The child keeps no descriptor of the agent's: a copy of another container's pipe would hold up
 * that pipe's end of file.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "microvm/guest/guest.h"

#define STATE_DIR "containers"

enum { RESULT_FD = 3 };

struct job {
	struct job *next;
	pid_t pid;
	int result_fd;
	struct request request;
	job_done_fn *done;
	void *arg;
};

/* At the beginning of the file; output follows. */
struct result {
	bool is_set; /* else the child died before it had one */
	struct err err;
};

/* ---- the child ---- */

static void set_descriptors(const int stdio[3], int result_fd)
{
	for (int i = 0; i < 3; i++) {
		if (stdio && dup2(stdio[i], i) < 0)
			_exit(1);
	}
	if (result_fd != RESULT_FD && dup3(result_fd, RESULT_FD, O_CLOEXEC) < 0)
		_exit(1);
	if (close_range(RESULT_FD + 1, ~0U, 0) < 0)
		_exit(1);
}

static int work(struct guest *g, job_fn *fn, const struct request *q, const void *arg,
		struct err *err)
{
	FREE char *root = mem_xprintf("%s/" STATE_DIR, g->place.dir);
	struct runtime rt;
	int rc;

	/* What the runtime has to remark must not end up in the container's standard error. */
	rc = log_open("hull-agent", g->place.is_machine ? "/dev/kmsg" : NULL, LOG_FORMAT_TEXT,
		      LOG_LEVEL_WARN, err);
	if (rc == 0)
		rc = runtime_open(root, CGROUP_MANAGER_CGROUPFS, true, &rt, err);
	return rc < 0 ? rc : fn(&rt, g, q, arg, RESULT_FD, err);
}

static void child(struct guest *g, job_fn *fn, const int stdio[3], const struct request *q,
		  const void *arg, int result_fd) __attribute__((noreturn));

static void child(struct guest *g, job_fn *fn, const int stdio[3], const struct request *q,
		  const void *arg, int result_fd)
{
	struct result result = {.is_set = true};
	sigset_t none;

	sigemptyset(&none);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	set_descriptors(stdio, result_fd);
	if (g->place.is_machine)
		system_reset_child();
	if (lseek(RESULT_FD, sizeof(result), SEEK_SET) < 0)
		_exit(1);
	if (work(g, fn, q, arg, &result.err) == 0)
		result.err.code = 0;
	_exit(pwrite(RESULT_FD, &result, sizeof(result), 0) != (ssize_t)sizeof(result));
}

/* ---- the agent ---- */

static int open_null(int ret[3], struct err *err)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '/dev/null'");
	ret[0] = ret[1] = ret[2] = fd;
	return fd;
}

int job_start(struct guest *g, job_fn *fn, const int stdio[3], struct request *q, job_done_fn *done,
	      void *arg, struct err *err)
{
	int none[3];
	struct job *j;
	pid_t pid;

	if (g->n_jobs >= PROTO_PENDING_MAX)
		return err_set(err, EAGAIN, "%u requests are being served already", g->n_jobs);

	CLOSE_FD int null = stdio ? -1 : open_null(none, err);
	CLOSE_FD int result = memfd_create("hull-job", MFD_CLOEXEC);

	if (!stdio && null < 0)
		return null;
	if (result < 0)
		return err_sys(err, "memfd_create");
	pid = fork();
	if (pid < 0)
		return err_sys(err, "fork");
	if (pid == 0)
		child(g, fn, stdio ? stdio : none, q, arg, result);
	j = mem_xalloc(sizeof(*j));
	*j = (struct job){
		.next = g->jobs,
		.pid = pid,
		.result_fd = fd_take(&result),
		.request = *q,
		.done = done,
		.arg = arg,
	};
	*q = (struct request){0};
	g->jobs = j;
	g->n_jobs++;
	return 0;
}

static int read_result(const struct job *j, int status, struct buf *output, struct err *err)
{
	struct result result = {0};
	struct stat st = {0};
	size_t len;

	if (pread(j->result_fd, &result, sizeof(result), 0) != (ssize_t)sizeof(result) ||
	    !result.is_set || fstat(j->result_fd, &st) < 0) {
		if (WIFSIGNALED(status))
			return err_set(err, EINTR, "the agent's child was killed by signal %d",
				       WTERMSIG(status));
		return err_set(err, EIO, "the agent's child left no result");
	}
	if (result.err.code) {
		result.err.msg[sizeof(result.err.msg) - 1] = '\0';
		return err_set(err, result.err.code, "%s", result.err.msg);
	}
	len = (size_t)st.st_size - sizeof(result);
	/* the answer's other fields want a little room */
	if (len > PROTO_BODY_MAX - 256)
		return err_set(err, E2BIG, "an answer of %zu bytes", len);
	if (pread(j->result_fd, buf_reserve(output, len), len, sizeof(result)) != (ssize_t)len)
		return err_set(err, EIO, "read a child's result");
	output->len += len;
	output->data[output->len] = '\0';
	return 0;
}

static void finish(struct guest *g, struct job *j, int status)
{
	struct err why = ERR_INIT;
	BUF output = BUF_INIT;
	int rc = read_result(j, status, &output, &why);

	j->done(g, &j->request, j->arg, &output, rc < 0 ? &why : NULL);
	fd_close(j->result_fd);
	request_release(&j->request);
	free(j);
	g->n_jobs--;
}

static bool reap(struct guest *g, struct job **at)
{
	struct job *j = *at;
	int status = 0;

	if (waitpid(j->pid, &status, WNOHANG) != j->pid)
		return false;
	*at = j->next;
	finish(g, j, status);
	return true;
}

bool job_ended(struct guest *g, pid_t pid)
{
	for (struct job **at = &g->jobs; *at; at = &(*at)->next) {
		if ((*at)->pid == pid)
			return reap(g, at);
	}
	return false;
}

/* A job's end may start or end others: begin again after each. */
void job_reap(struct guest *g)
{
	struct job **at = &g->jobs;

	while (*at)
		at = reap(g, at) ? &g->jobs : &(*at)->next;
}

void job_free_all(struct guest *g)
{
	while (g->jobs) {
		struct job *j = g->jobs;

		g->jobs = j->next;
		fd_close(j->result_fd);
		request_release(&j->request);
		free(j);
	}
	g->n_jobs = 0;
}
