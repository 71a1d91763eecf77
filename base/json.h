/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON over yajl. A document is read into a tree that keeps numbers as text until somebody asks for
 * a type, so a uint64 survives; every node knows its place, so an error says
 * "config.json:12:7: process.user.uid: expected an integer from 0 to 4294967295". Depth and size
 * are capped. Comments are refused, a property given twice in one object too, and a string with an
 * embedded NUL. null counts as absent everywhere.
 */
#ifndef HULL_BASE_JSON_H
#define HULL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define JSON_MAX_BYTES (64u << 20)
#define JSON_MAX_DEPTH 64

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json; /* a document; owns its nodes and their strings */
struct json_node;

/* name is used in messages ("config.json"). text need not end in NUL and may go away afterwards. */
int json_parse(const char *name, const char *text, size_t len, struct json **ret,
	       struct err *err) MUST_CHECK;
int json_load(int dirfd, const char *path, struct json **ret, struct err *err) MUST_CHECK;
void json_free(struct json *doc);

static inline void json_free_ptr(struct json **doc)
{
	json_free(*doc);
}

#define JSON __attribute__((cleanup(json_free_ptr))) struct json

const struct json_node *json_root(const struct json *doc);
enum json_type json_type(const struct json_node *n);

/* Children of an array or object in document order; NULL-safe. */
const struct json_node *json_first(const struct json_node *n);
const struct json_node *json_next(const struct json_node *n);
const char *json_key(const struct json_node *n); /* the property's name, NULL in an array */
size_t json_count(const struct json_node *n);    /* number of children; 0 for NULL */

#define json_each(child, parent)                                                                   \
	for (const struct json_node *child = json_first(parent); child; child = json_next(child))

/* The member key of object n, NULL when n is NULL or the member is absent or null. */
const struct json_node *json_get(const struct json_node *n, const char *key);

/* The place of n in the document, "linux.resources.cpu.shares" or "mounts[3].type". */
void json_path(const struct json_node *n, struct buf *out);

/* "NAME:LINE:COL: PATH: message". Returns -EINVAL. */
int json_error(const struct json_node *n, struct err *err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * Typed access to a node: 0, or -EINVAL with a message as above (-ERANGE when out of range).
 * Strings are borrowed until json_free.
 */
int json_as_string(const struct json_node *n, const char **ret, struct err *err) MUST_CHECK;
int json_as_bool(const struct json_node *n, bool *ret, struct err *err) MUST_CHECK;
int json_as_u64(const struct json_node *n, uint64_t max, uint64_t *ret, struct err *err) MUST_CHECK;
int json_as_i64(const struct json_node *n, int64_t min, int64_t max, int64_t *ret,
		struct err *err) MUST_CHECK;

/*
 * Typed access to the member key of object n: 1 when it was there (and *ret written), 0 when it is
 * absent or null (and *ret left alone), or -EINVAL/-ERANGE.
 */
int json_get_string(const struct json_node *n, const char *key, const char **ret,
		    struct err *err) MUST_CHECK;
int json_get_bool(const struct json_node *n, const char *key, bool *ret,
		  struct err *err) MUST_CHECK;
int json_get_u64(const struct json_node *n, const char *key, uint64_t *ret,
		 struct err *err) MUST_CHECK;
int json_get_u32(const struct json_node *n, const char *key, uint32_t *ret,
		 struct err *err) MUST_CHECK;
int json_get_u16(const struct json_node *n, const char *key, uint16_t *ret,
		 struct err *err) MUST_CHECK;
int json_get_i64(const struct json_node *n, const char *key, int64_t *ret,
		 struct err *err) MUST_CHECK;
int json_get_int(const struct json_node *n, const char *key, int *ret, struct err *err) MUST_CHECK;
int json_get_object(const struct json_node *n, const char *key, const struct json_node **ret,
		    struct err *err) MUST_CHECK;
int json_get_array(const struct json_node *n, const char *key, const struct json_node **ret,
		   struct err *err) MUST_CHECK;

/*
 * Writing (yajl_gen): compact unless pretty, "/" not escaped. key is NULL at top level and in
 * arrays. A NULL string value is written as null by json_w_string. Calling sequence: json_w_new,
 * values, json_w_finish (which appends the text to out, without a newline at its end, and frees the
 * writer). Bytes that are no UTF-8 are written as they are. A wrong sequence aborts.
 */
struct json_writer;

struct json_writer *json_w_new(bool pretty);
void json_w_object(struct json_writer *w, const char *key);
void json_w_array(struct json_writer *w, const char *key);
void json_w_end(struct json_writer *w); /* closes the innermost object or array */
void json_w_string(struct json_writer *w, const char *key, const char *value);
void json_w_bool(struct json_writer *w, const char *key, bool value);
void json_w_u64(struct json_writer *w, const char *key, uint64_t value);
void json_w_i64(struct json_writer *w, const char *key, int64_t value);
/* text: a number as JSON writes it, for those that are no integer. */
void json_w_number(struct json_writer *w, const char *key, const char *text);
void json_w_null(struct json_writer *w, const char *key);
void json_w_node(struct json_writer *w, const char *key, const struct json_node *n); /* deep copy */
void json_w_finish(struct json_writer *w, struct buf *out);

#endif
