/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.intelRdt on a directory tree that looks like resctrl: its files are there before the code
 * under test runs, since nothing fills new directories as the kernel does.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "cgroups/internal.h"
#include "tests/unit/leaks.h"

struct tree {
	char path[64];
	int fd;
};

static void make(struct tree *t, const char *dir)
{
	assert_int_equal(mkdirat(t->fd, dir, 0755), 0);
}

static void put(struct tree *t, const char *file, const char *text)
{
	int fd = openat(t->fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, text, strlen(text)), 0);
	close(fd);
}

static const char *get(struct tree *t, const char *file)
{
	static char text[512];

	assert_true(cgroup_read_at(t->fd, file, text, sizeof(text), NULL) >= 0);
	return text;
}

static bool exists(struct tree *t, const char *file)
{
	return faccessat(t->fd, file, F_OK, 0) == 0;
}

static void make_class(struct tree *t, const char *name, const char *schemata)
{
	FREE char *file = mem_xprintf("%s/schemata", name);
	FREE char *tasks = mem_xprintf("%s/tasks", name);
	FREE char *groups = mem_xprintf("%s/mon_groups", name);

	make(t, name);
	put(t, file, schemata);
	put(t, tasks, "");
	make(t, groups);
}

static int setup(void **state)
{
	struct tree *t = mem_xalloc(sizeof(*t));

	(void)snprintf(t->path, sizeof(t->path), "/tmp/hull-rdt-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->fd = open(t->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	make(t, "info");
	put(t, "schemata", "    MB:0=100;1=100\n    L3:0=fff;1=fff\n");
	put(t, "tasks", "1\n2\n");
	put(t, "info/last_cmd_status", "ok\n");
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;
	int r = path_remove_tree(AT_FDCWD, t->path, NULL);

	close(t->fd);
	free(t);
	return r;
}

static struct rdt_config config(struct tree *t)
{
	return (struct rdt_config){.root = t->path, .id = "box"};
}

#define CHECK_OK(call, e)                                                                          \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (rc_ < 0)                                                                       \
			print_message("# %s:%d: %s\n", __FILE__, __LINE__, (e).msg);               \
		assert_true(rc_ >= 0);                                                             \
	} while (0)

#define CHECK_FAILS(call, errnum, e, text)                                                         \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (rc_ != -(errnum) || !strstr((e).msg, text))                                    \
			print_message("# %s:%d: %d, %s\n", __FILE__, __LINE__, rc_, (e).msg);      \
		assert_int_equal(rc_, -(errnum));                                                  \
		assert_non_null(strstr((e).msg, text));                                            \
	} while (0)

static void a_host_without_resctrl(void **state)
{
	const struct rdt_config nowhere = {.root = "/nonexistent", .id = "box"};
	const struct rdt_config empty = {.root = "/tmp", .id = "box"};
	struct rdt_stats st;
	struct err e = ERR_INIT;

	(void)state;
	CHECK_FAILS(rdt_apply(&nowhere, 1, &e), EOPNOTSUPP, e, "linux.intelRdt: ");
	CHECK_FAILS(rdt_apply(&empty, 1, &e), EOPNOTSUPP, e, "linux.intelRdt: ");
	CHECK_FAILS(rdt_update(&nowhere, &e), EOPNOTSUPP, e, "linux.intelRdt: ");
	CHECK_FAILS(rdt_stats_read(&nowhere, &st, &e), EOPNOTSUPP, e, "linux.intelRdt: ");
	CHECK_OK(rdt_remove(&nowhere, &e), e);
}

