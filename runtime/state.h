/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container's state directory: making, saving, opening, removing. Private to runtime/. */
#ifndef HULL_RUNTIME_STATE_H
#define HULL_RUNTIME_STATE_H

#include <stdbool.h>

#include "runtime/runtime.h"

#define STATE_FIFO   "exec.fifo"
#define STATE_CONFIG "config.json"

/* Makes the directory of a new container and locks it. -EEXIST: the id is in use. */
int state_create(struct runtime *rt, const char *id, struct container **ret,
		 struct err *err) MUST_CHECK;

/* Writes the state.json of a container that is "creating": for hooks that may ask for it. */
int state_save_creating(struct container *c, struct err *err) MUST_CHECK;

/*
 * Writes the state.json of a container that is set up, its process waiting or running, in two steps:
 * what takes time first, while the process is still busy, and the rename once it is ready.
 */
int state_stage(struct container *c, struct err *err) MUST_CHECK;
int state_publish(struct container *c, struct err *err) MUST_CHECK;

/* Takes the lock of an open container; -ENOENT when it was deleted in the meantime. */
int state_lock(struct container *c, enum container_lock lock, struct err *err) MUST_CHECK;
void state_unlock(struct container *c);

/* Removes the directory. */
int state_remove(struct container *c, struct err *err) MUST_CHECK;

/* The specification's state document as compact JSON, for hooks. */
void state_document(const struct container *c, const char *status, struct buf *out);

#endif
