/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hull-oci run: create, start, wait, delete; its exit status is that of the container's process. */
#include "runtime/oci/oci.h"

int cmd_run(struct cli *cli, struct err *err)
{
	struct create_options o = {0};
	int rc, status = 0;

	rc = cli_options(cli, &cli_run_grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	rc = container_run(&cli->runtime, cli->args.argv[0], &o, &status, err);
	return rc < 0 ? rc : status;
}
