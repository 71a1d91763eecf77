/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket device: how connections begin and end, and what becomes of packets that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/vsock_guest.h"

#define SHUT_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

static struct vguest g;

static int setup(void **state)
{
	(void)state;
	(void)vguest_setup_with(&g, -1);
	vguest_start(&g, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vguest_teardown(&g);
	return 0;
}

static void host_reads(const char *want)
{
	char got[256];
	ssize_t n;

	fake_turns(&g.f, 3);
	n = recv(g.host, got, sizeof(got), 0);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, (size_t)n);
}

static void host_reads_end(void)
{
	char c;

	fake_turns(&g.f, 3);
	assert_int_equal(recv(g.host, &c, 1, 0), 0);
}

static void host_is_open(void)
{
	char c;

	assert_int_equal(recv(g.host, &c, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_connect(void **state)
{
	struct virtio_vsock_hdr h;

	(void)state;
	vguest_send(&g, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_RESPONSE);
	assert_int_equal(g.port, H_PORT);
	assert_int_equal(h.src_port, H_PORT);
	assert_int_equal(h.dst_port, G_PORT);
	assert_int_equal(h.buf_alloc, VSOCK_BUF_SIZE);
	assert_int_equal(h.fwd_cnt, 0);
	assert_true(g.f.interrupts > 0);
	vguest_expect_none(&g);
}

static void test_refused(void **state)
{
	(void)state;
	g.answer = -ECONNREFUSED;
	vguest_send(&g, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
	vguest_expect_none(&g);
}

static void test_data_both_ways(void **state)
{
	struct virtio_vsock_hdr h;
	uint8_t data[RX_SIZE];

	(void)state;
	vguest_open(&g);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "from the guest", 14);
	host_reads("from the guest");
	assert_int_equal(write(g.host, "from the host", 13), 13);
	fake_turns(&g.f, 3);
	assert_true(vguest_recv(&g, &h, data));
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.len, 13);
	assert_int_equal(h.fwd_cnt, 14);
	assert_memory_equal(data, "from the host", 13);
	vguest_expect_none(&g);
}

/* Headers are found by counting bytes, wherever descriptors end. */
static void test_any_framing(void **state)
{
	char text[17] = "0123456789abcdef";

	(void)state;
	for (g.pieces = 1; g.pieces <= 16; g.pieces++) {
		struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_REQUEST, 0);

		h.src_port = g.pieces;
		vguest_send_hdr(&g, h, NULL);
		(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RESPONSE);
		h = vguest_hdr(VIRTIO_VSOCK_OP_RW, 16);
		h.src_port = g.pieces;
		vguest_send_hdr(&g, h, text);
		host_reads(text);
		h.op = VIRTIO_VSOCK_OP_RST;
		h.len = 0;
		vguest_send_hdr(&g, h, NULL);
		(void)close(g.host);
	}
	g.host = -1;
}

/* Receive buffers cut anywhere, and too short ones, which are given back unused. */
static void test_receive_framing(void **state)
{
	struct fake_buf bufs[60];
	uint64_t at = RX_AT + 512 * RX_SIZE;
	struct virtio_vsock_hdr h;
	uint16_t head;
	uint32_t len;

	(void)state;
	fake_reset(&g.f);
	vguest_start(&g, false);
	vguest_send(&g, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	vguest_give_rx(&g, 0, HDR - 1);
	vguest_give_rx(&g, 1, HDR);
	vguest_give_rx(&g, 2, HDR);
	for (unsigned int i = 0; i < 60; i++)
		bufs[i] = (struct fake_buf){at + i * 2, 1, true};
	fake_add(&g.f, RX, 3, bufs, 60);
	fake_kick(&g.f, RX);
	assert_true(fake_used(&g.f, RX, &head, &len));
	assert_int_equal(len, 0);
	assert_true(fake_used(&g.f, RX, &head, &len));
	assert_int_equal(len, HDR);
	memcpy(&h, fake_at(&g.f, RX_AT + RX_SIZE), HDR);
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RESPONSE);
	assert_int_equal(write(g.host, "scattered bytes, many", 21), 21);
	fake_turns(&g.f, 3);
	assert_true(fake_used(&g.f, RX, &head, &len));
	assert_int_equal(head, 2);
	assert_int_equal(len, 0);
	assert_true(fake_used(&g.f, RX, &head, &len));
	assert_int_equal(head, 3);
	assert_int_equal(len, 60);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(*fake_at(&g.f, at + (HDR + i) * 2), "scattered bytes, many"[i]);
}

static void test_guest_ends_sending(void **state)
{
	struct virtio_vsock_hdr h;

	(void)state;
	vguest_open(&g);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "last", 4);
	vguest_send_flags(&g, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
	host_reads("last");
	host_reads_end();
	assert_int_equal(write(g.host, "answer", 6), 6);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.len, 6);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "liar", 4);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
}

