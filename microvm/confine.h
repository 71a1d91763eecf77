/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a process of a virtual machine gives up what it does not need: the steps that hull-vmm (jail.h)
 * and its file server (fsd/sandbox.h) share. Each changes the calling process for good and, where
 * the kernel keeps such things for each thread, the calling thread and those it makes afterwards.
 */
#ifndef HULL_MICROVM_CONFINE_H
#define HULL_MICROVM_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Closes every descriptor from 3 on that is not among these; -1 among them means none. */
int confine_close_others(const int *keep, size_t n, struct err *err) MUST_CHECK;

/*
 * Makes the mount tree_fd, which has no place yet, the root, and lets go of the old one. In a mount
 * namespace of the caller's own; needs CAP_SYS_ADMIN.
 */
int confine_change_root(int tree_fd, struct err *err) MUST_CHECK;

/*
 * Keeps of all capabilities, the bounding set included, at most those of keep, as effective and
 * permitted; no execve gives any back (no_new_privs). Nobody but root traces the process or reads
 * its memory (dumpable), and it leaves no core. Needs CAP_SETPCAP.
 */
int confine_drop_capabilities(uint64_t keep, struct err *err) MUST_CHECK;

/*
 * Landlock (landlock(7)) with everything that this kernel's version of it can deny: all of the file
 * system, TCP, and signals and abstract sockets of processes outside. What is open stays usable.
 * Without Landlock nothing happens but a line in the log at debug.
 */
int confine_landlock(struct err *err) MUST_CHECK;

/* ---- system calls ---- */

#define CONFINE_CHECKS  2
#define CONFINE_OWN_PID UINT64_MAX /* as value: of the process that builds the filter */

/* A call that is allowed, when (argument & mask) == value holds for each check. mask 0: no check. */
struct confine_rule {
	int call; /* SCMP_SYS(…) */
	struct confine_check {
		unsigned int arg;
		uint64_t mask, value;
	} checks[CONFINE_CHECKS];
};

#define CONFINE_ALWAYS(name)         {.call = SCMP_SYS(name)}
#define CONFINE_IF(name, n, m, v)    {.call = SCMP_SYS(name), .checks = {{(n), (m), (v)}}}
#define CONFINE_IS(name, n, v)       CONFINE_IF(name, n, UINT64_MAX, v)
#define CONFINE_NO_PROT_EXEC(name)   CONFINE_IF(name, 2, PROT_EXEC, 0)
#define CONFINE_BOTH(name, n, v, o, w)                                                             \
	{.call = SCMP_SYS(name), .checks = {{(n), UINT64_MAX, (v)}, {(o), UINT64_MAX, (w)}}}

struct confine_table {
	const struct confine_rule *rules;
	size_t n;
};

struct confine_filter {
	void *code; /* struct sock_filter[n] */
	size_t n;
};

#define CONFINE_FILTER_INIT                                                                        \
	{                                                                                          \
		NULL, 0                                                                            \
	}

/* All rules of the tables; any other call ends the process (SIGSYS). first: the call asked most. */
int confine_filter_build(const struct confine_table *tables, size_t n, int first,
			 struct confine_filter *ret, struct err *err) MUST_CHECK;
void confine_filter_release(struct confine_filter *f);

/* For the calling thread, which has no_new_privs. */
int confine_filter_load(const struct confine_filter *f, struct err *err) MUST_CHECK;

#endif
