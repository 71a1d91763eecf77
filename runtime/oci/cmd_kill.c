/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci kill: sends a signal to the first process, or with --all to every process of the
 * container. The signal is a number or a name with or without SIG.
 */
#include <signal.h>

#include "base/parse.h"
#include "runtime/oci/oci.h"

struct kill_options {
	bool all, regex;
	int signal;
};

#define AT(member) offsetof(struct kill_options, member)
static const struct opt opts[] = {
	{"all", 'a', OPT_BOOL, AT(all), NULL, "signal every process of the container"},
	{"regex", 'r', OPT_BOOL, AT(regex), NULL, "ID is an extended regular expression"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS] ID [SIGNAL]",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = 2,
};

static int kill_one(struct cli *cli, const char *id, void *data, struct err *err)
{
	const struct kill_options *o = data;

	return container_kill(&cli->runtime, id, o->signal, o->all, err);
}

int cmd_kill(struct cli *cli, struct err *err)
{
	struct kill_options o = {.signal = SIGTERM};
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	if (cli->args.n > 1)
		o.signal = parse_signal(cli->args.argv[1]);
	if (o.signal < 0)
		return cli_usage(cli, err, "unknown signal '%s'", cli->args.argv[1]);
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	return cli_each_container(cli, o.regex, cli->args.argv[0], kill_one, &o, err);
}
