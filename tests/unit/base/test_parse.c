/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to numbers: what is taken, what is refused, where the range ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "tests/unit/leaks.h"

static void unsigned_64(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"007", 0, 7},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"99999999999999999999999x", -EINVAL, 0},
		{"", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1\n", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
		{"1.0", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 42;

		assert_int_equal(parse_u64(cases[i].text, &v), cases[i].rc);
		assert_true(v == (cases[i].rc ? 42 : cases[i].value));
	}
}

static void signed_64(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"-1", 0, -1},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, 0},
		{"-9223372036854775808", 0, INT64_MIN},
		{"-9223372036854775809", -ERANGE, 0},
		{"-", -EINVAL, 0},
		{"--1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 42;

		assert_int_equal(parse_i64(cases[i].text, &v), cases[i].rc);
		assert_true(v == (cases[i].rc ? 42 : cases[i].value));
	}
}

static void unsigned_32_and_octal(void **state)
{
	uint32_t v = 42;

	(void)state;
	assert_int_equal(parse_u32("4294967296", &v), -ERANGE);
	assert_int_equal(parse_u32("x", &v), -EINVAL);
	assert_int_equal(v, 42);
	assert_int_equal(parse_u32("4294967295", &v), 0);
	assert_true(v == UINT32_MAX);

	assert_int_equal(parse_octal("0755", &v), 0);
	assert_int_equal(v, 0755);
	assert_int_equal(parse_octal("1777", &v), 0);
	assert_int_equal(v, 01777);
	assert_int_equal(parse_octal("8", &v), -EINVAL);
	assert_int_equal(parse_octal("", &v), -EINVAL);
	assert_int_equal(parse_octal("40000000000", &v), -ERANGE);
}

static void booleans(void **state)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	static const char *const bad[] = {"", "yes", "no", "tRUE", "2", "true ", "on"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		bool v = false, w = true;

		assert_int_equal(parse_bool(yes[i], &v), 0);
		assert_true(v);
		assert_int_equal(parse_bool(no[i], &w), 0);
		assert_false(w);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		bool v;

		assert_int_equal(parse_bool(bad[i], &v), -EINVAL);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"1024", 0, 1024},
		{"-1", 0, -1},
		{"1b", 0, 1},
		{"1B", 0, 1},
		{"1k", 0, 1024},
		{"1K", 0, 1024},
		{"1kb", 0, 1024},
		{"2KiB", 0, 2048},
		{"1kib", 0, 1024},
		{"512m", 0, INT64_C(512) << 20},
		{"1.5g", 0, INT64_C(3) << 29},
		{"0.5k", 0, 512},
		{"1.0009765625k", 0, 1025},
		{"3t", 0, INT64_C(3) << 40},
		{"1p", 0, INT64_C(1) << 50},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, 0},
		{"8388608t", -ERANGE, 0},
		{"-2", -EINVAL, 0},
		{"-1k", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"k", -EINVAL, 0},
		{".5k", -EINVAL, 0},
		{"1x", -EINVAL, 0},
		{"1ki", -EINVAL, 0},
		{"1ib", -EINVAL, 0},
		{"1kk", -EINVAL, 0},
		{"1 k", -EINVAL, 0},
		{"1kb ", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 42;
		int rc = parse_size(cases[i].text, &v);

		if (rc != cases[i].rc || v != (cases[i].rc ? 42 : cases[i].value))
			fail_msg("'%s': %d, %lld", cases[i].text, rc, (long long)v);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"0s", 0, 0},
		{"+0", 0, 0},
		{"5s", 0, UINT64_C(5000000000)},
		{"+5s", 0, UINT64_C(5000000000)},
		{"1m30s", 0, UINT64_C(90000000000)},
		{"250ms", 0, 250000000},
		{"1.5h", 0, UINT64_C(5400000000000)},
		{".5s", 0, 500000000},
		{"5.s", 0, UINT64_C(5000000000)},
		{"1h0.25m3s4ms5us6ns", 0, UINT64_C(3618004005006)},
		{"3\xc2\xb5s", 0, 3000},
		{"3\xce\xbcs", 0, 3000},
		{"0.3333333333333333333h", 0, UINT64_C(1199999999999)},
		{"1.00000000000000000000000000001s", 0, 1000000000},
		{"9223372036854775807ns", 0, INT64_MAX},
		{"9223372036854775808ns", -ERANGE, 0},
		{"2562048h", -ERANGE, 0},
		{"9223372036s9223372036s", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"+", -EINVAL, 0},
		{"-5s", -EINVAL, 0},
		{"5", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{".s", -EINVAL, 0},
		{"5d", -EINVAL, 0},
		{"5S", -EINVAL, 0},
		{"5 s", -EINVAL, 0},
		{"1s5", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 42;
		int rc = parse_duration_ns(cases[i].text, &v);

		if (rc != cases[i].rc || v != (cases[i].rc ? 42 : cases[i].value))
			fail_msg("'%s': %d, %llu", cases[i].text, rc, (unsigned long long)v);
	}
}

