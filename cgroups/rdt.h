/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rdt.c and rdt_stats.c share. Private to cgroups/. */
#ifndef HULL_CGROUPS_RDT_H
#define HULL_CGROUPS_RDT_H

#include "cgroups/internal.h"

/* O_PATH of the mounted resctrl file system, or -EOPNOTSUPP. Caller closes. */
int rdt_open_root(const struct rdt_config *c, struct err *err) MUST_CHECK;

/* Paths below the root of the container's class ("." for the default one) and of its monitoring
 * group, whether it has one or not. Caller frees. */
char *rdt_class(const struct rdt_config *c);
char *rdt_monitor_group(const struct rdt_config *c);

#endif
