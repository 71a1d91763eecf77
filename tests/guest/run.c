/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one container in a machine whose init is hull-agent, as a caller of agent.h would:
 *
 *   run KERNEL INITRAMFS SHARE CPUS [tty] [WORD]...
 *
 * SHARE holds config.json, whose root.path is absolute below /run/hull/share, where the guest has
 * SHARE. Its standard streams are this program's; with "tty" both ways go over one. Other WORDs go
 * to the kernel. Exit status: the container's, 128 + its signal, or 255 and a line that says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/parse.h"
#include "microvm/agent.h"
#include "microvm/agent_stream.h"
#include "microvm/machine.h"

#define ID    "box"
#define SHARE PROTO_GUEST_DIR "/share"

static struct loop *loop;
static struct agent *agent;
static struct agent_streams *streams;
static struct agent_stream *stream[3];
static struct machine machine = MACHINE_INIT;
static int connections[2]; /* from the I/O thread: our end of the agent's */
static int requests[2];    /* to it: vsock_request */
static int status = 255;
static bool tty, exited;
static int n_open; /* outputs that have not settled */
static struct buf config = BUF_INIT;

static void die(const char *what, const struct err *why)
{
	fprintf(stderr, "run: %s: %s\n", what, why->msg);
	exit(255);
}

static int on_connect(void *arg, uint32_t port)
{
	int pair[2];

	(void)arg;
	if (port != PROTO_PORT_CONTROL)
		return -ECONNREFUSED;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	if (write(connections[1], &pair[0], sizeof(int)) != (ssize_t)sizeof(int))
		return -EAGAIN;
	return pair[1];
}

static void connected(void *arg, uint32_t events)
{
	struct err e = ERR_INIT;
	int fd;

	(void)arg;
	(void)events;
	if (read(connections[0], &fd, sizeof(fd)) != (ssize_t)sizeof(fd))
		return;
	if (agent_connected(agent, fd, &e) < 0)
		die("connection", &e);
}

/* ---- one after the other ---- */

static void call(enum proto_op op, const struct buf *body, agent_reply_fn *fn)
{
	struct err e = ERR_INIT;

	if (agent_call(agent, op, body, 30000, fn, NULL, &e) < 0)
		die(proto_op_name(op), &e);
}

static void stopping(void *arg, const struct proto_body *body, const struct err *why)
{
	(void)arg;
	(void)body;
	(void)why; /* the machine may be quicker */
}

static void finish_when_done(void)
{
	if (exited && !n_open)
		call(PROTO_SHUTDOWN, NULL, stopping);
}

static void settled(void *arg, enum agent_stream_event event)
{
	struct agent_stream **s = arg;

	(void)event;
	agent_stream_free(*s);
	*s = NULL;
	if (s != &stream[0] || tty)
		n_open--;
	finish_when_done();
}

static void on_exited(void *arg, const char *id, const char *exec, const struct agent_exit *e)
{
	(void)arg;
	(void)id;
	(void)exec;
	status = e->signal ? 128 + e->signal : e->code;
	exited = true;
	for (int i = 1; i < 3; i++) {
		if (stream[i])
			agent_stream_settle(stream[i], e->written[i - 1]);
	}
	finish_when_done();
}

static void started(void *arg, const struct proto_body *body, const struct err *why)
{
	(void)arg;
	(void)body;
	if (why)
		die("start", why);
}

static void created(void *arg, const struct proto_body *body, const struct err *why)
{
	BUF request = BUF_INIT;

	(void)arg;
	(void)body;
	if (why)
		die("create", why);
	proto_put_string(&request, PROTO_F_ID, ID);
	call(PROTO_START, &request, started);
}

static void make_stream(struct buf *request, int i, enum proto_field type, int from, int to)
{
	uint32_t port;
	struct err e = ERR_INIT;

	from = from < 0 ? -1 : fd_dup(from, &e);
	to = to < 0 ? -1 : fd_dup(to, &e);
	if (agent_stream_new(streams, from, to, settled, &stream[i], &port, &stream[i], &e) < 0 ||
	    agent_streams_connect(streams, &e) < 0)
		die("stream", &e);
	proto_put_u32(request, type, port);
	n_open += to >= 0;
}

