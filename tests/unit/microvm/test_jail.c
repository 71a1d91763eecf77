/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-vmm's jail, tried from inside: what device code that an attacker has taken over could still
 * reach. Each attempt is made by a process of its own that goes into the jail through the functions
 * that hull-vmm uses: without a filter, where the other layers must refuse it, and as each kind of
 * thread, where the filter must end the process (SIGSYS).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/audit.h>
#include <poll.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/confine_rules.h"
#include "microvm/jail.h"
#include "tests/unit/microvm/attempts.h"
#include "tests/unit/namespaces/bpf_run.h"

#define FREE_CAGE JAIL_THREADS /* the jail without a filter */

static const char *const kind_names[] = {"main", "vCPU", "I/O", "no filter"};

static void needs_root(void)
{
	if (geteuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
}

/* ---- in the jail ---- */

static void fail_child(int to, const struct err *e)
{
	(void)!write(to, e, sizeof(*e));
	_exit(99);
}

/* Ends by the call that every kind of thread may make. */
static void leave(int status)
{
	syscall(SYS_exit, status);
}

static void in_child(int (*fn)(void), int kind, int to)
{
	struct err e = ERR_INIT;
	int keep[] = {to, -1, -1, -1, -1};

	remember();
	keep[1] = had.null;
	keep[2] = had.event;
	keep[3] = had.socket;
	keep[4] = had.tcp;
	if (confine_close_others(keep, ARRAY_SIZE(keep), &e) < 0 || jail_share_core(&e) < 0 ||
	    jail_enter(&e) < 0 ||
	    (kind != FREE_CAGE && jail_lock((enum jail_thread)kind, &e) < 0))
		fail_child(to, &e);
	leave(fn());
}

/* Its result, or 1000 + the signal that ended it. */
static int try_in_jail(int (*fn)(void), int kind)
{
	struct err e = ERR_INIT;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		in_child(fn, kind, p[1]);
	fd_close(p[1]);
	if (read(p[0], &e, sizeof(e)) == (ssize_t)sizeof(e)) {
		(void)waitpid(pid, NULL, 0);
		fail_msg("%s", e.msg);
	}
	fd_close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static bool as_expected(const struct attempt *a, int kind, int got)
{
	if (kind != FREE_CAGE)
		return got == 1000 + SIGSYS;
	if (a->refused[0] == ANY)
		return got < 1000;
	for (size_t i = 0; i < ARRAY_SIZE(a->refused); i++)
		if (a->refused[i] && got == a->refused[i])
			return true;
	return false;
}

static void attempt_all(int kind)
{
	int bad = 0;

	needs_root();
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		int got = try_in_jail(attempts[i].fn, kind);

		if (as_expected(&attempts[i], kind, got))
			continue;
		print_message("# %s: %s: %d\n", kind_names[kind], attempts[i].name, got);
		bad++;
	}
	assert_int_equal(bad, 0);
}

static void test_refused_without_filter(void **state)
{
	(void)state;
	attempt_all(FREE_CAGE);
}

static void test_refused_main(void **state)
{
	(void)state;
	attempt_all(JAIL_MAIN);
}

static void test_refused_cpu(void **state)
{
	(void)state;
	attempt_all(JAIL_CPU);
}

static void test_refused_io(void **state)
{
	(void)state;
	attempt_all(JAIL_IO);
}

/* The attempts are worth something only if what they try works outside. */
static void test_attempts_work_outside(void **state)
{
	int fd;

	(void)state;
	needs_root();
	had.parent = getpid();
	fd = had.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(try_open(), 0);
	assert_int_equal(try_proc(), 0);
	assert_int_equal(try_kill(), 0);
	assert_int_equal(try_read_parent(), 0);
	assert_int_equal(try_map_code(), 0);
	assert_int_equal(try_memfd(), 0);
	assert_int_equal(try_dumpable(), 0);
	fd_close(fd);
	/* what they left open */
	(void)close_range((unsigned int)fd, ~0u, 0);
}

/* ---- cores ---- */

static int get_cookie(pid_t pid, uint64_t *ret)
{
	return prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, pid, PR_SCHED_CORE_SCOPE_THREAD, ret);
}

/* No two machines have the same cookie, which is what keeps them off each other's cores. */
static int has_another_cookie(void)
{
	uint64_t own = 0, others = 0;
	struct err e = ERR_INIT;

	if (get_cookie(0, &others) < 0 || jail_share_core(&e) < 0 || get_cookie(0, &own) < 0)
		return 1;
	return own == 0 || own == others ? 2 : 0;
}

