/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE server's operations on real files: what the guest is told is what the host sees, and what
 * the guest does is there on the host. What is in files: test_fsd_files.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fsd_client.h"

static void test_init(void **state)
{
	struct fuse_init_in in = {.major = 7, .minor = 31, .max_readahead = 4096, .flags = ~0u};
	struct fuse_init_out out;

	(void)state;
	/* A guest of 7.31 knows nothing of flags2. */
	in.flags &= ~(uint32_t)FUSE_INIT_EXT;
	assert_int_equal(call(FUSE_INIT, 0, &in, 16, NULL, NULL), 0);
	answer_as(struct fuse_init_out, &out);
	assert_int_equal(out.major, 7);
	assert_true(out.minor >= 31);
	assert_int_equal(out.max_readahead, 4096);
	assert_int_equal(out.max_write, 1 << 20);
	assert_int_equal(out.max_pages, 256);
	assert_true(out.flags & FUSE_BIG_WRITES && out.flags & FUSE_MAX_PAGES);
	assert_true(out.flags & FUSE_DO_READDIRPLUS && out.flags & FUSE_PARALLEL_DIROPS);
	assert_true(out.flags & FUSE_HANDLE_KILLPRIV_V2);
	assert_false(out.flags & (FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS |
				  FUSE_EXPORT_SUPPORT | FUSE_POSIX_ACL | FUSE_MAP_ALIGNMENT));
	assert_int_equal(out.flags2, 0);
	/* Nothing is agreed to that was not offered. */
	in.flags = FUSE_BIG_WRITES;
	assert_int_equal(call(FUSE_INIT, 0, &in, 16, NULL, NULL), 0);
	answer_as(struct fuse_init_out, &out);
	assert_int_equal(out.flags, FUSE_BIG_WRITES);
}

static void test_init_first(void **state)
{
	struct fuse_init_in in = {.major = 7, .minor = 30};
	struct fuse_init_out out;
	struct fuse_entry_out e;
	struct fuse_attr attr;
	uint64_t node;

	(void)state;
	tmp_write("root/file", "x");
	node = node_of(1, "file");
	fsd_reset(fs);
	assert_int_equal(do_getattr(1, &attr), -EIO);
	assert_int_equal(call(FUSE_INIT, 0, &in, sizeof(in), NULL, NULL), -EPROTO);
	in.major = 6;
	assert_int_equal(call(FUSE_INIT, 0, &in, sizeof(in), NULL, NULL), -EPROTO);
	assert_int_equal(call(FUSE_INIT, 0, &in, 15, NULL, NULL), -EINVAL);
	/* A newer major version is told ours and asks again. */
	in.major = 8;
	assert_int_equal(call(FUSE_INIT, 0, &in, sizeof(in), NULL, NULL), 0);
	answer_as(struct fuse_init_out, &out);
	assert_int_equal(out.major, 7);
	assert_int_equal(do_lookup(1, "file", &e), -EIO);
	assert_int_equal(do_init(0), 0);
	assert_int_equal(do_getattr(1, &attr), 0);
	assert_int_equal(do_getattr(node, &attr), -ESTALE);
	/* The end of a mount. */
	node = node_of(1, "file");
	assert_int_equal(call(FUSE_DESTROY, 0, NULL, 0, NULL, NULL), 0);
	assert_int_equal(do_getattr(1, &attr), -EIO);
	assert_int_equal(do_init(0), 0);
	assert_int_equal(do_getattr(node, &attr), -ESTALE);
}

static void test_lookup(void **state)
{
	struct fuse_entry_out e, again;
	struct fuse_attr attr;

	(void)state;
	tmp_write("root/file", "content");
	assert_int_equal(linkat(root_fd, "file", root_fd, "other", 0), 0);
	assert_int_equal(do_lookup(1, "file", &e), 0);
	check_attr(&e.attr, "file");
	assert_int_equal(e.generation, 0);
	assert_int_equal(e.entry_valid, 1);
	assert_int_equal(do_getattr(e.nodeid, &attr), 0);
	check_attr(&attr, "file");
	/* A file is one node, whatever its names. */
	assert_int_equal(do_lookup(1, "other", &again), 0);
	assert_int_equal(again.nodeid, e.nodeid);
	assert_int_equal(do_lookup(1, "missing", &e), -ENOENT);
	assert_int_equal(do_lookup(again.nodeid, "below", &e), -ENOTDIR);
	assert_int_equal(do_getattr(1, &attr), 0);
	check_attr(&attr, ".");
}

