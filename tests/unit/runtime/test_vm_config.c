/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The config.json that a virtual machine's guest is given. */
#include "tests/unit/runtime/spec_cases.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtime/isolation.h"
#include "runtime/vm_config.h"
#include "runtime/vm_control.h"
#include "runtime/vm_machine.h"
#include "runtime/vm_update.h"
#include "tests/unit/leaks.h"

#define OWN                                                                                        \
	"[{'type':'mount'},{'type':'pid'},{'type':'ipc'},{'type':'uts'},"                          \
	"{'type':'network','path':'/proc/self/ns/net'}]"

/* What containerd says that the containers of a sandbox come to. */
#define POD(memory, quota, period, shares)                                                         \
	",'annotations':{'io.kubernetes.cri.container-type':'sandbox',"                            \
	"'io.kubernetes.cri.sandbox-memory':'" memory "',"                                         \
	"'io.kubernetes.cri.sandbox-cpu-quota':'" quota "',"                                       \
	"'io.kubernetes.cri.sandbox-cpu-period':'" period "',"                                     \
	"'io.kubernetes.cri.sandbox-cpu-shares':'" shares "'}"

/* A configuration with these members of its own, and these of linux, each with a comma in front. */
static struct spec *with(const char *members, const char *of_linux)
{
	FREE char *joined = mem_xprintf("{" ROOT ",'process':{'args':['a'],'cwd':'/'}%s,'linux':"
					"{'namespaces':" OWN "%s}}",
					members, of_linux);
	FREE char *text = spec_case_text(joined, NULL, NULL);
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	if (spec_parse(BUNDLE, "config.json", text, strlen(text), &spec, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return spec;
}

static struct spec *placed(const struct spec *spec, const struct vm_place *place)
{
	struct spec *inside = NULL;
	struct err err = ERR_INIT;
	BUF text = BUF_INIT;

	if (vm_config_for_guest(spec, place, &text, &err) < 0)
		fail_msg("%s", err.msg);
	if (spec_parse("/run/hull/bundles/x", "config.json", buf_str(&text), text.len, &inside,
		       &err) < 0)
		fail_msg("%s: %s", buf_str(&text), err.msg);
	return inside;
}

static struct spec *as_guest_sees(const struct spec *spec)
{
	return placed(spec, NULL);
}

static void test_paths_are_of_the_share(void **state)
{
	SPEC *spec = with(",'mounts':[{'destination':'/proc','type':'proc'},"
			  "{'destination':'/data','source':'/secret/place','options':"
			  "['rbind','ro','nosuid']},{'destination':'/data','options':"
			  "['bind','remount','noexec']}]",
			  ",'maskedPaths':['/proc/kcore']");
	SPEC *inside = as_guest_sees(spec);

	(void)state;
	assert_string_equal(inside->rootfs.path, VM_SHARE_PATH "/root");
	assert_int_equal(inside->rootfs.n_mounts, 3);
	assert_string_equal(inside->rootfs.mounts[0].type, "proc");
	assert_string_equal(inside->rootfs.mounts[1].source, VM_SHARE_PATH "/m1");
	assert_int_equal(inside->rootfs.mounts[1].flags, spec->rootfs.mounts[1].flags);
	assert_null(inside->rootfs.mounts[2].source);
	assert_int_equal(inside->rootfs.n_masked_paths, 1);
	assert_null(inside->spaces.kind[NS_NETWORK].path);
	assert_true(inside->spaces.kind[NS_NETWORK].listed);
}

/* Of a container that joins, all is below its own directory, and others' namespaces are the guest's. */
static void test_paths_in_a_pod(void **state)
{
	SPEC *spec = with(",'mounts':[{'destination':'/proc','type':'proc'},"
			  "{'destination':'/data','source':'/secret/place','options':['bind']}]",
			  "");
	const char *const mounts[] = {NULL, "s1"};
	const struct vm_place place = {
		.id = "x",
		.root = "u1",
		.mounts = mounts,
		.spaces = {[NS_NETWORK] = "pod", [NS_IPC] = "pod", [NS_PID] = "y"},
	};
	SPEC *inside = placed(spec, &place);

	(void)state;
	assert_string_equal(inside->rootfs.path, VM_TREES_PATH "/x/u1");
	assert_string_equal(inside->rootfs.mounts[1].source, VM_TREES_PATH "/x/s1");
	assert_string_equal(inside->spaces.kind[NS_NETWORK].path, VM_PROCESSES_PATH "/pod/ns/net");
	assert_string_equal(inside->spaces.kind[NS_IPC].path, VM_PROCESSES_PATH "/pod/ns/ipc");
	assert_string_equal(inside->spaces.kind[NS_PID].path, VM_PROCESSES_PATH "/y/ns/pid");
	assert_true(inside->spaces.kind[NS_UTS].listed);
	assert_null(inside->spaces.kind[NS_UTS].path);
}

/* What is the machine's cannot be one container's of several; its namespaces may be the others'. */
static void test_refused_in_a_pod(void **state)
{
	static const struct {
		const char *of_linux, *named;
	} rows[] = {
		{",'resources':{'cpu':{'cpus':'0'}}", "linux.resources.cpu.cpus"},
		{",'resources':{'cpu':{'mems':'0'}}", "linux.resources.cpu.mems"},
		{",'resources':{'blockIO':{'weight':20}}", "linux.resources.blockIO"},
		{",'resources':{'blockIO':{'throttleReadBpsDevice':[{'major':8,'minor':0,'rate':1}]"
		 "}}",
		 "linux.resources.blockIO"},
	};
	static const char *const joined[] = {"ipc", "uts", "pid"};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		SPEC *spec = with("", rows[i].of_linux);

		assert_int_equal(vm_config_check(spec, false, &err), 0);
		assert_true(vm_config_check(spec, true, &err) < 0);
		if (!strstr(err.msg, rows[i].named))
			fail_msg("'%s' is not in: %s", rows[i].named, err.msg);
	}
	for (size_t i = 0; i < ARRAY_SIZE(joined); i++) {
		SPEC *spec = with("", "");

		spec->spaces.kind[ns_kind_parse(joined[i])].path = "/proc/1/ns/x";
		assert_true(vm_config_check(spec, false, &err) < 0);
		assert_int_equal(vm_config_check(spec, true, &err), 0);
	}
	SPEC *spec = with("", "");

	spec->spaces.kind[NS_MOUNT].path = "/proc/1/ns/mnt";
	assert_true(vm_config_check(spec, true, &err) < 0);
	assert_non_null(strstr(err.msg, "mount namespace"));
}

static void test_hooks_that_are_the_guests(void **state)
{
	SPEC *spec = with(",'hooks':{'prestart':[{'path':'/a'}],'createRuntime':[{'path':"
			  "'/b'}],'createContainer':[{'path':'/c'}],'startContainer':"
			  "[{'path':'/d'}],'poststart':[{'path':'/e'}],'poststop':"
			  "[{'path':'/f'}]}",
			  "");
	SPEC *inside = as_guest_sees(spec);

	(void)state;
	for (int kind = 0; kind < HOOK_KIND_MAX; kind++)
		assert_int_equal(inside->hooks.n[kind], kind == HOOK_START_CONTAINER);
}

/* Else the guest would make a machine of its own. */
static void test_the_guests_isolation(void **state)
{
	SPEC *spec = with(",'annotations':{'a':'b','org.hull.isolation':'vm'},"
			  "'vm':{'kernel':{'path':'/k'}}",
			  "");
	SPEC *inside = as_guest_sees(spec);
	struct err err = ERR_INIT;
	bool vm = false;

	(void)state;
	assert_int_equal(isolation_choose(spec, false, &vm, &err), 0);
	assert_true(vm);
	assert_int_equal(isolation_choose(inside, true, &vm, &err), 0);
	assert_false(vm);
	assert_false(inside->has_vm);
	assert_string_equal(spec_annotation(inside, "a"), "b");
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *members, *of_linux, *named;
	} rows[] = {
		{"", ",'netDevices':{'eth1':{}}", "linux.netDevices"},
		{"", ",'intelRdt':{'closID':'x'}", "linux.intelRdt"},
		{"", ",'rootfsPropagation':'shared'", "linux.rootfsPropagation"},
		{"", ",'devices':[{'path':'/dev/x','type':'b','major':8,'minor':0}]",
		 "linux.devices[0]"},
		{"",
		 ",'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x',"
		 "'syscalls':[{'names':['mkdir'],'action':'SCMP_ACT_NOTIFY'}]}",
		 "linux.seccomp.listenerPath"},
		{",'mounts':[{'destination':'/a','source':'/b','options':['rbind','rshared']}]", "",
		 "mounts[0].options"},
		{",'mounts':[{'destination':'/a','source':'/b','options':['rbind','slave']}]", "",
		 "mounts[0].options"},
		{"", ",'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0'}", "linux.memoryPolicy"},
		{"", ",'mountLabel':'a:b:c:d'", "linux.mountLabel"},
		{"", ",'resources':{'rdma':{'mlx5_1':{'hcaHandles':3}}}", "linux.resources.rdma"},
		{"", ",'resources':{'network':{'classID':1}}", "linux.resources.network.classID"},
		{"", ",'resources':{'network':{'priorities':[{'name':'eth0','priority':1}]}}",
		 "linux.resources.network.priorities"},
		{"", ",'resources':{'unified':{'io.max':'8:0 rbps=1'}}",
		 "linux.resources.unified[\"io.max\"]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		SPEC *spec = with(rows[i].members, rows[i].of_linux);
		struct err err = ERR_INIT;

		assert_true(vm_config_check(spec, false, &err) < 0);
		if (!strstr(err.msg, rows[i].named))
			fail_msg("'%s' is not in: %s", rows[i].named, err.msg);
	}
}

static void test_limits_hold_where_they_can(void **state)
{
	SPEC *spec = with("", ",'resources':{'cpu':{'cpus':'2-3','mems':'0','shares':77,'quota':"
			      "50000},'memory':{'limit':67108864,'swap':134217728,'reservation':"
			      "33554432},'blockIO':{'weight':20},'pids':{'limit':9}}");
	SPEC *inside = as_guest_sees(spec);
	const uint64_t machine = vm_machine_memory_of(&spec->limits);
	const int64_t room = (int64_t)vm_machine_host_memory(machine) - 67108864;
	const struct cgroup_limits host = vm_config_on_host(&spec->limits, machine);

	(void)state;
	assert_null(inside->limits.cpuset_cpus);
	assert_null(inside->limits.cpuset_mems);
	assert_false(inside->limits.memory_swap.set || inside->limits.block_weight.set);
	assert_true(inside->limits.cpu_quota.set && inside->limits.pids_limit.set &&
		    inside->limits.memory_limit.set && inside->limits.cpu_shares.set);
	assert_string_equal(host.cpuset_cpus, "2-3");
	assert_true(host.block_weight.set && host.cpu_shares.value == 77);
	assert_true(host.cpu_quota.set && host.cpu_quota.value == 50000);
	assert_false(host.pids_limit.set);
	/* The guest's own memory, the kernel's in it, and hull-vmm: at least. */
	assert_true(machine == 128u << 20 && room >= 64 << 20);
	assert_true(host.memory_limit.set && host.memory_limit.value == 67108864 + room);
	assert_true(host.memory_swap.set && host.memory_swap.value == 134217728 + room);
	assert_true(host.memory_reservation.set &&
		    host.memory_reservation.value == 33554432 + room);
}

/* What is not limited inside is not on the host. */
static void test_no_limit_is_none(void **state)
{
	SPEC *spec = with("", ",'resources':{'memory':{'limit':-1,'swap':-1,'reservation':0}}");
	SPEC *bare = with("", "");
	struct cgroup_limits host = vm_config_on_host(&spec->limits, 512u << 20);

	(void)state;
	assert_true(host.memory_limit.value == -1 && host.memory_swap.value == -1 &&
		    host.memory_reservation.value == 0);
	host = vm_config_on_host(&bare->limits, 512u << 20);
	assert_false(host.memory_limit.set || host.memory_swap.set || host.memory_reservation.set);
}

struct resources {
	const char *was, *given, *merged;
	uint32_t cpus, mib;
	bool shrinks;
};

/* How big a machine is after an update, and whether its guest has to give memory back first. */
static void test_size_after_an_update(void **state)
{
	static const struct resources rows[] = {
		{"{}", "{'pids':{'limit':3}}", "{'pids':{'limit':3}}", 0, 0, false},
		{"{}", "{'cpu':{'quota':150000}}", "{'cpu':{'quota':150000}}", 2, 0, false},
		{"{'cpu':{'quota':150000}}", "{'cpu':{'quota':-1}}", "{'cpu':{'quota':-1}}",
		 VM_CONTROL_CPUS, 0, false},
		{"{'cpu':{'quota':400000}}", "{'cpu':{'cpus':'0-2'}}",
		 "{'cpu':{'quota':400000,'cpus':'0-2'}}", 3, 0, false},
		{"{'memory':{'limit':67108864}}", "{'memory':{'limit':33554432}}",
		 "{'memory':{'limit':33554432}}", 0, 96, true},
		{"{'memory':{'limit':67108864}}", "{'memory':{'limit':67108865}}",
		 "{'memory':{'limit':67108865}}", 0, 129, false},
		{"{}", "{'memory':{'limit':33554432}}", "{'memory':{'limit':33554432}}", 0, 96,
		 true},
		{"{'memory':{'limit':33554432}}", "{'memory':{'limit':-1}}",
		 "{'memory':{'limit':-1}}", 0, VM_CONTROL_MIB, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FREE char *was = mem_xprintf(",'resources':%s", rows[i].was);
		FREE char *given = mem_xprintf(",'resources':%s", rows[i].given);
		FREE char *merged = mem_xprintf(",'resources':%s", rows[i].merged);
		SPEC *old = with("", was);
		SPEC *change = with("", given);
		SPEC *all = with("", merged);
		const struct container c = {.is_vm = true};
		struct vm_update u;

		vm_update_plan(&c, NULL, old, NULL, &change->limits, &all->limits, &u);
		assert_int_equal(u.size >> VM_CONTROL_CPUS_SHIFT, rows[i].cpus);
		assert_int_equal(u.size & VM_CONTROL_MIB, rows[i].mib);
		assert_int_equal(u.shrinks, rows[i].shrinks);
		assert_int_equal(u.after.memory_limit.set, rows[i].shrinks);
		assert_false(u.before.memory_limit.set && rows[i].shrinks);
	}
}

static void test_size_of_the_machine(void **state)
{
	static const struct {
		const char *members, *of_linux;
		unsigned int cpus;
		uint64_t mib;
	} rows[] = {
		{"", "", 1, 512},
		{"", ",'resources':{'memory':{'limit':104857600},'cpu':{'quota':150000}}", 2, 164},
		{"", ",'resources':{'cpu':{'quota':350000,'cpus':'1,4-5'}}", 3, 512},
		{"", ",'resources':{'cpu':{'quota':150000,'cpus':'1,4-8'}}", 2, 512},
		{"", ",'resources':{'cpu':{'cpus':'0-3'}}", 4, 512},
		{"", ",'resources':{'cpu':{'quota':9900000,'period':1000}}", 32, 512},
		{",'vm':{'kernel':{'path':'/k'},'hwConfig':{'vcpus':3,'memory':134217729}}", "", 3,
		 129},
		{",'annotations':{'org.hull.vm.cpus':'4','org.hull.vm.memory-mib':'65',"
		 "'org.hull.vm.hugepages':'true'},'vm':{'kernel':{'path':'/k'},"
		 "'hwConfig':{'vcpus':3}}",
		 "", 4, 66},
		/* what containerd says of a pod: nothing yet, and the sum of its containers */
		{POD("0", "0", "0", "2"), "", 1, 512},
		{POD("-1", "-1", "100000", "0"), "", 1, 512},
		{POD("104857600", "150000", "100000", "512"), "", 2, 164},
		{POD("104857601", "350000", "0", "0"), "", 4, 165},
		{POD("0", "0", "100000", "2049"), "", 3, 512},
		{POD("0", "0", "100000", "2048"), "", 2, 512},
		{POD("0", "0", "100000", "2048"), ",'resources':{'cpu':{'cpus':'0-3'}}", 4, 512},
		{POD("0", "300000", "100000", "2"), ",'resources':{'cpu':{'cpus':'0-1'}}", 2, 512},
		/* limits of its own are more */
		{POD("104857600", "150000", "100000", "2"),
		 ",'resources':{'memory':{'limit':209715200},'cpu':{'quota':300000}}", 3, 264},
		{POD("104857600", "150000", "100000", "2"),
		 ",'resources':{'memory':{'limit':-1},'cpu':{'quota':-1,'shares':2}}", 2, 164},
		/* and the machine's most of all */
		{POD("104857600", "150000", "100000", "2") ",'vm':{'kernel':{'path':'/k'},"
		 "'hwConfig':{'vcpus':3,'memory':134217728}}",
		 "", 3, 128},
		{",'annotations':{'io.kubernetes.cri.sandbox-memory':'104857600',"
		 "'org.hull.vm.memory-mib':'65'}",
		 "", 1, 65},
		{POD("9223372036854775807", "9223372036854775807", "1", "2"), "", 32, 1u << 20},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		SPEC *spec = with(rows[i].members, rows[i].of_linux);
		struct vm_machine m = {0};
		struct err err = ERR_INIT;

		if (vm_machine_choose(spec, &m, &err) < 0)
			fail_msg("row %zu: %s", i, err.msg);
		assert_int_equal(m.cpus, rows[i].cpus);
		assert_int_equal(m.memory >> 20, rows[i].mib);
		vm_machine_release(&m);
	}
}

static void test_wrong_size_of_a_pod(void **state)
{
	static const char *const names[] = {"memory", "cpu-quota", "cpu-period", "cpu-shares"};
	static const char *const values[] = {"", "x", "1.5", "-2", "9223372036854775808", "1k"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names) * ARRAY_SIZE(values); i++) {
		const char *name = names[i / ARRAY_SIZE(values)];
		const char *value = values[i % ARRAY_SIZE(values)];
		FREE char *members = mem_xprintf(
			",'annotations':{'io.kubernetes.cri.sandbox-%s':'%s'}", name, value);
		FREE char *named = mem_xprintf("annotation 'io.kubernetes.cri.sandbox-%s': '%s'",
					       name, value);
		SPEC *spec = with(members, "");
		struct vm_machine m = {0};
		struct err err = ERR_INIT;

		assert_int_equal(vm_machine_choose(spec, &m, &err), -EINVAL);
		if (!strstr(err.msg, named))
			fail_msg("'%s' is not in: %s", named, err.msg);
		vm_machine_release(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_are_of_the_share),
		cmocka_unit_test(test_paths_in_a_pod),
		cmocka_unit_test(test_refused_in_a_pod),
		cmocka_unit_test(test_hooks_that_are_the_guests),
		cmocka_unit_test(test_the_guests_isolation),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_limits_hold_where_they_can),
		cmocka_unit_test(test_no_limit_is_none),
		cmocka_unit_test(test_size_after_an_update),
		cmocka_unit_test(test_size_of_the_machine),
		cmocka_unit_test(test_wrong_size_of_a_pod),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
