/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.json's linux object (runtime-spec config-linux.md) except for its larger parts, which have
 * files of their own: devices, resources, seccomp, intelRdt, scheduling.
 */
#include <string.h>
#include <sys/mount.h>

#include "runtime/spec_parse.h"

#define NSEC_PER_SEC 1000000000u

static int read_namespace(const struct json_node *n, struct ns_spaces *s, struct err *err)
{
	const char *type = NULL, *path = NULL;
	int kind, rc = spec_check_object(n, err);

	if (rc == 0)
		rc = spec_need_string(n, "type", &type, err);
	if (rc < 0)
		return rc;
	kind = ns_kind_parse(type);
	if (kind < 0)
		return json_error(json_get(n, "type"), err, "unknown namespace '%s'", type);
	if (s->kind[kind].listed)
		return json_error(n, err, "namespace '%s' is listed twice", type);
	rc = spec_get_abs_path(n, "path", &path, err);
	if (rc < 0)
		return rc;
	s->kind[kind] = (struct ns_space){.listed = true, .path = path};
	return 0;
}

static int read_namespaces(const struct json_node *linux_node, struct spec *spec, struct err *err)
{
	struct ns_spaces *s = &spec->spaces;
	struct ns_rootfs *r = &spec->rootfs;
	const struct json_node *array = NULL;
	int rc = json_get_array(linux_node, "namespaces", &array, err);

	if (rc < 0)
		return rc;
	json_each (n, array) {
		rc = read_namespace(n, s, err);
		if (rc < 0)
			return rc;
	}
	r->new_mount_ns = s->kind[NS_MOUNT].listed;
	r->in_userns = s->kind[NS_USER].listed;
	r->new_netns = s->kind[NS_NETWORK].listed;
	/* A joined cgroup namespace may be rooted anywhere: show the own group by binds instead. */
	r->new_cgroupns = s->kind[NS_CGROUP].listed && !s->kind[NS_CGROUP].path;
	return 0;
}

static int read_idmaps(const struct json_node *linux_node, const struct spec_ctx *ctx,
		       struct idmaps *maps, struct err *err)
{
	int rc = spec_get_idmap(linux_node, "uidMappings", ctx, &maps->uids, &maps->n_uids, err);

	if (rc >= 0)
		rc = spec_get_idmap(linux_node, "gidMappings", ctx, &maps->gids, &maps->n_gids,
				    err);
	return rc < 0 ? rc : 0;
}

static int read_time_offset(const struct json_node *n, struct ns_time_offset *ret, struct err *err)
{
	uint64_t nanosecs = 0;
	int rc = spec_check_object(n, err);

	if (rc == 0)
		rc = json_get_i64(n, "secs", &ret->secs, err);
	if (rc >= 0)
		rc = spec_get_limit(n, "nanosecs", NSEC_PER_SEC - 1, &nanosecs, err);
	if (rc < 0)
		return rc;
	ret->nanosecs = (uint32_t)nanosecs;
	ret->set = true;
	return 0;
}

static int read_time_offsets(const struct json_node *linux_node, struct ns_spaces *s,
			     struct err *err)
{
	const struct json_node *offsets = NULL;
	int rc = json_get_object(linux_node, "timeOffsets", &offsets, err);

	if (rc <= 0)
		return rc;
	json_each (n, offsets) {
		if (json_type(n) == JSON_NULL)
			continue;
		/* Keys are names of clocks, hence values: an unknown one cannot be honoured. */
		if (strcmp(json_key(n), "monotonic") == 0)
			rc = read_time_offset(n, &s->monotonic, err);
		else if (strcmp(json_key(n), "boottime") == 0)
			rc = read_time_offset(n, &s->boottime, err);
		else
			rc = json_error(n, err, "no such clock, expected monotonic or boottime");
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_sysctl(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		       struct err *err)
{
	struct ns_sysctl *s = element;

	(void)ctx;
	s->key = json_key(n);
	return json_as_string(n, &s->value, err);
}

static int read_sysctls(const struct json_node *linux_node, const struct spec_ctx *ctx,
			struct spec *spec, struct err *err)
{
	struct spec_array list = {0};
	const struct json_node *n = json_first(json_get(linux_node, "sysctl"));
	int rc = spec_get_map(linux_node, "sysctl", sizeof(struct ns_sysctl), read_sysctl, ctx,
			      &list, err);

	if (rc <= 0)
		return rc;
	spec->sysctls = list.items;
	spec->n_sysctls = list.n;
	if (ctx->saved)
		return 0;
	for (size_t i = 0; i < list.n; i++, n = json_next(n)) {
		struct err why = ERR_INIT;

		rc = ns_sysctl_check(spec->sysctls[i].key, &spec->spaces, &why);
		if (rc < 0)
			return spec_because(n, &why, err);
	}
	return 0;
}

/* cgroupsPath with the systemd driver reads "slice:prefix:name", never begins with "/". */
static bool is_systemd_path(const char *path)
{
	const char *first = strchr(path, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;

	return path[0] != '/' && second && !strchr(second + 1, ':');
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/')) {
		while (*p == '/')
			p++;
		if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return true;
	}
	return false;
}

static int read_cgroups_path(const struct json_node *linux_node, const char **ret, struct err *err)
{
	const struct json_node *n = json_get(linux_node, "cgroupsPath");
	const char *path = NULL;
	int rc = spec_get_text(linux_node, "cgroupsPath", &path, err);

	if (rc <= 0)
		return rc;
	if (is_systemd_path(path))
		return json_error(
			n, err,
			"'%s' is meant for the systemd cgroup driver, which is not supported",
			path);
	if (has_dotdot(path))
		return json_error(n, err, "'%s' has a '..' component", path);
	*ret = path;
	return 0;
}

static int read_propagation(const struct json_node *linux_node, unsigned long *ret, struct err *err)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} words[] = {
		{"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
		{"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
		{"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
		{"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
	};
	const char *word = NULL;
	int rc = spec_get_text(linux_node, "rootfsPropagation", &word, err);

	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i].name) == 0) {
			*ret = words[i].flags;
			return 0;
		}
	}
	return json_error(json_get(linux_node, "rootfsPropagation"), err,
			  "unknown word '%s', expected shared, slave, private or unbindable", word);
}

