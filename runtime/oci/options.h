/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command line options from tables. A table says how an option is called, what kind of value it
 * takes and where in the caller's struct the value goes; parsing and help text both come from it.
 *
 * What is understood, so that callers of runc (Go flags) and of crun (argp) both find their habits:
 *   --name  -name  --name=VALUE  --name VALUE  -n  -n VALUE  -nVALUE  -n=VALUE  -abn VALUE
 * "--" ends the options. After one dash a whole word that is an option's name wins over letters.
 * A switch takes =true or =false. Options may follow positional arguments unless the grammar says
 * in_order. Given twice, the last value counts, except for lists.
 */
#ifndef HULL_OCI_OPTIONS_H
#define HULL_OCI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum opt_type {
	OPT_BOOL,     /* bool */
	OPT_STRING,   /* const char * */
	OPT_LIST,     /* struct opt_list */
	OPT_U32,      /* uint32_t */
	OPT_U64,      /* struct opt_u64 */
	OPT_I64,      /* struct opt_i64 */
	OPT_SIZE,     /* struct opt_i64, bytes; takes k, m, g; -1 */
	OPT_DURATION, /* uint64_t, nanoseconds */
};

struct opt_list {
	const char **items; /* NULL-terminated once it holds something; the arena's */
	size_t n;
};

struct opt {
	const char *name; /* without dashes; NULL: only the letter */
	char letter;      /* 0: none */
	enum opt_type type;
	size_t offset;     /* of the member in the target struct */
	const char *value; /* the value's word in help text; NULL for OPT_BOOL */
	const char *help;  /* NULL: not shown */
};

struct opt_grammar {
	const char *synopsis; /* behind the command's name: "[OPTIONS] ID" */
	const struct opt *opts;
	size_t n_opts;
	size_t min_args, max_args; /* positional arguments */
	bool in_order;             /* the first positional argument ends the options */
};

#define OPT_ANY_NUMBER ((size_t)-1)

/* The positional arguments, NULL-terminated; argv is the arena's, the words are borrowed. */
struct opt_words {
	char **argv;
	size_t n;
};

/*
 * Reads argv[1..argc-1] into target (the struct the offsets are of). Strings are borrowed from
 * argv. Returns 0, OPT_HELP as soon as --help or -h is met, or -EINVAL; what was read before an
 * error stays in target.
 */
#define OPT_HELP 1
int options_parse(const struct opt_grammar *g, int argc, char **argv, void *target, struct arena *a,
		  struct opt_words *ret, struct err *err) MUST_CHECK;

/* Appends the grammar's options, one a line, aligned; --help is added at the end. */
void options_help(const struct opt_grammar *g, struct buf *out);

#endif
