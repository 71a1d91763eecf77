/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One container in a machine of microvm/machine.h, for measurements: as little around it as can be.
 *
 *   vmm KERNEL INITRAMFS SHARE MIB [WORD]...
 *
 * SHARE holds config.json, see tests/guest/run.c. The container's output goes to standard output; on
 * standard error a line "NAME NANOSECONDS" (CLOCK_MONOTONIC) says what has been reached, and
 * "files PID" which process serves the shared directory. It ends with its standard input.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/parse.h"
#include "microvm/agent.h"
#include "microvm/agent_stream.h"
#include "microvm/machine.h"

#define ID    "box"
#define SHARE PROTO_GUEST_DIR "/share"

static struct loop *loop;
static struct agent *agent;
static struct agent_streams *streams;
static struct agent_stream *output;
static struct machine machine = MACHINE_INIT;
static struct buf container = BUF_INIT; /* config.json */
static int connections[2];              /* from the I/O thread: our end of the agent's */
static int requests[2];                 /* to it: vsock_request */

static void die(const char *what, const struct err *why)
{
	dprintf(2, "vmm: %s: %s\n", what, why->msg);
	exit(1);
}

static void reached(const char *name)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	dprintf(2, "%s %lld%09ld\n", name, (long long)t.tv_sec, t.tv_nsec);
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

	if (agent_call(agent, op, body, 60000, fn, NULL, &e) < 0)
		die(proto_op_name(op), &e);
}

static void started(void *arg, const struct proto_body *body, const struct err *why)
{
	(void)arg;
	(void)body;
	if (why)
		die("start", why);
	reached("started");
}

static void created(void *arg, const struct proto_body *body, const struct err *why)
{
	BUF request = BUF_INIT;

	(void)arg;
	(void)body;
	if (why)
		die("create", why);
	reached("created");
	proto_put_string(&request, PROTO_F_ID, ID);
	call(PROTO_START, &request, started);
}

static void ended(void *arg, enum agent_stream_event event)
{
	(void)arg;
	(void)event;
}

static void mounted(void *arg, const struct proto_body *body, const struct err *why)
{
	uint32_t port;
	struct err e = ERR_INIT;
	BUF request = BUF_INIT;

	(void)arg;
	(void)body;
	if (why)
		die("mount", why);
	if (agent_stream_new(streams, -1, fd_dup(1, &e), ended, NULL, &port, &output, &e) < 0 ||
	    agent_streams_connect(streams, &e) < 0)
		die("stream", &e);
	proto_put_string(&request, PROTO_F_ID, ID);
	proto_put_bytes(&request, PROTO_F_CONFIG, container.data, container.len);
	proto_put_u32(&request, PROTO_F_PORT_STDOUT, port);
	call(PROTO_CREATE, &request, created);
}

static void on_ready(void *arg, const uint64_t boot_ns[2])
{
	BUF request = BUF_INIT;

	(void)arg;
	(void)boot_ns; /* of a clock that is late: ticks get lost before it has its source */
	reached("hello");
	proto_put_string(&request, PROTO_F_SOURCE, MACHINE_SHARE_TAG);
	proto_put_string(&request, PROTO_F_FS_TYPE, "virtiofs");
	proto_put_string(&request, PROTO_F_TARGET, SHARE);
	call(PROTO_MOUNT_FS, &request, mounted);
}

/* ---- what else the guest may tell ---- */

static void on_exited(void *arg, const char *id, const char *exec, const struct agent_exit *e)
{
	(void)arg;
	(void)id;
	(void)exec;
	dprintf(2, "vmm: the container has ended: %d\n", e->signal ? 128 + e->signal : e->code);
}

static void on_oom(void *arg, const char *id)
{
	(void)arg;
	dprintf(2, "vmm: out of memory in '%s'\n", id);
}

static void on_log(void *arg, const char *text)
{
	(void)arg;
	dprintf(2, "vmm: guest: %s\n", text);
}

static void on_lost(void *arg, const struct err *why)
{
	(void)arg;
	die("lost", why);
}

static void machine_ended(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	dprintf(2, "vmm: the machine has ended: %s\n", vm_end_text(machine.vm));
	exit(1);
}

static void input_ended(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	loop_stop(loop);
}

static int start_machine(char **argv, struct err *err)
{
	struct machine_config c = {
		.kvm_fd = -1,
		.image_fd = -1,
		.serial_fd = -1,
		.cpus = 1,
		.connect = on_connect,
		.requests_fd = requests[0],
	};
	BUF words = BUF_INIT;
	uint32_t mib;
	int rc;

	if (parse_u32(argv[4], &mib) < 0)
		return err_set(err, EINVAL, "'%s' MiB", argv[4]);
	for (char **word = argv + 5; *word; word++)
		buf_addf(&words, "%s ", *word);
	c.kernel_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	c.initramfs_fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	c.share_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c.memory = (uint64_t)mib << 20;
	c.cmdline = buf_str(&words);
	if ((rc = io_read_file(c.share_fd, "config.json", PROTO_BODY_MAX, &container, err)) < 0)
		return rc;
	rc = machine_start(&c, &machine, err);
	fd_close(c.kernel_fd);
	fd_close(c.initramfs_fd);
	fd_close(c.share_fd);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct agent_events events = {on_ready, on_exited, on_oom, on_log, on_lost};
	struct loop_source *source;
	struct err e = ERR_INIT;

	if (argc < 5)
		return 2;
	if (pipe2(connections, O_CLOEXEC) < 0 || pipe2(requests, O_CLOEXEC) < 0 ||
	    start_machine(argv, &e) < 0 || loop_new(&loop, &e) < 0 ||
	    agent_new(loop, &events, NULL, &agent, &e) < 0 ||
	    loop_add(loop, connections[0], EPOLLIN, connected, NULL, &source, &e) < 0 ||
	    loop_add(loop, 0, EPOLLIN, input_ended, NULL, &source, &e) < 0 ||
	    loop_add(loop, vm_wait_fd(machine.vm), EPOLLIN, machine_ended, NULL, &source, &e) < 0)
		die("begin", &e);
	streams = agent_streams_new(loop, requests[1]);
	dprintf(2, "files %d\n", (int)machine.files.pid);
	if (loop_run(loop, &e) < 0)
		die("loop", &e);
	agent_streams_free(streams);
	agent_free(agent);
	loop_free(loop);
	machine_end(&machine);
	return 0;
}
