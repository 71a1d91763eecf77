/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A moment as RFC 3339 writes it, in UTC. */
#ifndef HULL_BASE_UTC_H
#define HULL_BASE_UTC_H

#include <stddef.h>
#include <time.h>

#define UTC_LEN sizeof("2026-01-02T03:04:05.123456789Z")

enum utc_digits { UTC_SECONDS = 0, UTC_NANOSECONDS = 9 };

/* Writes t, of 1970 or later, with that many digits after the second. */
void utc_format(const struct timespec *t, enum utc_digits digits, char ret[static UTC_LEN]);

#endif
