/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.json's process object, also read on its own for exec --process (runtime-spec config.md,
 * "Process", "POSIX process", "Linux Process"). user.username and commandLine belong to Windows and
 * are ignored. Capabilities that cannot be had are warnings, as the specification demands; every
 * other fault is an error.
 */
#include <string.h>

#include "base/log.h"
#include "runtime/spec_parse.h"

#define DEFAULT_UMASK 0022
#define MAX_GROUPS    65536 /* NGROUPS_MAX */

static int read_args(const struct json_node *node, struct arena *a, struct ns_process *p,
		     struct err *err)
{
	size_t n = 0;
	int rc = spec_get_strings(node, "args", a, &p->args, &n, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return spec_missing(node, "args", err);
	if (n == 0)
		return json_error(json_get(node, "args"), err, "must have at least one entry");
	if (p->args[0][0] == '\0')
		return json_error(json_first(json_get(node, "args")), err, "must not be empty");
	return 0;
}

/* Drops every variable that comes again further down. names has n entries; list is rewritten. */
static void drop_duplicates(const char **list, struct spec_name *names, size_t n)
{
	size_t kept = 0;

	spec_sort_names(names, n);
	for (size_t i = 0; i + 1 < n; i++)
		if (spec_same_name(&names[i], &names[i + 1]))
			list[names[i].index] = NULL;
	for (size_t i = 0; i < n; i++)
		if (list[i])
			list[kept++] = list[i];
	list[kept] = NULL;
}

static int read_env(const struct json_node *node, struct arena *a, struct ns_process *p,
		    struct err *err)
{
	const struct json_node *array = NULL;
	struct spec_name *names;
	const char **list;
	size_t count, i = 0;
	int rc = json_get_array(node, "env", &array, err);

	if (rc < 0)
		return rc;
	count = json_count(array);
	list = arena_alloc(a, count + 1, sizeof(*list));
	names = arena_alloc(a, count + 1, sizeof(*names));
	json_each (n, array) {
		const char *equals;

		rc = json_as_string(n, &list[i], err);
		if (rc < 0)
			return rc;
		equals = strchr(list[i], '=');
		if (!equals || equals == list[i]) /* not shown: it may be a secret */
			return json_error(n, err, "not of the form NAME=value");
		names[i] = (struct spec_name){list[i], (size_t)(equals - list[i]), i};
		i++;
	}
	drop_duplicates(list, names, count);
	p->env = list;
	return 0;
}

static int read_gid(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		    struct err *err)
{
	gid_t *gid = element;
	uint64_t value = 0;
	int rc = json_as_u64(n, SPEC_MAX_ID, &value, err);

	(void)ctx;
	*gid = (gid_t)value;
	return rc;
}

static int read_user(const struct json_node *node, const struct spec_ctx *ctx, struct ns_process *p,
		     struct err *err)
{
	const struct json_node *user = NULL;
	struct spec_array groups = {0};
	uint64_t mask = DEFAULT_UMASK;
	int rc = json_get_object(node, "user", &user, err);

