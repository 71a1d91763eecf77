/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The events command: one JSON object a line, {"type":"stats",…} at an interval and
 * {"type":"oom",…} for each out-of-memory event, until the container's first process ends. One
 * poll(2) waits for the container, the kernel's OOM notification, the interval and the reader of
 * the output.
 *
 * The kernel's notification is weaker than an event: on cgroup2 it tells of any change of
 * memory.events, on v1 also of the group's removal, and the end of the first process may overtake
 * it. So the count of processes killed decides, except on v1, where an OOM need not kill.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/runtime.h"
#include "runtime/stats.h"
#include "runtime/vm_control.h"

struct watch {
	struct container *c;
	struct spec *spec; /* the container's saved configuration */
	struct cgroup *cg;
	int out;
	int oom_fd;          /* -1: no memory controller */
	uint64_t kills;      /* as of the beginning */
	uint64_t n_reported; /* oom events since */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Returns 0, or -errno; -EPIPE is for the caller to understand. */
static int write_line(struct watch *w, struct buf *line, struct err *err)
{
	int rc;

	buf_addc(line, '\n');
	rc = io_write(w->out, buf_str(line), line->len);
	return rc < 0 ? err_code(err, -rc, "write events of '%s'", w->c->id) : 0;
}

static struct json_writer *begin_event(const struct watch *w, const char *type)
{
	struct json_writer *j = json_w_new(false);

