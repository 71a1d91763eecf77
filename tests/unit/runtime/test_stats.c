/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics as JSON: names, nesting and units that callers of runc's events command decode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/stats.h"

static void begin(struct json_writer **w)
{
	*w = json_w_new(false);
	json_w_object(*w, NULL);
}

static struct json *finish(struct json_writer *w)
{
	struct err err = ERR_INIT;
	struct json *doc = NULL;
	BUF text = BUF_INIT;

	json_w_end(w);
	json_w_finish(w, &text);
	if (json_parse("stats", buf_str(&text), text.len, &doc, &err))
		fail_msg("%s: %s", err.msg, buf_str(&text));
	return doc;
}

/* The text of the value at path, a name or "name.name…". */
static void assert_value(const struct json *doc, const char *path, const char *wanted)
{
	FREE char *copy = mem_xstrdup(path);
	const struct json_node *n = json_root(doc);
	struct json_writer *w;
	BUF text = BUF_INIT;
	char *rest = copy, *key;

	while ((key = strsep(&rest, ".")))
		n = json_get(n, key);
	if (!wanted) {
		assert_null(n);
		return;
	}
	if (!n)
		fail_msg("'%s' is missing", path);
	w = json_w_new(false);
	json_w_node(w, NULL, n);
	json_w_finish(w, &text);
	assert_string_equal(buf_str(&text), wanted);
}

static void test_cpu_and_cpuset(void **state)
{
	uint64_t percpu[] = {7, 8}, cpus[] = {0, 2};
	struct cgroup_stats st = {
		.cpu = {.total_ns = 15,
			.kernel_ns = 5,
			.user_ns = 10,
			.periods = 1,
			.throttled_periods = 2,
			.throttled_ns = 3,
			.percpu_ns = {percpu, 2}},
		.cpuset = {.cpus = {cpus, 2}, .mem_hardwall = 1, .sched_relax_domain_level = -1},
	};
	struct json_writer *w;
	JSON *doc = NULL;

	(void)state;
	st.cpu.psi.set = true;
	st.cpu.psi.some = (struct cgroup_psi_line){
		.avg10 = 1234, .avg60 = 5, .avg300 = 10000, .total_us = 99};
	begin(&w);
	stats_write_cgroup(w, &st);
	doc = finish(w);
	assert_value(doc, "cpu.usage", "{\"total\":15,\"percpu\":[7,8],\"kernel\":5,\"user\":10}");
	assert_value(doc, "cpu.throttling",
		     "{\"periods\":1,\"throttledPeriods\":2,\"throttledTime\":3}");
	assert_value(doc, "cpu.psi.some",
		     "{\"avg10\":12.34,\"avg60\":0.05,\"avg300\":100.00,\"total\":99}");
	assert_value(doc, "cpuset.cpus", "[0,2]");
	assert_value(doc, "cpuset.mems", NULL);
	assert_value(doc, "cpuset.mem_hardwall", "1");
	assert_value(doc, "cpuset.sched_relax_domain_level", "-1");
}

static void test_memory_and_pids(void **state)
{
	struct cgroup_stat_pair raw[] = {{"anon", 1}, {"file", UINT64_MAX}};
	struct cgroup_stats st = {
		.memory = {.cache = 4,
			   .usage = {.limit = UINT64_MAX, .usage = 1, .max = 2, .failcnt = 3},
			   .raw = raw,
			   .n_raw = 2},
		.pids = {.current = 3, .limit = 0},
	};
	struct json_writer *w;
	JSON *doc = NULL;

	(void)state;
	begin(&w);
	stats_write_cgroup(w, &st);
	doc = finish(w);
	assert_value(doc, "memory.cache", "4");
	assert_value(doc, "memory.usage",
		     "{\"limit\":18446744073709551615,\"usage\":1,\"max\":2,\"failcnt\":3}");
	assert_value(doc, "memory.swap.failcnt", "0");
	assert_value(doc, "memory.kernelTCP.limit", "0");
	assert_value(doc, "memory.raw", "{\"anon\":1,\"file\":18446744073709551615}");
	assert_value(doc, "memory.psi", NULL);
	assert_value(doc, "pids", "{\"current\":3,\"limit\":0}");
}

