// SPDX-License-Identifier: GPL-2.0-or-later
/* The session keyring: a new one hides the caller's keys, an exec'ed process finds it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/keyctl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/proc.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

#define SESSION (-3) /* KEY_SPEC_SESSION_KEYRING */

static long session(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, SESSION, 0);
}

static int join(const char *name, bool is_new)
{
	struct err e = ERR_INIT;

	CHECK_RC(ns_keyring_join(-1, name, is_new, NULL, &e), 0, e);
	return 0;
}

/* Joins keyring arg as a second process would, and answers by the exit status whether it is want.
 */
static int found_again(const char *name, long want)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) > 0 &&
				      join(name, false) == 0 && session() == want
			      ? 0
			      : 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
	return 0;
}

static int new_session(void *arg)
{
	char name[64], text[128] = "";
	long before, key;

	(void)arg;
	before = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (before < 0)
		SKIP_CHILD("the kernel keeps no keys: %s", strerror(errno));
	key = syscall(SYS_add_key, "user", "hull-test-secret", "x", 1, SESSION);
	CHECK(key > 0);
	CHECK(syscall(SYS_request_key, "user", "hull-test-secret", NULL, 0) == key);

	snprintf(name, sizeof(name), "_ses.test-%d", getpid());
	CHECK(join(name, true) == 0);
	CHECK(session() != before);
	CHECK(syscall(SYS_request_key, "user", "hull-test-secret", NULL, 0) == -1);
	CHECK(syscall(SYS_keyctl, KEYCTL_DESCRIBE, session(), text, sizeof(text)) > 0);
	CHECK(strstr(text, name));
	CHECK(found_again(name, session()) == 0);
	return 0;
}

static void test_new_session(void **state)
{
	(void)state;
	child_run(new_session, NULL);
}

/* Answers keyctl with the error *arg, by a filter of its own. */
static int refused(void *arg)
{
	int errnum = *(int *)arg;
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct err e = ERR_INIT;
	bool tolerated = errnum != EINVAL;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(errnum), SCMP_SYS(keyctl), 0) == 0);
	CHECK(seccomp_load(ctx) == 0);
	CHECK_RC(ns_keyring_join(-1, "_ses.x", true, NULL, &e), tolerated ? 0 : -errnum, e);
	CHECK(tolerated || strstr(e.msg, "join the session keyring '_ses.x'"));
	return 0;
}

static void test_refused(void **state)
{
	int errors[] = {ENOSYS, EPERM, EDQUOT, EINVAL};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		child_run(refused, &errors[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_session),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
