/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file server as a process: forked by hull-vmm, which must still be single-threaded, with the
 * guest's memory in its address space if that is shared. It serves the queues of a virtio-fs device by
 * itself then; see control.h for what is left to say between the two. Where memory is private the
 * device copies requests and answers (bounce.h).
 */
#ifndef HULL_MICROVM_FSD_SERVER_H
#define HULL_MICROVM_FSD_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "microvm/fsd/fsd.h"
#include "microvm/memory.h"

struct fsd_server {
	pid_t pid;
	int pid_fd;     /* readable when it has ended */
	int control_fd; /* struct fsd_control, close-on-exec */
	int trees_fd;   /* struct fsd_tree_request, close-on-exec, non-blocking */
};

#define FSD_SERVER_INIT                                                                            \
	{                                                                                          \
		-1, -1, -1, -1                                                                     \
	}

struct fsd_spawn_config {
	int dir_fd; /* the shared directory, of the caller's mount namespace; the caller's */
	bool readonly;
	bool submounts; /* with what is mounted below it */
	enum fsd_cache cache;
	const struct guest_memory *memory;
};

/* Starts a server; fsd_server_wait says how that went. Needs CAP_SYS_ADMIN. */
int fsd_spawn(const struct fsd_spawn_config *config, struct fsd_server *ret,
	      struct err *err) MUST_CHECK;

/* Waits until the server is in its cell and serves; the reason when it could not. */
int fsd_server_wait(const struct fsd_server *s, struct err *err) MUST_CHECK;

/*
 * By trees_fd: a tree is added (fd >= 0: the top, of a mount that fsd_cell_tree would make; borrowed) or
 * removed while the server is at work. Answers come in turn: fsd_tree_answered returns 1 with *ret_code
 * 0 or a positive errno, 0 when there is none yet, -EPIPE when there will be none.
 */
int fsd_tree_ask(int trees_fd, const char *name, int fd, struct err *err) MUST_CHECK;
int fsd_tree_answered(int trees_fd, int *ret_code) MUST_CHECK;

/* Ends the server and waits for its end. Nothing for FSD_SERVER_INIT. */
void fsd_server_end(struct fsd_server *s);

/*
 * What the process does: serves f's files as the control socket says until that ends; memory: NULL
 * when it is private. For tests that want it without a cell.
 */
void fsd_serve(struct fsd *f, const struct guest_memory *memory, int control_fd);

#endif
