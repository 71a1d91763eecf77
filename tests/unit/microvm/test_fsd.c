/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE server's operations on real files: what the guest is told is what the host sees, and what
 * the guest does is there on the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "base/mem.h"
#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fsd_client.h"

static void host_content(const char *name, const char *data, size_t len)
{
	FREE char *got = mem_xalloc(len + 1);
	int fd = openat(root_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, len + 1), len);
	assert_memory_equal(got, data, len);
	(void)close(fd);
}

static struct stat host_stat(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(root_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

/* Roots' work: other owners, file capabilities. */
static void needs_root(void)
{
	if (geteuid() != 0) {
		print_message("# needs root\n");
		skip();
	}
}

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

static void check_attr(const struct fuse_attr *a, const char *name)
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

static void test_create_write_read(void **state)
{
	static const size_t cuts[] = {0, 1000, 4096, 4097};
	static char data[300000];
	struct created c;
	char name[16];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 ^ i >> 8);
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		(void)snprintf(name, sizeof(name), "file%zu", i);
		client_cut = cuts[i];
		assert_int_equal(do_create(1, name, O_RDWR | O_CREAT, 0640, &c), 0);
		check_attr(&c.entry.attr, name);
		assert_int_equal(c.entry.attr.mode, S_IFREG | 0640);
		assert_int_equal(do_write(c.entry.nodeid, c.open.fh, 0, data, sizeof(data)),
				 sizeof(data));
		host_content(name, data, sizeof(data));
		assert_int_equal(do_read(c.entry.nodeid, c.open.fh, 1, sizeof(data)),
				 sizeof(data) - 1);
		assert_memory_equal(answer, data + 1, sizeof(data) - 1);
		assert_int_equal(do_read(c.entry.nodeid, c.open.fh, sizeof(data), 10), 0);
		assert_int_equal(do_release(c.entry.nodeid, c.open.fh), 0);
		assert_int_equal(do_read(c.entry.nodeid, c.open.fh, 0, 10), -EBADF);
	}
}

/* Headers and names cut byte by byte over the buffers (virtio 1.2, 2.7.4.2). */
static void test_cut_bytewise(void **state)
{
	struct created c;
	struct fuse_attr attr;

	(void)state;
	client_cut = 1;
	client_in_room = 512;
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT, 0600, &c), 0);
	assert_int_equal(do_write(c.entry.nodeid, c.open.fh, 2, "hello", 5), 5);
	host_content("file", "\0\0hello", 7);
	client_in_room = 512;
	assert_int_equal(do_getattr(c.entry.nodeid, &attr), 0);
	check_attr(&attr, "file");
	assert_int_equal(do_read(c.entry.nodeid, c.open.fh, 0, 100), 7);
	assert_memory_equal(answer, "\0\0hello", 7);
}

static void test_open_flags(void **state)
{
	struct fuse_write_in in = {.offset = 1, .size = 1, .flags = O_APPEND | O_RDWR};
	struct fuse_write_out out;
	uint64_t node, fh;

	(void)state;
	tmp_write("root/file", "content");
	node = node_of(1, "file");
	assert_int_equal(do_open(node, O_RDONLY, &fh), 0);
	assert_int_equal(do_write(node, fh, 0, "x", 1), -EBADF);
	assert_int_equal(do_release(node, fh), 0);
	/* Flags of open(2) that would make a file, or hold things up, mean nothing here. */
	assert_int_equal(do_open(node, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_PATH, &fh), 0);
	in.fh = fh;
	client_begin(FUSE_WRITE, node);
	client_add(&in, sizeof(in));
	client_add("+", 1);
	assert_int_equal(client_send(), 0);
	answer_as(struct fuse_write_out, &out);
	assert_int_equal(out.size, 1);
	host_content("file", "content+", 8);
	/* A page of the cache is written to its place, whatever the file's flags. */
	in.write_flags = FUSE_WRITE_CACHE;
	client_begin(FUSE_WRITE, node);
	client_add(&in, sizeof(in));
	client_add("-", 1);
	assert_int_equal(client_send(), 0);
	host_content("file", "c-ntent+", 8);
	assert_int_equal(do_release(node, fh), 0);
	assert_int_equal(do_open(node, O_WRONLY | O_TRUNC, &fh), 0);
	host_content("file", "", 0);
	assert_int_equal(do_release(node, fh), 0);
	assert_int_equal(do_open(node, O_ACCMODE, &fh), -EINVAL);
	assert_int_equal(do_open(1, O_RDONLY, &fh), -EISDIR);
}

