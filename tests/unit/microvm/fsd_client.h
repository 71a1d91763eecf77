/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of the FUSE server without a guest: builds requests, cuts them into buffers of any size,
 * takes answers apart. The server serves the directory "root" in the test's own (tmp.h); "outside"
 * beside it must never be reached. Include after <cmocka.h> and tests/unit/base/tmp.h.
 */
#ifndef HULL_TESTS_UNIT_MICROVM_FSD_CLIENT_H
#define HULL_TESTS_UNIT_MICROVM_FSD_CLIENT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/fsd.h"

#define CLIENT_ROOM (1u << 20)
#define CLIENT_IOV  1024

static struct fsd *fs;
static int root_fd = -1; /* the shared directory, from the host's side */
static int proc_fd = -1;
static uint32_t client_uid, client_gid;
static size_t client_cut; /* bytes a buffer; 0: one buffer for all */
static uint8_t client_out[CLIENT_ROOM + 4096], client_in[CLIENT_ROOM + 4096];
static size_t client_out_len, client_in_room;
static uint64_t client_unique;

/* The answer to the last call, behind its header. */
static const uint8_t *const answer = client_in + sizeof(struct fuse_out_header);
static size_t answer_len;

static inline size_t client_cut_up(uint8_t *data, size_t len, struct iovec *iov)
{
	size_t step = client_cut ? client_cut : len, n = 0;

	for (size_t at = 0; at < len; at += iov[n++].iov_len) {
		size_t part = len - at < step || n == CLIENT_IOV - 1 ? len - at : step;

		iov[n] = (struct iovec){data + at, part};
	}
	return n;
}

static inline void client_add(const void *data, size_t len)
{
	assert_true(client_out_len + len <= sizeof(client_out));
	if (len)
		memcpy(client_out + client_out_len, data, len);
	client_out_len += len;
}

static inline void client_add_string(const char *s)
{
	client_add(s, strlen(s) + 1);
}

static inline void client_begin(uint32_t opcode, uint64_t node)
{
	struct fuse_in_header h = {
		.opcode = opcode,
		.unique = ++client_unique,
		.nodeid = node,
		.uid = client_uid,
		.gid = client_gid,
		.pid = 1,
	};

	client_out_len = 0;
	client_add(&h, sizeof(h));
}

/* Sends what was built as it is. Returns the bytes that came back. */
static inline size_t client_send_raw(void)
{
	static struct iovec out[CLIENT_IOV], in[CLIENT_IOV];
	size_t n_out = client_cut_up(client_out, client_out_len, out);
	size_t room = client_in_room ? client_in_room : sizeof(client_in);
	size_t n_in = client_cut_up(client_in, room, in);

	memset(client_in, 0xa5, sizeof(client_in));
	return fsd_handle(fs, out, n_out, in, n_in);
}

/* Sends what was built, checks the form of the answer. 0 or -errno, as the server says. */
static inline int client_send(void)
{
	struct fuse_out_header head;
	uint32_t len = (uint32_t)client_out_len;
	size_t got;

	memcpy(client_out, &len, sizeof(len));
	got = client_send_raw();
	assert_true(got >= sizeof(head));
	memcpy(&head, client_in, sizeof(head));
	assert_int_equal(head.len, got);
	assert_int_equal(head.unique, client_unique);
	assert_true(head.error <= 0 && head.error > -4096);
	answer_len = got - sizeof(head);
	if (head.error)
		assert_int_equal(answer_len, 0);
	return head.error;
}

/* A request of one struct and up to two strings. */
static inline int call(uint32_t opcode, uint64_t node, const void *arg, size_t len, const char *a,
		       const char *b)
{
	client_begin(opcode, node);
	client_add(arg, len);
	if (a)
		client_add_string(a);
	if (b)
		client_add_string(b);
	return client_send();
}

#define answer_as(type, ret)                                                                       \
	do {                                                                                       \
		memset(ret, 0, sizeof(type));                                                      \
		assert_int_equal(answer_len, sizeof(type));                                        \
		memcpy(ret, answer, sizeof(type));                                                 \
	} while (0)

/* The same, when the call went well; else zeros. */
#define answer_if(rc, type, ret)                                                                   \
	do {                                                                                       \
		memset(ret, 0, sizeof(type));                                                      \
		if (!(rc))                                                                         \
			answer_as(type, ret);                                                      \
	} while (0)

/* --- the usual requests --- */

static inline int do_init(uint64_t features)
{
	struct fuse_init_in in = {.major = 7,
				  .minor = 38,
				  .max_readahead = 1 << 17,
				  .flags = (uint32_t)features | FUSE_INIT_EXT,
				  .flags2 = (uint32_t)(features >> 32)};

	return call(FUSE_INIT, 0, &in, sizeof(in), NULL, NULL);
}

static inline int do_entry(int rc, struct fuse_entry_out *ret)
{
	answer_if(rc, struct fuse_entry_out, ret);
	return rc;
}

