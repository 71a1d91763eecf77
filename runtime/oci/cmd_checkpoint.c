/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci checkpoint and restore: an engine that tries them is told so in one line, whatever its
 * options are.
 */
#include <errno.h>

#include "runtime/oci/oci.h"

int cmd_checkpoint(struct cli *cli, struct err *err)
{
	(void)cli;
	return err_set(err, EOPNOTSUPP, "checkpoint is not supported yet");
}

int cmd_restore(struct cli *cli, struct err *err)
{
	(void)cli;
	return err_set(err, EOPNOTSUPP, "restore is not supported yet");
}