static void test_create_existing(void **state)
{
	struct created c;
	uint64_t node;

	(void)state;
	tmp_write("root/file", "content");
	node = node_of(1, "file");
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT | O_EXCL, 0600, &c), -EEXIST);
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT, 0600, &c), 0);
	assert_int_equal(c.entry.nodeid, node);
	host_content("file", "content", 7);
	assert_int_equal(do_release(node, c.open.fh), 0);
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT | O_TRUNC, 0600, &c), 0);
	host_content("file", "", 0);
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	assert_int_equal(do_create(1, "dir", O_RDWR | O_CREAT, 0600, &c), -EISDIR);
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

static int set_xattr(uint64_t node, const char *name, const char *value, uint32_t flags)
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

static int get_xattr(uint64_t node, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	return call(FUSE_GETXATTR, node, &in, sizeof(in), name, NULL);
}

static void test_xattr(void **state)
{
	struct fuse_getxattr_in in = {.size = 0};
	struct fuse_getxattr_out out;
	char value[16];
	uint64_t node;

	(void)state;
	tmp_write("root/file", "");
	node = node_of(1, "file");
	if (set_xattr(node, "user.one", "value", 0) == -EOPNOTSUPP) {
		print_message("# the file system has no extended attributes\n");
		skip();
	}
	assert_int_equal(fgetxattr(root_fd, "user.one", value, sizeof(value)), -1);
	assert_int_equal(set_xattr(node, "user.one", "again", XATTR_CREATE), -EEXIST);
	assert_int_equal(set_xattr(node, "user.two", "", XATTR_REPLACE), -ENODATA);
	assert_int_equal(set_xattr(node, "user.two", "", 0), 0);
	assert_int_equal(set_xattr(node, "user.two", "", 99), -EINVAL);
	assert_int_equal(get_xattr(node, "user.one", 0), 0);
	answer_as(struct fuse_getxattr_out, &out);
	assert_int_equal(out.size, 5);
	assert_int_equal(get_xattr(node, "user.one", 100), 0);
	assert_int_equal(answer_len, 5);
	assert_memory_equal(answer, "value", 5);
	assert_int_equal(get_xattr(node, "user.one", 4), -ERANGE);
	assert_int_equal(get_xattr(node, "user.three", 4), -ENODATA);
	assert_int_equal(call(FUSE_LISTXATTR, node, &in, sizeof(in), NULL, NULL), 0);
	answer_as(struct fuse_getxattr_out, &out);
	in.size = out.size;
	assert_int_equal(call(FUSE_LISTXATTR, node, &in, sizeof(in), NULL, NULL), 0);
	assert_int_equal(answer_len, 2 * sizeof("user.one"));
	in.size = 3;
	assert_int_equal(call(FUSE_LISTXATTR, node, &in, sizeof(in), NULL, NULL), -ERANGE);
	assert_int_equal(call(FUSE_REMOVEXATTR, node, NULL, 0, "user.one", NULL), 0);
	assert_int_equal(get_xattr(node, "user.one", 100), -ENODATA);
	/* Also of what cannot be opened. */
	assert_int_equal(mkfifoat(root_fd, "fifo", 0600), 0);
	assert_int_equal(get_xattr(node_of(1, "fifo"), "user.one", 100), -ENODATA);
	assert_int_equal(set_xattr(1, "user.dir", "value", 0), 0);
	assert_int_equal(fgetxattr(root_fd, "user.dir", value, sizeof(value)), 5);
}