static inline int do_lookup(uint64_t dir, const char *name, struct fuse_entry_out *ret)
{
	return do_entry(call(FUSE_LOOKUP, dir, NULL, 0, name, NULL), ret);
}

/* The node called name; the test fails without it. */
static inline uint64_t node_of(uint64_t dir, const char *name)
{
	struct fuse_entry_out e;

	assert_int_equal(do_lookup(dir, name, &e), 0);
	assert_true(e.nodeid);
	return e.nodeid;
}

static inline int do_mkdir(uint64_t dir, const char *name, uint32_t mode,
			   struct fuse_entry_out *ret)
{
	struct fuse_mkdir_in in = {.mode = mode};

	return do_entry(call(FUSE_MKDIR, dir, &in, sizeof(in), name, NULL), ret);
}

static inline int do_mknod(uint64_t dir, const char *name, uint32_t mode,
			   struct fuse_entry_out *ret)
{
	struct fuse_mknod_in in = {.mode = mode, .rdev = 0x103};

	return do_entry(call(FUSE_MKNOD, dir, &in, sizeof(in), name, NULL), ret);
}

static inline int do_symlink(uint64_t dir, const char *name, const char *target,
			     struct fuse_entry_out *ret)
{
	return do_entry(call(FUSE_SYMLINK, dir, NULL, 0, name, target), ret);
}

static inline int do_getattr(uint64_t node, struct fuse_attr *ret)
{
	struct fuse_getattr_in in = {0};
	struct fuse_attr_out out;
	int rc = call(FUSE_GETATTR, node, &in, sizeof(in), NULL, NULL);

	answer_if(rc, struct fuse_attr_out, &out);
	*ret = out.attr;
	return rc;
}

static inline int do_setattr(uint64_t node, const struct fuse_setattr_in *in, struct fuse_attr *ret)
{
	struct fuse_attr_out out;
	int rc = call(FUSE_SETATTR, node, in, sizeof(*in), NULL, NULL);

	answer_if(rc, struct fuse_attr_out, &out);
	*ret = out.attr;
	return rc;
}

static inline int do_open_as(uint32_t opcode, uint64_t node, uint32_t flags, uint64_t *ret_fh)
{
	struct fuse_open_in in = {.flags = flags};
	struct fuse_open_out out;
	int rc = call(opcode, node, &in, sizeof(in), NULL, NULL);

	answer_if(rc, struct fuse_open_out, &out);
	*ret_fh = out.fh;
	return rc;
}

static inline int do_open(uint64_t node, uint32_t flags, uint64_t *ret_fh)
{
	return do_open_as(FUSE_OPEN, node, flags, ret_fh);
}

struct created {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

static inline int do_create(uint64_t dir, const char *name, uint32_t flags, uint32_t mode,
			    struct created *ret)
{
	struct fuse_create_in in = {.flags = flags, .mode = mode};
	int rc = call(FUSE_CREATE, dir, &in, sizeof(in), name, NULL);

	answer_if(rc, struct created, ret);
	return rc;
}

/* The bytes written or -errno. */
static inline int do_write(uint64_t node, uint64_t fh, uint64_t offset, const void *data,
			   size_t len)
{
	struct fuse_write_in in = {.fh = fh, .offset = offset, .size = (uint32_t)len};
	struct fuse_write_out out;
	int rc;

	client_begin(FUSE_WRITE, node);
	client_add(&in, sizeof(in));
	client_add(data, len);
	rc = client_send();
	if (rc)
		return rc;
	answer_as(struct fuse_write_out, &out);
	return (int)out.size;
}

/* The bytes read (in answer) or -errno. */
static inline int do_read_as(uint32_t opcode, uint64_t node, uint64_t fh, uint64_t offset,
			     size_t len)
{
	struct fuse_read_in in = {.fh = fh, .offset = offset, .size = (uint32_t)len};
	int rc;

	client_in_room = sizeof(struct fuse_out_header) + len;
	rc = call(opcode, node, &in, sizeof(in), NULL, NULL);
	client_in_room = 0;
	return rc ? rc : (int)answer_len;
}

static inline int do_read(uint64_t node, uint64_t fh, uint64_t offset, size_t len)
{
	return do_read_as(FUSE_READ, node, fh, offset, len);
}

static inline int do_release(uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	return call(FUSE_RELEASE, node, &in, sizeof(in), NULL, NULL);
}

static inline int do_releasedir(uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	return call(FUSE_RELEASEDIR, node, &in, sizeof(in), NULL, NULL);
}

static inline void do_forget(uint64_t node, uint64_t n)
{
	struct fuse_forget_in in = {.nlookup = n};
	uint32_t len;

	client_begin(FUSE_FORGET, node);
	client_add(&in, sizeof(in));
	len = (uint32_t)client_out_len;
	memcpy(client_out, &len, sizeof(len));
	assert_int_equal(client_send_raw(), 0);
}

static inline int do_rename(uint64_t dir, const char *name, uint64_t new_dir, const char *new_name)
{
	struct fuse_rename_in in = {.newdir = new_dir};

	return call(FUSE_RENAME, dir, &in, sizeof(in), name, new_name);
}

static inline int do_rename2(uint64_t dir, const char *name, uint64_t new_dir, const char *new_name,
			     uint32_t flags)
{
	struct fuse_rename2_in in = {.newdir = new_dir, .flags = flags};

	return call(FUSE_RENAME2, dir, &in, sizeof(in), name, new_name);
}

static inline int do_unlink(uint64_t dir, const char *name)
{
	return call(FUSE_UNLINK, dir, NULL, 0, name, NULL);
}

static inline int do_rmdir(uint64_t dir, const char *name)
{
	return call(FUSE_RMDIR, dir, NULL, 0, name, NULL);
}

static inline int do_link(uint64_t node, uint64_t dir, const char *name, struct fuse_entry_out *ret)
{
	struct fuse_link_in in = {.oldnodeid = node};

	return do_entry(call(FUSE_LINK, dir, &in, sizeof(in), name, NULL), ret);
}

/* The whole content of a file as the guest sees it must be data. */
static inline void assert_guest_content(uint64_t node, const char *data)
{
	uint64_t fh;

	assert_int_equal(do_open(node, O_RDONLY, &fh), 0);
	assert_int_equal(do_read(node, fh, 0, 4096), strlen(data));
	assert_memory_equal(answer, data, strlen(data));
	assert_int_equal(do_release(node, fh), 0);
}

/* --- what the host sees --- */

static inline void host_content(const char *name, const char *data, size_t len)
{
	FREE char *got = mem_xalloc(len + 1);
	int fd = openat(root_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, len + 1), len);
	assert_memory_equal(got, data, len);
	(void)close(fd);
}

