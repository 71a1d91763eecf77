/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations on containers, each one call of the function that the command of hull-oci calls on
 * a host. They run in a child (job.c) whose standard streams are those of the process to be made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "microvm/guest/ops.h"

#define UNUSED(x) (void)(x)

static char *bundle_path(const struct guest *g, const char *id)
{
	return mem_xprintf("%s/bundles/%s", g->place.dir, id);
}

/* The result of a job that makes a process. */
static int pass_pid(pid_t pid, int fd, struct err *err)
{
	int rc = io_write(fd, &pid, sizeof(pid));

	return rc < 0 ? err_code(err, -rc, "write a result") : 0;
}

/* ---- create and delete ---- */

static int make_bundle(const char *bundle, const char *config, struct err *err)
{
	int rc = path_mkdirs(bundle, 0755, err);

	if (rc < 0)
		return rc;

	CLOSE_FD int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(err, "open '%s'", bundle);
	return io_replace_file(dir, "config.json", 0600, config, strlen(config), err);
}

/* What the host has put there stays. */
static void undo_bundle(const char *bundle)
{
	FREE char *config = mem_xprintf("%s/config.json", bundle);

	(void)unlink(config);
	(void)rmdir(bundle);
}

/* Mounts below it are the host's and stay; so does the directory then. */
static void remove_bundle(const struct guest *g, const char *id)
{
	FREE char *bundles = mem_xprintf("%s/bundles", g->place.dir);
	CLOSE_FD int dir = open(bundles, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		(void)!path_remove_tree(dir, id, NULL);
}

static int furnish(void *arg, pid_t pid, struct err *err)
{
	return net_furnish(arg, pid, err);
}

int op_create(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	      int fd, struct err *err)
{
	const struct process *p = arg;
	const struct netconf *network = guest_network_of(g, q->container);
	int rc = container_check_id(q->container, err);

	if (rc < 0)
		return rc;

	FREE char *bundle = bundle_path(g, q->container);
	pid_t pid = 0;
	const struct create_options o = {
		.bundle = bundle,
		.console_socket = stdio_console(p->io),
		.ret_pid = &pid,
		.no_pivot = q->no_pivot,
		.no_new_keyring = q->no_new_keyring,
		.furnish_network = network ? furnish : NULL,
		.network_arg = (void *)network,
		.passwd = q->passwd,
	};

	rc = make_bundle(bundle, q->text, err);
	if (rc == 0)
		rc = container_create(rt, q->container, &o, err);
	if (rc < 0) {
		undo_bundle(bundle);
		return rc;
	}
	return pass_pid(pid, fd, err);
}

int op_delete(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	      int fd, struct err *err)
{
	int rc = container_check_id(q->container, err);

	UNUSED(arg);
	UNUSED(fd);
	if (rc == 0)
		rc = container_delete(rt, q->container, q->force, err);
	if (rc == 0)
		remove_bundle(g, q->container);
	return rc;
}

/* ---- exec ---- */

/* A file that holds text, by a path; *ret_fd must stay open. */
static int make_file(const char *text, int *ret_fd, char **ret_path, struct err *err)
{
	CLOSE_FD int fd = memfd_create("hull-text", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_sys(err, "memfd_create");
	rc = io_write(fd, text, strlen(text));
	if (rc < 0)
		return err_code(err, -rc, "write a file in memory");
	*ret_path = mem_xprintf("/proc/self/fd/%d", fd);
	*ret_fd = fd_take(&fd);
	return 0;
}

int op_exec(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	    int fd, struct err *err)
{
	const struct process *p = arg;
	pid_t pid = 0;
	FREE char *process = NULL;
	CLOSE_FD int file = -1;
	int status = 0;
	int rc = q->text ? make_file(q->text, &file, &process, err) : 0;

	UNUSED(g);
	if (rc < 0)
		return rc;

	const struct exec_options o = {
		.process_file = process,
		.args = (const char *const *)q->args,
		.cwd = q->cwd,
		.env = (const char *const *)q->env,
		.tty = stdio_console(p->io),
		.has_user = q->uid != NO_ID,
		.uid = q->uid,
		.has_gid = q->gid != NO_ID,
		.gid = q->gid,
		.groups = q->groups.list,
		.n_groups = q->groups.n,
		.caps = (const char *const *)q->caps,
		.selinux_label = q->selinux_label,
		.apparmor_profile = q->apparmor_profile,
		.no_new_privs = q->no_new_privs,
		.passwd = q->passwd,
		.console_socket = stdio_console(p->io),
		.ret_pid = &pid,
		.detach = true,
	};

	rc = container_exec(rt, q->container, &o, &status, err);
	return rc < 0 ? rc : pass_pid(pid, fd, err);
}

/* ---- the others ---- */

int op_start(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	     int fd, struct err *err)
{
	UNUSED(g);
	UNUSED(arg);
	UNUSED(fd);
	return container_start(rt, q->container, err);
}

int op_signal(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	      int fd, struct err *err)
{
	UNUSED(g);
	UNUSED(arg);
	UNUSED(fd);
	return container_kill(rt, q->container, (int)q->signal, q->all, err);
}

int op_update(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	      int fd, struct err *err)
{
	JSON *doc = NULL;
	int rc = json_parse("resources", q->text, strlen(q->text), &doc, err);

	UNUSED(g);
	UNUSED(arg);
	UNUSED(fd);
	return rc < 0 ? rc : container_update(rt, q->container, json_root(doc), NULL, NULL, err);
}

int op_pause(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	     int fd, struct err *err)
{
	UNUSED(g);
	UNUSED(arg);
	UNUSED(fd);
	return container_pause(rt, q->container, err);
}

int op_resume(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	      int fd, struct err *err)
{
	UNUSED(g);
	UNUSED(arg);
	UNUSED(fd);
	return container_resume(rt, q->container, err);
}

int op_stats(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	     int fd, struct err *err)
{
	UNUSED(g);
	UNUSED(arg);
	return container_events(rt, q->container, 0, fd, err);
}
