/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values to text over yajl_gen. An object or array is opened only when its first child comes: yajl
 * would write an empty one over three lines in the pretty form.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/json.h"
#include "base/json_node.h"
#include "base/mem.h"

struct json_writer {
	yajl_gen gen;
	struct buf text;
	unsigned int depth;
	char open[YAJL_MAX_DEPTH]; /* '{' or '[' of each level */
	bool pending;              /* the innermost one is not written yet */
};

static void append(void *ctx, const char *s, size_t len)
{
	buf_add(ctx, s, len);
}

struct json_writer *json_w_new(bool pretty)
{
	struct json_writer *w = mem_xalloc(sizeof(*w));

	w->gen = yajl_gen_alloc(NULL);
	if (!w->gen)
		abort();
	(void)yajl_gen_config(w->gen, yajl_gen_beautify, (int)pretty);
	(void)yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
	(void)yajl_gen_config(w->gen, yajl_gen_print_callback, append, &w->text);
	return w;
}

/* yajl_gen fails only when it is called in a wrong order, which is a bug of hull. */
static void check(yajl_gen_status status)
{
	if (status != yajl_gen_status_ok)
		abort();
}

/* Opens what is pending and writes the name. */
static void begin(struct json_writer *w, const char *key)
{
	if (w->pending)
		check(w->open[w->depth - 1] == '{' ? yajl_gen_map_open(w->gen)
						   : yajl_gen_array_open(w->gen));
	w->pending = false;
	if (key)
		check(yajl_gen_string(w->gen, (const unsigned char *)key, strlen(key)));
}

static void open_level(struct json_writer *w, const char *key, char kind)
{
	begin(w, key);
	if (w->depth == YAJL_MAX_DEPTH - 1)
		abort();
	w->open[w->depth++] = kind;
	w->pending = true;
}

void json_w_object(struct json_writer *w, const char *key)
{
	open_level(w, key, '{');
}

void json_w_array(struct json_writer *w, const char *key)
{
	open_level(w, key, '[');
}

void json_w_end(struct json_writer *w)
{
	char kind;

	if (w->depth == 0)
		abort();
	kind = w->open[--w->depth];
	if (w->pending)
		check(yajl_gen_number(w->gen, kind == '{' ? "{}" : "[]", 2));
	else
		check(kind == '{' ? yajl_gen_map_close(w->gen) : yajl_gen_array_close(w->gen));
	w->pending = false;
}

void json_w_string(struct json_writer *w, const char *key, const char *value)
{
	begin(w, key);
	check(value ? yajl_gen_string(w->gen, (const unsigned char *)value, strlen(value))
		    : yajl_gen_null(w->gen));
}

void json_w_bool(struct json_writer *w, const char *key, bool value)
{
	begin(w, key);
	check(yajl_gen_bool(w->gen, value));
}

void json_w_number(struct json_writer *w, const char *key, const char *text)
{
	begin(w, key);
	check(yajl_gen_number(w->gen, text, strlen(text)));
}

void json_w_u64(struct json_writer *w, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	json_w_number(w, key, text);
}

void json_w_i64(struct json_writer *w, const char *key, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	json_w_number(w, key, text);
}

void json_w_null(struct json_writer *w, const char *key)
{
	begin(w, key);
	check(yajl_gen_null(w->gen));
}

void json_w_node(struct json_writer *w, const char *key, const struct json_node *n)
{
	switch (json_type(n)) {
	case JSON_NULL:
		json_w_null(w, key);
		break;
	case JSON_BOOL:
		json_w_bool(w, key, n->boolean);
		break;
	case JSON_NUMBER:
		json_w_number(w, key, n->text);
		break;
	case JSON_STRING:
		json_w_string(w, key, n->text);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		open_level(w, key, n->type == JSON_OBJECT ? '{' : '[');
		/* As deep as the document at most: JSON_MAX_DEPTH. */
		json_each (child, n)
			json_w_node(w, child->key, child);
		json_w_end(w);
		break;
	}
}

void json_w_finish(struct json_writer *w, struct buf *out)
{
	size_t len = w->text.len;

	/* yajl ends the pretty form with a newline, the compact form without. */
	if (len && w->text.data[len - 1] == '\n')
		len--;
	buf_add(out, buf_str(&w->text), len);
	buf_release(&w->text);
	yajl_gen_free(w->gen);
	free(w);
}