static void test_forget(void **state)
{
	struct {
		struct fuse_batch_forget_in in;
		struct fuse_forget_one one[3];
	} batch = {.in = {.count = 3}};
	struct fuse_attr attr;
	struct fsd_stats stats;
	uint64_t a, b;

	(void)state;
	tmp_write("root/a", "a");
	tmp_write("root/b", "b");
	a = node_of(1, "a");
	b = node_of(1, "b");
	assert_int_equal(node_of(1, "a"), a);
	do_forget(a, 1);
	assert_int_equal(do_getattr(a, &attr), 0);
	do_forget(a, 1);
	assert_int_equal(do_getattr(a, &attr), -ESTALE);
	do_forget(a, 1); /* forgotten twice */
	/* More than it was looked up; a node that never was; the root, which stays. */
	batch.one[0] = (struct fuse_forget_one){b, UINT64_MAX};
	batch.one[1] = (struct fuse_forget_one){0x123456789, 1};
	batch.one[2] = (struct fuse_forget_one){1, UINT64_MAX};
	client_begin(FUSE_BATCH_FORGET, 0);
	client_add(&batch, sizeof(batch));
	memcpy(client_out, &(uint32_t){(uint32_t)client_out_len}, 4);
	assert_int_equal(client_send_raw(), 0);
	assert_int_equal(do_getattr(b, &attr), -ESTALE);
	assert_int_equal(do_getattr(1, &attr), 0);
	fsd_stats(fs, &stats);
	assert_int_equal(stats.nodes, 1);
	assert_int_equal(stats.fds, 0);
	/* The slot is used again under another number. */
	assert_true(node_of(1, "b") != b && node_of(1, "a") != a);
}

static void test_setattr(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = S_IFREG | 04711};
	struct fuse_attr attr;
	uint64_t node, fh;

	(void)state;
	tmp_write("root/file", "content");
	node = node_of(1, "file");
	assert_int_equal(do_setattr(node, &in, &attr), 0);
	check_attr(&attr, "file");
	assert_int_equal(host_stat("file").st_mode, S_IFREG | 04711);

	in = (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 3};
	assert_int_equal(do_setattr(node, &in, &attr), 0);
	assert_int_equal(attr.size, 3);
	host_content("file", "con", 3);
	assert_int_equal(do_open(node, O_RDWR, &fh), 0);
	in = (struct fuse_setattr_in){.valid = FATTR_SIZE | FATTR_FH, .size = 5, .fh = fh};
	assert_int_equal(do_setattr(node, &in, &attr), 0);
	host_content("file", "con\0\0", 5);
	in.size = UINT64_MAX;
	assert_int_equal(do_setattr(node, &in, &attr), -EINVAL);

	in = (struct fuse_setattr_in){.valid = FATTR_ATIME | FATTR_MTIME,
				      .atime = 1000,
				      .atimensec = 1,
				      .mtime = 2000,
				      .mtimensec = 999999999};
	assert_int_equal(do_setattr(node, &in, &attr), 0);
	assert_int_equal(attr.mtime, 2000);
	assert_int_equal(host_stat("file").st_mtim.tv_nsec, 999999999);
	assert_int_equal(host_stat("file").st_atim.tv_sec, 1000);
	in.mtimensec = UTIME_NOW; /* no number of nanoseconds, and not for the guest to say */
	assert_int_equal(do_setattr(node, &in, &attr), -EINVAL);
	in = (struct fuse_setattr_in){.valid = FATTR_MTIME | FATTR_MTIME_NOW};
	assert_int_equal(do_setattr(node, &in, &attr), 0);
	assert_true(host_stat("file").st_mtim.tv_sec > 2000);
	assert_int_equal(host_stat("file").st_atim.tv_sec, 1000);
}