/* What the guest cannot enforce, and labels of the host, are not served. */
static void test_xattr_hidden(void **state)
{
	static const char *const names[] = {"system.posix_acl_access", "system.posix_acl_default",
					    "security.selinux", "security.ima"};
	uint64_t node;

	(void)state;
	tmp_write("root/file", "");
	node = node_of(1, "file");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(get_xattr(node, names[i], 100), -EOPNOTSUPP);
		assert_int_equal(set_xattr(node, names[i], "x", 0), -EOPNOTSUPP);
		assert_int_equal(call(FUSE_REMOVEXATTR, node, NULL, 0, names[i], NULL),
				 -EOPNOTSUPP);
	}
	assert_int_equal(get_xattr(node, "", 100), -EINVAL);
}

static void test_file_capability(void **state)
{
	/* cap_net_raw=ep, revision 2 (linux/capability.h, struct vfs_cap_data) */
	static const char caps[20] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct {
		uint32_t size, flags;
	} in = {sizeof(caps), 0};
	uint64_t node, fh;

	(void)state;
	needs_root();
	tmp_write("root/file", "");
	node = node_of(1, "file");
	client_begin(FUSE_SETXATTR, node);
	client_add(&in, sizeof(in));
	client_add_string("security.capability");
	client_add(caps, sizeof(caps));
	assert_int_equal(client_send(), 0);
	assert_int_equal(get_xattr(node, "security.capability", 100), 0);
	assert_memory_equal(answer, caps, sizeof(caps));
	/* A write takes them, as everywhere. */
	assert_int_equal(do_open(node, O_WRONLY, &fh), 0);
	assert_int_equal(do_write(node, fh, 0, "x", 1), 1);
	assert_int_equal(get_xattr(node, "security.capability", 100), -ENODATA);
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

static void test_sync(void **state)
{
	struct fuse_fsync_in sync = {0};
	struct fuse_flush_in flush = {0};
	struct fuse_syncfs_in syncfs_in = {0};
	uint64_t node, fh, dir_fh;

	(void)state;
	tmp_write("root/file", "");
	node = node_of(1, "file");
	assert_int_equal(do_open(node, O_RDWR, &fh), 0);
	assert_int_equal(do_open_as(FUSE_OPENDIR, 1, O_RDONLY, &dir_fh), 0);
	sync.fh = flush.fh = fh;
	assert_int_equal(call(FUSE_FSYNC, node, &sync, sizeof(sync), NULL, NULL), 0);
	sync.fsync_flags = FUSE_FSYNC_FDATASYNC;
	assert_int_equal(call(FUSE_FSYNC, node, &sync, sizeof(sync), NULL, NULL), 0);
	assert_int_equal(call(FUSE_FSYNCDIR, 1, &sync, sizeof(sync), NULL, NULL), -EBADF);
	sync.fh = dir_fh;
	assert_int_equal(call(FUSE_FSYNCDIR, 1, &sync, sizeof(sync), NULL, NULL), 0);
	assert_int_equal(call(FUSE_FLUSH, node, &flush, sizeof(flush), NULL, NULL), 0);
	assert_int_equal(do_write(node, fh, 0, "x", 1), 1);
	assert_int_equal(call(FUSE_SYNCFS, 1, &syncfs_in, sizeof(syncfs_in), NULL, NULL), 0);
	flush.fh = 0;
	assert_int_equal(call(FUSE_FLUSH, node, &flush, sizeof(flush), NULL, NULL), -EBADF);
}

static int do_fallocate(uint64_t node, uint64_t fh, uint64_t offset, uint64_t len, uint32_t mode)
{
	struct fuse_fallocate_in in = {.fh = fh, .offset = offset, .length = len, .mode = mode};

	return call(FUSE_FALLOCATE, node, &in, sizeof(in), NULL, NULL);
}

static int64_t do_lseek(uint64_t node, uint64_t fh, uint64_t offset, uint32_t whence)
{
	struct fuse_lseek_in in = {.fh = fh, .offset = offset, .whence = whence};
	struct fuse_lseek_out out;
	int rc = call(FUSE_LSEEK, node, &in, sizeof(in), NULL, NULL);

	if (rc)
		return rc;
	answer_as(struct fuse_lseek_out, &out);
	return (int64_t)out.offset;
}

static void test_space(void **state)
{
	struct created c;
	uint64_t node, fh;
	char zeros[4096] = {0};
	int rc;

	(void)state;
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT, 0600, &c), 0);
	node = c.entry.nodeid;
	fh = c.open.fh;
	assert_int_equal(do_fallocate(node, fh, 0, 8192, 0), 0);
	assert_int_equal(host_stat("file").st_size, 8192);
	assert_int_equal(do_fallocate(node, fh, 8192, 8192, FALLOC_FL_KEEP_SIZE), 0);
	assert_int_equal(host_stat("file").st_size, 8192);
	memset(client_in, 'x', sizeof(client_in));
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			do_write(node, fh, (uint64_t)i * 4096, memset(zeros, 'x', 4096), 4096),
			4096);
	rc = do_fallocate(node, fh, 4096, 4096, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE);
	assert_true(rc == 0 || rc == -EOPNOTSUPP);
	if (rc == 0) {
		assert_int_equal(do_read(node, fh, 4096, 4096), 4096);
		assert_memory_equal(answer, memset(zeros, 0, 4096), 4096);
		assert_int_equal(do_lseek(node, fh, 0, SEEK_HOLE), 4096);
		assert_int_equal(do_lseek(node, fh, 4096, SEEK_DATA), 8192);
	}
	assert_int_equal(do_lseek(node, fh, 1 << 20, SEEK_DATA), -ENXIO);
	assert_int_equal(do_lseek(node, fh, 0, SEEK_SET), -EINVAL);
	assert_int_equal(do_lseek(node, fh, UINT64_MAX, SEEK_HOLE), -EINVAL);
	assert_int_equal(do_fallocate(node, fh, 0, 4096, FALLOC_FL_COLLAPSE_RANGE), -EOPNOTSUPP);
	assert_int_equal(do_fallocate(node, fh, UINT64_MAX, 4096, 0), -EINVAL);
	assert_int_equal(do_fallocate(node, fh, 0, 0, 0), -EINVAL);
}

