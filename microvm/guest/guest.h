/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-agent from the inside: one thread, one loop. A request that takes time or may fail in the
 * middle is a job: a child process that calls the same functions as hull-oci does on a host, and
 * leaves its result in memory that it shares with the agent.
 *
 * Guest directory: containers/ is hull's state, bundles/ID the bundle of container ID (a relative
 * root.path is looked for there), processes/ID a link to the directory of its first process in procfs,
 * agent/ the agent's own.
 */
#ifndef HULL_GUEST_H
#define HULL_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "microvm/guest/request.h"
#include "microvm/proto.h"
#include "runtime/runtime.h"

/* Whether the agent is the guest's first process, or an ordinary one beside a test. */
struct guest_place {
	const char *dir;    /* PROTO_GUEST_DIR, or a test's */
	const char *socket; /* NULL: vsock; or a test's, see main.c */
	bool is_machine;    /* clock, entropy and reset are ours */
};

/* A host connects for what it asks: more than all requests of one need are none of its. */
#define ACCEPTED_MAX 256

struct guest {
	struct guest_place place;
	struct loop *loop;
	struct runtime rt;
	uint64_t boot_ns; /* CLOCK_BOOTTIME when the agent began */

	int control_fd;
	struct loop_source *control;
	struct proto_reader in;
	struct proto_writer out;
	int listen_fd; /* for streams */
	/* Connections that nobody has asked for yet, oldest first. */
	struct accepted {
		uint32_t port;
		int fd;
	} accepted[ACCEPTED_MAX];
	size_t n_accepted;
	bool greeted; /* HELLO is answered */
	bool writes;  /* the loop does, when the connection has room */
	/* Since SUSPEND the machine may be another at any time, whose host knows nothing of this one. */
	bool suspended;
	unsigned int connection, tries; /* how many there were before, and tries to make one */
	bool lost;               /* the connection is over, the next one is to be made */
	struct loop_source *reconnect;

	int signal_fd;
	struct job *jobs;
	unsigned int n_jobs, next_job;
	struct process *processes;
	unsigned int n_processes;
	char *network_of;        /* the container that network is for; NULL: none */
	struct netconf *network; /* as NET_CONFIG gave it, until the container is created */

	struct err end; /* why the agent ends; code 0: it was asked to */
};

/* ---- control.c: the connection to the host ---- */

int guest_greet(struct guest *g, struct err *err) MUST_CHECK; /* connects and says HELLO */
/* Serves until the host goes or asks for the end. */
int guest_run(struct guest *g, struct err *err) MUST_CHECK;

