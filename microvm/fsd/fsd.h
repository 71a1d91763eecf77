/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared directory, served to a guest by the FUSE protocol (linux/fuse.h, 7.31 and newer) without
 * any transport: a request is a list of buffers and so is its answer.
 *
 * The guest is hostile. It names files by node ids, which stand for O_PATH descriptors, and by single
 * names below them, opened so that no symlink is followed and ".." is refused: there is no way to say
 * anything outside the directory. Only regular files and directories are ever opened; device nodes
 * cannot be made. Permissions are checked by the guest's own kernel (default_permissions) and files
 * are made with the owner that it gives, as the processes of a container do. Locks are the guest's.
 *
 * Further trees of files may come and go while it serves: each is an entry of the shared directory that
 * leads into its own, and only the host can add or remove one. Files are not moved from one to another.
 *
 * One a process and single-threaded: the process's working directory becomes /proc/self/fd (extended
 * attributes of O_PATH descriptors are reached by path only), its file mode mask 0.
 */
#ifndef HULL_MICROVM_FSD_FSD_H
#define HULL_MICROVM_FSD_FSD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/err.h"
#include "microvm/state.h"

struct fsd;

/* What the guest may keep, and so how soon it sees what others change in the directory. */
enum fsd_cache {
	FSD_CACHE_AUTO,   /* names and attributes for a second, data until the next open */
	FSD_CACHE_NEVER,  /* nothing; mmap of files for writing fails */
	FSD_CACHE_ALWAYS, /* everything: for a directory that nobody else changes */
};

struct fsd_config {
	int dir_fd;  /* the shared directory; the caller's */
	int proc_fd; /* /proc/self/fd of the serving process, O_PATH; the caller's */
	bool readonly;
	enum fsd_cache cache;
	/* Descriptors that may be open at once for files; 0: what RLIMIT_NOFILE leaves. */
	uint32_t max_fds;
};

int fsd_new(const struct fsd_config *config, struct fsd **ret, struct err *err) MUST_CHECK;
void fsd_free(struct fsd *f);

/*
 * Serves one request, in n_out buffers, and writes the answer to the n_in buffers. The bytes of the
 * answer; 0 when the request has none (FORGET) or does not even hold a header. The buffers may
 * change under its hands: what is checked is copied before.
 */
size_t fsd_handle(struct fsd *f, const struct iovec *out, size_t n_out, const struct iovec *in,
		  size_t n_in);

#define FSD_TREE_NAME_MAX 63
#define FSD_TREES_MAX     4096

/*
 * The tree whose top, a directory, a file or a symlink, is open as fd (O_PATH, owned from now on, also on
 * failure) is there as name. -EINVAL: no name, or no such file; -EEXIST; -ENOSPC, -ENFILE, -ENOMEM.
 */
int fsd_tree_add(struct fsd *f, const char *name, int fd) MUST_CHECK;
/* Nothing of it is open any more, and the guest's numbers for it are stale. -ENOENT. */
int fsd_tree_remove(struct fsd *f, const char *name) MUST_CHECK;

/* Forgets all nodes and open files, as when the guest has gone. The next request must be INIT. */
void fsd_reset(struct fsd *f);

/*
 * All that the guest knows of the directory, and making that known again to a new server of the same
 * directory, or of a copy: see saved.c. -EINVAL: it makes no sense; then nothing is known. -EBUSY: there
 * are further trees.
 */
int fsd_save(struct fsd *f, struct buf *ret) MUST_CHECK;
int fsd_restore(struct fsd *f, struct state_in *in) MUST_CHECK;

struct fsd_stats {
	uint64_t requests, errors, forgotten;
	uint32_t nodes, handles, fds; /* now; fds: open descriptors of both */
	uint64_t evicted; /* descriptors closed for want of room, opened again by name */
};

void fsd_stats(const struct fsd *f, struct fsd_stats *ret);

#endif
