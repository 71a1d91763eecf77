/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * More files than descriptors: nodes lose theirs and are found again by name, as the same file or not
 * at all. Forgotten nodes and closed files leave nothing open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fsd_client.h"

#define N_FILES 200
#define MAX_FDS 16

static uint64_t nodes[N_FILES];

static const char *file_name(int i)
{
	static char name[32];

	(void)snprintf(name, sizeof(name), "file%d", i);
	return name;
}

static struct fsd_stats stats_now(void)
{
	struct fsd_stats s;

	fsd_stats(fs, &s);
	assert_true(s.fds <= MAX_FDS);
	return s;
}

/* Files in dir (node), all looked up; the first ones have lost their descriptors after that. */
static void make_files(const char *dir, uint64_t node)
{
	char path[64];

	for (int i = 0; i < N_FILES; i++) {
		(void)snprintf(path, sizeof(path), "root/%s/%s", dir, file_name(i));
		tmp_write(path, file_name(i));
	}
	for (int i = 0; i < N_FILES; i++)
		nodes[i] = node_of(node, file_name(i));
	assert_true(stats_now().evicted >= N_FILES - MAX_FDS);
}

static void few_fds(void)
{
	client_start(&(struct client_config){.max_fds = MAX_FDS});
}

static void test_many_nodes(void **state)
{
	struct fuse_attr attr;

	(void)state;
	few_fds();
	make_files(".", 1);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N_FILES; i++) {
			assert_int_equal(do_getattr(nodes[i], &attr), 0);
			assert_guest_content(nodes[i], file_name(i));
			assert_int_equal(node_of(1, file_name(i)), nodes[i]);
		}
	}
	assert_int_equal(stats_now().nodes, N_FILES + 1);
	for (int i = 0; i < N_FILES; i++)
		do_forget(nodes[i], UINT64_MAX);
	assert_int_equal(stats_now().nodes, 1);
	assert_int_equal(stats_now().fds, 0);
	for (int i = 0; i < N_FILES; i++)
		assert_int_equal(do_getattr(nodes[i], &attr), -ESTALE);
}

/* What is open cannot be closed for others. */
static void test_many_handles(void **state)
{
	uint64_t fhs[MAX_FDS], fh;
	int n, rc = 0;

	(void)state;
	few_fds();
	make_files(".", 1);
	for (n = 0; n < MAX_FDS; n++) {
		rc = do_open(nodes[n], O_RDONLY, &fhs[n]);
		if (rc)
			break;
	}
	assert_true(n >= MAX_FDS - 2);
	assert_int_equal(do_open(nodes[100], O_RDONLY, &fh), -ENFILE);
	for (int i = 0; i < n; i++) {
		assert_int_equal(do_read(1, fhs[i], 0, 100), strlen(file_name(i)));
		assert_int_equal(do_release(1, fhs[i]), 0);
	}
	assert_int_equal(stats_now().handles, 0);
	assert_guest_content(nodes[100], file_name(100));
	/* Those that the guest never closes go with it. */
	for (n = 0; n < 5; n++)
		assert_int_equal(do_open(nodes[n], O_RDONLY, &fhs[n]), 0);
	fsd_reset(fs);
	assert_int_equal(stats_now().fds, 0);
}

