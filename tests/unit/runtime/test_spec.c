/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json's top level: version, root, names, annotations, hooks, vm, and loading from a bundle.
 */
#include "tests/unit/runtime/spec_cases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/path.h"
#include "tests/unit/leaks.h"

#define VERSION(v)  "{'ociVersion':" v ",'root':{'path':'rootfs'}}"
#define HOOK(x)     TOP("'hooks':{'poststop':[{'path':'/bin/true'},{" x "}]}")
#define VM(x)       TOP("'vm':{'kernel':{'path':'/boot/vmlinux'}," x "}")
#define HARDWARE(x) VM("'hwConfig':{" x "}")

static void test_bad_top_level(void **state)
{
	static const struct bad_case cases[] = {
		{"@[]", "expected an object"},
		{"@{}", "required property 'ociVersion' is missing"},
		{"@{'ociVersion':null}", "required property 'ociVersion' is missing"},
		{"{'ociVersion':@1}", "ociVersion: expected a string, found 1"},
		{VERSION("@''"), "ociVersion: must not be empty"},
		{VERSION("@'1.0'"), "ociVersion: '1.0' is no version such as '1.0.2'"},
		{VERSION("@'01.0.0'"), "ociVersion: '01.0.0' is no version such as '1.0.2'"},
		{VERSION("@'1.0.2-'"), "ociVersion: '1.0.2-' is no version such as '1.0.2'"},
		{VERSION("@'1.0.2 '"), "ociVersion: '1.0.2 ' is no version such as '1.0.2'"},
		{VERSION("@'0.9.0'"), "ociVersion: version '0.9.0' is not supported, expected 1.x"},
		{VERSION("@'2.0.0'"), "ociVersion: version '2.0.0' is not supported, expected 1.x"},
		{VERSION("@'11.0.0'"),
		 "ociVersion: version '11.0.0' is not supported, expected 1.x"},
		{"@{'ociVersion':'1.0.2'}", "required property 'root' is missing"},
		{"{'ociVersion':'1.0.2','root':@'rootfs'}",
		 "root: expected an object, found a string"},
		{"{'ociVersion':'1.0.2','root':@{}}", "root: required property 'path' is missing"},
		{"{'ociVersion':'1.0.2','root':{'path':@''}}", "root.path: must not be empty"},
		{"{'ociVersion':'1.0.2','root':{'path':@5}}",
		 "root.path: expected a string, found 5"},
		{"{'ociVersion':'1.0.2','root':{'path':'r','readonly':@'no'}}",
		 "root.readonly: expected true or false, found a string"},
		{"{\n 'ociVersion':'1.0.2',\n 'root':{'path':'rootfs'},\n 'hostname':@[]\n}",
		 "hostname: expected a string, found an array"},
		{TOP("'hostname':@'a'"), "hostname: needs a uts namespace"},
		{TOP("'domainname':@'a'"), "domainname: needs a uts namespace"},
		{LINUX_NS("uts",
			  "'x':1}, 'hostname':"
			  "@'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
			  ",'y':{"),
		 "hostname: longer than 64 bytes"},
		{TOP("'annotations':@[]"), "annotations: expected an object, found an array"},
		{TOP("'annotations':{'a':@1}"), "annotations.a: expected a string, found 1"},
		{TOP("'annotations':{'':@'x'}"), "annotations[\"\"]: an annotation needs a name"},
		{TOP("'process':@[]"), "process: expected an object, found an array"},
		{TOP("'linux':@[]"), "linux: expected an object, found an array"},
		{TOP("'mounts':@{}"), "mounts: expected an array, found an object"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_good_top_level(void **state)
{
	static const char *const texts[] = {
		VERSION("'1.0.0'"),
		VERSION("'1.3.0'"),
		VERSION("'1.99.7'"),
		VERSION("'1.3.0-dev'"),
		VERSION("'1.0.0-rc.5+build.7-x'"),
		TOP("'process':null,'hooks':null,'mounts':null,'linux':null,'vm':null,'annotations'"
		    ":null"),
		TOP("'hostname':'','domainname':''"),
		TOP("'solaris':{'milestone':1},'windows':7,'zos':[],'freebsd':'x','unknown':{'a':[]"
		    "}"),
	};

	(void)state;
	spec_check_good(texts, ARRAY_SIZE(texts));
}

static void test_values_of_top_level(void **state)
{
	SPEC *spec = spec_good("{'ociVersion':'1.1.0','root':{'path':'/r','readonly':true},"
			       "'hostname':'h','domainname':'d','annotations':{'a.b':'','c':'v'},"
			       "'linux':{'namespaces':[{'type':'uts'},{'type':'mount'}]}}");

	(void)state;
	assert_string_equal(spec->oci_version, "1.1.0");
	assert_string_equal(spec->bundle, BUNDLE);
	assert_string_equal(spec->rootfs.path, "/r");
	assert_true(spec->rootfs.readonly);
	assert_string_equal(spec->hostname, "h");
	assert_string_equal(spec->domainname, "d");
	assert_int_equal(spec->n_annotations, 2);
	assert_string_equal(spec_annotation(spec, "a.b"), "");
	assert_string_equal(spec_annotation(spec, "c"), "v");
	assert_null(spec_annotation(spec, "a"));
	assert_false(spec->has_process);
	assert_false(spec->has_resources);
	assert_false(spec->has_vm);
	assert_null(spec->seccomp);
	assert_null(spec->rdt);
}

static void test_root_is_relative_to_bundle(void **state)
{
	SPEC *spec = spec_good("{" ROOT "}");

	(void)state;
	assert_string_equal(spec->rootfs.path, BUNDLE "/rootfs");
	assert_false(spec->rootfs.readonly);
}

static void test_bad_hooks(void **state)
{
	static const struct bad_case cases[] = {
		{TOP("'hooks':@[]"), "hooks: expected an object, found an array"},
		{TOP("'hooks':{'prestart':@{}}"),
		 "hooks.prestart: expected an array, found an object"},
		{TOP("'hooks':{'createRuntime':[@null]}"),
		 "hooks.createRuntime[0]: expected an object"},
		{TOP("'hooks':{'createContainer':[@{}]}"),
		 "hooks.createContainer[0]: required property 'path' is missing"},
		{TOP("'hooks':{'startContainer':[{'path':@'bin/x'}]}"),
		 "hooks.startContainer[0].path: 'bin/x' is not an absolute path"},
		{TOP("'hooks':{'poststart':[@{'path':''}]}"),
		 "hooks.poststart[0]: required property 'path' is missing"},
		{HOOK("'path':@7"), "hooks.poststop[1].path: expected a string, found 7"},
		{HOOK("'path':'/x','timeout':@0"),
		 "hooks.poststop[1].timeout: expected an integer from 1 to 2147483647, found 0"},
		{HOOK("'path':'/x','timeout':@-1"),
		 "hooks.poststop[1].timeout: expected an integer from 1 to 2147483647, found -1"},
		{HOOK("'path':'/x','timeout':@1.5"), "hooks.poststop[1].timeout: expected an "
						     "integer from 1 to 2147483647, found 1.5"},
		{HOOK("'path':'/x','args':@'a'"),
		 "hooks.poststop[1].args: expected an array, found a string"},
		{HOOK("'path':'/x','args':['a',@1]"),
		 "hooks.poststop[1].args[1]: expected a string, found 1"},
		{HOOK("'path':'/x','env':[@{}]"),
		 "hooks.poststop[1].env[0]: expected a string, found an object"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_values_of_hooks(void **state)
{
	SPEC *spec =
		spec_good(TOP("'hooks':{'prestart':[{'path':'/a','args':['a','b'],'env':['X=1'],"
			      "'timeout':5},{'path':'/b','args':[]}],'createRuntime':[],"
			      "'createContainer':[{'path':'/c'}],'startContainer':[{'path':'/d'}],"
			      "'poststart':[{'path':'/e'}],'poststop':[{'path':'/f'}]}"));
	const struct spec_hook *h = spec->hooks.list[HOOK_PRESTART];

	(void)state;
	assert_int_equal(spec->hooks.n[HOOK_PRESTART], 2);
	assert_string_equal(h[0].path, "/a");
	assert_string_equal(h[0].args[1], "b");
	assert_null(h[0].args[2]);
	assert_string_equal(h[0].env[0], "X=1");
	assert_null(h[0].env[1]);
	assert_int_equal(h[0].timeout_s, 5);
	assert_null(h[1].args);
	assert_null(h[1].env);
	assert_int_equal(h[1].timeout_s, 0);
	assert_int_equal(spec->hooks.n[HOOK_CREATE_RUNTIME], 0);
	assert_string_equal(spec->hooks.list[HOOK_CREATE_CONTAINER][0].path, "/c");
	assert_string_equal(spec->hooks.list[HOOK_START_CONTAINER][0].path, "/d");
	assert_string_equal(spec->hooks.list[HOOK_POSTSTART][0].path, "/e");
	assert_string_equal(spec->hooks.list[HOOK_POSTSTOP][0].path, "/f");
	assert_string_equal(spec_hook_kind_name(HOOK_CREATE_RUNTIME), "createRuntime");
}

static void test_bad_vm(void **state)
{
	static const struct bad_case cases[] = {
		{TOP("'vm':@1"), "vm: expected an object, found 1"},
		{TOP("'vm':@{}"), "vm: required property 'kernel' is missing"},
		{TOP("'vm':{'kernel':@{}}"), "vm.kernel: required property 'path' is missing"},
		{TOP("'vm':{'kernel':{'path':@'vmlinux'}}"),
		 "vm.kernel.path: 'vmlinux' is not an absolute path"},
		{TOP("'vm':{'kernel':{'path':'/k','parameters':@'quiet'}}"),
		 "vm.kernel.parameters: expected an array, found a string"},
		{TOP("'vm':{'kernel':{'path':'/k','initrd':@'x'}}"),
		 "vm.kernel.initrd: 'x' is not an absolute path"},
		{VM("'hypervisor':@{}"), "vm.hypervisor: required property 'path' is missing"},
		{VM("'hypervisor':{'path':@'x'}"),
		 "vm.hypervisor.path: 'x' is not an absolute path"},
		{VM("'hypervisor':{'path':'/x','parameters':[@1]}"),
		 "vm.hypervisor.parameters[0]: expected a string, found 1"},
		{VM("'image':@{}"), "vm.image: required property 'path' is missing"},
		{VM("'image':{'path':'/i','format':@'iso'}"),
		 "vm.image.format: unknown format 'iso', expected raw, qcow2, vdi, vmdk or vhd"},
		{HARDWARE("'vcpus':@-1"),
		 "vm.hwConfig.vcpus: expected an integer from 0 to 4294967295, found -1"},
		{HARDWARE("'memory':@'1G'"), "vm.hwConfig.memory: expected an integer from 0 to "
					     "18446744073709551615, found a string"},
		{HARDWARE("'deviceTree':@1"), "vm.hwConfig.deviceTree: expected a string, found 1"},
		{HARDWARE("'dtdevs':@1"), "vm.hwConfig.dtdevs: expected an array, found 1"},
		{HARDWARE("'irqs':[1,@'2']"), "vm.hwConfig.irqs[1]: expected an integer from 0 to "
					      "4294967295, found a string"},
		{HARDWARE("'iomems':[@{}]"),
		 "vm.hwConfig.iomems[0]: required property 'firstMFN' is missing"},
		{HARDWARE("'iomems':[@{'firstMFN':1}]"),
		 "vm.hwConfig.iomems[0]: required property 'nrMFNs' is missing"},
		{VM("'hwconfig':{'vcpus':@'2'}"),
		 "vm.hwconfig.vcpus: expected an integer from 0 to 4294967295, found a string"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_good_vm(void **state)
{
	SPEC *spec = spec_good(VM("'hypervisor':{'path':'/vmm','parameters':['a']},"
				  "'image':{'path':'/i'},'hwConfig':{'deviceTree':'d','vcpus':2,"
				  "'memory':4294967296,'dtdevs':['x'],'irqs':[1,2],"
				  "'iomems':[{'firstGFN':1,'firstMFN':2,'nrMFNs':3}]}"));

	(void)state;
	assert_true(spec->has_vm);
}

/* A bundle directory of one file; the caller removes it with drop_bundle. */
static char *make_bundle(const char *file, const char *quoted)
{
	FREE char *text = spec_case_text(quoted, NULL, NULL);
	char *dir = mem_xprintf("/tmp/hull-test-spec-XXXXXX");
	FREE char *path = NULL;
	int fd;

	assert_non_null(mkdtemp(dir));
	path = mem_xprintf("%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, text, strlen(text)), 0);
	close(fd);
	return dir;
}

static void drop_bundle(char *dir)
{
	struct err err = ERR_INIT;

	assert_int_equal(path_remove_tree(AT_FDCWD, dir, &err), 0);
	free(dir);
}

static void test_load(void **state)
{
	char *dir = make_bundle("config.json", "{" ROOT ",'mounts':[],\n'process':@7}");
	FREE char *rootfs = NULL;
	BUF text = BUF_INIT;
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(spec_load(dir, "config.json", NULL, &spec, &err), -EINVAL);
	drop_bundle(dir);
	dir = make_bundle("other.json", "{" ROOT "}");
	rootfs = mem_xprintf("%s/rootfs", dir);
	assert_int_equal(symlink(dir, "/tmp/hull-test-spec-link"), 0);
	assert_int_equal(spec_load("/tmp/hull-test-spec-link", "other.json", &text, &spec, &err),
			 0);
	unlink("/tmp/hull-test-spec-link");
	assert_string_equal(spec->bundle, dir);
	assert_int_equal(buf_str(&text)[0], '{');
	assert_int_equal(buf_str(&text)[text.len - 1], '}');
	assert_string_equal(spec->rootfs.path, rootfs);
	spec_free(spec);
	drop_bundle(dir);
}

static void test_load_says_what_is_missing(void **state)
{
	char *dir = make_bundle("x", "");
	FREE char *no_file =
		mem_xprintf("bundle '%s': open 'config.json': No such file or directory", dir);
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(spec_load("/nowhere/at/all", "config.json", NULL, &spec, &err), -ENOENT);
	assert_string_equal(err.msg, "bundle '/nowhere/at/all': No such file or directory");
	assert_int_equal(spec_load(dir, "config.json", NULL, &spec, &err), -ENOENT);
	assert_string_equal(err.msg, no_file);
	drop_bundle(dir);
	assert_int_equal(spec_load("/dev/null", "config.json", NULL, &spec, &err), -ENOTDIR);
	assert_string_equal(err.msg, "open bundle '/dev/null': Not a directory");
	assert_null(spec);
}

static void test_free_takes_null(void **state)
{
	(void)state;
	spec_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_top_level),
		cmocka_unit_test(test_good_top_level),
		cmocka_unit_test(test_values_of_top_level),
		cmocka_unit_test(test_root_is_relative_to_bundle),
		cmocka_unit_test(test_bad_hooks),
		cmocka_unit_test(test_values_of_hooks),
		cmocka_unit_test(test_bad_vm),
		cmocka_unit_test(test_good_vm),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_says_what_is_missing),
		cmocka_unit_test(test_free_takes_null),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
