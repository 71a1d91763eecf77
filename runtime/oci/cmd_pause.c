/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hull-oci pause: freezes every process of a container. */
#include "runtime/oci/oci.h"

static const struct opt_grammar grammar = {.synopsis = "ID", .min_args = 1, .max_args = 1};

int cmd_pause(struct cli *cli, struct err *err)
{
	int rc;

	rc = cli_options(cli, &grammar, NULL, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	return container_pause(&cli->runtime, cli->args.argv[0], err);
}
