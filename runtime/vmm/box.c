/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container in the machine, from the agent's hello to its end: the share is mounted, the
 * container created and, when start has come, its process runs.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/vm_config.h"
#include "runtime/vmm/vmm.h"

#define SET_UP_MS 120000 /* hooks of the guest may take their time, as in init.c */

static void started(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;

	(void)body;
	v->starts = false;
	if (why) {
		vmm_fail(v, why);
		return;
	}
	if (v->stage == VMM_CREATED)
		v->stage = VMM_RUNS;
	recording_due(v);
	parent_started(v);
	if (!v->first)
		vmm_end(v);
}

void box_start(struct vmm *v)
{
	BUF request = BUF_INIT;

	v->starts = true;
	proto_put_string(&request, PROTO_F_ID, v->o.guest_id);
	/* One that was saved has been frozen since. */
	calls_make(v, v->restored ? PROTO_RESUME : PROTO_START, &request, SET_UP_MS, started, v);
}

static void first_done(struct process *p)
{
	struct vmm *v = p->vmm;

	v->first = NULL;
	v->status = p->status;
	/* It may end before the answer to START is here, which tells whether its program ever ran. */
	if (v->starts)
		return;
	if (v->stage == VMM_CREATED)
		parent_started(v);
	vmm_end(v);
}

static void created(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	(void)body;
	if (!calls_succeeded(v, why))
		return;
	v->stage = VMM_CREATED;
	if (signals_start(v, &e) < 0 || parent_ready(v, &e) < 0)
		vmm_fail(v, &e);
}

/* Streams of the container's callers: this process keeps none, so that an end of file is one. */
static int take_streams(struct vmm *v, struct buf *request, struct err *err)
{
	int fds[3] = {-1, -1, -1}, n = v->o.terminal ? 1 : 3, rc;

	for (int i = 0; i < n; i++) {
		fds[i] = fd_dup(i, err);
		if (fds[i] < 0)
			return fds[i];
	}
	if (v->o.terminal && (v->terminal_fd = fd_dup(0, err)) < 0)
		return v->terminal_fd;
	rc = process_streams(v->first, request, fds, (size_t)n, v->o.terminal, err);
	for (int i = 0; i < 3 && rc == 0; i++) {
		/* Without a log the last error can only be told here. */
		if ((i < 2 || log_fd() >= 0) && dup3(v->null_fd, i, 0) < 0)
			rc = err_sys(err, "set descriptor %d to '/dev/null'", i);
	}
	fd_replace(&v->null_fd, -1);
	return rc;
}

static void put_size(struct vmm *v, struct buf *request)
{
	struct winsize ws;

	if (v->terminal_fd < 0 || ioctl(v->terminal_fd, TIOCGWINSZ, &ws) < 0 || !ws.ws_row)
		return;
	proto_put_u32(request, PROTO_F_ROWS, ws.ws_row);
	proto_put_u32(request, PROTO_F_COLUMNS, ws.ws_col);
}

