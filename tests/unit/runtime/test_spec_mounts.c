/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json's mounts: kinds, sources, options, id mappings. */
#include "tests/unit/runtime/spec_cases.h"

#include <stdio.h>
#include <sys/mount.h>

#define MAPS      "'uidMappings':[{'containerID':0,'hostID':1000,'size':10}],"
#define BOTH_MAPS MAPS "'gidMappings':[{'containerID':0,'hostID':2000,'size':10}]"
#define BIND(x)   MOUNT("'destination':'/d','source':'/s','options':['bind']," x)
#define USERNS(x)                                                                                  \
	TOP("'linux':{'namespaces':[{'type':'mount'},{'type':'user'}]," BOTH_MAPS                  \
	    "},'mounts':[{'destination':'/d','source':'/s'," x "}]")

static void test_bad(void **state)
{
	static const struct bad_case cases[] = {
		{TOP("'mounts':[@null]"), "mounts[0]: expected an object"},
		{TOP("'mounts':[@{}]"), "mounts[0]: required property 'destination' is missing"},
		{MOUNT("'destination':@''"), "mounts[0].destination: must not be empty"},
		{MOUNT("'destination':@3"), "mounts[0].destination: expected a string, found 3"},
		{TOP("'mounts':[@{'destination':'/a'}]"),
		 "mounts[0]: required property 'type' is missing, as no option says bind or "
		 "rbind"},
		{MOUNT("'destination':'/a','type':@[]"),
		 "mounts[0].type: expected a string, found an array"},
		{MOUNT("'destination':'/a','type':'x','source':@1"),
		 "mounts[0].source: expected a string, found 1"},
		{MOUNT("'destination':'/a','type':'x','options':@'ro'"),
		 "mounts[0].options: expected an array, found a string"},
		{MOUNT("'destination':'/a','type':'x','options':['ro',@1]"),
		 "mounts[0].options[1]: expected a string, found 1"},
		{TOP("'mounts':[@{'destination':'/a','options':['bind']}]"),
		 "mounts[0]: required property 'source' is missing"},
		{TOP("'mounts':[@{'destination':'/a','type':'bind'}]"),
		 "mounts[0]: required property 'source' is missing"},
		{MOUNT("'destination':'/a','source':'/s','options':@['rbind','size=1']"),
		 "mounts[0].options: option 'size=1' is not possible on a bind mount"},
		{MOUNT("'destination':'/a','source':'/s','type':'bind','options':@['mode=7']"),
		 "mounts[0].options: option 'mode=7' is not possible on a bind mount"},
		{TOP("'mounts':@[{'destination':'/p','type':'proc'}]"),
		 "mounts: needs a mount namespace"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_idmaps(void **state)
{
	static const struct bad_case cases[] = {
		{BIND("'uidMappings':@{}"),
		 "mounts[0].uidMappings: expected an array, found an object"},
		{TOP("'mounts':[@{'destination':'/d','source':'/s','options':['bind']," MAPS
		     "'x':1}]"),
		 "mounts[0]: uidMappings without gidMappings"},
		{TOP("'mounts':[@{'destination':'/d','source':'/s','options':['bind'],"
		     "'gidMappings':[{'containerID':0,'hostID':0,'size':1}]}]"),
		 "mounts[0]: gidMappings without uidMappings"},
		{TOP("'mounts':[@{'destination':'/d','type':'tmpfs'," BOTH_MAPS "}]"),
		 "mounts[0]: only a bind mount can have id mappings"},
		{TOP("'mounts':[@{'destination':'/d','source':'/s','options':['bind','idmap']}]"),
		 "mounts[0]: an id-mapped mount needs uidMappings and gidMappings"},
		{TOP("'linux':{'namespaces':[{'type':'mount'},{'type':'user','path':'/u'}]},"
		     "'mounts':[@{'destination':'/d','source':'/"
		     "s','options':['rbind','ridmap']}]"),
		 "mounts[0]: an id-mapped mount needs uidMappings and gidMappings, here or in "
		 "linux"},
		{BIND("'uidMappings':[@7]"), "mounts[0].uidMappings[0]: expected an object"},
		{BIND("'uidMappings':[@{'hostID':1,'size':1}]"),
		 "mounts[0].uidMappings[0]: required property 'containerID' is missing"},
		{BIND("'uidMappings':[@{'containerID':1,'size':1}]"),
		 "mounts[0].uidMappings[0]: required property 'hostID' is missing"},
		{BIND("'uidMappings':[@{'containerID':1,'hostID':1}]"),
		 "mounts[0].uidMappings[0]: required property 'size' is missing"},
		{BIND("'uidMappings':[{'containerID':1,'hostID':1,'size':@0}]"),
		 "mounts[0].uidMappings[0].size: a mapping of no ids"},
		{BIND("'uidMappings':[@{'containerID':1,'hostID':0,'size':4294967295}]"),
		 "mounts[0].uidMappings[0]: containerID + size goes beyond 4294967295"},
		{BIND("'uidMappings':[@{'containerID':0,'hostID':4294967295,'size':1}]"),
		 "mounts[0].uidMappings[0]: hostID + size goes beyond 4294967295"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_file_system(void **state)
{
	SPEC *spec = spec_good(MOUNT("'destination':'/tmp','type':'tmpfs','source':'t',"
				     "'options':['nosuid','mode=755','size=1k']},{"
				     "'destination':'proc','type':'proc'"));
	const struct ns_mount *m = spec->rootfs.mounts;

	(void)state;
	assert_int_equal(spec->rootfs.n_mounts, 2);
	assert_string_equal(m[0].destination, "/tmp");
	assert_string_equal(m[0].type, "tmpfs");
	assert_string_equal(m[0].source, "t");
	assert_string_equal(m[0].data, "mode=755,size=1k");
	assert_int_equal(m[0].flags, MS_NOSUID);
	assert_false(m[0].bind);
	assert_string_equal(m[1].destination, "/proc"); /* a relative one counts from / */
	assert_string_equal(m[1].source, "proc");
	assert_null(m[1].data);
	assert_null(m[1].idmaps);
}

static void test_bind(void **state)
{
	SPEC *spec = spec_good(
		MOUNT("'destination':'/a','source':'data','type':'none','options':['rbind']},"
		      "{'destination':'/b','source':'/s','type':'bind'},"
		      "{'destination':'/c','source':'/s','type':'bind',"
		      "'options':['rbind','ro']},"
		      "{'destination':'/d','options':['bind','remount','ro']"));
	const struct ns_mount *m = spec->rootfs.mounts;

	(void)state;
	assert_true(m[0].bind && m[1].bind && m[2].bind && m[3].bind);
	assert_string_equal(m[0].source, BUNDLE "/data");
	assert_null(m[0].type);
	assert_int_equal(m[0].flags, MS_BIND | MS_REC);
	assert_int_equal(m[1].flags, MS_BIND);
	assert_int_equal(m[2].flags, MS_BIND | MS_REC | MS_RDONLY);
	assert_int_equal(m[3].flags, MS_BIND | MS_REMOUNT | MS_RDONLY);
	assert_null(m[3].source);
}

static void test_idmaps(void **state)
{
	SPEC *plain = spec_good(BIND(BOTH_MAPS));
	SPEC *recursive = spec_good(USERNS("'options':['rbind','ridmap']"));
	const struct ns_mount *m = plain->rootfs.mounts;

	(void)state;
	assert_true(m->idmap && !m->idmap_recursive);
	assert_int_equal(m->idmaps->n_uids, 1);
	assert_int_equal(m->idmaps->uids[0].outside, 1000);
	assert_int_equal(m->idmaps->gids[0].outside, 2000);
	assert_int_equal(m->idmaps->gids[0].count, 10);
	m = recursive->rootfs.mounts;
	assert_true(m->idmap_recursive);
	assert_ptr_equal(m->idmaps, &recursive->spaces.idmaps); /* the container's own */
	assert_int_equal(m->idmaps->uids[0].outside, 1000);
}

static void test_good(void **state)
{
	static const char *const texts[] = {
		TOP("'mounts':[]"),
		MOUNT("'destination':'/proc','options':['remount','ro']"),
		MOUNT("'destination':'/a','type':'tmpfs','options':null"),
		MOUNT("'destination':'/"
		      "a','type':'tmpfs','options':[],'uidMappings':[],'gidMappings':[]"),
		BIND("'uidMappings':null,'gidMappings':null"),
	};

	(void)state;
	spec_check_good(texts, ARRAY_SIZE(texts));
}

static void test_mounts_over(void **state)
{
	static const struct {
		const char *destination;
		bool over;
	} rows[] = {
		{"/etc/passwd", true},
		{"/etc", true},
		{"/", true},
		{"/etc/../etc/", true},
		{"etc", true},
		{"/..", true},
		{"/etc/passwords", false},
		{"/etc/pass", false},
		{"/et", false},
		{"/etc/passwd/below", false},
		{"/home", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FREE char *text = mem_xprintf(MOUNT("'destination':'%s','type':'tmpfs'"),
					      rows[i].destination);
		SPEC *spec = spec_good(text);

		if (spec_mounts_over(spec, "/etc/passwd") != rows[i].over)
			fail_msg("mount at %s", rows[i].destination);
	}

	SPEC *masked = spec_good(
		LINUX("'namespaces':[{'type':'mount'}],'maskedPaths':['/proc/kcore','/etc']"));
	SPEC *not_there =
		spec_good(LINUX("'namespaces':[{'type':'mount'}],'maskedPaths':['/proc/kcore']"));

	assert_true(spec_mounts_over(masked, "/etc/passwd"));
	assert_false(spec_mounts_over(not_there, "/etc/passwd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),         cmocka_unit_test(test_bad_idmaps),
		cmocka_unit_test(test_file_system), cmocka_unit_test(test_bind),
		cmocka_unit_test(test_idmaps),      cmocka_unit_test(test_good),
		cmocka_unit_test(test_mounts_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
