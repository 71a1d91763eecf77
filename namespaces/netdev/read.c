/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a network namespace is configured with, as the kernel tells it (man 7 rtnetlink): interfaces by
 * name, their addresses, the routes of table main, permanent neighbours. What somebody who stands in
 * for these interfaces could not do in their place is an error; what the kernel makes by itself there
 * too, such as the local table, is left out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>

#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "namespaces/netdev/netdev.h"

#define DUMP_ATTEMPTS 16

struct reader {
	struct netlink *nl;
	struct netconf *conf;
	const int *indexes; /* of the interfaces */
	struct err *err;
	int rc; /* of what a callback found wrong */
};

static int reject(struct reader *r, int rc)
{
	r->rc = rc;
	errno = -rc;
	return MNL_CB_ERROR;
}

/* The number of an interface in conf, or -1. */
static int link_of(const struct reader *r, int index)
{
	for (size_t i = 0; i < r->conf->n_links; i++) {
		if (r->indexes[i] == index)
			return (int)i;
	}
	return -1;
}

static bool is_len(const struct nlattr *attr, size_t len)
{
	return attr && mnl_attr_get_payload_len(attr) >= len;
}

static uint32_t get_u32(const struct nlattr *attr, uint32_t otherwise)
{
	return is_len(attr, sizeof(uint32_t)) ? mnl_attr_get_u32(attr) : otherwise;
}

static size_t addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : NETCONF_ADDR_LEN;
}

/* False when there is none. */
static bool get_addr(const struct nlattr *attr, uint8_t family,
		     uint8_t ret[static NETCONF_ADDR_LEN])
{
	if (!is_len(attr, addr_len(family)))
		return false;
	memcpy(ret, mnl_attr_get_payload(attr), addr_len(family));
	return true;
}

/* Attributes by their type; none of those that are asked for here has a higher one. */
struct attrs {
	const struct nlattr *at[64];
};

static int take_attr(const struct nlattr *attr, void *data)
{
	struct attrs *a = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ARRAY_SIZE(a->at))
		a->at[type] = attr;
	return MNL_CB_OK;
}

static struct attrs attrs_of(const struct nlmsghdr *message, size_t header)
{
	struct attrs a = {{NULL}};

	(void)mnl_attr_parse(message, (unsigned int)header, take_attr, &a);
	return a;
}

static struct attrs nested_attrs(const struct nlattr *attr)
{
	struct attrs a = {{NULL}};

	if (attr)
		(void)mnl_attr_parse_nested(attr, take_attr, &a);
	return a;
}

/* ---- interfaces ---- */

struct seen_link {
	int index, master, lower;
	bool lower_is_here; /* and is what its frames go through */
	unsigned int type, flags, mtu;
	size_t mac_len;
	struct netconf_link link;
};

static int32_t devconf(const struct nlattr *conf, int which, int32_t otherwise)
{
	int32_t value;

	if (!is_len(conf, ((size_t)which + 1) * sizeof(value)))
		return otherwise;
	memcpy(&value, (const char *)mnl_attr_get_payload(conf) + (size_t)which * sizeof(value),
	       sizeof(value));
	return value;
}

static void take_ipv6(const struct nlattr *af_spec, struct netconf_link *l)
{
	struct attrs families = nested_attrs(af_spec);
	struct attrs inet6 = nested_attrs(families.at[AF_INET6]);
	const struct nlattr *conf = inet6.at[IFLA_INET6_CONF];
	const int32_t ra = devconf(conf, DEVCONF_ACCEPT_RA, 0);

	l->disable_ipv6 = devconf(conf, DEVCONF_DISABLE_IPV6, 1) != 0;
	l->accept_ra = (uint8_t)(ra < 0 ? 0 : ra > 2 ? 2 : ra);
	l->autoconf = devconf(conf, DEVCONF_AUTOCONF, 0) != 0;
	l->addr_gen_mode = IN6_ADDR_GEN_MODE_NONE;
	if (is_len(inet6.at[IFLA_INET6_ADDR_GEN_MODE], 1))
		l->addr_gen_mode = mnl_attr_get_u8(inet6.at[IFLA_INET6_ADDR_GEN_MODE]);
}

