/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeping the runtime's own binary out of a container's reach. Private to runtime/. */
#ifndef HULL_RUNTIME_PROTECT_H
#define HULL_RUNTIME_PROTECT_H

#include "base/err.h"

/*
 * Makes sure that writing through /proc/PID/exe of this process cannot change the binary on the host
 * (CVE-2019-5736), by executing it again from a read-only clone when it is not protected yet. Called
 * first thing by the commands that enter a container, and by exec when it knows that it will; returns 0
 * in the protected program. argv is the program's own.
 */
int protect_self(char *const argv[], struct err *err) MUST_CHECK;

#endif
