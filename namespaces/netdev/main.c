// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hull-netdev FROM TO HOST_NAME NAME [HOST_NAME NAME]…
 *
 * Moves network devices from one network namespace to another; FROM and TO are the numbers of
 * inherited descriptors (man 4 namespaces, /proc/PID/ns/net). A program of its own, because netlink
 * is needed by the few containers that list linux.netDevices, and hull-oci shall start without the
 * library. It is not meant to be called by hand: ns_netdev_move() does.
 *
 * A device arrives under a temporary name, since both its old and its new name may be taken there,
 * or may be a template that only the kernel can fill ("eth%d"). Addresses do not survive the move:
 * permanent ones of global scope are read before and added again. All devices move or none: those
 * moved already go back when a later one fails.
 *
 * take.c has the program's other jobs, which begin with a word.
 *
 * Prints the devices' new names, one a line. On failure one line of explanation on standard error;
 * the exit status is the errno.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/netlink.h"
#include "base/parse.h"
#include "namespaces/netdev/netdev.h"

#define MAX_ADDRESS_LEN 16
#define DUMP_ATTEMPTS   16
#define EXIT_USAGE      EINVAL

struct link {
	int index;
	unsigned int flags;
	char name[IFNAMSIZ];
};

struct address {
	uint8_t family, prefix_len;
	uint16_t len; /* of one address */
	bool has_local, has_broadcast, has_metric;
	uint32_t flags, metric;
	unsigned char address[MAX_ADDRESS_LEN], local[MAX_ADDRESS_LEN], broadcast[MAX_ADDRESS_LEN];
};

struct device {
	const char *host_name, *name;
	struct link before, after; /* after.index 0: not moved */
	struct buf addresses;      /* struct address after struct address */
};

struct mover {
	int from_fd, to_fd;
	struct netlink from, to;
};

static int take_link_name(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct link *link = data;

	link->index = info->ifi_index;
	link->flags = info->ifi_flags;
	return mnl_attr_parse(message, sizeof(*info), take_link_name, link);
}

/* By name, or by index when name is NULL. -ENODEV when there is none. */
static int get_link(struct netlink *nl, const char *name, int index, struct link *ret)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_GETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_index = index;
	if (name)
		mnl_attr_put_strz(request, IFLA_IFNAME, name);
	return netlink_talk(nl, request, take_link, ret);
}

/* Changes a device: name (NULL: keep), namespace (-1: stay), up. */
static int set_link(struct netlink *nl, int index, const char *name, int netns_fd, bool up)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_index = index;
	if (up)
		info->ifi_flags = info->ifi_change = IFF_UP;
	if (netns_fd >= 0)
		mnl_attr_put_u32(request, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	if (name)
		mnl_attr_put_strz(request, IFLA_IFNAME, name);
	return netlink_talk(nl, request, NULL, NULL);
}

static bool take_bytes(const struct nlattr *attr, unsigned char to[static MAX_ADDRESS_LEN],
		       uint16_t *len)
{
	uint16_t n = mnl_attr_get_payload_len(attr);

	if (n > MAX_ADDRESS_LEN)
		return false;
	memcpy(to, mnl_attr_get_payload(attr), n);
	*len = n;
	return true;
}

