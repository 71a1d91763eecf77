/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON text as it is written: forms, escapes, copies of parsed values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/unit/leaks.h"

static void write_sample(struct json_writer *w)
{
	json_w_object(w, NULL);
	json_w_string(w, "id", "web");
	json_w_string(w, "none", NULL);
	json_w_null(w, "null");
	json_w_bool(w, "yes", true);
	json_w_bool(w, "no", false);
	json_w_u64(w, "max", UINT64_MAX);
	json_w_i64(w, "min", INT64_MIN);
	json_w_object(w, "empty");
	json_w_end(w);
	json_w_array(w, "list");
	json_w_u64(w, NULL, 1);
	json_w_array(w, NULL);
	json_w_end(w);
	json_w_object(w, NULL);
	json_w_i64(w, "k", -1);
	json_w_end(w);
	json_w_end(w);
	json_w_end(w);
}

static void compact_form(void **state)
{
	struct json_writer *w = json_w_new(false);
	BUF out = BUF_INIT;

	(void)state;
	write_sample(w);
	buf_adds(&out, "> ");
	json_w_finish(w, &out);
	assert_string_equal(
		buf_str(&out),
		"> {\"id\":\"web\",\"none\":null,\"null\":null,\"yes\":true,\"no\":false,"
		"\"max\":18446744073709551615,\"min\":-9223372036854775808,"
		"\"empty\":{},\"list\":[1,[],{\"k\":-1}]}");
}

static void pretty_form(void **state)
{
	struct json_writer *w = json_w_new(true);
	BUF out = BUF_INIT;

	(void)state;
	write_sample(w);
	json_w_finish(w, &out);
	assert_string_equal(buf_str(&out), "{\n"
					   "  \"id\": \"web\",\n"
					   "  \"none\": null,\n"
					   "  \"null\": null,\n"
					   "  \"yes\": true,\n"
					   "  \"no\": false,\n"
					   "  \"max\": 18446744073709551615,\n"
					   "  \"min\": -9223372036854775808,\n"
					   "  \"empty\": {},\n"
					   "  \"list\": [\n"
					   "    1,\n"
					   "    [],\n"
					   "    {\n"
					   "      \"k\": -1\n"
					   "    }\n"
					   "  ]\n"
					   "}");
}

static void lone_values(void **state)
{
	static const char *const texts[] = {"{}", "[]", "\"x\"", "7", "true", "null"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (int pretty = 0; pretty < 2; pretty++) {
			struct json_writer *w = json_w_new(pretty);
			BUF out = BUF_INIT;
			JSON *doc = NULL;

			assert_int_equal(json_parse("x", texts[i], strlen(texts[i]), &doc, NULL),
					 0);
			json_w_node(w, NULL, json_root(doc));
			json_w_finish(w, &out);
			assert_string_equal(buf_str(&out), texts[i]);
		}
}

static void strings_are_escaped(void **state)
{
	struct json_writer *w = json_w_new(false);
	BUF out = BUF_INIT;

	(void)state;
	json_w_array(w, NULL);
	json_w_string(w, NULL, "a/b \"\\ \b\f\n\r\t \x01\x1f\x7f");
	json_w_string(w, NULL, "\xc3\xa4 \xff\xfe");
	json_w_string(w, NULL, "");
	json_w_end(w);
	json_w_finish(w, &out);
	assert_string_equal(buf_str(&out), "[\"a/b \\\"\\\\ \\b\\f\\n\\r\\t \\u0001\\u001F\x7f\","
					   "\"\xc3\xa4 \xff\xfe\",\"\"]");
}

static void keys_are_escaped(void **state)
{
	struct json_writer *w = json_w_new(false);
	BUF out = BUF_INIT;

	(void)state;
	json_w_object(w, NULL);
	json_w_bool(w, "a\"\n", true);
	json_w_bool(w, "", false);
	json_w_end(w);
	json_w_finish(w, &out);
	assert_string_equal(buf_str(&out), "{\"a\\\"\\n\":true,\"\":false}");
}

/* Numbers keep their text, whatever a double would make of it. */
static void copies_are_exact(void **state)
{
	static const char text[] =
		"{\"n\":[18446744073709551616,1.10,1e400,-0,0.1e-7],\"s\":\"\xff\",\"z\":null,"
		"\"deep\":{\"a\":[[],{},[{\"b\":true}]]}}";
	struct json_writer *w = json_w_new(false);
	BUF out = BUF_INIT;
	JSON *doc = NULL;

	(void)state;
	assert_int_equal(json_parse("x", text, strlen(text), &doc, NULL), 0);
	json_w_node(w, NULL, json_root(doc));
	json_w_finish(w, &out);
	assert_string_equal(buf_str(&out), text);
}

static void a_copy_inside(void **state)
{
	static const char text[] = "{\"cpu\":{\"shares\":5}}";
	struct json_writer *w = json_w_new(false);
	BUF out = BUF_INIT;
	JSON *doc = NULL;

	(void)state;
	assert_int_equal(json_parse("x", text, strlen(text), &doc, NULL), 0);
	json_w_object(w, NULL);
	json_w_node(w, "resources", json_root(doc));
	json_w_node(w, "absent", json_get(json_root(doc), "none"));
	json_w_end(w);
	json_w_finish(w, &out);
	assert_string_equal(buf_str(&out),
			    "{\"resources\":{\"cpu\":{\"shares\":5}},\"absent\":null}");
}

static void the_deepest_document_can_be_copied(void **state)
{
	char text[2 * JSON_MAX_DEPTH + 1];
	struct json_writer *w = json_w_new(false);
	BUF out = BUF_INIT;
	BUF expected = BUF_INIT;
	JSON *doc = NULL;

	(void)state;
	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	text[2 * JSON_MAX_DEPTH] = '\0';
	assert_int_equal(json_parse("x", text, strlen(text), &doc, NULL), 0);
	/* As part of something larger, too. */
	for (int i = 0; i < JSON_MAX_DEPTH - 1; i++)
		json_w_array(w, NULL);
	json_w_node(w, NULL, json_root(doc));
	for (int i = 0; i < JSON_MAX_DEPTH - 1; i++)
		json_w_end(w);
	json_w_finish(w, &out);
	for (int i = 0; i < JSON_MAX_DEPTH - 1; i++)
		buf_addc(&expected, '[');
	buf_adds(&expected, text);
	for (int i = 0; i < JSON_MAX_DEPTH - 1; i++)
		buf_addc(&expected, ']');
	assert_string_equal(buf_str(&out), buf_str(&expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compact_form),
		cmocka_unit_test(pretty_form),
		cmocka_unit_test(lone_values),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(keys_are_escaped),
		cmocka_unit_test(copies_are_exact),
		cmocka_unit_test(a_copy_inside),
		cmocka_unit_test(the_deepest_document_can_be_copied),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
