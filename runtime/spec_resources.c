/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.resources, also read on its own for update --resources (runtime-spec config-linux.md,
 * "Control groups"). Types and ranges are checked here, what the limits mean together by
 * cgroup_limits_check. Zero in a property that Go declares without a pointer means "not given" to
 * the engines, so shares, quotas, periods and weights of 0 are taken as absent.
 */
#include <string.h>

#include "runtime/spec_parse.h"

#define MAX_SWAPPINESS 100

static int get_i64(const struct json_node *n, const char *key, struct opt_i64 *ret, struct err *err)
{
	int rc = json_get_i64(n, key, &ret->value, err);

	ret->set = rc > 0;
	return rc;
}

static int get_u64(const struct json_node *n, const char *key, struct opt_u64 *ret, struct err *err)
{
	int rc = json_get_u64(n, key, &ret->value, err);

	ret->set = rc > 0;
	return rc;
}

static int get_nonzero(const struct json_node *n, const char *key, struct opt_u64 *ret,
		       struct err *err)
{
	int rc = get_u64(n, key, ret, err);

	if (ret->value == 0)
		ret->set = false;
	return rc;
}

static int get_bool(const struct json_node *n, const char *key, struct opt_bool *ret,
		    struct err *err)
{
	int rc = json_get_bool(n, key, &ret->value, err);

	ret->set = rc > 0;
	return rc;
}

static int read_rule_access(const struct json_node *n, struct cgroup_device_rule *r,
			    struct err *err)
{
	const char *access = "rwm"; /* as an unset type or number, an unset access means all */
	int rc = spec_get_text(n, "access", &access, err);

	if (rc < 0)
		return rc;
	for (const char *c = access; *c; c++) {
		if (*c == 'r')
			r->read = true;
		else if (*c == 'w')
			r->write = true;
		else if (*c == 'm')
			r->mknod = true;
		else
			return json_error(json_get(n, "access"), err,
					  "'%s' is not made of the letters r, w and m", access);
	}
	return 0;
}

static int read_rule(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		     struct err *err)
{
	struct cgroup_device_rule *r = element;
	const char *type = "a";
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc == 0)
		rc = json_get_bool(n, "allow", &r->allow, err);
	else
		return rc;
	if (rc == 0)
		return spec_missing(n, "allow", err);
	if (rc < 0)
		return rc;
	rc = spec_get_text(n, "type", &type, err);
	if (rc < 0)
		return rc;
	if (type[1] != '\0' || !strchr("acb", type[0]))
		return json_error(json_get(n, "type"), err, "unknown type '%s', expected a, c or b",
				  type);
	r->type = type[0];
	r->major = r->minor = -1;
	rc = spec_get_ranged(n, "major", -1, INT32_MAX, &r->major, err);
	if (rc >= 0)
		rc = spec_get_ranged(n, "minor", -1, INT32_MAX, &r->minor, err);
	return rc < 0 ? rc : read_rule_access(n, r, err);
}

static int read_memory(const struct json_node *n, struct cgroup_limits *l, struct err *err)
{
	int64_t swappiness = -1;
	int rc = get_i64(n, "limit", &l->memory_limit, err);

	if (rc >= 0)
		rc = get_i64(n, "reservation", &l->memory_reservation, err);
	if (rc >= 0)
		rc = get_i64(n, "swap", &l->memory_swap, err);
	if (rc >= 0)
		rc = get_i64(n, "kernel", &l->memory_kernel, err);
	if (rc >= 0)
		rc = get_i64(n, "kernelTCP", &l->memory_kernel_tcp, err);
	if (rc >= 0)
		rc = get_bool(n, "disableOOMKiller", &l->memory_disable_oom_killer, err);
	if (rc >= 0)
		rc = get_bool(n, "useHierarchy", &l->memory_use_hierarchy, err);
	if (rc >= 0)
		rc = get_bool(n, "checkBeforeUpdate", &l->memory_check_before_update, err);
	if (rc >= 0) /* engines write -1 for "unset" */
		rc = spec_get_ranged(n, "swappiness", -1, MAX_SWAPPINESS, &swappiness, err);
	if (rc > 0 && swappiness >= 0)
		l->memory_swappiness = (struct opt_u64){true, (uint64_t)swappiness};
	return rc < 0 ? rc : 0;
}

