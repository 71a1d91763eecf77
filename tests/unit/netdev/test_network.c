/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network both ways: what the guest's agent configures (microvm/guest/net.c), hull-netdev reads
 * (namespaces/netdev/read.c), and it is the same. Both by the kernel's own word, in network namespaces
 * of the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/guest/guest.h"
#include "microvm/guest/rtnl.h"
#include "namespaces/netdev/netdev.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

/* ---- messages ---- */

static void test_message(void **state)
{
	static const uint8_t attributes[] = {5,  0, 7, 0, 9, 0, 0, 0, /* one byte, padded */
					     12, 0, 3, 0,             /* a nest */
					     8,  0, 4, 0, 1, 2, 3, 4};
	const uint32_t fixed = 0x04030201;
	struct rtnl_msg m;
	size_t nest, len = 0;

	(void)state;
	rtnl_begin(&m, RTM_NEWROUTE, NLM_F_CREATE, &fixed, sizeof(fixed));
	rtnl_put_u8(&m, 7, 9);
	nest = rtnl_nest(&m, 3);
	rtnl_put_u32(&m, 4, fixed);
	rtnl_nest_end(&m, nest);
	assert_int_equal(m.header.nlmsg_type, RTM_NEWROUTE);
	assert_int_equal(m.header.nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
	assert_int_equal(m.len, sizeof(m.header) + sizeof(fixed) + sizeof(attributes));
	assert_memory_equal(m.bytes + sizeof(m.header), &fixed, sizeof(fixed));
	assert_memory_equal(m.bytes + sizeof(m.header) + sizeof(fixed), attributes,
			    sizeof(attributes));

	assert_int_equal(*rtnl_find(attributes, sizeof(attributes), 7, &len), 9);
	assert_int_equal(len, 1);
	assert_non_null(rtnl_find(attributes, sizeof(attributes), 3, &len));
	assert_int_equal(len, 8);
	assert_null(rtnl_find(attributes, sizeof(attributes), 4, &len));
	assert_int_equal(rtnl_find_u32(attributes + 12, 8, 4), fixed);
	assert_int_equal(rtnl_find_u32(attributes, sizeof(attributes), 7), 0);
	/* Cut off, or of no length. */
	assert_null(rtnl_find(attributes, 11, 3, &len));
	assert_null(rtnl_find(attributes, sizeof(attributes) - 1, 3, &len));
	assert_null(rtnl_find((const uint8_t[8]){3, 0, 3, 0}, 8, 3, &len));
	assert_null(rtnl_find(attributes, 0, 7, &len));
}

static void test_message_that_is_full(void **state)
{
	static const uint8_t much[RTNL_MESSAGE_MAX];
	struct err e = ERR_INIT;
	struct rtnl_msg m;

	(void)state;
	rtnl_begin(&m, RTM_NEWROUTE, 0, much, 4);
	rtnl_put(&m, 1, much, RTNL_MESSAGE_MAX - m.len - 4);
	assert_false(m.overflow);
	assert_int_equal(m.len, RTNL_MESSAGE_MAX);
	rtnl_put(&m, 1, NULL, 0);
	assert_true(m.overflow);

	CLOSE_FD int fd = rtnl_open(&e);

	assert_true(fd >= 0);
	assert_int_equal(rtnl_talk(fd, &m), -EMSGSIZE);
	rtnl_begin(&m, RTM_NEWROUTE, 0, much, sizeof(much));
	assert_true(m.overflow);
	rtnl_nest_end(&m, rtnl_nest(&m, 1));
	assert_int_equal(rtnl_talk(fd, &m), -EMSGSIZE);
	/* The kernel's own answer. */
	rtnl_begin(&m, RTM_GETLINK, 0, &(struct ifinfomsg){.ifi_index = 0x7ffffff0},
		   sizeof(struct ifinfomsg));
	assert_int_equal(rtnl_talk(fd, &m), -ENODEV);
}

/* ---- namespaces ---- */

/* Frames go nowhere: both ends are interfaces of the "guest". */
static int make_pair(const uint8_t mac[6], const uint8_t peer_mac[6])
{
	static const struct ifinfomsg none;
	struct err e = ERR_INIT;
	CLOSE_FD int fd = rtnl_open(&e);
	struct rtnl_msg m;
	size_t info, data, peer;
	int rc;

	CHECK(fd >= 0);
	rtnl_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &none, sizeof(none));
	rtnl_put(&m, IFLA_ADDRESS, mac, 6);
	info = rtnl_nest(&m, IFLA_LINKINFO);
	rtnl_put(&m, IFLA_INFO_KIND, "veth", 5);
	data = rtnl_nest(&m, IFLA_INFO_DATA);
	/* The peer's struct ifinfomsg is the beginning of the nest. */
	peer = m.len;
	rtnl_put(&m, VETH_INFO_PEER, &none, sizeof(none));
	rtnl_put(&m, IFLA_ADDRESS, peer_mac, 6);
	rtnl_nest_end(&m, peer);
	rtnl_nest_end(&m, data);
	rtnl_nest_end(&m, info);
	rc = rtnl_talk(fd, &m);
	if (rc == -EOPNOTSUPP)
		SKIP_CHILD("the kernel has no veth devices");
	CHECK(rc == 0);
	return 0;
}

