/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listing, freezing and signalling the processes of real groups, and the OOM killer's news. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/io.h"
#include "tests/unit/cgroups/groups.h"
#include "tests/unit/leaks.h"

#define MB (1ll << 20)

static const struct cgroup_limits no_limits;

static bool has_pid(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void make_subgroup(struct group *g, const char *name)
{
	struct err e = ERR_INIT;
	int dirfd = cgroup_hier_fd(cgroup_main_hier(g->cg), &e);

	CHECK_OK(dirfd, e);
	assert_int_equal(mkdirat(dirfd, name, 0755), 0);
}

/* Moves a process in the hierarchy by which processes are listed, and in no other. */
static void move_to(struct group *g, const char *sub, pid_t pid)
{
	FREE char *file = mem_xprintf("%s/%s/cgroup.procs", cgroup_main_hier(g->cg)->dir, sub);
	FREE char *number = mem_xprintf("%d", pid);
	struct err e = ERR_INIT;

	CHECK_OK(io_write_value(AT_FDCWD, file, number, &e), e);
}

/* ---- listing ---- */

static void processes_of_all_subgroups(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	FREE pid_t *pids = NULL;
	pid_t a, b, c;
	size_t n;

	group_create(g, &no_limits);
	CHECK_OK(cgroup_pids(g->cg, &pids, &n, &e), e);
	assert_int_equal(n, 0);
	free(pids);
	a = group_add(g);
	b = group_add(g);
	c = group_add(g);
	make_subgroup(g, "x");
	make_subgroup(g, "x/y");
	make_subgroup(g, "z");
	move_to(g, "x/y", b);
	move_to(g, "z", c);
	CHECK_OK(cgroup_pids(g->cg, &pids, &n, &e), e);
	assert_int_equal(n, 3);
	assert_true(has_pid(pids, n, a) && has_pid(pids, n, b) && has_pid(pids, n, c));
}

static void no_group_no_processes(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	FREE pid_t *pids = NULL;
	size_t n = 1;

	CHECK_OK(cgroup_pids(g->cg, &pids, &n, &e), e);
	assert_int_equal(n, 0);
}

static void *thread_wait(void *arg)
{
	return body_wait(arg) == 0 ? NULL : NULL;
}

static int body_threads(void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_wait, NULL) != 0)
		return 96;
	return body_wait(arg);
}

/* A threaded group refuses to name processes. */
static void threaded_groups(void **state)
{
	struct group *g = *state;
	struct cgroup_hier *h;
	struct err e = ERR_INIT;
	FREE char *file = NULL;
	FREE pid_t *pids = NULL;
	pid_t pid;
	size_t n;

	group_create(g, &no_limits);
	h = g->cg->v2;
	if (!h || cgroup_main_hier(g->cg) != h) {
		print_message("# needs cgroup2 without a v1 freezer\n");
		skip();
	}
	make_subgroup(g, "threads");
	pid = group_fork(g, body_threads, NULL);
	/* A group with processes can only have threaded groups below it. */
	file = mem_xprintf("%s/threads/cgroup.type", h->dir);
	CHECK_OK(io_write_value(AT_FDCWD, file, "threaded", &e), e);
	move_to(g, "threads", pid);
	CHECK_OK(cgroup_pids(g->cg, &pids, &n, &e), e);
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], pid);
	CHECK_OK(cgroup_signal(g->cg, SIGTERM, &e), e);
	assert_int_equal(WTERMSIG(group_wait(g, pid)), SIGTERM);
}

/* ---- freezing ---- */

/* Counts in shared memory without a pause. */
static int body_count(void *arg)
{
	volatile uint64_t *counter = arg;

	for (;;)
		(*counter)++;
	return 0;
}

static volatile uint64_t *shared_counter(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void wait_for_growth(volatile uint64_t *counter)
{
	uint64_t start = *counter;

	while (*counter == start)
		(void)usleep(1000);
}

static void frozen_processes_do_nothing(void **state)
{
	struct group *g = *state;
	volatile uint64_t *counter = shared_counter();
	struct err e = ERR_INIT;
	uint64_t at;

	group_create(g, &no_limits);
	(void)group_fork(g, body_count, (void *)(uintptr_t)counter);
	wait_for_growth(counter);
	assert_int_equal(cgroup_is_frozen(g->cg, &e), 0);
	CHECK_OK(cgroup_freeze(g->cg, true, &e), e);
	assert_int_equal(cgroup_is_frozen(g->cg, &e), 1);
	at = *counter;
	(void)usleep(20000);
	assert_int_equal(*counter, at);
	/* Frozen twice is frozen, and thawed once is thawed. */
	CHECK_OK(cgroup_freeze(g->cg, true, &e), e);
	CHECK_OK(cgroup_freeze(g->cg, false, &e), e);
	assert_int_equal(cgroup_is_frozen(g->cg, &e), 0);
	wait_for_growth(counter);
	(void)munmap((void *)(uintptr_t)counter, 4096);
}

static void many_processes_freeze(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;

	group_create(g, &no_limits);
	for (int i = 0; i < PIDS_MAX; i++)
		(void)group_add(g);
	for (int i = 0; i < 20; i++) {
		CHECK_OK(cgroup_freeze(g->cg, true, &e), e);
		assert_int_equal(cgroup_is_frozen(g->cg, &e), 1);
		CHECK_OK(cgroup_freeze(g->cg, false, &e), e);
		assert_int_equal(cgroup_is_frozen(g->cg, &e), 0);
	}
}

static void a_missing_group_cannot_be_frozen(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;

	CHECK_FAILS(cgroup_freeze(g->cg, true, &e), ENOENT, e, g->path);
	assert_int_equal(cgroup_is_frozen(g->cg, &e), 0);
}

/* ---- signals ---- */

static void a_signal_reaches_all(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	pid_t pids[3];

	group_create(g, &no_limits);
	for (size_t i = 0; i < 3; i++)
		pids[i] = group_add(g);
	make_subgroup(g, "x");
	move_to(g, "x", pids[1]);
	CHECK_OK(cgroup_signal(g->cg, SIGTERM, &e), e);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(WTERMSIG(group_wait(g, pids[i])), SIGTERM);
	assert_int_equal(cgroup_is_frozen(g->cg, &e), 0);
}

/* Makes processes faster than they could be listed. The group's leader is the only one waited for.
 */
static int body_breed(void *arg)
{
	(void)signal(SIGCHLD, SIG_IGN);
	(void)arg;
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			(void)usleep(1000);
	}
	return 0;
}

