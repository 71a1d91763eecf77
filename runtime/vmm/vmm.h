/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-vmm from the inside: one container in one virtual machine, and those that join it. Its main
 * thread runs the loop that all of this lives on; the machine's own threads hand it the guest's
 * connections.
 *
 *   main.c      options, the machine, the exit status
 *   parent.c    hull-oci, which waits for READY, and exec.fifo, by which start comes
 *   box.c       the container: from the agent's hello to its end
 *   member.c    further containers, from the first of their files to their end
 *   trees.c     the files of those, which the file server gets and gives up
 *   network.c   the interfaces that the machine stands in for
 *   process.c   a process in the guest and its streams
 *   calls.c     requests to the agent, more than it takes at a time
 *   signals.c   what is sent to this process goes to the container's first one
 *   checkpoint.c  the machine saved
 *   recording.c  what a copy needs of its memory
 *   template.c  the machine begun as a copy of another, or saved to be one
 *   warmup.c    what a machine does once before it is saved to be one
 *   resize.c    processors and memory, less and more
 *   control.c   the control socket: ps, stats, kill --all, update, checkpoint
 *   client.c    one that asks there, until its last answer
 *   exec.c      further processes, which clients ask for
 *   join.c      what clients say of further containers
 *   messages.c  what the guest's kernel says before it dies
 */
#ifndef HULL_VMM_H
#define HULL_VMM_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/netconf.h"
#include "microvm/agent.h"
#include "microvm/agent_stream.h"
#include "microvm/machine.h"

struct vmm_options {
	int kvm_fd, kernel_fd, initramfs_fd, create_fd, control_fd, share_fd, sync_fd;
	struct snapshot restore; /* in place of kernel, initramfs and create: what to make again */
	int template_fd; /* that is a template, in this directory, and the container is new; -1: it is not */
	struct snapshot save; /* there is no container: what the machine is saved to, as a template */
	int fifo_fd; /* -1: started as soon as the parent says GO */
	int log_fd;
	int root_image_fd; /* -1: the root is in the share */
	const char *root_image_type; /* of the file system in it */
	int network_fd; /* a file with the network's configuration, base/netconf.h; -1: none */
	int tap_fds[NETCONF_LINKS_MAX];
	size_t n_taps;
	uint32_t cpus;
	uint64_t memory;     /* bytes */
	uint32_t root_flags; /* MS_…, of the mount that the container's root lies on */
	bool terminal, log_json, log_debug, hugepages;
	const char *id, *cmdline, *kernel_name;
	const char *guest_id; /* what the guest calls the container */
};

enum vmm_stage {
	VMM_BOOTS,   /* until the agent's hello */
	VMM_SETS_UP, /* until the container is created */
	VMM_CREATED, /* until its process runs */
	VMM_RUNS,    /* until it has ended */
	VMM_ENDS,    /* until the machine is gone */
};

struct vmm {
	struct vmm_options o;
	enum vmm_stage stage;
	bool restored; /* the guest was not booted, and has the container already */
	bool is_copy;  /* it is of a template, and has the share mounted already */
	bool starts; /* the guest was asked to, and has not answered */
	struct loop *loop;
	struct machine machine;
	struct netconf *network; /* NULL: it has none */
	struct agent *agent;
	struct agent_streams *streams;
	struct calls *calls;
	struct control *control;
	struct trees *trees;
	struct member *members;
	struct checkpoint *checkpoint; /* under way, or NULL */
	struct recording *recording;   /* under way, or NULL */
	struct resize *resize;         /* the same */
	struct signals *signals;
	struct messages *messages;

	struct loop_source *parent, *deadline, *files;
	int connections[2]; /* a pipe of descriptors, from the I/O thread */
	int requests[2];    /* a pipe of vsock_request, to it; the device has [0] */
	struct process *processes;
	struct process *first;
	int null_fd;     /* /dev/null, until it is in place of the container's streams */
	int terminal_fd; /* the slave, -1: none */
	int status;      /* as wait(2) gives it: how this process is to end */
	bool failed;     /* it could not do its work: exit status VMM_EXIT_FAILED instead */
	struct err why;  /* it failed */
};

#define VMM_EXIT_FAILED 255

/* ---- main.c ---- */

