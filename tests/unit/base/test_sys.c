/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw system calls reach the right call with their arguments in the right place. That this file
 * compiles shows that base/sys.h goes together with the C library's headers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "tests/unit/leaks.h"

static void not_here(const char *what)
{
	print_message("# %s is not available here\n", what);
	skip();
}

static void clone3_makes_a_child(void **state)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(sys_clone3(&args, 1), -1);
	assert_true(errno == EINVAL || errno == ENOSYS);
	if (errno == ENOSYS)
		not_here("clone3");
	pid = sys_clone3(&args, sizeof(args));
	if (pid == 0)
		_exit(7);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void openat2_resolves_in_the_root(void **state)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	CLOSE_FD int proc = open("/proc", O_PATH | O_CLOEXEC);
	CLOSE_FD int fd = sys_openat2(proc, "/../version", &how, sizeof(how));

	(void)state;
	if (fd < 0 && errno == ENOSYS)
		not_here("openat2");
	assert_true(fd >= 0);
	assert_int_equal(sys_openat2(proc, "/version-no", &how, sizeof(how)), -1);
	assert_int_equal(errno, ENOENT);
}

static void pivot_root_takes_two_paths(void **state)
{
	(void)state;
	assert_int_equal(sys_pivot_root("/no/such/place", "/no/such/place"), -1);
	assert_true(errno == ENOENT || errno == EPERM);
}

static void seccomp_knows_its_actions(void **state)
{
	uint32_t action = SECCOMP_RET_ALLOW;
	uint32_t no_action = 0x12340000;

	(void)state;
	assert_int_equal(sys_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action), 0);
	assert_int_equal(sys_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &no_action), -1);
	assert_int_equal(errno, EOPNOTSUPP);
}

static void bpf_makes_a_map(void **state)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
	};
	CLOSE_FD int fd = sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));

	(void)state;
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		not_here("bpf");
	assert_true(fd >= 0);
	attr.key_size = 0;
	assert_int_equal(sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)), -1);
	assert_int_equal(errno, EINVAL);
}

static void set_mempolicy_takes_the_default(void **state)
{
	(void)state;
	if (sys_set_mempolicy(0, NULL, 0) < 0 && errno == ENOSYS)
		not_here("set_mempolicy");
	assert_int_equal(sys_set_mempolicy(0, NULL, 0), 0);
	assert_int_equal(sys_set_mempolicy(1000, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
}

static void ioprio_set_sets(void **state)
{
	const int value = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6);
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (sys_ioprio_set(IOPRIO_WHO_PROCESS, 0, value) < 0)
			_exit(1);
		_exit(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == value ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void sched_setattr_checks_its_size(void **state)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof(attr), .policy = SCHED_OTHER};

	(void)state;
	assert_int_equal(sys_sched_setattr(0, &attr, 0), 0);
	attr.policy = 99;
	assert_int_equal(sys_sched_setattr(0, &attr, 0), -1);
	assert_int_equal(errno, EINVAL);
}

static void keyctl_joins_a_session(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		int serial = sys_keyctl_join("hull-unit-test");

		_exit(serial > 0 ? 0 : errno == ENOSYS ? 77 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		not_here("keyctl");
	assert_int_equal(status, 0);
}

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

/* Banned functions expand to a name that does not exist and tells why. */
static void banned_functions_do_not_compile(void **state)
{
	(void)state;
	assert_string_equal(TEXT(strcpy(a, b)), "banned_function_strcpy_see_base_banned_h");
	assert_string_equal(TEXT(strcat(a, b)), "banned_function_strcat_see_base_banned_h");
	assert_string_equal(TEXT(sprintf(a, b, c)), "banned_function_sprintf_see_base_banned_h");
	assert_string_equal(TEXT(vsprintf(a, b, c)), "banned_function_vsprintf_see_base_banned_h");
	assert_string_equal(TEXT(strtok(a, b)), "banned_function_strtok_see_base_banned_h");
	assert_string_equal(TEXT(strtol(a, b, c)), "banned_function_strtol_see_base_banned_h");
	assert_string_equal(TEXT(strtoull(a, b, c)), "banned_function_strtoull_see_base_banned_h");
	assert_string_equal(TEXT(atoi(a)), "banned_function_atoi_see_base_banned_h");
	assert_string_equal(TEXT(sscanf(a, b)), "banned_function_sscanf_see_base_banned_h");
	assert_string_equal(TEXT(alloca(a)), "banned_function_alloca_see_base_banned_h");
	assert_string_equal(TEXT(gets(a)), "banned_function_gets_see_base_banned_h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clone3_makes_a_child),
		cmocka_unit_test(openat2_resolves_in_the_root),
		cmocka_unit_test(pivot_root_takes_two_paths),
		cmocka_unit_test(seccomp_knows_its_actions),
		cmocka_unit_test(bpf_makes_a_map),
		cmocka_unit_test(set_mempolicy_takes_the_default),
		cmocka_unit_test(ioprio_set_sets),
		cmocka_unit_test(sched_setattr_checks_its_size),
		cmocka_unit_test(keyctl_joins_a_session),
		cmocka_unit_test(banned_functions_do_not_compile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
