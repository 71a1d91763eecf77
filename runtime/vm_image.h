/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory that a checkpoint of a container in a virtual machine leaves:
 *
 *   state, memory  the machine (microvm/snapshot.h); hull-vmm writes and reads them
 *   working-set    what a machine that was made of these needed of its memory; not of every image
 *   config.json    the container's configuration, for people to look at
 *   hull.json      {"version": 1, "id": what the guest calls the container, "memory": which file that is,
 *                  and when it was last changed}; made last, so that a directory without it holds no
 *                  checkpoint
 *
 * Private to runtime/.
 */
#ifndef HULL_RUNTIME_VM_IMAGE_H
#define HULL_RUNTIME_VM_IMAGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct vm_image {
	char *guest_id;
	int state_fd, memory_fd;
	int working_set_fd; /* empty when nothing is recorded yet; -1: it cannot be */
	/* The memory's file is the one that was made, and has not changed: no copy, nor damaged. */
	bool unchanged;
};

#define VM_IMAGE_INIT                                                                              \
	{                                                                                          \
		NULL, -1, -1, -1, false                                                             \
	}

/* One that is being made: its files have other names until vm_image_finish. */
struct vm_image_maker {
	const char *path;
	int dir_fd, state_fd, memory_fd;
	bool made_dir;
};

#define VM_IMAGE_MAKER_INIT                                                                        \
	{                                                                                          \
		NULL, -1, -1, -1, false                                                            \
	}

/* path: made if it is not there; borrowed. */
int vm_image_begin(const char *path, struct vm_image_maker *ret, struct err *err) MUST_CHECK;
/* The same in a directory that is there; path: its name, for messages. */
int vm_image_begin_at(int dir_fd, const char *path, struct vm_image_maker *ret,
		      struct err *err) MUST_CHECK;
/* What was in the directory before is replaced. */
int vm_image_finish(struct vm_image_maker *m, const char *guest_id, const struct buf *config,
		    struct err *err) MUST_CHECK;
/* Closes what is open; what is not finished is removed. */
void vm_image_end(struct vm_image_maker *m);

int vm_image_open(const char *path, struct vm_image *ret, struct err *err) MUST_CHECK;
int vm_image_open_at(int dir_fd, struct vm_image *ret, struct err *err) MUST_CHECK;
void vm_image_close(struct vm_image *i);

#endif
