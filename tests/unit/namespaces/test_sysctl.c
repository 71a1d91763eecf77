/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which sysctls a container may set, and that setting them leaves the host's alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "namespaces/namespaces.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/child.h"

static struct ns_spaces all_new(void)
{
	struct ns_spaces s = {0};

	for (int i = 0; i < NS_KIND_MAX; i++)
		s.kind[i].listed = true;
	return s;
}

static void keys_of_own_namespaces(void **state)
{
	static const char *const good[] = {
		"net.ipv4.ip_forward",
		"net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/1.forwarding",
		"net/ipv4/conf/eth0.1/forwarding",
		"net.ipv4.conf.br-lan.rp_filter",
		"kernel.shmmax",
		"kernel/sem",
		"kernel.shm_rmid_forced",
		"fs.mqueue.msg_max",
		"fs/mqueue/queues_max",
		"kernel.domainname",
		"user.max_user_namespaces",
	};
	const struct ns_spaces s = all_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(ns_sysctl_check(good[i], &s, &e), 0);
	}
}

static void keys_of_the_host(void **state)
{
	static const char *const bad[] = {
		"kernel.hostname",
		"kernel/hostname",
		"kernel.core_pattern",
		"kernel.panic",
		"vm.swappiness",
		"fs.file-max",
		"fs.mqueue",
		"kernel.shmmax.x",
		"kernel.shmmaxx",
		"net",
		"net.",
		"net..ipv4",
		"net.ipv4/../../kernel/panic",
		"net/../kernel/panic",
		"net/./ipv4",
		"/net/ipv4/ip_forward",
		"",
		".",
		"net.ipv4.ip_forward+kernel.panic", /* CVE-2022-0811 */
		"net.ipv4.ip_forward=1",
		"net.ipv4.ip_forward kernel",
		"net.ipv4.ip_forward\n",
	};
	const struct ns_spaces s = all_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(ns_sysctl_check(bad[i], &s, &e), -EINVAL);
		assert_non_null(strstr(e.msg, "sysctl '"));
	}
}

