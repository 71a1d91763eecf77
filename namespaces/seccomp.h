/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the system call filter: seccomp.c joins them, seccomp_compile.c is the only one that
 * calls libseccomp, seccomp_enosys.c writes the part in front of its program, seccomp_cache.c keeps
 * programs. Private to this folder.
 */
#ifndef HULL_NAMESPACES_SECCOMP_H
#define HULL_NAMESPACES_SECCOMP_H

#include <linux/filter.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "namespaces/namespaces.h"

/* Appends the program of s to out, as struct sock_filter after struct sock_filter. */
int ns_seccomp_compile(const struct ns_seccomp *s, struct buf *out, struct err *err) MUST_CHECK;

/*
 * Appends the instructions that answer ENOSYS to system calls newer than all that s names, to be
 * followed by the program itself. Appends nothing when s lets unknown calls through anyway.
 */
void ns_seccomp_enosys_stub(const struct ns_seccomp *s, struct buf *out);

/* Everything that shapes the program, as bytes. */
void ns_seccomp_cache_key(const struct ns_seccomp *s, struct buf *key);

/* 1 with the program appended to out, 0 when the cache has none that can be used. */
int ns_seccomp_cache_load(int cache_fd, const struct buf *key, struct buf *out);

/* Stores a program; that it could not be stored is of no consequence. */
void ns_seccomp_cache_store(int cache_fd, const struct buf *key, const struct buf *program);

#endif
