/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configurations that hull hands out: what the spec command prints, and config.json.example, as
 * it stands and with every property in use that it sets aside by a "_".
 */
#include "tests/unit/runtime/spec_cases.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/io.h"
#include "base/json.h"
#include "tests/unit/leaks.h"

#define EXAMPLE "config.json.example"
#define COMMENT "_comment"

static struct spec *parse(const struct buf *text)
{
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	if (spec_parse(BUNDLE, "config.json", text->data, text->len, &spec, &err) < 0)
		fail_msg("refused: %s", err.msg);
	return spec;
}

static bool has(const char *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], path) == 0)
			return true;
	return false;
}

static void test_default_process(void **state)
{
	const uint64_t caps = UINT64_C(1) << CAP_AUDIT_WRITE | UINT64_C(1) << CAP_KILL |
			      UINT64_C(1) << CAP_NET_BIND_SERVICE;
	BUF text = BUF_INIT;

	(void)state;
	spec_write_default(&text);
	SPEC *spec = parse(&text);
	const struct ns_process *p = &spec->process;

	assert_string_equal(spec->oci_version, SPEC_OCI_VERSION);
	assert_string_equal(p->args[0], "sh");
	assert_true(p->terminal && p->no_new_privs && p->has_caps);
	assert_true(p->caps.bounding == caps && p->caps.permitted == caps);
	assert_true(p->caps.effective == caps && !p->caps.inheritable && !p->caps.ambient);
	assert_int_equal(p->n_rlimits, 1);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_true(p->rlimits[0].soft == 1024 && p->rlimits[0].hard == 1024);
}

static void test_default_confinement(void **state)
{
	static const enum ns_kind fresh[] = {NS_PID, NS_NETWORK, NS_IPC,
					     NS_UTS, NS_MOUNT,   NS_CGROUP};
	BUF text = BUF_INIT;

	(void)state;
	spec_write_default(&text);
	SPEC *spec = parse(&text);
	const struct ns_rootfs *r = &spec->rootfs;

	for (size_t i = 0; i < ARRAY_SIZE(fresh); i++)
		assert_true(spec->spaces.kind[fresh[i]].listed &&
			    !spec->spaces.kind[fresh[i]].path);
	assert_false(spec->spaces.kind[NS_USER].listed);
	assert_true(r->readonly);
	assert_int_equal(r->n_mounts, 7);
	assert_string_equal(r->mounts[6].destination, "/sys/fs/cgroup");
	assert_true(r->mounts[6].flags & MS_RDONLY);
	/* CVE-2018-10892, CVE-2020-8694: what a container must not read. */
	assert_true(has(r->masked_paths, r->n_masked_paths, "/proc/acpi"));
	assert_true(has(r->masked_paths, r->n_masked_paths, "/sys/devices/virtual/powercap"));
	assert_true(has(r->masked_paths, r->n_masked_paths, "/proc/kcore"));
	assert_true(has(r->masked_paths, r->n_masked_paths, "/sys/firmware"));
	assert_true(has(r->readonly_paths, r->n_readonly_paths, "/proc/sys"));
	assert_true(has(r->readonly_paths, r->n_readonly_paths, "/proc/sysrq-trigger"));
	assert_int_equal(spec->limits.n_devices, 1);
	assert_false(spec->limits.devices[0].allow);
}

static void load_example(struct buf *text)
{
	const char *source = __FILE__;
	const char *end = strstr(source, "tests/unit/");
	FREE char *path = mem_xprintf("%.*s" EXAMPLE, (int)(end - source), source);
	struct err err = ERR_INIT;

	if (io_read_file(AT_FDCWD, path, JSON_MAX_BYTES, text, &err) < 0)
		fail_msg("%s", err.msg);
}

static void test_example_is_valid(void **state)
{
	BUF text = BUF_INIT;

	(void)state;
	load_example(&text);
	SPEC *spec = parse(&text);

	assert_true(spec->has_process && spec->has_resources && spec->seccomp);
	assert_int_equal(spec->hooks.n[HOOK_CREATE_CONTAINER], 1);
	assert_false(spec->has_vm);
	assert_null(spec->rdt);
}

static void write_all(struct json_writer *w, const char *key, const struct json_node *n);

/* The array n, and behind it what its namesake with a "_" holds. */
static void write_array(struct json_writer *w, const char *key, const struct json_node *n,
			const struct json_node *more)
{
	json_w_array(w, key);
	json_each (child, n)
		write_all(w, NULL, child);
	json_each (child, more)
		write_all(w, NULL, child);
	json_w_end(w);
}

static void write_object(struct json_writer *w, const char *key, const struct json_node *object)
{
	json_w_object(w, key);
	json_each (n, object) {
		FREE char *aside = mem_xprintf("_%s", json_key(n));
		const struct json_node *more = json_get(object, aside);
		const char *name = json_key(n);

		if (strcmp(name, COMMENT) == 0)
			continue;
		if (*name == '_') {
			const struct json_node *plain = json_get(object, name + 1);

			if (!plain || json_type(plain) != JSON_ARRAY)
				write_all(w, name + 1, n);
		} else if (json_type(n) == JSON_ARRAY) {
			write_array(w, name, n, more);
		} else if (!more) {
			write_all(w, name, n);
		}
	}
	json_w_end(w);
}

