/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table a structure says how it is encoded; both directions follow it. The limits of a number
 * that the kernel checks itself (a priority, a metric) are left to it.
 */
#include "base/netconf.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

_Static_assert(NETCONF_METRICS == RTAX_MAX, "a metric of each kind");
_Static_assert(NETCONF_ADDRESS_FLAGS ==
		       (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN),
	       "flags of addresses");

#define HEADER_LEN 12

/* ---- the encoding ---- */

struct field {
	size_t offset, size;
	size_t unit; /* bytes of one number; 1: bytes as they are */
};

#define MEMBER(of, member) (((struct netconf_##of *)0)->member)
#define FIELD(of, member, unit)                                                                    \
	{                                                                                          \
		offsetof(struct netconf_##of, member), sizeof(MEMBER(of, member)), unit            \
	}
#define BYTES(of, member)   FIELD(of, member, 1)
#define NUMBER(of, member)  FIELD(of, member, sizeof(MEMBER(of, member)))
#define NUMBERS(of, member) FIELD(of, member, sizeof(MEMBER(of, member)[0]))

static const struct field link_fields[] = {
	BYTES(link, name),          BYTES(link, mac),
	NUMBER(link, mtu),          NUMBER(link, noarp),
	NUMBER(link, disable_ipv6), NUMBER(link, accept_ra),
	NUMBER(link, autoconf),     NUMBER(link, addr_gen_mode),
};

static const struct field address_fields[] = {
	NUMBER(address, link),        NUMBER(address, family),        NUMBER(address, prefix_len),
	NUMBER(address, scope),       NUMBER(address, flags),         NUMBER(address, valid_s),
	NUMBER(address, preferred_s), NUMBER(address, priority),      BYTES(address, local),
	BYTES(address, peer),         NUMBER(address, has_broadcast), BYTES(address, broadcast),
	BYTES(address, label),
};

static const struct field route_fields[] = {
	NUMBER(route, link),        NUMBER(route, family),      NUMBER(route, dst_len),
	NUMBER(route, tos),         NUMBER(route, protocol),    NUMBER(route, scope),
	NUMBER(route, type),        NUMBER(route, pref),        NUMBER(route, flags),
	NUMBER(route, priority),    NUMBER(route, expires_s),   NUMBER(route, gateway_family),
	NUMBER(route, has_prefsrc), BYTES(route, dst),          BYTES(route, gateway),
	BYTES(route, prefsrc),      NUMBER(route, has_metrics), NUMBERS(route, metrics),
};

static const struct field neighbour_fields[] = {
	NUMBER(neighbour, link), NUMBER(neighbour, family), NUMBER(neighbour, router),
	BYTES(neighbour, dst),   BYTES(neighbour, mac),
};

static const struct list {
	size_t n_offset, offset, size, max; /* in struct netconf */
	const struct field *fields;
	size_t n_fields;
} lists[] = {
#define LIST(of, member, limit)                                                                    \
	{                                                                                          \
		offsetof(struct netconf, n_##member), offsetof(struct netconf, member),            \
			sizeof(struct netconf_##of), limit, of##_fields, ARRAY_SIZE(of##_fields)   \
	}
	LIST(link, links, NETCONF_LINKS_MAX),
	LIST(address, addresses, NETCONF_LINKS_MAX *NETCONF_ADDRESSES_MAX),
	LIST(route, routes, NETCONF_ROUTES_MAX),
	LIST(neighbour, neighbours, NETCONF_NEIGHBOURS_MAX),
#undef LIST
};

struct netconf *netconf_new(void)
{
	return mem_xalloc(sizeof(struct netconf));
}

static void put(struct buf *out, uint32_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buf_addc(out, (char)(value >> 8 * i));
}

static uint32_t get(const uint8_t *p, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint32_t)p[i] << 8 * i;
	return value;
}

/* A number of one, two or four bytes as this machine has it. */
static uint32_t load(const char *at, size_t size)
{
	uint16_t two;
	uint32_t four;

	if (size == 1)
		return (uint8_t)*at;
	if (size == sizeof(two)) {
		memcpy(&two, at, sizeof(two));
		return two;
	}
	memcpy(&four, at, sizeof(four));
	return four;
}

static void store(char *at, uint32_t value, size_t size)
{
	const uint8_t one = (uint8_t)value;
	const uint16_t two = (uint16_t)value;

	if (size == 1)
		memcpy(at, &one, sizeof(one));
	else if (size == sizeof(two))
		memcpy(at, &two, sizeof(two));
	else
		memcpy(at, &value, sizeof(value));
}

static size_t encoded_len(const struct list *l)
{
	size_t len = 0;

	for (size_t i = 0; i < l->n_fields; i++)
		len += l->fields[i].size;
	return len;
}

static size_t count(const struct netconf *c, const struct list *l)
{
	size_t n;

	memcpy(&n, (const char *)c + l->n_offset, sizeof(n));
	return n;
}

static void encode_list(const struct netconf *c, const struct list *l, struct buf *out)
{
	for (size_t i = 0; i < count(c, l); i++) {
		const char *record = (const char *)c + l->offset + i * l->size;

		for (size_t k = 0; k < l->n_fields; k++) {
			const struct field *f = &l->fields[k];

			for (size_t at = 0; at < f->size; at += f->unit)
				put(out, load(record + f->offset + at, f->unit), f->unit);
		}
	}
}

void netconf_encode(const struct netconf *c, struct buf *out)
{
	put(out, NETCONF_MAGIC, 4);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		put(out, (uint32_t)count(c, &lists[i]), 2);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		encode_list(c, &lists[i], out);
}

static const uint8_t *decode_list(const uint8_t *p, struct netconf *c, const struct list *l)
{
	for (size_t i = 0; i < count(c, l); i++) {
		char *record = (char *)c + l->offset + i * l->size;

		for (size_t k = 0; k < l->n_fields; k++) {
			const struct field *f = &l->fields[k];

			for (size_t at = 0; at < f->size; at += f->unit, p += f->unit)
				store(record + f->offset + at, get(p, f->unit), f->unit);
		}
	}
	return p;
}

/* The numbers of records, which then are known to fill data exactly. */
static int decode_counts(const uint8_t *data, size_t len, struct netconf *c, struct err *err)
{
	size_t expected = HEADER_LEN;

	if (len < HEADER_LEN || get(data, 4) != NETCONF_MAGIC)
		return err_set(err, EPROTO, "no configuration of a network");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const size_t n = get(data + 4 + 2 * i, 2);

		if (n > lists[i].max)
			return err_set(err, EPROTO, "a network of too many parts");
		memcpy((char *)c + lists[i].n_offset, &n, sizeof(n));
		expected += n * encoded_len(&lists[i]);
	}
	if (len != expected)
		return err_set(err, EPROTO, "the configuration of a network has %zu bytes, not %zu",
			       len, expected);
	return 0;
}

int netconf_decode(const void *data, size_t len, struct netconf **ret, struct err *err)
{
	NETCONF *c = netconf_new();
	const uint8_t *p = (const uint8_t *)data + HEADER_LEN;
	int rc = decode_counts(data, len, c, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		p = decode_list(p, c, &lists[i]);
	rc = netconf_check(c, err);
	if (rc < 0)
		return rc;
	*ret = ptr_take(&c);
	return 0;
}

/* ---- what makes sense ---- */

/* As the kernel has it (dev_valid_name), and without a template's "%". The rest is NULs. */
static bool is_name(const char name[static NETCONF_NAME_LEN])
{
	const size_t len = strnlen(name, NETCONF_NAME_LEN);

	if (len == 0 || len == NETCONF_NAME_LEN || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || strcmp(name, "lo") == 0)
		return false;
	for (size_t i = 0; i < NETCONF_NAME_LEN; i++) {
		const unsigned char c = (unsigned char)name[i];

		if (i < len ? c <= ' ' || c == 0x7f || strchr("/:%", c) : c != 0)
			return false;
	}
	return true;
}

/* "NAME" or "NAME:ANYTHING", for people to read. */
static bool is_label(const char label[static NETCONF_NAME_LEN])
{
	const size_t len = strnlen(label, NETCONF_NAME_LEN);

	for (size_t i = 0; i < NETCONF_NAME_LEN; i++) {
		const unsigned char c = (unsigned char)label[i];

		if (i < len ? c < ' ' || c == 0x7f : c != 0)
			return false;
	}
	return len < NETCONF_NAME_LEN;
}

static bool is_unicast_mac(const uint8_t mac[static NETCONF_MAC_LEN])
{
	static const uint8_t zero[NETCONF_MAC_LEN];

	return !(mac[0] & 1) && memcmp(mac, zero, sizeof(zero)) != 0;
}

static unsigned int bits(uint8_t family)
{
	return family == AF_INET ? 32 : family == AF_INET6 ? 128 : 0;
}

/* What lies behind an address of the family is zero. */
static bool is_addr(uint8_t family, const uint8_t addr[static NETCONF_ADDR_LEN])
{
	static const uint8_t zero[NETCONF_ADDR_LEN];

	return bits(family) && (family == AF_INET6 || memcmp(addr + 4, zero, 12) == 0);
}

static int check_link(const struct netconf *c, size_t i, struct err *err)
{
	const struct netconf_link *l = &c->links[i];

	if (!is_name(l->name))
		return err_set(err, EINVAL, "the name of interface %zu is none", i);
	if (!is_unicast_mac(l->mac))
		return err_set(err, EINVAL, "interface '%s' has no unicast hardware address",
			       l->name);
	if (l->mtu < NETCONF_MIN_MTU)
		return err_set(err, EINVAL, "interface '%s': an MTU of %u is too small", l->name,
			       l->mtu);
	if (l->noarp > 1 || l->disable_ipv6 > 1 || l->accept_ra > 2 || l->autoconf > 1 ||
	    l->addr_gen_mode > IN6_ADDR_GEN_MODE_RANDOM)
		return err_set(err, EINVAL, "interface '%s': a flag is out of its range", l->name);
	for (size_t k = 0; k < i; k++) {
		const struct netconf_link *other = &c->links[k];

		if (strcmp(l->name, other->name) == 0)
			return err_set(err, EINVAL, "two interfaces '%s'", l->name);
		if (memcmp(l->mac, other->mac, sizeof(l->mac)) == 0)
			return err_set(err, EINVAL,
				       "interfaces '%s' and '%s' have the same hardware address",
				       other->name, l->name);
	}
	return 0;
}

static int check_address(const struct netconf *c, const struct netconf_address *a, struct err *err)
{
	if (a->link >= c->n_links)
		return err_set(err, EINVAL, "an address of no interface");

	const char *name = c->links[a->link].name;

	if (!is_addr(a->family, a->local) || !is_addr(a->family, a->peer) ||
	    a->prefix_len > bits(a->family))
		return err_set(err, EINVAL, "interface '%s': an address that is none", name);
	if ((a->flags & ~NETCONF_ADDRESS_FLAGS) || !a->valid_s || a->preferred_s > a->valid_s ||
	    a->has_broadcast > 1 || (a->has_broadcast && a->family != AF_INET) ||
	    !is_label(a->label) || (a->label[0] && a->family != AF_INET))
		return err_set(err, EINVAL, "interface '%s': an address with what makes no sense",
			       name);
	return 0;
}

static int check_addresses(const struct netconf *c, struct err *err)
{
	size_t n[NETCONF_LINKS_MAX] = {0};

	for (size_t i = 0; i < c->n_addresses; i++) {
		int rc = check_address(c, &c->addresses[i], err);

		if (rc < 0)
			return rc;
		if (++n[c->addresses[i].link] > NETCONF_ADDRESSES_MAX)
			return err_set(err, EINVAL, "interface '%s' has more than %d addresses",
				       c->links[c->addresses[i].link].name, NETCONF_ADDRESSES_MAX);
	}
	return 0;
}

static bool is_nowhere(uint8_t type)
{
	return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT ||
	       type == RTN_THROW;
}

static int check_route(const struct netconf *c, const struct netconf_route *r, struct err *err)
{
	const uint32_t settable = ((1u << RTAX_MAX) - 1) & ~(1u << (RTAX_CC_ALGO - 1));

	if (!is_addr(r->family, r->dst) || r->dst_len > bits(r->family))
		return err_set(err, EINVAL, "a route to what is no network");
	if (r->type == RTN_UNICAST ? r->link >= c->n_links
				   : !is_nowhere(r->type) || r->link != NETCONF_NO_LINK)
		return err_set(err, EINVAL, "a route of no interface");
	if ((r->gateway_family && !is_addr(r->gateway_family, r->gateway)) ||
	    (r->gateway_family == AF_INET && r->family == AF_INET6) ||
	    (r->gateway_family && r->type != RTN_UNICAST))
		return err_set(err, EINVAL, "a route with a gateway that is none");
	if (r->has_prefsrc > 1 || (r->has_prefsrc && !is_addr(r->family, r->prefsrc)) ||
	    (r->flags & ~(uint32_t)RTNH_F_ONLINK) || (r->has_metrics & ~settable) || r->pref > 3)
		return err_set(err, EINVAL, "a route with what makes no sense");
	return 0;
}

static int check_neighbour(const struct netconf *c, const struct netconf_neighbour *n,
			   struct err *err)
{
	if (n->link >= c->n_links || !is_addr(n->family, n->dst) || n->router > 1)
		return err_set(err, EINVAL, "a neighbour that is none");
	return 0;
}

int netconf_check(const struct netconf *c, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (count(c, &lists[i]) > lists[i].max)
			return err_set(err, EINVAL, "a network of too many parts");
	}
	for (size_t i = 0; i < c->n_links && rc == 0; i++)
		rc = check_link(c, i, err);
	if (rc == 0)
		rc = check_addresses(c, err);
	for (size_t i = 0; i < c->n_routes && rc == 0; i++)
		rc = check_route(c, &c->routes[i], err);
	for (size_t i = 0; i < c->n_neighbours && rc == 0; i++)
		rc = check_neighbour(c, &c->neighbours[i], err);
	return rc;
}
