/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that the guest knows. Each is found by its number, by what it is (device, inode, mount)
 * and, for closing descriptors when there are too many, by how long ago it was used. A descriptor is
 * only closed after its file was found again by name, so what has lost its name keeps one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "microvm/fsd/internal.h"

#define FIRST_HASH_SIZE 256
#define EVICT_TRIES     64

uint64_t fsd_dev(const struct statx *st)
{
	return (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor;
}

/* --- by what it is --- */

static struct fsd_node **bucket(const struct fsd *f, uint64_t dev, uint64_t ino, uint64_t mount)
{
	uint64_t h = (ino ^ dev << 7 ^ mount << 19) * 0x9e3779b97f4a7c15ull;

	return &f->hash[h >> 32 & (f->hash_size - 1)];
}

static void hash_add(struct fsd *f, struct fsd_node *node)
{
	struct fsd_node **b = bucket(f, node->dev, node->ino, node->mount);

	node->hash_next = *b;
	*b = node;
}

static void hash_remove(struct fsd *f, struct fsd_node *node)
{
	struct fsd_node **at = bucket(f, node->dev, node->ino, node->mount);

	while (*at && *at != node)
		at = &(*at)->hash_next;
	if (*at)
		*at = node->hash_next;
}

static void hash_grow(struct fsd *f)
{
	uint32_t old_size = f->hash_size;
	struct fsd_node **old = f->hash, *node, *next;
	struct fsd_node **hash = mem_try_calloc((size_t)old_size * 2, sizeof(*hash));

	if (!hash)
		return; /* longer chains then */
	f->hash = hash;
	f->hash_size = old_size * 2;
	for (uint32_t i = 0; i < old_size; i++) {
		for (node = old[i]; node; node = next) {
			next = node->hash_next;
			hash_add(f, node);
		}
	}
	free(old);
}

static bool same_file(const struct fsd_node *node, const struct statx *st)
{
	return node->ino == st->stx_ino && node->dev == fsd_dev(st) &&
	       node->mount == st->stx_mnt_id && node->type == (st->stx_mode & S_IFMT) &&
	       node->born_sec == st->stx_btime.tv_sec && node->born_nsec == st->stx_btime.tv_nsec;
}

static struct fsd_node *hash_find(struct fsd *f, const struct statx *st)
{
	struct fsd_node *node = *bucket(f, fsd_dev(st), st->stx_ino, st->stx_mnt_id);

	while (node && (node->ino != st->stx_ino || node->dev != fsd_dev(st) ||
			node->mount != st->stx_mnt_id))
		node = node->hash_next;
	/* Without a descriptor to hold it, an inode number may have gone to a new file. */
	if (node && node->fd < 0 && !same_file(node, st)) {
		hash_remove(f, node);
		return NULL;
	}
	return node;
}

/* --- by last use --- */

static void used_remove(struct fsd *f, struct fsd_node *node)
{
	*(node->older ? &node->older->newer : &f->oldest) = node->newer;
	*(node->newer ? &node->newer->older : &f->newest) = node->older;
	node->older = node->newer = NULL;
}

static void used_add(struct fsd *f, struct fsd_node *node)
{
	node->older = f->newest;
	node->newer = NULL;
	*(f->newest ? &f->newest->newer : &f->oldest) = node;
	f->newest = node;
}

static void give_fd(struct fsd *f, struct fsd_node *node, int fd)
{
	node->fd = fd;
	f->fds++;
	used_add(f, node);
}

static void drop_fd(struct fsd *f, struct fsd_node *node)
{
	if (!node->is_top)
		used_remove(f, node);
	fd_close(fd_take(&node->fd));
	f->fds--;
}

/*
 * Opens the node by its name and those of its ancestors, from the nearest one with a descriptor.
 * Returns it or -errno; *st tells what is there.
 */
static int open_names(const struct fsd_node *node, struct statx *st)
{
	const struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
						RESOLVE_NO_MAGICLINKS};
	const struct fsd_node *up = node;
	char path[PATH_MAX], *at = path + sizeof(path);
	CLOSE_FD int fd = -1;

	do {
		size_t len = up->name ? strlen(up->name) : 0;

		if (!len || len + 1 > (size_t)(at - path))
			return -ESTALE;
		*--at = up == node ? '\0' : '/';
		at = memcpy(at - len, up->name, len);
		up = up->parent;
	} while (up->fd < 0);

	fd = sys_openat2(up->fd, at, &how, sizeof(how));
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return -ENFILE;
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, FSD_STATX, st) < 0)
		return -ESTALE;
	return fd_take(&fd);
}