/* For the other end of a pair the kernel uses the same attribute. */
static bool is_veth(const struct nlattr *link_info)
{
	struct attrs a = nested_attrs(link_info);
	const struct nlattr *kind = a.at[IFLA_INFO_KIND];

	return kind && mnl_attr_validate(kind, MNL_TYPE_NUL_STRING) == 0 &&
	       strcmp(mnl_attr_get_str(kind), "veth") == 0;
}

static int take_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct attrs a = attrs_of(message, sizeof(*info));
	struct seen_link *s = data;

	s->index = info->ifi_index;
	s->type = info->ifi_type;
	s->flags = info->ifi_flags;
	s->mtu = get_u32(a.at[IFLA_MTU], 0);
	s->master = (int)get_u32(a.at[IFLA_MASTER], 0);
	s->lower = (int)get_u32(a.at[IFLA_LINK], 0);
	s->lower_is_here = !a.at[IFLA_LINK_NETNSID] && !is_veth(a.at[IFLA_LINKINFO]);
	s->link.noarp = (info->ifi_flags & IFF_NOARP) != 0;
	if (a.at[IFLA_IFNAME] && mnl_attr_validate(a.at[IFLA_IFNAME], MNL_TYPE_NUL_STRING) == 0)
		snprintf(s->link.name, sizeof(s->link.name), "%s",
			 mnl_attr_get_str(a.at[IFLA_IFNAME]));
	if (is_len(a.at[IFLA_ADDRESS], NETCONF_MAC_LEN)) {
		s->mac_len = mnl_attr_get_payload_len(a.at[IFLA_ADDRESS]);
		memcpy(s->link.mac, mnl_attr_get_payload(a.at[IFLA_ADDRESS]), NETCONF_MAC_LEN);
	}
	take_ipv6(a.at[IFLA_AF_SPEC], &s->link);
	return MNL_CB_OK;
}

static int get_link(struct netlink *nl, const char *name, struct seen_link *ret, struct err *err)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	struct nlmsghdr *request = netlink_request(buf, RTM_GETLINK, 0);
	int rc;

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	rc = netlink_talk(nl, request, take_link, ret);
	return rc < 0 ? err_code(err, -rc, "interface '%s'", name) : 0;
}

int read_index(struct netlink *nl, const char *name, struct err *err)
{
	struct seen_link s = {0};
	int rc = get_link(nl, name, &s, err);

	return rc < 0 ? rc : s.index;
}

static int refuse_link(const char *name, const char *why, struct err *err)
{
	return err_set(err, ENOTSUP, "interface '%s' cannot be taken over: %s", name, why);
}

static int check_link(const char *name, const struct seen_link *s, struct err *err)
{
	if (s->type != ARPHRD_ETHER || s->mac_len != NETCONF_MAC_LEN)
		return refuse_link(name, "it is not an Ethernet interface", err);
	if (s->master)
		return refuse_link(name, "it is part of another interface, such as a bridge", err);
	if (s->lower && s->lower != s->index && s->lower_is_here)
		return refuse_link(name, "it lies on another interface of the namespace", err);
	if (s->mtu < NETCONF_MIN_MTU || s->mtu > NETCONF_MAX_MTU)
		return refuse_link(name, "a virtual machine cannot have its MTU", err);
	return 0;
}

static int read_links(struct netlink *nl, char *const *names, size_t n, struct netconf *conf,
		      int *ret_indexes, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct seen_link s = {0};
		int rc = get_link(nl, names[i], &s, err);

		if (rc == 0)
			rc = check_link(names[i], &s, err);
		if (rc < 0)
			return rc;
		s.link.mtu = (uint16_t)s.mtu;
		conf->links[conf->n_links++] = s.link;
		ret_indexes[i] = s.index;
	}
	return 0;
}

/* ---- dumps ---- */

/* Begins with what *n says each time it asks; a table that changes meanwhile is read again. */
static int dump(struct reader *r, uint16_t type, size_t header, uint8_t family, size_t *n,
		mnl_cb_t cb, const char *what)
{
	_Alignas(struct nlmsghdr) char buf[NETLINK_REQUEST_MAX];
	const size_t before = *n;
	int rc = -EINTR;

	for (int i = 0; i < DUMP_ATTEMPTS && rc == -EINTR; i++) {
		struct nlmsghdr *request = netlink_request(buf, type, NLM_F_DUMP);

		/* The family is the first byte of all headers. */
		*(uint8_t *)mnl_nlmsg_put_extra_header(request, header) = family;
		*n = before;
		r->rc = 0;
		rc = netlink_talk(r->nl, request, cb, r);
	}
	if (r->rc < 0)
		return r->rc;
	return rc < 0 ? err_code(r->err, -rc, "read the %s of the network namespace", what) : 0;
}

