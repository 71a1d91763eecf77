/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames and fields: what is sent arrives, and what no honest side sends is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "microvm/proto.h"
#include "tests/unit/leaks.h"

static struct proto_reader reader;
static struct proto_writer writer;
static struct err err;

static int set_up(void **state)
{
	proto_reader_init(&reader);
	proto_writer_init(&writer);
	return leaks_setup(state);
}

static int tear_down(void **state)
{
	proto_reader_release(&reader);
	proto_writer_release(&writer);
	return leaks_teardown(state);
}

static void queue(uint16_t op, uint32_t id, const struct buf *b)
{
	struct proto_frame f = {.op = op, .id = id, .body = proto_body_of(b)};

	assert_int_equal(proto_send(&writer, &f, &err), 0);
}

static int feed(const void *data, size_t len, size_t *used)
{
	return proto_feed(&reader, data, len, used, &err);
}

/* A header by hand. */
static void header(uint8_t h[static PROTO_HEADER_LEN], uint32_t len, uint16_t flags, uint32_t error)
{
	memset(h, 0, PROTO_HEADER_LEN);
	memcpy(h, &len, 4);
	h[4] = PROTO_PS;
	memcpy(h + 6, &flags, 2);
	memcpy(h + 12, &error, 4);
}

static void test_layout(void **state)
{
	struct proto_frame f = {
		.op = PROTO_SIGNAL, .flags = PROTO_REPLY, .id = 0x11223344, .error = ENOENT};
	static const uint8_t want[] = {
		12,     0, 0, 0, PROTO_SIGNAL,   0, PROTO_REPLY, 0, 0x44, 0x33, 0x22, 0x11,
		ENOENT, 0, 0, 0, PROTO_F_SIGNAL, 0, 0,           0, 4,    0,    0,    0,
		9,      1, 0, 0,
	};
	BUF b = BUF_INIT;

	(void)state;
	proto_put_u32(&b, PROTO_F_SIGNAL, 0x109);
	f.body = proto_body_of(&b);
	assert_int_equal(proto_send(&writer, &f, &err), 0);
	assert_int_equal(writer.out.len, sizeof(want));
	assert_memory_equal(writer.out.data, want, sizeof(want));
}

static void test_every_field_comes_back(void **state)
{
	static const char *const words[] = {"a", "", "bc", NULL};
	static const uint64_t numbers[] = {1, UINT64_MAX};
	static const uint32_t pids[] = {7, UINT32_MAX};
	struct proto_body body;
	BUF b = BUF_INIT;
	FREE char *text = NULL;
	FREE char **list = NULL;
	FREE uint32_t *got = NULL;
	uint64_t u64 = 0, u64s[2] = {0};
	uint32_t u32 = 0;
	uint8_t token[4];
	const uint8_t *bytes;
	size_t n = 0;

	(void)state;
	proto_put_u32(&b, PROTO_F_PID, 0xfedcba98);
	proto_put_u64(&b, PROTO_F_CLOCK_NS, 0xfedcba9876543210);
	proto_put_string(&b, PROTO_F_ID, "box");
	proto_put_bytes(&b, PROTO_F_ENTROPY, "\0\1\2\3", 4);
	proto_put_strings(&b, PROTO_F_TEXT, words);
	proto_put_u64s(&b, PROTO_F_WRITTEN, numbers, 2);
	proto_put_u32s(&b, PROTO_F_PIDS, pids, 2);
	body = proto_body_of(&b);
	assert_int_equal(proto_get_u32(&body, PROTO_F_PID, &u32, &err), 1);
	assert_int_equal(u32, 0xfedcba98);
	assert_int_equal(proto_get_u64(&body, PROTO_F_CLOCK_NS, &u64, &err), 1);
	assert_int_equal(u64, 0xfedcba9876543210);
	assert_int_equal(proto_get_string(&body, PROTO_F_ID, 3, &text, &err), 1);
	assert_string_equal(text, "box");
	assert_int_equal(proto_get_array(&body, PROTO_F_ENTROPY, token, 4, &err), 1);
	assert_memory_equal(token, "\0\1\2\3", 4);
	assert_int_equal(proto_get_bytes(&body, PROTO_F_ENTROPY, &bytes, &n, &err), 1);
	assert_int_equal(n, 4);
	assert_int_equal(proto_get_strings(&body, PROTO_F_TEXT, 3, &list, &err), 1);
	for (size_t i = 0; words[i]; i++)
		assert_string_equal(list[i], words[i]);
	assert_null(list[3]);
	assert_int_equal(proto_get_u64s(&body, PROTO_F_WRITTEN, u64s, 2, &n, &err), 1);
	assert_int_equal(n, 2);
	assert_memory_equal(u64s, numbers, sizeof(numbers));
	assert_int_equal(proto_get_u32s(&body, PROTO_F_PIDS, &got, &n, &err), 1);
	assert_int_equal(n, 2);
	assert_memory_equal(got, pids, sizeof(pids));
}

