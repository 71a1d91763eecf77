/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers that the readers of config.json's sections share: required and optional members, ids,
 * lists, arrays of objects, id mappings, names. Each reports a fault with file, line and property.
 */
#include "runtime/spec_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/path.h"

/* More extents than this are refused by the kernel (UID_GID_MAP_MAX_EXTENTS). */
#define MAX_IDMAP_ENTRIES 340

int spec_missing(const struct json_node *obj, const char *key, struct err *err)
{
	return json_error(obj, err, "required property '%s' is missing", key);
}

int spec_because(const struct json_node *n, const struct err *cause, struct err *err)
{
	int code = cause->code ? cause->code : EINVAL;

	(void)json_error(n, err, "%s", cause->msg);
	if (err)
		err->code = code;
	return -code;
}

int spec_check_object(const struct json_node *n, struct err *err)
{
	if (json_type(n) != JSON_OBJECT)
		return json_error(n, err, "expected an object");
	return 0;
}

int spec_need_string(const struct json_node *obj, const char *key, const char **ret,
		     struct err *err)
{
	int rc = json_get_string(obj, key, ret, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return spec_missing(obj, key, err);
	if (**ret == '\0')
		return json_error(json_get(obj, key), err, "must not be empty");
	return 0;
}

int spec_get_text(const struct json_node *obj, const char *key, const char **ret, struct err *err)
{
	const char *text = NULL;
	int rc = json_get_string(obj, key, &text, err);

	if (rc <= 0)
		return rc;
	if (*text == '\0')
		return 0;
	*ret = text;
	return 1;
}

int spec_get_abs_path(const struct json_node *obj, const char *key, const char **ret,
		      struct err *err)
{
	const char *path = NULL;
	int rc = spec_get_text(obj, key, &path, err);

	if (rc <= 0)
		return rc;
	if (path[0] != '/')
		return json_error(json_get(obj, key), err, "'%s' is not an absolute path", path);
	*ret = path;
	return 1;
}

int spec_get_limit(const struct json_node *obj, const char *key, uint64_t max, uint64_t *ret,
		   struct err *err)
{
	const struct json_node *n = json_get(obj, key);
	int rc;

