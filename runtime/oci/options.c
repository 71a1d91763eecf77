/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of options.h. Neither getopt_long nor argp serves here: container engines send single
 * dashes before long names (go-runc's "-no-subreaper"), which getopt_long_only confuses with
 * letters and argp does not know, and both abbreviate names, so that a new option can break an old
 * caller.
 */
#include "runtime/oci/options.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/parse.h"
#include "cgroups/cgroups.h"

struct parser {
	const struct opt_grammar *g;
	int argc, next; /* argv[next] is the next unread word */
	char **argv;
	char *target;
	struct arena *arena;
	struct err *err;
};

static bool is_help(const char *name, size_t len)
{
	return (len == 4 && !memcmp(name, "help", 4)) || (len == 1 && *name == 'h');
}

static const struct opt *find_name(const struct opt_grammar *g, const char *name, size_t len)
{
	for (size_t i = 0; i < g->n_opts; i++) {
		const struct opt *o = &g->opts[i];

		if (o->name && strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	}
	return NULL;
}

static const struct opt *find_letter(const struct opt_grammar *g, char letter)
{
	for (size_t i = 0; i < g->n_opts; i++) {
		if (g->opts[i].letter == letter)
			return &g->opts[i];
	}
	return NULL;
}

static const char *type_name(enum opt_type type)
{
	switch (type) {
	case OPT_BOOL:
		return "true or false";
	case OPT_STRING:
	case OPT_LIST:
		break;
	case OPT_U32:
		return "a number from 0 to 4294967295";
	case OPT_U64:
		return "a number from 0 up";
	case OPT_I64:
		return "a whole number";
	case OPT_SIZE:
		return "a size such as 512m, or -1";
	case OPT_DURATION:
		return "a duration such as 5s or 1m30s";
	}
	return "a string";
}

static void list_add(struct parser *p, struct opt_list *list, const char *value)
{
	/* no list can get longer than the command line */
	if (!list->items)
		list->items = arena_alloc(p->arena, (size_t)p->argc + 1, sizeof(*list->items));
	list->items[list->n++] = value;
}

/* Stores value; name is the option as the user wrote it. */
static int store(struct parser *p, const struct opt *o, const char *name, const char *value)
{
	void *at = p->target + o->offset;
	struct opt_i64 *i64 = at;
	struct opt_u64 *u64 = at;
	int rc = 0;

	switch (o->type) {
	case OPT_BOOL:
		rc = parse_bool(value, at);
		break;
	case OPT_STRING:
		*(const char **)at = value;
		break;
	case OPT_LIST:
		list_add(p, at, value);
		break;
	case OPT_U32:
		rc = parse_u32(value, at);
		break;
	case OPT_U64:
		rc = parse_u64(value, &u64->value);
		u64->set = !rc;
		break;
	case OPT_I64:
		rc = parse_i64(value, &i64->value);
		i64->set = !rc;
		break;
	case OPT_SIZE:
		rc = parse_size(value, &i64->value);
		i64->set = !rc;
		break;
	case OPT_DURATION:
		rc = parse_duration_ns(value, at);
		break;
	}
	if (rc)
		return err_set(p->err, EINVAL, "option '%s': '%s' is not %s", name, value,
			       type_name(o->type));
	return 0;
}

/* value: what stood behind "=" or the letter, NULL when nothing did. */
static int store_or_next(struct parser *p, const struct opt *o, const char *name, const char *value)
{
	if (!value && o->type == OPT_BOOL)
		value = "true";
	if (!value) {
		if (p->next >= p->argc)
			return err_set(p->err, EINVAL, "option '%s' needs a value", name);
		value = p->argv[p->next++];
	}
	return store(p, o, name, value);
}

static int unknown(struct parser *p, const char *name)
{
	return err_set(p->err, EINVAL, "unknown option '%s'", name);
}

/* A word of letters behind one dash, the last of which may take the rest of the word as its value.
 */
static int parse_letters(struct parser *p, const char *word)
{
	for (const char *s = word + 1; *s; s++) {
		const struct opt *o = find_letter(p->g, *s);
		char name[] = {'-', *s, '\0'};
		const char *value = s[1] ? s + 1 : NULL;
		int rc;

		if (!o && *s == 'h')
			return OPT_HELP;
		if (!o)
			return unknown(p, s == word + 1 ? word : name);
		if (o->type == OPT_BOOL && value && *value != '=')
			value = NULL;
		else if (value && *value == '=')
			value++;
		rc = store_or_next(p, o, name, value);
		if (rc || o->type != OPT_BOOL || value)
			return rc;
	}
	return 0;
}

static int parse_option(struct parser *p, const char *word)
{
	bool two = word[1] == '-';
	const char *name = word + 1 + two, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct opt *o = find_name(p->g, name, len);

	if (o && len) {
		char *as_written = arena_strndup(p->arena, word, (size_t)(name - word) + len);

		return store_or_next(p, o, as_written, equals ? equals + 1 : NULL);
	}
	if (!equals && is_help(name, len) && !(len == 1 && find_letter(p->g, 'h')))
		return OPT_HELP;
	if (two)
		return unknown(p, word);
	return parse_letters(p, word);
}

static int check_count(const struct parser *p, const struct opt_words *words)
{
	if (words->n < p->g->min_args)
		return err_set(p->err, EINVAL, "too few arguments, expected: %s", p->g->synopsis);
	if (words->n > p->g->max_args)
		return err_set(p->err, EINVAL, "unexpected argument '%s'",
			       words->argv[p->g->max_args]);
	return 0;
}

int options_parse(const struct opt_grammar *g, int argc, char **argv, void *target, struct arena *a,
		  struct opt_words *ret, struct err *err)
{
	struct parser p = {.g = g,
			   .argc = argc,
			   .next = 1,
			   .argv = argv,
			   .target = target,
			   .arena = a,
			   .err = err};
	struct opt_words words = {.argv = arena_alloc(a, (size_t)argc + 1, sizeof(char *))};
	bool only_words = false;
	int rc;

	while (p.next < argc) {
		char *word = argv[p.next++];

		if (only_words || word[0] != '-' || !word[1]) {
			words.argv[words.n++] = word;
			only_words = only_words || g->in_order;
		} else if (!strcmp(word, "--")) {
			only_words = true;
		} else {
			rc = parse_option(&p, word);
			if (rc)
				return rc;
		}
	}
	rc = check_count(&p, &words);
	if (rc)
		return rc;
	*ret = words;
	return 0;
}

static void help_left(const struct opt *o, struct buf *out)
{
	buf_adds(out, "  ");
	if (o->letter)
		buf_addf(out, "-%c%s", o->letter, o->name ? ", " : "");
	else
		buf_adds(out, "    ");
	if (o->name)
		buf_addf(out, "--%s", o->name);
	if (o->value)
		buf_addf(out, " %s", o->value);
}

static void help_line(const struct opt *o, size_t width, struct buf *out)
{
	size_t start = out->len;

	help_left(o, out);
	buf_addf(out, "%*s  %s\n", (int)(width - (out->len - start)), "", o->help);
}

void options_help(const struct opt_grammar *g, struct buf *out)
{
	static const struct opt help = {.name = "help", .letter = 'h', .help = "show this help"};
	size_t width = 0;

	for (size_t i = 0; i < g->n_opts; i++) {
		BUF left = BUF_INIT;

		help_left(&g->opts[i], &left);
		if (g->opts[i].help && left.len > width)
			width = left.len;
	}
	if (width < strlen("  -h, --help"))
		width = strlen("  -h, --help");
	for (size_t i = 0; i < g->n_opts; i++) {
		if (g->opts[i].help)
			help_line(&g->opts[i], width, out);
	}
	help_line(&help, width, out);
}
