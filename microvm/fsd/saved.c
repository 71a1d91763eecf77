/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest knows, saved and made again: numbers with their generations, nodes by their names
 * below the shared directory, open files by their node. A name is only saved when it still leads to
 * the file; on restoring it may lead to another one of the same type, as the directory may be a copy.
 * What is found no more keeps its number and answers ESTALE, or EBADF when it is an open file: that
 * goes for files that were deleted while they were open.
 *
 *   u8 ready, u64 features
 *   numbers of nodes, numbers of open files: u32 n, then u32 generation of each slot from 1 on
 *   u32 n, nodes: u64 number (0: forgotten), u64 lookups, u32 type, u32 parent (its place among the
 *     nodes, which is before its children's), u8 index of its device, i64 and u32 when last seen,
 *     name; the first is the root
 *   u32 n, open files: u64 number, u32 type, u32 flags, u32 node (its place + 1; 0: none)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/internal.h"

#define FLAGS (O_ACCMODE | O_SYNC | O_DSYNC | O_NOATIME) /* of an open file, opened again */

/* The nodes in the order in which they are saved, and their places in it. */
struct list {
	struct fsd_node **nodes;
	uint32_t n, size;
};

static bool is_listed(const struct list *l, const struct fsd_node *node)
{
	return node->place < l->n && l->nodes[node->place] == node;
}

/* With what it hangs on, from the top down. -ENOMEM. */
static int list_node(struct list *l, struct fsd_node *node)
{
	struct fsd_node *up = node;

	while (!is_listed(l, node)) {
		for (up = node; up->parent && !is_listed(l, up->parent);)
			up = up->parent;
		if (l->n == l->size) {
			struct fsd_node **more = mem_try_calloc((size_t)l->size * 2, sizeof(*more));

			if (!more)
				return -ENOMEM;
			memcpy(more, l->nodes, l->n * sizeof(*more));
			free(l->nodes);
			l->nodes = more;
			l->size *= 2;
		}
		up->place = l->n;
		l->nodes[l->n++] = up;
	}
	return 0;
}

static int list_all(struct fsd *f, struct list *l)
{
	int rc;

	*l = (struct list){.size = 256};
	l->nodes = mem_xcalloc(l->size, sizeof(*l->nodes));
	rc = list_node(l, f->root);
	for (uint32_t i = 1; i < f->node_ids.n && rc == 0; i++) {
		if (f->node_ids.slots[i].object)
			rc = list_node(l, f->node_ids.slots[i].object);
	}
	return rc;
}

/* ---- saving ---- */

static void put_ids(const struct fsd_ids *t, struct buf *ret)
{
	state_put_u32(ret, t->n);
	for (uint32_t i = 1; i < t->n; i++)
		state_put_u32(ret, t->slots[i].generation);
}

static uint8_t device_index(const struct fsd *f, uint64_t dev)
{
	uint8_t i = 0;

	while (i < f->n_devs && f->devs[i] != dev)
		i++;
	return i;
}

static void put_node(struct fsd *f, const struct fsd_node *node, struct buf *ret)
{
	bool by_name = node != f->root && node->name && fsd_node_has_name(node);

	state_put_u64(ret, node->id);
	state_put_u64(ret, node->lookups);
	state_put_u32(ret, node->type);
	state_put_u32(ret, node->parent ? node->parent->place : 0);
	state_put_u8(ret, device_index(f, node->dev));
	state_put_u64(ret, (uint64_t)node->seen_sec);
	state_put_u32(ret, node->seen_nsec);
	state_put_block(ret, node->name, by_name ? strlen(node->name) : 0);
}

static void put_handle(const struct fsd *f, const struct list *l, const struct fsd_handle *h,
		       struct buf *ret)
{
	const struct fsd_node *node = fsd_id_get(&f->node_ids, h->node);

	state_put_u64(ret, h->id);
	state_put_u32(ret, h->type);
	state_put_u32(ret, (uint32_t)h->flags & FLAGS);
	state_put_u32(ret, node && is_listed(l, node) ? node->place + 1 : 0);
}

int fsd_save(struct fsd *f, struct buf *ret)
{
	struct list l;
	int rc;

	if (f->trees)
		return -EBUSY;
	rc = list_all(f, &l);
	if (rc < 0) {
		free(l.nodes);
		return rc;
	}
	state_put_u8(ret, f->ready);
	state_put_u64(ret, f->features);
	put_ids(&f->node_ids, ret);
	put_ids(&f->handle_ids, ret);
	state_put_u32(ret, l.n);
	for (uint32_t i = 0; i < l.n; i++)
		put_node(f, l.nodes[i], ret);
	state_put_u32(ret, f->n_handles);
	for (uint32_t i = 1; i < f->handle_ids.n; i++) {
		if (f->handle_ids.slots[i].object)
			put_handle(f, &l, f->handle_ids.slots[i].object, ret);
	}
	free(l.nodes);
	return 0;
}

/* ---- restoring ---- */

static int get_ids(struct fsd_ids *t, struct state_in *in)
{
	uint32_t n = state_u32(in);

	if (in->failed || n > in->left / sizeof(uint32_t) + 1)
		return -EINVAL;
	if (fsd_ids_reserve(t, n) < 0)
		return -ENOMEM;
	for (uint32_t i = 1; i < n; i++)
		t->slots[i].generation = state_u32(in);
	return 0;
}

static bool is_name(const uint8_t *name, size_t len)
{
	return len && len <= NAME_MAX && !memchr(name, '/', len) && !memchr(name, '\0', len) &&
	       !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

struct saved_node {
	uint64_t id, lookups;
	mode_t type;
	uint32_t parent, seen_nsec;
	int64_t seen_sec;
	uint8_t device;
	char name[NAME_MAX + 1]; /* "": it has none */
};

static int get_node(struct state_in *in, struct saved_node *s)
{
	const uint8_t *name;
	size_t len = 0;

	s->id = state_u64(in);
	s->lookups = state_u64(in);
	s->type = state_u32(in) & S_IFMT;
	s->parent = state_u32(in);
	s->device = state_u8(in);
	s->seen_sec = (int64_t)state_u64(in);
	s->seen_nsec = state_u32(in);
	name = state_block(in, NAME_MAX, &len);
	if (in->failed || (len && !is_name(name, len)))
		return -EINVAL;
	if (len)
		memcpy(s->name, name, len);
	s->name[len] = '\0';
	return 0;
}

static void note_device(struct fsd *f, uint8_t index, uint64_t dev)
{
	if (index >= ARRAY_SIZE(f->devs) || f->devs[index])
		return;
	f->devs[index] = dev;
	if (f->n_devs <= index)
		f->n_devs = index + 1u;
}

/* NULL: the guest does not know it, and it is not there. */
static int restore_node(struct fsd *f, const struct saved_node *s, struct fsd_node *parent,
			struct fsd_node **ret)
{
	struct fsd_node *node = NULL;
	int rc = fsd_node_restore(f, parent, s->name, s->type, s->id, &node);

	if (rc < 0)
		return rc;
	*ret = node;
	if (!node)
		return 0;
	node->lookups = s->lookups;
	node->seen_sec = s->seen_sec;
	node->seen_nsec = s->seen_nsec;
	if (node->ino)
		note_device(f, s->device, node->dev);
	return 0;
}

static int restore_nodes(struct fsd *f, struct state_in *in, struct list *l)
{
	uint32_t n = state_u32(in);
	struct saved_node s;
	int rc = 0;

	/* None takes less than its numbers. */
	if (in->failed || !n || n > in->left / 32)
		return -EINVAL;
	l->nodes = mem_try_calloc(n, sizeof(struct fsd_node *));
	if (!l->nodes)
		return -ENOMEM;
	for (; l->n < n && rc == 0; l->n++) {
		rc = get_node(in, &s);
		if (rc == 0 && l->n == 0)
			l->nodes[0] = f->root;
		else if (rc == 0 && s.parent >= l->n)
			rc = -EINVAL;
		else if (rc == 0)
			rc = restore_node(f, &s, l->nodes[s.parent], &l->nodes[l->n]);
	}
	return rc;
}

static int restore_handle(struct fsd *f, struct state_in *in, const struct list *l)
{
	uint64_t id = state_u64(in);
	mode_t type = state_u32(in);
	int flags = (int)(state_u32(in) & FLAGS);
	uint32_t place = state_u32(in);
	struct fsd_node *node;
	int fd = -1;

	if (in->failed || place > l->n || (type != S_IFREG && type != S_IFDIR) ||
	    (flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	node = place ? l->nodes[place - 1] : NULL;
	if (node && node->type == type && !(f->readonly && flags & O_ACCMODE) && fsd_room(f) == 0)
		fd = fsd_reopen(f, node, flags);
	return fsd_handle_restore(f, id, type, fd < 0 ? -1 : fd, flags, node ? node->id : 0);
}

static int restore_all(struct fsd *f, struct state_in *in, struct list *l)
{
	bool ready = state_u8(in);
	uint64_t features = state_u64(in);
	uint32_t n;
	int rc = get_ids(&f->node_ids, in);

	f->node_ids.slots[1].generation = 0; /* the root's, whose number is FUSE_ROOT_ID */
	if (rc < 0 || (rc = get_ids(&f->handle_ids, in)) < 0 || (rc = restore_nodes(f, in, l)) < 0)
		return rc;
	n = state_u32(in);
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = restore_handle(f, in, l);
	if (rc < 0 || in->failed || in->left)
		return rc < 0 ? rc : -EINVAL;
	f->features = features;
	f->ready = ready;
	return 0;
}

int fsd_restore(struct fsd *f, struct state_in *in)
{
	struct list l = {0};
	int rc;

	fsd_reset(f);
	rc = restore_all(f, in, &l);
	for (uint32_t i = l.n; i-- > 1;)
		fsd_node_unused(f, l.nodes[i]);
	free(l.nodes);
	if (rc < 0)
		fsd_reset(f);
	fsd_ids_free_rest(&f->node_ids);
	fsd_ids_free_rest(&f->handle_ids);
	return rc;
}
