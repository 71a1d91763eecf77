/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of the FUSE protocol (linux/fuse.h): taking them apart, INIT and what needs no file, the
 * table of operations. A request is copied whole before anything in it is looked at, but for the
 * data of a WRITE, which goes from the guest's buffers to the file.
 */
#include "microvm/fsd/fsd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/fsd/internal.h"
#include "microvm/virtio/iov.h"

#define MIN_MINOR 31

/* Descriptors that are not for files: queues, control, and those opened for a moment. */
#define RESERVED_FDS 64
/* Each holds kernel memory, and a file whose descriptor was closed is soon opened again. */
#define MAX_FDS 65536

static const uint64_t wanted_features =
	FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA |
	FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS |
	FUSE_HANDLE_KILLPRIV_V2 | FUSE_MAX_PAGES | FUSE_INIT_EXT;

static size_t iov_copy_from(const struct iovec *iov, size_t n, void *to, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < n && done < len; i++) {
		size_t part = iov[i].iov_len < len - done ? iov[i].iov_len : len - done;

		if (part)
			memcpy((uint8_t *)to + done, iov[i].iov_base, part);
		done += part;
	}
	return done;
}

static void iov_copy_to(const struct iovec *iov, size_t n, size_t skip, const void *from,
			size_t len)
{
	for (size_t i = 0; i < n && len; i++) {
		size_t part = iov[i].iov_len;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part = part - skip < len ? part - skip : len;
		memcpy((uint8_t *)iov[i].iov_base + skip, from, part);
		from = (const uint8_t *)from + part;
		len -= part;
		skip = 0;
	}
}

static size_t iov_total(const struct iovec *iov, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		if (__builtin_add_overflow(total, iov[i].iov_len, &total))
			return SIZE_MAX;
	return total;
}

const void *fsd_take(struct fsd_request *r, size_t size)
{
	const void *at = r->body + r->pos;

	if (r->len - r->pos < size)
		return NULL;
	r->pos += size;
	return at;
}

const char *fsd_take_string(struct fsd_request *r)
{
	const char *s = (const char *)r->body + r->pos;
	size_t len = strnlen(s, r->len - r->pos);

	if (len == r->len - r->pos)
		return NULL;
	r->pos += len + 1;
	return s;
}

int fsd_take_name(struct fsd_request *r, const char **ret)
{
	const char *name = fsd_take_string(r);

	if (!name || !*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	*ret = name;
	return 0;
}

int fsd_reply(struct fsd *f, const void *data, size_t size)
{
	memcpy(f->reply, data, size);
	return (int)size;
}

static int op_init(struct fsd *f, struct fsd_request *r)
{
	/* Guests older than 7.36 send only the first four fields. */
	const size_t short_in = offsetof(struct fuse_init_in, flags2);
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
				    .minor = FUSE_KERNEL_MINOR_VERSION};
	struct fuse_init_in in = {0};
	uint64_t offered, wanted = wanted_features;

	if (r->len < short_in)
		return -EINVAL;
	memcpy(&in, r->body, r->len < sizeof(in) ? r->len : sizeof(in));
	/* "expect a new INIT message with a matching major version" */
	if (in.major > FUSE_KERNEL_VERSION)
		return fsd_reply(f, &out, sizeof(out));
	if (in.major < FUSE_KERNEL_VERSION || in.minor < MIN_MINOR)
		return -EPROTO;

	fsd_reset(f);
	offered = in.flags;
	if (in.flags & FUSE_INIT_EXT)
		offered |= (uint64_t)in.flags2 << 32;
	if (f->cache == FSD_CACHE_ALWAYS)
		wanted |= FUSE_CACHE_SYMLINKS;
	f->features = offered & wanted;
	f->ready = true;

	out.max_readahead = in.max_readahead;
	out.flags = (uint32_t)f->features;
	out.flags2 = (uint32_t)(f->features >> 32);
	out.max_background = 64;
	out.congestion_threshold = 48;
	out.max_write = FSD_MAX_DATA;
	out.time_gran = 1;
	out.max_pages = FSD_MAX_DATA / 4096;
	return fsd_reply(f, &out, sizeof(out));
}

static int op_destroy(struct fsd *f, struct fsd_request *r)
{
	(void)r;
	fsd_reset(f);
	return 0;
}

static int op_forget(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_forget_in *in = fsd_take(r, sizeof(*in));

	if (!in)
		return -EINVAL;
	fsd_node_forget(f, r->h.nodeid, in->nlookup);
	return 0;
}