static int read_cpu(const struct json_node *n, struct arena *a, struct cgroup_limits *l,
		    struct err *err)
{
	int64_t idle = 0;
	int rc = get_nonzero(n, "shares", &l->cpu_shares, err);

	if (rc >= 0)
		rc = get_i64(n, "quota", &l->cpu_quota, err);
	/* docker update sends 0 for a quota that it does not change. */
	if (l->cpu_quota.value == 0)
		l->cpu_quota.set = false;
	if (rc >= 0)
		rc = get_u64(n, "burst", &l->cpu_burst, err);
	if (rc >= 0)
		rc = get_nonzero(n, "period", &l->cpu_period, err);
	if (rc >= 0)
		rc = get_i64(n, "realtimeRuntime", &l->cpu_rt_runtime, err);
	if (rc >= 0)
		rc = get_nonzero(n, "realtimePeriod", &l->cpu_rt_period, err);
	if (rc >= 0)
		rc = spec_get_cpu_list(n, "cpus", SPEC_CPU_BITS, a, &l->cpuset_cpus, err);
	if (rc >= 0)
		rc = spec_get_cpu_list(n, "mems", SPEC_NODE_BITS, a, &l->cpuset_mems, err);
	if (rc >= 0)
		rc = spec_get_ranged(n, "idle", 0, 1, &idle, err);
	if (rc > 0)
		l->cpu_idle = (struct opt_i64){true, idle};
	return rc < 0 ? rc : 0;
}

static int read_hugepage(const struct json_node *n, const struct spec_ctx *ctx, void *element,
			 struct err *err)
{
	struct cgroup_hugepage *h = element;
	const char *s;
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc == 0)
		rc = spec_need_string(n, "pageSize", &h->page_size, err);
	if (rc < 0)
		return rc;
	s = h->page_size + strspn(h->page_size, "0123456789");
	if (s == h->page_size || *h->page_size == '0' || !*s || !strchr("KMG", *s) ||
	    strcmp(s + 1, "B") != 0)
		return json_error(json_get(n, "pageSize"), err,
				  "'%s' is no page size such as '2MB'", h->page_size);
	rc = json_get_u64(n, "limit", &h->limit, err);
	if (rc == 0)
		return spec_missing(n, "limit", err);
	return rc < 0 ? rc : 0;
}

static int read_priority(const struct json_node *n, const struct spec_ctx *ctx, void *element,
			 struct err *err)
{
	struct cgroup_net_priority *p = element;
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc == 0)
		rc = spec_need_string(n, "name", &p->interface, err);
	if (rc == 0)
		rc = json_get_u32(n, "priority", &p->priority, err);
	else
		return rc;
	if (rc == 0)
		return spec_missing(n, "priority", err);
	return rc < 0 ? rc : 0;
}

static int read_network(const struct json_node *n, const struct spec_ctx *ctx,
			struct cgroup_limits *l, struct err *err)
{
	struct spec_array list = {0};
	uint64_t class_id = 0;
	int rc = spec_get_limit(n, "classID", UINT32_MAX, &class_id, err);

	if (rc > 0)
		l->net_class_id = (struct opt_u64){true, class_id};
	if (rc >= 0)
		rc = spec_get_array(n, "priorities", sizeof(struct cgroup_net_priority),
				    read_priority, ctx, &list, err);
	l->net_priorities = list.items;
	l->n_net_priorities = list.n;
	return rc < 0 ? rc : 0;
}

static int read_rdma(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		     struct err *err)
{
	struct cgroup_rdma *r = element;
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc < 0)
		return rc;
	r->device = json_key(n);
	if (*r->device == '\0' || strchr(r->device, ' ') || strchr(r->device, '\n'))
		return json_error(n, err, "'%s' is no name of a device", r->device);
	rc = spec_get_limit(n, "hcaHandles", UINT32_MAX, &r->hca_handles.value, err);
	r->hca_handles.set = rc > 0;
	if (rc >= 0)
		rc = spec_get_limit(n, "hcaObjects", UINT32_MAX, &r->hca_objects.value, err);
	r->hca_objects.set = rc > 0;
	if (rc < 0)
		return rc;
	if (!r->hca_handles.set && !r->hca_objects.set)
		return json_error(n, err, "needs hcaHandles or hcaObjects");
	return 0;
}