static void test_cookie(void **state)
{
	struct err e = ERR_INIT;
	uint64_t cookie = 0;
	int status;
	pid_t pid;

	(void)state;
	/* Where there is no such thing, the machine runs without. */
	assert_int_equal(jail_share_core(&e), 0);
	if (get_cookie(0, &cookie) < 0) {
		print_message("# needs a kernel with core scheduling, and cores of two threads\n");
		skip();
	}
	assert_int_not_equal(cookie, 0);
	pid = fork();
	if (pid == 0)
		_exit(has_another_cookie());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Landlock ---- */

static int landlock_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

/* What the loopback says: nobody listens, which Landlock's answer comes before. */
static void test_landlock_tcp(void **state)
{
	(void)state;
	needs_root();
	if (landlock_version() < 4) {
		print_message("# needs Landlock's fourth version\n");
		skip();
	}
	had.port = 1;
	assert_int_equal(try_in_jail(try_connect, FREE_CAGE), EACCES);
	assert_int_equal(try_in_jail(try_socket_connect, FREE_CAGE), EACCES);
}

static void test_landlock_scopes(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "\0hull-test-jail"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	needs_root();
	if (landlock_version() < 6) {
		fd_close(fd);
		print_message("# needs Landlock's sixth version\n");
		skip();
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      offsetof(struct sockaddr_un, sun_path) +
				      sizeof("\0hull-test-jail") - 1),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(try_in_jail(try_abstract, FREE_CAGE), EPERM);
	fd_close(fd);
}

/* ---- what a process in the jail is ---- */

static int looks_right(void)
{
	const uid_t id = JAIL_FIRST_ID + (uid_t)getpid();
	struct rlimit l;
	uid_t r, e, s;

	if (getresuid(&r, &e, &s) < 0 || r != id || e != id || s != id)
		return 1;
	if (getresgid(&r, &e, &s) < 0 || r != id || e != id || s != id || getgroups(0, NULL) != 0)
		return 2;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0 ||
	    prctl(PR_GET_SECUREBITS) != 0xef)
		return 3;
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && fd != had.null && fd != had.event &&
		    fd != had.socket && fd != had.tcp && fcntl(fd, F_GETFL) != O_WRONLY)
			return 4;
	if (getrlimit(RLIMIT_CORE, &l) < 0 || l.rlim_max != 0 ||
	    getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_max > 16384)
		return 5;
	return 0;
}

static void test_state(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(try_in_jail(looks_right, FREE_CAGE), 0);
}

/* The change of the user must not lose what ends it with its parent. */
static int dies_with_parent(void)
{
	int signal = 0;

	return prctl(PR_GET_PDEATHSIG, &signal) < 0 || signal != SIGKILL;
}

static void test_parent_death(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(try_in_jail(dies_with_parent, FREE_CAGE), 1);
	/* inherited by nobody: a process sets it for itself */
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = ERR_INIT;

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || jail_enter(&e) < 0)
			_exit(99);
		_exit(dies_with_parent());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what a thread does all day still works ---- */

static void *cpu_thread(void *arg)
{
	const uint64_t one = 1;
	struct err e = ERR_INIT;

	if (jail_lock(JAIL_CPU, &e) < 0)
		return NULL;
	/* the end of a machine: every processor is kicked, the own one, too */
	(void)pthread_kill(pthread_self(), 0);
	(void)tgkill(getpid(), getpid(), 0);
	free(malloc(1 << 20));
	return write(had.event, &one, sizeof(one)) == sizeof(one) ? arg : NULL;
}

static void *io_thread(void *arg)
{
	struct err e = ERR_INIT;
	uint64_t count;
	int pair[2];

	if (jail_lock(JAIL_IO, &e) < 0 || read(had.event, &count, sizeof(count)) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || send(pair[0], "x", 1, 0) != 1 ||
	    recv(pair[1], &count, 1, 0) != 1)
		return NULL;
	close(pair[0]);
	close(pair[1]);
	return arg;
}

/* As hull-vmm has it: threads are made in the jail, each locks itself in, they are joined. */
static int runs_threads(int to)
{
	struct err e = ERR_INIT;
	pthread_t cpu = 0, io = 0;
	void *cpu_result, *io_result;

	remember();
	if (jail_enter(&e) < 0)
		fail_child(to, &e);
	if (pthread_create(&io, NULL, io_thread, &had) ||
	    pthread_create(&cpu, NULL, cpu_thread, &had) ||
	    jail_lock(JAIL_MAIN, &e) < 0)
		fail_child(to, &e);
	pthread_join(cpu, &cpu_result);
	pthread_join(io, &io_result);
	return cpu_result && io_result && poll(NULL, 0, 1) == 0 ? 0 : 1;
}

