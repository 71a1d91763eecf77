/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option parser: every spelling that callers of runc and crun use, and every mistake with the
 * line it gives.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cgroups/cgroups.h"
#include "runtime/oci/options.h"

struct target {
	bool tty, detach, no_subreaper;
	const char *bundle, *env_file;
	struct opt_list env;
	uint32_t fds;
	struct opt_u64 share;
	struct opt_i64 quota, memory;
	uint64_t interval_ns;
};

#define AT(member) offsetof(struct target, member)
static const struct opt opts[] = {
	{"tty", 't', OPT_BOOL, AT(tty), NULL, "a terminal"},
	{"detach", 'd', OPT_BOOL, AT(detach), NULL, "do not wait"},
	{"no-subreaper", 0, OPT_BOOL, AT(no_subreaper), NULL, NULL},
	{"bundle", 'b', OPT_STRING, AT(bundle), "DIR", "the bundle"},
	{"env", 'e', OPT_LIST, AT(env), "NAME=VALUE", "environment"},
	{"env-file", 0, OPT_STRING, AT(env_file), "FILE", "a file"},
	{"preserve-fds", 0, OPT_U32, AT(fds), "N", "descriptors"},
	{"cpu-share", 0, OPT_U64, AT(share), "N", "shares"},
	{"cpu-quota", 0, OPT_I64, AT(quota), "US", "quota"},
	{"memory", 'm', OPT_SIZE, AT(memory), "SIZE", "memory"},
	{"interval", 0, OPT_DURATION, AT(interval_ns), "DURATION", "interval"},
	{NULL, 'V', OPT_BOOL, AT(detach), NULL, NULL},
};

static const struct opt_grammar free_order = {
	.synopsis = "[OPTIONS] ID [SIGNAL]",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = 2,
};

static const struct opt_grammar in_order = {
	.synopsis = "[OPTIONS] ID COMMAND",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.max_args = OPT_ANY_NUMBER,
	.in_order = true,
};

struct parsed {
	struct target t;
	struct opt_words words;
	struct arena arena;
	struct err err;
	int rc;
};

static int setup(void **state)
{
	*state = mem_xalloc(sizeof(struct parsed));
	return 0;
}

static int teardown(void **state)
{
	struct parsed *p = *state;

	arena_release(&p->arena);
	free(p);
	return 0;
}

/* Splits line at blanks into a new argv behind "prog" and parses it. */
static int parse(struct parsed *p, const struct opt_grammar *g, const char *line)
{
	char **argv = arena_alloc(&p->arena, strlen(line) + 2, sizeof(*argv));
	char *rest = arena_strdup(&p->arena, line), *word;
	int argc = 0;

	argv[argc++] = arena_strdup(&p->arena, "prog");
	while (*line && (word = strsep(&rest, " ")))
		argv[argc++] = word;
	memset(&p->t, 0, sizeof(p->t));
	memset(&p->err, 0, sizeof(p->err));
	memset(&p->words, 0, sizeof(p->words));
	p->rc = options_parse(g, argc, argv, &p->t, &p->arena, &p->words, &p->err);
	return p->rc;
}

static void assert_error(struct parsed *p, const struct opt_grammar *g, const char *line,
			 const char *message)
{
	assert_int_equal(parse(p, g, line), -EINVAL);
	assert_string_equal(p->err.msg, message);
	assert_int_equal(p->err.code, EINVAL);
}

static void test_value_spellings(void **state)
{
	static const char *const lines[] = {
		"--bundle /b id", "--bundle=/b id", "-bundle /b id", "-bundle=/b id",
		"-b /b id",       "-b/b id",        "-b=/b id",      "id --bundle /b",
	};
	struct parsed *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(parse(p, &free_order, lines[i]), 0);
		assert_string_equal(p->t.bundle, "/b");
		assert_int_equal(p->words.n, 1);
		assert_string_equal(p->words.argv[0], "id");
		assert_null(p->words.argv[1]);
	}
}

