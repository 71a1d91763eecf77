/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines: the input's first byte chooses the grammar, each line behind it is one word. Looks
 * for memory errors and for answers that break what options.h promises.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/cgroups.h"
#include "runtime/oci/options.h"

#define MAX_WORDS 64

struct target {
	bool tty, detach;
	const char *bundle;
	struct opt_list env;
	uint32_t fds;
	struct opt_u64 share;
	struct opt_i64 quota, memory;
	uint64_t interval_ns;
};

#define AT(member) offsetof(struct target, member)
static const struct opt opts[] = {
	{"tty", 't', OPT_BOOL, AT(tty), NULL, "a terminal"},
	{NULL, 'V', OPT_BOOL, AT(detach), NULL, NULL},
	{"bundle", 'b', OPT_STRING, AT(bundle), "DIR", "the bundle"},
	{"env", 'e', OPT_LIST, AT(env), "NAME=VALUE", "environment"},
	{"preserve-fds", 0, OPT_U32, AT(fds), "N", "descriptors"},
	{"cpu-share", 0, OPT_U64, AT(share), "N", "shares"},
	{"cpu-quota", 0, OPT_I64, AT(quota), "US", "quota"},
	{"memory", 'm', OPT_SIZE, AT(memory), "SIZE", "memory"},
	{"interval", 0, OPT_DURATION, AT(interval_ns), "DURATION", "interval"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int rc, const struct opt_words *words, const struct target *t, int argc,
		  const struct err *err)
{
	if (rc < 0 ? !err->code || !err->msg[0] || strchr(err->msg, '\n') : rc > OPT_HELP)
		abort();
	if (!rc && (words->n >= (size_t)argc || words->argv[words->n]))
		abort();
	if (t->env.n >= (size_t)argc || (t->env.n && t->env.items[t->env.n]))
		abort();
	if (t->bundle && strlen(t->bundle) > 1u << 20)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opt_grammar g = {.synopsis = "ID", .opts = opts, .n_opts = ARRAY_SIZE(opts)};
	struct target target = {0};
	struct opt_words words = {0};
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	char *argv[MAX_WORDS + 1], *text, *rest, *word;
	int argc = 0, rc;

	if (!size)
		return 0;
	g.in_order = data[0] & 1;
	g.min_args = data[0] >> 1 & 1;
	g.max_args = data[0] & 4 ? 1 : OPT_ANY_NUMBER;
	rest = text = mem_xstrndup((const char *)data, size);
	while (argc < MAX_WORDS && (word = strsep(&rest, "\n")))
		argv[argc++] = word; /* the first line takes the place of the command's name */
	argv[argc] = NULL;
	rc = options_parse(&g, argc, argv, &target, &arena, &words, &err);
	check(rc, &words, &target, argc, &err);
	arena_release(&arena);
	free(text);
	return 0;
}
