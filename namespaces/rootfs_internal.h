/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files about mounts and the root file system share: the state between prepare and seal,
 * and the kernel's mount calls with their fallbacks. Private to namespaces/.
 *
 * Every target is an O_PATH descriptor that was resolved inside the root; a mount is known by the
 * descriptor of its own root directory, so nothing is looked up by path a second time.
 */
#ifndef HULL_NAMESPACES_ROOTFS_INTERNAL_H
#define HULL_NAMESPACES_ROOTFS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/sys.h"
#include "namespaces/namespaces.h"

enum mount_dest {
	DEST_ANY,
	DEST_DEV,       /* "/dev" itself */
	DEST_PROC,      /* "/proc" itself */
	DEST_PROC_FILE, /* one of the files below /proc that may be covered */
};

/* What prepare finds out about cfg.mounts[i]. */
struct mount_plan {
	const struct ns_mount *m;
	char *path; /* the destination cleaned, absolute in the root; owned */
	enum mount_dest dest;
	bool is_dir; /* the bind source is a directory */
	int tree;    /* the bind source as a detached mount made by the parent, or -1 */
	char *link;  /* copy-symlink: where the source points to; owned */
};

/* What fd shows, and by which mount. */
struct mount_identity {
	dev_t dev;
	ino_t ino;
	uint64_t mnt; /* mount id, 0: the kernel does not tell */
};

/* From prepare to seal. All descriptors are owned unless said otherwise. */
struct ns_rootfs_state {
	struct ns_rootfs cfg; /* what it points to is the caller's */
	int proc_fd;          /* borrowed */
	bool no_mount_api;    /* the kernel, a filter, or HULL_NO_MOUNT_API=1 denies fsopen and
				 open_tree */

	char *root_path; /* cfg.path without trailing slashes; owned */
	int root_fd;     /* P: the directory on the host; C: the root of its own mount */
	int root_tree;   /* the root as a detached mount made by the parent, or -1 */
	struct mount_identity root_id; /* of root_fd */
	bool in_chroot;                /* C: its "/" is not that of its mount namespace */

	struct mount_plan *plans; /* one a mount */
	int *late_ro;             /* mounts that turn read-only in seal */
	size_t n_late_ro;

	bool dev_bound; /* /dev comes from the host: left alone */
	bool has_proc;  /* a procfs lies on /proc; its device number: */
	dev_t proc_dev;
	int dev_fd;   /* the container's /dev */
	int nodes_fd; /* a tmpfs with the nodes that the parent made (device_nodes.c), or -1 */

	int null_tree;  /* the host's /dev/null as a mount: detached at first, then on a masked file
			 */
	int empty_tree; /* an empty read-only tmpfs, likewise */
	bool null_used, empty_used;

	int userns_fd; /* the last user namespace made for an idmapped mount, and its maps */
	const struct idmaps *userns_maps;
};

/* ---- mount_api.c: system calls with their fallbacks ---- */

/* A file system to be mounted. */
struct mount_fs {
	const char *type, *source;
	unsigned long flags; /* MS_… */
	const char *data;    /* comma separated or NULL */
	const char *label;   /* SELinux context or NULL */
};

/* Writes "self/fd/N": a path from proc_fd, for calls that know no descriptors. */
#define FD_PATH_LEN 24
void fd_path(char path[static FD_PATH_LEN], int fd);

/*
 * Makes fs as a detached mount. Returns its descriptor or -errno; err gets the file system's own
 * words when it has some.
 */
int mount_fs_new(const struct ns_rootfs_state *st, const struct mount_fs *fs,
		 struct err *err) MUST_CHECK;

/*
 * Mounts fs on target_fd and returns the descriptor of the mount's root. dest: the target's path in
 * the root, for messages and for the classic mount(2), which has to look it up again.
 */
int mount_fs_at(const struct ns_rootfs_state *st, const struct mount_fs *fs, int target_fd,
		const char *dest, struct err *err) MUST_CHECK;

/* Clones what dirfd/path (may be "") shows as a detached mount. Its descriptor or -errno. */
int mount_clone(const struct ns_rootfs_state *st, int dirfd, const char *path,
		bool recursive) MUST_CHECK;

/* Puts a detached mount on target_fd. 0 or -errno. */
int mount_move(int mount_fd, int target_fd) MUST_CHECK;

/*
 * Binds source_fd/source ("" for the descriptor itself) on target_fd; returns the descriptor of the
 * new mount's root.
 */
int mount_bind_at(const struct ns_rootfs_state *st, int source_fd, const char *source,
		  bool recursive, int target_fd, const char *dest, struct err *err) MUST_CHECK;

/*
 * Sets and clears MOUNT_ATTR_… of an attached mount, leaving all others alone. recursive needs
 * mount_setattr(2), -ENOSYS without it.
 */
int mount_attr_set(const struct ns_rootfs_state *st, int mount_fd, uint64_t set, uint64_t clear,
		   bool recursive, struct err *err) MUST_CHECK;

/* Applies one propagation step: MS_SHARED, MS_PRIVATE, MS_SLAVE or MS_UNBINDABLE, and MS_REC. */
int mount_propagate(const struct ns_rootfs_state *st, int mount_fd, unsigned long how,
		    struct err *err) MUST_CHECK;

