/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the jobs of the program hull-netdev are run. Private to namespaces/. */
#ifndef HULL_NAMESPACES_NETDEV_H
#define HULL_NAMESPACES_NETDEV_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct netdev_job {
	const char *what;   /* in front of messages: whom it serves */
	const char *helper; /* the program's path; NULL: where companions are */
	char *const *argv;
	const int *fds; /* it inherits these under the same numbers */
	size_t n_fds;
};

#define NETDEV_PROGRAM "hull-netdev"

/* To its end. Returns 0 with its output, or -errno with the line it says of itself in err. */
int netdev_run(const struct netdev_job *job, struct buf *out, struct err *err) MUST_CHECK;

#endif
