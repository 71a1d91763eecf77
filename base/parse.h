/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to numbers, strictly: the whole string must match, no blanks, no sign where none belongs. */
#ifndef HULL_BASE_PARSE_H
#define HULL_BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int parse_u64(const char *s, uint64_t *ret) MUST_CHECK; /* 0, -EINVAL or -ERANGE; decimal */
int parse_i64(const char *s, int64_t *ret) MUST_CHECK;
int parse_u32(const char *s, uint32_t *ret) MUST_CHECK;
int parse_octal(const char *s, uint32_t *ret) MUST_CHECK;
int parse_bool(const char *s, bool *ret) MUST_CHECK; /* what Go's strconv.ParseBool takes */

/*
 * Bytes with an optional unit b, k, m, g, t, p (x1024 each, any case, optional trailing "b" or "ib").
 * A fraction is rounded down ("1.5g"); -1 is allowed.
 */
int parse_size(const char *s, int64_t *ret) MUST_CHECK;

/* A Go duration ("5s", "1m30s", "250ms", "1.5h"), not negative, in nanoseconds. */
int parse_duration_ns(const char *s, uint64_t *ret) MUST_CHECK;

/*
 * A signal's number (0 included) or name, with or without "SIG", in any case, "RTMIN+3" and "RTMAX-3"
 * included. Returns it or -EINVAL.
 */
int parse_signal(const char *s) MUST_CHECK;

/* "UID" or "UID:GID", numbers only, both at most 4294967294. *ret_gid is left alone when absent. */
int parse_user(const char *s, uint32_t *ret_uid, uint32_t *ret_gid) MUST_CHECK;

/*
 * A CPU or memory-node list as in cpuset(7) "List Format" ("0-3,7"); sets bits in set (n_bits
 * wide). -EINVAL on bad text (also ""), -ERANGE beyond n_bits; set may have changed then.
 */
int parse_cpu_list(const char *s, uint64_t *set, size_t n_bits) MUST_CHECK;

#endif
