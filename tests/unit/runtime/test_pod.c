/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pod a container is in: the words of containerd, CRI-O and podman. */
#include "tests/unit/runtime/spec_cases.h"

#include <errno.h>

#include "base/mem.h"
#include "runtime/pod.h"
#include "tests/unit/leaks.h"

#define CRI_TYPE  "'io.kubernetes.cri.container-type'"
#define CRI_ID    "'io.kubernetes.cri.sandbox-id'"
#define CRIO_TYPE "'io.kubernetes.cri-o.ContainerType'"
#define CRIO_ID   "'io.kubernetes.cri-o.SandboxID'"

/* What container "self" with these annotations is in. */
static int place(const char *annotations, struct pod_place *ret, char sandbox[64], struct err *err)
{
	FREE char *text = mem_xprintf("{" ROOT ",'annotations':{%s}}", annotations);
	SPEC *spec = spec_good(text);
	int rc = pod_place_of(spec, "self", ret, err);

	sandbox[0] = '\0';
	if (rc == 0 && ret->sandbox)
		(void)snprintf(sandbox, 64, "%s", ret->sandbox);
	return rc;
}

static void test_places(void **state)
{
	static const struct {
		const char *annotations, *sandbox;
		bool certain;
	} rows[] = {
		{"", "", false},
		{"'a':'b'", "", false},
		{CRI_TYPE ":'sandbox'," CRI_ID ":'self'", "", false},
		{CRI_TYPE ":'sandbox'," CRI_ID ":'other'", "", false},
		{CRI_TYPE ":'container'," CRI_ID ":'pod'", "pod", true},
		{CRIO_TYPE ":'sandbox'," CRIO_ID ":'self'", "", false},
		{CRIO_TYPE ":'container'," CRIO_ID ":'pod'", "pod", true},
		/* podman: the type is not there, or the pod has no infra container */
		{CRIO_ID ":'pod'", "pod", false},
		{CRIO_ID ":'self'", "", false},
		{CRI_ID ":'pod'", "pod", false},
		{CRI_ID ":''", "", false},
		/* a type that nobody knows is not one that joins */
		{CRI_TYPE ":'podsandbox'," CRI_ID ":'pod'", "", false},
		{CRI_TYPE ":'Container'," CRI_ID ":'pod'", "", false},
		{CRI_TYPE ":''," CRI_ID ":'pod'", "", false},
		/* the words of one engine do not mix with those of the other */
		{CRI_TYPE ":'sandbox'," CRIO_TYPE ":'container'," CRIO_ID ":'pod'", "pod", true},
		{CRI_TYPE ":'container'," CRI_ID ":'a'," CRIO_ID ":'b'", "a", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pod_place p = {.certain = true};
		struct err err = ERR_INIT;
		char sandbox[64];

		if (place(rows[i].annotations, &p, sandbox, &err) < 0)
			fail_msg("%s: %s", rows[i].annotations, err.msg);
		if (strcmp(sandbox, rows[i].sandbox) != 0 || p.certain != rows[i].certain)
			fail_msg("%s: '%s', %d", rows[i].annotations, sandbox, p.certain);
	}
}

static void test_of_which(void **state)
{
	static const char *const rows[] = {CRI_TYPE ":'container'", CRIO_TYPE ":'container'",
					   CRI_TYPE ":'container'," CRI_ID ":''",
					   CRI_TYPE ":'container'," CRIO_ID ":'pod'"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pod_place p;
		struct err err = ERR_INIT;
		char sandbox[64];

		assert_int_equal(place(rows[i], &p, sandbox, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "io.kubernetes.cri"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_of_which),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