/* What the kernel would see is caught by a fifo in the place of the file. */
static void a_class_of_its_own(void **state)
{
	static const char *const more[] = {"L2:0=f", "L3CODE:0=3", NULL};
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;
	char text[256] = "";
	CLOSE_FD int fifo = -1;

	c.l3_cache_schema = "L3:0=f0";
	c.mem_bw_schema = "MB:0=20";
	c.schemata = more;
	make_class(t, "box", "");
	assert_int_equal(unlinkat(t->fd, "box/schemata", 0), 0);
	assert_int_equal(mkfifoat(t->fd, "box/schemata", 0600), 0);
	fifo = openat(t->fd, "box/schemata", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	CHECK_OK(rdt_apply(&c, 4711, &e), e);
	assert_true(read(fifo, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "L3:0=f0\nMB:0=20\nL2:0=f\nL3CODE:0=3\n");
	assert_string_equal(get(t, "box/tasks"), "4711");
}

static void a_class_in_use_is_not_taken(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;

	make_class(t, "box", "");
	put(t, "box/tasks", "99\n");
	CHECK_FAILS(rdt_apply(&c, 4711, &e), EEXIST, e, "'box' is in use");
	assert_string_equal(get(t, "box/tasks"), "99");
}

/* A new directory stays empty here, so the task cannot be moved in. */
static void what_was_made_is_undone(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;

	put(t, "info/last_cmd_status", "out of CLOSIDs\n");
	CHECK_FAILS(rdt_apply(&c, 4711, &e), ENOENT, e, "linux.intelRdt: out of CLOSIDs: ");
	assert_false(exists(t, "box"));
}

static void a_class_of_the_administrator(void **state)
{
	static const struct {
		const char *l3, *mb;
		bool same;
	} cases[] = {
		{"L3:0=ff;1=f", "MB:0=20;1=30", true},
		{"L3:1=00f;0=0FF", NULL, true},
		{"L3:0=ff", "MB:1=25", true},
		{"L3:0=ff;1=1f", NULL, false},
		{NULL, "MB:0=10", false},
		{NULL, "MB:0=30", false},
		{"L3:2=ff", NULL, false},
		{"L3", NULL, false},
		{"L3:0", NULL, false},
		{"L3:", NULL, true},
	};
	static const char *const other[] = {"L2:0=f", NULL};
	static const char schemata[] = "    MB:0= 20;1= 30\n    L3:0=0ff;1=00f\n";
	struct tree *t = *state;

	make(t, "info/MB");
	put(t, "info/MB/bandwidth_gran", "10\n");
	make_class(t, "gold", schemata);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rdt_config c = config(t);
		struct err e = ERR_INIT;

		c.clos_id = "gold";
		c.l3_cache_schema = cases[i].l3;
		c.mem_bw_schema = cases[i].mb;
		put(t, "gold/tasks", "");
		if (cases[i].same) {
			CHECK_OK(rdt_apply(&c, 4711, &e), e);
			assert_string_equal(get(t, "gold/tasks"), "4711");
		} else {
			CHECK_FAILS(rdt_apply(&c, 4711, &e), EINVAL, e, "closID 'gold' exists");
			assert_string_equal(get(t, "gold/tasks"), "");
		}
		c.l3_cache_schema = c.mem_bw_schema = NULL;
		c.schemata = other;
		CHECK_FAILS(rdt_apply(&c, 4711, &e), EINVAL, e, "'L2:0=f'");
		CHECK_OK(rdt_remove(&c, &e), e);
		assert_true(exists(t, "gold/schemata"));
	}
	assert_string_equal(get(t, "gold/schemata"), "    MB:0= 20;1= 30\n    L3:0=0ff;1=00f");
}

static void a_class_that_must_exist(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;

	c.clos_id = "gold";
	CHECK_FAILS(rdt_apply(&c, 4711, &e), ENOENT, e, "closID 'gold' does not exist");
	assert_false(exists(t, "gold"));
}

static void the_default_class(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;

	c.clos_id = "/";
	CHECK_OK(rdt_apply(&c, 4711, &e), e);
	assert_int_equal(strncmp(get(t, "tasks"), "4711", 4), 0);
	c.mem_bw_schema = "MB:0=50";
	CHECK_FAILS(rdt_apply(&c, 4711, &e), EINVAL, e, "MB:0=50");
	CHECK_OK(rdt_remove(&c, &e), e);
}

static void monitoring(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;

	c.clos_id = "gold";
	c.monitoring = true;
	make_class(t, "gold", "");
	make(t, "gold/mon_groups/box");
	put(t, "gold/mon_groups/box/tasks", "");
	CHECK_OK(rdt_apply(&c, 4711, &e), e);
	assert_string_equal(get(t, "gold/mon_groups/box/tasks"), "4711");
	assert_int_equal(unlinkat(t->fd, "gold/mon_groups/box/tasks", 0), 0);
	CHECK_OK(rdt_remove(&c, &e), e);
	assert_false(exists(t, "gold/mon_groups/box"));
	assert_true(exists(t, "gold"));
	/* Already gone is fine. */
	CHECK_OK(rdt_remove(&c, &e), e);
}

static void an_own_class_is_removed(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;

	make(t, "box");
	c.monitoring = true;
	CHECK_OK(rdt_remove(&c, &e), e);
	assert_false(exists(t, "box"));
	CHECK_OK(rdt_remove(&c, &e), e);
}

static void update(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;

	make_class(t, "box", "L3:0=f;1=f\nMB:0=10\n");
	CHECK_OK(rdt_update(&c, &e), e);
	c.l3_cache_schema = "L3:0=3;1=3";
	CHECK_OK(rdt_update(&c, &e), e);
	assert_string_equal(get(t, "box/schemata"), "L3:0=3;1=3\nMB:0=10");
	c.mem_bw_schema = "MB:0=20;1=7";
	CHECK_OK(rdt_update(&c, &e), e);
	assert_string_equal(get(t, "box/schemata"), "MB:0=20;1=7\nB:0=10");
}

/* The second of two writes does not fit into the file: the first is taken back. */
static void a_refused_update_changes_nothing(void **state)
{
	const struct rlimit ten = {10, RLIM_INFINITY};
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;
	struct rlimit old;
	int r;

	make_class(t, "box", "L3:0=f\n");
	c.l3_cache_schema = "L3:0=3";
	c.mem_bw_schema = "MB:0=20;1=70";
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &ten), 0);
	r = rdt_update(&c, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(r < 0);
	assert_non_null(strstr(e.msg, "linux.intelRdt"));
	assert_int_equal(strncmp(get(t, "box/schemata"), "L3:0=f\n", 7), 0);
}

