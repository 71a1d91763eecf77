/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, joining and removing groups on the host at hand, and what is refused. */
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/sys.h"
#include "tests/unit/cgroups/groups.h"
#include "tests/unit/leaks.h"

static const struct cgroup_limits no_limits;

static void a_group_in_every_hierarchy(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	pid_t pid;

	group_create(g, &no_limits);
	pid = group_add(g);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_string_equal(path_of(pid, &g->cg->hiers[i]), g->path);
	kill(pid, SIGKILL);
	(void)group_wait(g, pid);
	CHECK_OK(cgroup_destroy(g->cg, &e), e);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_int_equal(access(g->cg->hiers[i].dir, F_OK), -1);
	/* A second time there is nothing to do. */
	CHECK_OK(cgroup_destroy(g->cg, &e), e);
}

/* A process that another one moves by its number. */
static void join_by_number(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	pid_t pid;

	group_create(g, &no_limits);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body_wait(NULL));
	g->pids[g->n_pids++] = pid;
	CHECK_OK(cgroup_join(g->cg, pid, false, &e), e);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_string_equal(path_of(pid, &g->cg->hiers[i]), g->path);
	kill(pid, SIGKILL);
	(void)group_wait(g, pid);
	CHECK_FAILS(cgroup_join(g->cg, pid, false, &e), ESRCH, e, "join cgroup");
}

static void born_into_cgroup2(void **state)
{
	struct group *g = *state;
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	struct err e = ERR_INIT;
	pid_t pid;

	group_create(g, &no_limits);
	if (cgroup_v2_fd(g->cg) < 0) {
		print_message("# needs cgroup2\n");
		skip();
	}
	args.cgroup = (uint64_t)cgroup_v2_fd(g->cg);
	pid = sys_clone3(&args, sizeof(args));
	assert_true(pid >= 0);
	if (pid == 0) {
		if (cgroup_join(g->cg, 0, true, &e) < 0)
			_exit(1);
		_exit(body_wait(NULL));
	}
	g->pids[g->n_pids++] = pid;
	assert_string_equal(path_of(pid, g->cg->v2), g->path);
}

/* Into the cgroup2 directory first, with the rest made beside the child. */
static void born_before_the_group_is_made(void **state)
{
	static const struct cgroup_unified bad = {"no.such.file", "1"};
	const struct cgroup_limits failing = {.unified = &bad, .n_unified = 1};
	struct group *g = *state;
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	struct err e = ERR_INIT;
	pid_t pid;
	int fd;

	need_root();
	for (int round = 0; round < 2; round++) {
		fd = cgroup_birth_fd(g->cg);
		if (fd < 0 && !g->cg->v2) {
			print_message("# needs cgroup2\n");
			skip();
		}
		assert_true(fd >= 0);
		args.cgroup = (uint64_t)fd;
		pid = sys_clone3(&args, sizeof(args));
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(body_wait(NULL));
		g->pids[g->n_pids++] = pid;
		assert_string_equal(path_of(pid, g->cg->v2), g->path);
		if (round == 1)
			break;
		/* The child is in the way of the undoing until it is gone. */
		assert_true(cgroup_create(g->cg, &failing, &e) < 0);
		assert_non_null(strstr(e.msg, "linux.resources.unified.no.such.file"));
		assert_int_equal(access(g->cg->v2->dir, F_OK), 0);
		kill(pid, SIGKILL);
		(void)group_wait(g, pid);
		CHECK_OK(cgroup_undo(g->cg, &e), e);
		for (size_t i = 0; i < g->cg->n_hiers; i++)
			assert_int_equal(access(g->cg->hiers[i].dir, F_OK), -1);
	}
	CHECK_OK(cgroup_create(g->cg, &no_limits, &e), e);
	CHECK_OK(cgroup_join(g->cg, pid, true, &e), e);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_string_equal(path_of(pid, &g->cg->hiers[i]), g->path);
}

static void nobody_is_born_into_a_group_in_use(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup *again;

	group_create(g, &no_limits);
	(void)group_add(g);
	CHECK_OK(cgroup_open(CGROUP_MANAGER_CGROUPFS, g->path, &again, &e), e);
	assert_int_equal(cgroup_birth_fd(again), -1);
	CHECK_FAILS(cgroup_create(again, &no_limits, &e), EBUSY, e, "is in use");
	CHECK_OK(cgroup_undo(again, &e), e);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_int_equal(access(g->cg->hiers[i].dir, F_OK), 0);
	cgroup_free(again);
}