static void test_setattr_symlink(void **state)
{
	struct fuse_setattr_in in = {.valid = FATTR_MTIME, .mtime = 77};
	struct fuse_attr attr;
	struct stat before;
	uint64_t node;

	(void)state;
	tmp_write("root/target", "content");
	before = host_stat("target");
	assert_int_equal(symlinkat("target", root_fd, "link"), 0);
	node = node_of(1, "link");
	assert_int_equal(do_setattr(node, &in, &attr), 0);
	assert_int_equal(host_stat("link").st_mtim.tv_sec, 77);
	assert_int_equal(host_stat("target").st_mtim.tv_sec, before.st_mtim.tv_sec);
	in = (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0777};
	assert_int_equal(do_setattr(node, &in, &attr), -EOPNOTSUPP);
	in = (struct fuse_setattr_in){.valid = FATTR_SIZE};
	assert_int_equal(do_setattr(node, &in, &attr), -ELOOP);
	assert_int_equal(host_stat("target").st_mode, before.st_mode);
	if (geteuid() == 0) {
		in = (struct fuse_setattr_in){.valid = FATTR_UID | FATTR_GID, .uid = 5, .gid = 6};
		assert_int_equal(do_setattr(node, &in, &attr), 0);
		assert_int_equal(host_stat("link").st_uid, 5);
		assert_int_equal(host_stat("target").st_uid, before.st_uid);
	}
}