static int take_attribute(const struct nlattr *attr, void *data)
{
	struct address *a = data;
	uint16_t len;

	switch (mnl_attr_get_type(attr)) {
	case IFA_ADDRESS:
		(void)take_bytes(attr, a->address, &a->len);
		break;
	case IFA_LOCAL:
		a->has_local = take_bytes(attr, a->local, &len);
		break;
	case IFA_BROADCAST:
		a->has_broadcast = take_bytes(attr, a->broadcast, &len);
		break;
	case IFA_FLAGS:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			a->flags = mnl_attr_get_u32(attr);
		break;
	case IFA_RT_PRIORITY:
		a->has_metric = mnl_attr_validate(attr, MNL_TYPE_U32) == 0;
		if (a->has_metric)
			a->metric = mnl_attr_get_u32(attr);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* runtime-spec config-linux.md, Network Devices: permanent (IFA_F_PERMANENT) and of global scope.
 */
static int take_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct address a = {.family = info->ifa_family,
			    .prefix_len = info->ifa_prefixlen,
			    .flags = info->ifa_flags};
	struct device *d = data;

	/* The kernel gives all devices' unless asked strictly. */
	if ((int)info->ifa_index != d->before.index || info->ifa_scope != RT_SCOPE_UNIVERSE)
		return MNL_CB_OK;
	if (mnl_attr_parse(message, sizeof(*info), take_attribute, &a) < 0)
		return MNL_CB_ERROR;
	if ((a.flags & IFA_F_PERMANENT) && a.len > 0)
		buf_add(&d->addresses, &a, sizeof(a));
	return MNL_CB_OK;
}

static int get_addresses(struct netlink *nl, struct device *d)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	int rc = -EINTR;

	for (int i = 0; i < DUMP_ATTEMPTS && rc == -EINTR; i++) {
		struct nlmsghdr *request = netlink_request(buf, RTM_GETADDR, NLM_F_DUMP);
		struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

		info->ifa_family = AF_UNSPEC;
		info->ifa_index = (unsigned int)d->before.index;
		buf_reset(&d->addresses);
		rc = netlink_talk(nl, request, take_address, d);
	}
	return rc;
}

/*
 * The address was in use on this very link a moment ago: asking the link whether it is a duplicate
 * (IPv6 DAD) would only keep the container from binding to it for a second.
 */
static int add_address(struct netlink *nl, int index, const struct address *a)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	uint32_t flags = a->flags & (IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS | IFA_F_MCAUTOJOIN);

	if (a->family == AF_INET6)
		flags |= IFA_F_NODAD;
	info->ifa_family = a->family;
	info->ifa_prefixlen = a->prefix_len;
	info->ifa_scope = RT_SCOPE_UNIVERSE;
	info->ifa_index = (unsigned int)index;
	mnl_attr_put(request, IFA_ADDRESS, a->len, a->address);
	if (a->has_local)
		mnl_attr_put(request, IFA_LOCAL, a->len, a->local);
	if (a->has_broadcast)
		mnl_attr_put(request, IFA_BROADCAST, a->len, a->broadcast);
	if (a->has_metric)
		mnl_attr_put_u32(request, IFA_RT_PRIORITY, a->metric);
	mnl_attr_put_u32(request, IFA_FLAGS, flags);
	return netlink_talk(nl, request, NULL, NULL);
}

