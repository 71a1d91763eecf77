/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OCI hooks. Private to runtime/. */
#ifndef HULL_RUNTIME_HOOKS_H
#define HULL_RUNTIME_HOOKS_H

#include "runtime/runtime.h"

/*
 * Runs the hooks of a kind in order, each with the state document (status as given) on its standard
 * input, in the caller's namespaces. Stops at the first that fails: -EIO with a message that names the
 * hook and holds the end of what it wrote to standard error.
 */
int hooks_run(const struct spec_hooks *hooks, enum spec_hook_kind kind, const struct container *c,
	      const char *status, struct err *err) MUST_CHECK;

/* The same, but a failure is logged as a warning and the next one runs (poststop). */
void hooks_run_all(const struct spec_hooks *hooks, enum spec_hook_kind kind,
		   const struct container *c, const char *status);

#endif