/* A process in a network namespace of its own; it ends with this one. */
static pid_t start_container(void)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) == 0 && ns_loopback_up(NULL) == 0 &&
		    write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

static const uint8_t mac_a[] = {2, 0, 0, 0, 0, 0xa}, mac_b[] = {2, 0, 0, 0, 0, 0xb};

static void put_link(struct netconf *c, const char *name, const uint8_t mac[6], uint16_t mtu)
{
	struct netconf_link *l = &c->links[c->n_links++];

	snprintf(l->name, sizeof(l->name), "%s", name);
	memcpy(l->mac, mac, 6);
	l->mtu = mtu;
}

static struct netconf_address *put_address(struct netconf *c, uint8_t link, const char *text,
					   uint8_t prefix_len)
{
	struct netconf_address *a = &c->addresses[c->n_addresses++];

	*a = (struct netconf_address){
		.link = link,
		.family = strchr(text, ':') ? AF_INET6 : AF_INET,
		.prefix_len = prefix_len,
		.valid_s = NETCONF_FOREVER,
		.preferred_s = NETCONF_FOREVER,
	};
	(void)inet_pton(a->family, text, a->local);
	(void)inet_pton(a->family, text, a->peer);
	/* As the kernel would have it. */
	if (a->family == AF_INET)
		memcpy(a->label, c->links[link].name, sizeof(a->label));
	return a;
}

static struct netconf_route *put_route(struct netconf *c, uint8_t link, const char *dst,
				       uint8_t dst_len, const char *gateway, uint32_t priority)
{
	struct netconf_route *r = &c->routes[c->n_routes++];

	*r = (struct netconf_route){
		.link = link,
		.family = strchr(dst, ':') ? AF_INET6 : AF_INET,
		.dst_len = dst_len,
		.protocol = RTPROT_STATIC,
		.type = link == NETCONF_NO_LINK ? RTN_BLACKHOLE : RTN_UNICAST,
		.priority = priority,
	};
	(void)inet_pton(r->family, dst, r->dst);
	if (gateway) {
		r->gateway_family = strchr(gateway, ':') ? AF_INET6 : AF_INET;
		(void)inet_pton(r->gateway_family, gateway, r->gateway);
	} else if (r->family == AF_INET && link != NETCONF_NO_LINK) {
		r->scope = RT_SCOPE_LINK;
	}
	return r;
}

static void put_neighbour(struct netconf *c, const char *text)
{
	struct netconf_neighbour *n = &c->neighbours[c->n_neighbours++];

	*n = (struct netconf_neighbour){.family = strchr(text, ':') ? AF_INET6 : AF_INET,
					.mac = {2, 9, 9, 9, 9, 9}};
	(void)inet_pton(n->family, text, n->dst);
}

/* Addresses and routes stand in the order in which the kernel tells them. */
static struct netconf *example(void)
{
	struct netconf *c = netconf_new();
	struct netconf_address *a;
	struct netconf_route *r;

	put_link(c, "net1", mac_b, 9000);
	put_link(c, "eth0", mac_a, 1400);
	/* Its carrier may come later, and would bring an address. */
	c->links[0].addr_gen_mode = IN6_ADDR_GEN_MODE_NONE;
	c->links[1].accept_ra = 1;
	c->links[1].autoconf = 1;

