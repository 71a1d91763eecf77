/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's network in the guest: the machine's interfaces are moved into the container's own
 * network namespace and get what the ones on the host have for which they stand.
 *
 * Everything is as told and no more: routes that the kernel makes for addresses are removed first
 * (who configured the host's may have removed them, too), addresses are there without a search for
 * duplicates, since they have been in use on this link, and no link-local address is made up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "microvm/guest/guest.h"
#include "microvm/guest/rtnl.h"

#define IPV6_CONF    "/proc/sys/net/ipv6/conf"
#define MIN_IPV6_MTU 1280 /* an interface with less has no IPv6 */

#define CARRIER_STEPS 4000
#define CARRIER_STEP  (struct timespec){.tv_nsec = 500000}

#define OPER_UNKNOWN 0 /* IF_OPER_* of linux/if.h, which does not go with net/if.h */
#define OPER_UP	     6

struct net {
	const struct netconf *conf;
	int rtnl; /* in the container's network namespace */
	bool has_ipv6;
	int indexes[NETCONF_LINKS_MAX];
};

static size_t addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : NETCONF_ADDR_LEN;
}

static int failed(int rc, const char *name, const char *what, struct err *err)
{
	return err_code(err, -rc, "interface '%s' of the guest: %s", name, what);
}

/* ---- moving ---- */

static const uint8_t spare_mac[NETCONF_MAC_LEN] = NETCONF_SPARE_MAC;

struct search {
	const uint8_t *mac;
	int index, spare; /* 0: not found */
};

static void look_at_link(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	struct search *s = arg;
	struct ifinfomsg info;
	const uint8_t *mac;
	size_t mac_len = 0;

	if (type != RTM_NEWLINK || len < sizeof(info) || s->index)
		return;
	memcpy(&info, data, sizeof(info));
	mac = rtnl_find(data + sizeof(info), len - sizeof(info), IFLA_ADDRESS, &mac_len);
	if (!mac || mac_len != NETCONF_MAC_LEN)
		return;
	if (memcmp(mac, s->mac, mac_len) == 0)
		s->index = info.ifi_index;
	else if (!s->spare && memcmp(mac, spare_mac, mac_len) == 0)
		s->spare = info.ifi_index;
}

/*
 * The interface with the link's hardware address, or one to spare: machines have either those that
 * they were made for or, in the same order, such. Its number or -errno.
 */
static int find_link(int rtnl, const struct netconf_link *l, struct err *err)
{
	const struct ifinfomsg all = {0};
	struct search s = {.mac = l->mac};
	struct rtnl_msg m;
	int rc;

	rtnl_begin(&m, RTM_GETLINK, 0, &all, sizeof(all));
	rc = rtnl_dump(rtnl, &m, look_at_link, &s);
	if (rc < 0)
		return failed(rc, l->name, "look for it", err);
	if (!s.index && !s.spare)
		return err_set(err, ENODEV,
			       "interface '%s': the guest has none with its hardware address",
			       l->name);
	return s.index ? s.index : s.spare;
}

static void put_name(struct rtnl_msg *m, const struct netconf_link *l)
{
	rtnl_put(m, IFLA_IFNAME, l->name, strlen(l->name) + 1);
}

static int move_links(const struct netconf *conf, int netns_fd, struct err *err)
{
	CLOSE_FD int rtnl = rtnl_open(err);
	int rc = rtnl < 0 ? rtnl : 0;

	for (size_t i = 0; i < conf->n_links && rc >= 0; i++) {
		const struct netconf_link *l = &conf->links[i];
		struct ifinfomsg info = {0};
		struct rtnl_msg m;

		rc = info.ifi_index = find_link(rtnl, l, err);
		if (rc < 0)
			break;
		rtnl_begin(&m, RTM_SETLINK, 0, &info, sizeof(info));
		rtnl_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)netns_fd);
		put_name(&m, l);
		rtnl_put(&m, IFLA_ADDRESS, l->mac, sizeof(l->mac));
		rc = rtnl_talk(rtnl, &m);
		if (rc < 0)
			(void)failed(rc, l->name, "move it into the container", err);
	}
	return rc < 0 ? rc : 0;
}

/* ---- links ---- */