	json_w_object(j, NULL);
	json_w_string(j, "type", type);
	json_w_string(j, "id", w->c->id);
	return j;
}

/* What the guest counts. It is not trusted: the text is read as JSON, and written anew. */
static int write_vm_stats(const struct container *c, struct json_writer *j, struct err *err)
{
	BUF text = BUF_INIT;
	JSON *doc = NULL;
	int rc = vm_control_call(c, VM_CONTROL_STATS, 0, -1, &text, err);

	if (rc == 0)
		rc = json_parse("the guest's statistics", buf_str(&text), text.len, &doc, err);
	if (rc < 0)
		return rc;
	if (!json_get(json_root(doc), "data"))
		return err_set(err, EPROTO, "the guest's statistics have no data");
	json_w_node(j, "data", json_get(json_root(doc), "data"));
	return 0;
}

static int report_stats(struct watch *w, struct err *err)
{
	struct json_writer *j = begin_event(w, "stats");
	BUF line = BUF_INIT;
	int rc = w->c->is_vm ? write_vm_stats(w->c, j, err)
			     : stats_write(w->c, w->cg, w->spec->rdt, j, err);

	json_w_end(j);
	json_w_finish(j, &line);
	return rc < 0 ? rc : write_line(w, &line, err);
}

static int report_oom(struct watch *w, struct err *err)
{
	struct json_writer *j = begin_event(w, "oom");
	BUF line = BUF_INIT;

	w->n_reported++;
	json_w_end(j);
	json_w_finish(j, &line);
	return write_line(w, &line, err);
}

static bool has_ended(const struct watch *w)
{
	struct pollfd p = {.fd = w->c->pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* Reports what the virtual machine has told. */
static int report_vm_ooms(struct watch *w, struct err *err)
{
	char reply[4096];
	ssize_t n;
	int rc = 0;

	while (rc == 0 && w->oom_fd >= 0) {
		n = recv(w->oom_fd, reply, sizeof(reply), MSG_DONTWAIT);
		if (n > 0)
			rc = report_oom(w, err);
		else if (n < 0 && errno == EAGAIN)
			break;
		else
			fd_replace(&w->oom_fd, -1); /* the machine ends */
	}
	return rc;
}

/* Reports what the kernel's counter knows and nobody was told yet. */
static int report_kills(struct watch *w, struct err *err)
{
	uint64_t kills = 0;

	if (w->c->is_vm)
		return report_vm_ooms(w, err);
	/* when the group is gone with its container there is nothing left to report */
	if (w->oom_fd < 0 || cgroup_oom_kills(w->cg, &kills, NULL) ||
	    kills - w->kills <= w->n_reported)
		return 0;
	w->n_reported = kills - w->kills - 1;
	return report_oom(w, err);
}

static int handle_oom(struct watch *w, struct err *err)
{
	char events[4096];
	ssize_t n;

	if (w->c->is_vm)
		return report_vm_ooms(w, err);
	n = read(w->oom_fd, events, sizeof(events));
	if (n <= 0 || has_ended(w))
		return 0;
	/* an eventfd, thus v1: told before the killer has chosen, or found that it must not kill */
	if (n == sizeof(uint64_t))
		return report_oom(w, err);
	return report_kills(w, err);
}

static int timeout_ms(uint64_t next_ns)
{
	uint64_t now = now_ns(), ms = next_ns > now ? (next_ns - now + 999999) / 1000000 : 0;

	return ms > 3600000 ? 3600000 : (int)ms;
}

/* Waits for one thing and deals with it. Returns 1 to go on, 0 at the end, or -errno. */
static int step(struct watch *w, uint64_t interval_ns, uint64_t *next_ns, struct err *err)
{
	struct pollfd p[] = {
		{.fd = w->c->pidfd, .events = POLLIN},
		{.fd = w->oom_fd, .events = POLLIN | POLLPRI},
		{.fd = w->out}, /* POLLERR: the reader of a pipe is gone */
	};
	int rc = poll(p, ARRAY_SIZE(p), timeout_ms(*next_ns));

	if (rc < 0)
		return errno == EINTR ? 1 : err_sys(err, "wait for events of '%s'", w->c->id);
	if (p[2].revents)
		return 0;
	if (p[0].revents) {
		rc = report_kills(w, err);
		return rc < 0 ? rc : 0;
	}
	rc = p[1].revents ? handle_oom(w, err) : 0;
	if (rc < 0 || now_ns() < *next_ns)
		return rc < 0 ? rc : 1;
	*next_ns += interval_ns;
	if (*next_ns < now_ns())
		*next_ns = now_ns() + interval_ns; /* after a stop: no salvo of missed ones */
	/* The machine counts, so while it is paused there is nothing new, and nobody to tell it. */
	if (w->c->is_vm && cgroup_is_frozen(w->cg, NULL) == 1)
		return 1;
	rc = report_stats(w, err);
	if (rc < 0 && rc != -EPIPE && has_ended(w))
		return report_kills(w, err); /* the group vanished while it was read */
	return rc < 0 ? rc : 1;
}

/* A descriptor that can be read after an OOM kill. */
static int watch_oom(struct watch *w, struct err *err)
{
	int rc;

	if (!w->c->is_vm)
		return cgroup_oom_watch(w->cg, err);

	CLOSE_FD int fd = vm_control_connect(w->c, err);

	if (fd < 0)
		return fd;
	const struct vm_control_request r = vm_control_about(w->c, VM_CONTROL_OOM);

	rc = vm_control_send(fd, &r, NULL, 0, err);
	return rc < 0 ? rc : fd_take(&fd);
}

static int follow(struct watch *w, uint64_t interval_ns, struct err *err)
{
	uint64_t next_ns = now_ns() + interval_ns;
	struct err why = ERR_INIT;
	int rc = 1;

	w->oom_fd = watch_oom(w, &why);
	if (w->oom_fd < 0)
		log_debug("events: %s", why.msg);
	else if (!w->c->is_vm && cgroup_oom_kills(w->cg, &w->kills, &why))
		log_debug("events: %s", why.msg);
	while (rc == 1)
		rc = step(w, interval_ns, &next_ns, err);
	fd_replace(&w->oom_fd, -1);
	return rc;
}

int container_events(struct runtime *rt, const char *id, uint64_t interval_ns, int fd,
		     struct err *err)
{
	struct watch w = {.out = fd, .oom_fd = -1};
	int rc;

	rc = container_open(rt, id, CONTAINER_LOCK_NONE, &w.c, err);
	if (rc)
		return rc;
	if (w.c->pidfd < 0)
		rc = err_set(err, ESRCH, "container '%s' is not running", id);
	if (!rc)
		rc = container_config(w.c, &w.spec, err);
	if (!rc)
		rc = container_cgroup(w.c, &w.cg, err);
	if (!rc)
		rc = interval_ns ? follow(&w, interval_ns, err) : report_stats(&w, err);
	spec_free(w.spec);
	container_close(w.c);
	return rc == -EPIPE ? 0 : rc;
}
