/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci delete: removes a stopped container, with --force any container; --force of one that
 * does not exist is a success.
 */
#include <errno.h>

#include "runtime/oci/oci.h"

struct delete_options {
	bool force, regex;
};

#define AT(member) offsetof(struct delete_options, member)
static const struct opt opts[] = {
	{"force", 'f', OPT_BOOL, AT(force), NULL, "kill the container first when it runs"},
	{"regex", 'r', OPT_BOOL, AT(regex), NULL, "ID is an extended regular expression"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS] ID",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = 1,
};

static int delete_one(struct cli *cli, const char *id, void *data, struct err *err)
{
	const struct delete_options *o = data;

	return container_delete(&cli->runtime, id, o->force, err);
}

int cmd_delete(struct cli *cli, struct err *err)
{
	struct delete_options o = {0};
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	return cli_each_container(cli, o.regex, cli->args.argv[0], delete_one, &o, err);
}
