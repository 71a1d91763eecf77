/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over the interfaces of a network namespace: the taps are made here, where their descriptors
 * are to stay, and joined to the interfaces by the program hull-netdev (netdev/take.c), whose output
 * is taken for no better than what comes from outside.
 *
 * A tap goes with its last descriptor (Documentation/networking/tuntap.rst), so whatever happens to
 * its owner, none is left.
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "namespaces/netdev.h"

#define WHAT     "network of the virtual machine"
#define TUN      "/dev/net/tun"
#define TAP_NAME "hull%d" /* filled by the kernel */

_Static_assert(NETCONF_NAME_LEN == IFNAMSIZ, "device names have IFNAMSIZ bytes");
_Static_assert(NETCONF_LINKS_MAX == 16, "NS_TAKEN_INIT has a descriptor for each");

struct pairs { /* of an interface and its tap */
	char names[NETCONF_LINKS_MAX][IFNAMSIZ];
	char taps[NETCONF_LINKS_MAX][IFNAMSIZ];
	size_t n;
};

static bool is_up(int sock, const char *name)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(sock, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP) &&
	       !(r.ifr_flags & IFF_LOOPBACK);
}

static bool has_name(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->names[i], name) == 0)
			return true;
	}
	return false;
}

static int add_name(struct pairs *p, const char *name, struct err *err)
{
	if (p->n == NETCONF_LINKS_MAX)
		return err_set(err, E2BIG,
			       WHAT ": interface '%s' is one more than the %d that it can have",
			       name, NETCONF_LINKS_MAX);
	snprintf(p->names[p->n++], IFNAMSIZ, "%s", name);
	return 0;
}

/* Fallback tunnels, which a new namespace may be born with, are down. */
static int list_names(struct pairs *p, struct err *err)
{
	CLOSE_FD int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *list = if_nameindex();
	int rc = 0;

	if (sock < 0 || !list)
		rc = err_sys(err, WHAT ": list the interfaces of its namespace");
	for (size_t i = 0; rc == 0 && list[i].if_index; i++) {
		char name[IFNAMSIZ];

		/* musl's list has labels of addresses, too, as names. */
		if (if_indextoname(list[i].if_index, name) && is_up(sock, name) &&
		    !has_name(p, name))
			rc = add_name(p, name, err);
	}
	if (list)
		if_freenameindex(list);
	return rc;
}

/* As microvm/tap.h wants it. Returns the descriptor or -errno. */
static int make_tap(char ret_name[static IFNAMSIZ], struct err *err)
{
	struct ifreq r = {.ifr_name = TAP_NAME, .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	CLOSE_FD int fd = open(TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, WHAT ": open '" TUN "'");
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return err_sys(err, WHAT ": make a tap device");
	snprintf(ret_name, IFNAMSIZ, "%s", r.ifr_name);
	return fd_take(&fd);
}

static int check_answer(const struct pairs *p, const struct netconf *conf, struct err *err)
{
	bool same = conf->n_links == p->n;

	for (size_t i = 0; same && i < p->n; i++)
		same = strcmp(conf->links[i].name, p->names[i]) == 0;
	return same ? 0
		    : err_set(err, EPROTO, WHAT ": " NETDEV_PROGRAM " speaks of other interfaces");
}

static int join(struct pairs *p, struct netconf **ret, const char *helper, struct err *err)
{
	char *argv[2 + 2 * NETCONF_LINKS_MAX + 1] = {(char *)NETDEV_PROGRAM, (char *)"take"};
	const struct netdev_job job = {.what = WHAT, .helper = helper, .argv = argv};
	BUF out = BUF_INIT;
	int rc;

	for (size_t i = 0; i < p->n; i++) {
		argv[2 + 2 * i] = p->names[i];
		argv[3 + 2 * i] = p->taps[i];
	}
	rc = netdev_run(&job, &out, err);
	if (rc < 0)
		return err_wrap(err, rc, WHAT);
	rc = netconf_decode(buf_str(&out), out.len, ret, err);
	if (rc < 0)
		return err_wrap(err, rc, WHAT ": " NETDEV_PROGRAM);
	return check_answer(p, *ret, err);
}

int ns_netdev_take(struct ns_taken *ret, const char *helper, struct err *err)
{
	struct ns_taken taken = NS_TAKEN_INIT;
	struct pairs p = {.n = 0};
	int rc = list_names(&p, err);

	for (size_t i = 0; i < p.n && rc >= 0; i++)
		rc = taken.taps[i] = make_tap(p.taps[i], err);
	if (rc >= 0 && p.n)
		rc = join(&p, &taken.conf, helper, err);
	if (rc < 0) {
		ns_taken_release(&taken);
		return rc;
	}
	*ret = taken;
	return 0;
}

void ns_taken_release(struct ns_taken *t)
{
	free(t->conf);
	t->conf = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(t->taps); i++)
		fd_replace(&t->taps[i], -1);
}

int ns_netdev_release(int netns_fd, const char *helper, struct err *err)
{
	FREE char *number = mem_xprintf("%d", netns_fd);
	char *argv[] = {(char *)NETDEV_PROGRAM, (char *)"release", number, NULL};
	const struct netdev_job job = {
		.what = WHAT,
		.helper = helper,
		.argv = argv,
		.fds = &netns_fd,
		.n_fds = 1,
	};
	BUF out = BUF_INIT;

	return netdev_run(&job, &out, err);
}
