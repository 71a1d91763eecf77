/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci ps: the processes of a container's cgroup, as a JSON array of their ids in the runtime's
 * pid namespace, or as those lines of ps(1) whose PID column has one of them. ps runs on the host
 * with the arguments behind the container's id ("-ef" when there are none).
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/parse.h"
#include "runtime/oci/oci.h"
#include "runtime/vm_control.h"

#define PS_OUTPUT_MAX (64u << 20)

extern char **environ;

struct ps_options {
	const char *format;
};

struct pids {
	pid_t *list;
	size_t n;
	bool in_guest;
};

#define AT(member) offsetof(struct ps_options, member)
static const struct opt opts[] = {
	{"format", 'f', OPT_STRING, AT(format), "FORMAT", "table (default) or json"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS] ID [PS-ARGUMENTS]",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = OPT_ANY_NUMBER,
	.in_order = true,
};

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* As the guest counts them; no other program on this host knows them. */
static int read_guest_pids(const struct container *c, struct pids *ret, struct err *err)
{
	BUF text = BUF_INIT;
	int rc = vm_control_call(c, VM_CONTROL_PS, 0, -1, &text, err);
	char *line, *rest;
	uint32_t pid;

	if (rc)
		return rc;
	buf_addc(&text, '\0');
	rest = text.data;
	ret->list = mem_xcalloc(text.len, sizeof(*ret->list));
	while ((line = strsep(&rest, "\n"))) {
		if (parse_u32(line, &pid) == 0 && pid <= INT32_MAX)
			ret->list[ret->n++] = (pid_t)pid;
	}
	return 0;
}

static int read_pids(struct cli *cli, const char *id, struct pids *ret, struct err *err)
{
	struct container *c;
	struct cgroup *cg;
	int rc;

	rc = container_open(&cli->runtime, id, CONTAINER_LOCK_NONE, &c, err);
	if (rc)
		return rc;
	if (c->cgroup_manager == CGROUP_MANAGER_DISABLED)
		rc = err_set(err, EOPNOTSUPP,
			     "container '%s' has no cgroup that tells its processes", id);
	if (!rc)
		rc = container_cgroup(c, &cg, err);
	ret->in_guest = c->is_vm && c->status != CONTAINER_STOPPED;
	if (!rc && ret->in_guest)
		rc = read_guest_pids(c, ret, err);
	else if (!rc && !c->is_vm)
		rc = cgroup_pids(cg, &ret->list, &ret->n, err);
	if (!rc && ret->n)
		qsort(ret->list, ret->n, sizeof(*ret->list), compare_pids);
	container_close(c);
	return rc;
}

static int print_json(const struct pids *pids, struct err *err)
{
	struct json_writer *w = json_w_new(false);
	BUF out = BUF_INIT;

	json_w_array(w, NULL);
	for (size_t i = 0; i < pids->n; i++)
		json_w_i64(w, NULL, pids->list[i]);
	json_w_end(w);
	json_w_finish(w, &out);
	buf_addc(&out, '\n');
	return cli_print(&out, err);
}

/* Starts ps with its standard output in a pipe. Returns the pipe's reading end. */
static int spawn_ps(char **argv, pid_t *ret_pid, struct err *err)
{
	CLOSE_FD int out = -1, in = -1;
	posix_spawn_file_actions_t actions;
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	out = fds[0];
	in = fds[1];
	rc = posix_spawn_file_actions_init(&actions);
	if (rc)
		return err_code(err, rc, "run 'ps'");
	rc = posix_spawn_file_actions_adddup2(&actions, in, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawnp(ret_pid, "ps", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc)
		return err_code(err, rc, "run 'ps'");
	return fd_take(&out);
}

static int run_ps(char **argv, struct buf *out, struct err *err)
{
	CLOSE_FD int fd = -1;
	int rc, status;
	pid_t pid;

	fd = spawn_ps(argv, &pid, err);
	if (fd < 0)
		return fd;
	rc = io_read_all(fd, "ps", PS_OUTPUT_MAX, out, err);
	fd_replace(&fd, -1); /* a ps that still writes after an error must not block */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc)
		return rc;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(err, EIO, "ps failed");
	return 0;
}

