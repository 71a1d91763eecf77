// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network devices: veth pairs moved between two network namespaces that the test makes, by the
 * program hull-netdev of the same build, and what the kernel says of them afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/netlink.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

#define MAX_ADDRESSES 8

/* "A" is the host's namespace, "B" the container's. */
static int ns_a, ns_b;
static struct netlink nl_a, nl_b;

static const char *helper(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	for (int up = 0; up < 4 && n > 0; up++)
		while (n > 0 && path[--n] != '/')
			;
	snprintf(path + n, 32, "/hull-netdev");
	return path;
}

static int own_netns(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int make_namespaces(void)
{
	struct err e = ERR_INIT;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP_CHILD("network namespaces are not available: %s", strerror(errno));
	ns_b = own_netns();
	CHECK_RC(netlink_open(&nl_b, &e), 0, e);
	CHECK(unshare(CLONE_NEWNET) == 0);
	ns_a = own_netns();
	CHECK_RC(netlink_open(&nl_a, &e), 0, e);
	return 0;
}

static int make_veth(struct netlink *nl, const char *name, const char *peer)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *other;
	int rc;

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	mnl_attr_put_u32(request, IFLA_MTU, 1400);
	info = mnl_attr_nest_start(request, IFLA_LINKINFO);
	mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(request, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, peer);
	mnl_attr_nest_end(request, other);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, info);
	rc = netlink_talk(nl, request, NULL, NULL);
	if (rc == -EOPNOTSUPP)
		SKIP_CHILD("the kernel has no veth devices");
	CHECK(rc == 0);
	return 0;
}

/* if_nametoindex and its like ask in the caller's namespace, which is A. */
static int set_up(const char *name)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_index = (int)if_nametoindex(name);
	info->ifi_flags = info->ifi_change = IFF_UP;
	CHECK(netlink_talk(&nl_a, request, NULL, NULL) == 0);
	return 0;
}

static int add_address(const char *name, const char *text, uint8_t prefix, uint8_t scope,
		       uint32_t lifetime)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	struct ifa_cacheinfo times = {.ifa_prefered = lifetime, .ifa_valid = lifetime};
	unsigned char address[16];
	bool v6 = strchr(text, ':');

	CHECK(inet_pton(v6 ? AF_INET6 : AF_INET, text, address) == 1);
	info->ifa_family = v6 ? AF_INET6 : AF_INET;
	info->ifa_prefixlen = prefix;
	info->ifa_scope = scope;
	info->ifa_index = if_nametoindex(name);
	mnl_attr_put(request, IFA_LOCAL, v6 ? 16 : 4, address);
	mnl_attr_put(request, IFA_ADDRESS, v6 ? 16 : 4, address);
	if (lifetime)
		mnl_attr_put(request, IFA_CACHEINFO, sizeof(times), &times);
	CHECK(netlink_talk(&nl_a, request, NULL, NULL) == 0);
	return 0;
}

static int set_link_down(struct netlink *nl, const char *name)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_SETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_index = (int)if_nametoindex(name);
	info->ifi_change = IFF_UP;
	return netlink_talk(nl, request, NULL, NULL);
}

static int count_ingress(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);

	*(int *)data += tc->tcm_parent == TC_H_INGRESS;
	return MNL_CB_OK;
}

/* Interfaces of A that have an ingress qdisc. */
static int n_ingress(void)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_GETQDISC, NLM_F_DUMP);
	int n = 0;

	mnl_nlmsg_put_extra_header(request, sizeof(struct tcmsg));
	return netlink_talk(&nl_a, request, count_ingress, &n) < 0 ? -1 : n;
}

struct seen_link {
	int index;
	unsigned int flags;
	uint32_t mtu;
	unsigned char mac[6];
};

static int see_attribute(const struct nlattr *attr, void *data)
{
	struct seen_link *l = data;

	if (mnl_attr_get_type(attr) == IFLA_MTU)
		l->mtu = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == 6)
		memcpy(l->mac, mnl_attr_get_payload(attr), 6);
	return MNL_CB_OK;
}

static int see_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct seen_link *l = data;

	l->index = info->ifi_index;
	l->flags = info->ifi_flags;
	return mnl_attr_parse(message, sizeof(*info), see_attribute, l);
}

