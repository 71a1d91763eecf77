/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The update command. New limits go to the cgroup and into the container's saved configuration, so
 * that a later update builds on them; the saved one is staged in a second file before the cgroup is
 * touched and renamed after it, so no error leaves one changed without the other.
 *
 * What is applied is the given object, completed by stored values where one kernel setting depends
 * on two properties (swap is memory+swap less the memory limit). Device rules are never touched:
 * who added some behind the runtime's back keeps them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "runtime/runtime.h"
#include "runtime/state.h"

#define STAGED STATE_CONFIG ".new"

/* Properties that make up one setting: who changes one of them needs the others. */
struct group {
	const char *object;
	const char *members[3];
};

static const struct group groups[] = {
	{"memory", {"limit", "swap"}},
	{"cpu", {"quota", "period", "burst"}},
	{"cpu", {"realtimeRuntime", "realtimePeriod"}},
};

static bool names_any(const struct json_node *given, const struct group *g)
{
	for (size_t i = 0; i < ARRAY_SIZE(g->members) && g->members[i]; i++) {
		if (json_get(given, g->members[i]))
			return true;
	}
	return false;
}

/* "No limit" for memory means none for memory+swap either: a stored one would be below it. */
static bool frees_swap(const struct json_node *memory, const char *member)
{
	int64_t limit = 0;

	return !strcmp(member, "swap") && json_get_i64(memory, "limit", &limit, NULL) == 1 &&
	       limit < 0;
}

static void complete_group(struct json_writer *w, const struct json_node *given,
			   const struct json_node *stored, const struct group *g)
{
	for (size_t i = 0; i < ARRAY_SIZE(g->members) && g->members[i]; i++) {
		const char *member = g->members[i];

		if (json_get(given, member) || !json_get(stored, member))
			continue;
		if (frees_swap(given, member))
			json_w_i64(w, member, -1);
		else
			json_w_node(w, member, json_get(stored, member));
	}
}

static void complete_object(struct json_writer *w, const char *key, const struct json_node *given,
			    const struct json_node *stored)
{
	json_w_object(w, key);
	json_each (child, given) {
		json_w_node(w, json_key(child), child);
	}
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!strcmp(groups[i].object, key) && names_any(given, &groups[i]))
			complete_group(w, given, stored, &groups[i]);
	}
	json_w_end(w);
}

/* The given resources with what they depend on, without devices. */
static int complete(const struct json_node *given, const struct json_node *stored,
		    struct json **ret, struct err *err)
{
	struct json_writer *w = json_w_new(false);
	BUF text = BUF_INIT;

	json_w_object(w, NULL);
	json_each (child, given) {
		const char *key = json_key(child);

		if (!strcmp(key, "devices"))
			continue;
		if (json_type(child) == JSON_OBJECT)
			complete_object(w, key, child, json_get(stored, key));
		else
			json_w_node(w, key, child);
	}
	json_w_end(w);
	json_w_finish(w, &text);
	return json_parse("resources", buf_str(&text), text.len, ret, err);
}

static void merge(struct json_writer *w, const char *key, const struct json_node *old,
		  const struct json_node *new);

static bool same_number(const struct json_node *a, const struct json_node *b, const char *key)
{
	uint64_t x = 0, y = 1;

	return json_get_u64(a, key, &x, NULL) == 1 && json_get_u64(b, key, &y, NULL) == 1 && x == y;
}

static bool same_string(const struct json_node *a, const struct json_node *b, const char *key)
{
	const char *x = NULL, *y = NULL;

	return json_get_string(a, key, &x, NULL) == 1 && json_get_string(b, key, &y, NULL) == 1 &&
	       !strcmp(x, y);
}

/* Elements of the arrays below linux.resources are named by a device, a page size or an interface.
 */
static bool same_element(const struct json_node *a, const struct json_node *b)
{
	return same_string(a, b, "pageSize") || same_string(a, b, "name") ||
	       (same_number(a, b, "major") && same_number(a, b, "minor"));
}

static const struct json_node *find_element(const struct json_node *array,
					    const struct json_node *like)
{
	const struct json_node *found = NULL;

	json_each (child, array) {
		if (same_element(child, like))
			found = child; /* of two the kernel keeps the last */
	}
	return found;
}

static void merge_array(struct json_writer *w, const char *key, const struct json_node *old,
			const struct json_node *new)
{
	json_w_array(w, key);
	json_each (child, old) {
		merge(w, NULL, child, find_element(new, child));
	}
	json_each (child, new) {
		if (!find_element(old, child))
			json_w_node(w, NULL, child);
	}
	json_w_end(w);
}

