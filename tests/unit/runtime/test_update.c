/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an update makes of the stored configuration and of the limits that it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/update.h"

struct row {
	const char *stored; /* linux.resources of the configuration */
	const char *given;
	const char *overlay; /* what is applied */
	const char *merged;  /* linux.resources afterwards */
};

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *doc = NULL;

	if (json_parse("test", text, strlen(text), &doc, &err))
		fail_msg("%s: %s", text, err.msg);
	return doc;
}

static void assert_resources(const struct json_node *config, const char *wanted)
{
	struct json_writer *w = json_w_new(false);
	BUF text = BUF_INIT;

	json_w_node(w, NULL, json_get(json_get(config, "linux"), "resources"));
	json_w_finish(w, &text);
	assert_string_equal(buf_str(&text), wanted);
}

static void check(const struct row *r)
{
	FREE char *config_text = mem_xprintf(
		"{\"a\":[1],\"linux\":{\"b\":1,\"resources\":%s},\"c\":\"x\"}", r->stored);
	JSON *config = parse(config_text), *given = parse(r->given), *overlay = NULL,
	     *merged = NULL;
	struct update_change change = {.resources = json_root(given)};
	struct err err = ERR_INIT;
	BUF text = BUF_INIT;

	assert_int_equal(update_overlay(&change, json_root(config), &overlay, &err), 0);
	assert_resources(json_root(overlay), r->overlay);
	update_merge(json_root(config), json_root(overlay), &text);
	merged = parse(buf_str(&text));
	assert_resources(json_root(merged), r->merged);
	assert_int_equal(json_count(json_root(merged)), 3);
	assert_int_equal(json_count(json_get(json_root(merged), "linux")), 2);
}

