/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text to tree: yajl finds the tokens, its callbacks hang nodes into an arena in one pass. The
 * whole text is one chunk, so yajl hands out pointers into it and knows how far it is. yajl does
 * not tell where a token begins; that is the first byte behind the one before that is no separator.
 * Strings are bytes: environment variables and paths need not be UTF-8, so yajl's check is off.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/io.h"
#include "base/json.h"
#include "base/json_node.h"
#include "base/mem.h"

#define JSON_MAX_NODES  (1u << 20) /* bounds the tree's memory to that of the largest text */
#define SMALL_OBJECT    16
#define JSON_WHITESPACE " \t\r\n"
#define TOKEN_STARTS    "\"-0123456789tfn" /* of tokens longer than one byte */

struct parser {
	struct json *doc;
	yajl_handle yajl;
	struct json_node *open; /* innermost array or object */
	const char *key;
	size_t end;  /* of the token before */
	bool at_end; /* yajl_complete_parse is running */
	bool failed; /* by a callback, err says why */
	unsigned int depth;
	unsigned int n_nodes;
	struct err *err;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Start of the token at hand; moves p->end behind it. */
static size_t next_token(struct parser *p)
{
	const struct json *doc = p->doc;
	size_t start = p->end;

	while (start < doc->len &&
	       (is_space(doc->text[start]) || doc->text[start] == ',' || doc->text[start] == ':'))
		start++;
	p->end = p->at_end ? doc->len : yajl_get_bytes_consumed(p->yajl);
	return start;
}

#define FAIL(p, offset, ...)                                                                       \
	({                                                                                         \
		(p)->failed = true;                                                                \
		(void)json_fail_at((p)->doc, offset, (p)->err, __VA_ARGS__);                       \
		0;                                                                                 \
	})

/* Puts a new value into the tree; NULL after a failure. */
static struct json_node *add_node(struct parser *p, enum json_type type, size_t offset)
{
	struct json_node *n = &p->doc->root;

	if (p->n_nodes++ == JSON_MAX_NODES) {
		FAIL(p, offset, "more than %u values", JSON_MAX_NODES);
		return NULL;
	}
	if (p->open) {
		n = arena_alloc(&p->doc->arena, 1, sizeof(*n));
		if (p->open->last)
			p->open->last->next = n;
		else
			p->open->first = n;
		p->open->last = n;
	}
	n->type = type;
	n->offset = (uint32_t)offset;
	n->parent = p->open;
	n->key = p->key;
	p->key = NULL;
	return n;
}

static unsigned int hex4(const char *s)
{
	unsigned int v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned int c = (unsigned char)s[i];

		v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

/* Half of a surrogate pair alone is no character; yajl would make '?' of it and lose a byte. */
static bool surrogates_pair(const char *raw, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		unsigned int v;

		if (raw[i] != '\\')
			continue;
		if (raw[++i] != 'u')
			continue;
		v = hex4(raw + i + 1);
		i += 4;
		if (v < 0xd800 || v > 0xdfff)
			continue;
		if (v > 0xdbff || i + 6 >= len || raw[i + 1] != '\\' || raw[i + 2] != 'u')
			return false;
		v = hex4(raw + i + 3);
		if (v < 0xdc00 || v > 0xdfff)
			return false;
		i += 6;
	}
	return true;
}

/*
 * The string at hand (start: its opening quote); NULL after a failure. One without escapes stays
 * where it is in the text, with a NUL in place of its closing quote, which yajl has passed.
 */
static const char *take_string(struct parser *p, size_t start, const unsigned char *s, size_t len)
{
	char *raw = p->doc->text + start + 1;
	size_t raw_len = p->end - start - 2;

	if ((const char *)s == raw) {
		raw[len] = '\0';
		return raw;
	}
	if (!surrogates_pair(raw, raw_len)) {
		FAIL(p, start, "string with half of a surrogate pair");
		return NULL;
	}
	if (memchr(s, '\0', len)) {
		FAIL(p, start, "string with an embedded NUL character");
		return NULL;
	}
	return arena_strndup(&p->doc->arena, (const char *)s, len);
}

static int on_null(void *ctx)
{
	struct parser *p = ctx;

	return add_node(p, JSON_NULL, next_token(p)) != NULL;
}

static int on_bool(void *ctx, int value)
{
	struct parser *p = ctx;
	struct json_node *n = add_node(p, JSON_BOOL, next_token(p));

	if (n)
		n->boolean = value;
	return n != NULL;
}

static int on_number(void *ctx, const char *s, size_t len)
{
	struct parser *p = ctx;
	struct json_node *n = add_node(p, JSON_NUMBER, next_token(p));

	if (n)
		n->text = arena_strndup(&p->doc->arena, s, len);
	return n != NULL;
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct parser *p = ctx;
	size_t start = next_token(p);
	const char *text = take_string(p, start, s, len);
	struct json_node *n = text ? add_node(p, JSON_STRING, start) : NULL;

	if (n)
		n->text = text;
	return n != NULL;
}

static int on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct parser *p = ctx;