/* The container has ended, or cannot go on (why != NULL): the machine is stopped, then this process. */
void vmm_end(struct vmm *v);
void vmm_stop(struct vmm *v); /* without a word to the guest */
void vmm_fail(struct vmm *v, const struct err *why);

/* ---- parent.c ---- */

int parent_ready(struct vmm *v, struct err *err) MUST_CHECK; /* the container is created */
void parent_started(struct vmm *v);                          /* its process runs */
bool parent_told(struct vmm *v, const struct err *why); /* false when nobody waits to hear it */

/* ---- box.c ---- */

extern const struct agent_events box_events;
void box_start(struct vmm *v);
/* MOUNT_FS of the share at target; flags: MS_…, of the mount that a container's root lies on. */
void box_put_mount(const char *target, uint32_t flags, struct buf *request);
int box_watch_files(struct vmm *v, struct err *err) MUST_CHECK; /* their server may end */

/* ---- trees.c ---- */

int trees_new(struct vmm *v, struct trees **ret, struct err *err) MUST_CHECK;
/* why: NULL when the guest can reach the tree. */
typedef void tree_fn(void *arg, const struct err *why);
/*
 * One more user of the tree called name; when it is not there yet, fd (owned from now on) is its top. fn is
 * called once, perhaps before this returns; on failure there is no such user.
 */
void trees_use(struct vmm *v, const char *name, int fd, tree_fn *fn, void *arg);
void trees_leave(struct vmm *v, const char *name); /* one user less; it goes with the last one */

/* ---- member.c ---- */

struct member;

/*
 * What a member's owner hears: the answers to what it asked for, in turn, and the end, when nothing of the
 * container is left: number is its status as wait(2) gives it, why is NULL.
 */
enum member_word { MEMBER_ANSWER, MEMBER_ENDED };
typedef void member_fn(void *arg, enum member_word word, uint32_t number, const struct err *why);

struct member_join {
	struct buf fields; /* of vm_request_create, released by the caller */
	int fds[3];        /* as process_streams has them; owned */
	size_t n_fds;
	bool terminal;
	uint32_t size;        /* rows << 16 | columns */
	uint32_t mount_flags; /* MS_… */
};

/* A container of that name, of which nothing is there yet. */
int member_new(struct vmm *v, const char *id, member_fn *fn, void *arg, struct member **ret,
	       struct err *err) MUST_CHECK;
/* Each of these is answered when it returns 0; one at a time. */
int member_share(struct member *m, const char *tree, int fd,
		 struct err *err) MUST_CHECK; /* takes fd */
int member_join(struct member *m, struct member_join *j, struct err *err) MUST_CHECK;
int member_start(struct member *m, struct err *err) MUST_CHECK;
/* Not answered. */
void member_signal(struct member *m, uint32_t signal);
void member_resize(struct member *m, uint32_t size);
/* The container ends, whatever it does. */
void member_leave(struct member *m);
void member_abandon(struct member *m); /* the same, and its owner hears nothing any more */
struct member *member_find(struct vmm *v, const char *id);

/* ---- network.c ---- */

int network_load(struct vmm *v, struct err *err) MUST_CHECK; /* from the options' descriptors */
/* ret: a device for each interface, with descriptors that are borrowed. *ret_n is 0 without any. */
int network_devices(struct vmm *v, struct machine_net ret[static NETCONF_LINKS_MAX], size_t *ret_n,
		    struct err *err) MUST_CHECK;
void network_put(const struct vmm *v, struct buf *request); /* NETWORK */

/* ---- process.c ---- */

struct process_stream {
	struct process *process;
	struct agent_stream *stream; /* NULL: nothing flows any more */
	bool awaited;                /* output that is not all handed on */
};

struct process {
	struct process *next;
	struct vmm *vmm;
	char *container; /* what the guest calls it */
	char *exec; /* NULL: the container's first process */
	struct process_stream streams[3];
	bool exited, told;
	int status; /* as wait(2) gives it */
	/*
	 * Its end has come, and all it wrote until then has been handed on. It lives on for as long as
	 * others write to its streams, and is freed then.
	 */
	void (*done)(struct process *p);
	void *arg;
};

struct process *process_new(struct vmm *v, const char *container, char *exec); /* owns exec */
void process_free(struct process *p);                                          /* NULL: nothing */
struct process *process_find(struct vmm *v, const char *container, const char *exec);

