/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.intelRdt (runtime-spec config-linux.md, "IntelRdt"). */
#include <string.h>

#include "runtime/spec_parse.h"

static int check_line(const struct json_node *n, const char *line, struct err *err)
{
	if (strchr(line, '\n'))
		return json_error(n, err, "must not contain a newline");
	return 0;
}

static int read_clos_id(const struct json_node *rdt, const char **ret, struct err *err)
{
	const struct json_node *n = json_get(rdt, "closID");
	const char *id = NULL;
	int rc = spec_get_text(rdt, "closID", &id, err);

	if (rc <= 0)
		return rc;
	/* It becomes a directory's name; "/" alone is the default class. */
	if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0 ||
	    (strcmp(id, "/") != 0 && strchr(id, '/')))
		return json_error(n, err, "'%s' is no name of a class", id);
	*ret = id;
	return check_line(n, id, err);
}

static int read_schema(const struct json_node *rdt, const char *key, const char *prefix,
		       const char **ret, struct err *err)
{
	const char *line = NULL;
	int rc = spec_get_text(rdt, key, &line, err);

	if (rc <= 0)
		return rc;
	if (prefix && strncmp(line, prefix, strlen(prefix)) != 0)
		return json_error(json_get(rdt, key), err, "must begin with '%s'", prefix);
	*ret = line;
	return check_line(json_get(rdt, key), line, err);
}

static int read_schemata(const struct json_node *rdt, const struct spec_ctx *ctx,
			 struct spec_rdt *r, struct err *err)
{
	size_t i = 0;
	int rc = spec_get_strings(rdt, "schemata", ctx->arena, &r->schemata, NULL, err);

	if (rc <= 0)
		return rc;
	json_each (n, json_get(rdt, "schemata")) {
		rc = check_line(n, r->schemata[i++], err);
		if (rc < 0)
			return rc;
	}
	if (i == 0)
		r->schemata = NULL;
	return 0;
}

/* enableCMT and enableMBM were one switch each until version 1.3.0 joined them. */
static int read_monitoring(const struct json_node *rdt, bool *ret, struct err *err)
{
	static const char *const keys[] = {"enableMonitoring", "enableCMT", "enableMBM"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		bool on = false;
		int rc = json_get_bool(rdt, keys[i], &on, err);

		if (rc < 0)
			return rc;
		*ret |= on;
	}
	return 0;
}

int spec_read_rdt(const struct json_node *rdt, const struct spec_ctx *ctx,
		  const struct spec_rdt **ret, struct err *err)
{
	struct spec_rdt *r = arena_alloc(ctx->arena, 1, sizeof(*r));
	int rc = read_clos_id(rdt, &r->clos_id, err);

	if (rc == 0) /* "SHOULD start with L3:", hence no prefix is demanded */
		rc = read_schema(rdt, "l3CacheSchema", NULL, &r->l3_cache_schema, err);
	if (rc == 0)
		rc = read_schema(rdt, "memBwSchema", "MB:", &r->mem_bw_schema, err);
	if (rc == 0)
		rc = read_schemata(rdt, ctx, r, err);
	if (rc == 0)
		rc = read_monitoring(rdt, &r->enable_monitoring, err);
	if (rc < 0)
		return rc;
	*ret = r;
	return 0;
}
