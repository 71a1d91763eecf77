// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Request and answer over libmnl. One request is under way at a time; what arrives with another
 * sequence number is left over from an answer that was given up and is skipped.
 */
#include "base/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>

#include "base/err.h"

/* A dump's messages are cut to the reader's buffer, up to this (NLMSG_GOODSIZE). */
#define ANSWER_MAX 32768

int netlink_open(struct netlink *nl, struct err *err)
{
	nl->seq = 0;
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->sock)
		return err_sys(err, "open a netlink socket");
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int rc = err_sys(err, "bind a netlink socket");

		netlink_close(nl);
		return rc;
	}
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->sock)
		(void)mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

struct nlmsghdr *netlink_request(void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	return request;
}

int netlink_talk(struct netlink *nl, struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
	unsigned int port = mnl_socket_get_portid(nl->sock);

	request->nlmsg_seq = ++nl->seq;
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl->sock, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, answer, sizeof(answer));
		const struct nlmsghdr *first = (const struct nlmsghdr *)answer;
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (mnl_nlmsg_ok(first, (int)n) && first->nlmsg_seq != nl->seq)
			continue;
		rc = mnl_cb_run(answer, (size_t)n, nl->seq, port, cb, data);
		if (rc < 0)
			return -errno;
		if (rc == MNL_CB_STOP)
			return 0;
	}
}