static void test_threads(void **state)
{
	struct err e = ERR_INIT;
	int p[2], status;
	pid_t pid;

	(void)state;
	needs_root();
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		_exit(runs_threads(p[1]));
	fd_close(p[1]);
	if (read(p[0], &e, sizeof(e)) == (ssize_t)sizeof(e))
		fail_msg("%s", e.msg);
	fd_close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* One kind's call by another kind's thread. */
static int cpu_waits(void)
{
	return (int)syscall(SYS_epoll_wait, had.event, NULL, 0, 0);
}

static int main_runs_guest(void)
{
	return (int)syscall(SYS_ioctl, had.event, KVM_RUN, 0);
}

static void test_kinds_differ(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(try_in_jail(cpu_waits, JAIL_CPU), 1000 + SIGSYS);
	assert_int_equal(try_in_jail(main_runs_guest, JAIL_MAIN), 1000 + SIGSYS);
	assert_int_equal(try_in_jail(main_runs_guest, JAIL_IO), 1000 + SIGSYS);
	assert_int_equal(try_in_jail(main_runs_guest, JAIL_CPU), 255); /* ENOTTY */
}

/* ---- the tables ---- */

static uint32_t ask(const struct confine_filter *f, int call, const uint64_t args[6])
{
	const struct ns_seccomp_filter filter = {.insns = (void *)(uintptr_t)f->code,
						 .n_insns = f->n};
	struct seccomp_data data = {.nr = call, .arch = AUDIT_ARCH_X86_64};

	memcpy(data.args, args, sizeof(data.args));
	return bpf_run(&filter, &data);
}

/* Each rule allows its call with its arguments; a call without a rule is not allowed with any. */
static void check_rules(enum jail_thread kind)
{
	const struct confine_filter *f = &jail_filters[kind];
	bool named[512] = {false};
	size_t n;
	const struct confine_table *tables = jail_tables(kind, &n);

	for (size_t t = 0; t < n; t++) {
		for (size_t i = 0; i < tables[t].n; i++) {
			const struct confine_rule *r = &tables[t].rules[i];
			uint64_t args[6] = {0};

			for (size_t c = 0; c < CONFINE_CHECKS; c++)
				if (r->checks[c].mask)
					args[r->checks[c].arg] = r->checks[c].value;
			assert_in_range(r->call, 0, 511);
			named[r->call] = true;
			assert_int_equal(ask(f, r->call, args), SECCOMP_RET_ALLOW);
			if (!r->checks[0].mask)
				continue;
			args[r->checks[0].arg] ^= r->checks[0].mask & ~(r->checks[0].mask - 1);
			args[r->checks[0].arg] ^= 1ull << 40 & r->checks[0].mask;
			assert_int_equal(ask(f, r->call, args), SECCOMP_RET_KILL_PROCESS);
		}
	}
	for (int call = 0; call < 512; call++)
		if (!named[call])
			assert_int_equal(ask(f, call, (uint64_t[6]){0}),
					 SECCOMP_RET_KILL_PROCESS);
}

static void test_rules(void **state)
{
	(void)state;
	for (int kind = 0; kind < JAIL_THREADS; kind++)
		check_rules((enum jail_thread)kind);
}

static void test_other_architectures(void **state)
{
	const uint32_t archs[] = {AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64};

	(void)state;
	for (int kind = 0; kind < JAIL_THREADS; kind++) {
		const struct confine_filter *f = &jail_filters[kind];
		const struct ns_seccomp_filter filter = {.insns = (void *)(uintptr_t)f->code,
							 .n_insns = f->n};

		for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
			const struct seccomp_data data = {.nr = 1, .arch = archs[i]};

			assert_int_equal(bpf_run(&filter, &data), SECCOMP_RET_KILL_PROCESS);
		}
		/* x32: the same numbers with a bit (man 2 seccomp) */
		assert_int_equal(ask(f, 0x40000000 + SYS_write, (uint64_t[6]){0}),
				 SECCOMP_RET_KILL_PROCESS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts_work_outside),
		cmocka_unit_test(test_refused_without_filter),
		cmocka_unit_test(test_refused_main),
		cmocka_unit_test(test_refused_cpu),
		cmocka_unit_test(test_refused_io),
		cmocka_unit_test(test_cookie),
		cmocka_unit_test(test_landlock_tcp),
		cmocka_unit_test(test_landlock_scopes),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_parent_death),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_kinds_differ),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_other_architectures),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
