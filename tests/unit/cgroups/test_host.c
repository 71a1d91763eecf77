/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which hierarchies a host has, by the text of its mountinfo, and what a container sees of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cmocka.h>

#include "base/sys.h"
#include "cgroups/internal.h"
#include "tests/unit/leaks.h"

static struct cgroup *parse(const char *mountinfo)
{
	struct cgroup *cg = mem_xalloc(sizeof(*cg));
	FREE char *text = mem_xstrdup(mountinfo);

	cg->path = "/a/b";
	cgroup_detect_parse(cg, text);
	return cg;
}

static void systemd_hybrid(void **state)
{
	struct cgroup *cg =
		parse("25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
		      "31 25 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs "
		      "ro,size=4096k,mode=755\n"
		      "32 31 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 "
		      "rw,nsdelegate\n"
		      "33 31 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup "
		      "rw,xattr,release_agent=/lib/systemd/agent,name=systemd\n"
		      "34 31 0:32 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup "
		      "rw,cpu,cpuacct\n"
		      "35 31 0:33 / /sys/fs/cgroup/net_cls,net_prio rw shared:16 - cgroup cgroup "
		      "rw,net_cls,net_prio\n"
		      "36 31 0:34 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup "
		      "rw,memory,clone_children\n"
		      "37 31 0:35 / /sys/fs/cgroup/perf_event rw - cgroup cgroup rw,perf_event\n");

	(void)state;
	assert_int_equal(cg->n_hiers, 6);
	assert_false(cg->unified);
	assert_string_equal(cg->v2->dir, "/sys/fs/cgroup/unified/a/b");
	assert_ptr_equal(cg->at[CTRL_CPU], cg->at[CTRL_CPUACCT]);
	assert_string_equal(cg->at[CTRL_CPU]->dir, "/sys/fs/cgroup/cpu,cpuacct/a/b");
	assert_ptr_equal(cg->at[CTRL_NET_CLS], cg->at[CTRL_NET_PRIO]);
	assert_string_equal(cg->at[CTRL_MEMORY]->names, "memory");
	assert_string_equal(cg->hiers[1].names, "name=systemd");
	assert_int_equal(cg->hiers[1].ctrls, 0);
	assert_null(cg->at[CTRL_PIDS]);
	assert_null(cg->at[CTRL_FREEZER]);
	cgroup_free(cg);
}

/* A container without a cgroup namespace sees its own part, one in a namespace may see parts above.
 */
static void the_mount_that_shows_most_wins(void **state)
{
	struct cgroup *cg =
		parse("1 0 0:30 /../.. /old/memory rw - cgroup cgroup rw,memory\n"
		      "2 0 0:30 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		      "3 0 0:30 /docker/y /other rw - cgroup cgroup rw,memory\n"
		      "4 0 0:31 /docker/x /part/pids rw - cgroup cgroup rw,pids\n"
		      "5 0 0:31 / /whole/pids rw - cgroup cgroup rw,pids\n"
		      "6 0 0:31 / /again/pids rw - cgroup cgroup rw,pids\n"
		      "7 0 0:32 /.. /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n");

	(void)state;
	assert_int_equal(cg->n_hiers, 2);
	assert_string_equal(cg->at[CTRL_MEMORY]->dir, "/sys/fs/cgroup/memory/a/b");
	assert_string_equal(cg->at[CTRL_PIDS]->dir, "/whole/pids/a/b");
	assert_null(cg->at[CTRL_FREEZER]);
	cgroup_free(cg);
}

static void names_with_blanks_and_lines_cut_short(void **state)
{
	struct cgroup *cg = parse("\n"
				  "1 2 3\n"
				  "1 0 0:30 / /with\\040blank\\134\\011 rw - cgroup cgroup rw,cpu\n"
				  "2 0 0:31 / /x - cgroup\n"
				  "3 0 0:31 / /y rw - cgroup2\n"
				  "4 0 0:31 / /z rw - cgroupfs none rw");

	(void)state;
	assert_int_equal(cg->n_hiers, 1);
	assert_string_equal(cg->at[CTRL_CPU]->mount, "/with blank\\\t");
	cgroup_free(cg);
}

static void cgroup2_anywhere(void **state)
{
	struct cgroup *cg = parse("1 0 0:30 / /cg2 rw shared:4 master:3 - cgroup2 none rw\n");

	(void)state;
	assert_int_equal(cg->n_hiers, 1);
	assert_string_equal(cg->v2->dir, "/cg2/a/b");
	cgroup_free(cg);
}

