/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.json's mounts (runtime-spec config.md, "Mounts"). The options are the namespaces module's
 * to understand; here a mount gets its kind (bind or file system), an absolute destination, an
 * absolute source when it is a bind, and its id mappings.
 */
#include <string.h>
#include <sys/mount.h>

#include "base/log.h"
#include "runtime/spec_parse.h"

static int read_destination(const struct json_node *n, const struct spec_ctx *ctx,
			    struct ns_mount *m, struct err *err)
{
	int rc = spec_need_string(n, "destination", &m->destination, err);

	if (rc < 0)
		return rc;
	if (m->destination[0] != '/') {
		/* Deprecated, but "MUST be interpreted as relative to /". */
		log_debug("mount destination '%s' is relative, taken as '/%s'", m->destination,
			  m->destination);
		m->destination = arena_printf(ctx->arena, "/%s", m->destination);
	}
	return 0;
}

/*
 * type "bind" makes a bind mount even when no option says so: engines write it that way. The word
 * is put in front, so that an explicit "rbind" further on has the last say.
 */
static int read_options(const struct json_node *n, const struct spec_ctx *ctx, struct ns_mount *m,
			struct err *err)
{
	const char *const *given = NULL;
	const char **options;
	struct err why = ERR_INIT;
	size_t count = 0;
	bool is_bind = m->type && strcmp(m->type, "bind") == 0;
	int rc = spec_get_strings(n, "options", ctx->arena, &given, &count, err);

	if (rc < 0)
		return rc;
	options = arena_alloc(ctx->arena, count + 2, sizeof(*options));
	if (count > 0)
		memcpy(options + is_bind, given, count * sizeof(*options));
	if (is_bind)
		options[0] = "bind";
	rc = ns_mount_options(options, count + is_bind, m, ctx->arena, &why);
	if (rc < 0)
		return spec_because(count > 0 ? json_get(n, "options") : n, &why, err);
	return 0;
}

/* Options idmap and ridmap without mappings of their own take the container's. */
static int inherit_idmaps(const struct json_node *n, const struct ns_spaces *spaces,
			  struct ns_mount *m, struct err *err)
{
	if (!m->idmap && !m->idmap_recursive)
		return 0;
	if (!spaces->kind[NS_USER].listed)
		return json_error(n, err, "an id-mapped mount needs uidMappings and gidMappings");
	if (!spaces->idmaps.n_uids || !spaces->idmaps.n_gids)
		return json_error(
			n, err,
			"an id-mapped mount needs uidMappings and gidMappings, here or in linux");
	m->idmaps = &spaces->idmaps;
	return 0;
}

static int read_idmaps(const struct json_node *n, const struct spec_ctx *ctx, struct ns_mount *m,
		       struct err *err)
{
	struct idmaps maps = {0}, *copy;
	int rc = spec_get_idmap(n, "uidMappings", ctx, &maps.uids, &maps.n_uids, err);

	if (rc >= 0)
		rc = spec_get_idmap(n, "gidMappings", ctx, &maps.gids, &maps.n_gids, err);
	if (rc < 0)
		return rc;
	if (!maps.n_uids && !maps.n_gids)
		return inherit_idmaps(n, ctx->spaces, m, err);
	if (!maps.n_gids)
		return json_error(n, err, "uidMappings without gidMappings");
	if (!maps.n_uids)
		return json_error(n, err, "gidMappings without uidMappings");
	copy = arena_alloc(ctx->arena, 1, sizeof(*copy));
	*copy = maps;
	m->idmaps = copy;
	if (!m->idmap_recursive)
		m->idmap = true;
	return 0;
}

static int check_kind(const struct json_node *n, const struct spec_ctx *ctx, struct ns_mount *m,
		      struct err *err)
{
	if ((m->idmap || m->idmap_recursive) && !m->bind)
		return json_error(n, err, "only a bind mount can have id mappings");
	if (m->bind) {
		if (!m->source && !(m->flags & MS_REMOUNT))
			return spec_missing(n, "source", err);
		if (m->source && m->source[0] != '/')
			m->source = arena_printf(ctx->arena, "%s/%s", ctx->bundle, m->source);
		m->type = NULL;
		return 0;
	}
	if (m->flags & MS_REMOUNT)
		return 0;
	if (!m->type)
		return json_error(
			n, err,
			"required property 'type' is missing, as no option says bind or rbind");
	if (!m->source)
		m->source = m->type;
	return 0;
}

static int read_mount(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		      struct err *err)
{
	struct ns_mount *m = element;
	int rc = spec_check_object(n, err);

	if (rc == 0)
		rc = read_destination(n, ctx, m, err);
	if (rc == 0)
		rc = spec_get_text(n, "type", &m->type, err);
	if (rc >= 0)
		rc = spec_get_text(n, "source", &m->source, err);
	if (rc >= 0)
		rc = read_options(n, ctx, m, err);
	if (rc == 0)
		rc = read_idmaps(n, ctx, m, err);
	if (rc == 0)
		rc = check_kind(n, ctx, m, err);
	return rc;
}

int spec_read_mounts(const struct json_node *root, const struct spec_ctx *ctx, struct ns_rootfs *r,
		     struct err *err)
{
	struct spec_array list = {0};
	int rc = spec_get_array(root, "mounts", sizeof(struct ns_mount), read_mount, ctx, &list,
				err);

	if (rc < 0)
		return rc;
	r->mounts = list.items;
	r->n_mounts = list.n;
	return 0;
}