static void kill_what_multiplies(void **state)
{
	const struct cgroup_limits l = {.pids_limit = {true, 100}};
	struct group *g = *state;
	struct err e = ERR_INIT;
	FREE pid_t *pids = NULL;
	size_t n;
	pid_t pid;

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_PIDS);
	CHECK_OK(cgroup_update(g->cg, &l, &e), e);
	pid = group_fork(g, body_breed, NULL);
	(void)usleep(20000);
	CHECK_OK(cgroup_signal(g->cg, SIGKILL, &e), e);
	assert_int_equal(WTERMSIG(group_wait(g, pid)), SIGKILL);
	for (int i = 0; i < 200; i++) {
		CHECK_OK(cgroup_pids(g->cg, &pids, &n, &e), e);
		if (n == 0)
			break;
		free(pids);
		pids = NULL;
		(void)usleep(10000);
	}
	assert_int_equal(n, 0);
}

static void exit_7(int sig)
{
	(void)sig;
	_exit(7);
}

/* arg: the write end of a pipe that says when the handler is in place. */
static int body_handle(void *arg)
{
	(void)signal(SIGTERM, exit_7);
	(void)!write(*(const int *)arg, "x", 1);
	return body_wait(NULL);
}

static void a_paused_group(void **state)
{
	struct group *g = *state;
	struct err e = ERR_INIT;
	int status, ready[2];
	pid_t pid;
	char c;

	group_create(g, &no_limits);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = group_fork(g, body_handle, &ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	CHECK_OK(cgroup_freeze(g->cg, true, &e), e);
	/* Any signal but KILL leaves it paused, to be taken when it goes on. */
	CHECK_OK(cgroup_signal(g->cg, SIGTERM, &e), e);
	assert_int_equal(cgroup_is_frozen(g->cg, &e), 1);
	(void)usleep(10000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(cgroup_freeze(g->cg, false, &e), e);
	assert_int_equal(WEXITSTATUS(group_wait(g, pid)), 7);

	pid = group_add(g);
	CHECK_OK(cgroup_freeze(g->cg, true, &e), e);
	CHECK_OK(cgroup_signal(g->cg, SIGKILL, &e), e);
	assert_int_equal(WTERMSIG(group_wait(g, pid)), SIGKILL);
}

/* ---- the OOM killer ---- */

static int body_exceed(void *arg)
{
	volatile char *memory = mem_xalloc(256 * MB);

	(void)arg;
	for (size_t i = 0; i < 256 * MB; i += 1024)
		memory[i] = 1;
	return 0;
}

static void the_oom_killer_is_heard(void **state)
{
	const struct cgroup_limits l = {.memory_limit = {true, 16 * MB},
					.memory_swap = {true, 16 * MB}};
	struct group *g = *state;
	struct err e = ERR_INIT;
	CLOSE_FD int fd = -1;
	struct pollfd p;
	char buf[4096];
	uint64_t kills = 9;
	pid_t pid;

	group_create(g, &no_limits);
	(void)need_controller(g, CTRL_MEMORY);
	CHECK_OK(cgroup_update(g->cg, &l, &e), e);
	CHECK_OK(cgroup_oom_kills(g->cg, &kills, &e), e);
	assert_int_equal(kills, 0);
	fd = cgroup_oom_watch(g->cg, &e);
	CHECK_OK(fd, e);
	p = (struct pollfd){.fd = fd, .events = POLLIN | POLLPRI};
	assert_int_equal(poll(&p, 1, 0), 0);
	pid = group_fork(g, body_exceed, NULL);
	assert_int_equal(WTERMSIG(group_wait(g, pid)), SIGKILL);
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_true(read(fd, buf, sizeof(buf)) > 0);
	CHECK_OK(cgroup_oom_kills(g->cg, &kills, &e), e);
	assert_int_equal(kills, 1);
}

#define GROUP_TEST(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(processes_of_all_subgroups),
		GROUP_TEST(no_group_no_processes),
		GROUP_TEST(threaded_groups),
		GROUP_TEST(frozen_processes_do_nothing),
		GROUP_TEST(many_processes_freeze),
		GROUP_TEST(a_missing_group_cannot_be_frozen),
		GROUP_TEST(a_signal_reaches_all),
		GROUP_TEST(kill_what_multiplies),
		GROUP_TEST(a_paused_group),
		GROUP_TEST(the_oom_killer_is_heard),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
