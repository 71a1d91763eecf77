/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hull-vmm locks itself into before a guest runs: a guest that has taken it over finds an empty
 * root, no privileges, nobody else's memory, and few system calls. docs/security.md says what is left
 * and which test shows it.
 *
 *   confine_close_others  what it was not handed is closed (confine.h)
 *   jail_share_core       before other processes of the machine are forked
 *   jail_enter            while there is one thread
 *   jail_lock             first thing of each thread; of the main thread when they are there
 */
#ifndef HULL_MICROVM_JAIL_H
#define HULL_MICROVM_JAIL_H

#include <stddef.h>

#include "base/err.h"
#include "microvm/confine.h"

enum jail_thread {
	JAIL_MAIN, /* the event loop: agent, control socket, streams */
	JAIL_CPU,  /* a virtual processor */
	JAIL_IO,   /* devices */
	JAIL_THREADS,
};

/*
 * The user and group of a machine's process is this and its pid on the host, so no two have the
 * same. The ids from here to 0x7fffffff are not handed out to users, containers or services
 * (systemd.io/UIDS-GIDS).
 */
#define JAIL_FIRST_ID 0x70000000u

/*
 * Processes and threads of other machines do not run on the same core at the same time (linux:
 * Documentation/admin-guide/hw-vuln/core-scheduling.rst). Nothing where a core has one thread.
 */
int jail_share_core(struct err *err) MUST_CHECK;

/*
 * All but the filters, in namespaces of its own. The caller is root and has one
 * thread; it keeps its pid and its namespace, network namespace, cgroup, and the signal that its
 * parent's death brings.
 */
int jail_enter(struct err *err) MUST_CHECK;

/* For the calling thread: any system call that its kind does not need ends the process (SIGSYS). */
int jail_lock(enum jail_thread kind, struct err *err) MUST_CHECK;

struct confine_table;

/* The tables of a kind of thread; *ret_n of them. The filters are made of these. */
const struct confine_table *jail_tables(enum jail_thread kind, size_t *ret_n);
extern const struct confine_filter jail_filters[JAIL_THREADS];

#endif
