/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about processes, read from procfs through a descriptor of its verified root. */
#ifndef HULL_BASE_PROC_H
#define HULL_BASE_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Opens the runtime's own /proc as O_PATH and checks that it is the root of a real procfs
 * (fstatfs PROC_SUPER_MAGIC, inode 1), so that what is read or written through it cannot be a file
 * that somebody else laid there. Opened before any container namespace is entered, it stays the
 * host's whatever the container mounts. Returns a descriptor or -errno.
 */
int proc_open_root(struct err *err) MUST_CHECK;

/* Opens a file below proc_fd (RESOLVE_BENEATH | NO_XDEV: mounts over single files are refused). */
int proc_open(int proc_fd, const char *path, int flags, struct err *err) MUST_CHECK;
int proc_write(int proc_fd, const char *path, const char *value, struct err *err) MUST_CHECK;

struct proc_stat {
	char state; /* R, S, D, Z, … (man 5 proc, /proc/pid/stat) */
	pid_t ppid;
	uint64_t start_time; /* field 22, clock ticks after boot */
};

/* -ENOENT when there is no such process. */
int proc_stat_read(int proc_fd, pid_t pid, struct proc_stat *ret, struct err *err) MUST_CHECK;

#endif