static void test_switches(void **state)
{
	static const struct {
		const char *line;
		bool tty, detach;
	} rows[] = {
		{"id", false, false},           {"--tty id", true, false},
		{"-tty id", true, false},       {"-t id", true, false},
		{"-td id", true, true},         {"-dt id", true, true},
		{"-t=false id", false, false},  {"--tty=false id", false, false},
		{"--tty=true id", true, false}, {"-d --detach=0 id", false, false},
		{"-V id", false, true},         {"-td=false id", true, false},
	};
	struct parsed *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse(p, &free_order, rows[i].line), 0);
		assert_int_equal(p->t.tty, rows[i].tty);
		assert_int_equal(p->t.detach, rows[i].detach);
		assert_int_equal(p->words.n, 1);
	}
}

static void test_switch_takes_no_following_word(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "--tty false"), 0);
	assert_true(p->t.tty);
	assert_string_equal(p->words.argv[0], "false");
}

static void test_single_dash_long_name(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "-no-subreaper id"), 0);
	assert_true(p->t.no_subreaper);
	/* an option's whole name wins over letters: not "-e nv" */
	assert_int_equal(parse(p, &free_order, "-env A=1 id"), 0);
	assert_string_equal(p->t.env.items[0], "A=1");
	assert_int_equal(parse(p, &free_order, "-env-file=f id"), 0);
	assert_string_equal(p->t.env_file, "f");
	assert_int_equal(p->t.env.n, 0);
}

static void test_cluster_ends_with_value(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "-tdb /b id"), 0);
	assert_true(p->t.tty && p->t.detach);
	assert_string_equal(p->t.bundle, "/b");
	assert_int_equal(parse(p, &free_order, "-tb/b id"), 0);
	assert_string_equal(p->t.bundle, "/b");
	assert_false(p->t.detach);
}

static void test_lists_keep_order(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &in_order, "-e A=1 --env=B=2,3 -eC= id -e D=4"), 0);
	assert_int_equal(p->t.env.n, 3);
	assert_string_equal(p->t.env.items[0], "A=1");
	assert_string_equal(p->t.env.items[1], "B=2,3");
	assert_string_equal(p->t.env.items[2], "C=");
	assert_null(p->t.env.items[3]);
}

static void test_last_value_counts(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "-b one --bundle two id"), 0);
	assert_string_equal(p->t.bundle, "two");
}

static void test_values_that_look_like_options(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "--memory -1 id"), 0);
	assert_true(p->t.memory.set);
	assert_int_equal(p->t.memory.value, -1);
	assert_int_equal(parse(p, &free_order, "--bundle --tty id"), 0);
	assert_string_equal(p->t.bundle, "--tty");
	assert_false(p->t.tty);
	assert_int_equal(parse(p, &free_order, "--bundle - id"), 0);
	assert_string_equal(p->t.bundle, "-");
	assert_int_equal(parse(p, &free_order, "--bundle= id"), 0);
	assert_string_equal(p->t.bundle, "");
}

static void test_numbers(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order,
			       "--preserve-fds 4294967295 --cpu-share 18446744073709551615 "
			       "--cpu-quota -9223372036854775808 -m 512m --interval 1m30s id"),
			 0);
	assert_true(p->t.fds == UINT32_MAX);
	assert_true(p->t.share.set && p->t.share.value == UINT64_MAX);
	assert_true(p->t.quota.set && p->t.quota.value == INT64_MIN);
	assert_true(p->t.memory.set && p->t.memory.value == 512 << 20);
	assert_true(p->t.interval_ns == 90000000000u);
}

static void test_order(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "id --tty KILL -d"), 0);
	assert_true(p->t.tty && p->t.detach);
	assert_string_equal(p->words.argv[1], "KILL");
	assert_int_equal(parse(p, &in_order, "-t id ls -d --bundle"), 0);
	assert_true(p->t.tty);
	assert_false(p->t.detach);
	assert_int_equal(p->words.n, 4);
	assert_string_equal(p->words.argv[2], "-d");
	assert_string_equal(p->words.argv[3], "--bundle");
	assert_null(p->words.argv[4]);
}

static void test_double_dash(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "-t -- -d --"), 0);
	assert_true(p->t.tty);
	assert_false(p->t.detach);
	assert_int_equal(p->words.n, 2);
	assert_string_equal(p->words.argv[0], "-d");
	assert_string_equal(p->words.argv[1], "--");
	/* behind the first positional word it is the command's */
	assert_int_equal(parse(p, &in_order, "id -- ls"), 0);
	assert_string_equal(p->words.argv[1], "--");
}