/* 0, or -ENODEV. */
static int get_link(struct netlink *nl, const char *name, struct seen_link *ret)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_GETLINK, 0);

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	return netlink_talk(nl, request, see_link, ret);
}

static bool exists(struct netlink *nl, const char *name)
{
	struct seen_link l;

	return get_link(nl, name, &l) == 0;
}

/* The addresses of a device as "ADDRESS/PREFIX" words, in the kernel's order. */
struct seen_addresses {
	int index;
	uint8_t family, prefix;
	char text[512];
};

static int see_address_attribute(const struct nlattr *attr, void *data)
{
	struct seen_addresses *s = data;
	char text[INET6_ADDRSTRLEN];
	size_t len = strlen(s->text);

	if (mnl_attr_get_type(attr) == IFA_ADDRESS &&
	    inet_ntop(s->family, mnl_attr_get_payload(attr), text, sizeof(text)))
		snprintf(s->text + len, sizeof(s->text) - len, " %s/%u", text, s->prefix);
	return MNL_CB_OK;
}

static int see_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct seen_addresses *s = data;

	if ((int)info->ifa_index != s->index || info->ifa_scope == RT_SCOPE_LINK)
		return MNL_CB_OK;
	s->family = info->ifa_family;
	s->prefix = info->ifa_prefixlen;
	return mnl_attr_parse(message, sizeof(*info), see_address_attribute, s);
}

static const char *addresses(struct netlink *nl, int index)
{
	static struct seen_addresses seen;
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_GETADDR, NLM_F_DUMP);

	seen = (struct seen_addresses){.index = index};
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
	return netlink_talk(nl, request, see_address, &seen) == 0 ? seen.text : "?";
}

static int move(const char *name, const char *new_name, char got[static NS_NETDEV_NAME_LEN],
		struct err *e)
{
	const struct ns_netdev dev = {name, new_name};
	char names[1][NS_NETDEV_NAME_LEN] = {""};
	int rc = ns_netdev_move(ns_a, ns_b, &dev, 1, names, helper(), e);

	memcpy(got, names[0], NS_NETDEV_NAME_LEN);
	return rc;
}

/* ---- tests ---- */

static int keeps_everything(void *arg)
{
	char got[NS_NETDEV_NAME_LEN];
	struct seen_link before, after;
	struct err e = ERR_INIT;
	int rc = make_namespaces() ?: make_veth(&nl_a, "dev0", "peer0");

	(void)arg;
	if (rc)
		return rc;
	CHECK(set_up("dev0") == 0);
	CHECK(add_address("dev0", "192.0.2.1", 24, RT_SCOPE_UNIVERSE, 0) == 0);
	CHECK(add_address("dev0", "192.0.2.2", 24, RT_SCOPE_UNIVERSE, 0) == 0);
	CHECK(add_address("dev0", "198.51.100.1", 32, RT_SCOPE_HOST, 0) == 0);
	CHECK(add_address("dev0", "203.0.113.9", 32, RT_SCOPE_UNIVERSE, 3600) == 0); /* lease */
	CHECK(add_address("dev0", "2001:db8::1", 64, RT_SCOPE_UNIVERSE, 0) == 0);
	CHECK(get_link(&nl_a, "dev0", &before) == 0);

	CHECK_RC(move("dev0", "eth0", got, &e), 0, e);
	CHECK(strcmp(got, "eth0") == 0);
	CHECK(!exists(&nl_a, "dev0") && exists(&nl_a, "peer0"));
	CHECK(get_link(&nl_b, "eth0", &after) == 0);
	CHECK(after.flags & IFF_UP);
	CHECK(after.mtu == 1400 && memcmp(before.mac, after.mac, 6) == 0);
	CHECK(strcmp(addresses(&nl_b, after.index), " 192.0.2.1/24 192.0.2.2/24 2001:db8::1/64") ==
	      0);
	return 0;
}