static void groups_above_are_made_and_undone(void **state)
{
	static const struct cgroup_unified bad = {"no.such.file", "1"};
	const struct cgroup_limits failing = {.unified = &bad, .n_unified = 1};
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup *cg;
	char path[128];

	need_root();
	(void)snprintf(path, sizeof(path), "%s/one/two/three", g->path);
	CHECK_OK(cgroup_open(CGROUP_MANAGER_CGROUPFS, path, &cg, &e), e);
	assert_true(cgroup_create(cg, &failing, &e) < 0);
	assert_non_null(strstr(e.msg, "linux.resources.unified.no.such.file"));
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_int_equal(access(g->cg->hiers[i].dir, F_OK), -1);
	CHECK_OK(cgroup_create(cg, &no_limits, &e), e);
	for (size_t i = 0; i < cg->n_hiers; i++) {
		const struct cgroup_hier *h = &cg->hiers[i];
		char cpus[256];

		assert_int_equal(access(h->dir, F_OK), 0);
		/* A cpuset without processors would take no process. */
		if (!h->v2 && h->ctrls & 1u << CTRL_CPUSET) {
			assert_true(cgroup_read(&cg->hiers[i], "cpuset.cpus", cpus, sizeof(cpus),
						&e) > 0);
			assert_true(cgroup_read(&cg->hiers[i], "cpuset.mems", cpus, sizeof(cpus),
						&e) > 0);
		}
	}
	CHECK_OK(cgroup_destroy(cg, &e), e);
	cgroup_free(cg);
	/* Only the group itself went. */
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_int_equal(access(g->cg->hiers[i].dir, F_OK), 0);
}

static void what_was_there_before_stays_on_failure(void **state)
{
	static const struct cgroup_unified bad = {"no.such.file", "1"};
	const struct cgroup_limits failing = {.unified = &bad, .n_unified = 1};
	struct group *g = *state;
	struct err e = ERR_INIT;

	need_root();
	assert_int_equal(mkdir(g->cg->hiers[0].dir, 0755), 0);
	assert_true(cgroup_create(g->cg, &failing, &e) < 0);
	assert_int_equal(access(g->cg->hiers[0].dir, F_OK), 0);
	for (size_t i = 1; i < g->cg->n_hiers; i++)
		assert_int_equal(access(g->cg->hiers[i].dir, F_OK), -1);
}

static void a_group_in_use_is_refused(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct cgroup *again;
	pid_t pid;

	group_create(g, &no_limits);
	pid = group_add(g);
	CHECK_OK(cgroup_open(CGROUP_MANAGER_CGROUPFS, g->path, &again, &e), e);
	CHECK_FAILS(cgroup_create(again, &no_limits, &e), EBUSY, e, "is in use");
	/* And is not removed for it. */
	assert_string_equal(path_of(pid, &g->cg->hiers[0]), g->path);
	CHECK_OK(cgroup_remove_empty(again, &e), e);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_int_equal(access(g->cg->hiers[i].dir, F_OK), 0);
	kill(pid, SIGKILL);
	(void)group_wait(g, pid);
	/* Empty it may be used. */
	CHECK_OK(cgroup_create(again, &no_limits, &e), e);
	CHECK_OK(cgroup_remove_empty(again, &e), e);
	cgroup_free(again);
}

static void a_frozen_group_is_refused(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	CHECK_OK(cgroup_freeze(g->cg, true, &e), e);
	CHECK_FAILS(cgroup_create(g->cg, &no_limits, &e), EBUSY, e, "frozen");
	CHECK_OK(cgroup_freeze(g->cg, false, &e), e);
}

/* ---- removing ---- */

/* A cpuset takes no process before it has what the one above it has. */
static void fill_cpuset(const char *dir, const char *file)
{
	FREE char *from = mem_xprintf("%s/../%s", dir, file);
	FREE char *to = mem_xprintf("%s/%s", dir, file);
	char value[256];

	assert_true(cgroup_read_at(AT_FDCWD, from, value, sizeof(value), NULL) > 0);
	assert_int_equal(io_write_value(AT_FDCWD, to, value, NULL), 0);
}

static int make_subgroups(struct cgroup *cg, const char *name)
{
	for (size_t i = 0; i < cg->n_hiers; i++) {
		FREE char *dir = mem_xprintf("%s/%s", cg->hiers[i].dir, name);

		if (mkdir(dir, 0755) < 0)
			return -errno;
		if (!cg->hiers[i].v2 && cg->hiers[i].ctrls & 1u << CTRL_CPUSET) {
			fill_cpuset(dir, "cpuset.cpus");
			fill_cpuset(dir, "cpuset.mems");
		}
	}
	return 0;
}

