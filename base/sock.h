/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix sockets named by paths of any length (man 7 unix: sun_path holds 107 bytes only). */
#ifndef HULL_BASE_SOCK_H
#define HULL_BASE_SOCK_H

#include "base/err.h"

/* Connects a new close-on-exec socket of type (SOCK_STREAM, SOCK_DGRAM) to path. Returns it or -errno. */
int sock_connect(const char *path, int type, struct err *err) MUST_CHECK;

/* Binds a new close-on-exec socket of type to path, which must not exist. Returns it or -errno. */
int sock_bind(const char *path, int type, struct err *err) MUST_CHECK;

#endif
