/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs that belong together and are found beside each other. */
#ifndef HULL_BASE_COMPANION_H
#define HULL_BASE_COMPANION_H

#include "base/err.h"

/*
 * The path of the companion program name: beside this program when it is there, else in
 * /usr/libexec/hull. Caller frees.
 */
char *companion_path(const char *name);

/*
 * Puts this program's directory into the environment, for the same program executed again from a
 * place without a path (a descriptor).
 */
int companion_remember(struct err *err) MUST_CHECK;

#endif
