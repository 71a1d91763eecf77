// SPDX-License-Identifier: GPL-2.0-or-later
/* Capabilities: names, and the sets a process really has after ns_process_credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/proc.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static const char *const args[] = {"true", NULL};
static const char *const env[] = {NULL};

static const struct ns_process base = {
	.args = args,
	.env = env,
	.cwd = "/",
	.umask = 022,
	.has_caps = true,
};

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(ns_cap_parse("CAP_CHOWN"), CAP_CHOWN);
	assert_int_equal(ns_cap_parse("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
	assert_int_equal(ns_cap_parse("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
	assert_int_equal(ns_cap_parse("CAP_AUDIT_READ"), CAP_AUDIT_READ);
	assert_int_equal(ns_cap_parse("SYS_ADMIN"), -EINVAL);
	assert_int_equal(ns_cap_parse("cap_chown"), -EINVAL);
	assert_int_equal(ns_cap_parse(""), -EINVAL);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		assert_int_equal(ns_cap_parse(ns_cap_name(cap)), cap);
	assert_null(ns_cap_name(CAP_LAST_CAP + 1));
	assert_null(ns_cap_name(-1));
}

/* libcap has the same table. */
static void test_names_agree_with_libcap(void **state)
{
	(void)state;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		cap_value_t value;

		assert_int_equal(cap_from_name(ns_cap_name(cap), &value), 0);
		assert_int_equal(value, cap);
	}
}

static void test_last(void **state)
{
	struct err e = ERR_INIT;
	CLOSE_FD int proc_fd = proc_open_root(&e);
	int last;

	(void)state;
	assert_true(proc_fd >= 0);
	last = ns_cap_last(proc_fd);
	assert_in_range(last, CAP_AUDIT_READ, 63);
	assert_true(prctl(PR_CAPBSET_READ, last, 0, 0, 0) >= 0);
	assert_int_equal(prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0), -1);
	assert_true(ns_cap_last(-1) < 0);
}

static bool holds(const char *set, uint64_t want)
{
	char text[32];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)want);
	if (strcmp(status_field(set), text) == 0)
		return true;
	fprintf(stderr, "# %s is %s, not %s\n", set, status_field(set), text);
	return false;
}

static int user_gets_sets(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	p.uid = 1000;
	p.gid = 1001;
	p.caps.bounding = BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_SETUID);
	p.caps.permitted = BIT(CAP_CHOWN) | BIT(CAP_KILL);
	p.caps.effective = BIT(CAP_KILL);
	p.caps.inheritable = BIT(CAP_KILL);
	p.caps.ambient = BIT(CAP_KILL);
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(holds("CapBnd", p.caps.bounding));
	CHECK(holds("CapPrm", p.caps.permitted));
	CHECK(holds("CapEff", p.caps.effective));
	CHECK(holds("CapInh", p.caps.inheritable));
	CHECK(holds("CapAmb", p.caps.ambient));
	return 0;
}

static void test_user_gets_sets(void **state)
{
	(void)state;
	need_root();
	child_run(user_gets_sets, NULL);
}

/* What a program of the container really has: run one and read its sets. */
static int sets_survive_execve(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	p.uid = p.gid = 1000;
	p.caps.bounding = BIT(CAP_CHOWN) | BIT(CAP_KILL);
	p.caps.permitted = p.caps.effective = p.caps.inheritable = p.caps.ambient = BIT(CAP_KILL);
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	execl("/bin/grep", "grep", "-q", "^CapEff:\t0000000000000020$", "/proc/self/status", NULL);
	return 1;
}

static int no_caps_for_root(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	p.has_caps = false;
	p.caps.bounding = p.caps.permitted = UINT64_MAX; /* must not count */
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(holds("CapBnd", 0));
	execl("/bin/grep", "grep", "-q", "^CapPrm:\t0000000000000000$", "/proc/self/status", NULL);
	return 1;
}

static void test_execve(void **state)
{
	(void)state;
	need_root();
	child_run(sets_survive_execve, NULL);
	child_run(no_caps_for_root, NULL);
}

