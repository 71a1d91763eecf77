/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci checkpoint and restore, for containers in virtual machines. Options that tell CRIU what to
 * do about processes and sockets mean nothing to a whole machine and are taken without a word; those
 * whose callers rely on what they do are refused.
 */
#include <errno.h>

#include "runtime/oci/oci.h"

#define IMAGE "checkpoint" /* where runc puts it, too */

struct criu_options {
	bool tcp_established, tcp_skip_in_flight, tcp_close, link_remap, ext_unix_sk, shell_job,
		file_locks, auto_dedup;
	const char *work_path, *manage_cgroups_mode, *empty_ns, *lsm_profile, *lsm_mount_context;
	/* refused */
	bool lazy_pages, pre_dump;
	const char *parent_path, *page_server, *status_fd;
};

struct checkpoint_command {
	struct checkpoint_options o;
	struct criu_options criu;
};

struct restore_command {
	struct create_options o;
	struct criu_options criu;
};

#define CRIU_OPTIONS(type)                                                                          \
	{"work-path", 0, OPT_STRING, offsetof(type, criu.work_path), "DIR", NULL},                  \
		{"tcp-established", 0, OPT_BOOL, offsetof(type, criu.tcp_established), NULL, NULL}, \
		{"tcp-skip-in-flight",                                                              \
		 0,                                                                                 \
		 OPT_BOOL,                                                                          \
		 offsetof(type, criu.tcp_skip_in_flight),                                           \
		 NULL,                                                                              \
		 NULL},                                                                             \
		{"tcp-close", 0, OPT_BOOL, offsetof(type, criu.tcp_close), NULL, NULL},             \
		{"link-remap", 0, OPT_BOOL, offsetof(type, criu.link_remap), NULL, NULL},           \
		{"ext-unix-sk", 0, OPT_BOOL, offsetof(type, criu.ext_unix_sk), NULL, NULL},         \
		{"shell-job", 0, OPT_BOOL, offsetof(type, criu.shell_job), NULL, NULL},             \
		{"file-locks", 0, OPT_BOOL, offsetof(type, criu.file_locks), NULL, NULL},           \
		{"auto-dedup", 0, OPT_BOOL, offsetof(type, criu.auto_dedup), NULL, NULL},           \
		{"manage-cgroups-mode",                                                             \
		 0,                                                                                 \
		 OPT_STRING,                                                                        \
		 offsetof(type, criu.manage_cgroups_mode),                                          \
		 "MODE",                                                                            \
		 NULL},                                                                             \
		{"empty-ns", 0, OPT_STRING, offsetof(type, criu.empty_ns), "NAME", NULL},           \
		{"lsm-profile", 0, OPT_STRING, offsetof(type, criu.lsm_profile), "PROFILE", NULL},  \
		{"lsm-mount-context", 0,   OPT_STRING, offsetof(type, criu.lsm_mount_context),      \
		 "CONTEXT",           NULL},                                                        \
		{"lazy-pages", 0, OPT_BOOL, offsetof(type, criu.lazy_pages), NULL, NULL},           \
		{"pre-dump", 0, OPT_BOOL, offsetof(type, criu.pre_dump), NULL, NULL},               \
		{"parent-path", 0, OPT_STRING, offsetof(type, criu.parent_path), "DIR", NULL},      \
		{"page-server", 0, OPT_STRING, offsetof(type, criu.page_server), "ADDRESS", NULL},  \
		{"status-fd", 0, OPT_STRING, offsetof(type, criu.status_fd), "FD", NULL},

#define AT(member) offsetof(struct checkpoint_command, member)
static const struct opt checkpoint_opts[] = {
	{"image-path", 0, OPT_STRING, AT(o.image_path), "DIR",
	 "directory for the checkpoint (default: " IMAGE ")"},
	{"leave-running", 0, OPT_BOOL, AT(o.leave_running), NULL, "let the container go on"},
	CRIU_OPTIONS(struct checkpoint_command)};
#undef AT

#define AT(member) offsetof(struct restore_command, member)
static const struct opt restore_opts[] = {
	{"image-path", 0, OPT_STRING, AT(o.image_path), "DIR",
	 "directory of the checkpoint (default: " IMAGE ")"},
	{"bundle", 'b', OPT_STRING, AT(o.bundle), "DIR", "directory of the bundle (default: .)"},
	{"console-socket", 0, OPT_STRING, AT(o.console_socket), "SOCKET",
	 "unix socket that is sent the terminal's master"},
	{"pid-file", 0, OPT_STRING, AT(o.pid_file), "FILE", "write the first process' id to FILE"},
	{"detach", 'd', OPT_BOOL, AT(o.detach), NULL, "do not wait for the container's end"},
	{"no-subreaper", 0, OPT_BOOL, AT(o.no_subreaper), NULL,
	 "do not adopt the container's orphans"},
	{"no-pivot", 0, OPT_BOOL, AT(o.no_pivot), NULL, NULL},
	CRIU_OPTIONS(struct restore_command)};
#undef AT

static const struct opt_grammar checkpoint_grammar = {
	.synopsis = "[OPTIONS] ID",
	.opts = checkpoint_opts,
	.n_opts = ARRAY_SIZE(checkpoint_opts),
	.min_args = 1,
	.max_args = 1,
};

static const struct opt_grammar restore_grammar = {
	.synopsis = "[OPTIONS] ID",
	.opts = restore_opts,
	.n_opts = ARRAY_SIZE(restore_opts),
	.min_args = 1,
	.max_args = 1,
};

static int refuse(const struct criu_options *o, struct err *err)
{
	const struct {
		bool given;
		const char *name;
	} refused[] = {
		{o->lazy_pages, "lazy-pages"},   {o->pre_dump, "pre-dump"},
		{o->parent_path, "parent-path"}, {o->page_server, "page-server"},
		{o->status_fd, "status-fd"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (refused[i].given)
			return err_set(err, EOPNOTSUPP, "option '--%s' is not supported",
				       refused[i].name);
	}
	return 0;
}

int cmd_checkpoint(struct cli *cli, struct err *err)
{
	struct checkpoint_command c = {.o.image_path = IMAGE};
	int rc = cli_options(cli, &checkpoint_grammar, &c, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if ((rc = refuse(&c.criu, err)) < 0 || (rc = cli_runtime(cli, err)))
		return rc;
	return container_checkpoint(&cli->runtime, cli->args.argv[0], &c.o, err);
}

int cmd_restore(struct cli *cli, struct err *err)
{
	struct restore_command c = {.o.image_path = IMAGE};
	int status = 0, rc = cli_options(cli, &restore_grammar, &c, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if ((rc = refuse(&c.criu, err)) < 0 || (rc = cli_runtime(cli, err)))
		return rc;
	rc = container_run(&cli->runtime, cli->args.argv[0], &c.o, &status, err);
	return rc < 0 ? rc : status;
}