	if (!n)
		return 0;
	rc = json_as_u64(n, max, ret, err);
	return rc < 0 ? rc : 1;
}

int spec_get_ranged(const struct json_node *obj, const char *key, int64_t min, int64_t max,
		    int64_t *ret, struct err *err)
{
	const struct json_node *n = json_get(obj, key);
	int rc;

	if (!n)
		return 0;
	rc = json_as_i64(n, min, max, ret, err);
	return rc < 0 ? rc : 1;
}

int spec_get_id(const struct json_node *obj, const char *key, uint32_t *ret, struct err *err)
{
	uint64_t id;
	int rc = spec_get_limit(obj, key, SPEC_MAX_ID, &id, err);

	if (rc > 0)
		*ret = (uint32_t)id;
	return rc;
}

int spec_get_cpu_list(const struct json_node *obj, const char *key, size_t n_bits, struct arena *a,
		      const char **ret, struct err *err)
{
	uint64_t bits[SPEC_CPU_BITS / 64] = {0};
	const char *text = NULL;
	int rc = spec_get_text(obj, key, &text, err);

	if (rc <= 0)
		return rc;
	if (strchr(text, ' ')) { /* the schema lets blanks stand between the ranges */
		char *copy = arena_strdup(a, text), *to = copy;

		for (const char *from = text; *from; from++)
			if (*from != ' ')
				*to++ = *from;
		*to = '\0';
		text = copy;
	}
	rc = parse_cpu_list(text, bits, n_bits);
	if (rc == -ERANGE)
		return json_error(json_get(obj, key), err, "'%s' goes beyond %zu", text,
				  n_bits - 1);
	if (rc < 0)
		return json_error(json_get(obj, key), err, "'%s' is no list such as '0-3,7'", text);
	*ret = text;
	return 1;
}

int spec_get_strings(const struct json_node *obj, const char *key, struct arena *a,
		     const char *const **ret, size_t *ret_n, struct err *err)
{
	const struct json_node *array = NULL;
	const char **list;
	size_t i = 0;
	int rc = json_get_array(obj, key, &array, err);

	if (rc <= 0)
		return rc;
	list = arena_alloc(a, json_count(array) + 1, sizeof(*list));
	json_each (n, array) {
		rc = json_as_string(n, &list[i++], err);
		if (rc < 0)
			return rc;
	}
	*ret = list;
	if (ret_n)
		*ret_n = i;
	return 1;
}

static int read_children(const struct json_node *parent, size_t size, spec_read_fn *read,
			 const struct spec_ctx *ctx, struct spec_array *ret, struct err *err)
{
	size_t count = json_count(parent);
	char *at;
	int rc;

	if (count == 0) {
		*ret = (struct spec_array){0};
		return 1;
	}
	at = arena_alloc(ctx->arena, count, size);
	*ret = (struct spec_array){.items = at, .n = count};
	json_each (n, parent) {
		rc = read(n, ctx, at, err);
		if (rc < 0)
			return rc;
		at += size;
	}
	return 1;
}

int spec_get_array(const struct json_node *obj, const char *key, size_t size, spec_read_fn *read,
		   const struct spec_ctx *ctx, struct spec_array *ret, struct err *err)
{
	const struct json_node *array = NULL;
	int rc = json_get_array(obj, key, &array, err);

	return rc <= 0 ? rc : read_children(array, size, read, ctx, ret, err);
}

int spec_get_map(const struct json_node *obj, const char *key, size_t size, spec_read_fn *read,
		 const struct spec_ctx *ctx, struct spec_array *ret, struct err *err)
{
	const struct json_node *map = NULL;
	int rc = json_get_object(obj, key, &map, err);

	return rc <= 0 ? rc : read_children(map, size, read, ctx, ret, err);
}

static int read_idmap(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		      struct err *err)
{
	struct idmap *m = element;
	static const char *const keys[] = {"containerID", "hostID", "size"};
	uint32_t *const values[] = {&m->inside, &m->outside, &m->count};
	int rc;

	(void)ctx;
	rc = spec_check_object(n, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		rc = json_get_u32(n, keys[i], values[i], err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return spec_missing(n, keys[i], err);
	}
	if (m->count == 0)
		return json_error(json_get(n, "size"), err, "a mapping of no ids");
	/* The last id a range may hold is 2^32-2; the kernel refuses a range that wraps. */
	if (m->count > UINT32_MAX - m->inside)
		return json_error(n, err, "containerID + size goes beyond 4294967295");
	if (m->count > UINT32_MAX - m->outside)
		return json_error(n, err, "hostID + size goes beyond 4294967295");
	return 0;
}

static int compare_inside(const void *a, const void *b)
{
	const struct idmap *x = a, *y = b;

	return (x->inside > y->inside) - (x->inside < y->inside);
}

static int compare_outside(const void *a, const void *b)
{
	const struct idmap *x = a, *y = b;

	return (x->outside > y->outside) - (x->outside < y->outside);
}

/* The kernel refuses ranges that overlap on either side (man 7 user_namespaces). */
static int check_overlap(const struct json_node *n, const struct idmap *maps, size_t count,
			 struct err *err)
{
	struct idmap sorted[MAX_IDMAP_ENTRIES];

	if (count == 0)
		return 0;
	memcpy(sorted, maps, count * sizeof(*maps));
	qsort(sorted, count, sizeof(*sorted), compare_inside);
	for (size_t i = 1; i < count; i++)
		if (sorted[i].inside - sorted[i - 1].inside < sorted[i - 1].count)
			return json_error(n, err, "container id %u is mapped twice",
					  sorted[i].inside);
	qsort(sorted, count, sizeof(*sorted), compare_outside);
	for (size_t i = 1; i < count; i++)
		if (sorted[i].outside - sorted[i - 1].outside < sorted[i - 1].count)
			return json_error(n, err, "host id %u is mapped twice", sorted[i].outside);
	return 0;
}

int spec_get_idmap(const struct json_node *obj, const char *key, const struct spec_ctx *ctx,
		   const struct idmap **ret, size_t *ret_n, struct err *err)
{
	const struct json_node *n = json_get(obj, key);
	struct spec_array list = {0};
	int rc;

	if (n && json_type(n) == JSON_ARRAY && json_count(n) > MAX_IDMAP_ENTRIES)
		return json_error(n, err, "%zu mappings, the kernel takes at most %d",
				  json_count(n), MAX_IDMAP_ENTRIES);
	rc = spec_get_array(obj, key, sizeof(struct idmap), read_idmap, ctx, &list, err);
	if (rc <= 0)
		return rc;
	rc = check_overlap(n, list.items, list.n, err);
	if (rc < 0)
		return rc;
	*ret = list.items;
	*ret_n = list.n;
	return 1;
}

bool spec_idmap_covers(const struct idmap *maps, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].inside && id - maps[i].inside < maps[i].count)
			return true;
	return false;
}

/* True when path has no empty, "." or ".." component and no "/" at its end. */
static bool is_clean(const char *path)
{
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		if (p[1] == '/' || (p[1] == '\0' && p != path))
			return false;
		if (p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return false;
		if (p[1] == '.' && p[2] == '.' && (p[3] == '/' || p[3] == '\0'))
			return false;
	}
	return path[0] == '/';
}

const char *spec_clean_path(struct arena *a, const char *path)
{
	FREE char *clean = NULL;

	if (is_clean(path))
		return path;
	clean = path_clean(path);
	return arena_strdup(a, clean);
}

static int compare_names(const void *a, const void *b)
{
	const struct spec_name *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->name, y->name, len);

	if (order == 0)
		order = (x->len > y->len) - (x->len < y->len);
	return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

void spec_sort_names(struct spec_name *names, size_t n)
{
	if (n > 1)
		qsort(names, n, sizeof(*names), compare_names);
}

bool spec_same_name(const struct spec_name *a, const struct spec_name *b)
{
	return a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}
