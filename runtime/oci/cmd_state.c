/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hull-oci state: the state document of runtime.md#state with runc's additions, indented. */
#include "runtime/oci/oci.h"

static const struct opt_grammar grammar = {.synopsis = "ID", .min_args = 1, .max_args = 1};

static int print_state(const struct container *c, struct err *err)
{
	struct json_writer *w = json_w_new(true);
	BUF out = BUF_INIT;

	container_state_write(c, w);
	json_w_finish(w, &out);
	if (!out.len || out.data[out.len - 1] != '\n')
		buf_addc(&out, '\n');
	return cli_print(&out, err);
}

int cmd_state(struct cli *cli, struct err *err)
{
	struct container *c;
	int rc;

	rc = cli_options(cli, &grammar, NULL, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	rc = container_open(&cli->runtime, cli->args.argv[0], CONTAINER_LOCK_NONE, &c, err);
	if (rc)
		return rc;
	rc = print_state(c, err);
	container_close(c);
	return rc;
}
