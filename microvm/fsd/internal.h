/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the FUSE server: a request under way, the tables of nodes and open files, and the functions
 * of the operations, which live in attr.c, xattr.c, names.c, file.c and dir.c.
 */
#ifndef HULL_MICROVM_FSD_INTERNAL_H
#define HULL_MICROVM_FSD_INTERNAL_H

#include <linux/capability.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "microvm/fsd/fsd.h"

#define FSD_MAX_DATA  (1u << 20)   /* bytes of a READ or WRITE */
#define FSD_MAX_IOV   1024         /* buffers of a request or answer: IOV_MAX */
#define FSD_MAX_FLAT  (128u << 10) /* any other request: names, extended attributes */
#define FSD_MAX_REPLY (64u << 10)  /* any other answer: extended attributes, directories */
#define FSD_STATX     (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
#define FSD_PROC_NAME 12 /* "2147483647" */

/* Numbers that the guest names things by: a slot and its generation; never 0. */
struct fsd_ids {
	struct fsd_id_slot {
		void *object; /* NULL: free */
		uint32_t generation, next_free;
	} * slots;
	uint32_t n, size, free;
};

uint64_t fsd_id_add(struct fsd_ids *t, void *object); /* 0: no memory. The first one is 1. */
void *fsd_id_get(const struct fsd_ids *t, uint64_t id);
void fsd_id_remove(struct fsd_ids *t, uint64_t id);
/* For restoring: slots below n exist, the empty ones are given by fsd_id_place alone. -1: no memory. */
int fsd_ids_reserve(struct fsd_ids *t, uint32_t n);
int fsd_id_place(struct fsd_ids *t, uint64_t id, void *object); /* -1: not a free number */
void fsd_ids_free_rest(struct fsd_ids *t); /* fsd_id_add may give all that are empty */

/*
 * A file of the shared directory that the guest knows. Its descriptor may be closed for want of
 * room; it is then opened again by name from the nearest ancestor that has one, and must turn out to
 * be the same file. A node that the guest forgot stays, without id, while its children need its name.
 */
struct fsd_node {
	uint64_t id; /* 0: forgotten */
	uint64_t lookups;
	int fd; /* O_PATH, or -1 */
	mode_t type;
	uint64_t dev, ino, mount;
	int64_t born_sec; /* 0 where the file system does not tell */
	uint32_t born_nsec;
	uint32_t children; /* nodes whose parent this is */
	struct fsd_node *parent;
	char *name; /* in parent, when last seen */
	struct fsd_node *hash_next, *older, *newer;
	/* The state of the content when the guest's cache of it was last known to be right. */
	int64_t seen_sec;
	uint32_t seen_nsec;
	uint32_t place; /* among those that are saved (saved.c) */
	uint32_t tree;  /* the one that it is in; 0: the shared directory */
	bool is_top;    /* its tree's first node, which keeps its descriptor */
};

/* A further tree, an entry of the shared directory that is not in the directory itself (trees.c). */
struct fsd_tree {
	struct fsd_tree *next;
	uint32_t number;
	struct fsd_node *top;
	char name[FSD_TREE_NAME_MAX + 1];
};

struct fsd_handle {
	uint64_t id, node; /* its number, and its node's */
	uint32_t tree;     /* its node's */
	int fd;            /* -1: restored, but gone; or its tree is */
	int flags;         /* as given to open(2) */
	mode_t type;
	/* Directories: entries that were read and not yet given, the first one's offset is next. */
	uint8_t *entries;
	size_t pos, end;
	uint64_t next;
};

