/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci list: every container below the state root as a table, as JSON or as bare ids. A
 * container that vanishes meanwhile is left out; one whose state cannot be read is warned about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "runtime/oci/oci.h"

struct list_options {
	const char *format;
	bool quiet;
};

#define AT(member) offsetof(struct list_options, member)
static const struct opt opts[] = {
	{"format", 'f', OPT_STRING, AT(format), "FORMAT", "table (default) or json"},
	{"quiet", 'q', OPT_BOOL, AT(quiet), NULL, "print ids only"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS]",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
};

enum { ID, PID, STATUS, BUNDLE, CREATED, OWNER, N_COLUMNS };

/* Rows of N_COLUMNS strings, the first of which is the header. */
struct table {
	struct arena *arena;
	const char *(*rows)[N_COLUMNS];
	size_t n;
};

static void table_add(struct table *t, const struct container *c)
{
	const char **row = t->rows[t->n++];

	row[ID] = arena_strdup(t->arena, c->id);
	row[PID] = arena_printf(t->arena, "%d", (int)c->pid);
	row[STATUS] = container_status_name(c->status);
	row[BUNDLE] = arena_strdup(t->arena, c->bundle ? c->bundle : "");
	row[CREATED] = arena_strdup(t->arena, c->created ? c->created : "");
	row[OWNER] = arena_strdup(t->arena, c->owner ? c->owner : "");
}

static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80; /* UTF-8: not a continuation byte */
	return n;
}

/* Columns as runc's: at least 12 wide, 3 blanks between two, the last one not padded. */
static void table_print(const struct table *t, struct buf *out)
{
	size_t width[N_COLUMNS];

	for (int col = 0; col < N_COLUMNS; col++) {
		width[col] = 12;
		for (size_t i = 0; i < t->n; i++) {
			if (text_width(t->rows[i][col]) + 3 > width[col])
				width[col] = text_width(t->rows[i][col]) + 3;
		}
	}
	for (size_t i = 0; i < t->n; i++) {
		for (int col = 0; col < OWNER; col++) {
			const char *text = t->rows[i][col];

			buf_addf(out, "%s%*s", text, (int)(width[col] - text_width(text)), "");
		}
		buf_addf(out, "%s\n", t->rows[i][OWNER]);
	}
}

/* Shows every container that can be read: in w, or in t. */
static void each_container(struct cli *cli, char **ids, struct table *t, struct json_writer *w)
{
	for (size_t i = 0; ids[i]; i++) {
		struct err err = ERR_INIT;
		struct container *c;
		int rc = container_open(&cli->runtime, ids[i], CONTAINER_LOCK_NONE, &c, &err);

		if (rc == -ENOENT)
			continue;
		if (rc) {
			log_warn("list: %s", err.msg);
			continue;
		}
		if (w)
			container_state_write(c, w);
		else
			table_add(t, c);
		container_close(c);
	}
}

static void print_table(struct cli *cli, char **ids, size_t n, struct buf *out)
{
	static const char *const header[N_COLUMNS] = {"ID",     "PID",     "STATUS",
						      "BUNDLE", "CREATED", "OWNER"};
	struct table t = {.arena = &cli->arena, .n = 1};

	t.rows = arena_alloc(&cli->arena, n + 1, sizeof(*t.rows));
	memcpy(t.rows[0], header, sizeof(header));
	each_container(cli, ids, &t, NULL);
	table_print(&t, out);
}

static void print_json(struct cli *cli, char **ids, struct buf *out)
{
	struct json_writer *w = json_w_new(false);

	json_w_array(w, NULL);
	each_container(cli, ids, NULL, w);
	json_w_end(w);
	json_w_finish(w, out);
	buf_addc(out, '\n');
}

static int print_list(struct cli *cli, const struct list_options *o, struct err *err)
{
	BUF out = BUF_INIT;
	char **ids;
	size_t n = 0;
	int rc;

	rc = container_ids(&cli->runtime, &ids, err);
	if (rc)
		return rc;
	while (ids[n])
		n++;
	if (o->quiet) {
		for (size_t i = 0; i < n; i++)
			buf_addf(&out, "%s\n", ids[i]);
	} else if (!strcmp(o->format, "json")) {
		print_json(cli, ids, &out);
	} else {
		print_table(cli, ids, n, &out);
	}
	for (size_t i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
	return cli_print(&out, err);
}

int cmd_list(struct cli *cli, struct err *err)
{
	struct list_options o = {.format = "table"};
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	if (strcmp(o.format, "table") && strcmp(o.format, "json"))
		return cli_usage(cli, err, "option '--format': '%s' is not table or json",
				 o.format);
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	return print_list(cli, &o, err);
}
