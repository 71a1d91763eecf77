/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON documents: what is refused and with which message, typed access, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/unit/base/tmp.h"

/* The document text, which must be right. Freed with json_free. */
static struct json *parse(const char *text)
{
	struct json *doc = NULL;
	struct err e = ERR_INIT;

	if (json_parse("c.json", text, strlen(text), &doc, &e) < 0)
		fail_msg("%s", e.msg);
	return doc;
}

static void expect_error(const char *text, size_t len, const char *message)
{
	struct json *doc = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(json_parse("c.json", text, len, &doc, &e), -EINVAL);
	assert_string_equal(e.msg, message);
	assert_null(doc);
	assert_int_equal(json_parse("c.json", text, len, &doc, NULL), -EINVAL);
}

static void bad_text_has_its_place(void **state)
{
	static const char *const cases[][2] = {
		{"", "c.json:1:1: the document is empty"},
		{" \n\t\r\n ", "c.json:1:1: the document is empty"},
		{"{", "c.json:1:2: unexpected end of the document"},
		{"{\"a\":\n[1,\n 2", "c.json:3:3: unexpected end of the document"},
		{"{\"a\":", "c.json:1:6: unexpected end of the document"},
		{"\"abc", "c.json:1:5: unexpected end of the document"},
		{"\"abc\\", "c.json:1:6: unexpected end of the document"},
		{"tru", "c.json:1:4: unexpected end of the document"},
		{"-", "c.json:1:2: unexpected end of the document"},
		{"1.", "c.json:1:3: unexpected end of the document"},
		{"1e", "c.json:1:3: unexpected end of the document"},
		{"{} {}", "c.json:1:4: expected nothing behind the end of the document, found '{'"},
		{"{}\n\nx",
		 "c.json:3:1: expected nothing behind the end of the document, found 'x'"},
		{"1 2", "c.json:1:3: expected nothing behind the end of the document, found '2'"},
		{"{} tru",
		 "c.json:1:4: expected nothing behind the end of the document, found 't'"},
		{"{}\n-", "c.json:2:1: expected nothing behind the end of the document, found '-'"},
		{"01", "c.json:1:2: expected nothing behind the end of the document, found '1'"},
		{"[1,,2]", "c.json:1:4: expected a value, found ','"},
		{"[,1]", "c.json:1:2: expected a value, found ','"},
		{"[1,]", "c.json:1:4: expected a value, found ']'"},
		{"[1 2]", "c.json:1:4: expected ',' or ']', found '2'"},
		{"[1 \"a\"]", "c.json:1:4: expected ',' or ']', found '\"'"},
		{"[1:2]", "c.json:1:3: expected ',' or ']', found ':'"},
		{"{\"a\":1,}", "c.json:1:8: expected a property name in double quotes, found '}'"},
		{"{,}", "c.json:1:2: expected a property name in double quotes, found ','"},
		{"{a:1}", "c.json:1:2: unexpected character, found 'a'"},
		{"{1:2}", "c.json:1:2: expected a property name in double quotes, found '1'"},
		{"{\"a\" 1}", "c.json:1:6: expected ':' behind the property name, found '1'"},
		{"{\"a\",1}", "c.json:1:5: expected ':' behind the property name, found ','"},
		{"{\"a\":}", "c.json:1:6: expected a value, found '}'"},
		{"{\"a\"::1}", "c.json:1:6: expected a value, found ':'"},
		{"{\"a\":1 \"b\":2}", "c.json:1:8: expected ',' or '}', found '\"'"},
		{"{\"a\":1]", "c.json:1:7: expected ',' or '}', found ']'"},
		{"{\n  \"a\": 1\n  \"b\": 2\n}", "c.json:3:3: expected ',' or '}', found '\"'"},
		{"]", "c.json:1:1: expected a value, found ']'"},
		{"nope", "c.json:1:2: expected true, false or null, found 'o'"},
		{"[True]", "c.json:1:2: unexpected character, found 'T'"},
		{"[NaN]", "c.json:1:2: unexpected character, found 'N'"},
		{"[+1]", "c.json:1:2: unexpected character, found '+'"},
		{"[-x]", "c.json:1:3: malformed number, found 'x'"},
		{"[1.x]", "c.json:1:4: malformed number, found 'x'"},
		{"[1e+]", "c.json:1:5: malformed number, found ']'"},
		{"[.5]", "c.json:1:2: unexpected character, found '.'"},
		{"['a']", "c.json:1:2: unexpected character, found '''"},
		{"{} // no",
		 "c.json:1:4: expected nothing behind the end of the document, found '/'"},
		{"// no\n{}", "c.json:1:1: comments are not allowed, found '/'"},
		{"[/* no */]", "c.json:1:2: comments are not allowed, found '/'"},
		{"\"a\nb\"", "c.json:1:3: control character in a string, found the byte 0x0a"},
		{"\"a\tb\"", "c.json:1:3: control character in a string, found the byte 0x09"},
		{"\"\\q\"", "c.json:1:3: unknown escape sequence in a string, found 'q'"},
		{"\"\\u12g4\"", "c.json:1:6: unknown escape sequence in a string, found 'g'"},
		{"\xef\xbb\xbf{}", "c.json:1:1: unexpected character, found the byte 0xef"},
		{"[1\v]", "c.json:1:3: control character 0x0b"},
		{"{}\f", "c.json:1:3: control character 0x0c"},
		{"\"\\ud800\"", "c.json:1:1: string with half of a surrogate pair"},
		{"[\"\\ud800x\"]", "c.json:1:2: string with half of a surrogate pair"},
		{"\"\\udc00\"", "c.json:1:1: string with half of a surrogate pair"},
		{"\"\\ud800\\ud800\"", "c.json:1:1: string with half of a surrogate pair"},
		{"\"\\ud800\\n\"", "c.json:1:1: string with half of a surrogate pair"},
		{"{\"\\udfff\":1}", "c.json:1:2: string with half of a surrogate pair"},
		{"[\n\"\\u0000\"]", "c.json:2:1: string with an embedded NUL character"},
		{"{\"a\\u0000b\": 1}", "c.json:1:2: string with an embedded NUL character"},
		{"{\"a\":1,\n\"a\":2}", "c.json:2:5: a: property given twice"},
		{"{\"x\":{\"a\":1,\"b\":1,\"\\u0061\":2}}",
		 "c.json:1:28: x.a: property given twice"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

static void bytes_that_are_no_text(void **state)
{
	(void)state;
	expect_error("[1\0]", 4, "c.json:1:3: unexpected character, found the byte 0x00");
	expect_error("\"a\0b\"", 5,
		     "c.json:1:3: control character in a string, found the byte 0x00");
	expect_error("\0", 1, "c.json:1:1: unexpected character, found the byte 0x00");
	expect_error(
		"{}\0", 3,
		"c.json:1:3: expected nothing behind the end of the document, found the byte 0x00");
}

static void every_prefix_of_a_document_fails(void **state)
{
	static const char text[] = "{\"a\": [1, -2.5e+3, true, false, null, "
				   "\"x\\n\\u00e4\\ud83d\\ude00\"], \"b\": {}}";
	JSON *doc = parse(text);

	(void)state;
	assert_int_equal(json_count(json_root(doc)), 2);
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		JSON *part = NULL;
		FREE char *copy = mem_xstrndup(text, len);

		assert_int_equal(json_parse("c.json", copy, len, &part, NULL), -EINVAL);
	}
}

static void values_of_all_types(void **state)
{
	JSON *doc = parse("{\"s\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\",\"t\":true,"
			  "\"f\":false,\"z\":null,\"n\":-12,\"a\":[1,\"x\"],\"o\":{\"k\":{}}}");
	const struct json_node *root = json_root(doc), *n;
	const char *s = NULL;
	bool b = false;
	int64_t i = 0;

	(void)state;
	assert_int_equal(json_type(root), JSON_OBJECT);
	assert_int_equal(json_count(root), 7);
	assert_int_equal(json_as_string(json_get(root, "s"), &s, NULL), 0);
	assert_string_equal(s, "a\"\\/\b\f\n\r\t\xc3\xa4\xf0\x9f\x98\x80");
	assert_int_equal(json_as_bool(json_get(root, "t"), &b, NULL), 0);
	assert_true(b);
	assert_int_equal(json_as_bool(json_get(root, "f"), &b, NULL), 0);
	assert_false(b);
	assert_int_equal(json_as_i64(json_get(root, "n"), -12, 0, &i, NULL), 0);
	assert_int_equal(i, -12);
	assert_null(json_get(root, "z"));
	assert_null(json_get(root, "missing"));

	n = json_get(root, "a");
	assert_int_equal(json_type(n), JSON_ARRAY);
	assert_int_equal(json_type(json_first(n)), JSON_NUMBER);
	assert_null(json_key(json_first(n)));
	assert_int_equal(json_type(json_next(json_first(n))), JSON_STRING);
	assert_null(json_next(json_next(json_first(n))));
	assert_string_equal(json_key(n), "a");

	n = json_get(json_get(root, "o"), "k");
	assert_int_equal(json_type(n), JSON_OBJECT);
	assert_int_equal(json_count(n), 0);
}

static void null_pointers_are_empty(void **state)
{
	JSON *doc = parse("5");
	const struct json_node *n = NULL;
	struct err e = ERR_INIT;
	const char *s = "kept";

	(void)state;
	assert_int_equal(json_type(NULL), JSON_NULL);
	assert_null(json_first(NULL));
	assert_null(json_next(NULL));
	assert_null(json_key(NULL));
	assert_null(json_get(NULL, "a"));
	assert_int_equal(json_count(NULL), 0);
	assert_int_equal(json_get_string(NULL, "a", &s, &e), 0);
	assert_int_equal(json_get_object(NULL, "a", &n, &e), 0);
	assert_string_equal(s, "kept");
	assert_int_equal(json_as_string(NULL, &s, &e), -EINVAL);
	assert_string_equal(e.msg, "expected a string, found null");
	assert_null(json_first(json_root(doc)));
	assert_null(json_get(json_root(doc), "a"));
	json_free(NULL);
}

static void strings_are_bytes(void **state)
{
	JSON *doc = parse("[\"PATH=/\xff\xfe\xc3\x28\", \"\xed\xa0\x80\x7f\"]");
	const char *s = NULL;

	(void)state;
	assert_int_equal(json_as_string(json_first(json_root(doc)), &s, NULL), 0);
	assert_string_equal(s, "PATH=/\xff\xfe\xc3\x28");
	assert_int_equal(json_as_string(json_next(json_first(json_root(doc))), &s, NULL), 0);
	assert_string_equal(s, "\xed\xa0\x80\x7f");
}

static void the_text_may_go_away(void **state)
{
	FREE char *text = mem_xstrdup("{\"a\":\n[7,\"x\"]}");
	JSON *doc = parse(text);
	struct err e = ERR_INIT;
	bool b;

	(void)state;
	memset(text, 'z', strlen(text));
	assert_int_equal(json_as_bool(json_next(json_first(json_get(json_root(doc), "a"))), &b, &e),
			 -EINVAL);
	assert_string_equal(e.msg, "c.json:2:4: a[1]: expected true or false, found a string");
}

static void unsigned_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int rc;
		uint64_t value;
		const char *message;
	} cases[] = {
		{"0", 9, 0, 0, NULL},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX, NULL},
		{"9", 9, 0, 9, NULL},
		{"10", 9, -ERANGE, 0, "expected an integer from 0 to 9, found 10"},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0,
		 "expected an integer from 0 to 18446744073709551615, found 18446744073709551616"},
		{"-1", 9, -ERANGE, 0, "expected an integer from 0 to 9, found -1"},
		{"-99999999999999999999", 9, -ERANGE, 0,
		 "expected an integer from 0 to 9, found -99999999999999999999"},
		{"1.0", 9, -EINVAL, 0, "expected an integer from 0 to 9, found 1.0"},
		{"1e3", 9, -EINVAL, 0, "expected an integer from 0 to 9, found 1e3"},
		{"\"1\"", 9, -EINVAL, 0, "expected an integer from 0 to 9, found a string"},
		{"null", 9, -EINVAL, 0, "expected an integer from 0 to 9, found null"},
		{"[]", 9, -EINVAL, 0, "expected an integer from 0 to 9, found an array"},
		{"true", 9, -EINVAL, 0, "expected an integer from 0 to 9, found a boolean"},
		{"1000000000000000000000000000000000000000000000", 9, -ERANGE, 0,
		 "expected an integer from 0 to 9, found 1000000000000000000000000000000000000000"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		JSON *doc = parse(cases[i].text);
		struct err e = ERR_INIT;
		uint64_t v = 42;

		assert_int_equal(json_as_u64(json_root(doc), cases[i].max, &v, &e), cases[i].rc);
		assert_int_equal(json_as_u64(json_root(doc), cases[i].max, &v, NULL), cases[i].rc);
		assert_true(v == (cases[i].rc ? 42 : cases[i].value));
		if (cases[i].message) {
			assert_int_equal(strncmp(e.msg, "c.json:1:1: ", 12), 0);
			assert_string_equal(e.msg + 12, cases[i].message);
			assert_int_equal(e.code, -cases[i].rc);
		}
	}
}