/* Without a name there is no way back, so such a file keeps its descriptor. */
static void test_removed(void **state)
{
	struct fuse_attr attr;

	(void)state;
	few_fds();
	make_files(".", 1);
	assert_int_equal(do_unlink(1, "file0"), 0);
	assert_int_equal(do_rename(1, "file5", 1, "file1"), 0);
	for (int i = 10; i < N_FILES; i++)
		assert_guest_content(nodes[i], file_name(i));
	assert_int_equal(do_getattr(nodes[0], &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_guest_content(nodes[0], "file0");
	assert_guest_content(nodes[1], "file1");
	assert_guest_content(nodes[5], "file5");
	assert_int_equal(node_of(1, "file1"), nodes[5]);
	/* A directory of that sort. */
	assert_int_equal(mkdirat(root_fd, "dir", 0755), 0);
	nodes[0] = node_of(1, "dir");
	for (int i = 10; i < N_FILES; i++)
		assert_guest_content(nodes[i], file_name(i));
	assert_int_equal(do_rmdir(1, "dir"), 0);
	assert_int_equal(do_getattr(nodes[0], &attr), 0);
}

static void test_only_removed(void **state)
{
	struct fuse_attr attr;
	struct fuse_entry_out e;
	int n = 0, rc;

	(void)state;
	few_fds();
	for (int i = 0; i < 2 * MAX_FDS; i++) {
		assert_int_equal(do_mknod(1, file_name(i), S_IFREG | 0600, &e), 0);
		nodes[i] = e.nodeid;
		assert_int_equal(do_unlink(1, file_name(i)), 0);
		(void)stats_now();
	}
	for (int i = 0; i < 2 * MAX_FDS; i++) {
		rc = do_getattr(nodes[i], &attr);
		assert_true(rc == 0 || rc == -ENFILE || rc == -ESTALE);
		n += rc == 0;
	}
	assert_true(n >= MAX_FDS - 1);
	/* Room again. */
	for (int i = 0; i < 2 * MAX_FDS; i++)
		do_forget(nodes[i], 1);
	make_files(".", 1);
	assert_guest_content(nodes[3], "file3");
}

static void test_renamed(void **state)
{
	struct fuse_attr attr;
	struct fuse_entry_out e;
	uint64_t dir, other;

	(void)state;
	few_fds();
	assert_int_equal(do_mkdir(1, "dir", 0755, &e), 0);
	dir = e.nodeid;
	assert_int_equal(do_mkdir(1, "other", 0755, &e), 0);
	other = e.nodeid;
	make_files("dir", dir);
	/* By the guest, below and above them. */
	assert_int_equal(do_rename(dir, "file3", dir, "renamed"), 0);
	assert_int_equal(do_rename2(dir, "file6", dir, "file7", RENAME_EXCHANGE), 0);
	assert_int_equal(do_rename(1, "dir", other, "moved"), 0);
	for (int i = 0; i < N_FILES; i++)
		assert_guest_content(nodes[i], file_name(i));
	/* By others: the old names lead nowhere, or to another file. */
	assert_int_equal(renameat(root_fd, "other/moved/file1", root_fd, "gone"), 0);
	assert_int_equal(renameat(root_fd, "other/moved/file2", root_fd, "other/moved/file4"), 0);
	for (int i = 10; i < N_FILES; i++)
		assert_guest_content(nodes[i], file_name(i));
	assert_int_equal(do_getattr(nodes[1], &attr), -ESTALE);
	assert_int_equal(do_getattr(nodes[2], &attr), -ESTALE);
	assert_int_equal(do_getattr(nodes[4], &attr), -ESTALE);
	/* Found again under its new name it is the same. */
	assert_int_equal(node_of(1, "gone"), nodes[1]);
	assert_guest_content(nodes[1], "file1");
	assert_int_equal(node_of(dir, "file4"), nodes[2]);
	assert_guest_content(nodes[2], "file2");
}

/* A new file with the name, and perhaps the inode number, of one that the host removed. */
static void test_replaced(void **state)
{
	struct fuse_attr attr;
	uint64_t node;

	(void)state;
	few_fds();
	make_files(".", 1);
	assert_int_equal(unlinkat(root_fd, "file0", 0), 0);
	tmp_write("root/file0", "another");
	assert_int_equal(do_getattr(nodes[0], &attr), -ESTALE);
	node = node_of(1, "file0");
	assert_true(node != nodes[0]);
	assert_guest_content(node, "another");
	assert_int_equal(do_getattr(nodes[0], &attr), -ESTALE);
	do_forget(nodes[0], 1);
	assert_guest_content(node, "another");
}

/* Directories that the guest forgot while it knows what is below. */
static void test_forgotten_parents(void **state)
{
	struct fuse_entry_out e;
	uint64_t dirs[10], at = 1;

	(void)state;
	few_fds();
	for (int i = 0; i < 10; i++) {
		assert_int_equal(do_mkdir(at, "d", 0755, &e), 0);
		at = dirs[i] = e.nodeid;
	}
	make_files("d/d/d/d/d/d/d/d/d/d", at);
	for (int i = 0; i < 10; i++)
		do_forget(dirs[i], 1);
	for (int i = 0; i < N_FILES; i++)
		assert_guest_content(nodes[i], file_name(i));
	/* Known again, under a new number. */
	assert_true(node_of(1, "d") != dirs[0]);
	assert_int_equal(do_rename(1, "d", 1, "e"), 0);
	for (int i = 0; i < N_FILES; i++)
		assert_guest_content(nodes[i], file_name(i));
	for (int i = 0; i < N_FILES; i++)
		do_forget(nodes[i], UINT64_MAX);
	do_forget(node_of(1, "e"), UINT64_MAX);
	assert_int_equal(stats_now().nodes, 1);
}

/* Two directories that the host puts into each other by turns: what is known of them is a ring. */
static void test_ring(void **state)
{
	uint64_t a, b;
	struct fuse_attr attr;
	int rc;

	(void)state;
	few_fds();
	assert_int_equal(mkdirat(root_fd, "a", 0755), 0);
	assert_int_equal(mkdirat(root_fd, "a/b", 0755), 0);
	tmp_write("root/a/b/file", "");
	a = node_of(1, "a");
	b = node_of(a, "b");
	(void)node_of(b, "file");
	assert_int_equal(renameat(root_fd, "a/b", root_fd, "b"), 0);
	assert_int_equal(renameat(root_fd, "a", root_fd, "b/a"), 0);
	assert_int_equal(node_of(b, "a"), a);
	make_files(".", 1);
	rc = do_getattr(a, &attr);
	assert_true(rc == 0 || rc == -ESTALE);
	assert_int_equal(node_of(1, "b"), b);
	assert_int_equal(do_getattr(b, &attr), 0);
	fsd_reset(fs);
	assert_int_equal(stats_now().fds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(test_many_nodes),        client_test(test_many_handles),
		client_test(test_removed),           client_test(test_only_removed),
		client_test(test_renamed),           client_test(test_replaced),
		client_test(test_forgotten_parents), client_test(test_ring),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