static int op_batch_forget(struct fsd *f, struct fsd_request *r)
{
	const struct fuse_batch_forget_in *in = fsd_take(r, sizeof(*in));
	const struct fuse_forget_one *one;

	if (!in)
		return -EINVAL;
	for (uint32_t i = 0; i < in->count && (one = fsd_take(r, sizeof(*one))); i++)
		fsd_node_forget(f, one->nodeid, one->nlookup);
	return 0;
}

#define ANY_NODE    1u /* the node id means nothing */
#define NO_REPLY    2u
#define BEFORE_INIT 4u
#define WRITES      8u /* refused in a read-only share */

static const struct fsd_op_entry {
	fsd_op *op;
	uint32_t flags;
} ops[] = {
	[FUSE_LOOKUP] = {fsd_lookup, 0},
	[FUSE_FORGET] = {op_forget, ANY_NODE | NO_REPLY},
	[FUSE_GETATTR] = {fsd_getattr, 0},
	[FUSE_SETATTR] = {fsd_setattr, WRITES},
	[FUSE_READLINK] = {fsd_readlink, 0},
	[FUSE_SYMLINK] = {fsd_symlink, WRITES},
	[FUSE_MKNOD] = {fsd_mknod, WRITES},
	[FUSE_MKDIR] = {fsd_mkdir, WRITES},
	[FUSE_UNLINK] = {fsd_unlink, WRITES},
	[FUSE_RMDIR] = {fsd_rmdir, WRITES},
	[FUSE_RENAME] = {fsd_rename, WRITES},
	[FUSE_LINK] = {fsd_link, WRITES},
	[FUSE_OPEN] = {fsd_open, 0},
	[FUSE_READ] = {fsd_read, 0},
	[FUSE_WRITE] = {fsd_write, WRITES},
	[FUSE_STATFS] = {fsd_statfs, 0},
	[FUSE_RELEASE] = {fsd_release, ANY_NODE},
	[FUSE_FSYNC] = {fsd_fsync, 0},
	[FUSE_SETXATTR] = {fsd_setxattr, WRITES},
	[FUSE_GETXATTR] = {fsd_getxattr, 0},
	[FUSE_LISTXATTR] = {fsd_listxattr, 0},
	[FUSE_REMOVEXATTR] = {fsd_removexattr, WRITES},
	[FUSE_FLUSH] = {fsd_flush, 0},
	[FUSE_INIT] = {op_init, ANY_NODE | BEFORE_INIT},
	[FUSE_OPENDIR] = {fsd_opendir, 0},
	[FUSE_READDIR] = {fsd_readdir, 0},
	[FUSE_RELEASEDIR] = {fsd_release, ANY_NODE},
	[FUSE_FSYNCDIR] = {fsd_fsync, 0},
	[FUSE_ACCESS] = {fsd_access, 0},
	[FUSE_CREATE] = {fsd_create, WRITES},
	[FUSE_DESTROY] = {op_destroy, ANY_NODE},
	[FUSE_BATCH_FORGET] = {op_batch_forget, ANY_NODE | NO_REPLY},
	[FUSE_FALLOCATE] = {fsd_fallocate, WRITES},
	[FUSE_READDIRPLUS] = {fsd_readdirplus, 0},
	[FUSE_RENAME2] = {fsd_rename2, WRITES},
	[FUSE_LSEEK] = {fsd_lseek, 0},
	[FUSE_COPY_FILE_RANGE] = {fsd_copy_file_range, WRITES},
	[FUSE_SYNCFS] = {fsd_syncfs, 0},
	[FUSE_TMPFILE] = {fsd_tmpfile, WRITES},
	/*
	 * The rest is ENOSYS, after which a guest does it alone or does without: locks, ioctls, bmap,
	 * poll, mappings, and INTERRUPT, as each request is finished before the next is seen.
	 */
};

/* Copies the request into r. 0 or -errno. */
static int take_request(struct fsd *f, struct fsd_request *r)
{
	size_t total = iov_total(r->out, r->n_out), len = r->h.len;

	if (len < sizeof(r->h) || len > total || r->n_out > FSD_MAX_IOV || r->n_in > FSD_MAX_IOV)
		return -EINVAL;
	if (r->h.opcode == FUSE_WRITE && len > sizeof(r->h) + sizeof(struct fuse_write_in))
		len = sizeof(r->h) + sizeof(struct fuse_write_in);
	if (len > FSD_MAX_FLAT)
		return -E2BIG;
	(void)iov_copy_from(r->out, r->n_out, f->request, len);
	r->body = f->request + sizeof(r->h);
	r->len = len - sizeof(r->h);
	return 0;
}