/*
 * Makes its streams and adds their ports to request. fds: its standard streams, or with terminal
 * one descriptor, a terminal's slave, which is put into raw mode; owned from now on, also on failure.
 */
int process_streams(struct process *p, struct buf *request, int *fds, size_t n_fds, bool terminal,
		    struct err *err) MUST_CHECK;
void process_exited(struct process *p, int status, const uint64_t written[2]);
void process_put_name(const struct process *p, struct buf *request); /* ID and EXEC_ID */
/* What hull-oci says of it: the file of vm_request.h, called what in messages; behind the name. */
int process_put_fields(int fd, const char *what, struct buf *request, struct err *err) MUST_CHECK;

/* ---- calls.c ---- */

int calls_new(struct vmm *v, struct calls **ret, struct err *err) MUST_CHECK;
/* As agent_call; what is too many at a time waits its turn. fn is called in any case, once. */
void calls_make(struct vmm *v, enum proto_op op, const struct buf *body, uint32_t timeout_ms,
		agent_reply_fn *fn, void *arg);

/* With an answer that is needed to go on: false when the machine ends, now if it was an error. */
bool calls_succeeded(struct vmm *v, const struct err *why);

#define CALL_TIMEOUT_MS 30000 /* for what a guest has no reason to spend more time on */

/* ---- signals.c ---- */

/* Blocks all signals, before any thread is made. */
int signals_new(struct vmm *v, struct signals **ret, struct err *err) MUST_CHECK;
int signals_start(struct vmm *v, struct err *err) MUST_CHECK; /* the container is there */

/* ---- checkpoint.c ---- */

/* why: NULL when the files hold the machine. False: nobody was there to hear it. */
typedef bool checkpoint_fn(void *arg, const struct err *why);
/*
 * Saves the machine to the files, which are owned from now on, on success; fn is called once. Without
 * leave_running the container ends then, as if killed, if that was heard. -EBUSY: it does not run.
 */
int checkpoint_start(struct vmm *v, const struct snapshot *to, bool leave_running,
		     checkpoint_fn *fn, void *arg, struct err *err) MUST_CHECK;

/* ---- template.c ---- */

#define TEMPLATE_NETS 1 /* containers with more interfaces boot */

/*
 * The machine that is asked for: made from a template if there is one, else booted or restored. nets:
 * the config's, with room for devices to spare.
 */
int template_start(struct vmm *v, const struct machine_config *config,
		   struct machine_net nets[static NETCONF_LINKS_MAX], struct err *err) MUST_CHECK;
/* The agent is there, and the machine is to become a template. */
void template_save(struct vmm *v);

/* ---- warmup.c ---- */

/* The same, with a container made and deleted before. */
void warmup_start(struct vmm *v);

/* ---- recording.c ---- */

void recording_begin(struct vmm *v); /* before the jail, if nothing is recorded yet */
void recording_due(struct vmm *v);   /* the container runs */
void recording_end(struct vmm *v);   /* now, while there is a machine */

/* ---- resize.c ---- */

/* What resize_start takes to be back where it was. */
struct resize_undo {
	uint32_t cpus;
	uint64_t memory;
};

typedef void resize_fn(void *arg, const struct resize_undo *undo, const struct err *why);
/*
 * Has so many processors online and leaves the guest so much memory, in bytes; 0: as it is; more than
 * there was at boot: that. fn is called once, on success, perhaps at once. -EBUSY: it is being resized.
 */
int resize_start(struct vmm *v, uint32_t cpus, uint64_t memory, resize_fn *fn, void *arg,
		 struct err *err) MUST_CHECK;

/* ---- control.c ---- */

int control_new(struct vmm *v, struct control **ret, struct err *err) MUST_CHECK;
void control_oom(struct vmm *v, const char *container);
/* Inside there would be no error, and no such memory. resources: a linux.resources object or NULL. */
int control_check_memory(const struct vmm *v, const struct json_node *resources,
			 struct err *err) MUST_CHECK;

/* ---- join.c ---- */

void join_ended(struct vmm *v, const char *container); /* there is no such member any more */

/* ---- messages.c ---- */

/* *ret_fd is for the guest's serial port, and stays open. */
int messages_new(struct messages **ret, int *ret_fd, struct err *err) MUST_CHECK;
/* The kernel's last word when it was a panic, else NULL. */
const char *messages_panic(struct messages *m);

#endif