static void subgroups_go_first(void **state)
{
	static const char *const names[] = {"a", "a/b", "a/b/c", "a/d", "e", "e/f"};
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(make_subgroups(g->cg, names[i]), 0);
	CHECK_OK(cgroup_destroy(g->cg, &e), e);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_int_equal(access(g->cg->hiers[i].dir, F_OK), -1);
}

/* Deeper than a path name may be long, and than there are descriptors. */
static void very_deep_subgroups(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	CLOSE_FD int fd = -1;
	size_t depth = 0;

	group_create(g, &no_limits);
	fd = fd_dup(cgroup_hier_fd(cgroup_main_hier(g->cg), &e), &e);
	assert_true(fd >= 0);
	for (; depth < 1500; depth++) {
		if (mkdirat(fd, "deeper", 0755) < 0)
			break;
		fd_replace(&fd, openat(fd, "deeper", O_PATH | O_DIRECTORY | O_CLOEXEC));
		assert_true(fd >= 0);
	}
	print_message("# %zu levels\n", depth);
	assert_true(depth > 100);
	CHECK_OK(cgroup_destroy(g->cg, &e), e);
}

static void processes_that_end_are_waited_for(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	pid_t pid;

	group_create(g, &no_limits);
	assert_int_equal(make_subgroups(g->cg, "sub"), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)usleep(50000);
		_exit(0);
	}
	g->pids[g->n_pids++] = pid;
	CHECK_OK(cgroup_join_sub(g->cg, "sub", pid, &e), e);
	CHECK_OK(cgroup_destroy(g->cg, &e), e);
}

/* ---- sub-groups ---- */

static void exec_into_a_subgroup(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	char path[128];
	pid_t pid;

	group_create(g, &no_limits);
	assert_int_equal(make_subgroups(g->cg, "sub"), 0);
	pid = group_add(g);
	(void)snprintf(path, sizeof(path), "%s/sub", g->path);
	CHECK_OK(cgroup_join_sub(g->cg, "/sub/../sub", pid, &e), e);
	for (size_t i = 0; i < g->cg->n_hiers; i++)
		assert_string_equal(path_of(pid, &g->cg->hiers[i]), path);
	CHECK_OK(cgroup_join_sub(g->cg, "/", pid, &e), e);
	assert_string_equal(path_of(pid, &g->cg->hiers[0]), g->path);
}

static void no_way_out_of_the_group(void **state)
{
	static const char *const paths[] = {"..", "../..", "/..", "sub/../../..",
					    "../../../../../../.."};
	struct group *g = *state;
	struct err e = ERR_INIT;
	pid_t pid;

	group_create(g, &no_limits);
	assert_int_equal(make_subgroups(g->cg, "sub"), 0);
	pid = group_add(g);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		CHECK_OK(cgroup_join_sub(g->cg, paths[i], pid, &e), e);
		for (size_t k = 0; k < g->cg->n_hiers; k++)
			assert_string_equal(path_of(pid, &g->cg->hiers[k]), g->path);
	}
	CHECK_FAILS(cgroup_join_sub(g->cg, "no/such", pid, &e), ENOENT, e, "no/such");
	CHECK_FAILS(cgroup_join_sub(g->cg, "cgroup.procs", pid, &e), ENOTDIR, e, "cgroup.procs");
}

static void single_controllers(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	char path[128];
	pid_t pid;

	group_create(g, &no_limits);
	assert_int_equal(make_subgroups(g->cg, "sub"), 0);
	pid = group_add(g);
	if (g->cg->unified) {
		CHECK_FAILS(cgroup_join_sub(g->cg, "memory:sub", pid, &e), EINVAL, e, "cgroup v2");
		return;
	}
	CHECK_FAILS(cgroup_join_sub(g->cg, "nosuch:sub", pid, &e), EINVAL, e, "nosuch");
	if (!g->cg->at[CTRL_MEMORY] || !g->cg->at[CTRL_PIDS])
		skip();
	(void)snprintf(path, sizeof(path), "%s/sub", g->path);
	CHECK_OK(cgroup_join_sub(g->cg, "memory,pids:sub", pid, &e), e);
	assert_string_equal(path_of(pid, g->cg->at[CTRL_MEMORY]), path);
	assert_string_equal(path_of(pid, g->cg->at[CTRL_PIDS]), path);
	assert_string_equal(path_of(pid, g->cg->at[CTRL_CPUSET]), g->path);
}

