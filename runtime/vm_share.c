/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest reaches files of the host through one server, so everything it may see is mounted into
 * one small tree: what is not mounted there does not exist for it. That tree is the server's root and
 * stays as it is; what joins later is handed to the server as descriptors.
 */
#include "runtime/vm_share.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtime/vm_mounts.h"

static int make_target(int dir, const char *name, bool is_dir, struct err *err)
{
	if (is_dir)
		return mkdirat(dir, name, 0755) < 0 ? err_sys(err, "mkdir '%s'", name) : 0;

	CLOSE_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(err, "create '%s'", name) : 0;
}

static int map_ids(int proc_fd, int tree, const struct ns_mount *m, struct err *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	CLOSE_FD int userns = ns_idmap_userns(proc_fd, m->idmaps, err);
	const unsigned int recursive = m->idmap_recursive ? AT_RECURSIVE : 0;

	if (userns < 0)
		return userns;
	attr.userns_fd = (uint64_t)userns;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)) < 0)
		return err_sys(err, "map the ids of '%s'", m->source);
	return 0;
}

/* The guest is told not to write, too, but here it cannot. */
static int protect(int tree, const struct ns_mount *m, struct err *err)
{
	struct mount_attr top = {0}, all = {0};

	if (m->flags & MS_RDONLY)
		top.attr_set = MOUNT_ATTR_RDONLY;
	if (m->clear_flags & MS_RDONLY)
		top.attr_clr = MOUNT_ATTR_RDONLY;
	all.attr_set = m->rec_set & MOUNT_ATTR_RDONLY;
	all.attr_clr = m->rec_clear & MOUNT_ATTR_RDONLY;
	if (((top.attr_set || top.attr_clr) &&
	     mount_setattr(tree, "", AT_EMPTY_PATH, &top, sizeof(top)) < 0) ||
	    ((all.attr_set || all.attr_clr) &&
	     mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0))
		return err_sys(err, "make the share of '%s' read-only", m->source);
	return 0;
}

/* The source, at path below at, as a mount without a place: a descriptor, or -errno. */
static int clone_source(int at, const char *path, const struct ns_mount *m, int proc_fd,
			struct stat *ret, struct err *err)
{
	const unsigned int recursive = m->flags & MS_REC ? AT_RECURSIVE : 0;
	const unsigned int here = *path ? 0 : AT_EMPTY_PATH;
	CLOSE_FD int tree =
		open_tree(at, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive | here);
	int rc;

	if (tree < 0 || fstat(tree, ret) < 0)
		return err_sys(err, "share '%s' with the virtual machine", m->source);
	if (!S_ISDIR(ret->st_mode) && !S_ISREG(ret->st_mode))
		return err_set(err, ENOTSUP,
			       "'%s' is neither a file nor a directory: a virtual machine cannot "
			       "have it",
			       m->source);
	if ((m->idmaps && (rc = map_ids(proc_fd, tree, m, err)) < 0) ||
	    (rc = protect(tree, m, err)) < 0)
		return rc;
	return fd_take(&tree);
}

static int share(int dir, const char *name, const struct ns_mount *m, int proc_fd, struct err *err)
{
	struct stat st;
	CLOSE_FD int tree = clone_source(AT_FDCWD, m->source, m, proc_fd, &st, err);
	int rc;

	if (tree < 0)
		return tree;
	rc = make_target(dir, name, S_ISDIR(st.st_mode), err);
	if (rc < 0)
		return rc;
	if (move_mount(tree, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "share '%s' with the virtual machine", m->source);
	return 0;
}

/* The option "copy-symlink": what the guest makes again at the destination. True when it is one. */
static int share_link(int dir, const char *name, const char *source, struct err *err)
{
	char text[PATH_MAX];
	ssize_t n = readlink(source, text, sizeof(text));

	if (n < 0 && errno == EINVAL)
		return 0;
	if (n < 0)
		return err_sys(err, "source '%s'", source);
	if ((size_t)n == sizeof(text))
		return err_code(err, ENAMETOOLONG, "source '%s'", source);
	text[n] = '\0';
	return symlinkat(text, dir, name) < 0 ? err_sys(err, "create symlink '%s'", name) : 1;
}

static int share_mount(int dir, size_t i, const struct ns_mount *m, int proc_fd, struct err *err)
{
	char name[24];
	int rc = 0;

	snprintf(name, sizeof(name), "m%zu", i);
	if (m->copy_symlink)
		rc = share_link(dir, name, m->source, err);
	if (rc == 0)
		rc = share(dir, name, m, proc_fd, err);
	return rc < 0 ? err_wrap(err, rc, "mounts[%zu]", i) : 0;
}

int vm_share_build(const struct spec *spec, int proc_fd, const char *path, bool with_root,
		   struct err *err)
{
	const struct ns_mount root = {.source = spec->rootfs.path, .flags = MS_REC};
	CLOSE_FD int dir = -1;
	int rc;

	/* Nothing mounted here may reach the host; what the host mounts later stays out, too. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make mounts private");
	if (mount("hull", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
		return err_sys(err, "mount tmpfs at '%s'", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open '%s'", path);
	rc = with_root ? share(dir, "root", &root, proc_fd, err) : 0;
	if (rc < 0)
		return err_wrap(err, rc, "root.path");
	for (size_t i = 0; i < spec->rootfs.n_mounts; i++) {
		const struct ns_mount *m = &spec->rootfs.mounts[i];

		if (!m->bind || !m->source)
			continue;
		rc = share_mount(dir, i, m, proc_fd, err);
		if (rc < 0)
			return rc;
	}
	return fd_take(&dir);
}

/* ---- trees ---- */

static char *unique_name(struct err *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) == (ssize_t)sizeof(number))
		return mem_xprintf("u%016llx", (unsigned long long)number);
	(void)err_sys(err, "getrandom");
	return NULL;
}