static int add_addresses(struct netlink *nl, int index, const struct device *d)
{
	struct address a;

	for (size_t at = 0; at < d->addresses.len; at += sizeof(a)) {
		int rc;

		memcpy(&a, d->addresses.data + at, sizeof(a));
		rc = add_address(nl, index, &a);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_name_free(struct mover *m, const struct device *d, struct err *err)
{
	struct link other;
	int rc;

	if (strchr(d->name, '%'))
		return 0;
	rc = get_link(&m->to, d->name, 0, &other);
	if (rc == 0)
		return err_set(err, EEXIST,
			       "linux.netDevices '%s': the container has a network device named "
			       "'%s' already",
			       d->host_name, d->name);
	if (rc != -ENODEV)
		return err_code(err, -rc, "linux.netDevices '%s': look for '%s'", d->host_name,
				d->name);
	return 0;
}

static int finish_device(struct mover *m, struct device *d, struct err *err)
{
	int index = d->after.index, rc;

	rc = set_link(&m->to, index, d->name, -1, false);
	if (rc < 0)
		return err_code(err, -rc, "linux.netDevices '%s': rename to '%s'", d->host_name,
				d->name);
	rc = get_link(&m->to, NULL, index, &d->after);
	if (rc == 0)
		rc = add_addresses(&m->to, index, d);
	if (rc < 0)
		return err_code(err, -rc, "linux.netDevices '%s': add its addresses again",
				d->host_name);
	rc = set_link(&m->to, index, NULL, -1, true);
	if (rc < 0)
		return err_code(err, -rc, "linux.netDevices '%s': set up", d->host_name);
	return 0;
}

static int move_device(struct mover *m, struct device *d, struct err *err)
{
	char temp[IFNAMSIZ];
	int rc;

	rc = get_link(&m->from, d->host_name, 0, &d->before);
	if (rc < 0)
		return err_code(err, -rc, "linux.netDevices '%s'", d->host_name);
	rc = check_name_free(m, d, err);
	if (rc < 0)
		return rc;
	rc = get_addresses(&m->from, d);
	if (rc < 0)
		return err_code(err, -rc, "linux.netDevices '%s': read its addresses",
				d->host_name);
	snprintf(temp, sizeof(temp), "hull%x.%x", (unsigned int)getpid(),
		 (unsigned int)d->before.index);
	rc = set_link(&m->from, d->before.index, temp, m->to_fd, false);
	if (rc == 0)
		rc = get_link(&m->to, temp, 0, &d->after);
	if (rc < 0)
		return err_code(err, -rc,
				"linux.netDevices '%s': move to the container's network namespace",
				d->host_name);
	return finish_device(m, d, err);
}

static void undo_device(struct mover *m, struct device *d)
{
	struct link back;

	if (d->after.index == 0 ||
	    set_link(&m->to, d->after.index, d->host_name, m->from_fd, false) < 0 ||
	    get_link(&m->from, d->host_name, 0, &back) < 0)
		return;
	(void)add_addresses(&m->from, back.index, d);
	if (d->before.flags & IFF_UP)
		(void)set_link(&m->from, back.index, NULL, -1, true);
}

static int move_all(struct mover *m, struct device *devs, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int rc = move_device(m, &devs[i], err);

		if (rc == 0)
			continue;
		for (size_t j = i + 1; j-- > 0;)
			undo_device(m, &devs[j]);
		return rc;
	}
	return 0;
}

static int open_in(int netns_fd, struct netlink *nl, struct err *err)
{
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_sys(err, "linux.netDevices: enter the network namespace");
	return netlink_open(nl, err);
}

static int run(struct mover *m, struct device *devs, size_t n, struct err *err)
{
	int rc = open_in(m->from_fd, &m->from, err);

	if (rc == 0)
		rc = open_in(m->to_fd, &m->to, err);
	if (rc == 0)
		rc = move_all(m, devs, n, err);
	netlink_close(&m->from);
	netlink_close(&m->to);
	return rc;
}

static int move_main(int argc, char **argv)
{
	struct mover m = {.from = NETLINK_INIT, .to = NETLINK_INIT};
	size_t n = argc > 3 ? ((size_t)argc - 3) / 2 : 0;
	struct device *devs;
	struct err err = ERR_INIT;
	uint32_t from, to;
	int rc;

	if (n == 0 || argc % 2 == 0 || parse_u32(argv[1], &from) < 0 ||
	    parse_u32(argv[2], &to) < 0) {
		fprintf(stderr, "usage: hull-netdev FROM_FD TO_FD HOST_NAME NAME...\n");
		return EXIT_USAGE;
	}
	m.from_fd = (int)from;
	m.to_fd = (int)to;
	devs = mem_xcalloc(n, sizeof(*devs));
	for (size_t i = 0; i < n; i++) {
		devs[i].host_name = argv[3 + 2 * i];
		devs[i].name = argv[4 + 2 * i];
	}
	rc = run(&m, devs, n, &err);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			puts(devs[i].after.name);
		buf_release(&devs[i].addresses);
	}
	free(devs);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.msg);
	return -rc;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "take") == 0)
		return take_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "release") == 0)
		return release_main(argc - 1, argv + 1);
	return move_main(argc, argv);
}
