/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON documents: parses the input, asks every value for every type, and writes it back in both
 * forms. What is written must parse to the same tree, and writing that must give the same text. A
 * refused document must have a message of one line that begins with its place.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void check_message(const struct err *e)
{
	size_t len = strlen(e->msg);

	must(e->code == EINVAL || e->code == ERANGE);
	must(len > 0 && len < ERR_MSG_LEN);
	must(strncmp(e->msg, "in:", 3) == 0 && e->msg[3] >= '1' && e->msg[3] <= '9');
	for (size_t i = 0; i < len; i++)
		must((unsigned char)e->msg[i] >= 0x20 && e->msg[i] != 0x7f);
}

/* A getter's answer: success for its own type, else a message. */
static void check_answer(int rc, bool type_fits, const struct err *e)
{
	if (rc < 0)
		check_message(e);
	else
		must(rc == 0 && type_fits);
}

static void ask(const struct json_node *n)
{
	enum json_type type = json_type(n);
	struct err e = ERR_INIT;
	const char *s;
	uint64_t u;
	int64_t i;
	bool b;
	int rc;

	rc = json_as_string(n, &s, &e);
	must((rc == 0) == (type == JSON_STRING));
	check_answer(rc, true, &e);
	rc = json_as_bool(n, &b, &e);
	must((rc == 0) == (type == JSON_BOOL));
	check_answer(rc, true, &e);
	rc = json_as_u64(n, 1000, &u, &e);
	check_answer(rc, type == JSON_NUMBER, &e);
	must(rc < 0 || u <= 1000);
	rc = json_as_i64(n, -1000, 1000, &i, &e);
	check_answer(rc, type == JSON_NUMBER, &e);
	must(rc < 0 || (i >= -1000 && i <= 1000));
}

static void ask_members(const struct json_node *object)
{
	json_each (m, object) {
		const struct json_node *child;
		struct err e = ERR_INIT;
		const char *s;
		uint16_t u;
		int rc, i;

		if (json_type(m) == JSON_NULL) {
			must(!json_get(object, json_key(m)));
			continue;
		}
		must(json_get(object, json_key(m)) == m);
		rc = json_get_string(object, json_key(m), &s, &e);
		must((rc == 1) == (json_type(m) == JSON_STRING));
		rc = json_get_u16(object, json_key(m), &u, &e);
		must(rc < 0 || (rc == 1 && json_type(m) == JSON_NUMBER));
		rc = json_get_int(object, json_key(m), &i, &e);
		must(rc < 0 || (rc == 1 && json_type(m) == JSON_NUMBER));
		rc = json_get_object(object, json_key(m), &child, &e);
		must((rc == 1) == (json_type(m) == JSON_OBJECT));
		rc = json_get_array(object, json_key(m), &child, &e);
		must((rc == 1) == (json_type(m) == JSON_ARRAY));
	}
}

static void walk(const struct json_node *n, unsigned int depth)
{
	size_t count = 0;

	must(depth <= JSON_MAX_DEPTH);
	ask(n);
	if (json_type(n) == JSON_OBJECT)
		ask_members(n);
	json_each (child, n) {
		must((json_key(child) != NULL) == (json_type(n) == JSON_OBJECT));
		walk(child, depth + 1);
		/* Messages walk through the siblings: enough of them is enough. */
		if (++count > 1000)
			break;
	}
}

static bool same(const struct json_node *a, const struct json_node *b)
{
	const struct json_node *x = json_first(a), *y = json_first(b);
	const char *s, *t;

	if (json_type(a) != json_type(b))
		return false;
	if (json_type(a) == JSON_STRING) {
		must(json_as_string(a, &s, NULL) == 0 && json_as_string(b, &t, NULL) == 0);
		return strcmp(s, t) == 0;
	}
	for (; x && y; x = json_next(x), y = json_next(y)) {
		if (json_key(x) && strcmp(json_key(x), json_key(y)) != 0)
			return false;
		if (!same(x, y))
			return false;
	}
	return !x && !y;
}

static void write_text(const struct json_node *n, bool pretty, struct buf *out)
{
	struct json_writer *w = json_w_new(pretty);

	json_w_node(w, NULL, n);
	json_w_finish(w, out);
}

static void write_and_read_back(const struct json_node *root, bool pretty)
{
	struct err e = ERR_INIT;
	BUF first = BUF_INIT;
	BUF second = BUF_INIT;
	JSON *copy = NULL;

	write_text(root, pretty, &first);
	must(json_parse("in", buf_str(&first), first.len, &copy, &e) == 0);
	must(same(root, json_root(copy)));
	write_text(json_root(copy), pretty, &second);
	must(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	JSON *doc = NULL;

	if (json_parse("in", (const char *)data, size, &doc, &e) < 0) {
		check_message(&e);
		must(!doc);
		return 0;
	}
	walk(json_root(doc), 0);
	write_and_read_back(json_root(doc), false);
	write_and_read_back(json_root(doc), true);
	return 0;
}