/* ---- addresses ---- */

static int take_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct attrs a = attrs_of(message, sizeof(*info));
	struct reader *r = data;
	const int link = link_of(r, (int)info->ifa_index);
	const uint32_t flags = get_u32(a.at[IFA_FLAGS], info->ifa_flags);
	struct netconf_address out = {
		.link = (uint8_t)link,
		.family = info->ifa_family,
		.prefix_len = info->ifa_prefixlen,
		.scope = info->ifa_scope,
		.flags = flags & NETCONF_ADDRESS_FLAGS,
		.valid_s = NETCONF_FOREVER,
		.preferred_s = NETCONF_FOREVER,
		.priority = get_u32(a.at[IFA_RT_PRIORITY], 0),
	};

	/* An address that another host has is of no use here either. */
	if (link < 0 || (out.family != AF_INET && out.family != AF_INET6) ||
	    (flags & IFA_F_DADFAILED))
		return MNL_CB_OK;
	if (!get_addr(a.at[IFA_ADDRESS], out.family, out.peer))
		return MNL_CB_OK;
	if (!get_addr(a.at[IFA_LOCAL], out.family, out.local))
		memcpy(out.local, out.peer, sizeof(out.local));
	if (out.family == AF_INET && is_len(a.at[IFA_BROADCAST], sizeof(out.broadcast))) {
		memcpy(out.broadcast, mnl_attr_get_payload(a.at[IFA_BROADCAST]),
		       sizeof(out.broadcast));
		out.has_broadcast = 1;
	}
	if (a.at[IFA_LABEL] && mnl_attr_validate(a.at[IFA_LABEL], MNL_TYPE_NUL_STRING) == 0)
		snprintf(out.label, sizeof(out.label), "%s", mnl_attr_get_str(a.at[IFA_LABEL]));
	if (!(flags & IFA_F_PERMANENT) &&
	    is_len(a.at[IFA_CACHEINFO], sizeof(struct ifa_cacheinfo))) {
		struct ifa_cacheinfo times;

		memcpy(&times, mnl_attr_get_payload(a.at[IFA_CACHEINFO]), sizeof(times));
		if (times.ifa_valid == 0)
			return MNL_CB_OK; /* it is about to go */
		out.valid_s = times.ifa_valid;
		out.preferred_s = times.ifa_prefered;
	}
	if (r->conf->n_addresses == ARRAY_SIZE(r->conf->addresses))
		return reject(r, err_set(r->err, E2BIG,
					 "interface '%s' cannot be taken over: there are too many "
					 "addresses",
					 r->conf->links[link].name));
	r->conf->addresses[r->conf->n_addresses++] = out;
	return MNL_CB_OK;
}

/* ---- routes ---- */