static int names(void *arg)
{
	char got[NS_NETDEV_NAME_LEN];
	struct err e = ERR_INIT;
	int rc = make_namespaces() ?: make_veth(&nl_a, "dev0", "peer0") ?:
					make_veth(&nl_a, "dev1", "peer1") ?:
					make_veth(&nl_a, "dev2", "peer2") ?:
					make_veth(&nl_b, "dev3", "eth1");

	(void)arg;
	if (rc)
		return rc;
	/* No new name: as on the host. */
	CHECK_RC(move("dev0", NULL, got, &e), 0, e);
	CHECK(strcmp(got, "dev0") == 0 && exists(&nl_b, "dev0"));
	/* A template: the first number that is free there. */
	CHECK_RC(move("dev1", "eth%d", got, &e), 0, e);
	CHECK(strcmp(got, "eth0") == 0);
	CHECK_RC(move("dev2", "eth%d", got, &e), 0, e);
	CHECK(strcmp(got, "eth2") == 0);
	/* A template for a device whose own name is taken there. */
	CHECK(make_veth(&nl_a, "dev3", "peer3") == 0);
	CHECK_RC(move("dev3", "dev%d", got, &e), 0, e);
	CHECK(strcmp(got, "dev1") == 0);
	return 0;
}

static int conflict(void *arg)
{
	const struct ns_netdev devs[] = {{"dev0", "eth0"}, {"dev1", "eth7"}, {"dev2", "taken"}};
	struct seen_link l;
	struct err e = ERR_INIT;
	int rc = make_namespaces() ?: make_veth(&nl_a, "dev0", "peer0") ?:
					make_veth(&nl_a, "dev1", "peer1") ?:
					make_veth(&nl_a, "dev2", "peer2") ?:
					make_veth(&nl_b, "taken", "peer3");

	(void)arg;
	if (rc)
		return rc;
	CHECK(set_up("dev0") == 0);
	CHECK(add_address("dev0", "192.0.2.1", 24, RT_SCOPE_UNIVERSE, 0) == 0);
	CHECK(add_address("dev0", "2001:db8::1", 64, RT_SCOPE_UNIVERSE, 0) == 0);
	CHECK_RC(ns_netdev_move(ns_a, ns_b, devs, 3, NULL, helper(), &e), -EEXIST, e);
	CHECK(strcmp(e.msg, "linux.netDevices 'dev2': the container has a network device named "
			    "'taken' already") == 0);
	/* All are back where they were, as they were. */
	CHECK(get_link(&nl_a, "dev0", &l) == 0 && l.flags & IFF_UP);
	CHECK(strcmp(addresses(&nl_a, l.index), " 192.0.2.1/24 2001:db8::1/64") == 0);
	CHECK(get_link(&nl_a, "dev1", &l) == 0 && !(l.flags & IFF_UP));
	CHECK(exists(&nl_a, "dev2"));
	CHECK(!exists(&nl_b, "eth0") && !exists(&nl_b, "eth7"));
	return 0;
}

static int errors(void *arg)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	char got[NS_NETDEV_NAME_LEN];
	const struct ns_netdev dev = {"dev0", NULL};
	struct err e = ERR_INIT;
	int rc = make_namespaces() ?: make_veth(&nl_a, "dev0", "peer0");

	(void)arg;
	if (rc)
		return rc;
	CHECK_RC(move("nosuch", NULL, got, &e), -ENODEV, e);
	CHECK(strcmp(e.msg, "linux.netDevices 'nosuch': No such device") == 0);
	CHECK(move("lo", "eth0", got, &e) < 0); /* belongs to its namespace */
	CHECK(strstr(e.msg, "linux.netDevices 'lo': move"));
	CHECK_RC(ns_netdev_move(ns_a, ns_b, &dev, 1, NULL, "/no/such/helper", &e), -ENOENT, e);
	CHECK(strstr(e.msg, "linux.netDevices: run '/no/such/helper'"));
	CHECK_RC(ns_netdev_move(ns_a, ns_b, &dev, 1, NULL, "/bin/true", &e), -EPROTO, e);
	CHECK(ns_netdev_move(ns_a, ns_b, &dev, 1, NULL, "/bin/false", &e) < 0);
	CHECK_RC(ns_netdev_move(-1, ns_b, &dev, 1, NULL, helper(), &e), -EBADF, e);

	/* Without the right to administer both namespaces. */
	CHECK(capget(&header, data) == 0);
	data[0].permitted = data[0].effective = data[0].inheritable = 0;
	data[1].permitted = data[1].effective = data[1].inheritable = 0;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		CHECK(cap_drop_bound(cap) == 0);
	CHECK(capset(&header, data) == 0);
	CHECK_RC(move("dev0", NULL, got, &e), -EPERM, e);
	CHECK(strstr(e.msg, "linux.netDevices") && strstr(e.msg, "Operation not permitted"));
	CHECK(exists(&nl_a, "dev0") && !exists(&nl_b, "dev0"));
	return 0;
}

