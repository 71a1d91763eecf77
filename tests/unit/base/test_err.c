/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Error messages: form, return values, what is cut when one is too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tests/unit/leaks.h"

static void sys_takes_errno(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "open '%s'", "/x"), -ENOENT);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.msg, "open '/x': No such file or directory");
}

static void code_takes_a_number(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_code(&e, EACCES, "open '%d'", 7), -EACCES);
	assert_string_equal(e.msg, "open '7': Permission denied");
}

static void unknown_number_is_shown(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_code(&e, 4000, "x"), -4000);
	assert_string_equal(e.msg, "x: error 4000");
}

static void set_has_its_own_reason(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&e, EINVAL, "no %s", "rootfs"), -EINVAL);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(e.msg, "no rootfs");
}

static void wrap_puts_context_in_front(void **state)
{
	struct err e = ERR_INIT;
	int rc = err_set(&e, EPERM, "mount 'proc': denied");

	(void)state;
	assert_int_equal(err_wrap(&e, rc, "create '%s'", "web"), -EPERM);
	assert_int_equal(e.code, EPERM);
	assert_string_equal(e.msg, "create 'web': mount 'proc': denied");
}

static void wrap_takes_over_a_translated_code(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	(void)err_set(&e, EPERM, "denied");
	assert_int_equal(err_wrap(&e, -EACCES, "x"), -EACCES);
	assert_int_equal(e.code, EACCES);
}

static void no_struct_is_needed(void **state)
{
	(void)state;
	errno = EBUSY;
	assert_int_equal(err_sys(NULL, "x"), -EBUSY);
	assert_int_equal(err_code(NULL, EIO, "x"), -EIO);
	assert_int_equal(err_set(NULL, EIO, "x"), -EIO);
	assert_int_equal(err_wrap(NULL, -EIO, "x"), -EIO);
}

static void errno_zero_is_no_success(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	errno = 0;
	assert_int_equal(err_sys(&e, "x"), -EIO);
	assert_int_equal(err_set(&e, 0, "x"), -EIO);
	assert_int_equal(e.code, EIO);
}

static void a_long_path_loses_its_middle(void **state)
{
	static const char reason[] = "': No such file or directory";
	char path[3 * PATH_MAX];
	struct err e = ERR_INIT;

	(void)state;
	for (size_t len = 400; len < sizeof(path); len = len < 520 ? len + 1 : len * 2) {
		memset(path, 'p', len);
		path[len] = '\0';
		errno = ENOENT;
		(void)err_sys(&e, "open '%s'", path);
		assert_true(strlen(e.msg) <= ERR_MSG_LEN - 1);
		assert_int_equal(strncmp(e.msg, "open 'ppp", 9), 0);
		assert_non_null(strstr(e.msg, ": No such file or directory"));
		if (len < 2 * PATH_MAX - ERR_MSG_LEN - 16)
			assert_string_equal(e.msg + strlen(e.msg) - strlen(reason), reason);
	}
	assert_int_equal(strlen(e.msg), ERR_MSG_LEN - 1);
	assert_non_null(strstr(e.msg, "ppp...ppp"));
}

/* Its own reason, too, however far behind it is. */
static void a_long_value_loses_its_middle(void **state)
{
	static const size_t lengths[] = {
		400, 480, 2 * PATH_MAX - 30, 2 * PATH_MAX, 2 * PATH_MAX + 1, 100000,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char *value = mem_xalloc(lengths[i] + 1);
		struct err e = ERR_INIT;

		memset(value, 'v', lengths[i]);
		assert_int_equal(err_set(&e, EINVAL, "word '%s' is unknown", value), -EINVAL);
		assert_int_equal(strncmp(e.msg, "word 'vvv", 9), 0);
		assert_string_equal(e.msg + strlen(e.msg) - 15, "vvv' is unknown");
		assert_true(strlen(e.msg) <= ERR_MSG_LEN - 1);
		free(value);
	}
}

static void wrapping_many_times_keeps_the_reason(void **state)
{
	struct err e = ERR_INIT;
	int rc = err_set(&e, EPERM, "Operation not permitted");

	(void)state;
	for (int i = 0; i < 100; i++)
		rc = err_wrap(&e, rc, "step %d with some words", i);
	assert_int_equal(rc, -EPERM);
	assert_int_equal(strncmp(e.msg, "step 99 with some words: step 98", 32), 0);
	assert_string_equal(e.msg + strlen(e.msg) - 25, ": Operation not permitted");
}

static void a_message_is_one_line(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	(void)err_set(&e, EINVAL, "name '%s'", "a\nb\033[1m\177\xc3\xa4");
	assert_string_equal(e.msg, "name 'a?b?[1m?\xc3\xa4'");
}

static void it_fits_a_pipe(void **state)
{
	(void)state;
	assert_true(sizeof(struct err) <= PIPE_BUF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sys_takes_errno),
		cmocka_unit_test(code_takes_a_number),
		cmocka_unit_test(unknown_number_is_shown),
		cmocka_unit_test(set_has_its_own_reason),
		cmocka_unit_test(wrap_puts_context_in_front),
		cmocka_unit_test(wrap_takes_over_a_translated_code),
		cmocka_unit_test(no_struct_is_needed),
		cmocka_unit_test(errno_zero_is_no_success),
		cmocka_unit_test(a_long_path_loses_its_middle),
		cmocka_unit_test(a_long_value_loses_its_middle),
		cmocka_unit_test(wrapping_many_times_keeps_the_reason),
		cmocka_unit_test(a_message_is_one_line),
		cmocka_unit_test(it_fits_a_pipe),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