static void test_copy_file_range(void **state)
{
	struct fuse_copy_file_range_in in = {.len = 4, .off_in = 3, .off_out = 1};
	struct fuse_write_out out;
	uint64_t a, b;

	(void)state;
	tmp_write("root/a", "abcdefgh");
	tmp_write("root/b", "12345678");
	a = node_of(1, "a");
	b = node_of(1, "b");
	in.nodeid_out = b;
	assert_int_equal(do_open(a, O_RDONLY, &in.fh_in), 0);
	assert_int_equal(do_open(b, O_RDWR, &in.fh_out), 0);
	assert_int_equal(call(FUSE_COPY_FILE_RANGE, a, &in, sizeof(in), NULL, NULL), 0);
	answer_as(struct fuse_write_out, &out);
	assert_int_equal(out.size, 4);
	host_content("b", "1defg678", 8);
	in.len = UINT64_MAX;
	in.off_in = 8;
	assert_int_equal(call(FUSE_COPY_FILE_RANGE, a, &in, sizeof(in), NULL, NULL), 0);
	answer_as(struct fuse_write_out, &out);
	assert_int_equal(out.size, 0);
	in.off_in = UINT64_MAX;
	assert_int_equal(call(FUSE_COPY_FILE_RANGE, a, &in, sizeof(in), NULL, NULL), -EINVAL);
	in.off_in = 0;
	in.flags = 1;
	assert_int_equal(call(FUSE_COPY_FILE_RANGE, a, &in, sizeof(in), NULL, NULL), -EINVAL);
	in.flags = 0;
	in.fh_out = in.fh_in;
	assert_int_equal(call(FUSE_COPY_FILE_RANGE, a, &in, sizeof(in), NULL, NULL), -EBADF);
}