static inline struct stat host_stat(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(root_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

/* Skips a test of other owners, of file capabilities. */
static inline void needs_root(void)
{
	if (geteuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
}

static inline void check_attr(const struct fuse_attr *a, const char *name)
{
	struct stat st = host_stat(name);

	assert_int_equal(a->ino, st.st_ino);
	assert_int_equal(a->size, st.st_size);
	assert_int_equal(a->blocks, st.st_blocks);
	assert_int_equal(a->mode, st.st_mode);
	assert_int_equal(a->nlink, st.st_nlink);
	assert_int_equal(a->uid, st.st_uid);
	assert_int_equal(a->gid, st.st_gid);
	assert_int_equal(a->mtime, st.st_mtim.tv_sec);
	assert_int_equal(a->mtimensec, st.st_mtim.tv_nsec);
	assert_int_equal(a->ctime, st.st_ctim.tv_sec);
	assert_int_equal(a->ctimensec, st.st_ctim.tv_nsec);
	assert_int_equal(a->atime, st.st_atim.tv_sec);
}

static inline int set_xattr(uint64_t node, const char *name, const char *value, uint32_t flags)
{
	struct {
		uint32_t size, flags;
	} in = {(uint32_t)strlen(value), flags};

	client_begin(FUSE_SETXATTR, node);
	client_add(&in, sizeof(in));
	client_add_string(name);
	client_add(value, strlen(value));
	return client_send();
}

static inline int get_xattr(uint64_t node, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	return call(FUSE_GETXATTR, node, &in, sizeof(in), name, NULL);
}

/* --- set-up --- */

struct client_config {
	bool readonly;
	enum fsd_cache cache;
	uint32_t max_fds;
};

static inline void client_start(const struct client_config *config)
{
	struct fsd_config c = {.dir_fd = root_fd,
			       .proc_fd = proc_fd,
			       .readonly = config->readonly,
			       .cache = config->cache,
			       .max_fds = config->max_fds};
	struct err err = ERR_INIT;

	fsd_free(fs);
	fs = NULL;
	assert_int_equal(fsd_new(&c, &fs, &err), 0);
	assert_int_equal(do_init(~0ull), 0);
}

/* As cmocka setup: the tree, and a server of it with the usual configuration. */
static inline int client_setup(void **state)
{
	if (tmp_setup(state) < 0)
		return -1;
	assert_int_equal(mkdirat(tmp_fd, "root", 0755), 0);
	assert_int_equal(mkdirat(tmp_fd, "outside", 0755), 0);
	assert_int_equal(fchmodat(tmp_fd, ".", 0755, 0), 0);
	tmp_write("outside/secret", "secret");
	root_fd = openat(tmp_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root_fd >= 0 && proc_fd >= 0);
	client_uid = client_gid = 0;
	client_cut = client_in_room = 0;
	client_start(&(struct client_config){0});
	return 0;
}

static inline int client_teardown(void **state)
{
	fsd_free(fs);
	fs = NULL;
	assert_int_equal(chdir("/"), 0);
	fd_close(root_fd);
	fd_close(proc_fd);
	return tmp_teardown(state);
}

#define client_test(fn) cmocka_unit_test_setup_teardown(fn, client_setup, client_teardown)

#endif
