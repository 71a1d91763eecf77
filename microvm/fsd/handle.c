/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open files and directories of the guest, by number. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/internal.h"

int fsd_handle_add(struct fsd *f, const struct fsd_node *node, int fd, mode_t type, int flags,
		   struct fsd_handle **ret)
{
	struct fsd_handle *h = NULL;
	int rc = fsd_room(f);

	if (!rc) {
		h = mem_try_calloc(1, sizeof(*h));
		if (h)
			h->id = fsd_id_add(&f->handle_ids, h);
		if (!h || !h->id)
			rc = -ENOMEM;
	}
	if (rc < 0) {
		free(h);
		fd_close(fd);
		return rc;
	}
	h->node = node->id;
	h->tree = node->tree;
	h->fd = fd;
	h->type = type;
	h->flags = flags;
	f->fds++;
	f->n_handles++;
	*ret = h;
	return 0;
}

int fsd_handle_restore(struct fsd *f, uint64_t id, mode_t type, int fd, int flags, uint64_t node)
{
	struct fsd_handle *h = mem_try_calloc(1, sizeof(*h));
	int rc = h ? 0 : -ENOMEM;

	if (!rc && fsd_id_place(&f->handle_ids, id, h) < 0)
		rc = -EINVAL;
	if (rc < 0) {
		free(h);
		fd_close(fd);
		return rc;
	}
	*h = (struct fsd_handle){.id = id, .node = node, .fd = fd, .flags = flags, .type = type};
	f->fds += fd >= 0;
	f->n_handles++;
	return 0;
}

struct fsd_handle *fsd_handle_get(const struct fsd *f, uint64_t id, mode_t type)
{
	struct fsd_handle *h = fsd_id_get(&f->handle_ids, id);

	return h && h->type == type ? h : NULL;
}

void fsd_handle_close(struct fsd *f, struct fsd_handle *h)
{
	fsd_id_remove(&f->handle_ids, h->id);
	f->fds -= h->fd >= 0;
	fd_close(h->fd);
	f->n_handles--;
	free(h->entries);
	free(h);
}

void fsd_handles_reset(struct fsd *f)
{
	for (uint32_t i = 1; i < f->handle_ids.n; i++)
		if (f->handle_ids.slots[i].object)
			fsd_handle_close(f, f->handle_ids.slots[i].object);
}

void fsd_handles_drop_tree(struct fsd *f, uint32_t tree)
{
	for (uint32_t i = 1; i < f->handle_ids.n; i++) {
		struct fsd_handle *h = f->handle_ids.slots[i].object;

		if (!h || h->tree != tree || h->fd < 0)
			continue;
		fd_replace(&h->fd, -1);
		f->fds--;
	}
}

/*
 * A directory is opened by ".", a file by its link in /proc/self/fd. Nothing else is opened: a fifo
 * would block and a device node would be the host's device.
 */
int fsd_reopen(struct fsd *f, struct fsd_node *node, int flags)
{
	int fd = fsd_node_fd(f, node);
	char path[FSD_PROC_NAME];

	if (fd < 0)
		return fd;
	if (node->type == S_IFDIR)
		fd = openat(fd, ".", flags | O_DIRECTORY | O_CLOEXEC);
	else if (node->type == S_IFREG)
		fd = openat(f->proc_fd, fsd_proc_name(path, fd), flags | O_CLOEXEC);
	else
		return node->type == S_IFLNK ? -ELOOP : -ENXIO;
	return fd < 0 ? -errno : fd;
}
