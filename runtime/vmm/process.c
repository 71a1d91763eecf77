/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process in the guest as its caller on the host sees it: streams, and an end that is told once
 * everything it wrote before is handed on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "runtime/vmm/vmm.h"

struct process *process_new(struct vmm *v, const char *container, char *exec)
{
	struct process *p = mem_xalloc(sizeof(*p));

	p->vmm = v;
	p->container = mem_xstrdup(container);
	p->exec = exec;
	p->next = v->processes;
	v->processes = p;
	return p;
}

void process_free(struct process *p)
{
	struct process **at;

	if (!p)
		return;
	for (at = &p->vmm->processes; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	for (size_t i = 0; i < ARRAY_SIZE(p->streams); i++)
		agent_stream_free(p->streams[i].stream);
	free(p->container);
	free(p->exec);
	free(p);
}

/* One whose end is known only waits for its streams: another may have its name by now. */
struct process *process_find(struct vmm *v, const char *container, const char *exec)
{
	for (struct process *p = v->processes; p; p = p->next) {
		if (!p->exited && strcmp(p->container, container) == 0 &&
		    strcmp(p->exec ? p->exec : "", exec) == 0)
			return p;
	}
	return NULL;
}

void process_put_name(const struct process *p, struct buf *request)
{
	proto_put_string(request, PROTO_F_ID, p->container);
	if (p->exec)
		proto_put_string(request, PROTO_F_EXEC_ID, p->exec);
}

static void look_for_end(struct process *p)
{
	bool awaited = false, flows = false;

	for (size_t i = 0; i < ARRAY_SIZE(p->streams); i++) {
		awaited |= p->streams[i].awaited;
		flows |= p->streams[i].stream != NULL;
	}
	if (!p->exited || awaited)
		return;
	if (!p->told) {
		p->told = true;
		p->done(p);
	}
	if (!flows)
		process_free(p);
}

static void on_stream(void *arg, enum agent_stream_event event)
{
	struct process_stream *s = arg;

	s->awaited = false;
	if (event == AGENT_STREAM_ENDED) {
		agent_stream_free(s->stream);
		s->stream = NULL;
	}
	look_for_end(s->process);
}

static int add_stream(struct process *p, int i, enum proto_field type, int from, int to,
		      struct buf *request, struct err *err)
{
	struct process_stream *s = &p->streams[i];
	uint32_t port;
	int rc = agent_stream_new(p->vmm->streams, from, to, on_stream, s, &port, &s->stream, err);

	if (rc < 0)
		return rc;
	s->process = p;
	s->awaited = to >= 0;
	proto_put_u32(request, type, port);
	return 0;
}

/* All of a terminal's work is the guest's; between the two is a line that changes nothing. */
static void make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return;
	cfmakeraw(&t);
	(void)tcsetattr(fd, TCSANOW, &t);
}

static int add_terminal(struct process *p, int slave, struct buf *request, struct err *err)
{
	int other, rc;

	make_raw(slave);
	rc = fd_set_nonblock(slave, 1, err);
	other = rc < 0 ? rc : fd_dup(slave, err);
	if (other < 0) {
		fd_close(slave);
		return other;
	}
	return add_stream(p, 0, PROTO_F_PORT_TTY, slave, other, request, err);
}

int process_put_fields(int fd, const char *what, struct buf *request, struct err *err)
{
	BUF fields = BUF_INIT;
	int rc = io_read_all(fd, what, PROTO_BODY_MAX, &fields, err);
	const struct proto_body body = proto_body_of(&fields);

	/* Else the guest would take the whole connection for broken, for all of its containers. */
	if (rc == 0)
		rc = proto_check(&body, err);
	if (rc == 0)
		buf_add(request, fields.data, fields.len);
	return rc;
}

/* What is nowhere on the host is nowhere in the guest, without a connection between the two. */
static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static int add_standard(struct process *p, int fds[static 3], struct buf *request, struct err *err)
{
	static const enum proto_field types[] = {PROTO_F_PORT_STDIN, PROTO_F_PORT_STDOUT,
						 PROTO_F_PORT_STDERR};
	int rc = 0;

	for (int i = 0; i < 3 && rc == 0; i++) {
		int fd = fd_take(&fds[i]);

		/* One that was saved may have had another. */
		if (is_null(fd) && !p->vmm->restored) {
			fd_close(fd);
			continue;
		}
		rc = add_stream(p, i, types[i], i == 0 ? fd : -1, i == 0 ? -1 : fd, request, err);
	}
	return rc;
}

int process_streams(struct process *p, struct buf *request, int *fds, size_t n_fds, bool terminal,
		    struct err *err)
{
	int rc;

	if (n_fds != (terminal ? 1 : 3))
		rc = err_set(err, EINVAL, "%zu standard streams", n_fds);
	else if (terminal)
		rc = add_terminal(p, fd_take(&fds[0]), request, err);
	else
		rc = add_standard(p, fds, request, err);
	for (size_t i = 0; i < n_fds; i++)
		fd_replace(&fds[i], -1);
	return rc < 0 ? rc : agent_streams_connect(p->vmm->streams, err);
}

void process_exited(struct process *p, int status, const uint64_t written[2])
{
	if (p->exited)
		return;
	p->exited = true;
	p->status = status;
	for (int i = 0; i < 3; i++) {
		if (p->streams[i].awaited)
			agent_stream_settle(p->streams[i].stream,
					    i == 0 ? AGENT_STREAM_ALL : written[i - 1]);
	}
	look_for_end(p);
}
