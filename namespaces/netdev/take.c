/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-netdev take NAME TAP [NAME TAP]…
 *
 * In the caller's network namespace, joins each interface to a tap, so that who reads the tap stands
 * in for it: what arrives at one leaves by the other, before the namespace's own IP stack sees it. The
 * interface keeps its addresses and routes, for who made them to find. What they are is read first and
 * printed, as base/netconf.h encodes it. When something fails, everything is as it was.
 *
 * hull-netdev release NETNS
 *
 * In the network namespace of an inherited descriptor: undoes it for each interface whose tap is gone,
 * as it is when the process that had it has ended.
 *
 * On failure one line of explanation on standard error; the exit status is the errno.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"
#include "namespaces/netdev/netdev.h"

#define MIN_IPV6_MTU 1280 /* RFC 8200 */

/* The tap has no address of its own, and its side of the stack nothing to say. */
static int set_up_tap(struct netlink *nl, int index, uint16_t mtu)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	struct nlattr *families, *family;

	info->ifi_index = index;
	info->ifi_flags = info->ifi_change = IFF_UP;
	mnl_attr_put_u32(request, IFLA_MTU, mtu);
	/* A host or a device without IPv6 has no such family. */
	if (mtu >= MIN_IPV6_MTU && access("/proc/sys/net/ipv6", F_OK) == 0) {
		families = mnl_attr_nest_start(request, IFLA_AF_SPEC);
		family = mnl_attr_nest_start(request, AF_INET6);
		mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		mnl_attr_nest_end(request, family);
		mnl_attr_nest_end(request, families);
	}
	return netlink_talk(nl, request, NULL, NULL);
}

/* The interface last: until then nothing is lost. */
static int join(struct netlink *nl, const struct netconf_link *link, int index, const char *tap,
		struct err *err)
{
	int tap_index = read_index(nl, tap, err), rc;

	if (tap_index < 0)
		return tap_index;
	rc = set_up_tap(nl, tap_index, link->mtu);
	if (rc < 0)
		return err_code(err, -rc, "set up tap device '%s' for interface '%s'", tap,
				link->name);
	rc = redirect_add(nl, tap_index, link->name, index, err);
	if (rc < 0)
		return rc;
	rc = redirect_add(nl, index, link->name, tap_index, err);
	if (rc < 0)
		redirect_remove(nl, tap_index);
	return rc;
}

static int take(struct netlink *nl, char *const *names, char *const *taps, size_t n,
		struct netconf *conf, struct err *err)
{
	int indexes[NETCONF_LINKS_MAX];
	int rc = read_network(nl, names, n, conf, indexes, err);

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = join(nl, &conf->links[i], indexes[i], taps[i], err);
		/* The other taps go with their descriptors. */
		for (size_t k = i; rc < 0 && k-- > 0;)
			redirect_remove(nl, indexes[k]);
	}
	return rc;
}

static int fail(int rc, const struct err *err)
{
	fprintf(stderr, "%s\n", err->msg);
	return -rc;
}

static int print(struct netlink *nl, char *const *names, size_t n, const struct netconf *conf,
		 struct err *err)
{
	BUF out = BUF_INIT;
	int rc;

	netconf_encode(conf, &out);
	rc = io_write(STDOUT_FILENO, out.data, out.len);
	if (rc == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int index = read_index(nl, names[i], NULL);

		if (index > 0)
			redirect_remove(nl, index);
	}
	return err_code(err, -rc, "write the configuration of the network");
}

int take_main(int argc, char **argv)
{
	char *names[NETCONF_LINKS_MAX], *taps[NETCONF_LINKS_MAX];
	size_t n = argc > 1 ? ((size_t)argc - 1) / 2 : 0;
	struct netlink nl = NETLINK_INIT;
	struct err err = ERR_INIT;
	NETCONF *conf = netconf_new();
	int rc;

	if (n == 0 || n > NETCONF_LINKS_MAX || argc % 2 == 0) {
		fprintf(stderr, "usage: hull-netdev take NAME TAP...\n");
		return EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		names[i] = argv[1 + 2 * i];
		taps[i] = argv[2 + 2 * i];
	}
	rc = netlink_open(&nl, &err);
	if (rc == 0)
		rc = take(&nl, names, taps, n, conf, &err);
	if (rc == 0)
		rc = print(&nl, names, n, conf, &err);
	netlink_close(&nl);
	return rc < 0 ? fail(rc, &err) : 0;
}

static int release_all(struct netlink *nl, struct err *err)
{
	struct if_nameindex *list = if_nameindex();
	int rc = list ? 0 : err_sys(err, "list the interfaces of the network namespace");

	for (size_t i = 0; rc == 0 && list[i].if_index; i++)
		rc = redirect_remove_stale(nl, (int)list[i].if_index, err);
	if (list)
		if_freenameindex(list);
	return rc;
}

int release_main(int argc, char **argv)
{
	struct netlink nl = NETLINK_INIT;
	struct err err = ERR_INIT;
	uint32_t fd;
	int rc;

	if (argc != 2 || parse_u32(argv[1], &fd) < 0) {
		fprintf(stderr, "usage: hull-netdev release NETNS_FD\n");
		return EINVAL;
	}
	rc = setns((int)fd, CLONE_NEWNET) < 0 ? err_sys(&err, "enter the network namespace")
					      : netlink_open(&nl, &err);
	if (rc == 0)
		rc = release_all(&nl, &err);
	netlink_close(&nl);
	return rc < 0 ? fail(rc, &err) : 0;
}
