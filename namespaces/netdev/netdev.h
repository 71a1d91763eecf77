/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The jobs of hull-netdev and their parts. Private to the program. */
#ifndef HULL_NETDEV_H
#define HULL_NETDEV_H

#include <stddef.h>

#include "base/netconf.h"
#include "base/netlink.h"

/* ---- take.c ---- */

/* The jobs "take" and "release"; argv begins with the job's name. Each returns the exit status. */
int take_main(int argc, char **argv);
int release_main(int argc, char **argv);

/* ---- read.c ---- */

/*
 * Reads the configuration of the interfaces names[0 … n - 1] of nl's namespace: what a virtual machine
 * needs to stand in for them. ret_indexes gets their numbers. An error says which interface cannot be
 * taken over and why.
 */
int read_network(struct netlink *nl, char *const *names, size_t n, struct netconf *ret,
		 int *ret_indexes, struct err *err) MUST_CHECK;

/* The number of interface name, or -errno. */
int read_index(struct netlink *nl, const char *name, struct err *err) MUST_CHECK;

/* ---- redirect.c ---- */

/*
 * Has everything that arrives at interface from leave by interface to. -EBUSY: something else has
 * frames of from already. The names are for messages.
 */
int redirect_add(struct netlink *nl, int from, const char *name, int to,
		 struct err *err) MUST_CHECK;

/* Removes what redirect_add made. */
void redirect_remove(struct netlink *nl, int from);

/* The same if what it leads to is gone. */
int redirect_remove_stale(struct netlink *nl, int from, struct err *err) MUST_CHECK;

#endif
