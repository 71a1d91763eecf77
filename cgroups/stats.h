/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the readers of statistics share. Private to cgroups/. */
#ifndef HULL_CGROUPS_STATS_H
#define HULL_CGROUPS_STATS_H

#include "base/buf.h"
#include "cgroups/internal.h"

/* Both leave the result alone when the kernel has no such file. */
int cgroup_stats_text(struct cgroup_hier *h, const char *file, struct buf *text,
		      struct err *err) MUST_CHECK;
int cgroup_stats_u64(struct cgroup_hier *h, const char *file, uint64_t *ret,
		     struct err *err) MUST_CHECK;

/* st->block but its pressure. */
int cgroup_stats_block(struct cgroup *cg, struct cgroup_stats *st, struct err *err) MUST_CHECK;

/* Their parsers: text is cut up; op names are literals or the arena's. */
void cgroup_stats_parse_v1_block(char *text, struct arena *a, struct cgroup_block_stats *ret);
void cgroup_stats_parse_io_stat(char *text, struct cgroup_stats *st);

#endif
