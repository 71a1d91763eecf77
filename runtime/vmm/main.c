/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-vmm: the virtual machine of one container. hull-oci executes it, in the container's cgroup
 * and network namespace, with descriptors of all it needs. It ends as the container does: with the
 * same exit status, or by the same signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "microvm/check/check.h"
#include "microvm/confine.h"
#include "runtime/end.h"
#include "runtime/vmm/vmm.h"

#define BOOT_NS     120000000000ull /* for a guest on a host that has too much to do */
#define SHUTDOWN_NS 10000000000ull  /* for one that writes back what it has */

/* ---- options ---- */

static int take_option(struct vmm_options *o, const char *name, const char *value, struct err *err)
{
	const struct {
		const char *name;
		int *fd;
	} fds[] = {
		{"--kvm-fd", &o->kvm_fd},
		{"--kernel-fd", &o->kernel_fd},
		{"--initramfs-fd", &o->initramfs_fd},
		{"--create-fd", &o->create_fd},
		{"--control-fd", &o->control_fd},
		{"--share-fd", &o->share_fd},
		{"--sync-fd", &o->sync_fd},
		{"--fifo-fd", &o->fifo_fd},
		{"--log-fd", &o->log_fd},
		{"--network-fd", &o->network_fd},
		{"--root-image-fd", &o->root_image_fd},
		{"--tap-fd", o->n_taps < ARRAY_SIZE(o->tap_fds) ? &o->tap_fds[o->n_taps] : NULL},
		{"--restore-fd", &o->restore.state_fd},
		{"--memory-fd", &o->restore.memory_fd},
		{"--working-set-fd", &o->restore.working_set_fd},
		{"--template-fd", &o->template_fd},
		{"--save-fd", &o->save.state_fd},
		{"--save-memory-fd", &o->save.memory_fd},
	};
	uint32_t n;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (strcmp(name, fds[i].name) != 0 || !fds[i].fd)
			continue;
		if (parse_u32(value, &n) < 0 || n > INT32_MAX)
			return err_set(err, EINVAL, "option '%s': '%s' is no descriptor", name,
				       value);
		*fds[i].fd = (int)n;
		o->n_taps += o->n_taps < ARRAY_SIZE(o->tap_fds) && fds[i].fd == &o->tap_fds[o->n_taps];
		return fd_set_cloexec((int)n, 1, err);
	}
	if (strcmp(name, "--id") == 0)
		o->id = value;
	else if (strcmp(name, "--guest-id") == 0)
		o->guest_id = value;
	else if (strcmp(name, "--kernel-name") == 0)
		o->kernel_name = value;
	else if (strcmp(name, "--cmdline") == 0)
		o->cmdline = value;
	else if (strcmp(name, "--root-image-type") == 0)
		o->root_image_type = value;
	else if (strcmp(name, "--root-flags") == 0 && parse_u32(value, &o->root_flags) == 0)
		return 0;
	else if (strcmp(name, "--cpus") == 0 && parse_u32(value, &o->cpus) == 0)
		return 0;
	else if (strcmp(name, "--memory") == 0 && parse_u64(value, &o->memory) == 0)
		return 0;
	else
		return err_set(err, EINVAL, "option '%s %s' is not known", name, value);
	return 0;
}

static bool take_switch(struct vmm_options *o, const char *name)
{
	const struct {
		const char *name;
		bool *on;
	} switches[] = {
		{"--terminal", &o->terminal},
		{"--log-json", &o->log_json},
		{"--log-debug", &o->log_debug},
		{"--hugepages", &o->hugepages},
		{"--memory-unchanged", &o->restore.trusted},
	};

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		if (strcmp(name, switches[i].name) == 0)
			return *switches[i].on = true;
	}
	return false;
}

static int read_options(char **argv, struct vmm_options *o, struct err *err)
{
	*o = (struct vmm_options){
		.kvm_fd = -1,
		.kernel_fd = -1,
		.initramfs_fd = -1,
		.create_fd = -1,
		.control_fd = -1,
		.share_fd = -1,
		.sync_fd = -1,
		.fifo_fd = -1,
		.log_fd = -1,
		.network_fd = -1,
		.root_image_fd = -1,
		.restore = SNAPSHOT_INIT,
		.template_fd = -1,
		.save = SNAPSHOT_INIT,
	};
	for (char **word = argv + 1; *word; word++) {
		if (take_switch(o, *word))
			continue;
		if (!word[1])
			return err_set(err, EINVAL, "option '%s' needs a value", *word);

		int rc = take_option(o, word[0], word[1], err);

		if (rc < 0)
			return rc;
		word++;
	}
	const bool boots = o->restore.state_fd < 0 || o->template_fd >= 0;
	const bool saves = o->save.state_fd >= 0;

	if ((boots && (o->kernel_fd < 0 || o->initramfs_fd < 0 || (o->create_fd < 0 && !saves))) ||
	    (saves && o->save.memory_fd < 0))
		return err_set(err, EINVAL, "this program is started by hull-oci");
	if ((o->restore.state_fd >= 0 && o->restore.memory_fd < 0) || (o->control_fd < 0 && !saves) ||
	    o->share_fd < 0 || o->sync_fd < 0 || !o->id || !o->cpus || !o->memory ||
	    (o->root_image_fd < 0) != !o->root_image_type)
		return err_set(err, EINVAL, "this program is started by hull-oci");
	if (!o->guest_id)
		o->guest_id = o->id;
	return 0;
}

