/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bind mounts. The child starts with a copy of the host's mounts, so it opens a source by itself,
 * just when it needs it, and no descriptors pile up. Two cases want the parent to do it beforehand:
 * a child in a user namespace may not be allowed to reach the source, and only the host's root may
 * set up an idmapped mount. The parent then makes a detached mount, which the child only moves.
 *
 * The options change what they name and leave the rest as it is on the source: a flag that the
 * kernel has locked is never in the way of another one, and read-only is never dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "namespaces/rootfs_internal.h"

/* ---- in the parent ---- */

/* As the child's own mounts are by then (see ns_rootfs_mount). */
static unsigned long tree_propagation(const struct ns_rootfs *cfg)
{
	if (cfg->in_userns)
		return MS_SLAVE;
	if (cfg->propagation & MS_SHARED)
		return 0;
	return cfg->propagation & (MS_PRIVATE | MS_UNBINDABLE) ? MS_PRIVATE : MS_SLAVE;
}

int mount_tree_prepare(const struct ns_rootfs_state *st, const char *path, bool recursive)
{
	struct mount_attr attr = {.propagation = tree_propagation(&st->cfg)};
	CLOSE_FD int fd = mount_clone(st, AT_FDCWD, path, recursive);

	if (fd < 0)
		return fd;
	if (attr.propagation &&
	    mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	return fd_take(&fd);
}

static bool same_maps(const struct idmaps *a, const struct idmaps *b)
{
	return a->n_uids == b->n_uids && a->n_gids == b->n_gids &&
	       memcmp(a->uids, b->uids, a->n_uids * sizeof(*a->uids)) == 0 &&
	       memcmp(a->gids, b->gids, a->n_gids * sizeof(*a->gids)) == 0;
}

/* The user namespace with the maps of m; borrowed from st. */
static int bind_userns(struct ns_rootfs_state *st, const struct ns_mount *m, struct err *err)
{
	const struct idmaps *maps = m->idmaps;
	int fd;

	if (!maps || maps->n_uids == 0 || maps->n_gids == 0)
		return err_set(err, EINVAL,
			       "an idmapped mount needs both uidMappings and gidMappings");
	if (st->userns_maps && same_maps(maps, st->userns_maps))
		return st->userns_fd;
	fd = ns_idmap_userns(st->proc_fd, maps, err);
	if (fd < 0)
		return fd;
	fd_replace(&st->userns_fd, fd);
	st->userns_maps = maps;
	return fd;
}

static int prepare_idmapped(struct ns_rootfs_state *st, const struct ns_mount *m,
			    struct mount_plan *plan, struct err *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	unsigned int flags = AT_EMPTY_PATH | (m->idmap_recursive ? AT_RECURSIVE : 0);
	int fd = bind_userns(st, m, err);

	if (fd < 0)
		return fd;
	attr.userns_fd = (uint64_t)fd;
	plan->tree = mount_tree_prepare(st, m->source, m->flags & MS_REC);
	if (plan->tree == -ENOSYS)
		return err_set(err, ENOSYS, "an idmapped mount needs mount_setattr(2), Linux 5.12");
	if (plan->tree < 0)
		return err_code(err, -plan->tree, "clone '%s'", m->source);
	if (mount_setattr(plan->tree, "", flags, &attr, sizeof(attr)) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(err, EINVAL,
			       "map the ids of '%s': its file system does not support that",
			       m->source);
	return err_sys(err, "map the ids of '%s'", m->source);
}

static int prepare_link(const struct ns_mount *m, struct mount_plan *plan, struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlink(m->source, text, sizeof(text));

	if (n < 0 && errno == EINVAL)
		return 0;
	if (n < 0)
		return err_sys(err, "source '%s'", m->source);
	if ((size_t)n == sizeof(text))
		return err_code(err, ENAMETOOLONG, "source '%s'", m->source);
	plan->link = mem_xstrndup(text, (size_t)n);
	return 0;
}

/* Only another procfs may lie on /proc. */
static int check_proc_source(const char *source, struct err *err)
{
	struct statfs fs;

	if (statfs(source, &fs) < 0)
		return err_sys(err, "source '%s'", source);
	if ((unsigned long)fs.f_type != PROC_SUPER_MAGIC)
		return err_set(err, EINVAL, "source '%s' cannot cover /proc: it is no procfs",
			       source);
	return 0;
}

/*
 * The child makes the mount that holds the root private. A source in that same mount keeps its
 * peers on the host only when it is cloned before.
 */
static bool wants_peers(const struct ns_rootfs *cfg, const struct ns_mount *m)
{
	for (size_t i = 0; i < m->n_propagation; i++) {
		if (cfg->propagation & m->propagation[i] & MS_SHARED)
			return true;
	}
	return false;
}

int mount_bind_prepare(struct ns_rootfs_state *st, struct mount_plan *plan, struct err *err)
{
	const struct ns_mount *m = plan->m;
	struct stat sb;
	int rc;

	if (!m->source || *m->source != '/')
		return err_set(err, EINVAL, "source of a bind mount must be an absolute path");
	if (m->copy_symlink) {
		rc = prepare_link(m, plan, err);
		if (rc < 0 || plan->link)
			return rc;
	}
	if (stat(m->source, &sb) < 0)
		return err_sys(err, "source '%s'", m->source);
	plan->is_dir = S_ISDIR(sb.st_mode);
	if (plan->dest == DEST_PROC) {
		rc = check_proc_source(m->source, err);
		if (rc < 0)
			return rc;
	}
	if (m->idmap || m->idmaps)
		return prepare_idmapped(st, m, plan, err);
	if (!st->cfg.in_userns && !wants_peers(&st->cfg, m))
		return 0;
	plan->tree = mount_tree_prepare(st, m->source, m->flags & MS_REC);
	if (plan->tree == -ENOSYS || plan->tree == -EPERM)
		plan->tree = -1;
	else if (plan->tree < 0)
		return err_code(err, -plan->tree, "clone '%s'", m->source);
	return 0;
}

/* ---- in the child ---- */

/* The option "copy-symlink": the source is a symlink, and so becomes the destination. */
static int copy_link(const struct ns_rootfs_state *st, const struct mount_plan *plan,
		     struct err *err)
{
	const char *name = strrchr(plan->path, '/') + 1;
	FREE char *above = mem_xstrndup(plan->path, (size_t)(name - plan->path));
	CLOSE_FD int dir = path_mkdir_in(st->root_fd, above, 0755, err);
	char there[PATH_MAX];
	ssize_t n;

	if (dir < 0)
		return dir;
	if (symlinkat(plan->link, dir, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, "create symlink '%s'", plan->path);
	n = readlinkat(dir, name, there, sizeof(there));
	if (n < 0 || (size_t)n != strlen(plan->link) || memcmp(there, plan->link, (size_t)n) != 0)
		return err_set(err, EEXIST, "create symlink '%s': something else is there",
			       plan->path);
	return 0;
}

static int bind_attributes(const struct ns_rootfs_state *st, const struct ns_mount *m, int fd,
			   struct err *err)
{
	uint64_t set, clear;

	mount_attr_from_flags(m->flags, m->clear_flags, &set, &clear);
	if (!set && !clear)
		return 0;
	return mount_attr_set(st, fd, set, clear, false, err);
}

static int bind_on(const struct ns_rootfs_state *st, struct mount_plan *plan, int target,
		   struct err *err)
{
	const struct ns_mount *m = plan->m;
	int rc;

	if (plan->tree < 0)
		return mount_bind_at(st, AT_FDCWD, m->source, m->flags & MS_REC, target, plan->path,
				     err);
	rc = mount_move(plan->tree, target);
	if (rc < 0)
		return err_code(err, -rc, "bind '%s' on '%s'", m->source, plan->path);
	return fd_take(&plan->tree);
}

int mount_bind(struct ns_rootfs_state *st, struct mount_plan *plan, struct err *err)
{
	const struct ns_mount *m = plan->m;
	CLOSE_FD int target = -1, fd = -1;
	int rc;

	if (plan->link)
		return copy_link(st, plan, err);
	target = mount_target(st, plan, plan->is_dir, err);
	if (target < 0)
		return target;
	fd = bind_on(st, plan, target, err);
	if (fd < 0)
		return fd;
	rc = bind_attributes(st, m, fd, err);
	if (rc == 0 && plan->dest == DEST_PROC)
		rc = mount_note_proc(st, fd, err);
	if (rc == 0)
		rc = mount_finish(st, m, fd, err);
	return rc < 0 ? err_wrap(err, rc, "bind '%s' on '%s'", m->source, plan->path) : 0;
}
