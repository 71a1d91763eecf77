/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cgroup counts, as JSON: "cpu", "cpuset", "memory", "pids", "blkio", "hugetlb". */
#include <stdio.h>

#include "runtime/stats.h"

struct member {
	const char *key;
	uint64_t value;
};

static void write_members(struct json_writer *w, const struct member *members, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_w_u64(w, members[i].key, members[i].value);
}

/* An empty list is left out, as the version of cgroups that has none does not know it. */
static void write_list(struct json_writer *w, const char *key, const struct cgroup_u64s *list)
{
	if (!list->n)
		return;
	json_w_array(w, key);
	for (size_t i = 0; i < list->n; i++)
		json_w_u64(w, NULL, list->v[i]);
	json_w_end(w);
}

static void write_percent(struct json_writer *w, const char *key, uint32_t hundredths)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%u.%02u", hundredths / 100, hundredths % 100);
	json_w_number(w, key, text);
}

static void write_psi_line(struct json_writer *w, const char *key,
			   const struct cgroup_psi_line *line)
{
	json_w_object(w, key);
	write_percent(w, "avg10", line->avg10);
	write_percent(w, "avg60", line->avg60);
	write_percent(w, "avg300", line->avg300);
	json_w_u64(w, "total", line->total_us);
	json_w_end(w);
}

static void write_psi(struct json_writer *w, const struct cgroup_psi *psi)
{
	if (!psi->set)
		return;
	json_w_object(w, "psi");
	write_psi_line(w, "some", &psi->some);
	write_psi_line(w, "full", &psi->full);
	json_w_end(w);
}

static void write_cpu(struct json_writer *w, const struct cgroup_stats *st)
{
	json_w_object(w, "cpu");
	json_w_object(w, "usage");
	json_w_u64(w, "total", st->cpu.total_ns);
	write_list(w, "percpu", &st->cpu.percpu_ns);
	write_list(w, "percpu_kernel", &st->cpu.percpu_kernel_ns);
	write_list(w, "percpu_user", &st->cpu.percpu_user_ns);
	json_w_u64(w, "kernel", st->cpu.kernel_ns);
	json_w_u64(w, "user", st->cpu.user_ns);
	json_w_end(w);
	json_w_object(w, "throttling");
	json_w_u64(w, "periods", st->cpu.periods);
	json_w_u64(w, "throttledPeriods", st->cpu.throttled_periods);
	json_w_u64(w, "throttledTime", st->cpu.throttled_ns);
	json_w_end(w);
	write_psi(w, &st->cpu.psi);
	json_w_end(w);
}

static void write_cpuset(struct json_writer *w, const struct cgroup_stats *st)
{
	const struct member members[] = {
		{"cpu_exclusive", st->cpuset.cpu_exclusive},
		{"mem_hardwall", st->cpuset.mem_hardwall},
		{"mem_exclusive", st->cpuset.mem_exclusive},
		{"memory_migrate", st->cpuset.memory_migrate},
		{"memory_spread_page", st->cpuset.memory_spread_page},
		{"memory_spread_slab", st->cpuset.memory_spread_slab},
		{"memory_pressure", st->cpuset.memory_pressure},
		{"sched_load_balance", st->cpuset.sched_load_balance},
	};

	json_w_object(w, "cpuset");
	write_list(w, "cpus", &st->cpuset.cpus);
	write_list(w, "mems", &st->cpuset.mems);
	write_members(w, members, ARRAY_SIZE(members));
	json_w_i64(w, "sched_relax_domain_level", st->cpuset.sched_relax_domain_level);
	json_w_end(w);
}

static void write_memory_entry(struct json_writer *w, const char *key,
			       const struct cgroup_memory_stats *st)
{
	json_w_object(w, key);
	json_w_u64(w, "limit", st->limit);
	json_w_u64(w, "usage", st->usage);
	json_w_u64(w, "max", st->max);
	json_w_u64(w, "failcnt", st->failcnt);
	json_w_end(w);
}

static void write_memory(struct json_writer *w, const struct cgroup_stats *st)
{
	json_w_object(w, "memory");
	json_w_u64(w, "cache", st->memory.cache);
	write_memory_entry(w, "usage", &st->memory.usage);
	write_memory_entry(w, "swap", &st->memory.swap);
	write_memory_entry(w, "kernel", &st->memory.kernel);
	write_memory_entry(w, "kernelTCP", &st->memory.kernel_tcp);
	json_w_object(w, "raw");
	for (size_t i = 0; i < st->memory.n_raw; i++)
		json_w_u64(w, st->memory.raw[i].name, st->memory.raw[i].value);
	json_w_end(w);
	write_psi(w, &st->memory.psi);
	json_w_end(w);
}

static void write_pids(struct json_writer *w, const struct cgroup_stats *st)
{
	json_w_object(w, "pids");
	json_w_u64(w, "current", st->pids.current);
	json_w_u64(w, "limit", st->pids.limit);
	json_w_end(w);
}

static void write_block_list(struct json_writer *w, const char *key,
			     const struct cgroup_block_stats *st)
{
	if (!st->n)
		return;
	json_w_array(w, key);
	for (size_t i = 0; i < st->n; i++) {
		json_w_object(w, NULL);
		json_w_u64(w, "major", st->v[i].major);
		json_w_u64(w, "minor", st->v[i].minor);
		if (*st->v[i].op)
			json_w_string(w, "op", st->v[i].op);
		json_w_u64(w, "value", st->v[i].value);
		json_w_end(w);
	}
	json_w_end(w);
}

static void write_block(struct json_writer *w, const struct cgroup_stats *st)
{
	json_w_object(w, "blkio");
	write_block_list(w, "ioServiceBytesRecursive", &st->block.service_bytes);
	write_block_list(w, "ioServicedRecursive", &st->block.serviced);
	write_block_list(w, "ioQueueRecursive", &st->block.queued);
	write_block_list(w, "ioServiceTimeRecursive", &st->block.service_time);
	write_block_list(w, "ioWaitTimeRecursive", &st->block.wait_time);
	write_block_list(w, "ioMergedRecursive", &st->block.merged);
	write_block_list(w, "ioTimeRecursive", &st->block.time);
	write_block_list(w, "sectorsRecursive", &st->block.sectors);
	write_psi(w, &st->block.psi);
	json_w_end(w);
}

static void write_hugetlb(struct json_writer *w, const struct cgroup_stats *st)
{
	json_w_object(w, "hugetlb");
	for (size_t i = 0; i < st->n_hugetlb; i++) {
		json_w_object(w, st->hugetlb[i].page_size);
		json_w_u64(w, "usage", st->hugetlb[i].usage);
		json_w_u64(w, "max", st->hugetlb[i].max);
		json_w_u64(w, "failcnt", st->hugetlb[i].failcnt);
		json_w_end(w);
	}
	json_w_end(w);
}

void stats_write_cgroup(struct json_writer *w, const struct cgroup_stats *st)
{
	write_cpu(w, st);
	write_cpuset(w, st);
	write_memory(w, st);
	write_pids(w, st);
	write_block(w, st);
	write_hugetlb(w, st);
}
