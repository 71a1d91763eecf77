// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's hierarchies as a container's /sys/fs/cgroup shows them: one cgroup2 mount, or a
 * directory for each v1 hierarchy, named by its controllers, with links for the single names of
 * co-mounted ones, and "unified" for the cgroup2 part of a hybrid host. A container without groups
 * of its own (CGROUP_MANAGER_DISABLED) sees those that the caller is in.
 */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"

#define OWN_GROUPS_MAX (1u << 20)

/* "cpu,cpuacct" -> { "cpu", "cpuacct", NULL }; NULL for a single name. */
static const char *const *split_links(struct arena *a, const char *names)
{
	const char **links;
	char *rest, *name;
	size_t n = 0;

	if (!strchr(names, ','))
		return NULL;
	links = arena_alloc(a, strlen(names) + 2, sizeof(*links));
	rest = arena_strdup(a, names);
	while ((name = cgroup_word(&rest, ",")))
		links[n++] = name;
	return links;
}

static void describe(struct arena *a, const struct cgroup_hier *h, const char *dir,
		     struct cgroup_mount_info *m)
{
	const char *named = strncmp(h->names, "name=", 5) == 0 ? h->names + 5 : NULL;

	m->source = arena_strdup(a, dir);
	if (h->v2) {
		m->name = "unified";
		m->options = "";
	} else if (named) {
		m->name = arena_strdup(a, named);
		m->options = arena_printf(a, "none,%s", h->names);
	} else {
		m->name = arena_strdup(a, h->names);
		m->options = m->name;
		m->links = split_links(a, h->names);
	}
}

char *cgroup_dir_of(struct arena *a, const struct cgroup_hier *h, const char *text)
{
	char *rest = arena_strdup(a, text), *line;
	size_t skip = strlen(h->root);

	while ((line = cgroup_word(&rest, "\n"))) {
		const char *id = strsep(&line, ":"), *names = strsep(&line, ":"), *path = line;

		if (!path || (h->v2 ? strcmp(id, "0") != 0 : strcmp(names, h->names) != 0))
			continue;
		/* A mount that shows part of a hierarchy shows the path from there on. */
		if (strcmp(h->root, "/") != 0 && strncmp(path, h->root, skip) == 0)
			path += skip;
		/* Out of sight: in a cgroup namespace whose root is not above it. */
		if (strcmp(path, "/") == 0 || strcmp(path, "/..") == 0 ||
		    strncmp(path, "/../", 4) == 0)
			path = "";
		return arena_printf(a, "%s%s", h->mount, path);
	}
	return arena_strdup(a, h->mount);
}

static int make_mounts(struct cgroup *cg, struct err *err)
{
	bool own = cg->manager == CGROUP_MANAGER_DISABLED;
	struct cgroup_mount_info *mounts;
	BUF text = BUF_INIT;
	int r = cgroup_detect(cg, err);

	if (r == 0 && own)
		r = io_read_file(AT_FDCWD, "/proc/self/cgroup", OWN_GROUPS_MAX, &text, err);
	if (r < 0)
		return r;
	mounts = arena_alloc(&cg->arena, cg->n_hiers, sizeof(*mounts));
	for (size_t i = 0; i < cg->n_hiers; i++) {
		const struct cgroup_hier *h = &cg->hiers[i];

		describe(&cg->arena, h, own ? cgroup_dir_of(&cg->arena, h, buf_str(&text)) : h->dir,
			 &mounts[i]);
	}
	cg->mounts = mounts;
	return 0;
}

int cgroup_mounts(struct cgroup *cg, const struct cgroup_mount_info **ret, size_t *ret_n,
		  bool *ret_unified, struct err *err)
{
	int r = cg->mounts ? 0 : make_mounts(cg, err);

	if (r < 0)
		return r;
	*ret = cg->mounts;
	*ret_n = cg->n_hiers;
	*ret_unified = cg->unified || (cg->n_hiers == 1 && cg->v2);
	return 0;
}