static void test_guest_ends_receiving(void **state)
{
	struct virtio_vsock_hdr h;

	(void)state;
	vguest_open(&g);
	vguest_send_flags(&g, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_RCV);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	assert_int_equal(send(g.host, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "more", 4);
	host_reads("more");
	host_is_open();
}

static void test_guest_closes(void **state)
{
	(void)state;
	vguest_open(&g);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "bye", 3);
	vguest_send_flags(&g, VIRTIO_VSOCK_OP_SHUTDOWN, SHUT_BOTH);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
	host_reads("bye");
	host_reads_end();
	(void)close(g.host);
	vguest_open(&g);
}

/* A host that reads later gets everything, though the guest has used its ports again meanwhile. */
static void test_close_before_read(void **state)
{
	uint8_t *data = mem_xalloc(VSOCK_BUF_SIZE);
	uint32_t sent = 0, got = 0, credit = VSOCK_BUF_SIZE;
	struct virtio_vsock_hdr h = {0};
	int first;
	ssize_t n;

	(void)state;
	vguest_open(&g);
	while (credit) {
		uint32_t step = credit < 30000 ? credit : 30000;

		vguest_send(&g, VIRTIO_VSOCK_OP_RW, data, step);
		sent += step;
		while (vguest_recv(&g, &h, NULL))
			assert_int_equal(h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		fake_turns(&g.f, 2);
		credit = VSOCK_BUF_SIZE - (sent - h.fwd_cnt);
	}
	assert_true(virtio_vsock_buffered(g.f.d) > 0);
	vguest_send_flags(&g, VIRTIO_VSOCK_OP_SHUTDOWN, SHUT_BOTH);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
	first = g.host;
	vguest_open(&g);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "second", 6);
	host_reads("second");
	while ((n = recv(first, data, VSOCK_BUF_SIZE, 0)) > 0) {
		got += (uint32_t)n;
		fake_turns(&g.f, 2);
	}
	assert_int_equal(n, 0);
	assert_int_equal(got, sent);
	assert_int_equal(virtio_vsock_buffered(g.f.d), 0);
	(void)close(first);
	free(data);
}

static void test_host_ends_sending(void **state)
{
	struct virtio_vsock_hdr h;

	(void)state;
	vguest_open(&g);
	assert_int_equal(write(g.host, "data", 4), 4);
	assert_int_equal(shutdown(g.host, SHUT_WR), 0);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.len, 4);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "answer", 6);
	host_reads("answer");
	host_is_open();
}

static void test_host_ends_receiving(void **state)
{
	struct virtio_vsock_hdr h;

	(void)state;
	vguest_open(&g);
	assert_int_equal(shutdown(g.host, SHUT_RD), 0);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "lost", 4);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h.flags, VIRTIO_VSOCK_SHUTDOWN_RCV);
	assert_int_equal(write(g.host, "data", 4), 4);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.len, 4);
}

static void test_host_closes(void **state)
{
	struct virtio_vsock_hdr h;

	(void)state;
	vguest_open(&g);
	assert_int_equal(write(g.host, "data", 4), 4);
	(void)close(g.host);
	g.host = -1;
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_SHUTDOWN);
	if (h.flags == VIRTIO_VSOCK_SHUTDOWN_RCV) {
		h = vguest_expect(&g, VIRTIO_VSOCK_OP_RW);
		assert_int_equal(h.len, 4);
		h = vguest_expect(&g, VIRTIO_VSOCK_OP_SHUTDOWN);
	}
	assert_int_equal(h.flags, SHUT_BOTH);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "late", 4);
	vguest_send(&g, VIRTIO_VSOCK_OP_RST, NULL, 0);
	vguest_expect_none(&g);
	vguest_open(&g);
}