static void test_members(void **state)
{
	static const struct row rows[] = {
		{"{}", "{}", "{}", "{}"},
		{"{}", "{\"pids\":{\"limit\":5}}", "{\"pids\":{\"limit\":5}}",
		 "{\"pids\":{\"limit\":5}}"},
		{"{\"pids\":{\"limit\":5},\"x\":1}", "{\"pids\":{\"limit\":18446744073709551615}}",
		 "{\"pids\":{\"limit\":18446744073709551615}}",
		 "{\"pids\":{\"limit\":18446744073709551615},\"x\":1}"},
		{"{\"unified\":{\"a\":\"1\",\"b\":\"2\"}}",
		 "{\"unified\":{\"b\":\"3\",\"c\":\"4\"}}",
		 "{\"unified\":{\"b\":\"3\",\"c\":\"4\"}}",
		 "{\"unified\":{\"a\":\"1\",\"b\":\"3\",\"c\":\"4\"}}"},
		/* null is absent on either side */
		{"{\"cpu\":{\"shares\":2,\"quota\":null}}",
		 "{\"cpu\":{\"shares\":null,\"quota\":7}}",
		 "{\"cpu\":{\"shares\":null,\"quota\":7}}", "{\"cpu\":{\"shares\":2,\"quota\":7}}"},
		{"{\"cpu\":null}", "{\"cpu\":{\"shares\":3}}", "{\"cpu\":{\"shares\":3}}",
		 "{\"cpu\":{\"shares\":3}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i]);
}

static void test_devices_stay(void **state)
{
	static const struct row row = {
		"{\"devices\":[{\"allow\":false}]}",
		"{\"devices\":[{\"allow\":true}],\"pids\":{\"limit\":1}}",
		"{\"pids\":{\"limit\":1}}",
		"{\"devices\":[{\"allow\":false}],\"pids\":{\"limit\":1}}",
	};

	(void)state;
	check(&row);
}

static void test_memory_and_swap_go_together(void **state)
{
	static const struct row rows[] = {
		{"{\"memory\":{\"limit\":10,\"swap\":20,\"reservation\":5}}",
		 "{\"memory\":{\"limit\":15}}", "{\"memory\":{\"limit\":15,\"swap\":20}}",
		 "{\"memory\":{\"limit\":15,\"swap\":20,\"reservation\":5}}"},
		{"{\"memory\":{\"limit\":10}}", "{\"memory\":{\"swap\":30}}",
		 "{\"memory\":{\"swap\":30,\"limit\":10}}",
		 "{\"memory\":{\"limit\":10,\"swap\":30}}"},
		{"{\"memory\":{\"limit\":10,\"swap\":20}}", "{\"memory\":{\"reservation\":3}}",
		 "{\"memory\":{\"reservation\":3}}",
		 "{\"memory\":{\"limit\":10,\"swap\":20,\"reservation\":3}}"},
		/* a limit taken away takes that of memory+swap away */
		{"{\"memory\":{\"limit\":10,\"swap\":20}}", "{\"memory\":{\"limit\":-1}}",
		 "{\"memory\":{\"limit\":-1,\"swap\":-1}}",
		 "{\"memory\":{\"limit\":-1,\"swap\":-1}}"},
		{"{\"memory\":{\"limit\":10}}", "{\"memory\":{\"limit\":-1}}",
		 "{\"memory\":{\"limit\":-1}}", "{\"memory\":{\"limit\":-1}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i]);
}

static void test_cpu_time_goes_together(void **state)
{
	static const struct row rows[] = {
		{"{\"cpu\":{\"quota\":5,\"period\":10,\"shares\":2}}", "{\"cpu\":{\"quota\":7}}",
		 "{\"cpu\":{\"quota\":7,\"period\":10}}",
		 "{\"cpu\":{\"quota\":7,\"period\":10,\"shares\":2}}"},
		{"{\"cpu\":{\"realtimePeriod\":9}}", "{\"cpu\":{\"realtimeRuntime\":4}}",
		 "{\"cpu\":{\"realtimeRuntime\":4,\"realtimePeriod\":9}}",
		 "{\"cpu\":{\"realtimePeriod\":9,\"realtimeRuntime\":4}}"},
		{"{\"cpu\":{\"quota\":5,\"period\":10}}", "{\"cpu\":{\"idle\":1}}",
		 "{\"cpu\":{\"idle\":1}}", "{\"cpu\":{\"quota\":5,\"period\":10,\"idle\":1}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i]);
}

static void test_arrays_by_element(void **state)
{
	static const struct row rows[] = {
		{"{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1},{\"pageSize\":\"1GB\","
		 "\"limit\":2}]}",
		 "{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":3},{\"pageSize\":\"64KB\","
		 "\"limit\":4}]}",
		 "{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":3},{\"pageSize\":\"64KB\","
		 "\"limit\":4}]}",
		 "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1},{\"pageSize\":\"1GB\","
		 "\"limit\":3},"
		 "{\"pageSize\":\"64KB\",\"limit\":4}]}"},
		{"{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10,"
		 "\"leafWeight\":11}]}}",
		 "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":1,\"weight\":20},"
		 "{\"major\":8,\"minor\":0,\"weight\":30}]}}",
		 "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":1,\"weight\":20},"
		 "{\"major\":8,\"minor\":0,\"weight\":30}]}}",
		 "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":30,"
		 "\"leafWeight\":11},"
		 "{\"major\":8,\"minor\":1,\"weight\":20}]}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i]);
}

static void test_schemas(void **state)
{
	JSON *config =
		parse("{\"linux\":{\"intelRdt\":{\"closID\":\"c\",\"memBwSchema\":\"MB:0=50\"}}}");
	JSON *given = parse("{}"), *overlay = NULL;
	struct update_change change = {.resources = json_root(given), .mem_bw_schema = "MB:0=70"};
	struct err err = ERR_INIT;
	BUF text = BUF_INIT;

	(void)state;
	assert_int_equal(update_overlay(&change, json_root(config), &overlay, &err), 0);
	update_merge(json_root(config), json_root(overlay), &text);
	assert_string_equal(buf_str(&text), "{\"linux\":{\"intelRdt\":{\"closID\":\"c\","
					    "\"memBwSchema\":\"MB:0=70\"},\"resources\":{}}}");
}

static void test_configuration_without_linux(void **state)
{
	JSON *config = parse("{\"ociVersion\":\"1.0.0\"}"),
	     *given = parse("{\"pids\":{\"limit\":1}}");
	JSON *overlay = NULL;
	struct update_change change = {.resources = json_root(given)};
	struct err err = ERR_INIT;
	BUF text = BUF_INIT;

	(void)state;
	assert_int_equal(update_overlay(&change, json_root(config), &overlay, &err), 0);
	update_merge(json_root(config), json_root(overlay), &text);
	assert_string_equal(
		buf_str(&text),
		"{\"ociVersion\":\"1.0.0\",\"linux\":{\"resources\":{\"pids\":{\"limit\":1}}}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_devices_stay),
		cmocka_unit_test(test_memory_and_swap_go_together),
		cmocka_unit_test(test_cpu_time_goes_together),
		cmocka_unit_test(test_arrays_by_element),
		cmocka_unit_test(test_schemas),
		cmocka_unit_test(test_configuration_without_linux),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