static void test_tmpfile(void **state)
{
	struct fuse_create_in in = {.flags = O_RDWR, .mode = 0600};
	struct fuse_entry_out e;
	struct created c;
	int rc = call(FUSE_TMPFILE, 1, &in, sizeof(in), "x", NULL);

	(void)state;
	if (rc == -EOPNOTSUPP || rc == -EISDIR) {
		print_message("# the file system has no O_TMPFILE\n");
		skip();
	}
	assert_int_equal(rc, 0);
	answer_as(struct created, &c);
	assert_int_equal(c.entry.attr.nlink, 0);
	assert_int_equal(do_write(c.entry.nodeid, c.open.fh, 0, "late", 4), 4);
	assert_int_equal(do_link(c.entry.nodeid, 1, "named", &e), 0);
	assert_int_equal(e.nodeid, c.entry.nodeid);
	host_content("named", "late", 4);
}

static void test_owner(void **state)
{
	struct fuse_entry_out e;
	struct created c;

	(void)state;
	needs_root();
	assert_int_equal(fchmod(root_fd, 0755), 0); /* the guest has let them in already */
	client_uid = 1000;
	client_gid = 1001;
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT, 0644, &c), 0);
	assert_int_equal(c.entry.attr.uid, 1000);
	assert_int_equal(c.entry.attr.gid, 1001);
	assert_int_equal(do_mkdir(1, "dir", 0755, &e), 0);
	assert_int_equal(e.attr.uid, 1000);
	assert_int_equal(do_mknod(1, "fifo", S_IFIFO | 0600, &e), 0);
	assert_int_equal(e.attr.gid, 1001);
	assert_int_equal(do_symlink(1, "link", "x", &e), 0);
	assert_int_equal(e.attr.uid, 1000);
	client_uid = (uint32_t)-1;
	assert_int_equal(do_mkdir(1, "nobody", 0755, &e), -EINVAL);
	client_uid = 0;
	assert_int_equal(do_mkdir(1, "dir2", 0755, &e), 0);
	assert_int_equal(e.attr.uid, 0);
	assert_int_equal(e.attr.gid, 1001);
	client_gid = 0;
	assert_int_equal(do_mkdir(1, "dir3", 0755, &e), 0);
	assert_int_equal(e.attr.gid, 0);
}

static void test_setgid_directory(void **state)
{
	struct fuse_entry_out e;
	struct created c;

	(void)state;
	needs_root();
	assert_int_equal(fchown(root_fd, 0, 4000), 0);
	assert_int_equal(fchmod(root_fd, 02777), 0);
	client_uid = client_gid = 1000;
	assert_int_equal(do_mkdir(1, "dir", 0755, &e), 0);
	assert_int_equal(e.attr.gid, 4000);
	assert_int_equal(e.attr.mode, S_IFDIR | 02755);
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT, 02755, &c), 0);
	assert_int_equal(c.entry.attr.gid, 4000);
	/* No member of the group may make a program that runs with it. */
	assert_int_equal(c.entry.attr.mode, S_IFREG | 0755);
}

