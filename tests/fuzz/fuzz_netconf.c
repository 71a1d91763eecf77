/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks as hull-netdev, hull-oci and hull-vmm hand them on. What is taken makes sense, by its
 * strings above all, and is the same bytes again; what is not has a message of one printable line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/netconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int cond)
{
	if (!cond)
		abort();
}

static void check(const struct netconf *c)
{
	for (size_t i = 0; i < c->n_links; i++)
		must(strlen(c->links[i].name) < NETCONF_NAME_LEN && !strchr(c->links[i].name, '/'));
	for (size_t i = 0; i < c->n_addresses; i++)
		must(c->addresses[i].link < c->n_links && c->addresses[i].prefix_len <= 128);
	for (size_t i = 0; i < c->n_routes; i++)
		must(c->routes[i].link < c->n_links || c->routes[i].link == NETCONF_NO_LINK);
	for (size_t i = 0; i < c->n_neighbours; i++)
		must(c->neighbours[i].link < c->n_links);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	NETCONF *c = NULL;
	struct err err = ERR_INIT;
	BUF again = BUF_INIT;
	int rc = netconf_decode(data, size, &c, &err);

	if (rc < 0) {
		must(rc == -err.code && err.msg[0]);
		for (const char *p = err.msg; *p; p++)
			must((unsigned char)*p >= ' ' && *p != 0x7f);
		return 0;
	}
	check(c);
	netconf_encode(c, &again);
	must(again.len == size && memcmp(again.data, data, size) == 0);
	return 0;
}
