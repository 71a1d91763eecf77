/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to the kernel's routing netlink (man 7 rtnetlink) over libmnl. Programs that include
 * this link libmnl; nothing else in base/ refers to it, so the others do not.
 */
#ifndef HULL_BASE_NETLINK_H
#define HULL_BASE_NETLINK_H

#include <libmnl/libmnl.h>

#include "base/err.h"

/* Room for any request that hull makes. */
#define NETLINK_REQUEST_MAX 512

struct netlink {
	struct mnl_socket *sock;
	unsigned int seq;
};

#define NETLINK_INIT                                                                               \
	{                                                                                          \
		NULL, 0                                                                            \
	}

/* A socket in the caller's present network namespace; it stays there whatever setns does later. */
int netlink_open(struct netlink *nl, struct err *err) MUST_CHECK;
void netlink_close(struct netlink *nl);

/* Begins a message in buf (NETLINK_REQUEST_MAX bytes); the caller adds its body by mnl_nlmsg_put_….
 */
struct nlmsghdr *netlink_request(void *buf, uint16_t type, uint16_t flags);

/*
 * Sends a request and reads the answer to its end. cb (may be NULL) is called for each message of
 * the answer; it returns MNL_CB_OK, or MNL_CB_ERROR with errno set. Without NLM_F_DUMP among its
 * flags a request is acknowledged. Returns 0 or -errno; -EINTR: the table changed during a dump,
 * ask again.
 */
int netlink_talk(struct netlink *nl, struct nlmsghdr *request, mnl_cb_t cb, void *data) MUST_CHECK;

#endif