static void test_blkio_and_hugetlb(void **state)
{
	struct cgroup_block_stat bytes[] = {{8, 16, "Read", 512}, {8, 16, "", 3}};
	struct cgroup_hugetlb_stats pages[] = {{"2MB", 1, 2, 3}};
	struct cgroup_stats st = {
		.hugetlb = pages,
		.n_hugetlb = 1,
		.block = {.service_bytes = {bytes, 2}},
	};
	struct json_writer *w;
	JSON *doc = NULL;

	(void)state;
	begin(&w);
	stats_write_cgroup(w, &st);
	doc = finish(w);
	assert_value(doc, "blkio",
		     "{\"ioServiceBytesRecursive\":["
		     "{\"major\":8,\"minor\":16,\"op\":\"Read\",\"value\":512},"
		     "{\"major\":8,\"minor\":16,\"value\":3}]}");
	assert_value(doc, "hugetlb.2MB", "{\"usage\":1,\"max\":2,\"failcnt\":3}");
}

static void test_rdt(void **state)
{
	const char *schemata[] = {"L3:0=ff", "MB:0=50", NULL};
	struct rdt_domain_stats domains[] = {{1, 2, 3}, {4, 5, 6}};
	struct rdt_stats none = {0}, st = {
					     .has_l3 = true,
					     .has_mbm = true,
					     .has_cmt = true,
					     .cbm_mask = "ff",
					     .min_cbm_bits = 1,
					     .l3_num_closids = 16,
					     .l3_schema_root = "L3:0=ff",
					     .l3_schema = "L3:0=f",
					     .schemata = schemata,
					     .domains = domains,
					     .n_domains = 2,
				     };
	struct json_writer *w;
	JSON *doc = NULL, *empty = NULL;

	(void)state;
	begin(&w);
	stats_write_rdt(w, &st);
	doc = finish(w);
	assert_value(
		doc, "intel_rdt",
		"{\"l3_cache_info\":{\"cbm_mask\":\"ff\",\"min_cbm_bits\":1,\"num_closids\":16},"
		"\"l3_cache_schema_root\":\"L3:0=ff\",\"l3_cache_schema\":\"L3:0=f\","
		"\"schemata\":[\"L3:0=ff\",\"MB:0=50\"],"
		"\"mbm_stats\":[{\"mbm_total_bytes\":1,\"mbm_local_bytes\":2},"
		"{\"mbm_total_bytes\":4,\"mbm_local_bytes\":5}],"
		"\"cmt_stats\":[{\"llc_occupancy\":3},{\"llc_occupancy\":6}]}");
	begin(&w);
	stats_write_rdt(w, &none);
	empty = finish(w);
	assert_value(empty, "intel_rdt", "{}");
}

static void test_network(void **state)
{
	static const char text[] =
		"Inter-|   Receive                    |  Transmit\n"
		" face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs "
		"drop fifo colls carrier compressed\n"
		"    lo:       1       2    3    4    5     6          7         8        9       "
		"10   11   12   13    14      15         16\n"
		"eth0:1:18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
		"broken: 1 2 3\n"
		"worse: a b c d e f g h i j k l m n o p\n";
	struct json_writer *w;
	JSON *doc = NULL, *none = NULL;

	(void)state;
	begin(&w);
	stats_write_network(w, text);
	doc = finish(w);
	assert_value(
		doc, "network_interfaces",
		"[{\"Name\":\"lo\",\"RxBytes\":1,\"RxPackets\":2,\"RxErrors\":3,\"RxDropped\":4,"
		"\"TxBytes\":9,\"TxPackets\":10,\"TxErrors\":11,\"TxDropped\":12},"
		"{\"Name\":\"eth0:1\",\"RxBytes\":18446744073709551615,\"RxPackets\":2,"
		"\"RxErrors\":3,"
		"\"RxDropped\":4,\"TxBytes\":9,\"TxPackets\":10,\"TxErrors\":11,\"TxDropped\":12}"
		"]");
	begin(&w);
	stats_write_network(w, "");
	none = finish(w);
	assert_value(none, "network_interfaces", "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_and_cpuset),    cmocka_unit_test(test_memory_and_pids),
		cmocka_unit_test(test_blkio_and_hugetlb), cmocka_unit_test(test_rdt),
		cmocka_unit_test(test_network),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