static void each_needs_its_namespace(void **state)
{
	static const struct {
		const char *key;
		enum ns_kind kind;
		const char *name;
	} cases[] = {
		{"net.ipv4.ip_forward", NS_NETWORK, "network"},
		{"kernel.msgmax", NS_IPC, "ipc"},
		{"fs.mqueue.msg_max", NS_IPC, "ipc"},
		{"kernel.domainname", NS_UTS, "uts"},
		{"user.max_net_namespaces", NS_USER, "user"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ns_spaces s = all_new();
		struct err e = ERR_INIT;

		s.kind[cases[i].kind].listed = false;
		assert_int_equal(ns_sysctl_check(cases[i].key, &s, &e), -EINVAL);
		assert_non_null(strstr(e.msg, cases[i].name));
	}
}

/* A namespace given by path may be the host's own. */
static void the_hosts_namespace_by_path(void **state)
{
	struct ns_spaces s = all_new();
	struct err e = ERR_INIT;

	(void)state;
	s.kind[NS_NETWORK].path = "/proc/self/ns/net";
	assert_int_equal(ns_sysctl_check("net.ipv4.ip_forward", &s, &e), -EINVAL);
	s.kind[NS_NETWORK].path = "/nonexistent/ns";
	assert_int_equal(ns_sysctl_check("net.ipv4.ip_forward", &s, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/nonexistent/ns"));
}

static int read_sysctl(int proc_fd, const char *path, char *text, size_t size)
{
	struct err e = ERR_INIT;
	CLOSE_FD int fd = proc_open(proc_fd, path, O_RDONLY, &e);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return n < 0 ? -1 : 0;
}

static int other_space(void *arg)
{
	char path[64];
	struct ns_spaces s = all_new();
	struct err e = ERR_INIT;

	(void)arg;
	/* The parent's namespace, seen from a child that has its own: not the child's. */
	CHECK(unshare(CLONE_NEWNET) == 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", getppid());
	s.kind[NS_NETWORK].path = path;
	CHECK_RC(ns_sysctl_check("net.ipv4.ip_forward", &s, &e), 0, e);
	return 0;
}

static void another_namespace_by_path(void **state)
{
	(void)state;
	need_root();
	child_run(other_space, NULL);
}

/* Through a descriptor of the host's procfs; each value differs from the kernel's default. */
static const struct {
	const char *key, *path, *value;
} written[] = {
	{"net.ipv4.ip_unprivileged_port_start", "sys/net/ipv4/ip_unprivileged_port_start", "77"},
	{"net/ipv4/conf/lo/forwarding", "sys/net/ipv4/conf/lo/forwarding", "1"},
	{"kernel.msgmax", "sys/kernel/msgmax", "8193"},
	{"kernel.shmmax", "sys/kernel/shmmax", "12345678"},
	{"kernel.sem", "sys/kernel/sem", "250\t32000\t32\t101"},
	{"kernel.shm_rmid_forced", "sys/kernel/shm_rmid_forced", "1"},
	{"fs.mqueue.msg_max", "sys/fs/mqueue/msg_max", "11"},
	{"kernel.domainname", "sys/kernel/domainname", "hull.test"},
};

static int write_own(void *arg)
{
	const int proc_fd = *(const int *)arg;
	struct err e = ERR_INIT;
	char text[128];

	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		SKIP_CHILD("needs CAP_SYS_ADMIN for namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
		const struct ns_sysctl one = {written[i].key, written[i].value};

		CHECK_RC(ns_sysctl_write(proc_fd, &one, 1, &e), 0, e);
		CHECK(read_sysctl(proc_fd, written[i].path, text, sizeof(text)) == 0);
		CHECK(strcmp(text, written[i].value) == 0);
	}
	return 0;
}

static void the_host_keeps_its_values(void **state)
{
	char before[ARRAY_SIZE(written)][128], after[128];
	struct err e = ERR_INIT;
	CLOSE_FD int proc_fd = proc_open_root(&e);

	(void)state;
	need_root();
	assert_true(proc_fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		assert_int_equal(read_sysctl(proc_fd, written[i].path, before[i], 128), 0);
	child_run(write_own, &proc_fd);
	for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
		assert_int_equal(read_sysctl(proc_fd, written[i].path, after, sizeof(after)), 0);
		assert_string_equal(after, before[i]);
	}
}

static int write_bad(void *arg)
{
	const struct ns_sysctl unknown = {"net.ipv4.nothing_like_this", "1"};
	const struct ns_sysctl value = {"net.ipv4.conf.lo.forwarding", "many"};
	const int proc_fd = *(const int *)arg;
	struct err e = ERR_INIT;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP_CHILD("needs CAP_SYS_ADMIN for namespaces");
	CHECK(ns_sysctl_write(proc_fd, &unknown, 1, &e) == -ENOENT);
	CHECK(strstr(e.msg, "sysctl 'net.ipv4.nothing_like_this'"));
	CHECK(ns_sysctl_write(proc_fd, &value, 1, &e) == -EINVAL);
	CHECK(strstr(e.msg, "net.ipv4.conf.lo.forwarding"));
	return 0;
}

static void failures_name_the_key(void **state)
{
	struct err e = ERR_INIT;
	CLOSE_FD int proc_fd = proc_open_root(&e);

	(void)state;
	need_root();
	assert_true(proc_fd >= 0);
	child_run(write_bad, &proc_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_own_namespaces),
		cmocka_unit_test(keys_of_the_host),
		cmocka_unit_test(each_needs_its_namespace),
		cmocka_unit_test(the_hosts_namespace_by_path),
		cmocka_unit_test(another_namespace_by_path),
		cmocka_unit_test(the_host_keeps_its_values),
		cmocka_unit_test(failures_name_the_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