/* -ESTALE: something else is there now. */
static int open_by_names(const struct fsd_node *node)
{
	struct statx st;
	CLOSE_FD int fd = open_names(node, &st);

	if (fd < 0)
		return fd;
	return same_file(node, &st) ? fd_take(&fd) : -ESTALE;
}

/* Closes the descriptor that was used longest ago and can be had again. 0 or -ENFILE. */
static int evict(struct fsd *f)
{
	for (int i = 0; i < EVICT_TRIES && f->oldest; i++) {
		struct fsd_node *node = f->oldest;
		int fd = node == f->pinned ? -EBUSY : open_by_names(node);

		if (fd >= 0) {
			fd_close(fd);
			drop_fd(f, node);
			f->closed++;
			f->stats.evicted++;
			return 0;
		}
		used_remove(f, node);
		used_add(f, node);
	}
	return -ENFILE;
}

int fsd_room(struct fsd *f)
{
	while (f->fds >= f->max_fds)
		if (evict(f) < 0)
			return -ENFILE;
	return 0;
}

int fsd_node_fd(struct fsd *f, struct fsd_node *node)
{
	int fd, rc;

	if (node->fd < 0) {
		rc = fsd_room(f);
		if (rc < 0)
			return rc;
		fd = open_by_names(node);
		if (fd < 0)
			return fd;
		f->closed--;
		give_fd(f, node, fd);
	} else if (node != f->root && !node->is_top && node != f->newest) {
		used_remove(f, node);
		used_add(f, node);
	}
	return node->fd;
}

int fsd_two_fds(struct fsd *f, struct fsd_node *a, struct fsd_node *b, int *ret_a, int *ret_b)
{
	*ret_a = fsd_node_fd(f, a);
	if (*ret_a < 0)
		return *ret_a;
	f->pinned = a;
	*ret_b = fsd_node_fd(f, b);
	f->pinned = NULL;
	return *ret_b < 0 ? *ret_b : 0;
}

/* --- life --- */

static void node_free(struct fsd *f, struct fsd_node *node)
{
	while (node && !node->id && !node->children && node != f->root) {
		struct fsd_node *parent = node->parent;

		hash_remove(f, node);
		free(node->name);
		free(node);
		if (parent)
			parent->children--;
		node = parent;
	}
}

/* Forgotten by the guest. */
static void node_drop(struct fsd *f, struct fsd_node *node)
{
	fsd_id_remove(&f->node_ids, node->id);
	node->id = 0;
	node->lookups = 0;
	if (node->fd >= 0)
		drop_fd(f, node);
	else
		f->closed--;
	f->n_nodes--;
	f->stats.forgotten++;
	node_free(f, node);
}

void fsd_node_forget(struct fsd *f, uint64_t id, uint64_t n)
{
	struct fsd_node *node = fsd_id_get(&f->node_ids, id);

	if (!node || node == f->root)
		return;
	if (n < node->lookups)
		node->lookups -= n;
	else if (node->is_top)
		node->lookups = 0;
	else
		node_drop(f, node);
}

/* When others move directories about, what is known of them may seem to form a ring. */
static bool is_below(const struct fsd_node *node, const struct fsd_node *top)
{
	while (node && node != top)
		node = node->parent;
	return node;
}

static void set_name(struct fsd *f, struct fsd_node *node, struct fsd_node *dir, const char *name)
{
	struct fsd_node *old = node->parent;
	const size_t size = strlen(name) + 1;

	if (node == f->root || node->is_top || node == dir ||
	    (old == dir && node->name && !strcmp(node->name, name)))
		return;
	free(ptr_take(&node->name));
	if (old != dir) {
		if (node->children && is_below(dir, node))
			return;
		node->parent = dir;
		dir->children++;
		if (old) {
			old->children--;
			node_free(f, old);
		}
	}
	/* Without memory it has no name, and its descriptor for good. */
	node->name = mem_try_calloc(1, size);
	if (node->name)
		memcpy(node->name, name, size);
}

