/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Content after many operations in random order: each is done to one file through the FUSE server
 * and to another directly, and the two must stay the same. A seed gives the same run again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/unit/base/tmp.h"
#include "tests/unit/microvm/fsd_client.h"

#define N_OPS    20000
#define MAX_SIZE (200u << 10)
#define MAX_PART 70000u

static uint64_t seed;
static uint64_t node, fh;
static int plain_fd; /* the model */
static char data[MAX_PART];
static bool holes; /* the file system can make them */

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static uint64_t plain_size(void)
{
	struct stat st;

	assert_int_equal(fstat(plain_fd, &st), 0);
	return (uint64_t)st.st_size;
}

static void make_data(uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		data[i] = (char)random_below(256);
}

static void op_write(void)
{
	uint32_t at = random_below(MAX_SIZE - MAX_PART);
	uint32_t len = 1 + random_below(random_below(8) ? 5000 : MAX_PART);

	make_data(len);
	assert_int_equal(pwrite(plain_fd, data, len, at), len);
	assert_int_equal(do_write(node, fh, at, data, len), len);
}

static void op_append(void)
{
	struct fuse_write_in in = {.fh = fh, .flags = O_APPEND | O_RDWR};
	uint64_t size = plain_size();

	in.size = 1 + random_below(500);
	if (size + in.size > MAX_SIZE)
		return;
	make_data(in.size);
	assert_int_equal(pwrite(plain_fd, data, in.size, (off_t)size), in.size);
	client_begin(FUSE_WRITE, node);
	client_add(&in, sizeof(in));
	client_add(data, in.size);
	assert_int_equal(client_send(), 0);
}

static void op_read(void)
{
	uint32_t at = random_below(MAX_SIZE);
	uint32_t len = 1 + random_below(MAX_PART);
	ssize_t n = pread(plain_fd, data, len, at);

	assert_true(n >= 0);
	assert_int_equal(do_read(node, fh, at, len), n);
	assert_memory_equal(answer, data, (size_t)n);
}

static void op_truncate(void)
{
	struct fuse_setattr_in in = {.valid = FATTR_SIZE, .size = random_below(MAX_SIZE)};
	struct fuse_attr attr;

	if (random_below(2)) {
		in.valid |= FATTR_FH;
		in.fh = fh;
	}
	assert_int_equal(ftruncate(plain_fd, (off_t)in.size), 0);
	assert_int_equal(do_setattr(node, &in, &attr), 0);
	assert_int_equal(attr.size, in.size);
}

static void op_fallocate(void)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE};
	struct fuse_fallocate_in in = {.fh = fh, .offset = random_below(MAX_SIZE - MAX_PART)};

	in.length = 1 + random_below(MAX_PART);
	in.mode = (uint32_t)modes[random_below(ARRAY_SIZE(modes))];
	if (!holes && in.mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE)
		return;
	assert_int_equal(fallocate(plain_fd, (int)in.mode, (off_t)in.offset, (off_t)in.length), 0);
	assert_int_equal(call(FUSE_FALLOCATE, node, &in, sizeof(in), NULL, NULL), 0);
}

/* From one place of the file to another. */
static void op_copy(void)
{
	struct fuse_copy_file_range_in in = {.fh_in = fh, .fh_out = fh, .nodeid_out = node};
	struct fuse_write_out out;
	off64_t from, to;
	ssize_t n;

	in.len = 1 + random_below(30000);
	in.off_in = random_below(MAX_SIZE / 2 - 30000);
	in.off_out = MAX_SIZE / 2 + random_below(MAX_SIZE / 2 - 30000);
	from = (off64_t)in.off_in;
	to = (off64_t)in.off_out;
	n = copy_file_range(plain_fd, &from, plain_fd, &to, in.len, 0);
	assert_true(n >= 0);
	assert_int_equal(call(FUSE_COPY_FILE_RANGE, node, &in, sizeof(in), NULL, NULL), 0);
	answer_as(struct fuse_write_out, &out);
	assert_int_equal(out.size, n);
}

static void op_reopen(void)
{
	assert_int_equal(do_release(node, fh), 0);
	if (random_below(2)) {
		do_forget(node, UINT64_MAX);
		node = node_of(1, "file");
	}
	if (random_below(20) == 0) {
		assert_int_equal(ftruncate(plain_fd, 0), 0);
		assert_int_equal(do_open(node, O_RDWR | O_TRUNC, &fh), 0);
	} else {
		assert_int_equal(do_open(node, O_RDWR, &fh), 0);
	}
}

static void compare_all(void)
{
	uint64_t size = plain_size();
	struct fuse_attr attr;

	assert_int_equal(do_getattr(node, &attr), 0);
	assert_int_equal(attr.size, size);
	for (uint64_t at = 0; at < size; at += MAX_PART) {
		ssize_t n = pread(plain_fd, data, MAX_PART, (off_t)at);

		assert_true(n > 0);
		assert_int_equal(do_read(node, fh, at, MAX_PART), n);
		assert_memory_equal(answer, data, (size_t)n);
	}
}

static void run(uint64_t first_seed)
{
	static void (*const ops[])(void) = {op_write, op_write, op_append,   op_read,
					    op_read,  op_read,  op_truncate, op_fallocate,
					    op_copy,  op_reopen};
	static const size_t cuts[] = {0, 0, 512, 4096, 1 << 16, 777};
	struct created c;

	seed = first_seed;
	plain_fd = openat(tmp_fd, "plain", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(plain_fd >= 0);
	holes = fallocate(plain_fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 1) == 0 &&
		fallocate(plain_fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 0, 1) == 0;
	assert_int_equal(do_create(1, "file", O_RDWR | O_CREAT, 0600, &c), 0);
	node = c.entry.nodeid;
	fh = c.open.fh;
	for (unsigned int i = 0; i < N_OPS; i++) {
		client_cut = cuts[random_below(ARRAY_SIZE(cuts))];
		ops[random_below(ARRAY_SIZE(ops))]();
		if (i % 500 == 499)
			compare_all();
	}
	compare_all();
	assert_int_equal(do_release(node, fh), 0);
	fd_close(plain_fd);
}

static void test_content(void **state)
{
	(void)state;
	run(20261121);
}

/* With so few descriptors that nodes lose theirs all the time. */
static void test_content_few_fds(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "root/%d", i);
		tmp_write(name, "");
	}
	client_start(&(struct client_config){.max_fds = 3});
	for (int i = 0; i < 8; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%d", i);
		assert_true(node_of(1, name));
	}
	run(4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(test_content),
		client_test(test_content_few_fds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