static int serve(struct fsd *f, struct fsd_request *r, const struct fsd_op_entry *op)
{
	int rc = take_request(f, r);

	if (rc < 0)
		return rc;
	if (!op || !op->op)
		return -ENOSYS;
	if (!f->ready && !(op->flags & BEFORE_INIT))
		return -EIO;
	if (f->readonly && op->flags & WRITES)
		return -EROFS;
	if (!(op->flags & ANY_NODE)) {
		r->node = fsd_id_get(&f->node_ids, r->h.nodeid);
		if (!r->node)
			return -ESTALE;
	}
	rc = op->op(f, r);
	if (rc > 0 && (size_t)rc > r->in_len)
		return -EIO; /* the guest left too little room for this answer */
	return rc;
}

size_t fsd_handle(struct fsd *f, const struct iovec *out, size_t n_out, const struct iovec *in,
		  size_t n_in)
{
	struct fsd_request r = {.out = out, .n_out = n_out, .in = in, .n_in = n_in};
	struct fuse_out_header head = {.len = sizeof(head)};
	const struct fsd_op_entry *op = NULL;
	size_t room = iov_total(in, n_in);
	int rc;

	f->stats.requests++;
	if (iov_copy_from(out, n_out, &r.h, sizeof(r.h)) < sizeof(r.h))
		return 0;
	if (r.h.opcode < ARRAY_SIZE(ops))
		op = &ops[r.h.opcode];
	r.in_len = room > sizeof(head) ? room - sizeof(head) : 0;
	if (room < sizeof(head) && !(op && op->flags & NO_REPLY))
		return 0; /* whatever it does, nobody could be told how it went */

	rc = serve(f, &r, op);
	if (rc < 0)
		f->stats.errors++;
	if (op && op->flags & NO_REPLY)
		return 0;
	head.unique = r.h.unique;
	if (rc < 0)
		head.error = rc;
	else
		head.len += (uint32_t)rc;
	iov_copy_to(in, n_in, 0, &head, sizeof(head));
	if (rc > 0 && !r.direct)
		iov_copy_to(in, n_in, sizeof(head), f->reply, (size_t)rc);
	return head.len;
}

/* As many descriptors as the process may have, but for a few. */
static uint32_t fd_budget(uint32_t wanted)
{
	struct rlimit limit;
	uint32_t most = MAX_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_cur < most)
			most = (uint32_t)limit.rlim_cur;
	}
	most = most > 2 * RESERVED_FDS ? most - RESERVED_FDS : most / 2;
	return wanted && wanted < most ? wanted : most;
}

int fsd_new(const struct fsd_config *config, struct fsd **ret, struct err *err)
{
	struct fsd *f = mem_xalloc(sizeof(*f));
	int rc;

	f->proc_fd = config->proc_fd;
	f->readonly = config->readonly;
	f->cache = config->cache;
	f->max_fds = fd_budget(config->max_fds);
	f->request = mem_xalloc(FSD_MAX_FLAT);
	f->reply = mem_xalloc(FSD_MAX_REPLY);
	if (fchdir(config->proc_fd) < 0) {
		rc = err_sys(err, "change to /proc/self/fd");
	} else {
		(void)umask(0);
		rc = fsd_creds_init(f, err);
	}
	if (!rc)
		rc = fsd_nodes_init(f, config->dir_fd, err);
	if (rc < 0) {
		fsd_free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

void fsd_reset(struct fsd *f)
{
	fsd_handles_reset(f);
	fsd_nodes_reset(f);
	f->features = 0;
	f->ready = false;
}

void fsd_free(struct fsd *f)
{
	if (!f)
		return;
	fsd_handles_reset(f);
	fsd_trees_release(f);
	fsd_nodes_release(f);
	free(f->handle_ids.slots);
	free(f->request);
	free(f->reply);
	free(f);
}

void fsd_stats(const struct fsd *f, struct fsd_stats *ret)
{
	*ret = f->stats;
	ret->nodes = f->n_nodes;
	ret->handles = f->n_handles;
	ret->fds = f->fds;
}
