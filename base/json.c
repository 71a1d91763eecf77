/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to the tree of a JSON document, and the messages about it. Lines and columns are counted
 * only when a message needs them, from the text that the document keeps.
 */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/json_node.h"
#include "base/parse.h"

#define SHOWN_NUMBER 40

const struct json_node *json_root(const struct json *doc)
{
	return &doc->root;
}

enum json_type json_type(const struct json_node *n)
{
	return n ? n->type : JSON_NULL;
}

const struct json_node *json_first(const struct json_node *n)
{
	return n && (n->type == JSON_ARRAY || n->type == JSON_OBJECT) ? n->first : NULL;
}

const struct json_node *json_next(const struct json_node *n)
{
	return n ? n->next : NULL;
}

const char *json_key(const struct json_node *n)
{
	return n ? n->key : NULL;
}

size_t json_count(const struct json_node *n)
{
	size_t count = 0;

	json_each (child, n)
		count++;
	return count;
}

const struct json_node *json_get(const struct json_node *n, const char *key)
{
	if (!n || n->type != JSON_OBJECT)
		return NULL;
	json_each (child, n)
		if (strcmp(child->key, key) == 0)
			return child->type == JSON_NULL ? NULL : child;
	return NULL;
}

static const struct json *document(const struct json_node *n)
{
	while (n->parent)
		n = n->parent;
	return (const struct json *)(const void *)((const char *)n - offsetof(struct json, root));
}

/* A name that would read like more than one step of a path is quoted: annotations["a.b"]. */
static bool is_plain_name(const char *key)
{
	return *key && !strpbrk(key, ".[]\"' ");
}

void json_path(const struct json_node *n, struct buf *out)
{
	const struct json_node *chain[JSON_MAX_DEPTH + 1];
	size_t len = 0, start = out->len;

	for (; n && n->parent; n = n->parent)
		chain[len++] = n;
	while (len > 0) {
		n = chain[--len];
		if (!n->key) {
			size_t i = 0;

			for (const struct json_node *e = n->parent->first; e != n; e = e->next)
				i++;
			buf_addf(out, "[%zu]", i);
		} else if (is_plain_name(n->key)) {
			buf_addf(out, "%s%s", out->len > start ? "." : "", n->key);
		} else {
			buf_addf(out, "[\"%s\"]", n->key);
		}
	}
}

static void add_place(const struct json *doc, size_t offset, struct buf *out)
{
	const char *line = doc->text, *end = doc->text + offset, *p;
	size_t n = 1;

	while ((p = memchr(line, '\n', (size_t)(end - line)))) {
		line = p + 1;
		n++;
	}
	buf_addf(out, "%s:%zu:%zu", doc->name, n, (size_t)(end - line) + 1);
}

static int PRINTF_LIKE(4, 0)
	fail(const struct json_node *n, struct err *err, int errnum, const char *fmt, va_list ap)
{
	BUF place = BUF_INIT, path = BUF_INIT;
	int rc = err_vset(err, errnum, fmt, ap);

	if (!err || !n)
		return rc;
	json_path(n, &path);
	if (path.len)
		rc = err_wrap(err, rc, "%s", path.data);
	add_place(document(n), n->offset, &place);
	return err_wrap(err, rc, "%s", place.data);
}

int json_error(const struct json_node *n, struct err *err, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail(n, err, EINVAL, fmt, ap);
	va_end(ap);
	return rc;
}

static int PRINTF_LIKE(3, 4)
	range_error(const struct json_node *n, struct err *err, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail(n, err, ERANGE, fmt, ap);
	va_end(ap);
	return rc;
}

int json_fail_at(const struct json *doc, size_t offset, struct err *err, const char *fmt, ...)
{
	BUF place = BUF_INIT;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = err_vset(err, EINVAL, fmt, ap);
	va_end(ap);
	if (!err)
		return rc;
	add_place(doc, offset, &place);
	return err_wrap(err, rc, "%s", place.data);
}

/* What a message says was found instead: numbers as written, else the type. */
static void describe(const struct json_node *n, char *out, size_t size)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",       [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};

	if (json_type(n) == JSON_NUMBER)
		(void)snprintf(out, size, "%.*s", SHOWN_NUMBER, n->text);
	else
		(void)snprintf(out, size, "%s", names[json_type(n)]);
}

static int type_error(const struct json_node *n, struct err *err, const char *expected)
{
	char found[SHOWN_NUMBER + 1];

	describe(n, found, sizeof(found));
	return json_error(n, err, "expected %s, found %s", expected, found);
}

int json_as_string(const struct json_node *n, const char **ret, struct err *err)
{
	if (json_type(n) != JSON_STRING)
		return type_error(n, err, "a string");
	*ret = n->text;
	return 0;
}

int json_as_bool(const struct json_node *n, bool *ret, struct err *err)
{
	if (json_type(n) != JSON_BOOL)
		return type_error(n, err, "true or false");
	*ret = n->boolean;
	return 0;
}

