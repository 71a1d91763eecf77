/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hull-oci features: features.md of the runtime specification; needs no root and no privileges. */
#include "runtime/oci/oci.h"

static const struct opt_grammar grammar = {.synopsis = ""};

int cmd_features(struct cli *cli, struct err *err)
{
	BUF out = BUF_INIT;
	int rc;

	rc = cli_options(cli, &grammar, NULL, err);
	if (rc)
		return rc < 0 ? rc : 0;
	features_write(&out);
	if (!out.len || out.data[out.len - 1] != '\n')
		buf_addc(&out, '\n');
	return cli_print(&out, err);
}