/* A body that ends inside a field, or whose header has what must be 0, is none, also without a frame. */
static void test_body_that_is_checked(void **state)
{
	const struct proto_body nothing = {NULL, 0};
	BUF b = BUF_INIT;
	struct proto_body body;

	(void)state;
	assert_int_equal(proto_check(&nothing, &err), 0);
	proto_put_string(&b, PROTO_F_ID, "box");
	proto_put_u32(&b, PROTO_F_PID, 1);
	body = proto_body_of(&b);
	assert_int_equal(proto_check(&body, &err), 0);
	for (body.len = 1; body.len < b.len; body.len++)
		assert_int_equal(proto_check(&body, &err), body.len == 8 + 3 ? 0 : -EPROTO);
	b.data[2] = 1;
	body.len = b.len;
	assert_int_equal(proto_check(&body, &err), -EPROTO);
}

static void test_absent_field_leaves_result(void **state)
{
	struct proto_body body = {NULL, 0};
	uint32_t u32 = 5;
	char *text = NULL;

	(void)state;
	assert_int_equal(proto_get_u32(&body, PROTO_F_PID, &u32, &err), 0);
	assert_int_equal(u32, 5);
	assert_int_equal(proto_get_string(&body, PROTO_F_ID, 10, &text, &err), 0);
	assert_null(text);
}

static void test_wrong_shapes(void **state)
{
	struct proto_body body;
	BUF b = BUF_INIT;
	uint32_t u32 = 5, *u32s = NULL;
	uint64_t u64 = 5;
	uint8_t token[2];
	char *text = NULL, **list = NULL;
	size_t n = 0;

	(void)state;
	proto_put_bytes(&b, PROTO_F_ID, "a\0b", 3);
	body = proto_body_of(&b);
	assert_int_equal(proto_get_u32(&body, PROTO_F_ID, &u32, &err), -EPROTO);
	assert_int_equal(proto_get_u64(&body, PROTO_F_ID, &u64, &err), -EPROTO);
	assert_int_equal(proto_get_array(&body, PROTO_F_ID, token, 2, &err), -EPROTO);
	assert_int_equal(proto_get_string(&body, PROTO_F_ID, 10, &text, &err), -EPROTO);
	assert_int_equal(proto_get_string(&body, PROTO_F_ID, 2, &text, &err), -EPROTO);
	assert_int_equal(proto_get_strings(&body, PROTO_F_ID, 10, &list, &err), -EPROTO);
	assert_int_equal(proto_get_u64s(&body, PROTO_F_ID, &u64, 1, &n, &err), -EPROTO);
	assert_int_equal(proto_get_u32s(&body, PROTO_F_ID, &u32s, &n, &err), -EPROTO);
	assert_int_equal(u32, 5);
	assert_null(text);
	assert_null(list);
	assert_null(u32s);
	buf_reset(&b);
	proto_put_bytes(&b, PROTO_F_TEXT, "\0\0\0", 3);
	proto_put_bytes(&b, PROTO_F_WRITTEN, "0123456789abcdef", 16);
	body = proto_body_of(&b);
	assert_int_equal(proto_get_strings(&body, PROTO_F_TEXT, 2, &list, &err), -EPROTO);
	assert_int_equal(proto_get_u64s(&body, PROTO_F_WRITTEN, &u64, 1, &n, &err), -EPROTO);
}