	if (rc >= 0)
		rc = spec_get_id(user, "uid", &p->uid, err);
	if (rc >= 0)
		rc = spec_get_id(user, "gid", &p->gid, err);
	if (rc >= 0)
		rc = spec_get_limit(user, "umask", 0777, &mask, err);
	if (rc >= 0)
		rc = spec_get_array(user, "additionalGids", sizeof(gid_t), read_gid, ctx, &groups,
				    err);
	if (rc < 0)
		return rc;
	if (groups.n > MAX_GROUPS)
		return json_error(json_get(user, "additionalGids"), err,
				  "%zu groups, the kernel takes at most %d", groups.n, MAX_GROUPS);
	p->umask = (mode_t)mask;
	p->groups = groups.items;
	p->n_groups = groups.n;
	return 0;
}

static int read_terminal(const struct json_node *node, struct ns_process *p, struct err *err)
{
	const struct json_node *size = NULL;
	int rc = json_get_bool(node, "terminal", &p->terminal, err);

	if (rc < 0)
		return rc;
	if (!p->terminal) /* "Runtimes MUST ignore consoleSize if terminal is false or unset" */
		return 0;
	rc = json_get_object(node, "consoleSize", &size, err);
	if (rc <= 0)
		return rc;
	p->has_console_size = true;
	rc = json_get_u16(size, "height", &p->console_height, err);
	if (rc == 0)
		return spec_missing(size, "height", err);
	if (rc > 0)
		rc = json_get_u16(size, "width", &p->console_width, err);
	if (rc == 0)
		return spec_missing(size, "width", err);
	return rc < 0 ? rc : 0;
}

static int read_cap_set(const struct json_node *caps, const char *key, bool quiet, uint64_t *ret,
			struct err *err)
{
	const struct json_node *array = NULL;
	int rc = json_get_array(caps, key, &array, err);

	if (rc <= 0)
		return rc;
	json_each (n, array) {
		const char *name = NULL;
		int cap;

		rc = json_as_string(n, &name, err);
		if (rc < 0)
			return rc;
		cap = ns_cap_parse(name);
		if (cap >= 0)
			*ret |= UINT64_C(1) << cap;
		else if (!quiet)
			log_warn("process.capabilities.%s: unknown capability '%s', ignored", key,
				 name);
	}
	return 0;
}

/* Takes the bits out of *set that allowed lacks, since the kernel would not grant them. */
static void drop_caps(const char *key, uint64_t *set, uint64_t allowed, const char *reason,
		      bool quiet)
{
	uint64_t excess = quiet ? 0 : *set & ~allowed;

	for (int cap = 0; excess && cap < 64; cap++) {
		const char *name = ns_cap_name(cap);

		if (excess & (UINT64_C(1) << cap))
			log_warn("process.capabilities.%s: '%s' %s, ignored", key,
				 name ? name : "?", reason);
	}
	*set &= allowed;
}

static int read_caps(const struct json_node *node, bool quiet, struct ns_process *p,
		     struct err *err)
{
	const struct json_node *caps = NULL;
	struct ns_caps *c = &p->caps;
	int rc = json_get_object(node, "capabilities", &caps, err);

	if (rc <= 0)
		return rc;
	p->has_caps = true;
	rc = read_cap_set(caps, "bounding", quiet, &c->bounding, err);
	if (rc == 0)
		rc = read_cap_set(caps, "effective", quiet, &c->effective, err);
	if (rc == 0)
		rc = read_cap_set(caps, "inheritable", quiet, &c->inheritable, err);
	if (rc == 0)
		rc = read_cap_set(caps, "permitted", quiet, &c->permitted, err);
	if (rc == 0)
		rc = read_cap_set(caps, "ambient", quiet, &c->ambient, err);
	if (rc < 0)
		return rc;
	/* capset(2) and PR_CAP_AMBIENT_RAISE fail otherwise (man 7 capabilities). */
	drop_caps("effective", &c->effective, c->permitted, "is not permitted", quiet);
	drop_caps("ambient", &c->ambient, c->permitted & c->inheritable,
		  "is not permitted and inheritable", quiet);
	return 0;
}

static int read_rlimit(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		       struct err *err)
{
	struct ns_rlimit *r = element;
	const char *type = NULL;
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc == 0)
		rc = spec_need_string(n, "type", &type, err);
	if (rc < 0)
		return rc;
	r->resource = ns_rlimit_parse(type);
	if (r->resource < 0)
		return json_error(json_get(n, "type"), err, "unknown resource limit '%s'", type);
	rc = json_get_u64(n, "soft", &r->soft, err);
	if (rc == 0)
		return spec_missing(n, "soft", err);
	if (rc > 0)
		rc = json_get_u64(n, "hard", &r->hard, err);
	if (rc == 0)
		return spec_missing(n, "hard", err);
	if (rc < 0)
		return rc;
	if (r->soft > r->hard)
		return json_error(n, err, "the soft limit of %s is above its hard limit", type);
	return 0;
}

