// SPDX-License-Identifier: GPL-2.0-or-later
/* Labels: what a host without the module answers; never a process without the label. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/proc.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

static void test_none(void **state)
{
	const struct ns_process p = {0};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(ns_process_labels_check(&p, &e), 0);
	assert_int_equal(ns_process_labels(-1, &p, &e), 0);
}

/* The backquoted file name is what podman looks for. */
static void expect_refusal(const struct ns_process *p, const char *what, const char *file)
{
	struct err e = ERR_INIT;
	CLOSE_FD int proc_fd = proc_open_root(&e);

	assert_int_equal(ns_process_labels_check(p, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.msg, what));
	assert_true(ns_process_labels(proc_fd, p, &e) < 0);
	assert_non_null(strstr(e.msg, what));
	assert_non_null(strstr(e.msg, file));
}

static void test_no_apparmor(void **state)
{
	const struct ns_process p = {.apparmor_profile = "container-default"};

	(void)state;
	if (access("/sys/module/apparmor", F_OK) == 0) {
		fprintf(stderr, "# skipped: this host has AppArmor\n");
		skip();
	}
	expect_refusal(&p, "process.apparmorProfile 'container-default'", "`/proc/self/attr/exec`");
}

static void test_no_selinux(void **state)
{
	const struct ns_process p = {.selinux_label = "system_u:system_r:container_t:s0"};

	(void)state;
	if (access("/sys/fs/selinux/enforce", F_OK) == 0) {
		fprintf(stderr, "# skipped: this host has SELinux\n");
		skip();
	}
	expect_refusal(&p, "process.selinuxLabel 'system_u:system_r:container_t:s0'",
		       "`/proc/thread-self/attr/exec`");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_no_apparmor),
		cmocka_unit_test(test_no_selinux),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