/* The guest does not answer the end of a connection: it is reset after two seconds. */
static void test_silent_end(void **state)
{
	struct virtio_vsock_hdr h;
	struct err err = ERR_INIT;

	(void)state;
	vguest_open(&g);
	(void)close(g.host);
	g.host = -1;
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h.flags, SHUT_BOTH);
	vguest_expect_none(&g);
	while (!vguest_recv(&g, &h, NULL))
		assert_int_equal(loop_turn(g.f.loop, 10000, &err), 0);
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RST);
}

static void test_guest_resets(void **state)
{
	(void)state;
	vguest_open(&g);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "data", 4);
	vguest_send(&g, VIRTIO_VSOCK_OP_RST, NULL, 0);
	host_reads("data");
	host_reads_end();
	vguest_expect_none(&g);
}

/* Bad packets, each on an open connection, which ends or not; RST answers all but a RST. */
static void test_lies(void **state)
{
	enum { CONN_DIES, CONN_LIVES };
	static const struct {
		const char *what;
		struct virtio_vsock_hdr h;
		int fate;
		bool silent;
	} cases[] = {
		{"longer than its buffers", {.op = 5, .len = 100}, CONN_DIES, false},
		{"longer than allowed", {.op = 5, .len = 65537}, CONN_DIES, false},
		{"all bits of length", {.op = 5, .len = UINT32_MAX}, CONN_DIES, false},
		{"seqpacket", {.type = 2, .op = 5}, CONN_LIVES, false},
		{"no type", {.type = 0xffff, .op = 5}, CONN_LIVES, false},
		{"another's address", {.src_cid = 43, .op = 5}, CONN_LIVES, false},
		{"the host's own address", {.src_cid = 2, .op = 3}, CONN_LIVES, true},
		{"to another guest", {.dst_cid = 44, .op = 5}, CONN_LIVES, false},
		{"to the hypervisor", {.dst_cid = 1ull << 40, .op = 1}, CONN_LIVES, false},
		{"unknown port", {.dst_port = 81, .op = 5}, CONN_LIVES, false},
		{"unknown source", {.src_port = 1, .op = 4, .flags = 3}, CONN_LIVES, false},
		{"reset of nothing", {.src_port = 1, .op = 3}, CONN_LIVES, true},
		{"response to nothing", {.src_port = 1, .op = 2}, CONN_LIVES, false},
		{"credit for nothing", {.src_port = 1, .op = 6}, CONN_LIVES, false},
		{"request in use", {.op = 1}, CONN_DIES, false},
		{"response without request", {.op = 2}, CONN_DIES, false},
		{"op 0", {.op = 0}, CONN_DIES, false},
		{"op 8", {.op = 8}, CONN_DIES, false},
		{"op 65535", {.op = 65535}, CONN_DIES, false},
		{"read more than sent", {.op = 6, .fwd_cnt = 1}, CONN_DIES, false},
		{"read 2^31 - 1 more", {.op = 6, .fwd_cnt = INT32_MAX}, CONN_DIES, false},
		{"an old count", {.op = 6, .fwd_cnt = UINT32_MAX}, CONN_LIVES, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct virtio_vsock_hdr h = cases[i].h, good = vguest_hdr(0, 0), rst;
		char c;

		print_message("# %s\n", cases[i].what);
		vguest_open(&g);
		h.src_cid = h.src_cid ? h.src_cid : good.src_cid;
		h.dst_cid = h.dst_cid ? h.dst_cid : good.dst_cid;
		h.src_port = h.src_port ? h.src_port : good.src_port;
		h.dst_port = h.dst_port ? h.dst_port : good.dst_port;
		h.type = h.type ? h.type : good.type;
		h.buf_alloc = good.buf_alloc;
		assert_true(vguest_queue(&g, &h, NULL, 0));
		fake_kick(&g.f, TX);
		fake_turns(&g.f, 3);
		assert_int_equal(vguest_recv(&g, &rst, NULL), !cases[i].silent);
		if (!cases[i].silent) {
			assert_int_equal(rst.op, VIRTIO_VSOCK_OP_RST);
			assert_int_equal(rst.src_cid, h.dst_cid);
			assert_int_equal(rst.dst_cid, h.src_cid);
			assert_int_equal(rst.src_port, h.dst_port);
			assert_int_equal(rst.dst_port, h.src_port);
			assert_int_equal(rst.type, h.type);
		}
		vguest_expect_none(&g);
		assert_int_equal(recv(g.host, &c, 1, 0), cases[i].fate == CONN_DIES ? 0 : -1);
		vguest_send(&g, VIRTIO_VSOCK_OP_RST, NULL, 0);
		(void)close(g.host);
		g.host = -1;
	}
}

static void test_short_header(void **state)
{
	struct fake_buf b = {TX_AT, HDR - 1, false};
	uint16_t head;
	uint32_t len;

	(void)state;
	fake_add(&g.f, TX, 7, &b, 1);
	b = (struct fake_buf){TX_AT, 0, false};
	fake_add(&g.f, TX, 8, &b, 1);
	fake_kick(&g.f, TX);
	for (uint16_t want = 7; want <= 8; want++) {
		assert_true(fake_used(&g.f, TX, &head, &len));
		assert_int_equal(head, want);
	}
	vguest_expect_none(&g);
}

/* One connection more than the cap is refused without asking anyone; an ended one makes room. */
static void test_connection_cap(void **state)
{
	struct rlimit old, more;
	struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_REQUEST, 0);
	int pair[2];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	if (old.rlim_max < 2 * VSOCK_MAX_CONNS) {
		print_message("# RLIMIT_NOFILE is below %u\n", 2 * VSOCK_MAX_CONNS);
		skip();
	}
	more = (struct rlimit){2 * VSOCK_MAX_CONNS, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	g.shared_fd = pair[0];
	for (h.src_port = 0; h.src_port < VSOCK_MAX_CONNS; h.src_port++) {
		vguest_send_hdr(&g, h, NULL);
		(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RESPONSE);
	}
	vguest_send_hdr(&g, h, NULL);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
	assert_int_equal(g.connects, VSOCK_MAX_CONNS);
	h.op = VIRTIO_VSOCK_OP_RST;
	h.src_port = 500;
	vguest_send_hdr(&g, h, NULL);
	h.op = VIRTIO_VSOCK_OP_REQUEST;
	vguest_send_hdr(&g, h, NULL);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RESPONSE);
	fake_reset(&g.f);
	fake_turns(&g.f, 2);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* A reset ends all connections, from whichever thread it comes; the same ports work afterwards. */
static void test_reset(void **state)
{
	int first;
	char c;

	(void)state;
	vguest_open(&g);
	first = g.host;
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "x", 1);
	fake_reset(&g.f);
	vguest_start(&g, true);
	vguest_open(&g);
	assert_int_equal(recv(first, &c, 1, 0), 1);
	assert_int_equal(recv(first, &c, 1, 0), 0);
	(void)close(first);
	assert_int_equal(write(g.host, "x", 1), 1);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RW);
}

