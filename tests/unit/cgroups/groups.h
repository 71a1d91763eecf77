/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real groups for tests: "/hull-test-PID", made, filled with processes that wait, looked into, and
 * removed by the teardown whatever a test left. Needs root; a host whose hierarchies cannot be
 * written to skips. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_CGROUPS_GROUPS_H
#define HULL_TESTS_UNIT_CGROUPS_GROUPS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups/internal.h"

#define PIDS_MAX 8

struct group {
	struct cgroup *cg;
	char path[64];
	pid_t pids[PIDS_MAX]; /* children that wait, ended by the teardown */
	size_t n_pids;
};

#define CHECK_OK(call, e)                                                                          \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (rc_ < 0)                                                                       \
			print_message("# %s:%d: %s\n", __FILE__, __LINE__, (e).msg);               \
		assert_true(rc_ >= 0);                                                             \
	} while (0)

/* The call fails with -errnum and its message holds text. */
#define CHECK_FAILS(call, errnum, e, text)                                                         \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (rc_ != -(errnum) || !strstr((e).msg, text))                                    \
			print_message("# %s:%d: %d, %s\n", __FILE__, __LINE__, rc_, (e).msg);      \
		assert_int_equal(rc_, -(errnum));                                                  \
		assert_non_null(strstr((e).msg, text));                                            \
	} while (0)

/* For cmocka_unit_test_setup_teardown; *state is the struct group. */
static inline int group_setup(void **state)
{
	struct group *g = mem_xalloc(sizeof(*g));
	struct err e = ERR_INIT;

	(void)snprintf(g->path, sizeof(g->path), "/hull-test-%d", getpid());
	if (cgroup_open(CGROUP_MANAGER_CGROUPFS, g->path, &g->cg, &e) < 0) {
		print_message("# %s\n", e.msg);
		free(g);
		return -1;
	}
	*state = g;
	return 0;
}

static inline int group_teardown(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	int r;

	for (size_t i = 0; i < g->n_pids; i++) {
		(void)kill(g->pids[i], SIGKILL);
		(void)kill(g->pids[i], SIGCONT);
	}
	r = g->n_pids > 0 ? cgroup_freeze(g->cg, false, &e) : 0;
	if (r < 0 && r != -ENOENT)
		print_message("# %s\n", e.msg);
	for (size_t i = 0; i < g->n_pids; i++)
		(void)waitpid(g->pids[i], NULL, 0);
	r = cgroup_destroy(g->cg, &e);
	if (r < 0)
		print_message("# %s\n", e.msg);
	for (size_t i = 0; i < g->cg->n_hiers; i++) {
		if (access(g->cg->hiers[i].dir, F_OK) == 0) {
			print_message("# '%s' is left\n", g->cg->hiers[i].dir);
			r = -1;
		}
	}
	cgroup_free(g->cg);
	free(g);
	return r;
}

static inline void need_root(void)
{
	if (geteuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
}

/* Makes the group; skips where root may not. */
static inline void group_create(struct group *g, const struct cgroup_limits *l)
{
	struct err e = ERR_INIT;
	int r;

	need_root();
	r = cgroup_create(g->cg, l, &e);
	if (r == -EROFS || r == -EACCES) {
		print_message("# needs writable cgroups: %s\n", e.msg);
		skip();
	}
	CHECK_OK(r, e);
}

/* Where the host has a controller for the group: NULL nowhere. */
static inline struct cgroup_hier *group_at(struct group *g, enum cgroup_ctrl ctrl)
{
	cgroup_v2_load(g->cg);
	return g->cg->at[ctrl];
}

static inline struct cgroup_hier *need_controller(struct group *g, enum cgroup_ctrl ctrl)
{
	struct cgroup_hier *h = group_at(g, ctrl);

	if (!h) {
		print_message("# needs a host with controller '%s'\n",
			      cgroup_ctrl_name(ctrl, false));
		skip();
	}
	return h;
}

/* The file's content in ctrl's hierarchy, v1 or v2 name; "" when there is no such file. */
static inline const char *group_value(struct group *g, enum cgroup_ctrl ctrl, const char *v1,
				      const char *v2)
{
	static char text[4096];
	struct cgroup_hier *h = group_at(g, ctrl);

	text[0] = '\0';
	if (h && cgroup_read(h, h->v2 ? v2 : v1, text, sizeof(text), NULL) < 0)
		text[0] = '\0';
	return text;
}

/* A child that runs body in the group (by its own join) and then exits with what body returned. */
static inline pid_t group_fork(struct group *g, int (*body)(void *), void *arg)
{
	int ready[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = ERR_INIT;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (cgroup_join(g->cg, 0, false, &e) < 0) {
			fprintf(stderr, "# %s\n", e.msg);
			_exit(99);
		}
		(void)!write(ready[1], "x", 1);
		_exit(body(arg));
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	assert_true(g->n_pids < PIDS_MAX);
	g->pids[g->n_pids++] = pid;
	return pid;
}

static inline int body_wait(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return 0;
}

static inline pid_t group_add(struct group *g)
{
	return group_fork(g, body_wait, NULL);
}

/* Waits for a child of group_add or group_fork; its wait status. */
static inline int group_wait(struct group *g, pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < g->n_pids; i++)
		if (g->pids[i] == pid)
			g->pids[i] = g->pids[--g->n_pids];
	return status;
}

/* The path that /proc/PID/cgroup gives for hierarchy h of the process, in a static buffer. */
static inline const char *path_of(pid_t pid, const struct cgroup_hier *h)
{
	static char text[8192];
	char file[32];
	char *rest = text, *line;

	(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	assert_true(cgroup_read_at(AT_FDCWD, file, text, sizeof(text), NULL) > 0);
	while ((line = strsep(&rest, "\n"))) {
		const char *id = strsep(&line, ":"), *names = strsep(&line, ":");

		if (line && (h->v2 ? strcmp(id, "0") == 0 : strcmp(names, h->names) == 0))
			return line;
	}
	return "";
}

#endif