/* ---- the machine ---- */

/* On the I/O thread. A pipe that is full of connections nobody has taken yet refuses more. */
static int connect_guest(void *arg, uint32_t port)
{
	struct vmm *v = arg;
	int pair[2];

	if (port != PROTO_PORT_CONTROL)
		return -ECONNREFUSED;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	if (write(v->connections[1], &pair[0], sizeof(int)) != (ssize_t)sizeof(int)) {
		fd_close(pair[0]);
		fd_close(pair[1]);
		return -EAGAIN;
	}
	return pair[1];
}

static void guest_connected(void *arg, uint32_t events)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;
	int fd;

	(void)events;
	if (read(v->connections[0], &fd, sizeof(fd)) != (ssize_t)sizeof(fd))
		return;
	if (agent_connected(v->agent, fd, &e) < 0)
		log_debug("a second agent: %s", e.msg);
}

static int start_machine(struct vmm *v, struct err *err)
{
	struct machine_config c = {
		.kvm_fd = fd_take(&v->o.kvm_fd),
		.kernel_fd = v->o.kernel_fd,
		.kernel_name = v->o.kernel_name,
		.initramfs_fd = v->o.initramfs_fd,
		.share_fd = v->o.share_fd,
		.image_fd = v->o.root_image_fd,
		.serial_fd = -1,
		.last_words = true,
		.cpus = v->o.cpus,
		.memory = v->o.memory,
		.hugepages = v->o.hugepages,
		.cmdline = v->o.cmdline,
		.jailed = true,
		.connect = connect_guest,
		.arg = v,
		.requests_fd = v->requests[0],
		.restore = v->o.restore.state_fd >= 0 ? &v->o.restore : NULL,
	};
	struct machine_net nets[NETCONF_LINKS_MAX];
	int rc = messages_new(&v->messages, &c.serial_fd, err);

	v->restored = c.restore && v->o.template_fd < 0;
	c.nets = nets;
	if (rc == 0)
		rc = network_devices(v, nets, &c.n_nets, err);
	recording_begin(v);
	if (rc == 0)
		rc = template_start(v, &c, nets, err);
	snapshot_close(&v->o.restore);
	fd_replace(&v->o.template_fd, -1);
	fd_replace(&v->o.initramfs_fd, -1);
	fd_replace(&v->o.share_fd, -1);
	/* The devices have duplicates. */
	fd_replace(&v->requests[0], -1);
	for (size_t i = 0; i < v->o.n_taps; i++)
		fd_replace(&v->o.tap_fds[i], -1);
	fd_replace(&v->o.root_image_fd, -1);
	return rc;
}

/* ---- the end ---- */

static const char *why_machine_ended(struct vmm *v)
{
	const char *panic = messages_panic(v->messages);

	return panic ? panic : vm_end_text(v->machine.vm);
}

static void machine_ended(void *arg, uint32_t events)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	(void)events;
	if (v->stage != VMM_ENDS) {
		(void)err_set(&e, EIO, "the virtual machine ended: %s", why_machine_ended(v));
		vmm_fail(v, &e);
	}
	loop_stop(v->loop);
}

static void stop_machine(void *arg, uint32_t events)
{
	struct vmm *v = arg;

	(void)events;
	vm_stop(v->machine.vm);
}

static void deadline(void *arg, uint32_t events)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	if (v->stage == VMM_ENDS)
		stop_machine(v, events);
	if (v->stage != VMM_BOOTS)
		return;
	(void)err_set(&e, ETIMEDOUT,
		      "the virtual machine does not boot: no word of its agent in "
		      "two minutes");
	vmm_fail(v, &e);
}

/* It has written back what it had, or cannot. */
static void shut_down(void *arg, const struct proto_body *body, const struct err *why)
{
	(void)body;
	(void)why;
	stop_machine(arg, 0);
}

void vmm_stop(struct vmm *v)
{
	v->stage = VMM_ENDS;
	stop_machine(v, 0);
}

void vmm_end(struct vmm *v)
{
	if (v->stage == VMM_ENDS)
		return;
	recording_end(v);
	v->stage = VMM_ENDS;
	if (!v->agent || !agent_is_ready(v->agent) ||
	    loop_set_timer(v->deadline, SHUTDOWN_NS, NULL) < 0)
		stop_machine(v, 0);
	else
		calls_make(v, PROTO_SHUTDOWN, NULL, 0, shut_down, v);
}

/* A kernel without what it needs fails in many ways. Which it lacks, its own configuration tells. */
static void look_at_kernel(struct vmm *v, struct err *err)
{
	const struct err was = *err;
	BUF report = BUF_INIT;
	int missing = v->o.kernel_fd < 0 ? 0
					 : kernel_check(v->o.kernel_fd, v->o.kernel_name, &report,
							NULL);

	if (missing > 0)
		(void)err_set(err, was.code, "%s (hull-oci check-kernel: %.*s%s)", was.msg,
			      (int)strcspn(buf_str(&report), "\n"), buf_str(&report),
			      missing > 1 ? ", and more" : "");
}