/* mount(2) with descriptors in place of paths; a negative source_fd means the string source. */
int mount_classic(const struct ns_rootfs_state *st, int source_fd, const char *source,
		  int target_fd, const char *type, unsigned long flags,
		  const char *data) MUST_CHECK;

/* By statx(2), or fstat(2) and procfs. 0 or -errno. */
int mount_identify(const struct ns_rootfs_state *st, int fd, struct mount_identity *ret) MUST_CHECK;

/* The root itself, not another mount that shows it (if the kernel tells them apart). */
bool mount_is_root(const struct ns_rootfs_state *st, const struct mount_identity *id);

/* MS_… to set and to clear as MOUNT_ATTR_…; what is no attribute of a mount is left out. */
void mount_attr_from_flags(unsigned long set, unsigned long clear, uint64_t *ret_set,
			   uint64_t *ret_clear);

/* ---- mount.c ---- */

/* P: checks one mount of the configuration and fills its plan; no side effects. */
int mount_prepare(struct ns_rootfs_state *st, struct mount_plan *plan, struct err *err) MUST_CHECK;
int mount_one(struct ns_rootfs_state *st, struct mount_plan *plan, struct err *err) MUST_CHECK;

/* Opens the destination inside the root as a mount point, making it when missing. fd or -errno. */
int mount_target(const struct ns_rootfs_state *st, const struct mount_plan *plan, bool is_dir,
		 struct err *err) MUST_CHECK;

/* The same for proc and sysfs: an existing directory, no symlink as last component. */
int mount_target_strict(const struct ns_rootfs_state *st, const struct mount_plan *plan,
			struct err *err) MUST_CHECK;

/* Refuses what the lexical checks cannot see: symlinks of the image to "/" and into /proc. */
int mount_check_target(const struct ns_rootfs_state *st, int fd, const struct mount_plan *plan,
		       struct err *err) MUST_CHECK;

/* What m asks for beyond the mount itself: attributes of the whole tree, propagation. */
int mount_finish(const struct ns_rootfs_state *st, const struct ns_mount *m, int mount_fd,
		 struct err *err) MUST_CHECK;

/* Remembers the procfs on /proc, so that targets inside it are known. */
int mount_note_proc(struct ns_rootfs_state *st, int mount_fd, struct err *err) MUST_CHECK;

/* Has a mount turn read-only in seal, when everything is in place. Takes mount_fd. */
void mount_late_ro(struct ns_rootfs_state *st, int mount_fd);

/* ---- mount_typed.c, mount_bind.c, mount_cgroup.c, mount_idmap.c, mount_copyup.c ---- */

int mount_typed(struct ns_rootfs_state *st, const struct mount_plan *plan,
		struct err *err) MUST_CHECK;

/*
 * P: clones the host's path as a detached mount whose propagation is already that of the
 * container. -ENOSYS or -EPERM where the mount API is not there.
 */
int mount_tree_prepare(const struct ns_rootfs_state *st, const char *path,
		       bool recursive) MUST_CHECK;

int mount_bind_prepare(struct ns_rootfs_state *st, struct mount_plan *plan,
		       struct err *err) MUST_CHECK;
int mount_bind(struct ns_rootfs_state *st, struct mount_plan *plan, struct err *err) MUST_CHECK;
int mount_cgroup(struct ns_rootfs_state *st, const struct mount_plan *plan,
		 struct err *err) MUST_CHECK;

/* Copies what lies in the directory from_fd to to_fd: the tmpcopyup option. */
int copy_up(int from_fd, int to_fd, struct err *err) MUST_CHECK;

/* ---- device.c, device_nodes.c, masks.c, rootfs_hide.c ---- */

/* The default devices, then those of the configuration; i counts from 0. */
size_t device_count(const struct ns_rootfs_state *st);
const struct ns_device *device_at(const struct ns_rootfs_state *st, size_t i);
mode_t device_type(const struct ns_device *d); /* S_IF… */

/*
 * P: makes the nodes for a user namespace of the container's own, each named by its number. Nodes
 * that this host does not let hull make are left out, and so is everything without the mount API.
 */
int device_nodes_prepare(struct ns_rootfs_state *st, struct err *err) MUST_CHECK;

/* C: makes the nodes visible in the child's mount namespace, and takes them out again. */
int device_nodes_attach(const struct ns_rootfs_state *st, struct err *err) MUST_CHECK;
int device_nodes_detach(const struct ns_rootfs_state *st, struct err *err) MUST_CHECK;

/* C: puts node i on target_fd, in between. -ENOENT without a message: it was not made. */
int device_nodes_put(const struct ns_rootfs_state *st, size_t i, int target_fd,
		     struct err *err) MUST_CHECK;

int dev_setup(struct ns_rootfs_state *st, struct err *err) MUST_CHECK;
int stdio_reopen(struct ns_rootfs_state *st, struct err *err) MUST_CHECK;
int masks_prepare(struct ns_rootfs_state *st, struct err *err) MUST_CHECK; /* C, before pivot */
int masks_apply(struct ns_rootfs_state *st, struct err *err) MUST_CHECK;

/* Without pivot_root: takes the host's procfs and sysfs out of the mount namespace. */
int hide_host(const struct ns_rootfs_state *st, struct err *err) MUST_CHECK;

#endif