static void take_index(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	struct ifinfomsg info;

	if (type != RTM_NEWLINK || len < sizeof(info))
		return;
	memcpy(&info, data, sizeof(info));
	*(int *)arg = info.ifi_index;
}

static bool has_ipv6(const struct net *n, const struct netconf_link *l)
{
	return n->has_ipv6 && l->mtu >= MIN_IPV6_MTU;
}

static void put_addr_gen_mode(struct rtnl_msg *m, uint8_t mode)
{
	size_t families = rtnl_nest(m, IFLA_AF_SPEC), family = rtnl_nest(m, AF_INET6);

	rtnl_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, mode);
	rtnl_nest_end(m, family);
	rtnl_nest_end(m, families);
}

static int set_up(const struct net *n, size_t i, struct err *err)
{
	const struct netconf_link *l = &n->conf->links[i];
	const struct ifinfomsg info = {
		.ifi_index = n->indexes[i],
		.ifi_flags = IFF_UP | (l->noarp ? IFF_NOARP : 0u),
		.ifi_change = IFF_UP | IFF_NOARP,
	};
	struct rtnl_msg m;
	int rc;

	rtnl_begin(&m, RTM_SETLINK, 0, &info, sizeof(info));
	rtnl_put_u32(&m, IFLA_MTU, l->mtu);
	if (has_ipv6(n, l))
		put_addr_gen_mode(&m, IN6_ADDR_GEN_MODE_NONE);
	rc = rtnl_talk(n->rtnl, &m);
	return rc < 0 ? failed(rc, l->name, "set it up", err) : 0;
}

static int write_sysctl(const struct netconf_link *l, const char *name, unsigned int value,
			struct err *err)
{
	FREE char *path = mem_xprintf(IPV6_CONF "/%s/%s", l->name, name);
	FREE char *text = mem_xprintf("%u", value);

	return io_write_value(AT_FDCWD, path, text, err);
}

static int write_sysctls(const struct netconf_link *l, struct err *err)
{
	int rc;

	if ((rc = write_sysctl(l, "disable_ipv6", l->disable_ipv6, err)) < 0 ||
	    (rc = write_sysctl(l, "accept_ra", l->accept_ra, err)) < 0)
		return rc;
	return write_sysctl(l, "autoconf", l->autoconf, err);
}

static int set_up_links(struct net *n, struct err *err)
{
	for (size_t i = 0; i < n->conf->n_links; i++) {
		const struct netconf_link *l = &n->conf->links[i];
		const struct ifinfomsg any = {0};
		struct rtnl_msg m;
		int rc;

		rtnl_begin(&m, RTM_GETLINK, 0, &any, sizeof(any));
		put_name(&m, l);
		rc = rtnl_ask(n->rtnl, &m, take_index, &n->indexes[i]);
		if (rc < 0)
			return failed(rc, l->name, "look for it in the container", err);
		if (has_ipv6(n, l) && (rc = write_sysctls(l, err)) < 0)
			return rc;
		if ((rc = set_up(n, i, err)) < 0)
			return rc;
	}
	return 0;
}

static void take_operstate(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	const uint8_t *state;
	size_t state_len = 0;

	if (type != RTM_NEWLINK || len < sizeof(struct ifinfomsg))
		return;
	data += sizeof(struct ifinfomsg);
	state = rtnl_find(data, len - sizeof(struct ifinfomsg), IFLA_OPERSTATE, &state_len);
	if (state && state_len == 1)
		*(uint8_t *)arg = *state;
}

/*
 * The kernel makes a link-local address when it has seen the carrier, which it does some time after
 * the interface was set up. There always is one; should it not be seen, nothing is lost but time.
 */
static int wait_for_carrier(const struct net *n, size_t i, struct err *err)
{
	const struct ifinfomsg info = {.ifi_index = n->indexes[i]};

	for (int step = 0; step < CARRIER_STEPS; step++) {
		uint8_t state = OPER_UP;
		struct rtnl_msg m;
		int rc;

		rtnl_begin(&m, RTM_GETLINK, 0, &info, sizeof(info));
		rc = rtnl_ask(n->rtnl, &m, take_operstate, &state);
		if (rc < 0)
			return failed(rc, n->conf->links[i].name, "ask for its state", err);
		if (state == OPER_UP || state == OPER_UNKNOWN)
			return 0;
		(void)nanosleep(&CARRIER_STEP, NULL);
	}
	return 0;
}

