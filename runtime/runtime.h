/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OCI life cycle. A container is a directory below the runtime's root directory, which each
 * operation locks (man 2 flock), with state.json (who it is), config.json (a copy of the bundle's
 * file as it was at create) and exec.fifo (while it waits for start). What state reports is derived
 * from facts: the fifo, the process' start time, the freezer.
 */
#ifndef HULL_RUNTIME_H
#define HULL_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/cgroups.h"
#include "runtime/spec.h"

struct runtime {
	const char *root; /* state root, absolute */
	enum cgroup_manager cgroup_manager;
	bool prefers_vm; /* called by the name that asks for virtual machines */
	int root_fd; /* O_PATH of root; -1 until it exists */
	int proc_fd; /* see proc_open_root() */
};

/* root: NULL for /run/hull. make_root: create it (0700) when missing. Refuses "/". */
int runtime_open(const char *root, enum cgroup_manager manager, bool make_root, struct runtime *ret,
		 struct err *err) MUST_CHECK;
void runtime_close(struct runtime *rt);

enum container_status {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_STOPPED,
};
const char *container_status_name(enum container_status status);

/* What is known of one container; strings are owned by it. */
struct container {
	struct runtime *rt;
	char *id;
	int dir_fd; /* its state directory */

	enum container_status status; /* as of container_open */
	pid_t pid;                    /* first process, 0 when stopped */
	int pidfd;                    /* of pid, -1 when stopped */
	uint64_t start_time;          /* of pid, clock ticks (man 5 proc) */
	char *bundle, *rootfs, *created, *owner, *cgroup_path;
	enum cgroup_manager cgroup_manager;
	struct spec_annotation *annotations;
	size_t n_annotations;
	struct cgroup *cgroup; /* opened lazily by container_cgroup */
	bool is_vm;            /* in a virtual machine: pid is its hull-vmm, or stands in */
	char *sandbox;         /* whose machine that is; NULL: the container's own */
	char *guest_id;        /* what the guest calls it; NULL: the same */
	bool own_pid_ns;       /* the container has a pid namespace of its own */
	bool has_process;      /* config.json has a process: start can work */
};

enum container_lock { CONTAINER_LOCK_NONE, CONTAINER_LOCK_SHARED, CONTAINER_LOCK_EXCLUSIVE };

/*
 * Opens container id and finds out its status. -ENOENT: no such container ("container 'ID' does not
 * exist"). A directory without a readable state.json: -ENODATA (delete --force copes).
 */
int container_open(struct runtime *rt, const char *id, enum container_lock lock,
		   struct container **ret, struct err *err) MUST_CHECK;
void container_close(struct container *c);
int container_cgroup(struct container *c, struct cgroup **ret,
		     struct err *err) MUST_CHECK; /* borrowed */
int container_config(struct container *c, struct spec **ret,
		     struct err *err) MUST_CHECK; /* saved copy; spec_free */
int container_check_id(const char *id, struct err *err) MUST_CHECK;

/* Ids below the root, sorted; NULL-terminated, caller frees each and the list. */
int container_ids(struct runtime *rt, char ***ret, struct err *err) MUST_CHECK;

struct create_options {
	const char *bundle;         /* NULL: "." */
	const char *config;         /* NULL: "config.json" */
	const char *console_socket; /* NULL: none */
	const char *pidfd_socket;
	const char *pid_file;
	bool no_pivot;
	bool no_new_keyring;
	unsigned int preserve_fds;
	bool detach;       /* run only */
	bool keep;         /* run only: leave the container after its end */
	bool no_subreaper; /* run only */
	/*
	 * Gives the network namespace of process pid what it is to have, before sysctls are written
	 * and hooks run. Only for a container that has one of its own. NULL: nothing is given.
	 */
	int (*furnish_network)(void *arg, pid_t pid, struct err *err);
	void *network_arg;
	const char *image_path; /* run only: a checkpoint to begin from; NULL: none */
	pid_t *ret_pid;         /* create only: of its process; NULL: nobody asks */
	char *passwd; /* the root's /etc/passwd, taken to pieces, where no mount hides it; NULL: it is read */
};

int container_create(struct runtime *rt, const char *id, const struct create_options *o,
		     struct err *err) MUST_CHECK;
int container_start(struct runtime *rt, const char *id, struct err *err) MUST_CHECK;
/* *ret_status: exit status of the process (128 + signal); 0 with detach. */
int container_run(struct runtime *rt, const char *id, const struct create_options *o,
		  int *ret_status, struct err *err) MUST_CHECK;
/* all: every process of the cgroup. -ESRCH: "container not running". */
int container_kill(struct runtime *rt, const char *id, int sig, bool all,
		   struct err *err) MUST_CHECK;
int container_delete(struct runtime *rt, const char *id, bool force, struct err *err) MUST_CHECK;

struct checkpoint_options {
	const char *image_path; /* a directory, made if it is not there */
	bool leave_running;     /* else the container is deleted then */
};
/* -EOPNOTSUPP: it is made of namespaces. On failure it goes on, and no image is left. */
int container_checkpoint(struct runtime *rt, const char *id, const struct checkpoint_options *o,
			 struct err *err) MUST_CHECK;

int container_pause(struct runtime *rt, const char *id, struct err *err) MUST_CHECK;
int container_resume(struct runtime *rt, const char *id, struct err *err) MUST_CHECK;

struct exec_options {
	const char
		*process_file; /* NULL: from args and the options below, on the config's process */
	const char *const *args; /* NULL-terminated */
	const char *cwd;         /* NULL: the config's */
	const char *const *env;  /* NULL-terminated additions or NULL */
	bool tty;
	bool has_user;
	uint32_t uid, gid;
	bool has_gid;
	const uint32_t *groups; /* additional ones */
	size_t n_groups;
	const char *const *caps;                      /* NULL-terminated names to add, or NULL */
	const char *selinux_label, *apparmor_profile; /* NULL: the config's */
	bool no_new_privs;
	const char *console_socket, *pidfd_socket, *pid_file;
	bool detach;
	unsigned int preserve_fds;
	const char *const *cgroups; /* NULL-terminated "[controller:]path", or NULL */
	bool ignore_paused;
	/*
	 * Called before anything of hull enters the container's namespaces, for its own binary to be out
	 * of reach there; not for one in a virtual machine. NULL: it need not be. May not return.
	 */
	int (*protect)(void *arg, struct err *err);
	void *protect_arg;
	pid_t *ret_pid; /* as of create_options, as the next; with detach */
	char *passwd;
};

int container_exec(struct runtime *rt, const char *id, const struct exec_options *o,
		   int *ret_status, struct err *err) MUST_CHECK;

/* The update command: a resources object (update --resources) or one built from its options. */
int container_update(struct runtime *rt, const char *id, const struct json_node *resources,
		     const char *l3_cache_schema, const char *mem_bw_schema,
		     struct err *err) MUST_CHECK;

/*
 * The events command: writes JSON lines to fd, the first statistics at once and alone when
 * interval_ns is 0, else statistics at every interval and each out-of-memory event, until the
 * container ends or nobody reads fd any more (EPIPE; the caller ignores SIGPIPE).
 */
int container_events(struct runtime *rt, const char *id, uint64_t interval_ns, int fd,
		     struct err *err) MUST_CHECK;

/* state JSON as the specification's state document, appended to out (no newline). */
void container_state_write(const struct container *c, struct json_writer *w);

#endif