	a = put_address(c, 0, "10.3.0.2", 16);
	a->flags = 0x200; /* IFA_F_NOPREFIXROUTE */
	a = put_address(c, 1, "10.2.0.2", 32);
	(void)inet_pton(AF_INET, "10.2.0.1", a->peer);
	a->scope = RT_SCOPE_LINK;
	a = put_address(c, 1, "10.1.0.2", 24);
	a->has_broadcast = 1;
	(void)inet_pton(AF_INET, "10.1.0.255", a->broadcast);
	a = put_address(c, 1, "10.1.0.3", 24); /* a secondary one */
	snprintf(a->label, sizeof(a->label), "eth0:x");

	r = put_route(c, 1, "0.0.0.0", 0, "10.1.0.1", 0);
	r->has_prefsrc = 1;
	(void)inet_pton(AF_INET, "10.1.0.3", r->prefsrc);
	r->has_metrics = 1u << (RTAX_MTU - 1) | 1u << (RTAX_LOCK - 1);
	r->metrics[RTAX_MTU - 1] = 1300;
	r->metrics[RTAX_LOCK - 1] = 1u << RTAX_MTU;
	put_route(c, 0, "0.0.0.0", 0, "169.254.7.7", 100)->flags = RTNH_F_ONLINK;
	/* The kernel's own route to 10.1.0.0/24 is not there: neighbours only by the gateway. */
	put_route(c, 1, "10.1.0.0", 24, "10.1.0.1", 0)->protocol = RTPROT_BOOT;
	put_route(c, 1, "10.1.0.1", 32, NULL, 0);
	put_route(c, NETCONF_NO_LINK, "192.0.2.0", 24, NULL, 5);
	put_route(c, 0, "198.51.100.0", 24, "fe80::1", 0);
	put_neighbour(c, "10.1.0.1");
	return c;
}

static void add_ipv6(struct netconf *c)
{
	struct netconf_address *a;
	struct netconf_neighbour *n;

	/* In the kernel's order: by scope, then the newest first. */
	put_address(c, 1, "fd01::9", 64)->flags = 2; /* IFA_F_NODAD */
	put_address(c, 1, "fd01::2", 64);
	a = put_address(c, 1, "fe80::ff:fe00:a", 64);
	a->scope = RT_SCOPE_LINK;
	put_route(c, 1, "fd01::", 64, NULL, 256)->protocol = RTPROT_KERNEL;
	put_route(c, NETCONF_NO_LINK, "fd02::", 64, NULL, 1024)->type = RTN_UNREACHABLE;
	put_route(c, 1, "fe80::", 64, NULL, 256)->protocol = RTPROT_KERNEL;
	put_route(c, 1, "::", 0, "fd01::1", 512)->pref = 1; /* high */
	put_neighbour(c, "fd01::1");
	n = &c->neighbours[c->n_neighbours - 1];
	n->link = 1;
	n->router = 1;
}

static void show(const struct netconf *c)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < c->n_addresses; i++) {
		const struct netconf_address *a = &c->addresses[i];

		fprintf(stderr, "# %s %s/%u flags %x scope %u valid %u label %s priority %u\n",
			c->links[a->link].name, inet_ntop(a->family, a->local, text, sizeof(text)),
			a->prefix_len, a->flags, a->scope, a->valid_s, a->label, a->priority);
	}
	for (size_t i = 0; i < c->n_routes; i++) {
		const struct netconf_route *r = &c->routes[i];

		fprintf(stderr,
			"# %s/%u link %u type %u protocol %u scope %u priority %u metrics %x\n",
			inet_ntop(r->family, r->dst, text, sizeof(text)), r->dst_len, r->link,
			r->type, r->protocol, r->scope, r->priority, r->has_metrics);
	}
}

/* Without what fills it up, in which a compiler leaves what it likes. */
static bool same_address(const struct netconf_address *a, const struct netconf_address *b)
{
	return memcmp(a, b, offsetof(struct netconf_address, label) + sizeof(a->label)) == 0;
}

