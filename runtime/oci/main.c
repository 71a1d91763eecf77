/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci, an OCI runtime with the command line of runc and crun (man 8 hull-oci). This file reads
 * the global options, sets up the log and calls a command; commands[] is the only list of them,
 * help and the manual page's test come from it.
 *
 * An error is one line on standard error and, with --log, one line in the log. Exit status 1 is a
 * failed operation, 2 a command line that makes no sense, else it is the command's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "runtime/oci/oci.h"
#include "runtime/protect.h"

#define PROGRAM "hull-oci"
#ifndef HULL_COMMIT
#define HULL_COMMIT "unknown"
#endif

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int cmd_help(struct cli *cli, struct err *err);

static const struct command commands[] = {
	{"create", cmd_create, "create a container", COMMAND_CREATES | COMMAND_ENTERS},
	{"start", cmd_start, "run the process of a created container", 0},
	{"run", cmd_run, "create and start a container", COMMAND_CREATES | COMMAND_ENTERS},
	{"state", cmd_state, "print the state of a container", 0},
	{"kill", cmd_kill, "send a signal to a container", 0},
	{"delete", cmd_delete, "delete a container and what it holds", 0},
	{"exec", cmd_exec, "run another process in a container", COMMAND_MAY_ENTER},
	{"ps", cmd_ps, "show the processes of a container", 0},
	{"list", cmd_list, "list containers", 0},
	{"pause", cmd_pause, "suspend all processes of a container", 0},
	{"resume", cmd_resume, "let a paused container go on", 0},
	{"update", cmd_update, "change the limits of a container", 0},
	{"events", cmd_events, "print statistics and out-of-memory events", 0},
	{"spec", cmd_spec, "write a default config.json", 0},
	{"features", cmd_features, "print what this runtime supports", 0},
	{"check-kernel", cmd_check_kernel, "tell what a guest kernel lacks", 0},
	{"checkpoint", cmd_checkpoint, "save a container in a virtual machine", 0},
	{"restore", cmd_restore, "run a saved container on", COMMAND_CREATES | COMMAND_ENTERS},
	{"help", cmd_help, "show this help or that of a command", COMMAND_HIDDEN},
};

#define AT(member) offsetof(struct cli_globals, member)
static const struct opt global_opts[] = {
	{"root", 0, OPT_STRING, AT(root), "DIR",
	 "directory of the containers' state (default: /run/hull)"},
	{"cgroup-manager", 0, OPT_STRING, AT(cgroup_manager), "NAME",
	 "cgroupfs (default) or disabled"},
	{"systemd-cgroup", 0, OPT_BOOL, AT(systemd_cgroup), NULL,
	 "use the systemd cgroup driver (not supported yet)"},
	{"rootless", 0, OPT_STRING, AT(rootless), "true|false|auto", "accepted for compatibility"},
	{"log", 0, OPT_STRING, AT(log), "[file:]FILE", "write log lines to FILE too"},
	{"log-format", 0, OPT_STRING, AT(log_format), "FORMAT", "of FILE: text (default) or json"},
	{"log-level", 0, OPT_STRING, AT(log_level), "LEVEL",
	 "error, warning (default), info or debug"},
	{"debug", 0, OPT_BOOL, AT(debug), NULL, "same as --log-level debug"},
	{"version", 'v', OPT_BOOL, AT(version), NULL, "print the version"},
	{NULL, 'V', OPT_BOOL, AT(version), NULL, NULL},
};
#undef AT

static const struct opt_grammar global_grammar = {
	.synopsis = "[OPTIONS] COMMAND [ARGUMENTS]",
	.opts = global_opts,
	.n_opts = ARRAY_SIZE(global_opts),
	.max_args = OPT_ANY_NUMBER,
	.in_order = true,
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int print_help(struct err *err)
{
	BUF out = BUF_INIT;

	buf_addf(&out, "Usage: " PROGRAM " %s\n\nCommands:\n", global_grammar.synopsis);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!(commands[i].flags & COMMAND_HIDDEN))
			buf_addf(&out, "  %-12s  %s\n", commands[i].name, commands[i].summary);
	}
	buf_adds(&out, "\nOptions:\n");
	options_help(&global_grammar, &out);
	buf_adds(&out, "\n'" PROGRAM " COMMAND --help' shows the options of a command.\n");
	return cli_print(&out, err);
}

static int cmd_help(struct cli *cli, struct err *err)
{
	static char help_option[] = "--help";
	char *argv[] = {NULL, help_option, NULL};

	if (cli->argc < 2)
		return print_help(err);
	argv[0] = cli->argv[1];
	cli->command = find_command(argv[0]);
	if (!cli->command)
		return cli_usage(cli, err, "unknown command '%s', see '" PROGRAM " --help'",
				 argv[0]);
	if (cli->command->fn == cmd_help)
		return print_help(err);
	cli->argc = 2;
	cli->argv = argv;
	return cli->command->fn(cli, err);
}

/* The first line is hull's own; the keys of the next two are those that callers of runc look for.
 */
static int print_version(struct err *err)
{
	BUF out = BUF_INIT;

	buf_adds(&out, PROGRAM " version " HULL_VERSION "\n"
			       "commit: " HULL_COMMIT "\n"
			       "spec: " SPEC_OCI_VERSION "\n"
			       "+SELINUX +APPARMOR +CAP +SECCOMP +EBPF +YAJL\n");
	return cli_print(&out, err);
}