static int loopback(void *arg)
{
	struct seen_link l;
	struct err e = ERR_INIT;
	int rc = make_namespaces();

	(void)arg;
	if (rc)
		return rc;
	CHECK(get_link(&nl_a, "lo", &l) == 0 && !(l.flags & IFF_UP));
	CHECK_RC(ns_loopback_up(&e), 0, e);
	CHECK(get_link(&nl_a, "lo", &l) == 0 && l.flags & IFF_UP && l.flags & IFF_LOOPBACK);
	CHECK(strcmp(addresses(&nl_a, l.index), " 127.0.0.1/8 ::1/128") == 0 ||
	      strcmp(addresses(&nl_a, l.index), " 127.0.0.1/8") == 0);
	CHECK_RC(ns_loopback_up(&e), 0, e);
	return 0;
}

/* ---- taking over ---- */

#define MARK "a frame of the test's own, long enough not to be padded by anybody on its way"

struct frame {
	struct ethhdr eth;
	char mark[sizeof(MARK)];
} __attribute__((packed));

static struct frame frame_from(uint8_t last)
{
	struct frame f = {
		.eth = {.h_dest = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			.h_source = {2, 0, 0, 0, 0, last},
			.h_proto = htons(0x88b5)}, /* for experiments */
		.mark = MARK,
	};

	return f;
}

/* Reads until the frame comes; what else arrives is the kernels' own. */
static int expect_frame(int fd, size_t skip, const struct frame *want)
{
	char buf[2048];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (int i = 0; i < 100; i++) {
		ssize_t n;

		CHECK(poll(&p, 1, 10000) == 1);
		n = read(fd, buf, sizeof(buf));
		if (n == (ssize_t)(skip + sizeof(*want)) &&
		    !memcmp(buf + skip, want, sizeof(*want)))
			return 0;
	}
	fprintf(stderr, "# the frame does not arrive\n");
	return 1;
}

static int packet_socket(int netns, const char *name)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5)};
	int fd;

	if (setns(netns, CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x88b5));
	to.sll_ifindex = (int)if_nametoindex(name);
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || setns(ns_a, CLONE_NEWNET) < 0)
		return -1;
	return fd;
}

static int frames_pass(int tap)
{
	const struct frame there = frame_from(1), back = frame_from(2);
	char with_header[10 + sizeof(back)] = {0}; /* struct virtio_net_hdr */
	CLOSE_FD int peer = packet_socket(ns_b, "peer0");

	CHECK(peer >= 0);
	CHECK(write(peer, &there, sizeof(there)) == sizeof(there));
	CHECK(expect_frame(tap, 10, &there) == 0);
	memcpy(with_header + 10, &back, sizeof(back));
	CHECK(write(tap, with_header, sizeof(with_header)) == sizeof(with_header));
	CHECK(expect_frame(peer, 0, &back) == 0);
	return 0;
}

/* dev0 in A, which is up, its other end in B. */
static int make_wire(void)
{
	const struct ns_netdev peer = {"peer0", NULL};
	struct err e = ERR_INIT;
	int rc = make_namespaces() ?: make_veth(&nl_a, "dev0", "peer0");

	if (rc)
		return rc;
	CHECK_RC(ns_netdev_move(ns_a, ns_b, &peer, 1, NULL, helper(), &e), 0, e);
	CHECK(add_address("dev0", "192.0.2.1", 24, RT_SCOPE_UNIVERSE, 0) == 0);
	return set_up("dev0");
}

