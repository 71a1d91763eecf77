/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci exec: another process in a running container, described by a process.json (--process) or
 * by the command line on top of the container's own process. Options end at the container's id, so
 * that the command keeps its own. Numbers of users and groups are read whole: crun's reading of
 * "-u 1" as "0:0" (CVE-2026-30892) began with a parser that stopped in the middle.
 */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "runtime/oci/oci.h"
#include "runtime/protect.h"

struct exec_command {
	struct exec_options o;
	const char *user;
	struct opt_list env, groups, caps, cgroups;
};

#define AT(member) offsetof(struct exec_command, member)
static const struct opt opts[] = {
	{"process", 'p', OPT_STRING, AT(o.process_file), "FILE", "the process as a JSON object"},
	{"cwd", 0, OPT_STRING, AT(o.cwd), "DIR", "working directory"},
	{"env", 'e', OPT_LIST, AT(env), "NAME=VALUE", "add to the environment (repeat)"},
	{"tty", 't', OPT_BOOL, AT(o.tty), NULL, "give the process a terminal"},
	{"user", 'u', OPT_STRING, AT(user), "UID[:GID]", "user and group, as numbers"},
	{"additional-gids", 'g', OPT_LIST, AT(groups), "GID", "add a supplementary group (repeat)"},
	{"cap", 'c', OPT_LIST, AT(caps), "NAME", "add a capability (repeat)"},
	{"no-new-privs", 0, OPT_BOOL, AT(o.no_new_privs), NULL, "set no_new_privs"},
	{"process-label", 0, OPT_STRING, AT(o.selinux_label), "LABEL", "SELinux label"},
	{"apparmor", 0, OPT_STRING, AT(o.apparmor_profile), "PROFILE", "AppArmor profile"},
	{"cgroup", 0, OPT_LIST, AT(cgroups), "[CONTROLLER:]PATH",
	 "join a group below the container's (repeat)"},
	{"detach", 'd', OPT_BOOL, AT(o.detach), NULL, "do not wait for the process' end"},
	{"pid-file", 0, OPT_STRING, AT(o.pid_file), "FILE", "write the process' id to FILE"},
	{"console-socket", 0, OPT_STRING, AT(o.console_socket), "SOCKET",
	 "unix socket that is sent the terminal's master"},
	{"pidfd-socket", 0, OPT_STRING, AT(o.pidfd_socket), "SOCKET",
	 "unix socket that is sent a pidfd of the process"},
	{"preserve-fds", 0, OPT_U32, AT(o.preserve_fds), "N",
	 "keep N file descriptors from 3 on, behind those of LISTEN_FDS"},
	{"ignore-paused", 0, OPT_BOOL, AT(o.ignore_paused), NULL, "allow it in a paused container"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS] ID COMMAND [ARGUMENTS] | --process FILE [OPTIONS] ID",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = OPT_ANY_NUMBER,
	.in_order = true,
};

static int read_user(struct cli *cli, struct exec_command *e, struct err *err)
{
	const uint32_t none = UINT32_MAX; /* no group id: see parse_user */

	if (!e->user)
		return 0;
	e->o.gid = none;
	if (parse_user(e->user, &e->o.uid, &e->o.gid))
		return cli_usage(cli, err, "option '--user': '%s' is not UID[:GID] in numbers",
				 e->user);
	e->o.has_user = true;
	e->o.has_gid = e->o.gid != none;
	return 0;
}

static int read_groups(struct cli *cli, struct exec_command *e, struct err *err)
{
	uint32_t *groups = arena_alloc(&cli->arena, e->groups.n + 1, sizeof(*groups));

	for (size_t i = 0; i < e->groups.n; i++) {
		const char *word = e->groups.items[i];

		if (parse_u32(word, &groups[i]) || groups[i] == UINT32_MAX)
			return cli_usage(cli, err,
					 "option '--additional-gids': '%s' is no group id", word);
	}
	e->o.groups = groups;
	e->o.n_groups = e->groups.n;
	return 0;
}

/* As in config.json. The value is not shown: it may be a secret. */
static int check_env(struct cli *cli, const struct exec_command *e, struct err *err)
{
	for (size_t i = 0; i < e->env.n; i++) {
		const char *entry = e->env.items[i];

		if (entry[0] == '=' || !strchr(entry, '='))
			return cli_usage(cli, err, "option '--env': not of the form NAME=value");
	}
	return 0;
}

static int protect(void *arg, struct err *err)
{
	struct cli *cli = arg;

	return protect_self(cli->program_argv, err);
}

static int read_command(struct cli *cli, struct exec_command *e, struct err *err)
{
	if (!e->o.process_file && cli->args.n < 2)
		return cli_usage(cli, err, "no command given, and no --process");
	if (e->o.process_file && cli->args.n > 1)
		return cli_usage(cli, err, "both --process and the command '%s' given",
				 cli->args.argv[1]);
	e->o.args = (const char *const *)cli->args.argv + 1;
	e->o.env = e->env.items;
	e->o.caps = e->caps.items;
	e->o.cgroups = e->cgroups.items;
	e->o.protect = protect;
	e->o.protect_arg = cli;
	return 0;
}

int cmd_exec(struct cli *cli, struct err *err)
{
	struct exec_command e = {0};
	int rc, status = 0;

	rc = cli_options(cli, &grammar, &e, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = read_user(cli, &e, err);
	if (!rc)
		rc = read_groups(cli, &e, err);
	if (!rc)
		rc = check_env(cli, &e, err);
	if (!rc)
		rc = read_command(cli, &e, err);
	if (!rc)
		rc = cli_runtime(cli, err);
	if (!rc)
		rc = container_exec(&cli->runtime, cli->args.argv[0], &e.o, &status, err);
	return rc < 0 ? rc : status;
}
