/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci from the inside: what main.c hands to a command and what the commands share. A command
 * is one function in cmd_NAME.c; it reads its own options, calls runtime.h and returns an exit
 * status or -errno with the reason in err. Only main.c prints errors.
 */
#ifndef HULL_OCI_H
#define HULL_OCI_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "runtime/oci/options.h"
#include "runtime/runtime.h"

/* Global options; see main.c for the table. */
struct cli_globals {
	bool debug, systemd_cgroup, version;
	const char *log, *log_format, *log_level;
	const char *root, *cgroup_manager, *rootless;
};

struct command;

struct cli {
	const struct command *command;
	struct cli_globals globals;
	int argc; /* the command's own words; argv[0] is its name */
	char **argv;
	char **program_argv;
	struct arena arena;    /* lives until exit */
	struct opt_words args; /* positional arguments, after cli_options */
	bool usage_error;      /* the command line itself is wrong */
	bool prefers_vm;       /* called as hull-oci-vm */
	bool has_runtime;
	struct runtime runtime; /* after cli_runtime */
};

enum command_flags {
	COMMAND_CREATES =
		1 << 0, /* makes a container: the state root is made, the cgroup driver decided */
	COMMAND_HIDDEN = 1 << 1, /* not in the help text */
	COMMAND_ENTERS = 1 << 2, /* enters a container: the own binary is protected first */
	COMMAND_MAY_ENTER = 1 << 3, /* the same, but the command has it protected when it does */
};

struct command {
	const char *name;
	int (*fn)(struct cli *cli, struct err *err); /* exit status (>= 0) or -errno */
	const char *summary;
	unsigned int flags; /* enum command_flags */
};

/*
 * Reads the command's options into target and its positional arguments into cli->args. Returns 0,
 * OPT_HELP when the help text was asked for and has been printed, or -errno. The caller returns any
 * negative number as it is and 0 for OPT_HELP.
 */
int cli_options(struct cli *cli, const struct opt_grammar *g, void *target,
		struct err *err) MUST_CHECK;

/* A mistake in the command line that options_parse cannot see. Returns -EINVAL. */
int cli_usage(struct cli *cli, struct err *err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Opens the state root named by the global options; cli->runtime is closed by main. */
int cli_runtime(struct cli *cli, struct err *err) MUST_CHECK;

/* Writes b to standard output. */
int cli_print(const struct buf *b, struct err *err) MUST_CHECK;

/*
 * Calls fn for each container that args name: the one id, or, with regex, every container whose id
 * the extended regular expression matches. A failure does not keep the others from their turn; the
 * first one is returned.
 */
int cli_each_container(struct cli *cli, bool regex, const char *id,
		       int (*fn)(struct cli *cli, const char *id, void *data, struct err *err),
		       void *data, struct err *err) MUST_CHECK;

/* In cmd_create.c beside create's; the target is a struct create_options. */
extern const struct opt_grammar cli_run_grammar;

int cmd_create(struct cli *cli, struct err *err);
int cmd_start(struct cli *cli, struct err *err);
int cmd_run(struct cli *cli, struct err *err);
int cmd_state(struct cli *cli, struct err *err);
int cmd_kill(struct cli *cli, struct err *err);
int cmd_delete(struct cli *cli, struct err *err);
int cmd_exec(struct cli *cli, struct err *err);
int cmd_ps(struct cli *cli, struct err *err);
int cmd_list(struct cli *cli, struct err *err);
int cmd_pause(struct cli *cli, struct err *err);
int cmd_resume(struct cli *cli, struct err *err);
int cmd_update(struct cli *cli, struct err *err);
int cmd_events(struct cli *cli, struct err *err);
int cmd_spec(struct cli *cli, struct err *err);
int cmd_features(struct cli *cli, struct err *err);
int cmd_check_kernel(struct cli *cli, struct err *err);
int cmd_checkpoint(struct cli *cli, struct err *err);
int cmd_restore(struct cli *cli, struct err *err);

#endif
