/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON side of the update command. Private to runtime/. */
#ifndef HULL_RUNTIME_UPDATE_H
#define HULL_RUNTIME_UPDATE_H

#include "base/json.h"
#include "runtime/runtime.h"

struct update_change {
	const struct json_node *resources;           /* a linux.resources object */
	const char *l3_cache_schema, *mem_bw_schema; /* NULL: not given */
};

/*
 * Everything that changes, as a piece of config.json: {"linux":{"resources":…,"intelRdt":…}}; what
 * the change leaves open is taken from config. Devices are left out.
 */
int update_overlay(const struct update_change *change, const struct json_node *config,
		   struct json **ret, struct err *err) MUST_CHECK;

/* Appends config with overlay laid over it. */
void update_merge(const struct json_node *config, const struct json_node *overlay, struct buf *out);

#endif
