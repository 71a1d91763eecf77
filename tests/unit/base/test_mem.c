/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation, the arena, and the growable string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/base/child.h"
#include "tests/unit/leaks.h"

static void x_functions_give_memory(void **state)
{
	FREE char *zeroed = mem_xalloc(64);
	FREE int *numbers = mem_xcalloc(4, sizeof(int));
	FREE char *copy = mem_xstrdup("abc");
	FREE char *part = mem_xstrndup("abcdef", 2);
	FREE char *text = mem_xprintf("%d-%s", 5, "x");

	(void)state;
	for (int i = 0; i < 64; i++)
		assert_int_equal(zeroed[i], 0);
	numbers = mem_xrealloc(numbers, 8, sizeof(int));
	assert_int_equal(numbers[3], 0);
	assert_string_equal(copy, "abc");
	assert_string_equal(part, "ab");
	assert_string_equal(text, "5-x");
}

static void empty_sizes_are_no_failure(void **state)
{
	FREE void *a = mem_xalloc(0);
	FREE void *b = mem_xrealloc(NULL, 0, 8);
	FREE void *c = mem_try_calloc(0, 0);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
}

static void try_calloc_reports_overflow(void **state)
{
	volatile size_t huge = SIZE_MAX / 2;

	(void)state;
	assert_null(mem_try_calloc(huge, 4));
}

static void ptr_take_empties_the_owner(void **state)
{
	FREE char *a = mem_xstrdup("a");
	FREE char *b = ptr_take(&a);

	(void)state;
	assert_null(a);
	assert_string_equal(b, "a");
}

static void arena_objects_are_zeroed_and_apart(void **state)
{
	struct arena a = ARENA_INIT;
	unsigned char *objects[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = arena_alloc(&a, i, 3);
		assert_int_equal((uintptr_t)objects[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < 3 * i; k++)
			assert_int_equal(objects[i][k], 0);
		memset(objects[i], (int)(i & 0xff), 3 * i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		for (size_t k = 0; k < 3 * i; k++)
			assert_int_equal(objects[i][k], i & 0xff);
	arena_release(&a);
	assert_null(a.head);
}

static void arena_takes_large_objects_and_strings(void **state)
{
	struct arena a = ARENA_INIT;
	char *large = arena_alloc(&a, 1, 1 << 20);
	char *s = arena_strdup(&a, "abc");
	char *part = arena_strndup(&a, "abcdef", 4);
	char *text = arena_printf(&a, "%s/%d", "x", 12);

	(void)state;
	memset(large, 1, 1 << 20);
	assert_string_equal(s, "abc");
	assert_string_equal(part, "abcd");
	assert_string_equal(text, "x/12");
	arena_release(&a);
	assert_string_equal(arena_strdup(&a, "again"), "again");
	arena_release(&a);
}

static void arena_overflow_aborts(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct arena a = ARENA_INIT;
		volatile size_t huge = SIZE_MAX / 4;

		(void)signal(SIGABRT, SIG_DFL);
		(void)arena_alloc(&a, huge, 8);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void buf_starts_empty(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
}

static void buf_appends(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	buf_adds(&b, "ab");
	buf_addc(&b, 'c');
	buf_add(&b, "d\0e", 3);
	buf_addf(&b, "%03d", 7);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "abcd\0e007", 10);
	buf_reset(&b);
	buf_add(&b, NULL, 0);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
}

static void buf_grows_over_every_border(void **state)
{
	BUF byte = BUF_INIT, format = BUF_INIT;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		buf_addc(&byte, (char)('a' + i % 26));
		buf_addf(&format, "%c", 'a' + i % 26);
		assert_int_equal(byte.len, i + 1);
		assert_int_equal(byte.data[byte.len], 0);
	}
	assert_string_equal(byte.data, format.data);
	assert_int_equal(format.len, 5000);
}

static void buf_detach_hands_the_string_over(void **state)
{
	struct buf b = BUF_INIT;
	FREE char *empty = buf_detach(&b);
	FREE char *text = NULL;

	(void)state;
	assert_string_equal(empty, "");
	buf_adds(&b, "x");
	text = buf_detach(&b);
	assert_string_equal(text, "x");
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x_functions_give_memory),
		cmocka_unit_test(empty_sizes_are_no_failure),
		cmocka_unit_test(try_calloc_reports_overflow),
		cmocka_unit_test(ptr_take_empties_the_owner),
		cmocka_unit_test(arena_objects_are_zeroed_and_apart),
		cmocka_unit_test(arena_takes_large_objects_and_strings),
		cmocka_unit_test(arena_overflow_aborts),
		cmocka_unit_test(buf_starts_empty),
		cmocka_unit_test(buf_appends),
		cmocka_unit_test(buf_grows_over_every_border),
		cmocka_unit_test(buf_detach_hands_the_string_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