int json_as_u64(const struct json_node *n, uint64_t max, uint64_t *ret, struct err *err)
{
	char found[SHOWN_NUMBER + 1];
	int64_t negative;
	uint64_t v = 0;
	int rc = json_type(n) == JSON_NUMBER ? parse_u64(n->text, &v) : -EINVAL;

	if (rc == 0 && v <= max) {
		*ret = v;
		return 0;
	}
	describe(n, found, sizeof(found));
	/* A negative integer is out of range, anything else no integer at all. */
	if (rc == 0 || rc == -ERANGE ||
	    (json_type(n) == JSON_NUMBER && parse_i64(n->text, &negative) != -EINVAL))
		return range_error(n, err, "expected an integer from 0 to %" PRIu64 ", found %s",
				   max, found);
	return json_error(n, err, "expected an integer from 0 to %" PRIu64 ", found %s", max,
			  found);
}

int json_as_i64(const struct json_node *n, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	char found[SHOWN_NUMBER + 1];
	int64_t v = 0;
	int rc = json_type(n) == JSON_NUMBER ? parse_i64(n->text, &v) : -EINVAL;

	if (rc == 0 && v >= min && v <= max) {
		*ret = v;
		return 0;
	}
	describe(n, found, sizeof(found));
	if (rc == -EINVAL)
		return json_error(n, err,
				  "expected an integer from %" PRId64 " to %" PRId64 ", found %s",
				  min, max, found);
	return range_error(n, err, "expected an integer from %" PRId64 " to %" PRId64 ", found %s",
			   min, max, found);
}

/* 1 and *ret when object n has the member, 0 when not; a value that is no object has no members. */
static int member(const struct json_node *n, const char *key, const struct json_node **ret,
		  struct err *err)
{
	const struct json_node *m = json_get(n, key);

	if (n && n->type != JSON_OBJECT && n->type != JSON_NULL)
		return type_error(n, err, "an object");
	if (!m)
		return 0;
	*ret = m;
	return 1;
}

int json_get_string(const struct json_node *n, const char *key, const char **ret, struct err *err)
{
	const struct json_node *m;
	int there = member(n, key, &m, err);
	int rc = there > 0 ? json_as_string(m, ret, err) : 0;

	return rc < 0 ? rc : there;
}

int json_get_bool(const struct json_node *n, const char *key, bool *ret, struct err *err)
{
	const struct json_node *m;
	int there = member(n, key, &m, err);
	int rc = there > 0 ? json_as_bool(m, ret, err) : 0;

	return rc < 0 ? rc : there;
}

static int get_unsigned(const struct json_node *n, const char *key, uint64_t max, uint64_t *ret,
			struct err *err)
{
	const struct json_node *m;
	int there = member(n, key, &m, err);
	int rc = there > 0 ? json_as_u64(m, max, ret, err) : 0;

	return rc < 0 ? rc : there;
}

int json_get_u64(const struct json_node *n, const char *key, uint64_t *ret, struct err *err)
{
	return get_unsigned(n, key, UINT64_MAX, ret, err);
}

int json_get_u32(const struct json_node *n, const char *key, uint32_t *ret, struct err *err)
{
	uint64_t v;
	int rc = get_unsigned(n, key, UINT32_MAX, &v, err);

	if (rc > 0)
		*ret = (uint32_t)v;
	return rc;
}

int json_get_u16(const struct json_node *n, const char *key, uint16_t *ret, struct err *err)
{
	uint64_t v;
	int rc = get_unsigned(n, key, UINT16_MAX, &v, err);

	if (rc > 0)
		*ret = (uint16_t)v;
	return rc;
}

static int get_signed(const struct json_node *n, const char *key, int64_t min, int64_t max,
		      int64_t *ret, struct err *err)
{
	const struct json_node *m;
	int there = member(n, key, &m, err);
	int rc = there > 0 ? json_as_i64(m, min, max, ret, err) : 0;

	return rc < 0 ? rc : there;
}

int json_get_i64(const struct json_node *n, const char *key, int64_t *ret, struct err *err)
{
	return get_signed(n, key, INT64_MIN, INT64_MAX, ret, err);
}

int json_get_int(const struct json_node *n, const char *key, int *ret, struct err *err)
{
	int64_t v;
	int rc = get_signed(n, key, INT_MIN, INT_MAX, &v, err);

	if (rc > 0)
		*ret = (int)v;
	return rc;
}

int json_get_object(const struct json_node *n, const char *key, const struct json_node **ret,
		    struct err *err)
{
	const struct json_node *m;
	int there = member(n, key, &m, err);

	if (there <= 0)
		return there;
	if (m->type != JSON_OBJECT)
		return type_error(m, err, "an object");
	*ret = m;
	return 1;
}

int json_get_array(const struct json_node *n, const char *key, const struct json_node **ret,
		   struct err *err)
{
	const struct json_node *m;
	int there = member(n, key, &m, err);

	if (there <= 0)
		return there;
	if (m->type != JSON_ARRAY)
		return type_error(m, err, "an array");
	*ret = m;
	return 1;
}
