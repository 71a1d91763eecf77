/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an update makes of JSON. The given resources are completed by stored ones where one kernel
 * setting depends on two properties (swap is memory+swap less the memory limit); laid over the
 * saved configuration they give the next one, objects member by member, arrays by the device, page
 * size or interface that an element is about.
 */
#include <string.h>

#include "runtime/update.h"

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
static void write_resources(struct json_writer *w, const struct json_node *given,
			    const struct json_node *stored)
{
	json_w_object(w, "resources");
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
}

static void write_schemas(struct json_writer *w, const struct update_change *change)
{
	if (!change->l3_cache_schema && !change->mem_bw_schema)
		return;
	json_w_object(w, "intelRdt");
	if (change->l3_cache_schema)
		json_w_string(w, "l3CacheSchema", change->l3_cache_schema);
	if (change->mem_bw_schema)
		json_w_string(w, "memBwSchema", change->mem_bw_schema);
	json_w_end(w);
}

int update_overlay(const struct update_change *change, const struct json_node *config,
		   struct json **ret, struct err *err)
{
	const struct json_node *stored = json_get(json_get(config, "linux"), "resources");
	struct json_writer *w = json_w_new(false);
	BUF text = BUF_INIT;

	json_w_object(w, NULL);
	json_w_object(w, "linux");
	write_resources(w, change->resources, stored);
	write_schemas(w, change);
	json_w_end(w);
	json_w_end(w);
	json_w_finish(w, &text);
	return json_parse("update", buf_str(&text), text.len, ret, err);
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

void update_merge(const struct json_node *config, const struct json_node *overlay, struct buf *out)
{
	struct json_writer *w = json_w_new(false);

	merge(w, NULL, config, overlay);
	json_w_finish(w, out);
}
