/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hull-oci create, and the options it shares with run. */
#include "runtime/oci/oci.h"

/* The last RUN_ONLY are no options of create. */
enum { RUN_ONLY = 2 };

#define AT(member) offsetof(struct create_options, member)
static const struct opt opts[] = {
	{"bundle", 'b', OPT_STRING, AT(bundle), "DIR", "directory of the bundle (default: .)"},
	{"config", 'f', OPT_STRING, AT(config), "FILE",
	 "configuration in the bundle (default: config.json)"},
	{"console-socket", 0, OPT_STRING, AT(console_socket), "SOCKET",
	 "unix socket that is sent the terminal's master"},
	{"pidfd-socket", 0, OPT_STRING, AT(pidfd_socket), "SOCKET",
	 "unix socket that is sent a pidfd of the first process"},
	{"pid-file", 0, OPT_STRING, AT(pid_file), "FILE", "write the first process' id to FILE"},
	{"no-pivot", 0, OPT_BOOL, AT(no_pivot), NULL, "move the root instead of pivot_root"},
	{"no-new-keyring", 0, OPT_BOOL, AT(no_new_keyring), NULL, "keep the session keyring"},
	{"preserve-fds", 0, OPT_U32, AT(preserve_fds), "N",
	 "keep N file descriptors from 3 on, behind those of LISTEN_FDS"},
	{"no-subreaper", 0, OPT_BOOL, AT(no_subreaper), NULL,
	 "do not adopt the container's orphans"},
	{"detach", 'd', OPT_BOOL, AT(detach), NULL, "do not wait for the container's end"},
	{"keep", 0, OPT_BOOL, AT(keep), NULL, "do not delete the container after its end"},
};

const struct opt_grammar cli_run_grammar = {
	.synopsis = "[OPTIONS] ID",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = 1,
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS] ID",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts) - RUN_ONLY,
	.min_args = 1,
	.max_args = 1,
};

int cmd_create(struct cli *cli, struct err *err)
{
	struct create_options o = {0};
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = cli_runtime(cli, err);
	if (rc)
		return rc;
	return container_create(&cli->runtime, cli->args.argv[0], &o, err);
}
