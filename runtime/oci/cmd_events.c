/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hull-oci events: statistics and out-of-memory events as JSON lines (runtime/events.c). */
#include <signal.h>
#include <unistd.h>

#include "runtime/oci/oci.h"

struct events_command {
	bool stats;
	uint64_t interval_ns;
};

#define AT(member) offsetof(struct events_command, member)
static const struct opt opts[] = {
	{"stats", 0, OPT_BOOL, AT(stats), NULL, "print the statistics once"},
	{"interval", 0, OPT_DURATION, AT(interval_ns), "DURATION",
	 "between two statistics (default: 5s)"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS] ID",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = 1,
};

int cmd_events(struct cli *cli, struct err *err)
{
	struct events_command o = {.interval_ns = 5000000000u};
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	if (!o.interval_ns)
		return cli_usage(cli, err, "option '--interval': must be more than 0");
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	/* a reader that goes away ends the command by EPIPE, which is no failure */
	(void)signal(SIGPIPE, SIG_IGN);
	return container_events(&cli->runtime, cli->args.argv[0], o.stats ? 0 : o.interval_ns,
				STDOUT_FILENO, err);
}
