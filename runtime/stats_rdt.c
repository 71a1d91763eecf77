/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Intel RDT as JSON: "intel_rdt", an empty object when the container has none. */
#include "runtime/stats.h"

static void write_text(struct json_writer *w, const char *key, const char *text)
{
	if (text && *text)
		json_w_string(w, key, text);
}

static void write_cache(struct json_writer *w, const struct rdt_stats *st)
{
	json_w_object(w, "l3_cache_info");
	write_text(w, "cbm_mask", st->cbm_mask);
	json_w_u64(w, "min_cbm_bits", st->min_cbm_bits);
	json_w_u64(w, "num_closids", st->l3_num_closids);
	json_w_end(w);
	write_text(w, "l3_cache_schema_root", st->l3_schema_root);
	write_text(w, "l3_cache_schema", st->l3_schema);
}

static void write_bandwidth(struct json_writer *w, const struct rdt_stats *st)
{
	json_w_object(w, "mem_bw_info");
	json_w_u64(w, "bandwidth_gran", st->bandwidth_gran);
	json_w_u64(w, "delay_linear", st->delay_linear);
	json_w_u64(w, "min_bandwidth", st->min_bandwidth);
	json_w_u64(w, "num_closids", st->mb_num_closids);
	json_w_end(w);
	write_text(w, "mem_bw_schema_root", st->mb_schema_root);
	write_text(w, "mem_bw_schema", st->mb_schema);
}

static void write_schemata(struct json_writer *w, const struct rdt_stats *st)
{
	if (!st->schemata || !*st->schemata)
		return;
	json_w_array(w, "schemata");
	for (size_t i = 0; st->schemata[i]; i++)
		json_w_string(w, NULL, st->schemata[i]);
	json_w_end(w);
}

static void write_monitoring(struct json_writer *w, const struct rdt_stats *st)
{
	if (st->has_mbm) {
		json_w_array(w, "mbm_stats");
		for (size_t i = 0; i < st->n_domains; i++) {
			json_w_object(w, NULL);
			json_w_u64(w, "mbm_total_bytes", st->domains[i].mbm_total_bytes);
			json_w_u64(w, "mbm_local_bytes", st->domains[i].mbm_local_bytes);
			json_w_end(w);
		}
		json_w_end(w);
	}
	if (st->has_cmt) {
		json_w_array(w, "cmt_stats");
		for (size_t i = 0; i < st->n_domains; i++) {
			json_w_object(w, NULL);
			json_w_u64(w, "llc_occupancy", st->domains[i].llc_occupancy);
			json_w_end(w);
		}
		json_w_end(w);
	}
}

void stats_write_rdt(struct json_writer *w, const struct rdt_stats *st)
{
	json_w_object(w, "intel_rdt");
	if (st->has_l3)
		write_cache(w, st);
	if (st->has_mb)
		write_bandwidth(w, st);
	write_schemata(w, st);
	write_monitoring(w, st);
	json_w_end(w);
}