static struct fsd_node *node_new(struct fsd *f, const struct statx *st)
{
	struct fsd_node *node = mem_try_calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->fd = -1;
	node->type = st->stx_mode & S_IFMT;
	node->dev = fsd_dev(st);
	node->ino = st->stx_ino;
	node->mount = st->stx_mnt_id;
	node->born_sec = st->stx_btime.tv_sec;
	node->born_nsec = st->stx_btime.tv_nsec;
	if (f->n_nodes > f->hash_size)
		hash_grow(f);
	hash_add(f, node);
	return node;
}

static int make_known(struct fsd *f, struct fsd_node *node)
{
	node->id = fsd_id_add(&f->node_ids, node);
	if (!node->id) {
		node_free(f, node);
		return -ENOMEM;
	}
	f->n_nodes++;
	f->closed++;
	return 0;
}

int fsd_node_add(struct fsd *f, struct fsd_node *dir, const char *name, int fd_in,
		 struct fsd_node **ret, struct statx *st)
{
	CLOSE_FD int fd = fd_in;
	struct fsd_node *node;

	if (statx(fd, "", AT_EMPTY_PATH, FSD_STATX, st) < 0)
		return -errno;
	if (!name && fsd_room(f) < 0)
		return -ENFILE;
	node = hash_find(f, st);
	if (!node)
		node = node_new(f, st);
	if (!node || (!node->id && make_known(f, node) < 0))
		return -ENOMEM;
	node->lookups++;
	if (!node->is_top)
		node->tree = dir->tree;
	if (name)
		set_name(f, node, dir, name);
	/* Without room it is opened by name when it is needed. */
	if (node->fd < 0 && (!name || fsd_room(f) == 0)) {
		f->closed--;
		give_fd(f, node, fd_take(&fd));
	}
	*ret = node;
	return 0;
}

int fsd_open_name(struct fsd *f, struct fsd_node *dir, const char *name)
{
	const struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
						RESOLVE_NO_MAGICLINKS};
	const struct fsd_tree *tree = fsd_tree_find(f, dir, name);
	int dir_fd, fd;

	if (tree)
		return fd_dup(tree->top->fd, NULL);
	dir_fd = fsd_node_fd(f, dir);
	if (dir_fd < 0)
		return dir_fd;
	fd = sys_openat2(dir_fd, name, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int fsd_node_lookup(struct fsd *f, struct fsd_node *dir, const char *name, struct fsd_node **ret,
		    struct statx *st)
{
	int fd = fsd_open_name(f, dir, name);

	return fd < 0 ? fd : fsd_node_add(f, dir, name, fd, ret, st);
}

void fsd_node_keep(struct fsd *f, struct fsd_node *dir, const char *name)
{
	CLOSE_FD int fd = -1;
	struct fsd_node *node;
	struct statx st;

	if (!f->closed)
		return;
	fd = fsd_open_name(f, dir, name);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, FSD_STATX, &st) < 0)
		return;
	node = hash_find(f, &st);
	if (node && node->id && node->fd < 0 && fsd_room(f) == 0) {
		f->closed--;
		give_fd(f, node, fd_take(&fd));
	}
}

void fsd_node_moved(struct fsd *f, struct fsd_node *dir, const char *name)
{
	CLOSE_FD int fd = fsd_open_name(f, dir, name);
	struct fsd_node *node;
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, FSD_STATX, &st) < 0)
		return;
	node = hash_find(f, &st);
	if (node)
		set_name(f, node, dir, name);
}

/*
 * By what it is now: on an overlay a file that was changed since it was first seen has been copied, and
 * has the times of the copy, and where its layers are of two file systems another number, too.
 */
bool fsd_node_has_name(const struct fsd_node *node)
{
	struct statx st, now;
	CLOSE_FD int fd = open_names(node, &st);

	if (fd < 0)
		return false;
	if (node->fd < 0 || statx(node->fd, "", AT_EMPTY_PATH, FSD_STATX, &now) < 0)
		return same_file(node, &st);
	return now.stx_ino == st.stx_ino && fsd_dev(&now) == fsd_dev(&st) &&
	       now.stx_mnt_id == st.stx_mnt_id;
}