static void signals(void **state)
{
	(void)state;
	assert_int_equal(parse_signal("9"), SIGKILL);
	assert_int_equal(parse_signal("0"), 0);
	assert_int_equal(parse_signal("64"), 64);
	assert_int_equal(parse_signal("KILL"), SIGKILL);
	assert_int_equal(parse_signal("SIGKILL"), SIGKILL);
	assert_int_equal(parse_signal("sigterm"), SIGTERM);
	assert_int_equal(parse_signal("Hup"), SIGHUP);
	assert_int_equal(parse_signal("IOT"), SIGABRT);
	assert_int_equal(parse_signal("CLD"), SIGCHLD);
	assert_int_equal(parse_signal("IO"), SIGIO);
	assert_int_equal(parse_signal("SIGPOLL"), SIGPOLL);
	assert_int_equal(parse_signal("STKFLT"), SIGSTKFLT);
	assert_int_equal(parse_signal("PWR"), SIGPWR);
	assert_int_equal(parse_signal("WINCH"), SIGWINCH);
	assert_int_equal(parse_signal("RTMIN"), 34);
	assert_int_equal(parse_signal("SIGRTMIN+3"), 37);
	assert_int_equal(parse_signal("rtmax-3"), 61);
	assert_int_equal(parse_signal("RTMAX"), 64);
}

static void no_signals(void **state)
{
	static const char *const bad[] = {
		"",      "SIG",      "65",         "-1",      "9x",     "99999999999",
		"NOPE",  "RTMIN+31", "RTMIN-1",    "RTMAX+1", "RTMIN+", "RTMIN3",
		"KILL ", " KILL",    "SIGSIGKILL",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_signal(bad[i]), -EINVAL);
}

static void users(void **state)
{
	static const char *const bad[] = {"",     ":",   "1:", ":1",   "1:2:3",
					  "root", "1:x", "-1", "1 :2", "1x"};
	uint32_t uid = 42, gid = 43;

	(void)state;
	assert_int_equal(parse_user("1000", &uid, &gid), 0);
	assert_int_equal(uid, 1000);
	assert_int_equal(gid, 43);
	assert_int_equal(parse_user("4294967294:0", &uid, &gid), 0);
	assert_true(uid == UINT32_MAX - 1);
	assert_int_equal(gid, 0);
	assert_int_equal(parse_user("4294967295", &uid, &gid), -ERANGE);
	assert_int_equal(parse_user("1:4294967295", &uid, &gid), -ERANGE);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_user(bad[i], &uid, &gid), -EINVAL);
	assert_true(uid == UINT32_MAX - 1);
}

static void cpu_lists(void **state)
{
	static const char *const bad[] = {"",   ",", "1,",    ",1",  "3-1", "1-",
					  "-1", "a", "1-2-3", "0 1", "0\n"};
	uint64_t set[2] = {0};

	(void)state;
	assert_int_equal(parse_cpu_list("0-3,7,64-65", set, 128), 0);
	assert_true(set[0] == 0x8f);
	assert_true(set[1] == 0x3);
	memset(set, 0, sizeof(set));
	assert_int_equal(parse_cpu_list("127", set, 128), 0);
	assert_true(set[1] == UINT64_C(1) << 63);
	assert_int_equal(parse_cpu_list("128", set, 128), -ERANGE);
	assert_int_equal(parse_cpu_list("0-18446744073709551615", set, 128), -ERANGE);
	assert_int_equal(parse_cpu_list("99999999999999999999", set, 128), -ERANGE);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_cpu_list(bad[i], set, 128), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_64),
		cmocka_unit_test(signed_64),
		cmocka_unit_test(unsigned_32_and_octal),
		cmocka_unit_test(booleans),
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
		cmocka_unit_test(signals),
		cmocka_unit_test(no_signals),
		cmocka_unit_test(users),
		cmocka_unit_test(cpu_lists),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