/* The field'th word of line, counted from 0; NULL when it has fewer. */
static char *line_field(struct arena *a, const char *line, int field)
{
	size_t len;

	for (;;) {
		line += strspn(line, " \t");
		len = strcspn(line, " \t");
		if (!len)
			return NULL;
		if (!field--)
			return arena_strndup(a, line, len);
		line += len;
	}
}

static int pid_column(struct arena *a, const char *header, struct err *err)
{
	char *word;

	for (int i = 0; (word = line_field(a, header, i)); i++) {
		if (!strcmp(word, "PID"))
			return i;
	}
	return err_set(err, EINVAL, "ps: its output has no PID column");
}

static bool has_pid(const struct pids *pids, const char *word)
{
	uint32_t number;
	pid_t pid;

	if (!word || parse_u32(word, &number) || number > INT32_MAX)
		return false;
	pid = (pid_t)number;
	return pids->n && bsearch(&pid, pids->list, pids->n, sizeof(pid), compare_pids);
}

/* Adds the header and every line of text (which is cut up) that shows one of pids. */
static int filter_lines(char *text, const struct pids *pids, struct buf *out, struct err *err)
{
	struct arena a = ARENA_INIT;
	char *line, *rest = text;
	int column = -1;

	while ((line = strsep(&rest, "\n"))) {
		if (column < 0) {
			column = pid_column(&a, line, err);
			if (column < 0)
				break;
			buf_addf(out, "%s\n", line);
		} else if (has_pid(pids, line_field(&a, line, column))) {
			buf_addf(out, "%s\n", line);
		}
	}
	arena_release(&a);
	return column < 0 ? column : 0;
}

static int print_table(struct cli *cli, const struct pids *pids, struct err *err)
{
	static char default_args[] = "-ef";
	char **argv = arena_alloc(&cli->arena, cli->args.n + 2, sizeof(*argv));
	BUF text = BUF_INIT, out = BUF_INIT;
	int rc;

	memcpy(argv, cli->args.argv, cli->args.n * sizeof(*argv));
	argv[0] = cli->argv[0]; /* "ps" */
	if (cli->args.n == 1)
		argv[1] = default_args;
	rc = run_ps(argv, &text, err);
	if (rc)
		return rc;
	buf_addc(&text, '\0'); /* text.data is not NULL from here on */
	rc = filter_lines(text.data, pids, &out, err);
	return rc ? rc : cli_print(&out, err);
}

/* A guest's text must not reach the terminal as control sequences. */
static void make_printable(struct buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		if ((c < ' ' && c != '\n') || c == 0x7f)
			text->data[i] = '?';
	}
}

static int print_guest_table(struct cli *cli, struct err *err)
{
	struct container *c;
	BUF text = BUF_INIT;
	int rc;

	if (cli->args.n > 1)
		return err_set(err, ENOTSUP,
			       "ps arguments are not supported for a container in a virtual machine");
	rc = container_open(&cli->runtime, cli->args.argv[0], CONTAINER_LOCK_NONE, &c, err);
	if (rc)
		return rc;
	rc = vm_control_call(c, VM_CONTROL_PS_TABLE, 0, -1, &text, err);
	container_close(c);
	if (rc)
		return rc;
	make_printable(&text);
	return cli_print(&text, err);
}

int cmd_ps(struct cli *cli, struct err *err)
{
	struct ps_options o = {.format = "table"};
	struct pids pids = {0};
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	if (strcmp(o.format, "table") && strcmp(o.format, "json"))
		return cli_usage(cli, err, "option '--format': '%s' is not table or json",
				 o.format);
	rc = cli_runtime(cli, err);
	if (!rc)
		rc = read_pids(cli, cli->args.argv[0], &pids, err);
	if (rc)
		return rc;
	if (!strcmp(o.format, "json"))
		rc = print_json(&pids, err);
	else
		rc = pids.in_guest ? print_guest_table(cli, err) : print_table(cli, &pids, err);
	free(pids.list);
	return rc;
}