static void test_kill_suid(void **state)
{
	struct fuse_write_in in = {.size = 1};
	struct fuse_setattr_in set = {.valid = FATTR_SIZE, .size = 1};
	struct fuse_open_in open_in = {.flags = O_WRONLY | O_TRUNC};
	struct fuse_attr attr;
	uint64_t node;

	(void)state;
	needs_root();
	tmp_write("root/file", "content");
	node = node_of(1, "file");
	assert_int_equal(do_open(node, O_RDWR, &in.fh), 0);
	for (int killing = 0; killing < 2; killing++) {
		uint32_t mode = S_IFREG | (killing ? 0755 : 06755);

		assert_int_equal(fchmodat(root_fd, "file", 06755, 0), 0);
		in.write_flags = killing ? FUSE_WRITE_KILL_SUIDGID : 0;
		client_begin(FUSE_WRITE, node);
		client_add(&in, sizeof(in));
		client_add("x", 1);
		assert_int_equal(client_send(), 0);
		assert_int_equal(host_stat("file").st_mode, mode);

		assert_int_equal(fchmodat(root_fd, "file", 06755, 0), 0);
		set.valid = FATTR_SIZE | (killing ? FATTR_KILL_SUIDGID : 0);
		assert_int_equal(do_setattr(node, &set, &attr), 0);
		assert_int_equal(host_stat("file").st_mode, mode);

		assert_int_equal(fchmodat(root_fd, "file", 06755, 0), 0);
		open_in.open_flags = killing ? FUSE_OPEN_KILL_SUIDGID : 0;
		assert_int_equal(call(FUSE_OPEN, node, &open_in, sizeof(open_in), NULL, NULL), 0);
		assert_int_equal(host_stat("file").st_mode, mode);
	}
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
	assert_int_equal(do_fallocate(node, fh, 0, 100, 0), -EROFS);
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

static uint32_t open_flags_of(uint64_t node)
{
	struct fuse_open_in in = {.flags = O_RDONLY};
	struct fuse_open_out out;

	assert_int_equal(call(FUSE_OPEN, node, &in, sizeof(in), NULL, NULL), 0);
	answer_as(struct fuse_open_out, &out);
	assert_int_equal(do_release(node, out.fh), 0);
	return out.open_flags;
}

static void test_cache_modes(void **state)
{
	struct fuse_entry_out e;
	uint64_t node;

	(void)state;
	tmp_write("root/file", "content");
	client_start(&(struct client_config){.cache = FSD_CACHE_NEVER});
	assert_int_equal(do_lookup(1, "file", &e), 0);
	assert_int_equal(e.entry_valid, 0);
	assert_int_equal(e.attr_valid, 0);
	assert_true(open_flags_of(e.nodeid) & FOPEN_DIRECT_IO);
	assert_int_equal(do_lookup(1, "missing", &e), -ENOENT);

	client_start(&(struct client_config){.cache = FSD_CACHE_ALWAYS});
	assert_int_equal(do_lookup(1, "file", &e), 0);
	assert_true(e.entry_valid > 3600);
	assert_true(open_flags_of(e.nodeid) & FOPEN_KEEP_CACHE);
	assert_int_equal(do_lookup(1, "missing", &e), 0);
	assert_int_equal(e.nodeid, 0);
	assert_true(e.entry_valid > 3600);

	client_start(&(struct client_config){.cache = FSD_CACHE_AUTO});
	node = node_of(1, "file");
	assert_false(open_flags_of(node) & FOPEN_KEEP_CACHE);
	assert_false(open_flags_of(node) & FOPEN_KEEP_CACHE); /* changed a moment ago */
	(void)nanosleep(&(struct timespec){3, 500000000}, NULL);
	assert_false(open_flags_of(node) & FOPEN_KEEP_CACHE);
	assert_true(open_flags_of(node) & FOPEN_KEEP_CACHE);
	tmp_write("root/file", "changed");
	assert_false(open_flags_of(node) & FOPEN_KEEP_CACHE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(test_init),
		client_test(test_init_first),
		client_test(test_lookup),
		client_test(test_forget),
		client_test(test_create_write_read),
		client_test(test_cut_bytewise),
		client_test(test_open_flags),
		client_test(test_create_existing),
		client_test(test_setattr),
		client_test(test_setattr_symlink),
		client_test(test_make_nodes),
		client_test(test_symlink),
		client_test(test_remove_and_rename),
		client_test(test_link_symlink),
		client_test(test_readdir),
		client_test(test_readdir_seek),
		client_test(test_xattr),
		client_test(test_xattr_hidden),
		client_test(test_file_capability),
		client_test(test_statfs),
		client_test(test_access),
		client_test(test_sync),
		client_test(test_space),
		client_test(test_copy_file_range),
		client_test(test_tmpfile),
		client_test(test_owner),
		client_test(test_setgid_directory),
		client_test(test_kill_suid),
		client_test(test_readonly),
		client_test(test_unknown_operations),
		client_test(test_cache_modes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