static int ask_create(struct vmm *v, struct err *err)
{
	BUF request = BUF_INIT;
	int rc;

	if (lseek(v->o.create_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read the configuration");
	proto_put_string(&request, PROTO_F_ID, v->o.guest_id);
	rc = process_put_fields(v->o.create_fd, "config.json", &request, err);
	if (rc < 0)
		return rc;
	fd_replace(&v->o.create_fd, -1);
	v->first = process_new(v, v->o.guest_id, NULL);
	v->first->done = first_done;
	rc = take_streams(v, &request, err);
	if (rc < 0)
		return rc;
	put_size(v, &request);
	calls_make(v, PROTO_CREATE, &request, SET_UP_MS, created, v);
	return 0;
}

/* The container is there: its first process gets new streams. */
static int ask_attach(struct vmm *v, struct err *err)
{
	BUF request = BUF_INIT;
	int rc;

	v->first = process_new(v, v->o.guest_id, NULL);
	v->first->done = first_done;
	proto_put_string(&request, PROTO_F_ID, v->o.guest_id);
	rc = take_streams(v, &request, err);
	if (rc < 0)
		return rc;
	calls_make(v, PROTO_ATTACH, &request, CALL_TIMEOUT_MS, created, v);
	return 0;
}

static void networked(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	(void)body;
	if (why)
		vmm_fail(v, why);
	else if (ask_create(v, &e) < 0)
		vmm_fail(v, &e);
}

static void rooted(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	BUF request = BUF_INIT;

	if (why || !v->network) {
		networked(v, body, why);
		return;
	}
	proto_put_string(&request, PROTO_F_ID, v->o.guest_id);
	network_put(v, &request);
	calls_make(v, PROTO_NET_CONFIG, &request, CALL_TIMEOUT_MS, networked, v);
}

/* The container's root inherits them; each bind mount brings its own. */
static void put_flags(uint32_t ms, struct buf *request)
{
	uint32_t flags = (ms & MS_NOSUID ? PROTO_MOUNT_NOSUID : 0) |
			 (ms & MS_NODEV ? PROTO_MOUNT_NODEV : 0) |
			 (ms & MS_NOEXEC ? PROTO_MOUNT_NOEXEC : 0) |
			 (ms & MS_NOATIME ? PROTO_MOUNT_NOATIME : 0);

	if (flags)
		proto_put_u32(request, PROTO_F_MOUNT_FLAGS, flags);
}

void box_put_mount(const char *target, uint32_t flags, struct buf *request)
{
	proto_put_string(request, PROTO_F_SOURCE, MACHINE_SHARE_TAG);
	proto_put_string(request, PROTO_F_FS_TYPE, "virtiofs");
	proto_put_string(request, PROTO_F_TARGET, target);
	put_flags(flags, request);
}

/*
 * A root from an image is read-only, and the same for all machines that have it. What the container
 * changes lies over it, in the guest's memory.
 */
static void layered(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	BUF request = BUF_INIT;

	if (why) {
		rooted(v, body, why);
		return;
	}
	proto_put_string(&request, PROTO_F_SOURCE, "overlay");
	proto_put_string(&request, PROTO_F_FS_TYPE, "overlay");
	proto_put_string(&request, PROTO_F_TARGET, VM_ROOT_PATH);
	proto_put_string(&request, PROTO_F_DATA,
			 "lowerdir=" VM_IMAGE_PATH ",upperdir=" VM_LAYER_PATH
			 "/upper,workdir=" VM_LAYER_PATH "/work");
	put_flags(v->o.root_flags, &request);
	calls_make(v, PROTO_MOUNT_FS, &request, CALL_TIMEOUT_MS, rooted, v);
}

static void mounted(void *arg, const struct proto_body *body, const struct err *why)
{
	struct vmm *v = arg;
	BUF request = BUF_INIT;

	if (why || !v->o.root_image_type) {
		rooted(v, body, why);
		return;
	}
	proto_put_string(&request, PROTO_F_SOURCE, "pmem0");
	proto_put_string(&request, PROTO_F_FS_TYPE, v->o.root_image_type);
	proto_put_string(&request, PROTO_F_TARGET, VM_IMAGE_PATH);
	proto_put_u32(&request, PROTO_F_MOUNT_FLAGS, PROTO_MOUNT_RDONLY);
	/* Its pages are the host's: the guest keeps no copy. */
	proto_put_string(&request, PROTO_F_DATA,
			 strcmp(v->o.root_image_type, "ext4") == 0 ? "dax=always,noload"
								   : "dax=always");
	calls_make(v, PROTO_MOUNT_FS, &request, CALL_TIMEOUT_MS, layered, v);
}

static void mount_share(struct vmm *v)
{
	BUF request = BUF_INIT;

	box_put_mount(VM_SHARE_PATH, v->o.root_flags, &request);
	calls_make(v, PROTO_MOUNT_FS, &request, CALL_TIMEOUT_MS, mounted, v);
}

static void on_ready(void *arg, const uint64_t boot_ns[2])
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	log_debug("the guest's agent is there, %llu ms after its kernel began",
		  (unsigned long long)boot_ns[1] / 1000000);
	v->stage = VMM_SETS_UP;
	fd_replace(&v->o.kernel_fd, -1);
	if (v->o.save.state_fd >= 0) {
		warmup_start(v);
		return;
	}
	if (v->restored) {
		if (ask_attach(v, &e) < 0)
			vmm_fail(v, &e);
	} else if (v->is_copy) {
		mounted(v, NULL, NULL);
	} else {
		mount_share(v);
	}
}

static void on_exited(void *arg, const char *id, const char *exec, const struct agent_exit *e)
{
	struct vmm *v = arg;
	struct process *p = process_find(v, id, exec);

	/* Of a process that was started; the guest may say what it likes. */
	if (p)
		process_exited(p, e->signal ? e->signal : e->code << 8, e->written);
}

static void on_oom(void *arg, const char *id)
{
	struct vmm *v = arg;

	const bool is_first = strcmp(id, v->o.guest_id) == 0;

	if (!is_first && !member_find(v, id))
		return;
	/* The error stream is the container's own as long as it runs. */
	if (log_fd() >= 0)
		log_warn("container '%s': a process was killed for lack of memory",
			 is_first ? v->o.id : id);
	control_oom(v, id);
}

static void on_log(void *arg, const char *text)
{
	(void)arg;
	log_info("guest: %s", text);
}

static void on_lost(void *arg, const struct err *why)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;

	/* When the machine itself is gone there is a better reason on its way. */
	if (v->stage == VMM_ENDS || vm_end_reason(v->machine.vm) != VM_RUNS)
		return;
	(void)err_set(&e, why->code, "the agent in the virtual machine is lost: %s", why->msg);
	vmm_fail(v, &e);
}

/* A guest whose files are gone would wait for them for ever. */
static void files_lost(void *arg, uint32_t events)
{
	struct vmm *v = arg;
	struct err e = ERR_INIT;
	siginfo_t info = {0};

	(void)events;
	loop_remove(v->files);
	v->files = NULL;
	if (v->stage == VMM_ENDS)
		return;
	if (waitid(P_PID, (id_t)v->machine.files.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_code != CLD_EXITED)
		(void)err_set(&e, EIO, "the server of its files was killed by signal %d",
			      info.si_status);
	else
		(void)err_set(&e, EIO, "the server of its files ended with status %d",
			      info.si_status);
	vmm_fail(v, &e);
}

int box_watch_files(struct vmm *v, struct err *err)
{
	return loop_add(v->loop, v->machine.files.pid_fd, EPOLLIN, files_lost, v, &v->files, err);
}

const struct agent_events box_events = {on_ready, on_exited, on_oom, on_log, on_lost};