static void test_make_nodes(void **state)
{
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(do_mknod(1, "file", S_IFREG | 0600, &e), 0);
	check_attr(&e.attr, "file");
	assert_int_equal(do_mknod(1, "fifo", S_IFIFO | 0620, &e), 0);
	check_attr(&e.attr, "fifo");
	assert_int_equal(do_mknod(1, "socket", S_IFSOCK | 0600, &e), 0);
	check_attr(&e.attr, "socket");
	assert_int_equal(do_mknod(1, "fifo", S_IFIFO | 0600, &e), -EEXIST);
	assert_int_equal(do_mknod(1, "chr", S_IFCHR | 0600, &e), -EPERM);
	assert_int_equal(do_mknod(1, "blk", S_IFBLK | 0600, &e), -EPERM);
	assert_int_equal(do_mknod(1, "none", 0600, &e), -EPERM);
	assert_int_equal(do_mknod(1, "dir", S_IFDIR | 0700, &e), -EPERM);
	assert_int_equal(faccessat(root_fd, "chr", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(do_mkdir(1, "dir", 01755, &e), 0);
	check_attr(&e.attr, "dir");
	assert_int_equal(e.attr.mode, S_IFDIR | 01755);
	assert_int_equal(do_mkdir(e.nodeid, "sub", 0700, &e), 0);
	check_attr(&e.attr, "dir/sub");
	assert_int_equal(do_mkdir(1, "dir", 0755, &e), -EEXIST);
}

static void test_symlink(void **state)
{
	struct fuse_entry_out e;

	(void)state;
	assert_int_equal(do_symlink(1, "link", "/etc/../somewhere", &e), 0);
	check_attr(&e.attr, "link");
	assert_int_equal(call(FUSE_READLINK, e.nodeid, NULL, 0, NULL, NULL), 0);
	assert_int_equal(answer_len, strlen("/etc/../somewhere"));
	assert_memory_equal(answer, "/etc/../somewhere", answer_len);
	assert_int_equal(call(FUSE_READLINK, 1, NULL, 0, NULL, NULL), -EINVAL);
	assert_int_equal(do_symlink(1, "empty", "", &e), -ENOENT);
}

static void test_remove_and_rename(void **state)
{
	struct fuse_entry_out e;
	uint64_t dir, file;

	(void)state;
	tmp_write("root/file", "1");
	tmp_write("root/other", "2");
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	dir = node_of(1, "dir");
	file = node_of(1, "file");
	assert_int_equal(do_rename(1, "file", dir, "moved"), 0);
	host_content("dir/moved", "1", 1);
	assert_int_equal(node_of(dir, "moved"), file);
	assert_int_equal(do_rename2(1, "other", dir, "moved", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(do_rename2(1, "other", dir, "moved", RENAME_EXCHANGE), 0);
	host_content("dir/moved", "2", 1);
	host_content("other", "1", 1);
	assert_int_equal(do_rename2(1, "other", dir, "x", RENAME_WHITEOUT), -EINVAL);
	assert_int_equal(do_rename(1, "other", 4711, "x"), -ESTALE);
	assert_int_equal(do_rename(1, "dir", dir, "x"), -EINVAL);
	assert_int_equal(do_rename(1, "other", dir, "moved"), 0);
	host_content("dir/moved", "1", 1);

	assert_int_equal(do_link(file, 1, "again", &e), 0);
	assert_int_equal(e.nodeid, file);
	assert_int_equal(e.attr.nlink, 2);
	assert_int_equal(do_link(file, 1, "again", &e), -EEXIST);
	assert_int_equal(do_link(dir, 1, "dir2", &e), -EPERM);
	assert_int_equal(do_link(4711, 1, "x", &e), -ESTALE);

	assert_int_equal(do_rmdir(1, "dir"), -ENOTEMPTY);
	assert_int_equal(do_unlink(1, "dir"), -EISDIR);
	assert_int_equal(do_rmdir(dir, "moved"), -ENOTDIR);
	assert_int_equal(do_unlink(dir, "moved"), 0);
	assert_int_equal(do_rmdir(1, "dir"), 0);
	assert_int_equal(do_unlink(1, "missing"), -ENOENT);
	assert_guest_content(file, "1");
	assert_int_equal(do_unlink(1, "again"), 0);
	assert_guest_content(file, "1"); /* the guest has it open, for all the server knows */
}

static void test_link_symlink(void **state)
{
	struct fuse_entry_out e;

	(void)state;
	tmp_write("root/target", "content");
	assert_int_equal(symlinkat("target", root_fd, "link"), 0);
	assert_int_equal(do_link(node_of(1, "link"), 1, "link2", &e), 0);
	assert_int_equal(host_stat("link2").st_ino, host_stat("link").st_ino);
	assert_true(S_ISLNK(e.attr.mode));
}

#define N_ENTRIES 300

/* Reads the directory with answers of the given size; marks the names file000… seen. */
static void read_all(uint64_t dir, bool plus, size_t size, unsigned int seen[N_ENTRIES])
{
	static uint8_t entries[CLIENT_ROOM];
	uint64_t fh, offset = 0;
	int n;

	assert_int_equal(do_open_as(FUSE_OPENDIR, dir, O_RDONLY, &fh), 0);
	while ((n = do_read_as(plus ? FUSE_READDIRPLUS : FUSE_READDIR, dir, fh, offset, size))) {
		assert_true(n > 0);
		memcpy(entries, answer, (size_t)n);
		for (const uint8_t *at = entries; at < entries + n;) {
			struct fuse_entry_out e = {0};
			struct fuse_dirent d;
			unsigned int i = 0;
			char name[256] = "";

			if (plus) {
				memcpy(&e, at, sizeof(e));
				at += sizeof(e);
			}
			memcpy(&d, at, FUSE_NAME_OFFSET);
			assert_true(d.namelen < sizeof(name));
			memcpy(name, at + FUSE_NAME_OFFSET, d.namelen);
			at += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d.namelen);
			offset = d.off;
			if (name[0] == '.') {
				assert_int_equal(e.nodeid, 0);
				assert_int_equal(d.type, S_IFDIR >> 12);
				assert_int_equal(d.ino, host_stat(".").st_ino);
				continue;
			}
			for (const char *p = name + 4; *p; p++)
				i = i * 10 + (unsigned int)(*p - '0');
			assert_true(i < N_ENTRIES);
			seen[i]++;
			assert_int_equal(d.ino, host_stat(name).st_ino);
			if (plus) {
				check_attr(&e.attr, name);
				assert_true(e.nodeid);
				do_forget(e.nodeid, 1);
			}
		}
	}
	assert_int_equal(do_releasedir(dir, fh), 0);
}

static void test_readdir(void **state)
{
	static const size_t sizes[] = {512, 4096, 60000, 1 << 20};
	struct fsd_stats stats;
	char name[32];

	(void)state;
	for (unsigned int i = 0; i < N_ENTRIES; i++) {
		(void)snprintf(name, sizeof(name), "root/file%03u", i);
		tmp_write(name, "");
	}
	for (size_t s = 0; s < ARRAY_SIZE(sizes) * 2; s++) {
		unsigned int seen[N_ENTRIES] = {0};

		read_all(1, s & 1, sizes[s / 2], seen);
		for (unsigned int i = 0; i < N_ENTRIES; i++)
			assert_int_equal(seen[i], 1);
	}
	fsd_stats(fs, &stats);
	assert_int_equal(stats.nodes, 1);
}

static void test_readdir_seek(void **state)
{
	uint64_t fh, first, node;
	struct fuse_dirent d;
	int n;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "root/file%d", i);
		tmp_write(name, "");
	}
	assert_int_equal(do_open_as(FUSE_OPENDIR, 1, O_RDONLY, &fh), 0);
	n = do_read_as(FUSE_READDIR, 1, fh, 0, 4096);
	assert_true(n > 20 * 32);
	memcpy(&d, answer, FUSE_NAME_OFFSET);
	first = d.off;
	/* Back to behind the first entry, and to the start. */
	assert_int_equal(do_read_as(FUSE_READDIR, 1, fh, first, 4096),
			 n - (int)FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d.namelen));
	assert_int_equal(do_read_as(FUSE_READDIR, 1, fh, 0, 4096), n);
	/* No room for one entry; offsets that the file system never gave. */
	assert_int_equal(do_read_as(FUSE_READDIR, 1, fh, 0, 8), -EINVAL);
	assert_int_equal(do_read_as(FUSE_READDIR, 1, fh, UINT64_MAX, 4096), -EINVAL);
	n = do_read_as(FUSE_READDIR, 1, fh, 0x123456789abcdef, 4096);
	assert_true(n >= 0 || n == -EINVAL);
	assert_int_equal(do_read(1, fh, 0, 100), -EBADF); /* a directory is no file */
	assert_int_equal(do_release(1, fh), -EBADF);
	assert_int_equal(do_releasedir(1, fh), 0);
	assert_int_equal(do_read_as(FUSE_READDIR, 1, fh, 0, 4096), -EBADF);
	node = node_of(1, "file1");
	assert_int_equal(do_open_as(FUSE_OPENDIR, node, O_RDONLY, &fh), -ENOTDIR);
}

