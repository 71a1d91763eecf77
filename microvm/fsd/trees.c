/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Further trees of files: the roots and bind mounts of containers that join a guest which runs. Each is
 * given as a descriptor of a mount without a place (open_tree(2)), so the server's own mounts stay as
 * they are. A tree's top is looked up in the shared directory by the tree's name; below that, all is
 * reached by single names as everywhere, and ".." is none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/internal.h"

const struct fsd_tree *fsd_tree_find(const struct fsd *f, const struct fsd_node *dir,
				     const char *name)
{
	const struct fsd_tree *t = dir == f->root ? f->trees : NULL;

	while (t && strcmp(t->name, name) != 0)
		t = t->next;
	return t;
}

static bool is_name(const char *name)
{
	const size_t len = strlen(name);

	return len && len <= FSD_TREE_NAME_MAX && name[0] != '.' && !strchr(name, '/');
}

int fsd_tree_add(struct fsd *f, const char *name, int fd_in)
{
	CLOSE_FD int fd = fd_in;
	struct fsd_tree *t;
	int rc;

	if (!is_name(name))
		return -EINVAL;
	if (fsd_tree_find(f, f->root, name))
		return -EEXIST;
	if (f->n_trees >= FSD_TREES_MAX || f->last_tree == UINT32_MAX)
		return -ENOSPC;
	t = mem_try_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	rc = fsd_node_add_top(f, fd_take(&fd), f->last_tree + 1, &t->top);
	if (rc < 0) {
		free(t);
		return rc;
	}
	t->number = ++f->last_tree;
	memcpy(t->name, name, strlen(name) + 1);
	t->next = f->trees;
	f->trees = t;
	f->n_trees++;
	return 0;
}

static void remove_tree(struct fsd *f, struct fsd_tree **at)
{
	struct fsd_tree *t = *at;

	*at = t->next;
	f->n_trees--;
	fsd_handles_drop_tree(f, t->number);
	fsd_nodes_drop_tree(f, t->number);
	free(t);
}

int fsd_tree_remove(struct fsd *f, const char *name)
{
	struct fsd_tree **at = &f->trees;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (!*at)
		return -ENOENT;
	remove_tree(f, at);
	return 0;
}

void fsd_trees_release(struct fsd *f)
{
	while (f->trees)
		remove_tree(f, &f->trees);
}
