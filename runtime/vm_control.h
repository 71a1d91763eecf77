/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How hull-oci speaks to the hull-vmm of a running container: one request a connection, over a
 * SOCK_SEQPACKET socket in the state directory of the container that the machine was made for. Both
 * come from the same installation; the version tells when they do not. Private to runtime/ and hull-vmm.
 *
 * A further container in the machine is one connection: SHARE for each of its trees of files, JOIN, and
 * START; whoever closes it has the container removed.
 */
#ifndef HULL_RUNTIME_VM_CONTROL_H
#define HULL_RUNTIME_VM_CONTROL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "runtime/runtime.h"

#define VM_CONTROL_SOCKET  "vm.sock" /* in the state directory */
#define VM_CONTROL_VERSION 4
#define VM_CONTROL_FDS     4
#define VM_CONTROL_NAME    63         /* bytes of a tree's name at most */
#define VM_CONTROL_TEXT    (1u << 20) /* bytes of a reply's text at most */

enum vm_control_op {
	VM_CONTROL_SIGNAL = 1, /* number, to all processes */
	/* fd of these three: a file of the asker's, which gets the answer's text */
	VM_CONTROL_PS,       /* ids as the guest counts them, one a line */
	VM_CONTROL_PS_TABLE, /* as ps -ef shows them */
	VM_CONTROL_STATS,    /* the JSON of events --stats */
	/*
	 * fd: a file with linux.resources. number: how big the machine is to be, processors and MiB of
	 * memory, at most what it was booted with; 0: as it is.
	 */
	VM_CONTROL_UPDATE,
	VM_CONTROL_OOM, /* replies each time a process is killed for lack of memory */
	/*
	 * fds: a file of vm_request_exec's, then its standard streams, or, with flag, a terminal's
	 * slave. Answered when it runs, and again, with its status of wait(2), at its end. Whoever
	 * closes the connection before has it killed.
	 */
	VM_CONTROL_EXEC,
	VM_CONTROL_EXEC_SIGNAL, /* number; on the connection of an EXEC, as the next. No reply. */
	VM_CONTROL_RESIZE,      /* number: rows << 16 | columns */
	/*
	 * fds: three empty files, which get the machine's state and memory, and what the guest calls
	 * the container. flag: the container goes on, else it ends.
	 */
	VM_CONTROL_CHECKPOINT,
	VM_CONTROL_PAUSE, /* in the guest, as the next: not the machine */
	VM_CONTROL_RESUME,
	/* fd: the top of a tree of files, of a mount without a place; tree: its name for the guest */
	VM_CONTROL_SHARE,
	/*
	 * fds as of EXEC, the file of vm_request_create's; number, flag: as of EXEC; mount_flags.
	 * Answered when the container is created, and again, with its status, at its end.
	 */
	VM_CONTROL_JOIN,
	VM_CONTROL_START, /* on the connection of a JOIN */
	VM_CONTROL_LEAVE, /* answered when there is no such further container any more */
};

/* The number of an UPDATE. */
#define VM_CONTROL_CPUS_SHIFT 24
#define VM_CONTROL_CPUS       0xffu     /* at most, and all of them */
#define VM_CONTROL_MIB        0xffffffu /* the same */

struct vm_control_request {
	uint32_t version; /* filled by vm_control_send */
	uint32_t op, number, flag;
	uint32_t mount_flags;          /* MS_…, of the mount that its root lies on */
	char container[NAME_MAX + 1];  /* "": the one that the machine was made for */
	char tree[VM_CONTROL_NAME + 1];
};

/* Descriptors go one way only: hull-vmm can make no file, and none of its own is for hull-oci to trust. */
struct vm_control_reply {
	uint32_t version, number;
	struct err err; /* code 0: it went well */
};

/* A request about the container. */
struct vm_control_request vm_control_about(const struct container *c, enum vm_control_op op);

int vm_control_connect(const struct container *c, struct err *err) MUST_CHECK;
int vm_control_send(int sock, const struct vm_control_request *request, const int *fds,
		    size_t n_fds, struct err *err) MUST_CHECK;
/*
 * Returns what the VMM says of the request: 0 or its -errno; -EIO: the virtual machine has ended;
 * -ETIMEDOUT: it was silent for too long.
 */
int vm_control_receive(int sock, uint32_t *ret_number, struct err *err) MUST_CHECK;

/* What hull-vmm has written to a file that was passed for the answer. */
int vm_control_read_text(int fd, struct buf *text, struct err *err) MUST_CHECK;

/*
 * One request, with up to one descriptor (-1: none), and its answer. text (else NULL) gets the
 * answer's of a request that has no other descriptor. -EBUSY: the container is paused, so there would
 * be none.
 */
int vm_control_call(const struct container *c, enum vm_control_op op, uint32_t number, int fd,
		    struct buf *text, struct err *err) MUST_CHECK;

/* A file in memory that holds data, at its beginning. */
int vm_control_file(const char *name, const void *data, size_t len, struct err *err) MUST_CHECK;

#endif