static int compare(const struct netconf *got, const struct netconf *want)
{
	CHECK(got->n_links == want->n_links);
	CHECK(memcmp(got->links, want->links, sizeof(got->links)) == 0);
	CHECK(got->n_addresses == want->n_addresses);
	for (size_t i = 0; i < got->n_addresses; i++)
		if (!same_address(&got->addresses[i], &want->addresses[i])) {
			fprintf(stderr, "# address %zu\n", i);
			return 1;
		}
	CHECK(got->n_routes == want->n_routes);
	for (size_t i = 0; i < got->n_routes; i++)
		if (memcmp(&got->routes[i], &want->routes[i], sizeof(got->routes[i]))) {
			fprintf(stderr, "# route %zu\n", i);
			return 1;
		}
	CHECK(got->n_neighbours == want->n_neighbours);
	CHECK(memcmp(got->neighbours, want->neighbours, sizeof(got->neighbours)) == 0);
	return 0;
}

static int read_of(pid_t pid, char *const *names, size_t n, struct netconf *ret, struct err *err)
{
	struct netlink nl = NETLINK_INIT;
	int indexes[NETCONF_LINKS_MAX];
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);

	CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && setns(fd, CLONE_NEWNET) == 0);
	rc = netlink_open(&nl, err);
	if (rc == 0)
		rc = read_network(&nl, names, n, ret, indexes, err);
	netlink_close(&nl);
	return rc;
}

static int furnished(bool ipv6)
{
	char *names[] = {(char *)"net1", (char *)"eth0"};
	NETCONF *want = example();
	NETCONF *got = netconf_new();
	struct err e = ERR_INIT;
	pid_t pid;
	int rc;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP_CHILD("network namespaces are not available: %s", strerror(errno));
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		SKIP_CHILD("the kernel has no IPv6");
	rc = make_pair(mac_a, mac_b);
	if (rc)
		return rc;
	pid = start_container();
	CHECK(pid > 0);
	for (size_t i = 0; i < want->n_links; i++)
		want->links[i].disable_ipv6 = !ipv6;
	if (ipv6)
		add_ipv6(want);
	else
		want->routes[5] = want->routes[--want->n_routes]; /* whose gateway needs it */
	CHECK_RC(netconf_check(want, &e), 0, e);
	CHECK_RC(net_furnish(want, pid, &e), 0, e);
	CHECK(if_nametoindex("veth0") == 0); /* it is gone from here */
	CHECK_RC(read_of(pid, names, 2, got, &e), 0, e);
	if (compare(got, want) == 0)
		return 0;
	show(got);
	return 1;
}

static int with_ipv6(void *arg)
{
	(void)arg;
	return furnished(true);
}

static int without_ipv6(void *arg)
{
	(void)arg;
	return furnished(false);
}

static int errors(void *arg)
{
	NETCONF *c = example();
	NETCONF *got = netconf_new();
	struct err e = ERR_INIT;
	char *names[] = {(char *)"lo", (char *)"nosuch"};
	pid_t pid;
	int rc;

	(void)arg;
	if (unshare(CLONE_NEWNET) < 0)
		SKIP_CHILD("network namespaces are not available: %s", strerror(errno));
	pid = start_container();
	CHECK(pid > 0);
	CHECK_RC(net_furnish(c, pid, &e), -ENODEV, e);
	CHECK(strstr(e.msg, "'net1'") && strstr(e.msg, "hardware address"));
	rc = make_pair(mac_a, mac_b);
	if (rc)
		return rc;
	/* A gateway that no route leads to. */
	(void)inet_pton(AF_INET, "192.0.2.99", c->routes[0].gateway);
	CHECK(net_furnish(c, pid, &e) < 0);
	CHECK(strstr(e.msg, "route to 0.0.0.0/0"));
	CHECK_RC(net_furnish(c, 0x3fffffff, &e), -ENOENT, e);
	CHECK_RC(read_of(pid, names, 1, got, &e), -ENOTSUP, e);
	CHECK(strstr(e.msg, "'lo'") && strstr(e.msg, "Ethernet"));
	CHECK_RC(read_of(pid, names + 1, 1, got, &e), -ENODEV, e);
	CHECK(strstr(e.msg, "'nosuch'"));
	return 0;
}