static void put_domain(struct tree *t, const char *dir, const char *total, const char *local,
		       const char *llc)
{
	FREE char *a = mem_xprintf("%s/mbm_total_bytes", dir);
	FREE char *b = mem_xprintf("%s/mbm_local_bytes", dir);
	FREE char *c = mem_xprintf("%s/llc_occupancy", dir);

	make(t, dir);
	put(t, a, total);
	put(t, b, local);
	put(t, c, llc);
}

static void statistics(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;
	struct rdt_stats st;

	make(t, "info/L3");
	put(t, "info/L3/cbm_mask", "fff\n");
	put(t, "info/L3/min_cbm_bits", "1\n");
	put(t, "info/L3/num_closids", "16\n");
	make(t, "info/MB");
	put(t, "info/MB/bandwidth_gran", "10\n");
	put(t, "info/MB/delay_linear", "1\n");
	put(t, "info/MB/min_bandwidth", "20\n");
	put(t, "info/MB/num_closids", "8\n");
	make(t, "info/L3_MON");
	put(t, "info/L3_MON/mon_features",
	    "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\nnew_one\n");
	make_class(t, "box", "    MB:0= 20\n    L3:0=0ff\n");
	make(t, "box/mon_data");
	put_domain(t, "box/mon_data/mon_L3_01", "4\n", "5\n", "Unavailable\n");
	put_domain(t, "box/mon_data/mon_L3_00", "1\n", "2\n", "3\n");
	put(t, "box/mon_data/other", "");
	CHECK_OK(rdt_stats_read(&c, &st, &e), e);
	assert_true(st.has_l3 && st.has_mb && st.has_mbm && st.has_cmt);
	assert_string_equal(st.cbm_mask, "fff");
	assert_int_equal(st.min_cbm_bits, 1);
	assert_int_equal(st.l3_num_closids, 16);
	assert_int_equal(st.bandwidth_gran, 10);
	assert_int_equal(st.delay_linear, 1);
	assert_int_equal(st.min_bandwidth, 20);
	assert_int_equal(st.mb_num_closids, 8);
	assert_string_equal(st.l3_schema_root, "L3:0=fff;1=fff");
	assert_string_equal(st.mb_schema_root, "MB:0=100;1=100");
	assert_string_equal(st.l3_schema, "L3:0=0ff");
	assert_string_equal(st.schemata[0], "MB:0= 20");
	assert_string_equal(st.schemata[1], "L3:0=0ff");
	assert_null(st.schemata[2]);
	assert_int_equal(st.n_domains, 2);
	assert_int_equal(st.domains[0].mbm_total_bytes, 1);
	assert_int_equal(st.domains[0].mbm_local_bytes, 2);
	assert_int_equal(st.domains[0].llc_occupancy, 3);
	assert_int_equal(st.domains[1].mbm_total_bytes, 4);
	assert_int_equal(st.domains[1].llc_occupancy, 0);
	rdt_stats_release(&st);
}

static void a_processor_without_features(void **state)
{
	struct tree *t = *state;
	struct rdt_config c = config(t);
	struct err e = ERR_INIT;
	struct rdt_stats st;

	make_class(t, "box", "L2:0=f\n");
	CHECK_OK(rdt_stats_read(&c, &st, &e), e);
	assert_false(st.has_l3 || st.has_mb || st.has_mbm || st.has_cmt);
	assert_null(st.l3_schema);
	assert_string_equal(st.schemata[0], "L2:0=f");
	rdt_stats_release(&st);
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_without_resctrl),
		TREE_TEST(a_class_of_its_own),
		TREE_TEST(a_class_in_use_is_not_taken),
		TREE_TEST(what_was_made_is_undone),
		TREE_TEST(a_class_of_the_administrator),
		TREE_TEST(a_class_that_must_exist),
		TREE_TEST(the_default_class),
		TREE_TEST(monitoring),
		TREE_TEST(an_own_class_is_removed),
		TREE_TEST(update),
		TREE_TEST(a_refused_update_changes_nothing),
		TREE_TEST(statistics),
		TREE_TEST(a_processor_without_features),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