static int takes_over(void *arg)
{
	struct ns_taken t = NS_TAKEN_INIT, other = NS_TAKEN_INIT;
	struct err e = ERR_INIT;
	struct seen_link l;
	int rc = make_wire();

	(void)arg;
	if (rc)
		return rc;
	rc = ns_netdev_take(&t, helper(), &e);
	if (rc == -ENOTSUP || rc == -ENOENT || rc == -ENODEV)
		SKIP_CHILD("%s", e.msg);
	CHECK_RC(rc, 0, e);
	CHECK(t.conf && t.conf->n_links == 1 && strcmp(t.conf->links[0].name, "dev0") == 0);
	CHECK(t.conf->links[0].mtu == 1400 && t.conf->n_addresses >= 1 && t.conf->n_routes >= 1);
	CHECK(t.taps[0] >= 0 && t.taps[1] == -1);
	CHECK(get_link(&nl_a, "dev0", &l) == 0);
	CHECK(memcmp(t.conf->links[0].mac, l.mac, sizeof(l.mac)) == 0);
	CHECK(get_link(&nl_a, "hull0", &l) == 0 && l.mtu == 1400 && l.flags & IFF_UP);
	CHECK(strcmp(addresses(&nl_a, l.index), "") == 0);
	CHECK(frames_pass(t.taps[0]) == 0);

	/* One at a time. */
	CHECK(set_link_down(&nl_a, "hull0") == 0);
	CHECK_RC(ns_netdev_take(&other, helper(), &e), -EBUSY, e);
	CHECK(strstr(e.msg, "'dev0'") && strstr(e.msg, "another virtual machine"));
	CHECK(!exists(&nl_a, "hull1") && !other.conf && other.taps[0] == -1);
	/* As long as it lives, it stays. */
	CHECK_RC(ns_netdev_release(ns_a, helper(), &e), 0, e);
	CHECK_RC(ns_netdev_take(&other, helper(), &e), -EBUSY, e);
	ns_taken_release(&t);
	CHECK(!exists(&nl_a, "hull0"));
	/* What is left of it is in nobody's way. */
	CHECK_RC(ns_netdev_take(&t, helper(), &e), 0, e);
	CHECK(frames_pass(t.taps[0]) == 0);
	ns_taken_release(&t);
	CHECK(n_ingress() == 1);
	CHECK_RC(ns_netdev_release(ns_a, helper(), &e), 0, e);
	CHECK(n_ingress() == 0);
	return 0;
}

static int takes_nothing(void *arg)
{
	struct ns_taken t = NS_TAKEN_INIT;
	struct err e = ERR_INIT;
	int rc = make_wire();

	(void)arg;
	if (rc)
		return rc;
	CHECK_RC(ns_loopback_up(&e), 0, e);
	CHECK(set_link_down(&nl_a, "dev0") == 0);
	CHECK_RC(ns_netdev_take(&t, "/no/such/helper", &e), 0, e);
	CHECK(!t.conf && t.taps[0] == -1);
	CHECK(set_up("dev0") == 0);
	CHECK(ns_netdev_take(&t, "/no/such/helper", &e) < 0);
	CHECK_RC(ns_netdev_take(&t, "/bin/true", &e), -EPROTO, e);
	CHECK(strstr(e.msg, "hull-netdev: no configuration of a network"));
	CHECK(!t.conf && t.taps[0] == -1 && !exists(&nl_a, "hull0") && n_ingress() == 0);
	return 0;
}

static void run_root(int (*fn)(void *))
{
	need_root();
	child_run(fn, NULL);
}

static void test_move(void **state)
{
	(void)state;
	run_root(keeps_everything);
}

static void test_move_names(void **state)
{
	(void)state;
	run_root(names);
}

static void test_conflict(void **state)
{
	(void)state;
	run_root(conflict);
}

static void test_errors(void **state)
{
	(void)state;
	run_root(errors);
}

static void test_loopback(void **state)
{
	(void)state;
	run_root(loopback);
}

static void test_take(void **state)
{
	(void)state;
	run_root(takes_over);
}

static void test_take_nothing(void **state)
{
	(void)state;
	run_root(takes_nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move),         cmocka_unit_test(test_move_names),
		cmocka_unit_test(test_conflict),     cmocka_unit_test(test_errors),
		cmocka_unit_test(test_loopback),     cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
