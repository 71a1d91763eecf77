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
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/capability.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move),     cmocka_unit_test(test_move_names),
		cmocka_unit_test(test_conflict), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_loopback),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