static void test_first_of_two_counts(void **state)
{
	struct proto_body body;
	BUF b = BUF_INIT;
	uint32_t u32 = 0;

	(void)state;
	proto_put_u32(&b, PROTO_F_PID, 1);
	proto_put_u32(&b, PROTO_F_PID, 2);
	body = proto_body_of(&b);
	assert_int_equal(proto_get_u32(&body, PROTO_F_PID, &u32, &err), 1);
	assert_int_equal(u32, 1);
}

/* Byte by byte, and in one go with the next frame behind. */
static void test_pieces(void **state)
{
	BUF b = BUF_INIT;
	size_t used = 0, first;

	(void)state;
	proto_put_string(&b, PROTO_F_ID, "box");
	queue(PROTO_START, 1, &b);
	first = writer.out.len;
	buf_reset(&b);
	queue(PROTO_SHUTDOWN, 2, &b);
	for (size_t i = 0; i < first; i++) {
		int want = i + 1 < first ? PROTO_READ_AGAIN : PROTO_READ_FRAME;

		assert_int_equal(feed(writer.out.data + i, 1, &used), want);
		assert_int_equal(used, 1);
	}
	assert_int_equal(reader.frame.op, PROTO_START);
	assert_int_equal(reader.frame.body.len, 8 + 3);
	assert_int_equal(feed(writer.out.data, writer.out.len, &used), PROTO_READ_FRAME);
	assert_int_equal(used, first);
	assert_int_equal(feed(writer.out.data + first, writer.out.len - first, &used),
			 PROTO_READ_FRAME);
	assert_int_equal(reader.frame.op, PROTO_SHUTDOWN);
	assert_int_equal(reader.frame.id, 2);
	assert_int_equal(reader.frame.body.len, 0);
}