static int reject_route(struct reader *r, const struct netconf_route *route, const char *why)
{
	char dst[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(route->family, route->dst, dst, sizeof(dst));
	return reject(r,
		      err_set(r->err, ENOTSUP,
			      "the network namespace cannot be taken over: its route to %s/%u %s",
			      dst, route->dst_len, why));
}

static bool is_nowhere(uint8_t type)
{
	return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT ||
	       type == RTN_THROW;
}

static int take_metrics(struct reader *r, const struct nlattr *metrics, struct netconf_route *out)
{
	struct attrs a = nested_attrs(metrics);

	if (a.at[RTAX_CC_ALGO])
		return reject_route(r, out, "has a congestion control of its own");
	for (uint32_t x = 1; x <= NETCONF_METRICS; x++) {
		if (!is_len(a.at[x], sizeof(uint32_t)))
			continue;
		out->has_metrics |= 1u << (x - 1);
		out->metrics[x - 1] = mnl_attr_get_u32(a.at[x]);
	}
	return MNL_CB_OK;
}

/* RTA_VIA is a struct rtvia, a family and an address. */
static void take_gateway(const struct attrs *a, struct netconf_route *out)
{
	const struct nlattr *via = a->at[RTA_VIA];
	uint16_t family;

	if (get_addr(a->at[RTA_GATEWAY], out->family, out->gateway))
		out->gateway_family = out->family;
	if (!is_len(via, sizeof(family)))
		return;
	memcpy(&family, mnl_attr_get_payload(via), sizeof(family));
	if ((family != AF_INET && family != AF_INET6) ||
	    !is_len(via, sizeof(family) + addr_len((uint8_t)family)))
		return;
	out->gateway_family = (uint8_t)family;
	memcpy(out->gateway, (const char *)mnl_attr_get_payload(via) + sizeof(family),
	       addr_len((uint8_t)family));
}

static void take_expiry(const struct nlattr *attr, struct netconf_route *out)
{
	struct rta_cacheinfo info;
	const long ticks = sysconf(_SC_CLK_TCK);

	if (!is_len(attr, sizeof(info)))
		return;
	memcpy(&info, mnl_attr_get_payload(attr), sizeof(info));
	if (info.rta_expires > 0 && ticks > 0)
		out->expires_s = (uint32_t)(info.rta_expires / ticks) + 1;
}

/* The kernel's own routes of other kinds are made wherever there are such addresses. */
static bool is_made_anyway(const struct rtmsg *info, const struct attrs *a)
{
	const bool multicast = info->rtm_family == AF_INET6 && is_len(a->at[RTA_DST], 1) &&
			       mnl_attr_get_u8(a->at[RTA_DST]) == 0xff;

	if (info->rtm_flags & RTM_F_CLONED)
		return true;
	return info->rtm_protocol == RTPROT_KERNEL &&
	       (multicast || info->rtm_type == RTN_LOCAL || info->rtm_type == RTN_BROADCAST ||
		info->rtm_type == RTN_ANYCAST || info->rtm_type == RTN_MULTICAST);
}

static const char *cannot_have(const struct rtmsg *info, const struct attrs *a)
{
	if (a->at[RTA_MULTIPATH])
		return "has several next hops";
	if (a->at[RTA_ENCAP])
		return "is a tunnel";
	if (info->rtm_src_len)
		return "depends on the source address";
	if (info->rtm_type != RTN_UNICAST && !is_nowhere(info->rtm_type))
		return "is of a type that an interface's user cannot have";
	return NULL;
}

static bool is_loopback(int index)
{
	char name[IF_NAMESIZE];

	return if_indextoname((unsigned int)index, name) && strcmp(name, "lo") == 0;
}

static int take_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct attrs a = attrs_of(message, sizeof(*info));
	struct reader *r = data;
	const int index = (int)get_u32(a.at[RTA_OIF], 0), link = link_of(r, index);
	const char *why = cannot_have(info, &a);
	struct netconf_route out = {
		.link = is_nowhere(info->rtm_type) ? NETCONF_NO_LINK : (uint8_t)link,
		.family = info->rtm_family,
		.dst_len = info->rtm_dst_len,
		.tos = info->rtm_tos,
		.protocol = info->rtm_protocol,
		.scope = info->rtm_scope,
		.type = info->rtm_type,
		.flags = info->rtm_flags & RTNH_F_ONLINK,
		.priority = get_u32(a.at[RTA_PRIORITY], 0),
	};

	if (get_u32(a.at[RTA_TABLE], info->rtm_table) != RT_TABLE_MAIN || is_made_anyway(info, &a))
		return MNL_CB_OK;
	if (!why && link < 0 && out.protocol == RTPROT_KERNEL && is_loopback(index))
		return MNL_CB_OK;
	(void)get_addr(a.at[RTA_DST], out.family, out.dst);
	if (why)
		return reject_route(r, &out, why);
	if (link < 0 && !is_nowhere(out.type))
		return reject_route(r, &out, "leads through no interface that is taken over");
	take_gateway(&a, &out);
	out.has_prefsrc = get_addr(a.at[RTA_PREFSRC], out.family, out.prefsrc);
	if (is_len(a.at[RTA_PREF], 1))
		out.pref = mnl_attr_get_u8(a.at[RTA_PREF]) & 3;
	take_expiry(a.at[RTA_CACHEINFO], &out);
	if (take_metrics(r, a.at[RTA_METRICS], &out) < 0)
		return MNL_CB_ERROR;
	if (r->conf->n_routes == ARRAY_SIZE(r->conf->routes))
		return reject(r, err_set(r->err, E2BIG,
					 "the network namespace cannot be taken over: it has more "
					 "than %d routes",
					 NETCONF_ROUTES_MAX));
	r->conf->routes[r->conf->n_routes++] = out;
	return MNL_CB_OK;
}