/* The queue being full ends the agent: a host that reads nothing is no host. */
void guest_reply(struct guest *g, const struct request *q, const struct buf *body);
void guest_fail(struct guest *g, const struct request *q, const struct err *why);
void guest_event(struct guest *g, enum proto_event event, const struct buf *more);
void guest_log(struct guest *g, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A machine's first process has no standard streams yet, whose numbers are theirs: a higher one. */
int guest_leave_stdio(int *fd, struct err *err) MUST_CHECK;

/* ---- accept.c: connections of the host, for streams ---- */

int accept_listen(struct guest *g, struct err *err) MUST_CHECK;
/* The connection that comes from this port of the host, not blocking, the caller's. -ETIMEDOUT */
int accept_from(struct guest *g, uint32_t port, struct err *err) MUST_CHECK;
/* Those of a request that was refused. */
void accept_drop(struct guest *g, const struct request *q);
void accept_forget(struct guest *g); /* all that nobody has asked for */

/* ---- ops.c: requests ---- */

/* Answers q now or later; takes what it owns. */
void guest_serve(struct guest *g, struct request *q);
/* What NET_CONFIG has given for it, or NULL. */
const struct netconf *guest_network_of(const struct guest *g, const char *container);
void guest_forget_network(struct guest *g);

/* ---- job.c: children that do the work ---- */

struct job;

/* In the child, its streams set: output goes to fd. The runtime is open. */
typedef int job_fn(struct runtime *rt, const struct guest *g, const struct request *q,
		   const void *arg, int fd, struct err *err);
/* In the agent, at the child's end: the output, or why != NULL. Owns q no longer than it runs. */
typedef void job_done_fn(struct guest *g, struct request *q, void *arg, const struct buf *output,
			 const struct err *why);

/*
 * Starts fn in a child. stdio: descriptors that become its 0 to 2, or NULL for /dev/null. q is owned
 * from now on, on success.
 */
int job_start(struct guest *g, job_fn *fn, const int stdio[3], struct request *q, job_done_fn *done,
	      void *arg, struct err *err) MUST_CHECK;

/* The child pid has ended: true when it was a job, which is done then. */
bool job_ended(struct guest *g, pid_t pid);
/* The same for all that have ended. */
void job_reap(struct guest *g);
void job_free_all(struct guest *g);

/* ---- process.c: what runs ---- */

struct process {
	struct process *next;
	char *container, *exec; /* exec: NULL for the first one */
	pid_t pid;              /* 0 until it is started */
	bool exited, gone;      /* gone: its container has been deleted */
	int status;             /* of wait(2) */
	bool oom;
	uint64_t written[2];
	struct stdio *io;
	struct request *waiters; /* WAITs without an answer */
	size_t n_waiters;
	struct oom_watch *oom_watch; /* of a first process */
};

struct process *process_find(struct guest *g, const char *container, const char *exec);
/* -EEXIST when there is one of that name. */
int process_new(struct guest *g, const struct request *q, struct process **ret,
		struct err *err) MUST_CHECK;
void process_free(struct guest *g, struct process *p);
void process_free_all(struct guest *g);
void process_started(struct guest *g, struct process *p, pid_t pid);
/* A request to WAIT; q is owned from now on, on success. */
int process_wait(struct guest *g, struct process *p, struct request *q, struct err *err) MUST_CHECK;
/* The container has been deleted: its ended processes are forgotten, the others when they end. */
void process_forget(struct guest *g, const char *container);
/* A new host has taken over: it hears of p's end once more, and the container's execs are killed. */
void process_attached(struct guest *g, struct process *p);
void process_reap(struct guest *g); /* all children that have ended, jobs included */

/* ---- net.c: a container's network ---- */

/*
 * Moves an interface for each of conf's links, found by its hardware address, from the caller's network
 * namespace to that of process pid, and configures it there. The caller is a child of the agent's: it
 * may end in either namespace when this fails.
 */
int net_furnish(const struct netconf *conf, pid_t pid, struct err *err) MUST_CHECK;

/* ---- oom.c ---- */

struct oom_watch *oom_watch_new(struct guest *g, const char *container);
void oom_watch_free(struct oom_watch *w);
/* Whether the OOM killer ended more processes since this was asked last. */
bool oom_watch_killed(struct oom_watch *w);

/* ---- stdio.c: the streams of a process ---- */

struct stdio;

/*
 * Takes the connections of the streams that q has ports for, and makes what the process gets: ret[0 … 2], to be
 * closed by the caller when the child has them. With a terminal they are /dev/null, and
 * stdio_console names the socket that the terminal is to be sent to.
 */
int stdio_open(struct guest *g, const struct request *q, struct stdio **ret, int ret_child[3],
	       struct err *err) MUST_CHECK;
const char *stdio_console(const struct stdio *io); /* NULL: no terminal */
/* The terminal has been sent. */
int stdio_take_console(struct stdio *io, const struct request *q, struct err *err) MUST_CHECK;
int stdio_resize(struct stdio *io, uint32_t rows, uint32_t columns, struct err *err) MUST_CHECK;
int stdio_close_input(struct stdio *io, struct err *err) MUST_CHECK;
/* PROTO_SUSPEND: no more is taken; ret_carried: of stdout, stderr and stdin. */
void stdio_suspend(struct stdio *io, uint64_t ret_carried[3]);
/* After that: goes on, with the streams that q has ports for on new connections. */
int stdio_attach(struct stdio *io, const struct request *q, struct err *err) MUST_CHECK;

/* The process has ended: input ends, a terminal's output too, and written says what came out. */
void stdio_process_ended(struct stdio *io, uint64_t written[2]);
/* Has no owner any more: it is freed when its output has ended. */
void stdio_detach(struct stdio *io);
void stdio_free(struct stdio *io); /* cuts what flows; NULL: nothing */

/* ---- system.c: what only the first process of a machine does ---- */

int system_setup(struct err *err) MUST_CHECK; /* mounts, limits, a root that can be left */
void system_set_clock(uint64_t ns);
void system_add_entropy(const uint8_t *data, size_t len);
uint64_t system_boottime_ns(void);
/* In a child that will become a container's. */
void system_reset_child(void);
void system_reset_machine(void) __attribute__((noreturn));

#endif