static int read_unified(const struct json_node *n, const struct spec_ctx *ctx, void *element,
			struct err *err)
{
	struct cgroup_unified *u = element;

	(void)ctx;
	u->file = json_key(n);
	if (*u->file == '\0' || strchr(u->file, '/') || strcmp(u->file, ".") == 0 ||
	    strcmp(u->file, "..") == 0)
		return json_error(n, err, "'%s' is no name of a cgroup file", u->file);
	return json_as_string(n, &u->value, err);
}

static int read_objects(const struct json_node *node, const struct spec_ctx *ctx,
			struct cgroup_limits *l, struct err *err)
{
	const struct json_node *n = NULL;
	int rc = json_get_object(node, "memory", &n, err);

	if (rc > 0)
		rc = read_memory(n, l, err);
	if (rc >= 0)
		rc = json_get_object(node, "cpu", &n, err);
	if (rc > 0)
		rc = read_cpu(n, ctx->arena, l, err);
	if (rc >= 0)
		rc = json_get_object(node, "pids", &n, err);
	if (rc > 0)
		rc = get_i64(n, "limit", &l->pids_limit, err);
	if (rc >= 0)
		rc = json_get_object(node, "blockIO", &n, err);
	if (rc > 0)
		rc = spec_read_block_io(n, ctx, l, err);
	if (rc >= 0)
		rc = json_get_object(node, "network", &n, err);
	if (rc > 0)
		rc = read_network(n, ctx, l, err);
	return rc < 0 ? rc : 0;
}

static int read_lists(const struct json_node *node, const struct spec_ctx *ctx,
		      struct cgroup_limits *l, struct err *err)
{
	struct spec_array rules = {0}, pages = {0}, rdma = {0}, unified = {0};
	int rc = spec_get_array(node, "devices", sizeof(struct cgroup_device_rule), read_rule, ctx,
				&rules, err);

	if (rc >= 0)
		rc = spec_get_array(node, "hugepageLimits", sizeof(struct cgroup_hugepage),
				    read_hugepage, ctx, &pages, err);
	if (rc >= 0)
		rc = spec_get_map(node, "rdma", sizeof(struct cgroup_rdma), read_rdma, ctx, &rdma,
				  err);
	if (rc >= 0)
		rc = spec_get_map(node, "unified", sizeof(struct cgroup_unified), read_unified, ctx,
				  &unified, err);
	if (rc < 0)
		return rc;
	l->devices = rules.items;
	l->n_devices = rules.n;
	l->hugepages = pages.items;
	l->n_hugepages = pages.n;
	l->rdma = rdma.items;
	l->n_rdma = rdma.n;
	l->unified = unified.items;
	l->n_unified = unified.n;
	return 0;
}

/* cgroup_limits_check says "linux.resources.memory.swap: reason": that member is the place. */
static int place_error(const struct json_node *node, const struct err *why, struct err *err)
{
	static const char prefix[] = "linux.resources.";
	const char *at = why->msg, *reason = strstr(at, ": ");

	if (!reason || strncmp(at, prefix, strlen(prefix)) != 0)
		return spec_because(node, why, err);
	at += strlen(prefix);
	while (at < reason) {
		size_t len = strcspn(at, ".:[");
		FREE char *key = mem_xstrndup(at, len);
		const struct json_node *member = json_get(node, key);

		if (!member)
			break;
		node = member;
		at += at[len] == '.' ? len + 1 : (size_t)(reason - at);
	}
	return json_error(node, err, "%s", reason + 2);
}

int spec_parse_resources(const struct json_node *node, struct arena *a, struct cgroup_limits *l,
			 struct err *err)
{
	const struct spec_ctx ctx = {.arena = a};
	struct err why = ERR_INIT;
	int rc = spec_check_object(node, err);

	if (rc == 0)
		rc = read_objects(node, &ctx, l, err);
	if (rc == 0)
		rc = read_lists(node, &ctx, l, err);
	if (rc < 0)
		return rc;
	rc = cgroup_limits_check(l, &why);
	return rc < 0 ? place_error(node, &why, err) : 0;
}
