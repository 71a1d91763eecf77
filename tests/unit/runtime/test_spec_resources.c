/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.resources, from config.json and on its own (update --resources). */
#include "tests/unit/runtime/spec_cases.h"

#include <errno.h>
#include <stdio.h>

#define I64_RANGE "expected an integer from -9223372036854775808 to 9223372036854775807"
#define U64_RANGE "expected an integer from 0 to 18446744073709551615"
#define U32_RANGE "expected an integer from 0 to 4294967295"

#define AT           "linux.resources."
#define RULE(x)      RESOURCES("'devices':[{'allow':false,'access':'rwm'},{" x "}]")
#define MEMORY(x)    RESOURCES("'memory':{" x "}")
#define CPU(x)       RESOURCES("'cpu':{" x "}")
#define BLOCK(x)     RESOURCES("'blockIO':{" x "}")
#define RATE(key, x) BLOCK("'" key "':[{'major':8,'minor':0," x "}]")

static void test_bad_devices(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'resources':@[]"), "linux.resources: expected an object, found an array"},
		{RESOURCES("'devices':@{}"), AT "devices: expected an array, found an object"},
		{RESOURCES("'devices':[@'a']"), AT "devices[0]: expected an object"},
		{RESOURCES("'devices':[@{'access':'r'}]"),
		 AT "devices[0]: required property 'allow' is missing"},
		{RULE("'allow':@1"), AT "devices[1].allow: expected true or false, found 1"},
		{RULE("'allow':true,'access':'r','type':@'p'"),
		 AT "devices[1].type: unknown type 'p', expected a, c or b"},
		{RULE("'allow':true,'access':'r','type':@'char'"),
		 AT "devices[1].type: unknown type 'char', expected a, c or b"},
		{RULE("'allow':true,'access':'r','major':@-2"),
		 AT "devices[1].major: expected an integer from -1 to 2147483647, found -2"},
		{RULE("'allow':true,'access':'r','minor':@2147483648"), AT
		 "devices[1].minor: expected an integer from -1 to 2147483647, found 2147483648"},
		{RULE("'allow':true,'access':@'rwx'"),
		 AT "devices[1].access: 'rwx' is not made of the letters r, w and m"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_memory_and_cpu(void **state)
{
	static const struct bad_case cases[] = {
		{RESOURCES("'memory':@1"), AT "memory: expected an object, found 1"},
		{MEMORY("'limit':@'1G'"), AT "memory.limit: " I64_RANGE ", found a string"},
		{MEMORY("'limit':@9223372036854775808"),
		 AT "memory.limit: " I64_RANGE ", found 9223372036854775808"},
		{MEMORY("'limit':@-2"), AT "memory.limit: -2 is out of range: the least is -1"},
		{MEMORY("'reservation':@1.5"), AT "memory.reservation: " I64_RANGE ", found 1.5"},
		{MEMORY("'swap':@true"), AT "memory.swap: " I64_RANGE ", found a boolean"},
		{MEMORY("'limit':2000,'swap':@1000"),
		 AT "memory.swap: 1000 is below memory.limit 2000 (swap counts memory too)"},
		{MEMORY("'kernel':@[]"), AT "memory.kernel: " I64_RANGE ", found an array"},
		{MEMORY("'kernelTCP':@{}"), AT "memory.kernelTCP: " I64_RANGE ", found an object"},
		{MEMORY("'swappiness':@101"),
		 AT "memory.swappiness: expected an integer from -1 to 100, found 101"},
		{MEMORY("'disableOOMKiller':@0"),
		 AT "memory.disableOOMKiller: expected true or false, found 0"},
		{MEMORY("'useHierarchy':@0"),
		 AT "memory.useHierarchy: expected true or false, found 0"},
		{MEMORY("'checkBeforeUpdate':@0"),
		 AT "memory.checkBeforeUpdate: expected true or false, found 0"},
		{RESOURCES("'cpu':@[]"), AT "cpu: expected an object, found an array"},
		{CPU("'shares':@-1"), AT "cpu.shares: " U64_RANGE ", found -1"},
		{CPU("'quota':@0.5"), AT "cpu.quota: " I64_RANGE ", found 0.5"},
		{CPU("'burst':@-1"), AT "cpu.burst: " U64_RANGE ", found -1"},
		{CPU("'quota':1000,'burst':@1001"), AT "cpu.burst: 1001 is above cpu.quota 1000"},
		{CPU("'period':@-1"), AT "cpu.period: " U64_RANGE ", found -1"},
		{CPU("'realtimeRuntime':@'x'"),
		 AT "cpu.realtimeRuntime: " I64_RANGE ", found a string"},
		{CPU("'realtimePeriod':@-1"), AT "cpu.realtimePeriod: " U64_RANGE ", found -1"},
		{CPU("'cpus':@0"), AT "cpu.cpus: expected a string, found 0"},
		{CPU("'cpus':@'0-'"), AT "cpu.cpus: '0-' is no list such as '0-3,7'"},
		{CPU("'mems':@'1024'"), AT "cpu.mems: '1024' goes beyond 1023"},
		{CPU("'idle':@2"), AT "cpu.idle: expected an integer from 0 to 1, found 2"},
		{RESOURCES("'pids':@5"), AT "pids: expected an object, found 5"},
		{RESOURCES("'pids':{'limit':@'max'}"),
		 AT "pids.limit: " I64_RANGE ", found a string"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_block_io(void **state)
{
	static const struct bad_case cases[] = {
		{RESOURCES("'blockIO':@[]"), AT "blockIO: expected an object, found an array"},
		{BLOCK("'weight':@9"), AT "blockIO.weight: expected an integer from 10 to 1000"},
		{BLOCK("'weight':@1001"),
		 AT "blockIO.weight: expected an integer from 0 to 1000, found 1001"},
		{BLOCK("'leafWeight':@5"),
		 AT "blockIO.leafWeight: expected an integer from 10 to 1000"},
		{BLOCK("'weightDevice':@{}"),
		 AT "blockIO.weightDevice: expected an array, found an object"},
		{BLOCK("'weightDevice':[@1]"), AT "blockIO.weightDevice[0]: expected an object"},
		{BLOCK("'weightDevice':[@{'minor':1,'weight':10}]"),
		 AT "blockIO.weightDevice[0]: required property 'major' is missing"},
		{BLOCK("'weightDevice':[@{'major':1,'weight':10}]"),
		 AT "blockIO.weightDevice[0]: required property 'minor' is missing"},
		{BLOCK("'weightDevice':[{'major':@-1,'minor':0}]"),
		 AT "blockIO.weightDevice[0].major: " U32_RANGE ", found -1"},
		{BLOCK("'weightDevice':[@{'major':1,'minor':0}]"),
		 AT "blockIO.weightDevice[0]: needs a weight or a leafWeight"},
		{BLOCK("'weightDevice':[{'major':1,'minor':0,'leafWeight':@1}]"),
		 AT "blockIO.weightDevice[0].leafWeight: expected an integer from 10 to 1000"},
		{BLOCK("'throttleReadBpsDevice':@1"),
		 AT "blockIO.throttleReadBpsDevice: expected an array, found 1"},
		{BLOCK("'throttleReadBpsDevice':[@{'major':8,'minor':0}]"),
		 AT "blockIO.throttleReadBpsDevice[0]: required property 'rate' is missing"},
		{RATE("throttleWriteBpsDevice", "'rate':@-1"),
		 AT "blockIO.throttleWriteBpsDevice[0].rate: " U64_RANGE ", found -1"},
		{RATE("throttleReadIOPSDevice", "'rate':@'1k'"),
		 AT "blockIO.throttleReadIOPSDevice[0].rate: " U64_RANGE ", found a string"},
		{BLOCK("'throttleWriteIOPSDevice':[@{'minor':0,'rate':1}]"),
		 AT "blockIO.throttleWriteIOPSDevice[0]: required property 'major' is missing"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_others(void **state)
{
	static const struct bad_case cases[] = {
		{RESOURCES("'hugepageLimits':@{}"),
		 AT "hugepageLimits: expected an array, found an object"},
		{RESOURCES("'hugepageLimits':[@{'limit':1}]"),
		 AT "hugepageLimits[0]: required property 'pageSize' is missing"},
		{RESOURCES("'hugepageLimits':[@{'pageSize':'2MB'}]"),
		 AT "hugepageLimits[0]: required property 'limit' is missing"},
		{RESOURCES("'hugepageLimits':[{'pageSize':@'2M','limit':1}]"),
		 AT "hugepageLimits[0].pageSize: '2M' is no page size such as '2MB'"},
		{RESOURCES("'hugepageLimits':[{'pageSize':@'02MB','limit':1}]"),
		 AT "hugepageLimits[0].pageSize: '02MB' is no page size such as '2MB'"},
		{RESOURCES("'hugepageLimits':[{'pageSize':@'MB','limit':1}]"),
		 AT "hugepageLimits[0].pageSize: 'MB' is no page size such as '2MB'"},
		{RESOURCES("'hugepageLimits':[{'pageSize':@'64','limit':1}]"),
		 AT "hugepageLimits[0].pageSize: '64' is no page size such as '2MB'"},
		{RESOURCES("'hugepageLimits':[{'pageSize':@'2MB/../x','limit':1}]"),
		 AT "hugepageLimits[0].pageSize: '2MB/../x' is no page size such as '2MB'"},
		{RESOURCES("'network':@[]"), AT "network: expected an object, found an array"},
		{RESOURCES("'network':{'classID':@4294967296}"),
		 AT "network.classID: " U32_RANGE ", found 4294967296"},
		{RESOURCES("'network':{'priorities':[@{'priority':1}]}"),
		 AT "network.priorities[0]: required property 'name' is missing"},
		{RESOURCES("'network':{'priorities':[@{'name':'eth0'}]}"),
		 AT "network.priorities[0]: required property 'priority' is missing"},
		{RESOURCES("'rdma':@[]"), AT "rdma: expected an object, found an array"},
		{RESOURCES("'rdma':{'mlx':@1}"), AT "rdma.mlx: expected an object"},
		{RESOURCES("'rdma':{'mlx':@{}}"), AT "rdma.mlx: needs hcaHandles or hcaObjects"},
		{RESOURCES("'rdma':{'a b':@{'hcaHandles':1}}"),
		 AT "rdma[\"a b\"]: 'a b' is no name of a device"},
		{RESOURCES("'rdma':{'mlx':{'hcaHandles':@4294967296}}"),
		 AT "rdma.mlx.hcaHandles: " U32_RANGE ", found 4294967296"},
		{RESOURCES("'unified':@[]"), AT "unified: expected an object, found an array"},
		{RESOURCES("'unified':{'memory.high':@1}"),
		 AT "unified[\"memory.high\"]: expected a string, found 1"},
		{RESOURCES("'unified':{'a/b':@'1'}"),
		 AT "unified.a/b: 'a/b' is no name of a cgroup file"},
		{RESOURCES("'unified':{'..':@'1'}"),
		 AT "unified[\"..\"]: '..' is no name of a cgroup file"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_good(void **state)
{
	static const char *const texts[] = {
		LINUX("'resources':{}"),
		RESOURCES("'devices':null,'memory':null,'cpu':null,'pids':{},'blockIO':null,'rdma':"
			  "null"),
		MEMORY("'limit':-1,'reservation':-1,'swap':-1,'kernel':-1,'kernelTCP':-1,'"
		       "swappiness':-1"),
		MEMORY("'limit':9223372036854775807,'kernel':0,'disableOOMKiller':false"),
		CPU("'cpus':'','mems':'','quota':-1"),
		BLOCK("'weight':0,'leafWeight':0"),
	};

	(void)state;
	spec_check_good(texts, ARRAY_SIZE(texts));
}

static void test_values(void **state)
{
	SPEC *spec = spec_good(RESOURCES(
		"'memory':{'limit':100,'reservation':50,'swap':200,'kernel':1,'kernelTCP':2,'"
		"swappiness':60,"
		"'disableOOMKiller':true,'useHierarchy':true,'checkBeforeUpdate':false},"
		"'cpu':{'shares':18446744073709551615,'quota':-1,'burst':7,'period':8,'"
		"realtimeRuntime':9,"
		"'realtimePeriod':10,'cpus':'0-1','mems':'0','idle':1},'pids':{'limit':0},"
		"'network':{'classID':4294967295,'priorities':[{'name':'eth0','priority':5}]},"
		"'hugepageLimits':[{'pageSize':'2MB','limit':18446744073709551615}],"
		"'rdma':{'mlx5_1':{'hcaHandles':3},'m':{'hcaObjects':4}},'unified':{'memory.high':'"
		"max'}"));
	const struct cgroup_limits *l = &spec->limits;

	(void)state;
	assert_true(spec->has_resources);
	assert_true(l->memory_limit.set && l->memory_limit.value == 100);
	assert_int_equal(l->memory_reservation.value, 50);
	assert_int_equal(l->memory_swap.value, 200);
	assert_int_equal(l->memory_kernel.value, 1);
	assert_int_equal(l->memory_kernel_tcp.value, 2);
	assert_true(l->memory_swappiness.set && l->memory_swappiness.value == 60);
	assert_true(l->memory_disable_oom_killer.value && l->memory_use_hierarchy.value);
	assert_true(l->memory_check_before_update.set && !l->memory_check_before_update.value);
	assert_true(l->cpu_shares.set && l->cpu_shares.value == UINT64_MAX);
	assert_true(l->cpu_quota.set && l->cpu_quota.value == -1);
	assert_int_equal(l->cpu_burst.value, 7);
	assert_int_equal(l->cpu_period.value, 8);
	assert_int_equal(l->cpu_rt_runtime.value, 9);
	assert_int_equal(l->cpu_rt_period.value, 10);
	assert_string_equal(l->cpuset_cpus, "0-1");
	assert_string_equal(l->cpuset_mems, "0");
	assert_true(l->cpu_idle.set && l->cpu_idle.value == 1);
	assert_true(l->pids_limit.set && l->pids_limit.value == 0); /* a real limit */
	assert_true(l->net_class_id.set && l->net_class_id.value == UINT32_MAX);
	assert_string_equal(l->net_priorities[0].interface, "eth0");
	assert_int_equal(l->net_priorities[0].priority, 5);
	assert_string_equal(l->hugepages[0].page_size, "2MB");
	assert_true(l->hugepages[0].limit == UINT64_MAX);
	assert_int_equal(l->n_rdma, 2);
	assert_true(l->rdma[0].hca_handles.set && !l->rdma[0].hca_objects.set);
	assert_string_equal(l->rdma[1].device, "m");
	assert_int_equal(l->rdma[1].hca_objects.value, 4);
	assert_string_equal(l->unified[0].file, "memory.high");
	assert_string_equal(l->unified[0].value, "max");
}

static void test_device_rules(void **state)
{
	SPEC *spec = spec_good(
		RESOURCES("'devices':[{'allow':false,'access':'rwm'},{'allow':true,'type':'c',"
			  "'major':1,'minor':3,'access':'mr'},{'allow':true,'type':'b',"
			  "'major':8,'minor':-1,'access':'w'}]"));
	const struct cgroup_device_rule *r = spec->limits.devices;

	(void)state;
	assert_int_equal(spec->limits.n_devices, 3);
	assert_true(!r[0].allow && r[0].type == 'a' && r[0].major == -1 && r[0].minor == -1);
	assert_true(r[0].read && r[0].write && r[0].mknod);
	assert_true(r[1].allow && r[1].type == 'c' && r[1].major == 1 && r[1].minor == 3);
	assert_true(r[1].read && !r[1].write && r[1].mknod);
	assert_true(r[2].type == 'b' && r[2].major == 8 && r[2].minor == -1);
	assert_true(!r[2].read && r[2].write && !r[2].mknod);
}

static void test_block_io_values(void **state)
{
	SPEC *spec = spec_good(BLOCK(
		"'weight':10,'leafWeight':1000,'weightDevice':[{'major':8,'minor':1,'weight':500,"
		"'leafWeight':300},{'major':8,'minor':16,'weight':0,'leafWeight':20}],"
		"'throttleReadBpsDevice':[{'major':8,'minor':0,'rate':600}],"
		"'throttleWriteBpsDevice':[{'major':8,'minor':0,'rate':601}],"
		"'throttleReadIOPSDevice':[{'major':8,'minor':0,'rate':602}],"
		"'throttleWriteIOPSDevice':[{'major':8,'minor':0,'rate':18446744073709551615}]"));
	const struct cgroup_limits *l = &spec->limits;

	(void)state;
	assert_int_equal(l->block_weight.value, 10);
	assert_int_equal(l->block_leaf_weight.value, 1000);
	assert_int_equal(l->n_block_weights, 2);
	assert_int_equal(l->block_weights[0].weight.value, 500);
	assert_false(l->block_weights[1].weight.set);
	assert_int_equal(l->block_weights[1].minor, 16);
	assert_int_equal(l->read_bps[0].rate, 600);
	assert_int_equal(l->write_bps[0].rate, 601);
	assert_int_equal(l->read_iops[0].rate, 602);
	assert_true(l->write_iops[0].rate == UINT64_MAX);
	assert_int_equal(l->n_write_iops, 1);
}

static void test_zero_means_absent(void **state)
{
	SPEC *spec =
		spec_good(RESOURCES("'cpu':{'shares':0,'quota':0,'period':0,'realtimePeriod':0},"
				    "'blockIO':{'weight':0},'memory':{'swappiness':-1}"));
	const struct cgroup_limits *l = &spec->limits;

	(void)state;
	assert_true(!l->cpu_shares.set && !l->cpu_period.set && !l->cpu_rt_period.set);
	assert_true(!l->cpu_quota.set);
	assert_true(!l->block_weight.set && !l->memory_swappiness.set);
}

static void test_resources_file(void **state)
{
	const char *good = "{\"pids\":{\"limit\":-1}}",
		   *bad = "{\"memory\":\n{\"limit\":10,\"swap\":5}}";
	struct arena a = ARENA_INIT;
	struct cgroup_limits l = {0};
	struct err err = ERR_INIT;
	JSON *doc = NULL, *bad_doc = NULL;

	(void)state;
	assert_int_equal(json_parse("res.json", good, strlen(good), &doc, &err), 0);
	assert_int_equal(spec_parse_resources(json_root(doc), &a, &l, &err), 0);
	assert_true(l.pids_limit.set && l.pids_limit.value == -1);
	assert_int_equal(json_parse("res.json", bad, strlen(bad), &bad_doc, &err), 0);
	assert_int_equal(spec_parse_resources(json_root(bad_doc), &a, &l, &err), -EINVAL);
	assert_string_equal(err.msg,
			    "res.json:2:20: memory.swap: 5 is below memory.limit 10 (swap counts "
			    "memory too)");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_devices),
		cmocka_unit_test(test_bad_memory_and_cpu),
		cmocka_unit_test(test_bad_block_io),
		cmocka_unit_test(test_bad_others),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_device_rules),
		cmocka_unit_test(test_block_io_values),
		cmocka_unit_test(test_zero_means_absent),
		cmocka_unit_test(test_resources_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
