/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.seccomp (runtime-spec config-linux.md, "Seccomp"). Names are turned into libseccomp's and
 * the kernel's numbers by the namespaces module; unknown system calls are left to the filter's
 * builder, which skips them.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "runtime/spec_parse.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

#define MAX_ARGS       6
#define MAX_TRACE_DATA 65535 /* SECCOMP_RET_DATA */

/* key and errno_key name members of n. */
static int read_action(const struct json_node *n, const char *key, const char *errno_key,
		       uint32_t *ret, struct err *err)
{
	const char *name = NULL;
	uint64_t errno_ret = 0;
	int rc = spec_need_string(n, key, &name, err);

	if (rc < 0)
		return rc;
	if (ns_seccomp_action_parse(name, false, 0, ret) < 0)
		return json_error(json_get(n, key), err, "unknown action '%s'", name);
	rc = spec_get_limit(n, errno_key, MAX_TRACE_DATA, &errno_ret, err);
	if (rc <= 0)
		return rc;
	rc = ns_seccomp_action_parse(name, true, (uint32_t)errno_ret, ret);
	if (rc == -ERANGE)
		return json_error(json_get(n, errno_key), err, "too large for %s", name);
	if (rc < 0)
		return json_error(json_get(n, errno_key), err, "action %s takes no errno", name);
	return 0;
}

static int read_arch(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		     struct err *err)
{
	const char *name = NULL;
	int rc = json_as_string(n, &name, err);

	(void)ctx;
	if (rc < 0)
		return rc;
	if (ns_seccomp_arch_parse(name, element) < 0)
		return json_error(n, err, "unknown architecture '%s'", name);
	return 0;
}

static int read_flags(const struct json_node *n, struct ns_seccomp *s, struct err *err)
{
	const struct json_node *array = NULL;
	int rc = json_get_array(n, "flags", &array, err);

	if (rc <= 0)
		return rc;
	s->flags_given = true;
	json_each (child, array) {
		const char *name = NULL;
		uint32_t flag = 0;

		rc = json_as_string(child, &name, err);
		if (rc < 0)
			return rc;
		if (ns_seccomp_flag_parse(name, &flag) < 0)
			return json_error(child, err, "unknown flag '%s'", name);
		s->flags |= flag;
	}
	return 0;
}

static int read_arg(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		    struct err *err)
{
	struct ns_seccomp_arg *a = element;
	const char *op = NULL;
	uint64_t index = 0;
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc == 0)
		rc = spec_get_limit(n, "index", MAX_ARGS - 1, &index, err);
	else
		return rc;
	if (rc == 0)
		return spec_missing(n, "index", err);
	if (rc > 0)
		rc = json_get_u64(n, "value", &a->value, err);
	if (rc == 0)
		return spec_missing(n, "value", err);
	if (rc > 0)
		rc = json_get_u64(n, "valueTwo", &a->value_two, err);
	if (rc >= 0)
		rc = spec_need_string(n, "op", &op, err);
	if (rc < 0)
		return rc;
	a->index = (uint32_t)index;
	if (ns_seccomp_op_parse(op, &a->op) < 0)
		return json_error(json_get(n, "op"), err, "unknown operator '%s'", op);
	return 0;
}

static int read_rule(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		     struct err *err)
{
	struct ns_seccomp_rule *r = element;
	struct spec_array args = {0};
	size_t n_names = 0;
	int rc = spec_check_object(n, err);

	if (rc == 0)
		rc = spec_get_strings(n, "names", ctx->arena, &r->names, &n_names, err);
	else
		return rc;
	if (rc == 0)
		return spec_missing(n, "names", err);
	if (rc > 0 && n_names == 0)
		return json_error(json_get(n, "names"), err, "must have at least one entry");
	if (rc > 0)
		rc = read_action(n, "action", "errnoRet", &r->action, err);
	if (rc >= 0)
		rc = spec_get_array(n, "args", sizeof(struct ns_seccomp_arg), read_arg, ctx, &args,
				    err);
	r->args = args.items;
	r->n_args = args.n;
	return rc < 0 ? rc : 0;
}

static bool notifies(const struct ns_seccomp *s)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (s->rules[i].action == SCMP_ACT_NOTIFY)
			return true;
	return false;
}

static int check_listener(const struct json_node *n, struct ns_seccomp *s, struct err *err)
{
	bool wants_listener = notifies(s);

	if (s->listener_metadata && !s->listener_path)
		return json_error(json_get(n, "listenerMetadata"), err,
				  "must not be set without listenerPath");
	if (wants_listener && !s->listener_path)
		return json_error(n, err, "SCMP_ACT_NOTIFY needs a listenerPath");
	if (!wants_listener && (s->flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV))
		return json_error(json_get(n, "flags"), err,
				  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with "
				  "SCMP_ACT_NOTIFY");
	if (!wants_listener) /* "If the SCMP_ACT_NOTIFY action is not used this value is ignored."
			      */
		s->listener_path = s->listener_metadata = NULL;
	return 0;
}

static int read_listener(const struct json_node *n, struct ns_seccomp *s, struct err *err)
{
	int rc = spec_get_text(n, "listenerPath", &s->listener_path, err);

	if (rc >= 0)
		rc = spec_get_text(n, "listenerMetadata", &s->listener_metadata, err);
	return rc < 0 ? rc : check_listener(n, s, err);
}

int spec_read_seccomp(const struct json_node *seccomp, const struct spec_ctx *ctx,
		      const struct ns_seccomp **ret, struct err *err)
{
	struct ns_seccomp *s = arena_alloc(ctx->arena, 1, sizeof(*s));
	struct spec_array archs = {0}, rules = {0};
	int rc = read_action(seccomp, "defaultAction", "defaultErrnoRet", &s->default_action, err);

	if (rc < 0)
		return rc;
	if (s->default_action == SCMP_ACT_NOTIFY)
		return json_error(json_get(seccomp, "defaultAction"), err,
				  "SCMP_ACT_NOTIFY cannot be the default action");
	rc = spec_get_array(seccomp, "architectures", sizeof(uint32_t), read_arch, ctx, &archs,
			    err);
	if (rc >= 0)
		rc = read_flags(seccomp, s, err);
	if (rc >= 0)
		rc = spec_get_array(seccomp, "syscalls", sizeof(struct ns_seccomp_rule), read_rule,
				    ctx, &rules, err);
	if (rc < 0)
		return rc;
	s->archs = archs.items;
	s->n_archs = archs.n;
	s->rules = rules.items;
	s->n_rules = rules.n;
	rc = read_listener(seccomp, s, err);
	if (rc < 0)
		return rc;
	*ret = s;
	return 0;
}