static int read_paths(const struct json_node *linux_node, const char *key, struct arena *a,
		      const char *const **ret, size_t *ret_n, struct err *err)
{
	int rc = spec_get_strings(linux_node, key, a, ret, ret_n, err);

	if (rc <= 0)
		return rc;
	json_each (n, json_get(linux_node, key)) {
		const char *path = NULL;

		rc = json_as_string(n, &path, err);
		if (rc < 0)
			return rc;
		if (path[0] != '/')
			return json_error(n, err, "'%s' is not an absolute path", path);
	}
	return 0;
}

static int read_scheduling(const struct json_node *linux_node, struct spec *spec, struct err *err)
{
	const struct json_node *n = NULL;
	int rc = json_get_object(linux_node, "personality", &n, err);

	if (rc > 0)
		rc = spec_read_personality(n, &spec->process, err);
	if (rc >= 0)
		rc = json_get_object(linux_node, "memoryPolicy", &n, err);
	if (rc > 0)
		rc = spec_read_mempolicy(n, &spec->arena, &spec->process.mempolicy, err);
	return rc < 0 ? rc : 0;
}

static int read_objects(const struct json_node *linux_node, const struct spec_ctx *ctx,
			struct spec *spec, struct err *err)
{
	const struct json_node *n = NULL;
	int rc = json_get_object(linux_node, "resources", &n, err);

	if (rc > 0) {
		spec->has_resources = true;
		rc = spec_parse_resources(n, ctx->arena, &spec->limits, err);
	}
	if (rc >= 0)
		rc = json_get_object(linux_node, "seccomp", &n, err);
	if (rc > 0)
		rc = spec_read_seccomp(n, ctx, &spec->seccomp, err);
	if (rc >= 0)
		rc = json_get_object(linux_node, "intelRdt", &n, err);
	if (rc > 0)
		rc = spec_read_rdt(n, ctx, &spec->rdt, err);
	return rc < 0 ? rc : 0;
}

int spec_read_linux(const struct json_node *linux_node, const struct spec_ctx *ctx,
		    struct spec *spec, struct err *err)
{
	struct ns_rootfs *r = &spec->rootfs;
	int rc = read_namespaces(linux_node, spec, err);

	if (rc == 0)
		rc = read_idmaps(linux_node, ctx, &spec->spaces.idmaps, err);
	if (rc == 0)
		rc = read_time_offsets(linux_node, &spec->spaces, err);
	if (rc == 0)
		rc = read_sysctls(linux_node, ctx, spec, err);
	if (rc == 0)
		rc = read_cgroups_path(linux_node, &spec->cgroups_path, err);
	if (rc == 0)
		rc = read_propagation(linux_node, &r->propagation, err);
	if (rc == 0)
		rc = read_paths(linux_node, "maskedPaths", ctx->arena, &r->masked_paths,
				&r->n_masked_paths, err);
	if (rc == 0)
		rc = read_paths(linux_node, "readonlyPaths", ctx->arena, &r->readonly_paths,
				&r->n_readonly_paths, err);
	if (rc == 0)
		rc = spec_get_text(linux_node, "mountLabel", &r->mount_label, err);
	if (rc >= 0)
		rc = spec_read_devices(linux_node, ctx, r, err);
	if (rc == 0)
		rc = spec_read_net_devices(linux_node, ctx, spec, err);
	if (rc == 0)
		rc = read_scheduling(linux_node, spec, err);
	if (rc == 0)
		rc = read_objects(linux_node, ctx, spec, err);
	return rc;
}