/* While reset, sockets stir: nothing touches the guest. */
static void test_stirring_while_reset(void **state)
{
	uint16_t head;
	uint32_t len;
	char c;

	(void)state;
	vguest_open(&g);
	assert_int_equal(write(g.host, "x", 1), 1);
	fake_reset(&g.f);
	fake_turns(&g.f, 5);
	assert_false(fake_used(&g.f, RX, &head, &len));
	/* man 7 unix: what the host wrote was never read. */
	assert_int_equal(recv(g.host, &c, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void test_bad_address(void **state)
{
	static const uint64_t bad[] = {0, 1, 2, UINT32_MAX, 1ull << 32, UINT64_MAX};
	struct vsock_config config = {.connect = vguest_connect, .requests_fd = -1};
	struct virtio_device *d = NULL;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		config.guest_cid = bad[i];
		assert_int_equal(virtio_vsock_new(&g.f.host, &config, &d, &err), -EINVAL);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connect),
		TEST(test_refused),
		TEST(test_data_both_ways),
		TEST(test_any_framing),
		TEST(test_receive_framing),
		TEST(test_guest_ends_sending),
		TEST(test_guest_ends_receiving),
		TEST(test_guest_closes),
		TEST(test_close_before_read),
		TEST(test_host_ends_sending),
		TEST(test_host_ends_receiving),
		TEST(test_host_closes),
		TEST(test_silent_end),
		TEST(test_guest_resets),
		TEST(test_lies),
		TEST(test_short_header),
		TEST(test_connection_cap),
		TEST(test_reset),
		TEST(test_stirring_while_reset),
		TEST(test_bad_address),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