static void merge_object(struct json_writer *w, const char *key, const struct json_node *old,
			 const struct json_node *new)
{
	json_w_object(w, key);
	json_each (child, old) {
		if (json_type(child) != JSON_NULL)
			merge(w, json_key(child), child, json_get(new, json_key(child)));
	}
	json_each (child, new) {
		if (json_type(child) != JSON_NULL && !json_get(old, json_key(child)))
			json_w_node(w, json_key(child), child);
	}
	json_w_end(w);
}

/* Writes old overlaid by new; either may be NULL, not both. */
static void merge(struct json_writer *w, const char *key, const struct json_node *old,
		  const struct json_node *new)
{
	if (!new)
		json_w_node(w, key, old);
	else if (old && json_type(old) == JSON_OBJECT && json_type(new) == JSON_OBJECT)
		merge_object(w, key, old, new);
	else if (old && json_type(old) == JSON_ARRAY && json_type(new) == JSON_ARRAY)
		merge_array(w, key, old, new);
	else
		json_w_node(w, key, new);
}

/* The whole configuration with linux.resources overlaid by new. */
static void write_config(const struct json_node *config, const struct json_node *new,
			 struct buf *out)
{
	const struct json_node *linux_node = json_get(config, "linux");
	struct json_writer *w = json_w_new(false);

	json_w_object(w, NULL);
	json_each (child, config) {
		if (child != linux_node)
			json_w_node(w, json_key(child), child);
	}
	json_w_object(w, "linux");
	json_each (child, linux_node) {
		if (child != json_get(linux_node, "resources"))
			json_w_node(w, json_key(child), child);
	}
	merge(w, "resources", json_get(linux_node, "resources"), new);
	json_w_end(w);
	json_w_end(w);
	json_w_finish(w, out);
}

/*
 * Reads completed, the text that hull made of given. An error that given has too is reported as the
 * caller's own line and column.
 */
static int read_limits(const struct json_node *completed, const struct json_node *given,
		       struct arena *a, struct cgroup_limits *ret, struct err *err)
{
	struct cgroup_limits unused = {0};
	int rc, rc_given;

	rc = spec_parse_resources(completed, a, ret, err);
	if (!rc)
		return 0;
	rc_given = spec_parse_resources(given, a, &unused, err);
	return rc_given ? rc_given : spec_parse_resources(completed, a, ret, err);
}

static int apply(struct container *c, const struct cgroup_limits *limits, const char *staged,
		 struct err *err)
{
	struct cgroup *cg;
	int rc;

	rc = container_cgroup(c, &cg, err);
	if (!rc)
		rc = cgroup_update(cg, limits, err);
	if (!rc && renameat(c->dir_fd, staged, c->dir_fd, STATE_CONFIG) < 0)
		rc = err_sys(err, "save the new limits of '%s'", c->id);
	return rc;
}

static int update_locked(struct container *c, const struct json_node *given, struct arena *a,
			 struct err *err)
{
	struct cgroup_limits limits = {0};
	JSON *config = NULL, *completed = NULL;
	BUF text = BUF_INIT;
	int rc;

	rc = json_load(c->dir_fd, STATE_CONFIG, &config, err);
	if (rc)
		return rc;
	rc = complete(given, json_get(json_get(json_root(config), "linux"), "resources"),
		      &completed, err);
	if (!rc)
		rc = read_limits(json_root(completed), given, a, &limits, err);
	if (rc)
		return rc;
	write_config(json_root(config), json_root(completed), &text);
	rc = io_replace_file(c->dir_fd, STAGED, 0600, buf_str(&text), text.len, err);
	if (rc)
		return rc;
	rc = apply(c, &limits, STAGED, err);
	if (rc)
		(void)unlinkat(c->dir_fd, STAGED, 0);
	return rc;
}

int container_update(struct runtime *rt, const char *id, const struct json_node *resources,
		     const char *l3_cache_schema, const char *mem_bw_schema, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct container *c;
	int rc;

	if (json_type(resources) != JSON_OBJECT)
		return json_error(resources, err, "expected an object");
	if ((l3_cache_schema && *l3_cache_schema) || (mem_bw_schema && *mem_bw_schema))
		return err_set(err, EOPNOTSUPP, "update of intelRdt schemas is not supported yet");
	rc = container_open(rt, id, CONTAINER_LOCK_EXCLUSIVE, &c, err);
	if (rc)
		return rc;
	if (c->status == CONTAINER_STOPPED || c->status == CONTAINER_CREATING)
		rc = err_set(err, ESRCH, "cannot update container '%s': it is %s", id,
			     container_status_name(c->status));
	else
		rc = update_locked(c, resources, &a, err);
	arena_release(&a);
	container_close(c);
	return rc;
}
