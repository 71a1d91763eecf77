// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The processes of a group: listed, signalled. A container may have made groups of its own below
 * its group, so both look at the whole sub-tree; a threaded cgroup2 group lists threads only, which
 * are counted as the processes they belong to.
 *
 * See cgroup-v2.rst, "Threads" and "cgroup.kill".
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"

#define PROCS_FILE_MAX (64u << 20)
#define SIGNAL_ROUNDS  100

struct cgroup_hier *cgroup_main_hier(struct cgroup *cg)
{
	if (cg->at[CTRL_FREEZER])
		return cg->at[CTRL_FREEZER];
	return cg->v2 ? cg->v2 : &cg->hiers[0];
}

static void add_pid(struct cgroup_pid_list *list, pid_t pid)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 64;
		list->pids = mem_xrealloc(list->pids, list->cap, sizeof(*list->pids));
	}
	list->pids[list->n++] = pid;
}

/* The process that thread tid belongs to; tid itself when it is gone. */
static pid_t process_of(pid_t tid)
{
	char path[32], text[1024];
	char *rest = text, *line;
	uint32_t tgid;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (cgroup_read_at(AT_FDCWD, path, text, sizeof(text), NULL) < 0)
		return tid;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, "Tgid:\t", 6) == 0 && parse_u32(line + 6, &tgid) == 0)
			return (pid_t)tgid;
	return tid;
}

static int read_pids(int fd, void *ctx, struct err *err)
{
	struct cgroup_pid_list *list = ctx;
	BUF text = BUF_INIT;
	char *rest, *line;
	bool threads = false;
	int r = io_read_file(fd, "cgroup.procs", PROCS_FILE_MAX, &text, err);

	if (r == -EOPNOTSUPP) {
		threads = true;
		r = io_read_file(fd, "cgroup.threads", PROCS_FILE_MAX, &text, err);
	}
	/* The group went away while we looked. */
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	rest = text.data;
	while ((line = cgroup_word(&rest, "\n"))) {
		uint32_t pid;

		/* 0 is a process that this pid namespace does not see. */
		if (parse_u32(line, &pid) == 0 && pid > 0)
			add_pid(list, threads ? process_of((pid_t)pid) : (pid_t)pid);
	}
	return 0;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int cgroup_hier_pids(struct cgroup_hier *h, struct cgroup_pid_list *list, struct err *err)
{
	const struct cgroup_visitor v = {.pre = read_pids, .ctx = list};
	int dirfd = cgroup_hier_fd(h, err);
	size_t n = 0;
	int r;

	if (dirfd < 0)
		return dirfd == -ENOENT ? 0 : dirfd;
	r = cgroup_walk(dirfd, &v, err);
	if (r < 0 || list->n == 0)
		return r;
	/* One process may be seen twice: by its threads, or moving while we look. */
	qsort(list->pids, list->n, sizeof(*list->pids), compare_pids);
	for (size_t i = 0; i < list->n; i++)
		if (i == 0 || list->pids[i] != list->pids[n - 1])
			list->pids[n++] = list->pids[i];
	list->n = n;
	return 0;
}

int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *err)
{
	struct cgroup_pid_list list = {0};
	int r;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return cgroup_disabled(err, "list the processes of the container");
	r = cgroup_hier_pids(cgroup_main_hier(cg), &list, err);
	if (r < 0) {
		free(list.pids);
		return r;
	}
	*ret = list.pids;
	*ret_n = list.n;
	return 0;
}

/* ---- signals ---- */

/* Signals those of now that are not in before. *ret_new: how many that were. */
static int signal_new(const struct cgroup_pid_list *now, const struct cgroup_pid_list *before,
		      int sig, size_t *ret_new, struct err *err)
{
	*ret_new = 0;
	for (size_t i = 0; i < now->n; i++) {
		if (before->n > 0 &&
		    bsearch(&now->pids[i], before->pids, before->n, sizeof(pid_t), compare_pids))
			continue;
		(*ret_new)++;
		if (kill(now->pids[i], sig) < 0 && errno != ESRCH)
			return err_sys(err, "send signal %d to process %d", sig, now->pids[i]);
	}
	return 0;
}

/*
 * Lists and signals until a list brings nothing new: one round in a group that is frozen, more in
 * one whose processes go on making others.
 */
static int signal_listed(struct cgroup *cg, int sig, struct err *err)
{
	struct cgroup_pid_list before = {0};
	int r = 0;

	for (int round = 0; round < SIGNAL_ROUNDS; round++) {
		struct cgroup_pid_list now = {0};
		size_t n_new = 0;

		r = cgroup_hier_pids(cgroup_main_hier(cg), &now, err);
		if (r == 0)
			r = signal_new(&now, &before, sig, &n_new, err);
		free(before.pids);
		before = now;
		if (r < 0 || n_new == 0)
			break;
	}
	free(before.pids);
	return r;
}

int cgroup_signal(struct cgroup *cg, int sig, struct err *err)
{
	struct err e;
	int frozen, r;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return cgroup_disabled(err, "signal all processes of the container");
	if (sig == SIGKILL && !cg->at[CTRL_FREEZER] && cg->v2) {
		r = cgroup_write(cg->v2, "cgroup.kill", "1", err);
		if (r == 0)
			return 0;
	}
	frozen = cgroup_is_frozen(cg, NULL);
	/* A group that cannot be frozen, or not in time, is signalled all the same. */
	if (frozen == 0 && cgroup_freeze(cg, true, &e) < 0)
		log_debug("signal cgroup '%s' without freezing it: %s", cg->path, e.msg);
	r = signal_listed(cg, sig, err);
	/* What was paused before stays paused, but a killed process must run to die. */
	if (frozen <= 0 || sig == SIGKILL) {
		int thaw = cgroup_freeze(cg, false, &e);

		if (r == 0 && thaw < 0 && thaw != -EOPNOTSUPP)
			r = err_set(err, -thaw, "signal cgroup '%s': %s", cg->path, e.msg);
	}
	return r;
}