/* From here on it may make up addresses as the host's would. */
static int restore_addr_gen_mode(const struct net *n, struct err *err)
{
	for (size_t i = 0; i < n->conf->n_links; i++) {
		const struct netconf_link *l = &n->conf->links[i];
		const struct ifinfomsg info = {.ifi_index = n->indexes[i]};
		struct rtnl_msg m;
		int rc;

		if (!has_ipv6(n, l) || l->addr_gen_mode != IN6_ADDR_GEN_MODE_EUI64)
			continue;
		rc = wait_for_carrier(n, i, err);
		if (rc < 0)
			return rc;
		rtnl_begin(&m, RTM_SETLINK, 0, &info, sizeof(info));
		put_addr_gen_mode(&m, l->addr_gen_mode);
		rc = rtnl_talk(n->rtnl, &m);
		if (rc < 0)
			return failed(rc, l->name, "set its mode of address generation", err);
	}
	return 0;
}

/* ---- addresses ---- */

static int talk_address(const struct net *n, const struct netconf_address *a, uint16_t mode,
			uint32_t flags, struct err *err)
{
	const struct ifaddrmsg info = {
		.ifa_family = a->family,
		.ifa_prefixlen = a->prefix_len,
		.ifa_scope = a->scope,
		.ifa_index = (uint32_t)n->indexes[a->link],
	};
	const struct ifa_cacheinfo times = {.ifa_valid = a->valid_s,
					    .ifa_prefered = a->preferred_s};
	const size_t len = addr_len(a->family);
	char text[INET6_ADDRSTRLEN] = "?";
	struct rtnl_msg m;
	int rc;

	rtnl_begin(&m, RTM_NEWADDR, NLM_F_CREATE | mode, &info, sizeof(info));
	rtnl_put(&m, IFA_LOCAL, a->local, len);
	rtnl_put(&m, IFA_ADDRESS, a->peer, len);
	rtnl_put_u32(&m, IFA_FLAGS, flags);
	rtnl_put(&m, IFA_CACHEINFO, &times, sizeof(times));
	if (a->has_broadcast)
		rtnl_put(&m, IFA_BROADCAST, a->broadcast, sizeof(a->broadcast));
	if (a->label[0])
		rtnl_put(&m, IFA_LABEL, a->label, strlen(a->label) + 1);
	if (a->priority)
		rtnl_put_u32(&m, IFA_RT_PRIORITY, a->priority);
	rc = rtnl_talk(n->rtnl, &m);
	if (rc == 0)
		return 0;
	(void)inet_ntop(a->family, a->local, text, sizeof(text));
	return err_code(err, -rc, "interface '%s' of the guest: add address %s/%u",
			n->conf->links[a->link].name, text, a->prefix_len);
}

/* The search for duplicates begins when an address is added, so the flag against it may go then. */
static int add_address(const struct net *n, const struct netconf_address *a, struct err *err)
{
	const bool hold = a->family == AF_INET6 && !(a->flags & IFA_F_NODAD);
	int rc = talk_address(n, a, NLM_F_EXCL, a->flags | (hold ? IFA_F_NODAD : 0u), err);

	return rc == 0 && hold ? talk_address(n, a, NLM_F_REPLACE, a->flags, err) : rc;
}

/* The kernel tells IPv6 addresses with the newest first. */
static int add_addresses(const struct net *n, struct err *err)
{
	const struct netconf *c = n->conf;
	int rc = 0;

	for (size_t i = 0; i < c->n_addresses && rc == 0; i++) {
		if (c->addresses[i].family == AF_INET)
			rc = add_address(n, &c->addresses[i], err);
	}
	for (size_t i = c->n_addresses; i-- > 0 && rc == 0;) {
		if (c->addresses[i].family == AF_INET6)
			rc = add_address(n, &c->addresses[i], err);
	}
	return rc;
}

/* ---- routes ---- */

struct routes { /* messages of the kernel's, each behind its length */
	struct buf list;
	uint32_t lo;
};