/* Copies a value of the example, taking every "_" away but those of comments. */
static void write_all(struct json_writer *w, const char *key, const struct json_node *n)
{
	if (json_type(n) == JSON_OBJECT)
		write_object(w, key, n);
	else if (json_type(n) == JSON_ARRAY)
		write_array(w, key, n, NULL);
	else
		json_w_node(w, key, n);
}

/* The example with everything in use; it must be valid as a whole. */
static struct spec *load_full_example(void)
{
	BUF text = BUF_INIT, full = BUF_INIT;
	JSON *doc = NULL;
	struct json_writer *w = json_w_new(false);
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	load_example(&text);
	assert_int_equal(json_parse(EXAMPLE, text.data, text.len, &doc, &err), 0);
	write_all(w, NULL, json_root(doc));
	json_w_finish(w, &full);
	if (spec_parse(BUNDLE, "full", full.data, full.len, &spec, &err) < 0)
		fail_msg("refused: %s", err.msg);
	return spec;
}

static void test_full_example_process(void **state)
{
	SPEC *spec = load_full_example();
	const struct ns_process *p = &spec->process;

	(void)state;
	assert_true(p->n_groups && p->n_rlimits && p->has_caps && p->no_new_privs);
	assert_true(p->has_oom_score_adj && p->apparmor_profile && p->selinux_label);
	assert_true(p->scheduler && p->scheduler->flags && p->ioprio && p->mempolicy);
	assert_true(p->affinity_initial && p->affinity_final && p->has_personality);
	assert_true(spec->hostname && spec->domainname && spec->n_annotations);
	assert_true(spec->has_vm);
	for (size_t kind = 0; kind < HOOK_KIND_MAX; kind++)
		assert_int_equal(spec->hooks.n[kind], 1);
}

static void test_full_example_linux(void **state)
{
	SPEC *spec = load_full_example();
	const struct ns_rootfs *r = &spec->rootfs;

	(void)state;
	for (size_t kind = 0; kind < NS_KIND_MAX; kind++)
		assert_true(spec->spaces.kind[kind].listed);
	assert_non_null(spec->spaces.kind[NS_PID].path);
	assert_true(spec->spaces.idmaps.n_uids && spec->spaces.idmaps.n_gids);
	assert_true(spec->spaces.monotonic.set && spec->spaces.boottime.set);
	assert_true(r->n_devices && r->n_masked_paths && r->n_readonly_paths);
	assert_true(r->propagation && r->mount_label && r->readonly);
	assert_true(r->mounts[r->n_mounts - 1].idmap_recursive &&
		    r->mounts[r->n_mounts - 1].idmaps);
	assert_true(spec->n_net_devices && spec->n_sysctls && spec->cgroups_path);
	assert_true(spec->rdt && spec->rdt->schemata && spec->rdt->enable_monitoring);
	assert_true(spec->rdt->clos_id && spec->rdt->l3_cache_schema && spec->rdt->mem_bw_schema);
	assert_true(spec->seccomp->n_archs && spec->seccomp->flags && spec->seccomp->n_rules);
	assert_true(spec->seccomp->listener_path && spec->seccomp->listener_metadata);
	assert_int_equal(spec->seccomp->rules[1].n_args, 1);
}

static void test_full_example_resources(void **state)
{
	SPEC *spec = load_full_example();
	const struct cgroup_limits *l = &spec->limits;

	(void)state;
	assert_true(l->n_devices && l->n_hugepages && l->n_net_priorities && l->n_rdma);
	assert_true(l->n_unified && l->net_class_id.set && l->pids_limit.set);
	assert_true(l->memory_limit.set && l->memory_reservation.set && l->memory_swap.set);
	assert_true(l->memory_kernel.set && l->memory_kernel_tcp.set && l->memory_swappiness.set);
	assert_true(l->memory_disable_oom_killer.set && l->memory_use_hierarchy.set);
	assert_true(l->memory_check_before_update.set);
	assert_true(l->cpu_shares.set && l->cpu_quota.set && l->cpu_burst.set && l->cpu_period.set);
	assert_true(l->cpu_rt_runtime.set && l->cpu_rt_period.set && l->cpu_idle.set);
	assert_true(l->cpuset_cpus && l->cpuset_mems);
	assert_true(l->block_weight.set && l->block_leaf_weight.set && l->n_block_weights);
	assert_true(l->n_read_bps && l->n_write_bps && l->n_read_iops && l->n_write_iops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_process),
		cmocka_unit_test(test_default_confinement),
		cmocka_unit_test(test_example_is_valid),
		cmocka_unit_test(test_full_example_process),
		cmocka_unit_test(test_full_example_linux),
		cmocka_unit_test(test_full_example_resources),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