/* Opens what is to become a node again; *st is filled. Another node's file is none of this one's. */
static int open_again(struct fsd *f, struct fsd_node *dir, const char *name, mode_t type,
		      struct statx *st)
{
	const struct fsd_node there = {.fd = -1, .parent = dir, .name = (char *)name};
	CLOSE_FD int fd = dir ? open_names(&there, st) : -ESTALE;

	if (fd < 0 || (st->stx_mode & S_IFMT) != type || hash_find(f, st))
		return -ESTALE;
	return fd_take(&fd);
}

int fsd_node_restore(struct fsd *f, struct fsd_node *dir, const char *name, mode_t type,
		     uint64_t id, struct fsd_node **ret)
{
	struct statx st = {0}, stale = {.stx_mode = (uint16_t)type};
	CLOSE_FD int fd = open_again(f, dir, name, type, &st);
	struct fsd_node *node;

	*ret = NULL;
	if (fd < 0 && !id)
		return 0;
	node = node_new(f, fd < 0 ? &stale : &st);
	if (!node)
		return -ENOMEM;
	if (id && fsd_id_place(&f->node_ids, id, node) < 0) {
		node_free(f, node);
		return -EINVAL;
	}
	node->id = id;
	f->n_nodes += id != 0;
	f->closed += id != 0;
	if (fd >= 0)
		set_name(f, node, dir, name);
	if (id && fd >= 0 && fsd_room(f) == 0) {
		f->closed--;
		give_fd(f, node, fd_take(&fd));
	}
	*ret = node;
	return 0;
}

void fsd_node_unused(struct fsd *f, struct fsd_node *node)
{
	if (node)
		node_free(f, node);
}

int fsd_nodes_init(struct fsd *f, int dir_fd, struct err *err)
{
	CLOSE_FD int fd = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx st;

	f->hash_size = FIRST_HASH_SIZE;
	f->hash = mem_xcalloc(f->hash_size, sizeof(*f->hash));
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, FSD_STATX, &st) < 0)
		return err_sys(err, "open the shared directory");
	f->devs[f->n_devs++] = fsd_dev(&st);
	f->root = node_new(f, &st);
	if (!f->root || make_known(f, f->root) < 0)
		return err_set(err, ENOMEM, "no memory for the shared directory");
	f->closed--;
	f->root->fd = fd_take(&fd);
	return 0;
}

void fsd_nodes_reset(struct fsd *f)
{
	for (uint32_t i = 1; i < f->node_ids.n; i++) {
		struct fsd_node *node = f->node_ids.slots[i].object;

		if (node && node->is_top)
			node->lookups = 0;
		else if (node && node != f->root)
			node_drop(f, node);
	}
}

int fsd_node_add_top(struct fsd *f, int fd_in, uint32_t tree, struct fsd_node **ret)
{
	CLOSE_FD int fd = fd_in;
	struct fsd_node *node;
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, FSD_STATX, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.stx_mode) && !S_ISREG(st.stx_mode) && !S_ISLNK(st.stx_mode))
		return -EINVAL;
	if (hash_find(f, &st))
		return -EEXIST;
	if (fsd_room(f) < 0)
		return -ENFILE;
	node = node_new(f, &st);
	if (!node || make_known(f, node) < 0)
		return -ENOMEM;
	node->is_top = true;
	node->tree = tree;
	node->fd = fd_take(&fd);
	f->closed--;
	f->fds++;
	*ret = node;
	return 0;
}

/* Without its name, and those of what it lies below, it is not opened again. */
static void make_stale(struct fsd *f, struct fsd_node *node)
{
	if (node->fd >= 0) {
		drop_fd(f, node);
		f->closed++;
	}
	hash_remove(f, node);
	free(ptr_take(&node->name));
}

void fsd_nodes_drop_tree(struct fsd *f, uint32_t tree)
{
	for (uint32_t i = 1; i < f->node_ids.n; i++) {
		struct fsd_node *node = f->node_ids.slots[i].object;

		if (!node || node->tree != tree)
			continue;
		make_stale(f, node);
		node->is_top = false;
		/* Those that the guest knows keep their numbers until it forgets them. */
		if (!node->lookups)
			node_drop(f, node);
	}
}

void fsd_nodes_release(struct fsd *f)
{
	fsd_nodes_reset(f);
	if (f->root) {
		fd_close(f->root->fd);
		free(f->root);
	}
	free(f->node_ids.slots);
	free(f->hash);
}
