/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json's hooks (runtime-spec config.md, "POSIX-platform Hooks"). */
#include <limits.h>

#include "runtime/spec_parse.h"

static const char *const kind_names[HOOK_KIND_MAX] = {
	[HOOK_PRESTART] = "prestart",
	[HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart",
	[HOOK_POSTSTOP] = "poststop",
};

const char *spec_hook_kind_name(enum spec_hook_kind kind)
{
	return kind_names[kind];
}

static int read_hook(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		     struct err *err)
{
	struct spec_hook *h = element;
	int64_t timeout_s = 0;
	size_t n_args = 0;
	int rc = spec_check_object(n, err);

	if (rc == 0)
		rc = spec_get_abs_path(n, "path", &h->path, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return spec_missing(n, "path", err);
	rc = spec_get_strings(n, "args", ctx->arena, &h->args, &n_args, err);
	if (rc < 0)
		return rc;
	if (n_args == 0)
		h->args = NULL;
	rc = spec_get_strings(n, "env", ctx->arena, &h->env, NULL, err);
	if (rc < 0)
		return rc;
	rc = spec_get_ranged(n, "timeout", 1, INT_MAX, &timeout_s, err);
	h->timeout_s = (int)timeout_s;
	return rc < 0 ? rc : 0;
}

int spec_read_hooks(const struct json_node *hooks, const struct spec_ctx *ctx,
		    struct spec_hooks *ret, struct err *err)
{
	for (size_t kind = 0; kind < HOOK_KIND_MAX; kind++) {
		struct spec_array list = {0};
		int rc = spec_get_array(hooks, kind_names[kind], sizeof(struct spec_hook),
					read_hook, ctx, &list, err);

		if (rc < 0)
			return rc;
		ret->list[kind] = list.items;
		ret->n[kind] = list.n;
	}
	return 0;
}