static void test_lone_dash_is_positional(void **state)
{
	struct parsed *p = *state;

	assert_int_equal(parse(p, &free_order, "- -t"), 0);
	assert_string_equal(p->words.argv[0], "-");
	assert_true(p->t.tty);
}

static void test_help(void **state)
{
	static const char *const lines[] = {"--help", "-h",        "-help",
					    "-th",    "id --help", "--help --nonsense"};
	struct parsed *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(parse(p, &free_order, lines[i]), OPT_HELP);
	assert_int_equal(parse(p, &in_order, "id ls --help"), 0);
}

static void test_unknown_options(void **state)
{
	struct parsed *p = *state;

	assert_error(p, &free_order, "--nonsense id", "unknown option '--nonsense'");
	assert_error(p, &free_order, "-x id", "unknown option '-x'");
	assert_error(p, &free_order, "-tx id", "unknown option '-x'");
	assert_error(p, &free_order, "--bund /b id", "unknown option '--bund'");
	assert_error(p, &free_order, "--t id", "unknown option '--t'");
	assert_error(p, &free_order, "--=x id", "unknown option '--=x'");
	assert_error(p, &free_order, "-=x id", "unknown option '-=x'");
	assert_error(p, &free_order, "---tty id", "unknown option '---tty'");
}

static void test_bad_values(void **state)
{
	struct parsed *p = *state;

	assert_error(p, &free_order, "id --bundle", "option '--bundle' needs a value");
	assert_error(p, &free_order, "id -tb", "option '-b' needs a value");
	assert_error(p, &free_order, "--tty=maybe id",
		     "option '--tty': 'maybe' is not true or false");
	assert_error(p, &free_order, "--preserve-fds -1 id",
		     "option '--preserve-fds': '-1' is not a number from 0 to 4294967295");
	assert_error(p, &free_order, "--preserve-fds 4294967296 id",
		     "option '--preserve-fds': '4294967296' is not a number from 0 to 4294967295");
	assert_error(p, &free_order, "--cpu-share 1x id",
		     "option '--cpu-share': '1x' is not a number from 0 up");
	assert_error(p, &free_order, "--cpu-quota= id",
		     "option '--cpu-quota': '' is not a whole number");
	assert_error(p, &free_order, "-m 5q id",
		     "option '-m': '5q' is not a size such as 512m, or -1");
	assert_error(p, &free_order, "-interval 5 id",
		     "option '-interval': '5' is not a duration such as 5s or 1m30s");
	assert_false(p->t.quota.set);
}

static void test_argument_count(void **state)
{
	struct parsed *p = *state;

	assert_error(p, &free_order, "", "too few arguments, expected: [OPTIONS] ID [SIGNAL]");
	assert_error(p, &free_order, "a b c", "unexpected argument 'c'");
	assert_int_equal(parse(p, &in_order, ""), 0);
	assert_int_equal(p->words.n, 0);
	assert_null(p->words.argv[0]);
}

static void test_help_text(void **state)
{
	static const struct opt two[] = {
		{"tty", 't', OPT_BOOL, AT(tty), NULL, "a terminal"},
		{"hidden", 0, OPT_BOOL, AT(tty), NULL, NULL},
		{"preserve-fds", 0, OPT_U32, AT(fds), "N", "descriptors"},
	};
	const struct opt_grammar g = {.opts = two, .n_opts = ARRAY_SIZE(two)};
	BUF out = BUF_INIT;

	(void)state;
	options_help(&g, &out);
	assert_string_equal(buf_str(&out), "  -t, --tty             a terminal\n"
					   "      --preserve-fds N  descriptors\n"
					   "  -h, --help            show this help\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_value_spellings),
		TEST(test_switches),
		TEST(test_switch_takes_no_following_word),
		TEST(test_single_dash_long_name),
		TEST(test_cluster_ends_with_value),
		TEST(test_lists_keep_order),
		TEST(test_last_value_counts),
		TEST(test_values_that_look_like_options),
		TEST(test_numbers),
		TEST(test_order),
		TEST(test_double_dash),
		TEST(test_lone_dash_is_positional),
		TEST(test_help),
		TEST(test_unknown_options),
		TEST(test_bad_values),
		TEST(test_argument_count),
		cmocka_unit_test(test_help_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