static int log_level(const struct cli_globals *g, enum log_level *ret, struct err *err)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARN}, {"warn", LOG_LEVEL_WARN},
		{"info", LOG_LEVEL_INFO},   {"debug", LOG_LEVEL_DEBUG},
	};

	*ret = g->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
	if (!g->log_level)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (!strcmp(levels[i].name, g->log_level)) {
			if (!g->debug)
				*ret = levels[i].level;
			return 0;
		}
	}
	return err_set(err, EINVAL,
		       "option '--log-level': '%s' is not error, warning, info or debug",
		       g->log_level);
}

static int log_format(const struct cli_globals *g, enum log_format *ret, struct err *err)
{
	*ret = LOG_FORMAT_TEXT;
	if (!g->log_format || !strcmp(g->log_format, "text"))
		return 0;
	if (strcmp(g->log_format, "json"))
		return err_set(err, EINVAL, "option '--log-format': '%s' is not text or json",
			       g->log_format);
	*ret = LOG_FORMAT_JSON;
	return 0;
}

/* crun's "file:", "journald:" and "syslog:" prefixes. */
static int log_file(const struct cli_globals *g, const char **ret, struct err *err)
{
	*ret = g->log && *g->log ? g->log : NULL;
	if (!*ret)
		return 0;
	if (!strncmp(*ret, "journald:", 9) || !strncmp(*ret, "syslog:", 7)) {
		*ret = NULL;
		return err_set(err, EINVAL, "option '--log': '%s' is not supported, give a file",
			       g->log);
	}
	if (!strncmp(*ret, "file:", 5))
		*ret += 5;
	return 0;
}

/*
 * Opens the log with whatever of the options makes sense, so that a wrong one is reported there
 * too; a caller such as containerd reads its errors nowhere else.
 */
static int open_log(const struct cli *cli, struct err *err)
{
	const struct cli_globals *g = &cli->globals;
	enum log_format format;
	enum log_level level;
	const char *file;
	int rc, rc_format, rc_level, rc_open;

	rc = log_file(g, &file, err);
	rc_format = log_format(g, &format, rc ? NULL : err);
	if (!rc)
		rc = rc_format;
	rc_level = log_level(g, &level, rc ? NULL : err);
	if (!rc)
		rc = rc_level;
	/* first without a file: what keeps the file from being opened must be told too */
	rc_open = log_open(PROGRAM, NULL, format, level, rc ? NULL : err);
	if (!rc_open && file)
		rc_open = log_open(PROGRAM, file, format, level, rc ? NULL : err);
	return rc ? rc : rc_open;
}

static int check_rootless(struct cli *cli, struct err *err)
{
	const char *value = cli->globals.rootless;
	bool rootless = false;

	if (!value || !strcmp(value, "auto"))
		return 0;
	if (parse_bool(value, &rootless))
		return cli_usage(cli, err, "option '--rootless': '%s' is not true, false or auto",
				 value);
	return 0;
}

/*
 * One call instead of a page fault for each page of the heap that most commands write to (man 2
 * madvise; before Linux 5.14 it fails and the faults come). malloc has asked for more already.
 */
static void populate_heap(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	FREE char *first = malloc(1);

	(void)!madvise((void *)((uintptr_t)first & ~(page - 1)), 12 * page, MADV_POPULATE_WRITE);
}

/* Global options, then the log, then the command. */
static int run_program(struct cli *cli, int argc, char **argv, struct err *err)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
	struct opt_words words = {0};
	struct err log_err = ERR_INIT;
	int rc, rc_log;

	cli->prefers_vm = argc > 0 && !strcmp(name ? name + 1 : argv[0], PROGRAM "-vm");

	rc = options_parse(&global_grammar, argc, argv, &cli->globals, &cli->arena, &words, err);
	rc_log = open_log(cli, &log_err);
	cli->usage_error = rc < 0 || rc_log == -EINVAL;
	if (rc < 0)
		return rc;
	if (rc_log < 0)
		return err_set(err, -rc_log, "%s", log_err.msg);
	if (rc == OPT_HELP)
		return print_help(err);
	if (cli->globals.version)
		return print_version(err);
	rc = check_rootless(cli, err);
	if (rc)
		return rc;
	if (!words.n)
		return cli_usage(cli, err, "no command given, see '" PROGRAM " --help'");
	cli->command = find_command(words.argv[0]);
	if (!cli->command)
		return cli_usage(cli, err, "unknown command '%s', see '" PROGRAM " --help'",
				 words.argv[0]);
	if (cli->command->flags & COMMAND_ENTERS) {
		rc = protect_self(argv, err);
		if (rc)
			return rc;
	}
	if (cli->command->flags & (COMMAND_ENTERS | COMMAND_MAY_ENTER))
		populate_heap();
	cli->program_argv = argv;
	cli->argc = (int)words.n;
	cli->argv = words.argv;
	return cli->command->fn(cli, err);
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	struct err err = ERR_INIT;
	int rc;

	/* before anything is opened: a descriptor of ours must not become the container's stdio */
	rc = fd_ensure_stdio(&err);
	if (!rc)
		rc = run_program(&cli, argc, argv, &err);
	if (rc < 0)
		log_error("%s", err.msg);
	if (cli.has_runtime)
		runtime_close(&cli.runtime);
	arena_release(&cli.arena);
	if (rc < 0)
		return cli.usage_error ? EXIT_USAGE : EXIT_FAILED;
	return rc;
}