struct fsd {
	int proc_fd;
	bool readonly, ready;
	enum fsd_cache cache;
	uint64_t features; /* as agreed by INIT */
	struct fsd_ids node_ids, handle_ids;
	struct fsd_node *root;
	struct fsd_tree *trees;
	uint32_t n_trees, last_tree;
	struct fsd_node **hash;
	uint32_t hash_size, n_nodes, n_handles;
	struct fsd_node *oldest, *newest; /* nodes with a descriptor, but for root and tops */
	struct fsd_node *pinned;          /* keeps its descriptor for now */
	uint32_t fds, max_fds, closed;    /* closed: known nodes without descriptor */
	uint64_t devs[128];               /* device numbers seen; the root's first */
	uint32_t n_devs;
	struct __user_cap_data_struct caps[2]; /* at rest */
	uid_t uid;
	gid_t gid;
	bool other; /* acts as a request's user now */
	struct fsd_stats stats;
	uint8_t *request; /* FSD_MAX_FLAT, flat */
	uint8_t *reply;   /* FSD_MAX_REPLY */
	struct iovec iov[FSD_MAX_IOV];
};

struct fsd_request {
	struct fuse_in_header h;
	struct fsd_node *node; /* h.nodeid's, checked */
	const uint8_t *body;   /* flat copy; of a WRITE: without the data */
	size_t len, pos;
	const struct iovec *out, *in;
	size_t n_out, n_in;
	size_t in_len; /* room for the answer behind its header */
	bool direct;   /* the answer is already in its buffers */
};

/* Serves a request: the length of the answer, written to f->reply (or direct), or -errno. */
typedef int fsd_op(struct fsd *f, struct fsd_request *r);

fsd_op fsd_lookup, fsd_getattr, fsd_setattr, fsd_readlink, fsd_symlink, fsd_mknod, fsd_mkdir,
	fsd_unlink, fsd_rmdir, fsd_rename, fsd_rename2, fsd_link, fsd_open, fsd_read, fsd_write,
	fsd_statfs, fsd_release, fsd_fsync, fsd_setxattr, fsd_getxattr, fsd_listxattr,
	fsd_removexattr, fsd_flush, fsd_opendir, fsd_readdir, fsd_readdirplus, fsd_access,
	fsd_create, fsd_fallocate, fsd_lseek, fsd_copy_file_range, fsd_syncfs, fsd_tmpfile;

/* The next size bytes of the request, aligned to 8 when those before were; NULL: it ends before. */
const void *fsd_take(struct fsd_request *r, size_t size);
/* The next string; NULL: it has no end. */
const char *fsd_take_string(struct fsd_request *r);
/* The next string as the name of a directory's entry. 0 or -errno. */
int fsd_take_name(struct fsd_request *r, const char **ret);
/* Puts a fixed struct into f->reply: returns its size. */
int fsd_reply(struct fsd *f, const void *data, size_t size);

/* --- nodes --- */

int fsd_nodes_init(struct fsd *f, int dir_fd, struct err *err) MUST_CHECK;
void fsd_nodes_reset(struct fsd *f); /* all but the root */
void fsd_nodes_release(struct fsd *f);

/* The node's descriptor, opened again if it must be; borrowed until the next call. Or -errno. */
int fsd_node_fd(struct fsd *f, struct fsd_node *node);
/* The descriptors of two nodes, both borrowed until the next call. 0 or -errno. */
int fsd_two_fds(struct fsd *f, struct fsd_node *a, struct fsd_node *b, int *ret_a, int *ret_b);
/* Opens name in the directory dir as O_PATH. The descriptor (the caller's) or -errno. */
int fsd_open_name(struct fsd *f, struct fsd_node *dir, const char *name);
/*
 * The node of the file behind fd (consumed, O_PATH), new or known, as found in dir under name (NULL:
 * it has none); counted as looked up once more. *st is filled. 0 or -errno.
 */
int fsd_node_add(struct fsd *f, struct fsd_node *dir, const char *name, int fd,
		 struct fsd_node **ret, struct statx *st);
/* Looks name up in dir: both of the above. */
int fsd_node_lookup(struct fsd *f, struct fsd_node *dir, const char *name, struct fsd_node **ret,
		    struct statx *st);
