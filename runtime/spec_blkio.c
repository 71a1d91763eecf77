/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.resources.blockIO (runtime-spec config-linux.md, "Block IO"). */
#include "runtime/spec_parse.h"

#define MIN_WEIGHT 10
#define MAX_WEIGHT 1000

/* 0 is what engines send for "not given". */
static int read_weight(const struct json_node *n, const char *key, struct opt_u64 *ret,
		       struct err *err)
{
	uint64_t weight = 0;
	int rc = spec_get_limit(n, key, MAX_WEIGHT, &weight, err);

	if (rc <= 0 || weight == 0)
		return rc;
	if (weight < MIN_WEIGHT)
		return json_error(json_get(n, key), err, "expected an integer from %d to %d",
				  MIN_WEIGHT, MAX_WEIGHT);
	*ret = (struct opt_u64){true, weight};
	return 1;
}

static int read_numbers(const struct json_node *n, uint32_t *major, uint32_t *minor,
			struct err *err)
{
	static const char *const keys[] = {"major", "minor"};
	uint32_t *const values[] = {major, minor};
	int rc = spec_check_object(n, err);

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(keys); i++) {
		rc = json_get_u32(n, keys[i], values[i], err);
		if (rc == 0)
			return spec_missing(n, keys[i], err);
		if (rc > 0)
			rc = 0;
	}
	return rc;
}

static int read_weight_device(const struct json_node *n, const struct spec_ctx *ctx, void *element,
			      struct err *err)
{
	struct cgroup_block_weight *w = element;
	int rc = read_numbers(n, &w->major, &w->minor, err);

	(void)ctx;
	if (rc == 0)
		rc = read_weight(n, "weight", &w->weight, err);
	if (rc >= 0)
		rc = read_weight(n, "leafWeight", &w->leaf_weight, err);
	if (rc < 0)
		return rc;
	if (!w->weight.set && !w->leaf_weight.set)
		return json_error(n, err, "needs a weight or a leafWeight");
	return 0;
}

static int read_rate(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		     struct err *err)
{
	struct cgroup_block_rate *r = element;
	int rc = read_numbers(n, &r->major, &r->minor, err);

	(void)ctx;
	if (rc < 0)
		return rc;
	rc = json_get_u64(n, "rate", &r->rate, err);
	if (rc == 0)
		return spec_missing(n, "rate", err);
	return rc < 0 ? rc : 0;
}

static int read_rates(const struct json_node *n, const char *key, const struct spec_ctx *ctx,
		      const struct cgroup_block_rate **ret, size_t *ret_n, struct err *err)
{
	struct spec_array list = {0};
	int rc = spec_get_array(n, key, sizeof(struct cgroup_block_rate), read_rate, ctx, &list,
				err);

	if (rc < 0)
		return rc;
	*ret = list.items;
	*ret_n = list.n;
	return 0;
}

int spec_read_block_io(const struct json_node *block, const struct spec_ctx *ctx,
		       struct cgroup_limits *l, struct err *err)
{
	struct spec_array list = {0};
	int rc = read_weight(block, "weight", &l->block_weight, err);

	if (rc >= 0)
		rc = read_weight(block, "leafWeight", &l->block_leaf_weight, err);
	if (rc >= 0)
		rc = spec_get_array(block, "weightDevice", sizeof(struct cgroup_block_weight),
				    read_weight_device, ctx, &list, err);
	if (rc < 0)
		return rc;
	l->block_weights = list.items;
	l->n_block_weights = list.n;
	rc = read_rates(block, "throttleReadBpsDevice", ctx, &l->read_bps, &l->n_read_bps, err);
	if (rc == 0)
		rc = read_rates(block, "throttleWriteBpsDevice", ctx, &l->write_bps,
				&l->n_write_bps, err);
	if (rc == 0)
		rc = read_rates(block, "throttleReadIOPSDevice", ctx, &l->read_iops,
				&l->n_read_iops, err);
	if (rc == 0)
		rc = read_rates(block, "throttleWriteIOPSDevice", ctx, &l->write_iops,
				&l->n_write_iops, err);
	return rc;
}
