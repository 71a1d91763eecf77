/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading directories. Entries come from getdents64(2) a piece at a time and are kept with the open
 * directory until the guest, whose records are larger, has taken them. Offsets are the file
 * system's own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/fsd/internal.h"

#define ENTRIES_SIZE 4096

int fsd_opendir(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_open_in *in = fsd_take(r, sizeof(*in));
	struct fuse_open_out out = {0};
	struct fsd_handle *h;
	int fd, rc;

	if (!in)
		return -EINVAL;
	if (r->node->type != S_IFDIR)
		return -ENOTDIR;
	fd = fsd_reopen(f, r->node, O_RDONLY);
	if (fd < 0)
		return fd;
	rc = fsd_handle_add(f, r->node, fd, S_IFDIR, O_RDONLY, &h);
	if (rc < 0)
		return rc;
	out.fh = h->id;
	out.open_flags = fsd_open_flags(f, r->node, fd, O_RDONLY);
	return fsd_reply(f, &out, sizeof(out));
}

/* Makes offset the next entry's. 0 or -errno. */
static int seek_to(struct fsd_handle *h, uint64_t offset)
{
	if (!h->entries) {
		h->entries = mem_try_calloc(1, ENTRIES_SIZE);
		if (!h->entries)
			return -ENOMEM;
	}
	if (offset == h->next)
		return 0;
	h->pos = h->end = 0;
	if (offset > INT64_MAX || lseek(h->fd, (off_t)offset, SEEK_SET) < 0)
		return -EINVAL;
	h->next = offset;
	return 0;
}

/* The next entry, which stays the next until pos is moved. 1: in *ret; 0: the end; or -errno. */
static int peek(struct fsd_handle *h, const struct dirent64 **ret)
{
	if (h->pos == h->end) {
		ssize_t n = getdents64(h->fd, (void *)h->entries, ENTRIES_SIZE);

		if (n <= 0)
			return n < 0 ? -errno : 0;
		h->pos = 0;
		h->end = (size_t)n;
	}
	*ret = (const void *)(h->entries + h->pos);
	return 1;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Looks the entry up for the guest. One that cannot be is left to a LOOKUP (node id 0). */
static void fill_entry(struct fsd *f, struct fsd_node *dir, const char *name,
		       struct fuse_entry_out *ret)
{
	struct fsd_node *node;
	struct statx st;

	memset(ret, 0, sizeof(*ret));
	if (!is_dots(name) && fsd_node_lookup(f, dir, name, &node, &st) == 0)
		fsd_entry(f, node, &st, ret);
}

/* Puts the entry into the answer at pos. Its length, or 0 when it does not fit. */
static size_t put_entry(struct fsd *f, struct fsd_node *dir, const struct dirent64 *e, bool plus,
			size_t pos, size_t room)
{
	const size_t at = plus ? offsetof(struct fuse_direntplus, dirent) : 0;
	const size_t name_len = strlen(e->d_name);
	const size_t len = FUSE_DIRENT_ALIGN(at + FUSE_NAME_OFFSET + name_len);
	uint8_t *to = f->reply + pos;
	struct fuse_dirent out = {
		.ino = fsd_ino(f, dir->dev, e->d_ino),
		.off = (uint64_t)e->d_off,
		.namelen = (uint32_t)name_len,
		.type = e->d_type,
	};

	if (len > room - pos)
		return 0;
	/* What is above the shared directory is not the guest's business. */
	if (dir == f->root && !strcmp(e->d_name, ".."))
		out.ino = fsd_ino(f, dir->dev, dir->ino);
	memset(to, 0, len);
	if (plus)
		fill_entry(f, dir, e->d_name, (struct fuse_entry_out *)(void *)to);
	memcpy(to + at, &out, FUSE_NAME_OFFSET);
	memcpy(to + at + FUSE_NAME_OFFSET, e->d_name, name_len);
	return len;
}

static int read_entries(struct fsd *f, struct fsd_request *r, bool plus)
{
	const struct fuse_read_in *in = fsd_take(r, sizeof(*in));
	struct fsd_handle *h = in ? fsd_handle_get(f, in->fh, S_IFDIR) : NULL;
	const struct dirent64 *e = NULL;
	size_t room, pos = 0, len;
	int rc;

	if (!h || r->node->type != S_IFDIR)
		return in ? -EBADF : -EINVAL;
	room = in->size < r->in_len ? in->size : r->in_len;
	if (room > FSD_MAX_REPLY)
		room = FSD_MAX_REPLY;
	rc = seek_to(h, in->offset);
	while (rc >= 0 && (rc = peek(h, &e)) > 0) {
		len = put_entry(f, r->node, e, plus, pos, room);
		if (!len)
			break;
		pos += len;
		h->pos += e->d_reclen;
		h->next = (uint64_t)e->d_off;
	}
	if (rc > 0 && !pos)
		return -EINVAL; /* not even one fits, as getdents(2) has it */
	return pos ? (int)pos : rc;
}

int fsd_readdir(struct fsd *f, struct fsd_request *r)
{
	return read_entries(f, r, false);
}

int fsd_readdirplus(struct fsd *f, struct fsd_request *r)
{
	return read_entries(f, r, true);
}
