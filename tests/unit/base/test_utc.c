/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dates that are computed, against those of the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "base/utc.h"
#include "tests/unit/leaks.h"

#define DAY 86400

static void assert_as_libc(time_t seconds)
{
	const struct timespec t = {.tv_sec = seconds, .tv_nsec = 7000};
	char ours[UTC_LEN], theirs[64];
	struct tm tm;

	assert_non_null(gmtime_r(&seconds, &tm));
	assert_true(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm));
	utc_format(&t, UTC_SECONDS, ours);
	assert_string_equal(ours, theirs);
	assert_true(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000007000Z", &tm));
	utc_format(&t, UTC_NANOSECONDS, ours);
	assert_string_equal(ours, theirs);
}

/* More than one cycle of 400 years, with each end of a day in it. */
static void every_day(void **state)
{
	(void)state;
	for (time_t day = 0; day < 460 * 366; day++) {
		assert_as_libc(day * DAY);
		assert_as_libc(day * DAY + DAY - 1);
	}
}

static void times_of_day(void **state)
{
	(void)state;
	for (time_t s = 0; s < DAY; s += 61)
		assert_as_libc(1709164800 + s); /* 2024-02-29 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day),
		cmocka_unit_test(times_of_day),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