/* ---- devices ---- */

struct device_try {
	unsigned int major, minor;
	int flags;
	int want; /* errno of open, 0: opened */
};

/* Opens nodes of its own making; mknod itself is always allowed. */
static int try_devices(void *arg)
{
	const struct device_try *tries = arg;

	for (; tries->major; tries++) {
		char path[64];
		int fd, got;

		(void)snprintf(path, sizeof(path), "/dev/hull-test-%d", getpid());
		(void)unlink(path);
		if (mknod(path, S_IFCHR | 0600, makedev(tries->major, tries->minor)) < 0) {
			fprintf(stderr, "# mknod: %m\n");
			return 98;
		}
		fd = open(path, tries->flags | O_CLOEXEC | O_NOCTTY);
		got = fd < 0 ? errno : 0;
		if (fd >= 0)
			close(fd);
		(void)unlink(path);
		if (got != tries->want) {
			fprintf(stderr, "# %u:%u flags %d: %d\n", tries->major, tries->minor,
				tries->flags, got);
			return 97;
		}
	}
	return 0;
}

static void run_tries(struct group *g, const struct cgroup_device_rule *rules, size_t n,
		      const struct device_try *tries)
{
	const struct cgroup_limits l = {.devices = rules, .n_devices = n};
	struct err e = ERR_INIT;
	pid_t pid;
	int status;

	group_create(g, &l);
	pid = group_fork(g, try_devices, (void *)(uintptr_t)tries);
	status = group_wait(g, pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	CHECK_OK(cgroup_destroy(g->cg, &e), e);
}

#define DENY_ALL                                                                                   \
	{                                                                                          \
		false, 'a', -1, -1, true, true, true                                               \
	}

static void only_allowed_devices_open(void **state)
{
	static const struct cgroup_device_rule rules[] = {
		DENY_ALL,
		{true, 'c', 1, 11, true, false, false},
	};
	static const struct device_try tries[] = {
		{1, 3, O_RDWR, 0},
		{1, 5, O_RDONLY, 0},
		{1, 9, O_RDONLY, 0},
		{1, 1, O_RDONLY, EPERM},
		{10, 229, O_RDWR, EPERM},
		{1, 11, O_RDONLY | O_NONBLOCK, 0},
		{1, 11, O_WRONLY, EPERM},
		{1, 11, O_RDWR, EPERM},
		{0, 0, 0, 0},
	};

	run_tries(*state, rules, ARRAY_SIZE(rules), tries);
}

static void later_rules_win(void **state)
{
	static const struct cgroup_device_rule rules[] = {
		DENY_ALL,
		{true, 'c', 1, 11, true, true, true},
		{false, 'c', 1, -1, false, true, false},
	};
	/* Behind the denial the rules of every container give null back. */
	static const struct device_try tries[] = {
		{1, 3, O_RDWR, 0},
		{1, 11, O_RDONLY | O_NONBLOCK, 0},
		{1, 11, O_WRONLY, EPERM},
		{0, 0, 0, 0},
	};

	run_tries(*state, rules, ARRAY_SIZE(rules), tries);
}

static void everything_but_one(void **state)
{
	static const struct cgroup_device_rule rules[] = {
		{false, 'c', 1, 11, true, true, true},
	};
	static const struct device_try tries[] = {
		{1, 3, O_RDWR, 0},
		{1, 11, O_RDONLY | O_NONBLOCK, EPERM},
		{1, 8, O_RDONLY, 0},
		{0, 0, 0, 0},
	};

	run_tries(*state, rules, ARRAY_SIZE(rules), tries);
}

/* A group that somebody else made, with rules of his: they are replaced. */
static void rules_of_a_group_that_was_there(void **state)
{
	static const struct cgroup_device_rule first[] = {DENY_ALL};
	static const struct cgroup_device_rule second[] = {
		DENY_ALL,
		{true, 'c', 1, 11, true, true, true},
	};
	static const struct device_try tries[] = {
		{1, 11, O_RDONLY | O_NONBLOCK, 0},
		{1, 1, O_RDONLY, EPERM},
		{0, 0, 0, 0},
	};
	const struct cgroup_limits l = {.devices = first, .n_devices = 1};
	struct group *g = *state;
	struct cgroup *other;
	struct err e = ERR_INIT;

	need_root();
	CHECK_OK(cgroup_open(CGROUP_MANAGER_CGROUPFS, g->path, &other, &e), e);
	CHECK_OK(cgroup_create(other, &l, &e), e);
	cgroup_free(other);
	run_tries(g, second, ARRAY_SIZE(second), tries);
}

/* ---- delegation, manager "disabled" ---- */

static void delegated_files(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	struct stat st;

	group_create(g, &no_limits);
	CHECK_OK(cgroup_delegate(g->cg, 1234, 5678, &e), e);
	if (!g->cg->v2)
		skip();
	for (const char *const *file =
		     (const char *const[]){"", "cgroup.procs", "cgroup.subtree_control", NULL};
	     *file; file++) {
		FREE char *path = mem_xprintf("%s/%s", g->cg->v2->dir, *file);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, 1234);
		assert_int_equal(st.st_gid, 5678);
	}
}