static void test_bad_headers(void **state)
{
	static const struct {
		uint32_t len;
		uint16_t flags;
		uint32_t error;
	} bad[] = {
		{PROTO_BODY_MAX + 1, 0, 0},
		{UINT32_MAX, 0, 0},
		{0, 2, 0},
		{0, 0x8001, 0},
		{0, 1, 4096},
		{0, 1, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t h[PROTO_HEADER_LEN];
		size_t used;

		header(h, bad[i].len, bad[i].flags, bad[i].error);
		assert_int_equal(feed(h, sizeof(h), &used), -EPROTO);
		proto_reader_release(&reader);
	}
}

static void test_bad_fields(void **state)
{
	static const struct {
		size_t len;
		uint8_t body[24];
	} bad[] = {
		{1, {0}},                                      /* no field header */
		{7, {1, 0, 0, 0, 0, 0, 0}},                    /* nearly one */
		{8, {1, 0, 0, 0, 1, 0, 0, 0}},                 /* a value beyond the end */
		{8, {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},     /* that wraps */
		{12, {1, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0}},    /* the zero is not */
		{13, {1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0}}, /* a rest */
		{16, {1, 0, 0, 0, 0xf8, 0xff, 0xff, 0xff}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t frame[PROTO_HEADER_LEN + 24];
		size_t used;

		header(frame, (uint32_t)bad[i].len, 0, 0);
		memcpy(frame + PROTO_HEADER_LEN, bad[i].body, bad[i].len);
		assert_int_equal(feed(frame, PROTO_HEADER_LEN + bad[i].len, &used), -EPROTO);
		proto_reader_release(&reader);
	}
}

/* A header that promises the most costs nothing until bytes come. */
static void test_memory_follows_bytes(void **state)
{
	uint8_t h[PROTO_HEADER_LEN];
	size_t used;

	(void)state;
	header(h, PROTO_BODY_MAX, 0, 0);
	assert_int_equal(feed(h, sizeof(h), &used), PROTO_READ_AGAIN);
	assert_int_equal(reader.cap_body, 0);
	assert_int_equal(feed("x", 1, &used), PROTO_READ_AGAIN);
	assert_true(reader.cap_body < 1024);
}

static void test_largest_body(void **state)
{
	FREE char *data = mem_xalloc(PROTO_BODY_MAX);
	struct proto_frame f = {.op = PROTO_CREATE};
	BUF b = BUF_INIT;
	size_t used = 0;

	(void)state;
	proto_put_bytes(&b, PROTO_F_CONFIG, data, PROTO_BODY_MAX - 8);
	f.body = proto_body_of(&b);
	assert_int_equal(proto_send(&writer, &f, &err), 0);
	assert_int_equal(feed(writer.out.data, writer.out.len, &used), PROTO_READ_FRAME);
	assert_int_equal(reader.frame.body.len, PROTO_BODY_MAX);
	buf_addc(&b, '\0');
	f.body = proto_body_of(&b);
	assert_int_equal(proto_send(&writer, &f, &err), -E2BIG);
}

static void test_queue_is_bounded(void **state)
{
	struct proto_frame f = {.op = PROTO_PS};
	int rc = 0;

	(void)state;
	writer.max = 100;
	for (int i = 0; i < 100 / PROTO_HEADER_LEN; i++)
		assert_int_equal(proto_send(&writer, &f, &err), 0);
	rc = proto_send(&writer, &f, &err);
	assert_int_equal(rc, -ENOBUFS);
}

static void test_socket(void **state)
{
	struct proto_frame f = {.op = PROTO_CREATE};
	FREE char *data = mem_xalloc(600000);
	BUF b = BUF_INIT;
	int s[2], rc, frames = 0, left = 1;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
	assert_int_equal(proto_read(&reader, s[0], &err), PROTO_READ_AGAIN);
	proto_put_bytes(&b, PROTO_F_CONFIG, data, 600000);
	f.body = proto_body_of(&b);
	for (uint32_t i = 0; i < 3; i++) {
		f.id = i;
		assert_int_equal(proto_send(&writer, &f, &err), 0);
	}
	while (frames < 3) {
		if (left)
			left = proto_flush(&writer, s[1], &err);
		assert_true(left >= 0);
		rc = proto_read(&reader, s[0], &err);
		if (rc == PROTO_READ_FRAME)
			assert_int_equal(reader.frame.id, frames++);
		else
			assert_int_equal(rc, PROTO_READ_AGAIN);
	}
	assert_int_equal(left, 0);
	assert_int_equal(proto_read(&reader, s[0], &err), PROTO_READ_AGAIN);
	assert_int_equal(send(s[1], "cut", 3, 0), 3);
	close(s[1]);
	assert_int_equal(proto_read(&reader, s[0], &err), -ECONNRESET);
	close(s[0]);
}

static void test_end_between_frames(void **state)
{
	int s[2];
	BUF b = BUF_INIT;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
	queue(PROTO_PS, 1, &b);
	assert_int_equal(proto_flush(&writer, s[1], &err), 0);
	close(s[1]);
	assert_int_equal(proto_read(&reader, s[0], &err), PROTO_READ_FRAME);
	assert_int_equal(proto_read(&reader, s[0], &err), PROTO_READ_END);
	assert_int_equal(proto_send(&writer, &(struct proto_frame){.op = PROTO_PS}, &err), 0);
	assert_int_equal(proto_flush(&writer, s[0], &err), -EPIPE);
	close(s[0]);
}

static void test_every_operation_has_a_name(void **state)
{
	(void)state;
	for (unsigned int op = PROTO_HELLO; op < PROTO_OP_END; op++)
		assert_string_not_equal(proto_op_name(op), "?");
	assert_string_equal(proto_op_name(0), "?");
	assert_string_equal(proto_op_name(PROTO_OP_END), "?");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_layout),
		TEST(test_every_field_comes_back),
		TEST(test_body_that_is_checked),
		TEST(test_absent_field_leaves_result),
		TEST(test_wrong_shapes),
		TEST(test_first_of_two_counts),
		TEST(test_pieces),
		TEST(test_bad_headers),
		TEST(test_bad_fields),
		TEST(test_memory_follows_bytes),
		TEST(test_largest_body),
		TEST(test_queue_is_bounded),
		TEST(test_socket),
		TEST(test_end_between_frames),
		TEST(test_every_operation_has_a_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
