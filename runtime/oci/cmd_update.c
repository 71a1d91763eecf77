/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-oci update: new limits for a container, either a linux.resources object (--resources, "-" is
 * standard input) or options. Options become the same JSON object, so that both go one way through
 * the checks of config.json. With --resources other options are ignored, as in runc, except those
 * for the cache and memory bandwidth, which the object cannot say.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "runtime/oci/oci.h"

struct update_options {
	const char *resources;
	struct opt_u64 blkio_weight;
	struct opt_u64 cpu_period, cpu_burst, cpu_share, cpu_rt_period;
	struct opt_i64 cpu_quota, cpu_rt_runtime, cpu_idle;
	const char *cpuset_cpus, *cpuset_mems;
	struct opt_i64 memory, memory_reservation, memory_swap, kernel_memory, kernel_memory_tcp;
	struct opt_i64 pids_limit;
	const char *l3_cache_schema, *mem_bw_schema;
};

#define AT(member) offsetof(struct update_options, member)
static const struct opt opts[] = {
	{"resources", 'r', OPT_STRING, AT(resources), "FILE",
	 "limits as a linux.resources object; - reads standard input"},
	{"memory", 0, OPT_SIZE, AT(memory), "SIZE", "memory"},
	{"memory-reservation", 0, OPT_SIZE, AT(memory_reservation), "SIZE",
	 "memory that is kept for the container"},
	{"memory-swap", 0, OPT_SIZE, AT(memory_swap), "SIZE", "memory and swap together"},
	{"kernel-memory", 0, OPT_SIZE, AT(kernel_memory), "SIZE", "ignored"},
	{"kernel-memory-tcp", 0, OPT_SIZE, AT(kernel_memory_tcp), "SIZE", "ignored"},
	{"cpu-share", 0, OPT_U64, AT(cpu_share), "N", "CPU shares"},
	{"cpu-quota", 0, OPT_I64, AT(cpu_quota), "US", "CPU time in a period"},
	{"cpu-period", 0, OPT_U64, AT(cpu_period), "US", "length of a period"},
	{"cpu-burst", 0, OPT_U64, AT(cpu_burst), "US", "CPU time saved for bursts"},
	{"cpu-rt-period", 0, OPT_U64, AT(cpu_rt_period), "US", "length of a real-time period"},
	{"cpu-rt-runtime", 0, OPT_I64, AT(cpu_rt_runtime), "US", "real-time CPU time in a period"},
	{"cpu-idle", 0, OPT_I64, AT(cpu_idle), "0|1",
	 "schedule the container when nothing else runs"},
	{"cpuset-cpus", 0, OPT_STRING, AT(cpuset_cpus), "LIST", "processors"},
	{"cpuset-mems", 0, OPT_STRING, AT(cpuset_mems), "LIST", "memory nodes"},
	{"blkio-weight", 0, OPT_U64, AT(blkio_weight), "N", "block I/O weight"},
	{"pids-limit", 0, OPT_I64, AT(pids_limit), "N", "number of processes; -1: no limit"},
	{"l3-cache-schema", 0, OPT_STRING, AT(l3_cache_schema), "SCHEMA", "share of the L3 cache"},
	{"mem-bw-schema", 0, OPT_STRING, AT(mem_bw_schema), "SCHEMA",
	 "share of the memory bandwidth"},
};

static const struct opt_grammar grammar = {
	.synopsis = "[OPTIONS] ID",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min_args = 1,
	.max_args = 1,
};

static void add_u64(struct json_writer *w, const char *key, const struct opt_u64 *value)
{
	if (value->set)
		json_w_u64(w, key, value->value);
}

static void add_i64(struct json_writer *w, const char *key, const struct opt_i64 *value)
{
	if (value->set)
		json_w_i64(w, key, value->value);
}

static void add_string(struct json_writer *w, const char *key, const char *value)
{
	if (value && *value)
		json_w_string(w, key, value);
}

static void add_memory(struct json_writer *w, const struct update_options *o)
{
	json_w_object(w, "memory");
	add_i64(w, "limit", &o->memory);
	add_i64(w, "reservation", &o->memory_reservation);
	add_i64(w, "swap", &o->memory_swap);
	json_w_end(w);
}

static void add_cpu(struct json_writer *w, const struct update_options *o)
{
	json_w_object(w, "cpu");
	add_u64(w, "shares", &o->cpu_share);
	add_i64(w, "quota", &o->cpu_quota);
	add_u64(w, "period", &o->cpu_period);
	add_u64(w, "burst", &o->cpu_burst);
	add_u64(w, "realtimePeriod", &o->cpu_rt_period);
	add_i64(w, "realtimeRuntime", &o->cpu_rt_runtime);
	add_i64(w, "idle", &o->cpu_idle);
	add_string(w, "cpus", o->cpuset_cpus);
	add_string(w, "mems", o->cpuset_mems);
	json_w_end(w);
}

static void options_to_json(const struct update_options *o, struct buf *out)
{
	struct json_writer *w = json_w_new(false);

	json_w_object(w, NULL);
	add_memory(w, o);
	add_cpu(w, o);
	if (o->blkio_weight.set) {
		json_w_object(w, "blockIO");
		add_u64(w, "weight", &o->blkio_weight);
		json_w_end(w);
	}
	if (o->pids_limit.set) {
		json_w_object(w, "pids");
		add_i64(w, "limit", &o->pids_limit);
		json_w_end(w);
	}
	json_w_end(w);
	json_w_finish(w, out);
}

static int read_resources(const struct update_options *o, struct json **ret, struct err *err)
{
	BUF text = BUF_INIT;
	int rc;

	if (!o->resources) {
		options_to_json(o, &text);
		return json_parse("update", text.data, text.len, ret, err);
	}
	if (strcmp(o->resources, "-"))
		return json_load(AT_FDCWD, o->resources, ret, err);
	rc = io_read_all(STDIN_FILENO, "standard input", JSON_MAX_BYTES, &text, err);
	if (rc)
		return rc;
	return json_parse("standard input", buf_str(&text), text.len, ret, err);
}

int cmd_update(struct cli *cli, struct err *err)
{
	struct update_options o = {0};
	JSON *doc = NULL;
	int rc;

	rc = cli_options(cli, &grammar, &o, err);
	if (rc)
		return rc < 0 ? rc : 0;
	if (o.kernel_memory.value > 0 || o.kernel_memory_tcp.value > 0)
		log_warn("update: limits of kernel memory are ignored");
	rc = cli_runtime(cli, err);
	if (!rc)
		rc = read_resources(&o, &doc, err);
	if (rc)
		return rc;
	return container_update(&cli->runtime, cli->args.argv[0], json_root(doc), o.l3_cache_schema,
				o.mem_bw_schema, err);
}