static bool is_of_an_interface(const struct rtmsg *r, const uint8_t *attrs, size_t len, uint32_t lo)
{
	size_t dst_len = 0;
	const uint8_t *dst = rtnl_find(attrs, len, RTA_DST, &dst_len);
	const uint32_t table = rtnl_find_u32(attrs, len, RTA_TABLE);

	if ((table ? table : r->rtm_table) != RT_TABLE_MAIN || r->rtm_type != RTN_UNICAST ||
	    (r->rtm_flags & RTM_F_CLONED))
		return false;
	/* A kernel without tables of its own for IPv6 has multicast here, too. */
	if (r->rtm_family == AF_INET6 && dst && dst_len && dst[0] == 0xff)
		return false;
	return rtnl_find_u32(attrs, len, RTA_OIF) != lo;
}

static void note_route(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	struct routes *routes = arg;
	struct rtmsg r;

	if (type != RTM_NEWROUTE || len < sizeof(r))
		return;
	memcpy(&r, data, sizeof(r));
	if (!is_of_an_interface(&r, data + sizeof(r), len - sizeof(r), routes->lo))
		return;
	buf_add(&routes->list, &len, sizeof(len));
	buf_add(&routes->list, data, len);
}

/* A route is removed by the very message that tells of it. */
static int remove_noted(const struct net *n, const struct buf *list, struct err *err)
{
	size_t len;

	for (size_t at = 0; at < list->len; at += sizeof(len) + len) {
		struct rtnl_msg m;
		int rc;

		memcpy(&len, list->data + at, sizeof(len));
		rtnl_begin(&m, RTM_DELROUTE, 0, list->data + at + sizeof(len), len);
		rc = rtnl_talk(n->rtnl, &m);
		if (rc < 0 && rc != -ESRCH && rc != -ENOENT)
			return err_code(err, -rc, "network of the guest: remove a route");
	}
	return 0;
}

static int remove_routes(const struct net *n, uint8_t family, struct err *err)
{
	const struct rtmsg all = {.rtm_family = family};
	struct routes routes = {.list = BUF_INIT, .lo = if_nametoindex("lo")};
	struct rtnl_msg m;
	int rc;

	rtnl_begin(&m, RTM_GETROUTE, 0, &all, sizeof(all));
	rc = rtnl_dump(n->rtnl, &m, note_route, &routes);
	rc = rc < 0 ? err_code(err, -rc, "network of the guest: list its routes")
		    : remove_noted(n, &routes.list, err);
	buf_release(&routes.list);
	return rc;
}

static void put_gateway(struct rtnl_msg *m, const struct netconf_route *r)
{
	uint8_t via[sizeof(uint16_t) + NETCONF_ADDR_LEN]; /* struct rtvia */
	const uint16_t family = r->gateway_family;
	const size_t len = addr_len(r->gateway_family);

	if (r->gateway_family == r->family) {
		rtnl_put(m, RTA_GATEWAY, r->gateway, len);
	} else if (r->gateway_family) {
		memcpy(via, &family, sizeof(family));
		memcpy(via + sizeof(family), r->gateway, len);
		rtnl_put(m, RTA_VIA, via, sizeof(family) + len);
	}
}

static void put_metrics(struct rtnl_msg *m, const struct netconf_route *r)
{
	size_t nest;

	if (!r->has_metrics)
		return;
	nest = rtnl_nest(m, RTA_METRICS);
	for (uint16_t x = 1; x <= NETCONF_METRICS; x++) {
		if (r->has_metrics & 1u << (x - 1))
			rtnl_put_u32(m, x, r->metrics[x - 1]);
	}
	rtnl_nest_end(m, nest);
}

