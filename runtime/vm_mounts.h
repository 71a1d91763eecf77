/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts of the host that a virtual machine's guest gets in its own table. Private to runtime/. */
#ifndef HULL_RUNTIME_VM_MOUNTS_H
#define HULL_RUNTIME_VM_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

struct vm_mount {
	const char *below;   /* where it lies under the source: "", "/sub" */
	const char *options; /* as mountinfo shows them: "rw,nosuid,relatime" */
};

/*
 * The mount that source lies on and, when recursive, those that a recursive bind of source would take
 * along, each after the one it is mounted on. Memory from a. A source that is not there has none.
 */
int vm_mounts_of(const char *source, bool recursive, struct arena *a, struct vm_mount **ret,
		 size_t *ret_n, struct err *err) MUST_CHECK;

#endif
