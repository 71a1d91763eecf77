/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of a container in a virtual machine: the machine stands in for the interfaces of the
 * container's network namespace. Private to runtime/.
 */
#ifndef HULL_RUNTIME_VM_NET_H
#define HULL_RUNTIME_VM_NET_H

#include "base/err.h"
#include "namespaces/namespaces.h"
#include "runtime/spec.h"

/* P: netns_fd (-1: a new one) is not the network namespace that hull itself is in. */
int vm_net_check(int netns_fd, int proc_fd, struct err *err) MUST_CHECK;

/*
 * C, in the container's network namespace, when whoever furnishes it has: takes over what there is.
 * *ret_conf_fd gets a file that holds the namespace's configuration (base/netconf.h), or -1 when
 * there is nothing.
 */
int vm_net_take(struct ns_taken *ret, int *ret_conf_fd, struct err *err) MUST_CHECK;

/* P, when the machine has ended: a namespace that was joined is as before. Failures are logged. */
void vm_net_release(const struct spec *spec);

#endif
