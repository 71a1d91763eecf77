/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers the statistics of a container: its cgroup, its share of cache and memory bandwidth, the
 * interfaces of its network namespace.
 */
#include "runtime/stats.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "runtime/rdt.h"

#define NET_DEV_MAX (1u << 20)

/* The interfaces of a container that has a network of its own; the host's are not its. */
static int read_network(const struct container *c, struct buf *ret, struct err *err)
{
	char ns[32], dev[32];
	struct stat own, host;

	(void)snprintf(ns, sizeof(ns), "%d/ns/net", (int)c->pid);
	(void)snprintf(dev, sizeof(dev), "%d/net/dev", (int)c->pid);
	if (fstatat(c->rt->proc_fd, ns, &own, 0) < 0)
		return err_sys(err, "network namespace of '%s'", c->id);
	if (fstatat(c->rt->proc_fd, "self/ns/net", &host, 0) < 0)
		return err_sys(err, "own network namespace");
	if (own.st_ino == host.st_ino)
		return 0;
	return io_read_file(c->rt->proc_fd, dev, NET_DEV_MAX, ret, err);
}

static int read_rdt(const struct container *c, const struct spec_rdt *rdt, struct rdt_stats *ret,
		    struct err *err)
{
	struct rdt_config config;

	if (!rdt)
		return 0;
	config = rdt_config_of(c->id, rdt);
	return rdt_stats_read(&config, ret, err);
}

int stats_write(const struct container *c, struct cgroup *cg, const struct spec_rdt *rdt,
		struct json_writer *w, struct err *err)
{
	struct cgroup_stats cgroup = {0};
	struct rdt_stats cache = {0};
	BUF net = BUF_INIT;
	int rc;

	rc = cgroup_stats_read(cg, &cgroup, err);
	if (rc)
		return rc;
	rc = read_rdt(c, rdt, &cache, err);
	if (!rc)
		rc = read_network(c, &net, err);
	if (!rc) {
		json_w_object(w, "data");
		stats_write_cgroup(w, &cgroup);
		stats_write_rdt(w, &cache);
		stats_write_network(w, buf_str(&net));
		json_w_end(w);
	}
	if (rdt)
		rdt_stats_release(&cache);
	cgroup_stats_release(&cgroup);
	return rc;
}