static void signed_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max;
		int rc;
		int64_t value;
	} cases[] = {
		{"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN},
		{"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX},
		{"-9223372036854775809", INT64_MIN, INT64_MAX, -ERANGE, 0},
		{"9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0},
		{"-1000", -1000, 1000, 0, -1000},
		{"-1001", -1000, 1000, -ERANGE, 0},
		{"1001", -1000, 1000, -ERANGE, 0},
		{"-0", -5, 5, 0, 0},
		{"-1.0", -5, 5, -EINVAL, 0},
		{"1E2", -5, 500, -EINVAL, 0},
		{"\"1\"", -5, 5, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		JSON *doc = parse(cases[i].text);
		int64_t v = 42;

		assert_int_equal(json_as_i64(json_root(doc), cases[i].min, cases[i].max, &v, NULL),
				 cases[i].rc);
		assert_true(v == (cases[i].rc ? 42 : cases[i].value));
	}
}

static void members_of_all_types(void **state)
{
	JSON *doc = parse("{\"s\":\"x\",\"b\":true,\"u64\":18446744073709551615,\"u32\":4294967295,"
			  "\"u16\":65535,\"i64\":-9223372036854775808,\"int\":-2147483648,\"o\":{},"
			  "\"a\":[],\"z\":null}");
	const struct json_node *root = json_root(doc), *n = NULL;
	const char *s = NULL;
	bool b = false;
	uint64_t u64 = 0;
	uint32_t u32 = 0;
	uint16_t u16 = 0;
	int64_t i64 = 0;
	int i = 0;

	(void)state;
	assert_int_equal(json_get_string(root, "s", &s, NULL), 1);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_bool(root, "b", &b, NULL), 1);
	assert_true(b);
	assert_int_equal(json_get_u64(root, "u64", &u64, NULL), 1);
	assert_true(u64 == UINT64_MAX);
	assert_int_equal(json_get_u32(root, "u32", &u32, NULL), 1);
	assert_true(u32 == UINT32_MAX);
	assert_int_equal(json_get_u16(root, "u16", &u16, NULL), 1);
	assert_int_equal(u16, UINT16_MAX);
	assert_int_equal(json_get_i64(root, "i64", &i64, NULL), 1);
	assert_true(i64 == INT64_MIN);
	assert_int_equal(json_get_int(root, "int", &i, NULL), 1);
	assert_true(i == INT_MIN);
	assert_int_equal(json_get_object(root, "o", &n, NULL), 1);
	assert_ptr_equal(n, json_get(root, "o"));
	assert_int_equal(json_get_array(root, "a", &n, NULL), 1);
	assert_ptr_equal(n, json_get(root, "a"));
}

static void absent_and_null_leave_the_target_alone(void **state)
{
	static const char *const keys[] = {"z", "missing"};
	JSON *doc = parse("{\"z\":null}");
	const struct json_node *root = json_root(doc), *n = root;
	const char *s = "kept";
	bool b = true;
	uint64_t u64 = 1;
	uint32_t u32 = 2;
	uint16_t u16 = 3;
	int64_t i64 = 4;
	int i = 5;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		assert_int_equal(json_get_string(root, keys[k], &s, NULL), 0);
		assert_int_equal(json_get_bool(root, keys[k], &b, NULL), 0);
		assert_int_equal(json_get_u64(root, keys[k], &u64, NULL), 0);
		assert_int_equal(json_get_u32(root, keys[k], &u32, NULL), 0);
		assert_int_equal(json_get_u16(root, keys[k], &u16, NULL), 0);
		assert_int_equal(json_get_i64(root, keys[k], &i64, NULL), 0);
		assert_int_equal(json_get_int(root, keys[k], &i, NULL), 0);
		assert_int_equal(json_get_object(root, keys[k], &n, NULL), 0);
		assert_int_equal(json_get_array(root, keys[k], &n, NULL), 0);
	}
	assert_string_equal(s, "kept");
	assert_true(b && u64 == 1 && u32 == 2 && u16 == 3 && i64 == 4 && i == 5 && n == root);
}

static void members_of_the_wrong_type(void **state)
{
	JSON *doc = parse("{\"n\":70000,\"big\":4294967296,\"s\":\"x\",\"a\":[{\"k\":[]}]}");
	const struct json_node *root = json_root(doc), *n;
	struct err e = ERR_INIT;
	const char *s;
	bool b;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;
	int64_t i64;
	int i;

	(void)state;
	assert_int_equal(json_get_string(root, "n", &s, &e), -EINVAL);
	assert_string_equal(e.msg, "c.json:1:6: n: expected a string, found 70000");
	assert_int_equal(json_get_bool(root, "s", &b, NULL), -EINVAL);
	assert_int_equal(json_get_u64(root, "s", &u64, NULL), -EINVAL);
	assert_int_equal(json_get_u32(root, "big", &u32, &e), -ERANGE);
	assert_string_equal(e.msg, "c.json:1:18: big: expected an integer from 0 to 4294967295, "
				   "found 4294967296");
	assert_int_equal(json_get_u16(root, "n", &u16, NULL), -ERANGE);
	assert_int_equal(json_get_i64(root, "s", &i64, NULL), -EINVAL);
	assert_int_equal(json_get_int(root, "big", &i, &e), -ERANGE);
	assert_string_equal(e.msg, "c.json:1:18: big: expected an integer from -2147483648 to "
				   "2147483647, found 4294967296");
	assert_int_equal(json_get_object(root, "a", &n, &e), -EINVAL);
	assert_string_equal(e.msg, "c.json:1:41: a: expected an object, found an array");
	assert_int_equal(json_get_array(json_first(json_get(root, "a")), "k", &n, NULL), 1);
	assert_int_equal(json_get_array(root, "s", &n, NULL), -EINVAL);
	/* A value that is no object has no members to ask for. */
	assert_int_equal(json_get_string(json_get(root, "s"), "k", &s, &e), -EINVAL);
	assert_string_equal(e.msg, "c.json:1:33: s: expected an object, found a string");
}

static void paths_and_places(void **state)
{
	JSON *doc = parse(
		"{\n\t\"linux\": {\"resources\": {\"cpu\": {\"shares\": 5}}},\n"
		"\t\"mounts\": [1, 2, {\"type\": \"x\"}],\n"
		"  \"annotations\": {\"org.foo/bar\": 1, \"\": 2, \"a b\": 3, \"new\\nline\": 4},\n"
		"  \"grid\": [[0], [0, 1]]\r\n}\n");
	const struct json_node *root = json_root(doc), *n;
	struct err e = ERR_INIT;
	BUF path = BUF_INIT;

	(void)state;
	n = json_get(json_get(json_get(json_get(root, "linux"), "resources"), "cpu"), "shares");
	(void)json_error(n, &e, "%s %d", "bad", 1);
	assert_string_equal(e.msg, "c.json:2:44: linux.resources.cpu.shares: bad 1");
	n = json_next(json_next(json_first(json_get(root, "mounts"))));
	(void)json_error(json_get(n, "type"), &e, "bad");
	assert_string_equal(e.msg, "c.json:3:28: mounts[2].type: bad");

	n = json_first(json_get(root, "annotations"));
	(void)json_error(n, &e, "bad");
	assert_string_equal(e.msg, "c.json:4:34: annotations[\"org.foo/bar\"]: bad");
	n = json_next(n);
	(void)json_error(n, &e, "bad");
	assert_string_equal(e.msg, "c.json:4:41: annotations[\"\"]: bad");
	n = json_next(json_next(n));
	(void)json_error(n, &e, "bad");
	assert_string_equal(e.msg, "c.json:4:67: annotations.new?line: bad");

	n = json_next(json_first(json_next(json_first(json_get(root, "grid")))));
	(void)json_error(n, &e, "bad");
	assert_string_equal(e.msg, "c.json:5:21: grid[1][1]: bad");
	buf_adds(&path, "in ");
	json_path(n, &path);
	assert_string_equal(buf_str(&path), "in grid[1][1]");
	assert_int_equal(json_error(root, &e, "bad"), -EINVAL);
	assert_string_equal(e.msg, "c.json:1:1: bad");
	assert_int_equal(json_error(n, NULL, "bad"), -EINVAL);
}

static char *nested(char open, char close, size_t depth)
{
	char *text = mem_xalloc(2 * depth + 1);

	memset(text, open, depth);
	memset(text + depth, close, depth);
	return text;
}

/* What is long is the value or the path: the place before it and the reason behind it stay. */
static void long_values_and_paths_keep_the_reason(void **state)
{
	static const size_t lengths[] = {300, 479, 480, 8191, 20000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		FREE char *word = mem_xalloc(lengths[i] + 1);
		FREE char *text = NULL;
		struct err e = ERR_INIT;
		const struct json_node *n;
		JSON *doc = NULL;

		memset(word, 'w', lengths[i]);
		text = mem_xprintf("{\n \"%s\": [\"%s\"]}", word, word);
		assert_int_equal(json_parse("f", text, strlen(text), &doc, &e), 0);
		n = json_first(json_first(json_root(doc)));
		assert_int_equal(json_error(n, &e, "'%s' is not a word", word), -EINVAL);
		assert_int_equal(strncmp(e.msg, "f:2:", 4), 0);
		assert_non_null(strstr(e.msg, ": wwww"));
		assert_string_equal(e.msg + strlen(e.msg) - 18, "www' is not a word");
	}
}

static void depth_is_capped(void **state)
{
	FREE char *deepest = nested('[', ']', JSON_MAX_DEPTH);
	FREE char *too_deep = nested('[', ']', JSON_MAX_DEPTH + 1);
	FREE char *hostile = nested('[', ']', 1000000);
	JSON *doc = parse(deepest);
	const struct json_node *n = json_root(doc);
	BUF path = BUF_INIT;

	(void)state;
	while (json_first(n))
		n = json_first(n);
	json_path(n, &path);
	assert_int_equal(path.len, 3 * (JSON_MAX_DEPTH - 1));
	expect_error(too_deep, strlen(too_deep), "c.json:1:65: nested more than 64 levels deep");
	expect_error(hostile, strlen(hostile), "c.json:1:65: nested more than 64 levels deep");
}

static void size_is_capped(void **state)
{
	FREE char *text = mem_xalloc(JSON_MAX_BYTES + 1);
	struct json *doc = NULL;
	struct err e = ERR_INIT;

	(void)state;
	memset(text, ' ', JSON_MAX_BYTES + 1);
	assert_int_equal(json_parse("c.json", text, JSON_MAX_BYTES + 1, &doc, &e), -EFBIG);
	assert_string_equal(e.msg, "'c.json' is larger than 67108864 bytes");
	text[JSON_MAX_BYTES - 1] = '7';
	assert_int_equal(json_parse("c.json", text, JSON_MAX_BYTES, &doc, &e), 0);
	assert_int_equal(json_type(json_root(doc)), JSON_NUMBER);
	json_free(doc);
}

static void number_of_values_is_capped(void **state)
{
	const size_t n = (1u << 20) + 1;
	BUF text = BUF_INIT;

	(void)state;
	buf_addc(&text, '[');
	for (size_t i = 0; i < n; i++)
		buf_adds(&text, i ? ",0" : "0");
	buf_addc(&text, ']');
	expect_error(text.data, text.len, "c.json:1:2097152: more than 1048576 values");
}

/* Many members: names are compared by sorting, the first repetition in the text is reported. */
static void duplicates_in_large_objects(void **state)
{
	for (int n = 10; n <= 200000; n = n < 40 ? n + 1 : n * 10) {
		BUF text = BUF_INIT;
		size_t unique;
		JSON *doc = NULL;
		FREE char *message = NULL;

		buf_addc(&text, '{');
		for (int i = 0; i < n; i++)
			buf_addf(&text, "%s\"key%d\":%d", i ? "," : "", i, i);
		unique = text.len;
		buf_addc(&text, '}');
		assert_int_equal(json_parse("c.json", text.data, text.len, &doc, NULL), 0);
		assert_int_equal(json_count(json_root(doc)), n);

		text.len = unique;
		buf_addf(&text, ",\n\"key%d\":1,\"key0\":2,\"key%d\":3}", n - 1, n - 1);
		message = mem_xprintf(
			"c.json:2:%zu: key%d: property given twice",
			strlen("\"key\":") + (size_t)snprintf(NULL, 0, "%d", n - 1) + 1, n - 1);
		expect_error(text.data, text.len, message);
	}
	(void)state;
}

static void load_reads_a_file(void **state)
{
	struct err e = ERR_INIT;
	JSON *doc = NULL;
	JSON *none = NULL;

	(void)state;
	tmp_write("config.json", "{\"a\":\n 1}\n");
	assert_int_equal(json_load(tmp_fd, "config.json", &doc, &e), 0);
	assert_int_equal(json_error(json_get(json_root(doc), "a"), &e, "bad"), -EINVAL);
	assert_string_equal(e.msg, "config.json:2:2: a: bad");
	assert_int_equal(json_load(tmp_fd, "no.json", &none, &e), -ENOENT);
	assert_string_equal(e.msg, "open 'no.json': No such file or directory");
	tmp_write("config.json", "");
	assert_int_equal(json_load(tmp_fd, "config.json", &none, &e), -EINVAL);
	assert_string_equal(e.msg, "config.json:1:1: the document is empty");
	assert_int_equal(json_load(AT_FDCWD, "/dev/zero", &none, &e), -EFBIG);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_text_has_its_place),
		cmocka_unit_test(bytes_that_are_no_text),
		cmocka_unit_test(every_prefix_of_a_document_fails),
		cmocka_unit_test(values_of_all_types),
		cmocka_unit_test(null_pointers_are_empty),
		cmocka_unit_test(strings_are_bytes),
		cmocka_unit_test(the_text_may_go_away),
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers),
		cmocka_unit_test(members_of_all_types),
		cmocka_unit_test(absent_and_null_leave_the_target_alone),
		cmocka_unit_test(members_of_the_wrong_type),
		cmocka_unit_test(paths_and_places),
		cmocka_unit_test(long_values_and_paths_keep_the_reason),
		cmocka_unit_test(depth_is_capped),
		cmocka_unit_test(size_is_capped),
		cmocka_unit_test(number_of_values_is_capped),
		cmocka_unit_test(duplicates_in_large_objects),
		tmp_test(load_reads_a_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