static void test_statfs(void **state)
{
	struct fuse_statfs_out out;
	struct statvfs st;

	(void)state;
	assert_int_equal(call(FUSE_STATFS, 1, NULL, 0, NULL, NULL), 0);
	answer_as(struct fuse_statfs_out, &out);
	assert_int_equal(fstatvfs(root_fd, &st), 0);
	assert_int_equal(out.st.blocks, st.f_blocks);
	assert_int_equal(out.st.bsize, st.f_bsize);
	assert_int_equal(out.st.frsize, st.f_frsize);
	assert_int_equal(out.st.namelen, st.f_namemax);
}

static int access_as(uint32_t uid, uint32_t gid, uint64_t node, uint32_t mask)
{
	struct fuse_access_in in = {.mask = mask};
	int rc;

	client_uid = uid;
	client_gid = gid;
	rc = call(FUSE_ACCESS, node, &in, sizeof(in), NULL, NULL);
	client_uid = client_gid = 0;
	return rc;
}

static void test_access(void **state)
{
	struct stat st;
	uint64_t node;

	(void)state;
	tmp_write("root/file", "");
	assert_int_equal(fchmodat(root_fd, "file", 0640, 0), 0);
	node = node_of(1, "file");
	st = host_stat("file");
	assert_int_equal(access_as(st.st_uid, 12345, node, R_OK | W_OK), 0);
	assert_int_equal(access_as(12345, st.st_gid, node, R_OK), 0);
	assert_int_equal(access_as(12345, st.st_gid, node, W_OK), -EACCES);
	assert_int_equal(access_as(12345, 12345, node, R_OK), -EACCES);
	assert_int_equal(access_as(12345, 12345, node, F_OK), 0);
	assert_int_equal(access_as(0, 0, node, R_OK | W_OK), 0);
	assert_int_equal(access_as(0, 0, node, X_OK), -EACCES);
	assert_int_equal(access_as(0, 0, 1, X_OK), 0);
	assert_int_equal(access_as(0, 0, node, 8), -EINVAL);
}

