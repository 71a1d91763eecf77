/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device nodes for a container in a user namespace, where mknod(2) is denied and nodes on a file
 * system mounted there do not open. The parent, root on the host, makes them with the mode and owner
 * asked for in a tmpfs of its own that is mounted nowhere; the child, which has it open, mounts it,
 * clones single nodes out of it, and detaches it. (A clone straight out of a detached mount works
 * since Linux 6.15 only.) When all is gone the kernel frees the tmpfs, so a crash leaves nothing.
 *
 * A node that the host's root may not make, in a container of another runtime or by a cgroup's
 * rules, is left out: the child then binds the host's own (device.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "namespaces/rootfs_internal.h"

#define NAME_LEN 24

static void node_name(char name[static NAME_LEN], size_t i)
{
	snprintf(name, NAME_LEN, "%zu", i);
}

/* ---- in the parent ---- */

/* uid and gid of the configuration are the container's (config-linux.md#devices). */
static int host_owner(const struct idmaps *maps, const struct ns_device *d, uid_t *ret_uid,
		      gid_t *ret_gid, struct err *err)
{
	if (!ns_idmap_host(maps->uids, maps->n_uids, d->uid, ret_uid))
		return err_set(err, EINVAL, "device '%s': uid %u is not in linux.uidMappings",
			       d->path, d->uid);
	if (!ns_idmap_host(maps->gids, maps->n_gids, d->gid, ret_gid))
		return err_set(err, EINVAL, "device '%s': gid %u is not in linux.gidMappings",
			       d->path, d->gid);
	return 0;
}

static int make_node(const struct ns_rootfs_state *st, int dir, size_t i, struct err *err)
{
	const struct ns_device *d = device_at(st, i);
	mode_t type = device_type(d);
	char name[NAME_LEN];
	uid_t uid;
	gid_t gid;
	int rc = host_owner(st->cfg.userns_maps, d, &uid, &gid, err);

	if (rc < 0)
		return rc;
	node_name(name, i);
	if (mknodat(dir, name, type, makedev(d->major, d->minor)) < 0)
		return errno == EPERM ? 0 : err_sys(err, "create device '%s'", d->path);
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "change the owner of device '%s'", d->path);
	if (fchmodat(dir, name, d->mode & 07777, 0) < 0)
		return err_sys(err, "change the mode of device '%s'", d->path);
	return 0;
}

int device_nodes_prepare(struct ns_rootfs_state *st, struct err *err)
{
	const struct mount_fs tmpfs = {
		.type = "tmpfs",
		.source = "devices",
		.flags = MS_NOSUID,
		.data = "mode=711", /* the child is nobody here, and looks names up */
		.label = st->cfg.mount_label,
	};
	const size_t n_default = device_count(st) - st->cfg.n_devices;
	CLOSE_FD int fd = mount_fs_new(st, &tmpfs, err);

	if (fd == -ENOSYS || fd == -EPERM)
		return 0;
	if (fd < 0)
		return err_wrap(err, fd, "linux.devices");
	for (size_t i = 0; i < device_count(st); i++) {
		/* A fifo is no device: the child makes it in place. */
		int rc = device_type(device_at(st, i)) == S_IFIFO ? 0 : make_node(st, fd, i, err);

		if (rc < 0 && i < n_default)
			return rc;
		if (rc < 0)
			return err_wrap(err, rc, "linux.devices[%zu]", i - n_default);
	}
	st->nodes_fd = fd_take(&fd);
	return 0;
}

/* ---- in the child ---- */

/*
 * On the container's root, where it hides nothing from hull: lookups start at root_fd, below it. Who
 * shares the root's mount sees it come and go.
 */
int device_nodes_attach(const struct ns_rootfs_state *st, struct err *err)
{
	int rc = st->nodes_fd < 0 ? 0 : mount_move(st->nodes_fd, st->root_fd);

	return rc < 0 ? err_code(err, -rc, "linux.devices: mount the nodes") : 0;
}

int device_nodes_detach(const struct ns_rootfs_state *st, struct err *err)
{
	char path[FD_PATH_LEN];

	if (st->nodes_fd < 0)
		return 0;
	fd_path(path, st->nodes_fd);
	if (fchdir(st->proc_fd) < 0 || umount2(path, MNT_DETACH) < 0)
		return err_sys(err, "linux.devices: unmount the nodes");
	return 0;
}

int device_nodes_put(const struct ns_rootfs_state *st, size_t i, int target_fd, struct err *err)
{
	const char *path = device_at(st, i)->path;
	CLOSE_FD int fd = -1;
	char name[NAME_LEN];
	int rc;

	if (st->nodes_fd < 0)
		return -ENOENT;
	node_name(name, i);
	fd = mount_clone(st, st->nodes_fd, name, false);
	if (fd == -ENOENT)
		return -ENOENT;
	rc = fd < 0 ? fd : mount_move(fd, target_fd);
	return rc < 0 ? err_code(err, -rc, "put device '%s' in place", path) : 0;
}
