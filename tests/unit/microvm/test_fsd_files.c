/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE server's operations on regular files: content, space, extended attributes, owners and
 * modes, and how long the guest may keep what it read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <time.h>

#include "base/mem.h"
#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fsd_client.h"

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
		client_test(test_create_write_read),
		client_test(test_cut_bytewise),
		client_test(test_open_flags),
		client_test(test_create_existing),
		client_test(test_xattr),
		client_test(test_xattr_hidden),
		client_test(test_file_capability),
		client_test(test_sync),
		client_test(test_space),
		client_test(test_copy_file_range),
		client_test(test_tmpfile),
		client_test(test_owner),
		client_test(test_setgid_directory),
		client_test(test_kill_suid),
		client_test(test_cache_modes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
