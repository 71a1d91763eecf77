/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of config.json that involve more than one section, made after all of them were read: what
 * needs which namespace, which ids are mapped. Each names the property that cannot be honoured.
 */
#include <string.h>

#include "runtime/spec_parse.h"

static const struct json_node *linux_member(const struct spec *spec, const char *key)
{
	return json_get(json_get(json_root(spec->doc), "linux"), key);
}

static int check_uts(const struct spec *spec, struct err *err)
{
	const struct json_node *root = json_root(spec->doc);

	if (spec->spaces.kind[NS_UTS].listed)
		return 0;
	if (spec->hostname)
		return json_error(json_get(root, "hostname"), err, "needs a uts namespace");
	if (spec->domainname)
		return json_error(json_get(root, "domainname"), err, "needs a uts namespace");
	return 0;
}

/* The property and the sysctl set the same name of the UTS namespace: which one should win? */
static int check_domainname(const struct spec *spec, struct err *err)
{
	for (size_t i = 0; spec->domainname && i < spec->n_sysctls; i++) {
		const struct ns_sysctl *s = &spec->sysctls[i];

		if ((strcmp(s->key, "kernel.domainname") == 0 ||
		     strcmp(s->key, "kernel/domainname") == 0) &&
		    strcmp(s->value, spec->domainname) != 0)
			return json_error(json_get(linux_member(spec, "sysctl"), s->key), err,
					  "contradicts the property domainname, '%s'",
					  spec->domainname);
	}
	return 0;
}

static int check_user_namespace(const struct spec *spec, struct err *err)
{
	const struct ns_space *user = &spec->spaces.kind[NS_USER];
	const struct idmaps *maps = &spec->spaces.idmaps;

	if (!user->listed) {
		if (maps->n_uids)
			return json_error(linux_member(spec, "uidMappings"), err,
					  "needs a user namespace");
		if (maps->n_gids)
			return json_error(linux_member(spec, "gidMappings"), err,
					  "needs a user namespace");
		return 0;
	}
	if (user->path)
		return 0;
	if (!maps->n_uids)
		return json_error(linux_member(spec, "namespaces"), err,
				  "a new user namespace needs linux.uidMappings");
	if (!maps->n_gids)
		return json_error(linux_member(spec, "namespaces"), err,
				  "a new user namespace needs linux.gidMappings");
	return 0;
}

/* Ids that the user namespace does not know: setuid(2) would say EINVAL, much later. */
static int check_user(const struct spec *spec, struct err *err)
{
	const struct idmaps *maps = &spec->spaces.idmaps;
	const struct ns_process *p = &spec->process;
	const struct json_node *user = json_get(json_get(json_root(spec->doc), "process"), "user");
	const struct json_node *process = json_get(json_root(spec->doc), "process");
	const struct json_node *group = json_first(json_get(user, "additionalGids"));

	if (!spec->has_process || !spec->spaces.kind[NS_USER].listed)
		return 0;
	if (maps->n_uids && !spec_idmap_covers(maps->uids, maps->n_uids, p->uid))
		return json_error(user ? user : process, err, "uid %u is not in linux.uidMappings",
				  p->uid);
	if (maps->n_gids && !spec_idmap_covers(maps->gids, maps->n_gids, p->gid))
		return json_error(user ? user : process, err, "gid %u is not in linux.gidMappings",
				  p->gid);
	for (size_t i = 0; maps->n_gids && i < p->n_groups; i++, group = json_next(group))
		if (!spec_idmap_covers(maps->gids, maps->n_gids, p->groups[i]))
			return json_error(group, err, "gid %u is not in linux.gidMappings",
					  p->groups[i]);
	return 0;
}

static int check_time(const struct spec *spec, struct err *err)
{
	const struct ns_space *time = &spec->spaces.kind[NS_TIME];

	if (!spec->spaces.monotonic.set && !spec->spaces.boottime.set)
		return 0;
	if (!time->listed)
		return json_error(linux_member(spec, "timeOffsets"), err, "needs a time namespace");
	if (time->path)
		return json_error(linux_member(spec, "timeOffsets"), err,
				  "needs a new time namespace, not one joined by path");
	return 0;
}

static int check_net_devices(const struct spec *spec, struct err *err)
{
	if (spec->n_net_devices && !spec->spaces.kind[NS_NETWORK].listed)
		return json_error(linux_member(spec, "netDevices"), err,
				  "needs a network namespace");
	return 0;
}

/* Without a mount namespace the root is entered by chroot and the mount table is the host's. */
static int check_mount_namespace(const struct spec *spec, struct err *err)
{
	const struct json_node *root = json_root(spec->doc);
	const struct ns_rootfs *r = &spec->rootfs;
	const struct json_node *n = NULL;

	if (r->new_mount_ns)
		return 0;
	if (r->n_mounts)
		n = json_get(root, "mounts");
	else if (r->readonly)
		n = json_get(json_get(root, "root"), "readonly");
	else if (r->n_masked_paths)
		n = linux_member(spec, "maskedPaths");
	else if (r->n_readonly_paths)
		n = linux_member(spec, "readonlyPaths");
	else if (r->propagation)
		n = linux_member(spec, "rootfsPropagation");
	return n ? json_error(n, err, "needs a mount namespace") : 0;
}

int spec_validate(const struct spec *spec, struct err *err)
{
	int rc = check_uts(spec, err);

	if (rc == 0)
		rc = check_domainname(spec, err);
	if (rc == 0)
		rc = check_user_namespace(spec, err);
	if (rc == 0)
		rc = check_user(spec, err);
	if (rc == 0)
		rc = check_time(spec, err);
	if (rc == 0)
		rc = check_net_devices(spec, err);
	if (rc == 0)
		rc = check_mount_namespace(spec, err);
	return rc;
}
