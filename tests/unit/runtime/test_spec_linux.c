/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json's linux object but for resources and seccomp, and the checks across sections. */
#include "tests/unit/runtime/spec_cases.h"

#include <linux/mempolicy.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/personality.h>

#define IDS(key, x) LINUX_NS("user", "'" key "':[" x "]")
#define DEVICE(x)   LINUX("'devices':[{'path':'/dev/x'," x "}]")
#define NETDEV(x)   LINUX_NS("network", "'netDevices':{" x "}")
#define RDT(x)      LINUX("'intelRdt':{" x "}")
#define POLICY(x)   LINUX("'memoryPolicy':{" x "}")
#define USERNS_PROCESS(user)                                                                       \
	"{" ROOT ",'process':{'args':['a'],'cwd':'/'" user "},'linux':{'namespaces':"              \
	"[{'type':'user'}],'uidMappings':[{'containerID':0,'hostID':5,'size':10}],"                \
	"'gidMappings':[{'containerID':1,'hostID':5,'size':10}]}}"

static void test_bad_namespaces(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'namespaces':@{}"), "linux.namespaces: expected an array, found an object"},
		{LINUX("'namespaces':[@'pid']"), "linux.namespaces[0]: expected an object"},
		{LINUX("'namespaces':[@{}]"),
		 "linux.namespaces[0]: required property 'type' is missing"},
		{LINUX("'namespaces':[{'type':@'net'}]"),
		 "linux.namespaces[0].type: unknown namespace 'net'"},
		{LINUX("'namespaces':[{'type':'pid'},{'type':'ipc'},@{'type':'pid','path':'/x'}]"),
		 "linux.namespaces[2]: namespace 'pid' is listed twice"},
		{LINUX("'namespaces':[{'type':'pid','path':@'proc/1/ns/pid'}]"),
		 "linux.namespaces[0].path: 'proc/1/ns/pid' is not an absolute path"},
		{LINUX("'namespaces':@[{'type':'user'}]"),
		 "linux.namespaces: a new user namespace needs linux.uidMappings"},
		{LINUX("'namespaces':@[{'type':'user'}],"
		       "'uidMappings':[{'containerID':0,'hostID':0,'size':1}]"),
		 "linux.namespaces: a new user namespace needs linux.gidMappings"},
		{LINUX("'uidMappings':@[{'containerID':0,'hostID':0,'size':1}]"),
		 "linux.uidMappings: needs a user namespace"},
		{LINUX("'gidMappings':@[{'containerID':0,'hostID':0,'size':1}]"),
		 "linux.gidMappings: needs a user namespace"},
		{IDS("uidMappings", "{'containerID':0,'hostID':0,'size':@0}"),
		 "linux.uidMappings[0].size: a mapping of no ids"},
		{LINUX_NS("user", "'uidMappings':@[{'containerID':0,'hostID':0,'size':10},"
				  "{'containerID':9,'hostID':100,'size':10}]"),
		 "linux.uidMappings: container id 9 is mapped twice"},
		{LINUX_NS("user", "'gidMappings':@[{'containerID':20,'hostID':9,'size':10},"
				  "{'containerID':0,'hostID':0,'size':10}]"),
		 "linux.gidMappings: host id 9 is mapped twice"},
		{IDS("uidMappings", "{'containerID':@-1,'hostID':0,'size':1}"),
		 "linux.uidMappings[0].containerID: expected an integer from 0 to 4294967295, "
		 "found -1"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

/* The kernel takes 340 ranges, more than any configuration needs. */
static void test_too_many_mappings(void **state)
{
	BUF text = BUF_INIT;
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	(void)state;
	buf_adds(&text, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
			"\"linux\":{\"uidMappings\":[");
	for (int i = 0; i < 341; i++)
		buf_addf(&text, "%s{\"containerID\":%d,\"hostID\":%d,\"size\":1}", i ? "," : "", i,
			 i);
	buf_adds(&text, "]}}");
	assert_true(spec_parse(BUNDLE, "c", text.data, text.len, &spec, &err) < 0);
	assert_string_equal(err.msg, "c:1:66: linux.uidMappings: 341 mappings, the kernel takes at "
				     "most 340");
}

static void test_unmapped_user(void **state)
{
	static const struct bad_case cases[] = {
		{USERNS_PROCESS(",'user':@{'uid':10,'gid':1}"),
		 "process.user: uid 10 is not in linux.uidMappings"},
		{USERNS_PROCESS(",'user':@{'uid':9}"),
		 "process.user: gid 0 is not in linux.gidMappings"},
		{USERNS_PROCESS(",'user':{'gid':1,'additionalGids':[2,@11]}"),
		 "process.user.additionalGids[1]: gid 11 is not in linux.gidMappings"},
		{"{" ROOT
		 ",'process':@{'args':['a'],'cwd':'/'},'linux':{'namespaces':[{'type':'user'}],"
		 "'uidMappings':[{'containerID':1,'hostID':5,'size':10}],"
		 "'gidMappings':[{'containerID':0,'hostID':5,'size':10}]}}",
		 "process: uid 0 is not in linux.uidMappings"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
	spec_free(spec_good(USERNS_PROCESS(",'user':{'uid':9,'gid':10,'additionalGids':[1,10]}")));
}

static void test_bad_time_and_sysctl(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'timeOffsets':@[]"),
		 "linux.timeOffsets: expected an object, found an array"},
		{LINUX("'timeOffsets':@{'boottime':{'secs':1}}"),
		 "linux.timeOffsets: needs a time namespace"},
		{LINUX("'namespaces':[{'type':'time','path':'/x'}],"
		       "'timeOffsets':@{'monotonic':{'secs':1}}"),
		 "linux.timeOffsets: needs a new time namespace, not one joined by path"},
		{LINUX_NS("time", "'timeOffsets':{'realtime':@{'secs':1}}"),
		 "linux.timeOffsets.realtime: no such clock, expected monotonic or boottime"},
		{LINUX_NS("time", "'timeOffsets':{'monotonic':@1}"),
		 "linux.timeOffsets.monotonic: expected an object"},
		{LINUX_NS("time", "'timeOffsets':{'monotonic':{'secs':@1.5}}"),
		 "linux.timeOffsets.monotonic.secs: expected an integer from -9223372036854775808 "
		 "to "
		 "9223372036854775807, found 1.5"},
		{LINUX_NS("time", "'timeOffsets':{'monotonic':{'nanosecs':@1000000000}}"),
		 "linux.timeOffsets.monotonic.nanosecs: expected an integer from 0 to 999999999, "
		 "found "
		 "1000000000"},
		{LINUX("'sysctl':@'x'"), "linux.sysctl: expected an object, found a string"},
		{LINUX_NS("network", "'sysctl':{'net.ipv4.ip_forward':@1}"),
		 "linux.sysctl[\"net.ipv4.ip_forward\"]: expected a string, found 1"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

/* Which keys are refused, and in which words, is the namespaces module's: only the place is ours.
 */
static void test_sysctl_is_checked(void **state)
{
	FREE char *text = spec_case_text(LINUX_NS("ipc", "'sysctl':{'kernel.msgmax':'1',\n"
							 "'vm.swappiness':'1'}"),
					 NULL, NULL);
	const char *place = "config.json:2:17: linux.sysctl[\"vm.swappiness\"]: ";
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_true(spec_parse(BUNDLE, "config.json", text, strlen(text), &spec, &err) < 0);
	assert_memory_equal(err.msg, place, strlen(place));
	assert_non_null(strstr(err.msg + strlen(place), "vm.swappiness"));
}

/* By the time a saved copy is read, a joined namespace may be gone. */
static void test_saved_copy_trusts_namespaces(void **state)
{
	FREE char *text = spec_case_text(LINUX("'namespaces':[{'type':'network','path':'/gone'}],"
					       "'sysctl':{'net.core.somaxconn':'1'}"),
					 NULL, NULL);
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(spec_parse_saved(BUNDLE, "config.json", text, strlen(text), &spec, &err),
			 0);
	assert_int_equal(spec->n_sysctls, 1);
	spec_free(spec);
	spec = NULL;
	assert_true(spec_parse(BUNDLE, "config.json", text, strlen(text), &spec, &err) < 0);
	assert_non_null(strstr(err.msg, "/gone"));
}

static void test_bad_paths_and_words(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'cgroupsPath':@1"), "linux.cgroupsPath: expected a string, found 1"},
		{LINUX("'cgroupsPath':@'system.slice:runc:abc'"),
		 "linux.cgroupsPath: 'system.slice:runc:abc' is meant for the systemd cgroup "
		 "driver, "
		 "which is not supported"},
		{LINUX("'cgroupsPath':@':hull:abc'"),
		 "linux.cgroupsPath: ':hull:abc' is meant for the systemd cgroup driver, which is "
		 "not "
		 "supported"},
		{LINUX("'cgroupsPath':@'/a/../b'"),
		 "linux.cgroupsPath: '/a/../b' has a '..' component"},
		{LINUX("'cgroupsPath':@'..'"), "linux.cgroupsPath: '..' has a '..' component"},
		{LINUX("'cgroupsPath':@'a//..'"),
		 "linux.cgroupsPath: 'a//..' has a '..' component"},
		{LINUX("'rootfsPropagation':@'none'"),
		 "linux.rootfsPropagation: unknown word 'none', "
		 "expected shared, slave, private or unbindable"},
		{LINUX("'rootfsPropagation':@[]"),
		 "linux.rootfsPropagation: expected a string, found an array"},
		{LINUX("'maskedPaths':@'/x'"),
		 "linux.maskedPaths: expected an array, found a string"},
		{LINUX("'maskedPaths':['/a',@'proc/kcore']"),
		 "linux.maskedPaths[1]: 'proc/kcore' is not an absolute path"},
		{LINUX("'maskedPaths':[@'']"), "linux.maskedPaths[0]: '' is not an absolute path"},
		{LINUX("'readonlyPaths':[@1]"),
		 "linux.readonlyPaths[0]: expected a string, found 1"},
		{LINUX("'readonlyPaths':[@'x']"),
		 "linux.readonlyPaths[0]: 'x' is not an absolute path"},
		{LINUX("'mountLabel':@1"), "linux.mountLabel: expected a string, found 1"},
		{LINUX("'personality':@{}"),
		 "linux.personality: required property 'domain' is missing"},
		{LINUX("'personality':{'domain':@'BSD'}"),
		 "linux.personality.domain: unknown domain 'BSD', expected LINUX or LINUX32"},
		{LINUX("'personality':{'domain':'LINUX','flags':@['X']}"),
		 "linux.personality.flags: no flags are supported"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_mount_namespace_is_needed(void **state)
{
	static const struct bad_case cases[] = {
		{"{'ociVersion':'1.0.0','root':{'path':'r','readonly':@true}}",
		 "root.readonly: needs a mount namespace"},
		{LINUX("'maskedPaths':@['/x']"), "linux.maskedPaths: needs a mount namespace"},
		{LINUX("'readonlyPaths':@['/x']"), "linux.readonlyPaths: needs a mount namespace"},
		{LINUX("'rootfsPropagation':@'shared'"),
		 "linux.rootfsPropagation: needs a mount namespace"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_devices(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'devices':@{}"), "linux.devices: expected an array, found an object"},
		{LINUX("'devices':[@7]"), "linux.devices[0]: expected an object"},
		{LINUX("'devices':[@{'path':'/x'}]"),
		 "linux.devices[0]: required property 'type' is missing"},
		{DEVICE("'type':@'d'"),
		 "linux.devices[0].type: unknown type 'd', expected c, b, u or p"},
		{DEVICE("'type':@'cb'"),
		 "linux.devices[0].type: unknown type 'cb', expected c, b, u or p"},
		{LINUX("'devices':[@{'type':'p'}]"),
		 "linux.devices[0]: required property 'path' is missing"},
		{LINUX("'devices':[{'type':'p','path':@'dev/x'}]"),
		 "linux.devices[0].path: 'dev/x' is not an absolute path"},
		{LINUX("'devices':[{'type':'p','path':@'/..//'}]"),
		 "linux.devices[0].path: a device cannot be '/'"},
		{LINUX("'devices':[@{'type':'c','path':'/x','minor':1}]"),
		 "linux.devices[0]: required property 'major' is missing"},
		{LINUX("'devices':[@{'type':'b','path':'/x','major':1}]"),
		 "linux.devices[0]: required property 'minor' is missing"},
		{DEVICE("'type':'c','major':@4096,'minor':1"),
		 "linux.devices[0].major: expected an integer from 0 to 4095, found 4096"},
		{DEVICE("'type':'c','major':1,'minor':@-1"),
		 "linux.devices[0].minor: expected an integer from 0 to 1048575, found -1"},
		{DEVICE("'type':'p','fileMode':@4294967296"),
		 "linux.devices[0].fileMode: expected an integer from 0 to 4294967295, found "
		 "4294967296"},
		{DEVICE("'type':'c','major':1,'minor':1,'fileMode':@24576"),
		 "linux.devices[0].fileMode: the type bits of 24576 are not those of type 'c'"},
		{DEVICE("'type':'p','fileMode':@1048576"),
		 "linux.devices[0].fileMode: 1048576 is no file mode"},
		{DEVICE("'type':'p','uid':@4294967295"),
		 "linux.devices[0].uid: expected an integer from 0 to 4294967294, found "
		 "4294967295"},
		{DEVICE("'type':'p','gid':@'a'"), "linux.devices[0].gid: expected an integer from "
						  "0 to 4294967294, found a string"},
		{LINUX("'devices':[{'type':'p','path':'/x'},{'type':'p','path':'/y'},"
		       "@{'type':'c','path':'/x','major':1,'minor':3}]"),
		 "linux.devices[2]: another device is at '/x' already"},
		{LINUX("'devices':[{'type':'c','path':'/x','major':1,'minor':3},"
		       "@{'type':'c','path':'//x/','major':1,'minor':5}]"),
		 "linux.devices[1]: another device is at '/x' already"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_devices(void **state)
{
	SPEC *spec = spec_good(LINUX(
		"'devices':[{'type':'u','path':'/dev/a','major':4095,'minor':1048575},"
		"{'type':'p','path':'/dev/p','fileMode':384,'uid':3,'gid':4},"
		"{'type':'b','path':'/dev//b','major':8,'minor':0,'fileMode':25008},"
		"{'type':'c','path':'/dev/./a','major':4095,'minor':1048575,'fileMode':256}]"));
	const struct ns_device *d = spec->rootfs.devices;

	(void)state;
	assert_int_equal(spec->rootfs.n_devices, 3);
	assert_int_equal(d[0].type, 'p');
	assert_int_equal(d[0].mode, 0600);
	assert_true(d[0].uid == 3 && d[0].gid == 4);
	assert_int_equal(d[1].type, 'b');
	assert_string_equal(d[1].path, "/dev/b");
	assert_int_equal(d[1].mode, 0660);
	assert_int_equal(d[2].type, 'c'); /* the last one at /dev/a */
	assert_string_equal(d[2].path, "/dev/a");
	assert_int_equal(d[2].mode, 0400);
	assert_true(d[2].major == 4095 && d[2].minor == 1048575);
}

static void test_bad_net_devices(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'netDevices':@[]"), "linux.netDevices: expected an object, found an array"},
		{LINUX("'netDevices':@{'eth0':{}}"), "linux.netDevices: needs a network namespace"},
		{NETDEV("'eth0':@null"), "linux.netDevices.eth0: expected an object"},
		{NETDEV("'eth0':@'x'"), "linux.netDevices.eth0: expected an object"},
		{NETDEV("'':@{}"), "linux.netDevices[\"\"]: '' is no name of a network interface"},
		{NETDEV("'0123456789abcdef':@{}"),
		 "linux.netDevices.0123456789abcdef: '0123456789abcdef' is no name of a network "
		 "interface"},
		{NETDEV("'..':@{}"),
		 "linux.netDevices[\"..\"]: '..' is no name of a network interface"},
		{NETDEV("'eth%d':@{}"),
		 "linux.netDevices.eth%d: 'eth%d' is no name of a network interface"},
		{NETDEV("'a':{'name':@'b/c'}"),
		 "linux.netDevices.a.name: 'b/c' is no name of a network interface"},
		{NETDEV("'a':{'name':@'b c'}"),
		 "linux.netDevices.a.name: 'b c' is no name of a network interface"},
		{NETDEV("'a':{'name':@'b:1'}"),
		 "linux.netDevices.a.name: 'b:1' is no name of a network interface"},
		{NETDEV("'a':{'name':@'b%s'}"),
		 "linux.netDevices.a.name: 'b%s' is no name of a network interface"},
		{NETDEV("'a':{'name':@'b%d%d'}"),
		 "linux.netDevices.a.name: 'b%d%d' is no name of a network interface"},
		{NETDEV("'a':{'name':@1}"), "linux.netDevices.a.name: expected a string, found 1"},
		{NETDEV("'a':{'name':'x'},'b':@{'name':'x'}"),
		 "linux.netDevices.b: another interface is named 'x' already"},
		{NETDEV("'a':{'name':'b'},'b':@{}"),
		 "linux.netDevices.b: another interface is named 'b' already"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_net_devices(void **state)
{
	SPEC *spec = spec_good(
		NETDEV("'eth0':{},'eth1':{'name':'in'},'a':{'name':'n%d'},'b':{'name':'n%d'}"));
	const struct spec_net_device *d = spec->net_devices;

	(void)state;
	assert_int_equal(spec->n_net_devices, 4);
	assert_string_equal(d[0].name, "eth0");
	assert_string_equal(d[1].host_name, "eth1");
	assert_string_equal(d[1].name, "in");
	assert_string_equal(d[3].name, "n%d");
}

static void test_bad_rdt(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'intelRdt':@[]"), "linux.intelRdt: expected an object, found an array"},
		{RDT("'closID':@1"), "linux.intelRdt.closID: expected a string, found 1"},
		{RDT("'closID':@'.'"), "linux.intelRdt.closID: '.' is no name of a class"},
		{RDT("'closID':@'..'"), "linux.intelRdt.closID: '..' is no name of a class"},
		{RDT("'closID':@'a/b'"), "linux.intelRdt.closID: 'a/b' is no name of a class"},
		{RDT("'closID':@'//'"), "linux.intelRdt.closID: '//' is no name of a class"},
		{RDT("'l3CacheSchema':@'L3:0=f\\nMB:0=1'"),
		 "linux.intelRdt.l3CacheSchema: must not contain a newline"},
		{RDT("'memBwSchema':@'L3:0=f'"),
		 "linux.intelRdt.memBwSchema: must begin with 'MB:'"},
		{RDT("'memBwSchema':@'MB:0=1\\n'"),
		 "linux.intelRdt.memBwSchema: must not contain a newline"},
		{RDT("'schemata':@'x'"),
		 "linux.intelRdt.schemata: expected an array, found a string"},
		{RDT("'schemata':['a',@'b\\n']"),
		 "linux.intelRdt.schemata[1]: must not contain a newline"},
		{RDT("'enableMonitoring':@1"),
		 "linux.intelRdt.enableMonitoring: expected true or false, found 1"},
		{RDT("'enableCMT':@'x'"),
		 "linux.intelRdt.enableCMT: expected true or false, found a string"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_rdt(void **state)
{
	SPEC *all = spec_good(RDT("'closID':'/','l3CacheSchema':'L3:0=f','memBwSchema':'MB:0=20',"
				  "'schemata':['L2:0=f','MB:1=70'],'enableMonitoring':true"));
	SPEC *old = spec_good(RDT("'enableCMT':false,'enableMBM':true"));
	SPEC *empty = spec_good(RDT("'closID':'','schemata':[]"));

	(void)state;
	assert_string_equal(all->rdt->clos_id, "/");
	assert_string_equal(all->rdt->l3_cache_schema, "L3:0=f");
	assert_string_equal(all->rdt->mem_bw_schema, "MB:0=20");
	assert_string_equal(all->rdt->schemata[1], "MB:1=70");
	assert_null(all->rdt->schemata[2]);
	assert_true(all->rdt->enable_monitoring);
	assert_true(old->rdt->enable_monitoring);
	assert_non_null(empty->rdt);
	assert_true(!empty->rdt->clos_id && !empty->rdt->schemata &&
		    !empty->rdt->enable_monitoring);
}

static void test_bad_memory_policy(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'memoryPolicy':@{}"),
		 "linux.memoryPolicy: required property 'mode' is missing"},
		{POLICY("'mode':@'MPOL_LOTTERY'"),
		 "linux.memoryPolicy.mode: unknown memory policy 'MPOL_LOTTERY'"},
		{POLICY("'mode':'MPOL_BIND','nodes':@'a'"),
		 "linux.memoryPolicy.nodes: 'a' is no list such as '0-3,7'"},
		{POLICY("'mode':'MPOL_BIND','nodes':@'1024'"),
		 "linux.memoryPolicy.nodes: '1024' goes beyond 1023"},
		{LINUX("'memoryPolicy':@{'mode':'MPOL_INTERLEAVE','nodes':''}"),
		 "linux.memoryPolicy: MPOL_INTERLEAVE needs at least one node"},
		{LINUX("'memoryPolicy':@{'mode':'MPOL_WEIGHTED_INTERLEAVE'}"),
		 "linux.memoryPolicy: MPOL_WEIGHTED_INTERLEAVE needs at least one node"},
		{POLICY("'mode':'MPOL_DEFAULT','nodes':@'0'"),
		 "linux.memoryPolicy.nodes: MPOL_DEFAULT takes no nodes"},
		{POLICY("'mode':'MPOL_LOCAL','nodes':@'0'"),
		 "linux.memoryPolicy.nodes: MPOL_LOCAL takes no nodes"},
		{POLICY("'mode':'MPOL_LOCAL','flags':[@'MPOL_F_X']"),
		 "linux.memoryPolicy.flags[0]: unknown memory policy flag 'MPOL_F_X'"},
		{POLICY("'mode':'MPOL_BIND','nodes':'0',"
			"'flags':@['MPOL_F_STATIC_NODES','MPOL_F_RELATIVE_NODES']"),
		 "linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude "
		 "each "
		 "other"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_values(void **state)
{
	SPEC *spec = spec_good(LINUX(
		"'namespaces':[{'type':'mount'},{'type':'network','path':'/run/netns/a'},"
		"{'type':'user'},{'type':'time'},{'type':'cgroup'}],"
		"'uidMappings':[{'containerID':5,'hostID':1,'size':2},{'containerID':0,'hostID':3,'"
		"size':5}],"
		"'gidMappings':[{'containerID':0,'hostID':7,'size':9}],"
		"'timeOffsets':{'monotonic':{'secs':-5,'nanosecs':999999999},'boottime':null},"
		"'cgroupsPath':'/a/b..c','rootfsPropagation':'rshared','maskedPaths':['/m'],"
		"'readonlyPaths':['/r','/"
		"s'],'mountLabel':'l','personality':{'domain':'LINUX32','flags':[]},"
		"'memoryPolicy':{'mode':'MPOL_PREFERRED','flags':['MPOL_F_STATIC_NODES']}"));
	const struct ns_spaces *s = &spec->spaces;
	const struct ns_rootfs *r = &spec->rootfs;

	(void)state;
	assert_true(s->kind[NS_MOUNT].listed && !s->kind[NS_MOUNT].path && !s->kind[NS_PID].listed);
	assert_string_equal(s->kind[NS_NETWORK].path, "/run/netns/a");
	assert_true(r->new_mount_ns && r->in_userns && r->new_netns && r->new_cgroupns);
	assert_int_equal(s->idmaps.n_uids, 2);
	assert_true(s->idmaps.uids[0].inside == 5 && s->idmaps.uids[1].outside == 3);
	assert_int_equal(s->idmaps.gids[0].count, 9);
	assert_true(s->monotonic.set && s->monotonic.secs == -5 &&
		    s->monotonic.nanosecs == 999999999);
	assert_false(s->boottime.set);
	assert_string_equal(spec->cgroups_path, "/a/b..c");
	assert_int_equal(r->propagation, MS_SHARED | MS_REC);
	assert_int_equal(r->n_masked_paths, 1);
	assert_int_equal(r->n_readonly_paths, 2);
	assert_string_equal(r->masked_paths[0], "/m");
	assert_string_equal(r->readonly_paths[1], "/s");
	assert_string_equal(r->mount_label, "l");
	assert_true(spec->process.has_personality);
	assert_int_equal(spec->process.personality, PER_LINUX32);
	assert_int_equal(spec->process.mempolicy->mode, MPOL_PREFERRED | MPOL_F_STATIC_NODES);
	assert_null(spec->process.mempolicy->nodes);
}

static void test_good(void **state)
{
	static const char *const texts[] = {
		LINUX("'namespaces':[]"),
		LINUX("'namespaces':[{'type':'pid','path':''},{'type':'ipc'},{'type':'uts'}]"),
		/* Engines send the mappings of a user namespace that is joined, too. */
		LINUX("'namespaces':[{'type':'user','path':'/u'}],"
		      "'uidMappings':[{'containerID':0,'hostID':1,'size':1}]"),
		LINUX("'uidMappings':[],'gidMappings':null,'timeOffsets':{},'netDevices':{}"),
		LINUX("'cgroupsPath':'','rootfsPropagation':'','mountLabel':''"),
		LINUX("'cgroupsPath':'/a:b:c'"),
		LINUX("'cgroupsPath':'rel/ative'"),
		LINUX("'cgroupsPath':'a:b'"),
		LINUX_NS("ipc", "'sysctl':{'kernel.msgmax':'1','kernel/shmmni':'2'}"),
		LINUX_NS("ipc", "'rootfsPropagation':'slave'"),
		LINUX_NS("ipc", "'rootfsPropagation':'unbindable'"),
		LINUX_NS("ipc", "'rootfsPropagation':'rprivate'"),
		POLICY("'mode':'MPOL_BIND','nodes':'0-3, 7'"),
		POLICY("'mode':'MPOL_DEFAULT','nodes':''"),
		POLICY("'mode':'MPOL_LOCAL'"),
		POLICY("'mode':'MPOL_PREFERRED_MANY','nodes':'1023','flags':['MPOL_F_NUMA_"
		       "BALANCING']"),
	};

	(void)state;
	spec_check_good(texts, ARRAY_SIZE(texts));
}

static void test_joined_namespaces(void **state)
{
	SPEC *spec =
		spec_good(LINUX("'namespaces':[{'type':'cgroup','path':'/c'},{'type':'network',"
				"'path':'/n'}]"));

	(void)state;
	assert_false(spec->rootfs.new_cgroupns);
	assert_true(spec->rootfs.new_netns);
	assert_false(spec->rootfs.new_mount_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_namespaces),
		cmocka_unit_test(test_too_many_mappings),
		cmocka_unit_test(test_unmapped_user),
		cmocka_unit_test(test_bad_time_and_sysctl),
		cmocka_unit_test(test_sysctl_is_checked),
		cmocka_unit_test(test_saved_copy_trusts_namespaces),
		cmocka_unit_test(test_bad_paths_and_words),
		cmocka_unit_test(test_mount_namespace_is_needed),
		cmocka_unit_test(test_bad_devices),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_bad_net_devices),
		cmocka_unit_test(test_net_devices),
		cmocka_unit_test(test_bad_rdt),
		cmocka_unit_test(test_rdt),
		cmocka_unit_test(test_bad_memory_policy),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_joined_namespaces),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