static int drop_own(int cap)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	CHECK(capget(&header, data) == 0);
	for (size_t i = 0; i < 2; i++) {
		uint32_t bit = (size_t)cap / 32 == i ? 1u << cap % 32 : 0;

		data[i].permitted &= ~bit;
		data[i].effective &= ~bit;
		data[i].inheritable &= ~bit;
	}
	CHECK(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0);
	CHECK(capset(&header, data) == 0);
	return 0;
}

/* A capability the runtime does not hold: a warning that names it, and the rest is granted. */
static int ungrantable_is_warned_of(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;
	uint64_t want = BIT(CAP_KILL) | BIT(CAP_MKNOD);
	const char *log = arg;

	CHECK(drop_own(CAP_MKNOD) == 0);
	CHECK_RC(log_open("test", log, LOG_FORMAT_TEXT, LOG_LEVEL_WARN, &e), 0, e);
	p.caps = (struct ns_caps){want, want, want, want, want};
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(holds("CapBnd", BIT(CAP_KILL)));
	CHECK(holds("CapPrm", BIT(CAP_KILL)));
	CHECK(holds("CapEff", BIT(CAP_KILL)));
	CHECK(holds("CapInh", BIT(CAP_KILL)));
	CHECK(holds("CapAmb", BIT(CAP_KILL)));
	execl("/bin/grep", "grep", "-qx", ".*cannot be granted.*: CAP_MKNOD\"\\?", log, NULL);
	return 1;
}

/* The bounding set alone: one that is gone, and one that the kernel does not have. */
static int bounding_is_warned_of(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;
	const char *log = arg;

	CHECK(drop_own(CAP_MKNOD) == 0);
	CHECK_RC(log_open("test", log, LOG_FORMAT_TEXT, LOG_LEVEL_WARN, &e), 0, e);
	p.caps.bounding = BIT(CAP_KILL) | BIT(CAP_MKNOD) | BIT(62);
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(holds("CapBnd", BIT(CAP_KILL)));
	execl("/bin/grep", "grep", "-qx", ".*cannot be granted.*: CAP_MKNOD ?\"\\?", log, NULL);
	return 1;
}

/* Ambient needs permitted and inheritable; beyond the kernel's last one there is nothing to grant.
 */
static int unusable_bits_are_left_out(void *arg)
{
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	p.caps.bounding = BIT(CAP_KILL) | BIT(62);
	p.caps.permitted = p.caps.effective = BIT(CAP_KILL) | BIT(62);
	p.caps.inheritable = BIT(CAP_CHOWN); /* not in the bounding set: cannot be added */
	p.caps.ambient = BIT(CAP_KILL);      /* not inheritable */
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(holds("CapBnd", BIT(CAP_KILL)));
	CHECK(holds("CapPrm", BIT(CAP_KILL)));
	CHECK(holds("CapInh", 0));
	CHECK(holds("CapAmb", 0));
	return 0;
}

static void test_ungrantable(void **state)
{
	char dir[64], log[96];

	(void)state;
	need_root();
	assert_non_null(test_dir(dir));
	snprintf(log, sizeof(log), "%s/log", dir);
	child_run(ungrantable_is_warned_of, log);
	unlink(log);
	child_run(bounding_is_warned_of, log);
	unlink(log);
	rmdir(dir);
	child_run(unusable_bits_are_left_out, NULL);
}

/* Ambient capabilities that the runtime was started with do not leak into the container. */
static int inherited_ambient_is_cleared(void *arg)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct ns_process p = base;
	struct err e = ERR_INIT;

	(void)arg;
	CHECK(capget(&header, data) == 0);
	data[0].inheritable = 1u << CAP_KILL;
	CHECK(capset(&header, data) == 0);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
	p.caps.bounding = p.caps.permitted = p.caps.effective = p.caps.inheritable = BIT(CAP_KILL);
	CHECK_RC(ns_process_credentials(&p, NULL, NULL, &e), 0, e);
	CHECK(holds("CapAmb", 0));
	CHECK(holds("CapInh", BIT(CAP_KILL)));
	return 0;
}

static void test_inherited_ambient(void **state)
{
	(void)state;
	need_root();
	child_run(inherited_ambient_is_cleared, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_agree_with_libcap),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_user_gets_sets),
		cmocka_unit_test(test_execve),
		cmocka_unit_test(test_ungrantable),
		cmocka_unit_test(test_inherited_ambient),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
