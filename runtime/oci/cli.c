/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of hull-oci share: options with help, the runtime's root, output. */
#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "runtime/oci/oci.h"

static int print_command_help(const struct cli *cli, const struct opt_grammar *g, struct err *err)
{
	BUF out = BUF_INIT;

	buf_addf(&out, "Usage: hull-oci %s %s\n\n%s\n\nOptions:\n", cli->command->name, g->synopsis,
		 cli->command->summary);
	options_help(g, &out);
	return cli_print(&out, err);
}

int cli_options(struct cli *cli, const struct opt_grammar *g, void *target, struct err *err)
{
	int rc = options_parse(g, cli->argc, cli->argv, target, &cli->arena, &cli->args, err);

	if (rc == OPT_HELP) {
		rc = print_command_help(cli, g, err);
		return rc ? rc : OPT_HELP;
	}
	if (rc < 0) {
		cli->usage_error = true;
		return err_wrap(err, rc, "%s", cli->command->name);
	}
	return 0;
}

int cli_usage(struct cli *cli, struct err *err, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = err_vset(err, EINVAL, fmt, ap);
	va_end(ap);
	cli->usage_error = true;
	return cli->command ? err_wrap(err, rc, "%s", cli->command->name) : rc;
}

/*
 * Engines give --systemd-cgroup to every command. It counts where a container is made; all others
 * take the driver that the container was made with, so they can be told anything.
 */
static int cgroup_manager(struct cli *cli, enum cgroup_manager *ret, struct err *err)
{
	const char *name = cli->globals.cgroup_manager;
	bool systemd = cli->globals.systemd_cgroup;

	*ret = CGROUP_MANAGER_CGROUPFS;
	if (name && !strcmp(name, "disabled"))
		*ret = CGROUP_MANAGER_DISABLED;
	else if (name && !strcmp(name, "systemd"))
		systemd = true;
	else if (name && strcmp(name, "cgroupfs"))
		return cli_usage(cli, err,
				 "option '--cgroup-manager': '%s' is not cgroupfs or disabled",
				 name);
	if (systemd && (cli->command->flags & COMMAND_CREATES))
		return err_set(err, EOPNOTSUPP,
			       "the systemd cgroup driver is not supported yet, use cgroupfs");
	return 0;
}

int cli_runtime(struct cli *cli, struct err *err)
{
	bool creates = cli->command->flags & COMMAND_CREATES;
	enum cgroup_manager manager;
	int rc;

	rc = cgroup_manager(cli, &manager, err);
	if (rc)
		return rc;
	if (creates && geteuid() != 0)
		return err_set(err, EPERM, "rootless operation is not supported yet, run as root");
	rc = runtime_open(cli->globals.root, manager, creates, &cli->runtime, err);
	if (rc)
		return rc;
	cli->runtime.prefers_vm = cli->prefers_vm;
	cli->has_runtime = true;
	return 0;
}

int cli_print(const struct buf *b, struct err *err)
{
	int rc = io_write(STDOUT_FILENO, buf_str(b), b->len);

	return rc < 0 ? err_code(err, -rc, "write to standard output") : 0;
}

static void free_ids(char **ids)
{
	for (size_t i = 0; ids[i]; i++)
		free(ids[i]);
	free(ids);
}

static int each_match(struct cli *cli, const regex_t *re,
		      int (*fn)(struct cli *cli, const char *id, void *data, struct err *err),
		      void *data, struct err *err)
{
	char **ids;
	int rc, first = 0;

	rc = container_ids(&cli->runtime, &ids, err);
	if (rc)
		return rc;
	for (size_t i = 0; ids[i]; i++) {
		if (regexec(re, ids[i], 0, NULL, 0))
			continue;
		rc = fn(cli, ids[i], data, first ? NULL : err);
		if (rc < 0 && !first)
			first = err_wrap(err, rc, "%s", ids[i]);
	}
	free_ids(ids);
	return first;
}

int cli_each_container(struct cli *cli, bool regex, const char *id,
		       int (*fn)(struct cli *cli, const char *id, void *data, struct err *err),
		       void *data, struct err *err)
{
	regex_t re;
	int rc;

	if (!regex)
		return fn(cli, id, data, err);
	if (regcomp(&re, id, REG_EXTENDED | REG_NOSUB))
		return cli_usage(cli, err, "'%s' is not a regular expression", id);
	rc = each_match(cli, &re, fn, data, err);
	regfree(&re);
	return rc;
}