void vmm_fail(struct vmm *v, const struct err *why)
{
	struct err e = *why;

	/* The container has ended; what breaks behind it does not matter. */
	if (v->failed || v->stage == VMM_ENDS)
		return;
	v->failed = true;
	if (v->stage == VMM_BOOTS && v->machine.vm)
		look_at_kernel(v, &e);
	v->why = e;
	if (!parent_told(v, &e))
		log_error("container '%s': %s", v->o.id, e.msg);
	v->stage = VMM_ENDS;
	if (v->machine.vm)
		vm_stop(v->machine.vm);
}

/* ---- the program ---- */

/* Whatever else it was given. */
static int close_others(const struct vmm_options *o, struct err *err)
{
	const int keep[] = {
		o->kvm_fd,   o->kernel_fd,  o->initramfs_fd,     o->create_fd,
		o->share_fd, o->sync_fd,    o->control_fd,       o->fifo_fd,
		o->log_fd,   o->network_fd, o->restore.state_fd, o->restore.memory_fd,
		o->template_fd, o->restore.working_set_fd, o->save.state_fd, o->save.memory_fd,
		o->root_image_fd,
	};
	int all[ARRAY_SIZE(keep) + NETCONF_LINKS_MAX];

	memcpy(all, keep, sizeof(keep));
	for (size_t i = 0; i < o->n_taps; i++)
		all[ARRAY_SIZE(keep) + i] = o->tap_fds[i];
	return confine_close_others(all, ARRAY_SIZE(keep) + o->n_taps, err);
}

/* The log is hull-oci's, as errors of what it has left behind belong there. */
static int open_log(struct vmm_options *o, struct err *err)
{
	FREE char *path = mem_xprintf("/proc/self/fd/%d", o->log_fd);
	int rc = log_open("hull-vmm", o->log_fd >= 0 ? path : NULL,
			  o->log_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
			  o->log_debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, err);

	fd_replace(&o->log_fd, -1);
	return rc;
}

/* What would be opened or made later, in the jail. */
static int prepare(struct vmm *v, struct err *err)
{
#ifdef __GLIBC__
	/* An arena for each thread would be more memory, and a look at the processors' number. */
	(void)mallopt(M_ARENA_MAX, 1);
#endif
	v->null_fd = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
	return v->null_fd < 0 ? err_sys(err, "open '/dev/null'") : 0;
}

static int set_up(struct vmm *v, struct err *err)
{
	struct loop_source *source;
	int rc;

	if (pipe2(v->connections, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(v->requests, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, "pipe");
	if ((rc = signals_new(v, &v->signals, err)) < 0 || (rc = loop_new(&v->loop, err)) < 0 ||
	    (rc = agent_new(v->loop, &box_events, v, &v->agent, err)) < 0 ||
	    (rc = calls_new(v, &v->calls, err)) < 0)
		return rc;
	v->streams = agent_streams_new(v->loop, v->requests[1]);
	if ((rc = network_load(v, err)) < 0 || (rc = start_machine(v, err)) < 0 ||
	    (rc = loop_add(v->loop, v->connections[0], EPOLLIN, guest_connected, v, &source, err)) <
		    0 ||
	    (rc = loop_add(v->loop, vm_wait_fd(v->machine.vm), EPOLLIN, machine_ended, v, &source,
			   err)) < 0 ||
	    (rc = loop_add_timer(v->loop, deadline, v, &v->deadline, err)) < 0 ||
	    (rc = loop_set_timer(v->deadline, BOOT_NS, err)) < 0)
		return rc;
	if ((rc = box_watch_files(v, err)) < 0 || (rc = trees_new(v, &v->trees, err)) < 0)
		return rc;
	return v->o.control_fd < 0 ? 0 : control_new(v, &v->control, err);
}

int main(int argc, char **argv)
{
	struct vmm v = {
		.connections = {-1, -1},
		.requests = {-1, -1},
		.null_fd = -1,
		.terminal_fd = -1,
		.machine = MACHINE_INIT,
	};
	struct err e = ERR_INIT;

	if (argc < 1 || read_options(argv, &v.o, &e) < 0) {
		fprintf(stderr, "hull-vmm: %s\n", e.msg);
		return 1;
	}
	/* Guest memory is nobody's to read; and a crash leaves no copy of it. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (close_others(&v.o, &e) < 0 || open_log(&v.o, &e) < 0 || prepare(&v, &e) < 0 ||
	    set_up(&v, &e) < 0 || loop_run(v.loop, &e) < 0)
		vmm_fail(&v, &e);
	/* Whoever waits for an answer gets it now. */
	agent_free(v.agent);
	/* Engines unmount what it serves when this process has ended. */
	fsd_server_end(&v.machine.files);
	/* The machine and its threads end with this process: nothing is taken apart. */
	if (v.failed)
		_exit(VMM_EXIT_FAILED);
	end_as(v.status);
}