static void test_readonly(void **state)
{
	struct fuse_setattr_in set = {.valid = FATTR_MODE, .mode = 0777};
	struct fuse_entry_out e;
	struct fuse_attr attr;
	struct created c;
	uint64_t node, fh;

	(void)state;
	tmp_write("root/file", "content");
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	client_start(&(struct client_config){.readonly = true});
	node = node_of(1, "file");
	assert_guest_content(node, "content");
	assert_int_equal(do_open(node, O_RDWR, &fh), -EROFS);
	assert_int_equal(do_open(node, O_WRONLY, &fh), -EROFS);
	assert_int_equal(do_open(node, O_RDONLY | O_TRUNC, &fh), -EROFS);
	assert_int_equal(do_open(node, O_RDONLY, &fh), 0);
	assert_int_equal(do_write(node, fh, 0, "x", 1), -EROFS);
	assert_int_equal(do_write(node, fh, 100, "x", 1), -EROFS);
	assert_int_equal(do_setattr(node, &set, &attr), -EROFS);
	assert_int_equal(do_create(1, "new", O_RDONLY | O_CREAT, 0600, &c), -EROFS);
	assert_int_equal(do_mkdir(1, "new", 0755, &e), -EROFS);
	assert_int_equal(do_mknod(1, "new", S_IFIFO | 0600, &e), -EROFS);
	assert_int_equal(do_symlink(1, "new", "x", &e), -EROFS);
	assert_int_equal(do_link(node, 1, "new", &e), -EROFS);
	assert_int_equal(do_unlink(1, "file"), -EROFS);
	assert_int_equal(do_rmdir(1, "dir"), -EROFS);
	assert_int_equal(do_rename(1, "file", 1, "new"), -EROFS);
	assert_int_equal(do_rename2(1, "file", 1, "dir", RENAME_EXCHANGE), -EROFS);
	assert_int_equal(set_xattr(node, "user.x", "x", 0), -EROFS);
	assert_int_equal(call(FUSE_REMOVEXATTR, node, NULL, 0, "user.x", NULL), -EROFS);
	assert_int_equal(access_as(0, 0, node, W_OK), -EROFS);
	host_content("file", "content", 7);
	assert_int_equal(do_lookup(1, "new", &e), -ENOENT);
}

static void test_unknown_operations(void **state)
{
	static const uint32_t codes[] = {FUSE_GETLK,
					 FUSE_SETLK,
					 FUSE_SETLKW,
					 FUSE_INTERRUPT,
					 FUSE_BMAP,
					 FUSE_IOCTL,
					 FUSE_POLL,
					 FUSE_NOTIFY_REPLY,
					 FUSE_SETUPMAPPING,
					 FUSE_REMOVEMAPPING,
					 0,
					 7,
					 19,
					 52,
					 4096,
					 436207616,
					 UINT32_MAX};
	uint8_t body[64] = {0};
	struct fsd_stats stats;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		assert_int_equal(call(codes[i], 1, body, sizeof(body), NULL, NULL), -ENOSYS);
	fsd_stats(fs, &stats);
	assert_int_equal(stats.errors, ARRAY_SIZE(codes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(test_init),
		client_test(test_init_first),
		client_test(test_lookup),
		client_test(test_forget),
		client_test(test_setattr),
		client_test(test_setattr_symlink),
		client_test(test_make_nodes),
		client_test(test_symlink),
		client_test(test_remove_and_rename),
		client_test(test_link_symlink),
		client_test(test_readdir),
		client_test(test_readdir_seek),
		client_test(test_statfs),
		client_test(test_access),
		client_test(test_readonly),
		client_test(test_unknown_operations),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