/* ---- rules, which other tables are of no use without ---- */

static bool is_default_rule(const struct fib_rule_hdr *h, const struct attrs *a)
{
	static const struct {
		uint32_t priority, table;
	} defaults[] = {{0, RT_TABLE_LOCAL}, {32766, RT_TABLE_MAIN}, {32767, RT_TABLE_DEFAULT}};
	const uint32_t priority = get_u32(a->at[FRA_PRIORITY], 0);
	const uint32_t table = get_u32(a->at[FRA_TABLE], h->table);

	if (h->dst_len || h->src_len || h->tos || h->action != FR_ACT_TO_TBL ||
	    a->at[FRA_IIFNAME] || a->at[FRA_OIFNAME] || a->at[FRA_FWMARK])
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		if (priority == defaults[i].priority && table == defaults[i].table)
			return true;
	}
	return false;
}

static int take_rule(const struct nlmsghdr *message, void *data)
{
	const struct fib_rule_hdr *h = mnl_nlmsg_get_payload(message);
	struct attrs a = attrs_of(message, sizeof(*h));
	struct reader *r = data;

	if (is_default_rule(h, &a))
		return MNL_CB_OK;
	return reject(r,
		      err_set(r->err, ENOTSUP,
			      "the network namespace cannot be taken over: it has a routing rule "
			      "of its own (priority %u)",
			      get_u32(a.at[FRA_PRIORITY], 0)));
}

/* ---- neighbours ---- */

static int take_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	struct attrs a = attrs_of(message, sizeof(*info));
	struct reader *r = data;
	const int link = link_of(r, info->ndm_ifindex);
	struct netconf_neighbour out = {
		.link = (uint8_t)link,
		.family = info->ndm_family,
		.router = (info->ndm_flags & NTF_ROUTER) != 0,
	};

	if (link < 0 || !(info->ndm_state & NUD_PERMANENT) ||
	    (out.family != AF_INET && out.family != AF_INET6) ||
	    !is_len(a.at[NDA_LLADDR], NETCONF_MAC_LEN) ||
	    !get_addr(a.at[NDA_DST], out.family, out.dst))
		return MNL_CB_OK;
	memcpy(out.mac, mnl_attr_get_payload(a.at[NDA_LLADDR]), sizeof(out.mac));
	if (r->conf->n_neighbours == ARRAY_SIZE(r->conf->neighbours))
		return reject(r, err_set(r->err, E2BIG,
					 "the network namespace cannot be taken over: it has more "
					 "than %d permanent neighbours",
					 NETCONF_NEIGHBOURS_MAX));
	r->conf->neighbours[r->conf->n_neighbours++] = out;
	return MNL_CB_OK;
}

/* ---- all ---- */

static int read_family(struct reader *r, uint8_t family)
{
	struct netconf *c = r->conf;
	size_t n_rules = 0;
	int rc;

	if ((rc = dump(r, RTM_GETADDR, sizeof(struct ifaddrmsg), family, &c->n_addresses,
		       take_address, "addresses")) < 0 ||
	    (rc = dump(r, RTM_GETROUTE, sizeof(struct rtmsg), family, &c->n_routes, take_route,
		       "routes")) < 0 ||
	    (rc = dump(r, RTM_GETNEIGH, sizeof(struct ndmsg), family, &c->n_neighbours,
		       take_neighbour, "neighbours")) < 0)
		return rc;
	rc = dump(r, RTM_GETRULE, sizeof(struct fib_rule_hdr), family, &n_rules, take_rule,
		  "routing rules");
	/* A kernel without CONFIG_…_MULTIPLE_TABLES has none. */
	return r->rc == 0 && (rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT) ? 0 : rc;
}

int read_network(struct netlink *nl, char *const *names, size_t n, struct netconf *ret,
		 int *ret_indexes, struct err *err)
{
	struct reader r = {.nl = nl, .conf = ret, .indexes = ret_indexes, .err = err};
	int rc = read_links(nl, names, n, ret, ret_indexes, err);

	if (rc == 0)
		rc = read_family(&r, AF_INET);
	if (rc == 0 && access("/proc/sys/net/ipv6", F_OK) == 0)
		rc = read_family(&r, AF_INET6);
	if (rc == 0)
		rc = netconf_check(ret, err);
	return rc < 0 ? rc : 0;
}
