/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The statistics of a container as JSON, in the names, units and shape of runc's events command,
 * which callers decode. Where runc leaves out a zero, here it is written: both decode alike.
 * Private to runtime/.
 */
#ifndef HULL_RUNTIME_STATS_H
#define HULL_RUNTIME_STATS_H

#include "base/json.h"
#include "runtime/runtime.h"

/*
 * Writes the member "data" of a stats event of container c, whose cgroup is cg; rdt is NULL when it
 * has no linux.intelRdt. Everything is read before the first byte is written.
 */
int stats_write(const struct container *c, struct cgroup *cg, const struct spec_rdt *rdt,
		struct json_writer *w, struct err *err) MUST_CHECK;

/* The parts of "data". net_dev is the text of /proc/PID/net/dev (man 5 proc). */
void stats_write_cgroup(struct json_writer *w, const struct cgroup_stats *st);
void stats_write_rdt(struct json_writer *w, const struct rdt_stats *st);
void stats_write_network(struct json_writer *w, const char *net_dev);

#endif
