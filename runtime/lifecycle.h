/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends of containers, shared by the operations that cause one. Private to runtime/. */
#ifndef HULL_RUNTIME_LIFECYCLE_H
#define HULL_RUNTIME_LIFECYCLE_H

#include "runtime/runtime.h"

/*
 * Removes a container whose directory is locked: kills what lives, removes cgroup, monitoring groups
 * and state directory, runs poststop hooks. spec may be NULL (its saved config could not be read).
 */
int lifecycle_destroy(struct container *c, const struct spec *spec, struct err *err) MUST_CHECK;

/* Runs the poststart hooks; when one fails the container is stopped and deleted (runtime-spec 1.3.0). */
int lifecycle_poststart(struct container *c, const struct spec *spec, struct err *err) MUST_CHECK;

#endif