static void a_container_sees_the_usual_names(void **state)
{
	struct cgroup *cg = parse("1 0 0:1 / /m/c rw - cgroup cgroup rw,cpu,cpuacct\n"
				  "2 0 0:2 / /m/s rw - cgroup cgroup rw,xattr,name=systemd\n"
				  "3 0 0:3 / /m/u rw - cgroup2 cgroup2 rw\n");
	const struct cgroup_mount_info *m;
	struct err e = ERR_INIT;
	bool unified;
	size_t n;

	(void)state;
	assert_int_equal(cgroup_mounts(cg, &m, &n, &unified, &e), 0);
	assert_int_equal(n, 3);
	assert_false(unified);
	assert_string_equal(m[0].name, "cpu,cpuacct");
	assert_string_equal(m[0].source, "/m/c/a/b");
	assert_string_equal(m[0].options, "cpu,cpuacct");
	assert_string_equal(m[0].links[0], "cpu");
	assert_string_equal(m[0].links[1], "cpuacct");
	assert_null(m[0].links[2]);
	assert_string_equal(m[1].name, "systemd");
	assert_string_equal(m[1].options, "none,name=systemd");
	assert_null(m[1].links);
	assert_string_equal(m[2].name, "unified");
	assert_string_equal(m[2].options, "");
	cgroup_free(cg);
}

/* ---- the host at hand ---- */

static void this_host(void **state)
{
	struct err e = ERR_INIT;
	struct cgroup *cg;
	struct statfs st;

	(void)state;
	assert_int_equal(cgroup_open(CGROUP_MANAGER_CGROUPFS, "/hull-test", &cg, &e), 0);
	assert_true(cg->n_hiers > 0);
	assert_int_equal(statfs("/sys/fs/cgroup", &st), 0);
	assert_int_equal(cgroup_is_unified(cg), st.f_type == CGROUP2_SUPER_MAGIC);
	for (size_t i = 0; i < cg->n_hiers; i++) {
		char procs[256];
		struct stat s;

		(void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", cg->hiers[i].mount);
		assert_int_equal(stat(procs, &s), 0);
	}
	cgroup_free(cg);
}

static void bad_paths(void **state)
{
	static const char *const bad[] = {"",   "relative", "./x",   "/",
					  "//", "/..",      "/a/..", "/a\nb"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;
		struct cgroup *cg = NULL;

		assert_int_equal(cgroup_open(CGROUP_MANAGER_CGROUPFS, bad[i], &cg, &e), -EINVAL);
		assert_null(cg);
		assert_non_null(strstr(e.msg, "linux.cgroupsPath: "));
	}
}

static void dots_never_lead_above_the_root(void **state)
{
	static const char *const paths[][2] = {
		{"/a/./b//c/", "/a/b/c"},
		{"/../../x", "/x"},
		{"/a/../../../b", "/b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct err e = ERR_INIT;
		struct cgroup *cg;

		assert_int_equal(cgroup_open(CGROUP_MANAGER_CGROUPFS, paths[i][0], &cg, &e), 0);
		assert_string_equal(cg->path, paths[i][1]);
		cgroup_free(cg);
	}
}

/* man 7 cgroup_namespaces: a path that is not below the namespace's root begins with "/..". */
static void a_group_out_of_sight(void **state)
{
	static const struct {
		const char *root, *path, *dir;
	} rows[] = {
		{"/", "/", "/m"},        {"/", "/a/b", "/m/a/b"}, {"/a", "/a/b", "/m/b"},
		{"/", "/..", "/m"},      {"/", "/../x", "/m"},    {"/..", "/../x", "/m/x"},
		{"/", "/..x", "/m/..x"},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cgroup_hier h = {.mount = "/m", .root = rows[i].root, .names = "pids"};
		FREE char *text = mem_xprintf("9:cpu:/wrong\n8:pids:%s\n", rows[i].path);

		assert_string_equal(cgroup_dir_of(&arena, &h, text), rows[i].dir);
	}
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(systemd_hybrid),
		cmocka_unit_test(the_mount_that_shows_most_wins),
		cmocka_unit_test(names_with_blanks_and_lines_cut_short),
		cmocka_unit_test(cgroup2_anywhere),
		cmocka_unit_test(a_container_sees_the_usual_names),
		cmocka_unit_test(this_host),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(a_group_out_of_sight),
		cmocka_unit_test(dots_never_lead_above_the_root),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