void fsd_node_forget(struct fsd *f, uint64_t id, uint64_t n);
/* Keeps the file called name in dir within reach, as the name is about to go. */
void fsd_node_keep(struct fsd *f, struct fsd_node *dir, const char *name);
/* Notes that a file is now called name in dir. */
void fsd_node_moved(struct fsd *f, struct fsd_node *dir, const char *name);

/* For saving: does its name, and do those of its ancestors, lead to it now? */
bool fsd_node_has_name(const struct fsd_node *node);
/*
 * For restoring: makes the node of number id (0: none, then it is there for its children only) of the
 * file called name in dir. One that is not there, or of another type, is stale: *ret is without name
 * then, or NULL without number. dir may be NULL or stale, name empty. 0 or -errno.
 */
int fsd_node_restore(struct fsd *f, struct fsd_node *dir, const char *name, mode_t type,
		     uint64_t id, struct fsd_node **ret);
void fsd_node_unused(struct fsd *f, struct fsd_node *node); /* frees it if it is; NULL: nothing */

/* The node of a tree's top, which the guest knows from now on: fd (consumed) is open for good. */
int fsd_node_add_top(struct fsd *f, int fd, uint32_t tree, struct fsd_node **ret);
/* Of a tree that is no more: nothing of it can be reached, and its numbers are stale. */
void fsd_nodes_drop_tree(struct fsd *f, uint32_t tree);

/* The tree of that name in the directory dir, or NULL. */
const struct fsd_tree *fsd_tree_find(const struct fsd *f, const struct fsd_node *dir,
				     const char *name);
void fsd_trees_release(struct fsd *f);

/* Makes sure that one more descriptor may be opened. 0 or -ENFILE. */
int fsd_room(struct fsd *f);

/* --- open files --- */

/* Takes fd, opened with flags; counts it. 0 or -errno, then fd is closed. */
int fsd_handle_add(struct fsd *f, const struct fsd_node *node, int fd, mode_t type, int flags,
		   struct fsd_handle **ret);
/* The same, with a number, and fd may be -1. -EINVAL: the number is not free. */
int fsd_handle_restore(struct fsd *f, uint64_t id, mode_t type, int fd, int flags, uint64_t node);
/* The open file of that number and type, or NULL. */
struct fsd_handle *fsd_handle_get(const struct fsd *f, uint64_t id, mode_t type);
void fsd_handle_close(struct fsd *f, struct fsd_handle *h);
void fsd_handles_reset(struct fsd *f);
void fsd_handles_drop_tree(struct fsd *f, uint32_t tree); /* EBADF from now on */

/* Opens the node's file itself, a regular one or a directory, with flags. Returns fd or -errno. */
int fsd_reopen(struct fsd *f, struct fsd_node *node, int flags);
/* The name of fd in f->proc_fd. */
const char *fsd_proc_name(char buf[static FSD_PROC_NAME], int fd);

/* --- answers --- */

uint64_t fsd_ino(struct fsd *f, uint64_t dev, uint64_t ino);
void fsd_attr(struct fsd *f, const struct statx *st, struct fuse_attr *ret);
void fsd_entry(struct fsd *f, const struct fsd_node *node, const struct statx *st,
	       struct fuse_entry_out *ret);
uint64_t fsd_dev(const struct statx *st);
/* The flags of a file just opened, given what fstat says of it now. */
uint32_t fsd_open_flags(struct fsd *f, struct fsd_node *node, int fd, uint32_t guest_flags);

/* --- the caller's identity --- */

int fsd_creds_init(struct fsd *f, struct err *err) MUST_CHECK;
/* Makes files from now on as the request's user and group, until fsd_return. 0 or -errno. */
int fsd_become(struct fsd *f, const struct fsd_request *r);
void fsd_return(struct fsd *f);
/* Without CAP_FSETID writes clear set-user-id and set-group-id bits, as they do for users. */
void fsd_fsetid(struct fsd *f, bool on);

#endif