static void mounted(void *arg, const struct proto_body *body, const struct err *why)
{
	BUF request = BUF_INIT;

	(void)arg;
	(void)body;
	if (why)
		die("mount", why);
	proto_put_string(&request, PROTO_F_ID, ID);
	proto_put_bytes(&request, PROTO_F_CONFIG, config.data, config.len);
	if (tty) {
		make_stream(&request, 0, PROTO_F_PORT_TTY, 0, 1);
		proto_put_u32(&request, PROTO_F_ROWS, 33);
		proto_put_u32(&request, PROTO_F_COLUMNS, 99);
	} else {
		make_stream(&request, 0, PROTO_F_PORT_STDIN, 0, -1);
		make_stream(&request, 1, PROTO_F_PORT_STDOUT, -1, 1);
		make_stream(&request, 2, PROTO_F_PORT_STDERR, -1, 2);
	}
	call(PROTO_CREATE, &request, created);
}

static void on_ready(void *arg, const uint64_t boot_ns[2])
{
	BUF request = BUF_INIT;

	(void)arg;
	if (!boot_ns[0] || boot_ns[1] < boot_ns[0])
		abort();
	proto_put_string(&request, PROTO_F_SOURCE, MACHINE_SHARE_TAG);
	proto_put_string(&request, PROTO_F_FS_TYPE, "virtiofs");
	proto_put_string(&request, PROTO_F_TARGET, SHARE);
	call(PROTO_MOUNT_FS, &request, mounted);
}

/* ---- what else the guest may tell ---- */

static void on_oom(void *arg, const char *id)
{
	(void)arg;
	fprintf(stderr, "run: out of memory in '%s'\n", id);
}

static void on_log(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "run: guest: %s\n", text);
}

static void on_lost(void *arg, const struct err *why)
{
	(void)arg;
	if (!exited)
		die("lost", why);
}

static void machine_ended(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	if (!exited || vm_end_reason(machine.vm) != VM_RESET) {
		fprintf(stderr, "run: the machine has ended: %s\n", vm_end_text(machine.vm));
		status = 255;
	}
	loop_stop(loop);
}

static int start_machine(char **argv, int words, struct err *err)
{
	struct machine_config c = {
		.kvm_fd = -1,
		.image_fd = -1,
		.serial_fd = -1,
		.connect = on_connect,
		.requests_fd = requests[0],
	};
	BUF cmdline = BUF_INIT;
	uint32_t cpus;
	int rc;

	if (parse_u32(argv[4], &cpus) < 0)
		return err_set(err, EINVAL, "'%s' processors", argv[4]);
	for (char **word = argv + words; *word; word++)
		buf_addf(&cmdline, "%s ", *word);
	c.kernel_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	c.initramfs_fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	c.share_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c.cpus = cpus;
	c.memory = 256ull << 20;
	c.cmdline = buf_str(&cmdline);
	if (strstr(c.cmdline, "console="))
		c.serial_fd = 2;
	if ((rc = io_read_file(c.share_fd, "config.json", PROTO_BODY_MAX, &config, err)) < 0)
		return rc;
	return machine_start(&c, &machine, err);
}

int main(int argc, char **argv)
{
	static const struct agent_events events = {on_ready, on_exited, on_oom, on_log, on_lost};
	struct loop_source *source;
	struct err e = ERR_INIT;

	if (argc < 5)
		return 255;
	(void)signal(SIGPIPE, SIG_IGN);
	tty = argc > 5 && !strcmp(argv[5], "tty");
	if (pipe2(connections, O_CLOEXEC) < 0 || pipe2(requests, O_CLOEXEC) < 0 ||
	    start_machine(argv, tty ? 6 : 5, &e) < 0 || loop_new(&loop, &e) < 0 ||
	    agent_new(loop, &events, NULL, &agent, &e) < 0 ||
	    loop_add(loop, connections[0], EPOLLIN, connected, NULL, &source, &e) < 0 ||
	    loop_add(loop, vm_wait_fd(machine.vm), EPOLLIN, machine_ended, NULL, &source, &e) < 0)
		die("begin", &e);
	streams = agent_streams_new(loop, requests[1]);
	if (loop_run(loop, &e) < 0)
		die("loop", &e);
	agent_streams_free(streams);
	agent_free(agent);
	loop_free(loop);
	machine_end(&machine);
	buf_release(&config);
	return status;
}
