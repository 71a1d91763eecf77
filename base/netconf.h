/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration of a network namespace as a plain structure: its interfaces with their addresses,
 * routes and permanent neighbours, and one encoding of it. hull-netdev reads it from the kernel,
 * hull-oci and hull-vmm hand it on, and the guest's agent gives it to the guest's kernel.
 *
 *   encoding   le32 NETCONF_MAGIC, le16 number of links, addresses, routes, neighbours, then these
 *              one behind the other, each field in the order it has here, numbers little-endian
 *
 * Whoever decodes takes the bytes for hostile: netconf_decode lets nothing pass that netconf_check
 * does not.
 */
#ifndef HULL_BASE_NETCONF_H
#define HULL_BASE_NETCONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define NETCONF_MAGIC          0x316e6368u /* "hcn1" */
#define NETCONF_LINKS_MAX      16
#define NETCONF_ADDRESSES_MAX  64 /* of each link */
#define NETCONF_ROUTES_MAX     256
#define NETCONF_NEIGHBOURS_MAX 256
#define NETCONF_BYTES_MAX      (256u << 10)

#define NETCONF_NAME_LEN 16 /* IFNAMSIZ */
#define NETCONF_MAC_LEN  6
#define NETCONF_ADDR_LEN 16 /* an IPv4 address is in the first four bytes */
#define NETCONF_METRICS  17 /* RTAX_MAX; RTAX_x is at x - 1 */

/*
 * Of a network device that a virtual machine had before it was known for which interface: it gets that
 * one's address then.
 */
#define NETCONF_SPARE_MAC {0x02, 'h', 'u', 'l', 'l', 0}

#define NETCONF_NO_LINK 0xff
#define NETCONF_FOREVER 0xffffffffu /* a lifetime */
#define NETCONF_MIN_MTU 68          /* RFC 791 */
#define NETCONF_MAX_MTU 65535

/* The names of fields are those of man 7 rtnetlink; flags of one byte are 0 or 1. */
struct netconf_link {
	char name[NETCONF_NAME_LEN]; /* NUL-terminated, the rest is NULs */
	uint8_t mac[NETCONF_MAC_LEN];
	uint16_t mtu;
	uint8_t noarp;        /* IFF_NOARP */
	uint8_t disable_ipv6; /* net.ipv6.conf.NAME.…, as the next two */
	uint8_t accept_ra;    /* 0 to 2 */
	uint8_t autoconf;
	uint8_t addr_gen_mode; /* IN6_ADDR_GEN_MODE_… */
};

struct netconf_address {
	uint8_t link;   /* its number in links */
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t prefix_len, scope;
	uint32_t flags; /* IFA_F_…, of those in NETCONF_ADDRESS_FLAGS */
	uint32_t valid_s, preferred_s;
	uint32_t priority; /* of its prefix route; 0: the kernel's choice */
	uint8_t local[NETCONF_ADDR_LEN];
	uint8_t peer[NETCONF_ADDR_LEN]; /* local again when there is none */
	uint8_t has_broadcast;
	uint8_t broadcast[4];
	char label[NETCONF_NAME_LEN]; /* IPv4's, "": none */
};

/* Of table main. */
struct netconf_route {
	uint8_t link; /* NETCONF_NO_LINK for what leads nowhere: blackhole and its like */
	uint8_t family, dst_len, tos, protocol, scope, type;
	uint8_t pref;   /* ICMPV6_ROUTER_PREF_… */
	uint32_t flags; /* RTNH_F_ONLINK or none */
	uint32_t priority;
	uint32_t expires_s;     /* 0: never */
	uint8_t gateway_family; /* 0: none */
	uint8_t has_prefsrc;
	uint8_t dst[NETCONF_ADDR_LEN];
	uint8_t gateway[NETCONF_ADDR_LEN];
	uint8_t prefsrc[NETCONF_ADDR_LEN];
	uint32_t has_metrics; /* bit x - 1 for RTAX_x */
	uint32_t metrics[NETCONF_METRICS];
};

struct netconf_neighbour {
	uint8_t link, family;
	uint8_t router; /* NTF_ROUTER */
	uint8_t dst[NETCONF_ADDR_LEN];
	uint8_t mac[NETCONF_MAC_LEN];
};

struct netconf {
	size_t n_links, n_addresses, n_routes, n_neighbours;
	struct netconf_link links[NETCONF_LINKS_MAX];
	struct netconf_address addresses[NETCONF_LINKS_MAX * NETCONF_ADDRESSES_MAX];
	struct netconf_route routes[NETCONF_ROUTES_MAX];
	struct netconf_neighbour neighbours[NETCONF_NEIGHBOURS_MAX];
};

/* IFA_F_NODAD, IFA_F_HOMEADDRESS, IFA_F_NOPREFIXROUTE, IFA_F_MCAUTOJOIN */
#define NETCONF_ADDRESS_FLAGS 0x612u

struct netconf *netconf_new(void); /* empty; free() */

/* -EINVAL: a value out of its range, by the interface's name where there is one. */
int netconf_check(const struct netconf *c, struct err *err) MUST_CHECK;

/* Appends the encoding of what netconf_check lets pass. */
void netconf_encode(const struct netconf *c, struct buf *out);

/* The whole of data and nothing else. -EPROTO: it is no encoding; else what netconf_check says. */
int netconf_decode(const void *data, size_t len, struct netconf **ret, struct err *err) MUST_CHECK;

#define NETCONF FREE struct netconf

#endif