static void disabled_touches_nothing(void **state)
{
	static const struct cgroup_device_rule deny[] = {DENY_ALL};
	const struct cgroup_limits unlimited = {
		.memory_limit = {true, -1},
		.devices = deny,
		.n_devices = 1,
	};
	const struct cgroup_limits limited = {.memory_limit = {true, 1 << 20}};
	const struct cgroup_mount_info *mounts;
	struct err e = ERR_INIT;
	struct cgroup *cg;
	uint64_t kills;
	bool unified;
	pid_t *pids;
	size_t n;

	(void)state;
	CHECK_OK(cgroup_open(CGROUP_MANAGER_DISABLED, "/hull-test-disabled", &cg, &e), e);
	CHECK_OK(cgroup_create(cg, &unlimited, &e), e);
	CHECK_FAILS(cgroup_create(cg, &limited, &e), EOPNOTSUPP, e, "linux.resources.memory.limit");
	CHECK_FAILS(cgroup_update(cg, &limited, &e), EOPNOTSUPP, e, "disabled");
	CHECK_FAILS(cgroup_pids(cg, &pids, &n, &e), EOPNOTSUPP, e, "disabled");
	CHECK_FAILS(cgroup_signal(cg, SIGKILL, &e), EOPNOTSUPP, e, "disabled");
	CHECK_FAILS(cgroup_freeze(cg, true, &e), EOPNOTSUPP, e, "disabled");
	CHECK_FAILS(cgroup_oom_kills(cg, &kills, &e), EOPNOTSUPP, e, "disabled");
	CHECK_FAILS(cgroup_oom_watch(cg, &e), EOPNOTSUPP, e, "disabled");
	CHECK_FAILS(cgroup_join_sub(cg, "x", 1, &e), EOPNOTSUPP, e, "disabled");
	assert_int_equal(cgroup_is_frozen(cg, &e), 0);
	/* What a container would see are the groups that the caller is in. */
	CHECK_OK(cgroup_mounts(cg, &mounts, &n, &unified, &e), e);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(access(mounts[i].source, F_OK), 0);
	/* And still nothing is done in them. */
	assert_int_equal(cgroup_v2_fd(cg), -1);
	CHECK_OK(cgroup_join(cg, getpid(), false, &e), e);
	CHECK_OK(cgroup_delegate(cg, 0, 0, &e), e);
	CHECK_OK(cgroup_remove_empty(cg, &e), e);
	CHECK_OK(cgroup_destroy(cg, &e), e);
	cgroup_free(cg);
}

#define GROUP_TEST(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(a_group_in_every_hierarchy),
		GROUP_TEST(join_by_number),
		GROUP_TEST(born_into_cgroup2),
		GROUP_TEST(born_before_the_group_is_made),
		GROUP_TEST(nobody_is_born_into_a_group_in_use),
		GROUP_TEST(groups_above_are_made_and_undone),
		GROUP_TEST(what_was_there_before_stays_on_failure),
		GROUP_TEST(a_group_in_use_is_refused),
		GROUP_TEST(a_frozen_group_is_refused),
		GROUP_TEST(subgroups_go_first),
		GROUP_TEST(very_deep_subgroups),
		GROUP_TEST(processes_that_end_are_waited_for),
		GROUP_TEST(exec_into_a_subgroup),
		GROUP_TEST(no_way_out_of_the_group),
		GROUP_TEST(single_controllers),
		GROUP_TEST(only_allowed_devices_open),
		GROUP_TEST(later_rules_win),
		GROUP_TEST(everything_but_one),
		GROUP_TEST(rules_of_a_group_that_was_there),
		GROUP_TEST(delegated_files),
		cmocka_unit_test(disabled_touches_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