	p->key = take_string(p, next_token(p), s, len);
	return p->key != NULL;
}

static int open_container(struct parser *p, enum json_type type)
{
	size_t start = next_token(p);
	struct json_node *n;

	if (p->depth++ == JSON_MAX_DEPTH)
		return FAIL(p, start, "nested more than %d levels deep", JSON_MAX_DEPTH);
	n = add_node(p, type, start);
	if (n)
		p->open = n;
	return n != NULL;
}

static int close_container(struct parser *p)
{
	(void)next_token(p);
	p->depth--;
	p->open = p->open->parent;
	return 1;
}

static int on_start_map(void *ctx)
{
	return open_container(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return open_container(ctx, JSON_ARRAY);
}

static int on_end_array(void *ctx)
{
	return close_container(ctx);
}

static int compare_members(const void *a, const void *b)
{
	const struct json_node *const *x = a, *const *y = b;
	int c = strcmp((*x)->key, (*y)->key);

	return c ? c : (*x)->offset < (*y)->offset ? -1 : 1;
}

/* The first member of object whose name an earlier one has, or NULL. */
static const struct json_node *find_duplicate(const struct json_node *object)
{
	const struct json_node *found = NULL;
	FREE const struct json_node **members = NULL;
	size_t n = json_count(object), i = 0;

	if (n <= SMALL_OBJECT) {
		json_each (m, object)
			for (const struct json_node *e = object->first; e != m; e = e->next)
				if (strcmp(e->key, m->key) == 0)
					return m;
		return NULL;
	}
	/* Sorting keeps a hostile object of many members from costing its square. */
	members = mem_xcalloc(n, sizeof(*members));
	json_each (m, object)
		members[i++] = m;
	qsort(members, n, sizeof(*members), compare_members);
	for (i = 1; i < n; i++)
		if (strcmp(members[i - 1]->key, members[i]->key) == 0 &&
		    (!found || members[i]->offset < found->offset))
			found = members[i];
	return found;
}

static int on_end_map(void *ctx)
{
	struct parser *p = ctx;
	const struct json_node *duplicate = find_duplicate(p->open);

	if (duplicate) {
		p->failed = true;
		(void)json_error(duplicate, p->err, "property given twice");
		return 0;
	}
	return close_container(p);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end_map,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

#define TRAILING "expected nothing behind the end of the document"

/* What yajl says, in part, and what hull says. */
static const struct {
	const char *yajl;
	const char *text;
} syntax_errors[] = {
	{"unallowed token", "expected a value"},
	{"invalid object key", "expected a property name in double quotes"},
	{"object key and value must", "expected ':' behind the property name"},
	{"after key and value", "expected ',' or '}'"},
	{"after array element", "expected ',' or ']'"},
	{"trailing garbage", TRAILING},
	{"malformed number", "malformed number"},
	{"invalid char in json text", "unexpected character"},
	{"invalid string in json text", "expected true, false or null"},
	{"probable comment", "comments are not allowed"},
	{"invalid character inside string", "control character in a string"},
	{"occurs before a character", "unknown escape sequence in a string"},
	{"(non-hex) character", "unknown escape sequence in a string"},
};

/*
 * Where the text went wrong. Inside a token yajl stops at the bad byte; when a whole token is out
 * of place, it is the last one that yajl read.
 */
static size_t syntax_error_offset(const struct parser *p, bool lexical)
{
	const struct json *doc = p->doc;
	size_t consumed = yajl_get_bytes_consumed(p->yajl);
	size_t pos = p->end;

	for (; pos < doc->len; pos++) {
		char c = doc->text[pos];

		if (!is_space(c) && !((c == ',' || c == ':') && pos + 1 < consumed))
			break;
	}
	if (lexical && consumed > pos &&
	    memchr(TOKEN_STARTS, doc->text[pos], sizeof(TOKEN_STARTS) - 1))
		return consumed;
	return pos;
}

static int unexpected(const struct parser *p, size_t pos, const char *what)
{
	const struct json *doc = p->doc;
	unsigned char found = (unsigned char)doc->text[pos];

	if (pos >= doc->len)
		return json_fail_at(doc, doc->len, p->err, "unexpected end of the document");
	if (found > 0x20 && found < 0x7f)
		return json_fail_at(doc, pos, p->err, "%s, found '%c'", what, found);
	return json_fail_at(doc, pos, p->err, "%s, found the byte 0x%02x", what, found);
}

static int syntax_error(const struct parser *p)
{
	unsigned char *text = yajl_get_error(p->yajl, 0, NULL, 0);
	bool lexical = strncmp((const char *)text, "lexical", 7) == 0;
	const char *what = "syntax error";

	for (size_t i = 0; i < ARRAY_SIZE(syntax_errors); i++)
		if (strstr((const char *)text, syntax_errors[i].yajl)) {
			what = syntax_errors[i].text;
			break;
		}
	yajl_free_error(p->yajl, text);
	return unexpected(p, syntax_error_offset(p, lexical), what);
}

/* The text ends within a value or, when there is a whole one already, within something behind it.
 */
static int end_error(const struct parser *p)
{
	const struct json *doc = p->doc;

	if (p->n_nodes == 0 || p->open)
		return unexpected(p, doc->len, "");
	return unexpected(p, p->end + strspn(doc->text + p->end, JSON_WHITESPACE), TRAILING);
}

static int run(struct parser *p)
{
	const struct json *doc = p->doc;
	yajl_status status;
	const char *c;

	if (strspn(doc->text, JSON_WHITESPACE) == doc->len)
		return json_fail_at(doc, 0, p->err, "the document is empty");
	/* yajl takes these for blanks between tokens, RFC 8259 nowhere. */
	c = memchr(doc->text, '\v', doc->len);
	if (!c)
		c = memchr(doc->text, '\f', doc->len);
	if (c)
		return json_fail_at(doc, (size_t)(c - doc->text), p->err,
				    "control character 0x%02x", *c);
	status = yajl_parse(p->yajl, (const unsigned char *)doc->text, doc->len);
	if (status == yajl_status_ok) {
		p->at_end = true;
		status = yajl_complete_parse(p->yajl);
		if (status == yajl_status_error)
			return end_error(p);
	}
	if (p->failed)
		return -EINVAL;
	return status == yajl_status_ok ? 0 : syntax_error(p);
}

static void *yajl_malloc(void *ctx, size_t size)
{
	(void)ctx;
	return mem_xrealloc(NULL, size, 1);
}

static void *yajl_realloc(void *ctx, void *p, size_t size)
{
	(void)ctx;
	return mem_xrealloc(p, size, 1);
}

static void yajl_release(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* Takes text over, which has a NUL behind len. */
static int parse_owned(const char *name, char *text, size_t len, struct json **ret, struct err *err)
{
	yajl_alloc_funcs alloc = {yajl_malloc, yajl_realloc, yajl_release, NULL};
	JSON *doc = mem_xalloc(sizeof(*doc));
	struct parser p = {.doc = doc, .err = err};
	int rc;

	doc->name = mem_xstrdup(name);
	doc->text = text;
	doc->len = len;
	p.yajl = yajl_alloc(&callbacks, &alloc, &p);
	(void)yajl_config(p.yajl, yajl_dont_validate_strings, 1);
	rc = run(&p);
	yajl_free(p.yajl);
	if (rc == 0)
		*ret = ptr_take(&doc);
	return rc;
}

int json_parse(const char *name, const char *text, size_t len, struct json **ret, struct err *err)
{
	char *copy;

	if (len > JSON_MAX_BYTES)
		return err_set(err, EFBIG, "'%s' is larger than %u bytes", name, JSON_MAX_BYTES);
	copy = mem_try_calloc(len + 1, 1);
	if (!copy)
		return err_code(err, ENOMEM, "read '%s'", name);
	if (len)
		memcpy(copy, text, len);
	return parse_owned(name, copy, len, ret, err);
}

int json_load(int dirfd, const char *path, struct json **ret, struct err *err)
{
	BUF b = BUF_INIT;
	int rc = io_read_file(dirfd, path, JSON_MAX_BYTES, &b, err);
	size_t len = b.len;

	if (rc < 0)
		return rc;
	return parse_owned(path, buf_detach(&b), len, ret, err);
}

void json_free(struct json *doc)
{
	if (!doc)
		return;
	arena_release(&doc->arena);
	free(doc->name);
	free(doc->text);
	free(doc);
}