static int read_rlimits(const struct json_node *node, const struct spec_ctx *ctx,
			struct ns_process *p, struct err *err)
{
	const struct json_node *n = json_first(json_get(node, "rlimits"));
	struct spec_array list = {0};
	uint64_t seen = 0;
	int rc = spec_get_array(node, "rlimits", sizeof(struct ns_rlimit), read_rlimit, ctx, &list,
				err);

	if (rc <= 0)
		return rc;
	p->rlimits = list.items;
	p->n_rlimits = list.n;
	for (size_t i = 0; i < list.n; i++, n = json_next(n)) {
		uint64_t bit = UINT64_C(1) << p->rlimits[i].resource;

		if (seen & bit)
			return json_error(n, err, "a second limit for %s",
					  ns_rlimit_name(p->rlimits[i].resource));
		seen |= bit;
	}
	return 0;
}

static int read_security(const struct json_node *node, struct ns_process *p, struct err *err)
{
	int64_t score = 0;
	int rc = json_get_bool(node, "noNewPrivileges", &p->no_new_privs, err);

	if (rc >= 0)
		rc = spec_get_text(node, "apparmorProfile", &p->apparmor_profile, err);
	if (rc >= 0)
		rc = spec_get_text(node, "selinuxLabel", &p->selinux_label, err);
	if (rc >= 0)
		rc = spec_get_ranged(node, "oomScoreAdj", -1000, 1000, &score, err);
	if (rc < 0)
		return rc;
	p->has_oom_score_adj = rc > 0;
	p->oom_score_adj = (int)score;
	return 0;
}

static int read_scheduling(const struct json_node *node, struct arena *a, struct ns_process *p,
			   struct err *err)
{
	const struct json_node *n = NULL;
	int rc = json_get_object(node, "scheduler", &n, err);

	if (rc > 0)
		rc = spec_read_scheduler(n, a, &p->scheduler, err);
	if (rc >= 0)
		rc = json_get_object(node, "ioPriority", &n, err);
	if (rc > 0)
		rc = spec_read_ioprio(n, a, &p->ioprio, err);
	if (rc >= 0)
		rc = json_get_object(node, "execCPUAffinity", &n, err);
	if (rc <= 0)
		return rc;
	rc = spec_get_cpu_list(n, "initial", SPEC_CPU_BITS, a, &p->affinity_initial, err);
	if (rc >= 0)
		rc = spec_get_cpu_list(n, "final", SPEC_CPU_BITS, a, &p->affinity_final, err);
	return rc < 0 ? rc : 0;
}

int spec_read_process(const struct json_node *node, const struct spec_ctx *ctx,
		      struct ns_process *p, struct err *err)
{
	int rc = spec_check_object(node, err);

	if (rc == 0)
		rc = read_args(node, ctx->arena, p, err);
	if (rc == 0)
		rc = spec_get_abs_path(node, "cwd", &p->cwd, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return spec_missing(node, "cwd", err);
	rc = read_env(node, ctx->arena, p, err);
	if (rc == 0)
		rc = read_user(node, ctx, p, err);
	if (rc == 0)
		rc = read_terminal(node, p, err);
	if (rc == 0)
		rc = read_caps(node, ctx->saved, p, err);
	if (rc == 0)
		rc = read_rlimits(node, ctx, p, err);
	if (rc == 0)
		rc = read_security(node, p, err);
	if (rc == 0)
		rc = read_scheduling(node, ctx->arena, p, err);
	return rc;
}

int spec_parse_process(const struct json_node *node, struct arena *a, struct ns_process *p,
		       struct err *err)
{
	const struct spec_ctx ctx = {.arena = a};

	return spec_read_process(node, &ctx, p, err);
}
