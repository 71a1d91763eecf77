/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The features document: every name in it is one that the parsers take, and none of theirs is
 * missing. */
#include "tests/unit/runtime/spec_cases.h"

#include <stdio.h>

#include "base/json.h"
#include "tests/unit/leaks.h"

static struct json *load(void)
{
	BUF text = BUF_INIT;
	struct json *doc = NULL;
	struct err err = ERR_INIT;

	features_write(&text);
	assert_int_equal(json_parse("features", text.data, text.len, &doc, &err), 0);
	return doc;
}

/* Follows a path of member names; fails when one is missing. */
static const struct json_node *at(const struct json_node *n, const char *const *path)
{
	for (; *path; path++) {
		const struct json_node *member = json_get(n, *path);

		if (!member)
			fail_msg("no member '%s'", *path);
		n = member;
	}
	return n;
}

#define AT(doc, ...) at(json_root(doc), (const char *const[]){__VA_ARGS__, NULL})

static bool is_true(const struct json_node *n)
{
	struct err err = ERR_INIT;
	bool value = false;

	assert_int_equal(json_as_bool(n, &value, &err), 0);
	return value;
}

static const char *text(const struct json_node *n)
{
	struct err err = ERR_INIT;
	const char *value = NULL;

	assert_int_equal(json_as_string(n, &value, &err), 0);
	return value;
}

static bool has(const struct json_node *array, const char *name)
{
	json_each (n, array)
		if (strcmp(text(n), name) == 0)
			return true;
	return false;
}

static void test_versions_are_accepted(void **state)
{
	JSON *doc = load();
	static const char *const keys[] = {"ociVersionMin", "ociVersionMax"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		FREE char *config = mem_xprintf("{'ociVersion':'%s','root':{'path':'r'}}",
						text(AT(doc, keys[i])));

		spec_free(spec_good(config));
	}
	assert_string_equal(text(AT(doc, "ociVersionMin")), "1.0.0");
	assert_string_equal(text(AT(doc, "ociVersionMax")), SPEC_OCI_VERSION);
}

static void test_generic_names(void **state)
{
	JSON *doc = load();
	const struct json_node *hooks = AT(doc, "hooks"), *options = AT(doc, "mountOptions");

	(void)state;
	assert_int_equal(json_count(hooks), HOOK_KIND_MAX);
	assert_true(has(hooks, "prestart") && has(hooks, "startContainer") &&
		    has(hooks, "poststop"));
	/* containerd looks for these two before it asks for recursive read-only and id-mapped
	 * mounts. */
	assert_true(has(options, "rro"));
	assert_true(is_true(AT(doc, "linux", "mountExtensions", "idmap", "enabled")));
	json_each (n, options) {
		struct ns_mount m = {0};
		struct arena a = ARENA_INIT;
		struct err err = ERR_INIT;
		const char *words[] = {"bind", text(n)};

		if (ns_mount_options(words, 2, &m, &a, &err) < 0)
			fail_msg("option '%s': %s", words[1], err.msg);
		arena_release(&a);
	}
}

static void test_kernel_names(void **state)
{
	JSON *doc = load();
	const struct json_node *spaces = AT(doc, "linux", "namespaces");
	const struct json_node *caps = AT(doc, "linux", "capabilities");

	(void)state;
	assert_int_equal(json_count(spaces), NS_KIND_MAX);
	assert_true(has(spaces, "time") && has(spaces, "user") && has(spaces, "mount"));
	json_each (n, spaces)
		assert_true(ns_kind_parse(text(n)) >= 0);
	assert_true(json_count(caps) >= 41);
	assert_true(has(caps, "CAP_CHOWN") && has(caps, "CAP_CHECKPOINT_RESTORE"));
	json_each (n, caps)
		assert_true(ns_cap_parse(text(n)) >= 0);
}

static void test_cgroup(void **state)
{
	JSON *doc = load();

	(void)state;
	assert_true(is_true(AT(doc, "linux", "cgroup", "v1")));
	assert_true(is_true(AT(doc, "linux", "cgroup", "v2")));
	assert_true(is_true(AT(doc, "linux", "cgroup", "rdma")));
	assert_false(is_true(AT(doc, "linux", "cgroup", "systemd")));
	assert_false(is_true(AT(doc, "linux", "cgroup", "systemdUser")));
}

static void test_seccomp(void **state)
{
	JSON *doc = load();
	const struct json_node *flags = AT(doc, "linux", "seccomp", "knownFlags");

	(void)state;
	assert_true(is_true(AT(doc, "linux", "seccomp", "enabled")));
	assert_int_equal(json_count(AT(doc, "linux", "seccomp", "actions")), 9);
	json_each (n, AT(doc, "linux", "seccomp", "actions")) {
		uint32_t action;

		assert_int_equal(ns_seccomp_action_parse(text(n), false, 0, &action), 0);
	}
	assert_int_equal(json_count(AT(doc, "linux", "seccomp", "operators")), 7);
	json_each (n, AT(doc, "linux", "seccomp", "operators")) {
		int op;

		assert_int_equal(ns_seccomp_op_parse(text(n), &op), 0);
	}
	assert_true(has(AT(doc, "linux", "seccomp", "archs"), "SCMP_ARCH_X86_64"));
	assert_int_equal(json_count(flags), 4);
	json_each (n, flags) {
		uint32_t flag;

		assert_int_equal(ns_seccomp_flag_parse(text(n), &flag), 0);
	}
	/* These two are older than any kernel that hull runs on. */
	assert_true(has(AT(doc, "linux", "seccomp", "supportedFlags"), "SECCOMP_FILTER_FLAG_LOG"));
	assert_true(
		has(AT(doc, "linux", "seccomp", "supportedFlags"), "SECCOMP_FILTER_FLAG_TSYNC"));
	json_each (n, AT(doc, "linux", "seccomp", "supportedFlags"))
		assert_true(has(flags, text(n)));
}

static void test_others(void **state)
{
	JSON *doc = load();
	const struct json_node *modes = AT(doc, "linux", "memoryPolicy", "modes");

	(void)state;
	assert_true(is_true(AT(doc, "linux", "apparmor", "enabled")));
	assert_true(is_true(AT(doc, "linux", "selinux", "enabled")));
	assert_true(is_true(AT(doc, "linux", "intelRdt", "enabled")));
	assert_true(is_true(AT(doc, "linux", "intelRdt", "schemata")));
	assert_true(is_true(AT(doc, "linux", "intelRdt", "monitoring")));
	assert_true(is_true(AT(doc, "linux", "netDevices", "enabled")));
	assert_int_equal(json_count(modes), 7);
	json_each (n, modes)
		assert_true(ns_mempolicy_mode_parse(text(n)) >= 0);
	assert_int_equal(json_count(AT(doc, "linux", "memoryPolicy", "flags")), 3);
	json_each (n, AT(doc, "linux", "memoryPolicy", "flags"))
		assert_true(ns_mempolicy_flag_parse(text(n)) > 0);
	assert_string_equal(text(AT(doc, "annotations", "org.hull.version")), HULL_VERSION);
	assert_true(has(AT(doc, "potentiallyUnsafeConfigAnnotations"), "org.systemd.property."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions_are_accepted),
		cmocka_unit_test(test_generic_names),
		cmocka_unit_test(test_kernel_names),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_others),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
