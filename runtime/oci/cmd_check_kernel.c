/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci check-kernel: whether a kernel file has what hull needs of a guest kernel. Exit status 0:
 * it has; what is printed then is no more than useful. 1: it lacks what is printed as needed.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "microvm/check/check.h"
#include "runtime/oci/oci.h"

static const struct opt_grammar grammar = {
	.synopsis = "FILE",
	.min_args = 1,
	.max_args = 1,
};

int cmd_check_kernel(struct cli *cli, struct err *err)
{
	CLOSE_FD int fd = -1;
	BUF report = BUF_INIT;
	const char *file;
	int rc, missing;

	rc = cli_options(cli, &grammar, NULL, err);
	if (rc)
		return rc < 0 ? rc : 0;
	file = cli->args.argv[0];
	/* A fifo must not be waited for. */
	fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open '%s'", file);
	missing = kernel_check(fd, file, &report, err);
	if (missing < 0)
		return missing;
	rc = cli_print(&report, err);
	return rc ? rc : missing > 0;
}
