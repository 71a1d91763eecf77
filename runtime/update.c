/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The update command. New limits go to the cgroup and into the container's saved configuration, so
 * that a later update builds on them; the saved one is staged in a second file before the cgroup is
 * touched and renamed after it, so no error leaves one changed without the other.
 *
 * Device rules are never touched: who added some behind the runtime's back keeps them.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/rdt.h"
#include "runtime/runtime.h"
#include "runtime/state.h"
#include "runtime/update.h"
#include "runtime/vm_config.h"
#include "runtime/vm_update.h"

#define STAGED STATE_CONFIG ".new"

/*
 * Reads the overlay, a text that hull made of the given resources. An error that those have too is
 * reported with their own line and column.
 */
static int read_limits(const struct json_node *overlay, const struct json_node *given,
		       struct arena *a, struct cgroup_limits *ret, struct err *err)
{
	const struct json_node *resources = json_get(json_get(overlay, "linux"), "resources");
	struct cgroup_limits unused = {0};
	int rc, rc_given;

	rc = spec_parse_resources(resources, a, ret, err);
	if (!rc)
		return 0;
	rc_given = spec_parse_resources(given, a, &unused, err);
	return rc_given ? rc_given : spec_parse_resources(resources, a, ret, err);
}

/* With schemas NULL nothing is written. */
static int update_rdt(const struct container *c, const struct spec_rdt *rdt,
		      const char *l3_cache_schema, const char *mem_bw_schema, struct err *err)
{
	struct rdt_config config;

	if (!l3_cache_schema && !mem_bw_schema)
		return 0;
	if (!rdt)
		return err_set(err, EINVAL, "container '%s' was made without linux.intelRdt",
			       c->id);
	config = rdt_config_of(c->id, rdt);
	config.l3_cache_schema = l3_cache_schema;
	config.mem_bw_schema = mem_bw_schema;
	return rdt_update(&config, err);
}

/* Puts the schemas back that the saved configuration has. */
static void restore_rdt(const struct container *c, const struct spec_rdt *rdt,
			const struct update_change *change)
{
	struct err err = ERR_INIT;

	if (!rdt || update_rdt(c, rdt, change->l3_cache_schema ? rdt->l3_cache_schema : NULL,
			       change->mem_bw_schema ? rdt->mem_bw_schema : NULL, &err))
		log_debug("update: schemas stay changed: %s", err.msg);
}

struct last_step {
	const struct container *c;
	const struct vm_update *machine; /* NULL: it is none */
};

/* The staged configuration takes effect with the limits. */
static int finish(void *arg, struct err *err)
{
	const struct last_step *last = arg;
	const struct container *c = last->c;
	int rc = last->machine ? vm_update_inside(last->machine, err) : 0;

	if (rc == 0 && renameat(c->dir_fd, STAGED, c->dir_fd, STATE_CONFIG) < 0) {
		rc = err_sys(err, "save the new limits of '%s'", c->id);
		if (last->machine)
			vm_update_undo(last->machine);
	}
	return rc;
}

/* merged: what the limits are then. */
static int apply(struct container *c, const struct spec *spec, const struct update_change *change,
		 const struct cgroup_limits *limits, const struct cgroup_limits *merged,
		 struct err *err)
{
	struct vm_update machine;
	struct last_step last = {.c = c};
	struct cgroup *cg;
	int rc;

	rc = container_cgroup(c, &cg, err);
	if (!rc)
		rc = update_rdt(c, spec->rdt, change->l3_cache_schema, change->mem_bw_schema, err);
	if (rc)
		return rc;
	if (c->is_vm) {
		vm_update_plan(c, cg, spec, change->resources, limits, merged, &machine);
		limits = &machine.before;
		last.machine = &machine;
	}
	rc = cgroup_update_then(cg, limits, finish, &last, err);
	if (rc)
		restore_rdt(c, spec->rdt, change);
	return rc;
}

static int stage_and_apply(struct container *c, const struct spec *spec,
			   const struct update_change *change, struct arena *a, struct err *err)
{
	struct cgroup_limits limits = {0}, merged = {0};
	JSON *overlay = NULL;
	JSON *config = NULL;
	BUF text = BUF_INIT;
	int rc;

	rc = update_overlay(change, json_root(spec->doc), &overlay, err);
	if (!rc)
		rc = read_limits(json_root(overlay), change->resources, a, &limits, err);
	if (!rc && c->is_vm)
		rc = vm_config_check_limits(&limits, c->sandbox, err);
	if (rc)
		return rc;
	update_merge(json_root(spec->doc), json_root(overlay), &text);
	if (c->is_vm)
		rc = json_parse(STATE_CONFIG, buf_str(&text), text.len, &config, err);
	if (c->is_vm && !rc)
		rc = read_limits(json_root(config), change->resources, a, &merged, err);
	if (rc)
		return rc;
	rc = io_replace_file(c->dir_fd, STAGED, 0600, buf_str(&text), text.len, err);
	if (rc)
		return rc;
	rc = apply(c, spec, change, &limits, &merged, err);
	if (rc)
		(void)unlinkat(c->dir_fd, STAGED, 0);
	return rc;
}

static int update_open(struct container *c, const struct update_change *change, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct spec *spec;
	int rc;

	if (c->status == CONTAINER_STOPPED || c->status == CONTAINER_CREATING)
		return err_set(err, ESRCH, "cannot update container '%s': it is %s", c->id,
			       container_status_name(c->status));
	rc = container_config(c, &spec, err);
	if (rc)
		return rc;
	rc = stage_and_apply(c, spec, change, &a, err);
	arena_release(&a);
	spec_free(spec);
	return rc;
}

static const char *unless_empty(const char *s)
{
	return s && *s ? s : NULL;
}

int container_update(struct runtime *rt, const char *id, const struct json_node *resources,
		     const char *l3_cache_schema, const char *mem_bw_schema, struct err *err)
{
	const struct update_change change = {
		.resources = resources,
		.l3_cache_schema = unless_empty(l3_cache_schema),
		.mem_bw_schema = unless_empty(mem_bw_schema),
	};
	struct container *c;
	int rc;

	if (json_type(resources) != JSON_OBJECT)
		return json_error(resources, err, "expected an object");
	rc = container_open(rt, id, CONTAINER_LOCK_EXCLUSIVE, &c, err);
	if (rc)
		return rc;
	rc = update_open(c, &change, err);
	container_close(c);
	return rc;
}
