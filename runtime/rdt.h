/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.intelRdt between the configuration and cgroups/. Private to runtime/. */
#ifndef HULL_RUNTIME_RDT_H
#define HULL_RUNTIME_RDT_H

#include "cgroups/cgroups.h"
#include "runtime/spec.h"

/* What cgroups/ takes for the container id; strings are borrowed from both. */
static inline struct rdt_config rdt_config_of(const char *id, const struct spec_rdt *rdt)
{
	return (struct rdt_config){
		.id = id,
		.clos_id = rdt->clos_id,
		.l3_cache_schema = rdt->l3_cache_schema,
		.mem_bw_schema = rdt->mem_bw_schema,
		.schemata = rdt->schemata,
		.monitoring = rdt->enable_monitoring,
	};
}

#endif