struct change {
	uint16_t type;
	const void *fixed;
	size_t len;
	uint16_t attribute;
	uint32_t value;
	bool two_hops;
	const char *says;
};

/* A struct rtnexthop by each gateway, which lies behind eth0. */
static void put_hops(struct rtnl_msg *m, int index)
{
	size_t hops = rtnl_nest(m, RTA_MULTIPATH);

	for (uint8_t i = 1; i < 3; i++) {
		const struct rtnexthop hop = {.rtnh_len = 16, .rtnh_ifindex = index};
		const uint8_t gateway[] = {10, 1, 0, i};

		/* What stands in front of its attributes is as long as this one, whose place it takes. */
		rtnl_put(m, 0, (const uint8_t *)&hop + 4, 4);
		memcpy(m->bytes + m->len - 8, &hop, sizeof(hop));
		rtnl_put(m, RTA_GATEWAY, gateway, sizeof(gateway));
	}
	rtnl_nest_end(m, hops);
}

static int refused_with(const struct change *c)
{
	char *names[] = {(char *)"net1", (char *)"eth0"};
	NETCONF *got = netconf_new();
	NETCONF *want = example();
	struct err e = ERR_INIT;
	struct rtnl_msg m;
	pid_t pid;
	int rc;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP_CHILD("network namespaces are not available: %s", strerror(errno));
	rc = make_pair(mac_a, mac_b);
	if (rc)
		return rc;
	pid = start_container();
	CHECK(pid > 0);
	CHECK_RC(net_furnish(want, pid, &e), 0, e);
	CHECK_RC(read_of(pid, names, 2, got, &e), 0, e);

	CLOSE_FD int fd = rtnl_open(&e); /* we are there now */

	rtnl_begin(&m, c->type, NLM_F_CREATE | NLM_F_EXCL, c->fixed, c->len);
	if (c->attribute)
		rtnl_put_u32(&m, c->attribute, c->value);
	if (c->two_hops)
		put_hops(&m, (int)if_nametoindex("eth0"));
	rc = rtnl_talk(fd, &m);
	if (rc == -EOPNOTSUPP || rc == -EINVAL)
		SKIP_CHILD("the kernel does not have it");
	CHECK(rc == 0);
	*got = (struct netconf){0};
	CHECK_RC(read_of(pid, names, 2, got, &e), -ENOTSUP, e);
	CHECK(strstr(e.msg, c->says));
	return 0;
}

static int refuses(void *arg)
{
	return refused_with(arg);
}

/* What nobody can have who stands in for the interfaces is not left out in silence. */
static void test_refused(void **state)
{
	static const struct rtmsg rule = {
		.rtm_family = AF_INET, .rtm_table = 100, .rtm_type = FR_ACT_TO_TBL};
	static const struct rtmsg route = {.rtm_family = AF_INET,
					   .rtm_dst_len = 8,
					   .rtm_table = RT_TABLE_MAIN,
					   .rtm_protocol = RTPROT_STATIC,
					   .rtm_type = RTN_UNICAST};
	const uint32_t lo = 1, net = htonl(0x14000000);
	struct change changes[] = {
		{RTM_NEWRULE, &rule, sizeof(rule), FRA_PRIORITY, 77, false,
		 "a routing rule of its own (priority 77)"},
		{RTM_NEWROUTE, &route, sizeof(route), RTA_DST, net, true,
		 "its route to 20.0.0.0/8 has several next hops"},
		{RTM_NEWROUTE, &route, sizeof(route), RTA_OIF, lo, false,
		 "its route to 0.0.0.0/8 leads through no interface that is taken over"},
	};

	(void)state;
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		child_run(refuses, &changes[i]);
}

static void test_comes_back(void **state)
{
	(void)state;
	need_root();
	child_run(with_ipv6, NULL);
}

static void test_comes_back_without_ipv6(void **state)
{
	(void)state;
	need_root();
	child_run(without_ipv6, NULL);
}

static void test_errors(void **state)
{
	(void)state;
	need_root();
	child_run(errors, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),    cmocka_unit_test(test_message_that_is_full),
		cmocka_unit_test(test_comes_back), cmocka_unit_test(test_comes_back_without_ipv6),
		cmocka_unit_test(test_errors),     cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