static void put_route(struct rtnl_msg *m, const struct net *n, const struct netconf_route *r)
{
	const struct rtmsg info = {
		.rtm_family = r->family,
		.rtm_dst_len = r->dst_len,
		.rtm_tos = r->tos,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = r->protocol,
		.rtm_scope = r->scope,
		.rtm_type = r->type,
		.rtm_flags = r->flags,
	};

	rtnl_begin(m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &info, sizeof(info));
	if (r->dst_len)
		rtnl_put(m, RTA_DST, r->dst, addr_len(r->family));
	if (r->link != NETCONF_NO_LINK)
		rtnl_put_u32(m, RTA_OIF, (uint32_t)n->indexes[r->link]);
	put_gateway(m, r);
	if (r->has_prefsrc)
		rtnl_put(m, RTA_PREFSRC, r->prefsrc, addr_len(r->family));
	if (r->priority)
		rtnl_put_u32(m, RTA_PRIORITY, r->priority);
	put_metrics(m, r);
	if (r->family == AF_INET6)
		rtnl_put_u8(m, RTA_PREF, r->pref);
	if (r->family == AF_INET6 && r->expires_s)
		rtnl_put_u32(m, RTA_EXPIRES, r->expires_s);
}

static int add_route(const struct net *n, const struct netconf_route *r, struct err *err)
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct rtnl_msg m;
	int rc;

	put_route(&m, n, r);
	rc = rtnl_talk(n->rtnl, &m);
	if (rc == 0 || rc == -EEXIST)
		return 0;
	(void)inet_ntop(r->family, r->dst, text, sizeof(text));
	return err_code(err, -rc, "network of the guest: add the route to %s/%u", text, r->dst_len);
}

/* A gateway is reached by a route without one, which has to be there first. */
static int add_routes(const struct net *n, struct err *err)
{
	const struct netconf *c = n->conf;
	int rc = 0;

	for (int with_gateway = 0; with_gateway < 2; with_gateway++) {
		for (size_t i = 0; i < c->n_routes && rc == 0; i++) {
			if ((c->routes[i].gateway_family != 0) == with_gateway)
				rc = add_route(n, &c->routes[i], err);
		}
	}
	return rc;
}

/* ---- neighbours ---- */

static int add_neighbours(const struct net *n, struct err *err)
{
	for (size_t i = 0; i < n->conf->n_neighbours; i++) {
		const struct netconf_neighbour *b = &n->conf->neighbours[i];
		const struct ndmsg info = {
			.ndm_family = b->family,
			.ndm_ifindex = n->indexes[b->link],
			.ndm_state = NUD_PERMANENT,
			.ndm_flags = b->router ? NTF_ROUTER : 0,
		};
		struct rtnl_msg m;
		int rc;

		rtnl_begin(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof(info));
		rtnl_put(&m, NDA_DST, b->dst, addr_len(b->family));
		rtnl_put(&m, NDA_LLADDR, b->mac, sizeof(b->mac));
		rc = rtnl_talk(n->rtnl, &m);
		if (rc < 0)
			return failed(rc, n->conf->links[b->link].name, "add a neighbour", err);
	}
	return 0;
}

/* ---- all ---- */

/* The caller is in the container's network namespace. */
static int configure(const struct netconf *conf, struct err *err)
{
	CLOSE_FD int rtnl = rtnl_open(err);
	struct net n = {
		.conf = conf,
		.rtnl = rtnl,
		.has_ipv6 = access(IPV6_CONF, F_OK) == 0,
	};
	int rc;

	if (rtnl < 0)
		return rtnl;
	if ((rc = set_up_links(&n, err)) < 0 || (rc = add_addresses(&n, err)) < 0 ||
	    (rc = remove_routes(&n, AF_INET, err)) < 0 ||
	    (n.has_ipv6 && (rc = remove_routes(&n, AF_INET6, err)) < 0) ||
	    (rc = add_routes(&n, err)) < 0 || (rc = add_neighbours(&n, err)) < 0)
		return rc;
	return restore_addr_gen_mode(&n, err);
}

int net_furnish(const struct netconf *conf, pid_t pid, struct err *err)
{
	FREE char *path = mem_xprintf("/proc/%d/ns/net", (int)pid);
	CLOSE_FD int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CLOSE_FD int containers = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (own < 0 || containers < 0)
		return err_sys(err, "open the container's network namespace");
	rc = move_links(conf, containers, err);
	if (rc < 0)
		return rc;
	if (setns(containers, CLONE_NEWNET) < 0)
		return err_sys(err, "enter the container's network namespace");
	rc = configure(conf, err);
	if (rc < 0)
		return rc;
	return setns(own, CLONE_NEWNET) < 0
		       ? err_sys(err, "leave the container's network namespace")
		       : 0;
}
