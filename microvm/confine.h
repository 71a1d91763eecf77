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

struct sock_filter;

/*
 * Made of the rules (confine_rules.h) when hull is built. Any call that none of them allows ends the
 * process (SIGSYS).
 */
struct confine_filter {
	const struct sock_filter *code;
	size_t n;
};

/* What stands for the process' own pid in them: more than any pid is (PID_MAX_LIMIT, man 5 proc). */
#define CONFINE_OWN_PID 0x7fffffffu

/* For the calling thread, which has no_new_privs. */
int confine_filter_load(const struct confine_filter *f, struct err *err) MUST_CHECK;

#endif