/* What is mounted there now need not have been when another container's tree was made. */
static bool has_mounts_below(const struct ns_mount *m)
{
	struct arena a = ARENA_INIT;
	struct vm_mount *list;
	size_t n = 0;
	bool has = vm_mounts_of(m->source, m->flags & MS_REC, &a, &list, &n, NULL) < 0;

	for (size_t i = 0; i < n; i++)
		has |= *list[i].below != '\0';
	arena_release(&a);
	return has;
}

/*
 * The file, the mount that it is seen through with its flags, and what is asked for: as long as somebody
 * uses the tree, nothing else gets these numbers.
 */
static char *name_of(int source_fd, const struct ns_mount *m, struct err *err)
{
	struct statx st = {0};
	struct statvfs fs;
	unsigned int how = (m->flags & MS_REC ? 1u : 0) | (m->flags & MS_RDONLY ? 2u : 0) |
			   (m->clear_flags & MS_RDONLY ? 4u : 0) |
			   (m->rec_set & MOUNT_ATTR_RDONLY ? 8u : 0) |
			   (m->rec_clear & MOUNT_ATTR_RDONLY ? 16u : 0);

	if (m->idmaps || has_mounts_below(m) || fstatvfs(source_fd, &fs) < 0 ||
	    statx(source_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID))
		return unique_name(err);
	return mem_xprintf("s%x.%x.%llx.%llx.%lx.%x", st.stx_dev_major, st.stx_dev_minor,
			   (unsigned long long)st.stx_ino, (unsigned long long)st.stx_mnt_id,
			   fs.f_flag, how);
}

/* As the server's own root has it, fsd_cell_tree: that one has no right to any more. */
static int confine(int tree, const struct ns_mount *m, struct err *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					      MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW,
				  .propagation = MS_PRIVATE};

	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(err, "set the mount attributes of '%s'", m->source);
	return 0;
}

/* The option "copy-symlink": the link itself, which nobody follows. */
static bool is_link_to_copy(const struct ns_mount *m, int fd)
{
	struct stat st;

	return m->copy_symlink && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

static int open_tree_of(const struct ns_mount *m, bool unique, int proc_fd, struct vm_tree *ret,
			struct err *err)
{
	CLOSE_FD int fd = open(m->source, O_PATH | O_CLOEXEC | (m->copy_symlink ? O_NOFOLLOW : 0));
	CLOSE_FD int tree = -1;
	struct stat st;
	int rc;

	if (fd < 0)
		return err_sys(err, "share '%s' with the virtual machine", m->source);
	if (is_link_to_copy(m, fd)) {
		tree = fd_take(&fd);
		unique = true;
	} else {
		tree = clone_source(fd, "", m, proc_fd, &st, err);
		if (tree < 0)
			return tree;
		if ((rc = confine(tree, m, err)) < 0)
			return rc;
	}
	ret->name = unique ? unique_name(err) : name_of(fd, m, err);
	if (!ret->name)
		return -EIO;
	ret->fd = fd_take(&tree);
	return 0;
}

int vm_trees_open(const struct spec *spec, int proc_fd, struct vm_trees *ret, struct err *err)
{
	const struct ns_mount root = {.source = spec->rootfs.path, .flags = MS_REC};
	const size_t n_mounts = spec->rootfs.n_mounts;
	struct vm_trees t = {.list = mem_xcalloc(n_mounts + 1, sizeof(*t.list)),
			     .mounts = mem_xcalloc(n_mounts + 1, sizeof(*t.mounts))};
	int rc = open_tree_of(&root, true, proc_fd, &t.list[0], err);

	if (rc < 0)
		(void)err_wrap(err, rc, "root.path");
	else
		t.root = t.list[t.n++].name;
	for (size_t i = 0; i < n_mounts && rc == 0; i++) {
		const struct ns_mount *m = &spec->rootfs.mounts[i];

		if (!m->bind || !m->source)
			continue;
		rc = open_tree_of(m, false, proc_fd, &t.list[t.n], err);
		if (rc < 0)
			(void)err_wrap(err, rc, "mounts[%zu]", i);
		else
			t.mounts[i] = t.list[t.n++].name;
	}
	if (rc < 0)
		vm_trees_close(&t);
	else
		*ret = t;
	return rc;
}

void vm_trees_close(struct vm_trees *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->list[i].name);
		fd_close(t->list[i].fd);
	}
	free(t->list);
	free(t->mounts);
	*t = (struct vm_trees){0};
}

uint32_t vm_share_root_flags(const struct spec *spec)
{
	struct statvfs fs;

	if (statvfs(spec->rootfs.path, &fs) < 0)
		return 0;
	/* ST_… and MS_… are the same bits, man 3 statvfs */
	return (uint32_t)fs.f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME);
}
