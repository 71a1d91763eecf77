/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What process.c uses of caps.c. Private to this folder. */
#ifndef HULL_NAMESPACES_PROCESS_H
#define HULL_NAMESPACES_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "namespaces/namespaces.h"

/*
 * Drops every capability outside want from the caller's bounding set. *ret_missing gets those of
 * want that the bounding set did not hold to begin with.
 */
int ns_caps_drop_bounding(uint64_t want, uint64_t *ret_missing, struct err *err) MUST_CHECK;

/*
 * Sets permitted, effective, inheritable and ambient. What the caller does not hold itself cannot
 * be granted: it is left out and added to *missing.
 */
int ns_caps_set(const struct ns_caps *want, uint64_t *missing, struct err *err) MUST_CHECK;

/* True when the caller holds cap (CAP_… of linux/capability.h) in its effective set. */
bool ns_caps_effective(int cap);

/* Logs a warning that names the capabilities in missing; silent when there are none. */
void ns_caps_warn_missing(uint64_t missing);

#endif
