/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket device's flow: much data, slow sides, and guests that keep it busy for nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/vsock_guest.h"

#define MUCH    (100u << 20)
#define PATTERN 65521u /* prime: no buffer begins twice at the same place of it */

static struct vguest g;
static uint8_t pattern[2 * PATTERN];

static int setup(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(pattern); i++) {
		x = i % PATTERN ? x * 1664525 + 1013904223 : 1;
		pattern[i] = (uint8_t)(x >> 24);
	}
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

/* A connection as a well-behaved driver keeps it. */
struct side {
	uint32_t sent, received; /* bytes of payload */
	uint32_t peer_alloc, peer_fwd;
	bool peer_done, reset;
};

static void check(const uint8_t *data, uint32_t at, uint32_t len)
{
	while (len) {
		uint32_t part = len < PATTERN ? len : PATTERN;

		assert_memory_equal(data, pattern + at % PATTERN, part);
		data += part;
		at += part;
		len -= part;
	}
}

static void receive_all(struct side *s)
{
	static uint8_t data[RX_SIZE];
	struct virtio_vsock_hdr h;

	while (vguest_recv(&g, &h, data)) {
		s->peer_alloc = h.buf_alloc;
		s->peer_fwd = h.fwd_cnt;
		if (h.op == VIRTIO_VSOCK_OP_RW) {
			check(data, s->received, h.len);
			s->received += h.len;
		}
		s->peer_done = s->peer_done || (h.op == VIRTIO_VSOCK_OP_SHUTDOWN &&
						h.flags & VIRTIO_VSOCK_SHUTDOWN_SEND);
		s->reset = s->reset || h.op == VIRTIO_VSOCK_OP_RST;
	}
	fake_kick(&g.f, RX);
}

/* Sends as much as credit and slots allow, in packets of varying sizes and pieces. */
static void send_some(struct side *s, uint32_t total)
{
	static uint32_t size = 1;

	while (s->sent < total) {
		struct virtio_vsock_hdr h;
		uint32_t len = s->peer_alloc - (s->sent - s->peer_fwd);

		size = size * 5 % 65537;
		len = len < size ? len : size;
		len = len < total - s->sent ? len : total - s->sent;
		len = len < PATTERN ? len : PATTERN;
		if (!len)
			break;
		h = vguest_hdr(VIRTIO_VSOCK_OP_RW, len);
		h.fwd_cnt = s->received;
		g.pieces = 1 + size % 16;
		if (!vguest_queue(&g, &h, pattern + s->sent % PATTERN, len))
			break;
		s->sent += len;
	}
	fake_kick(&g.f, TX);
}

static void tell_credit(struct side *s)
{
	struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);

	h.fwd_cnt = s->received;
	if (vguest_queue(&g, &h, NULL, 0))
		fake_kick(&g.f, TX);
}

static uint32_t host_writes(uint32_t at, uint32_t total)
{
	uint32_t len = total - at < PATTERN ? total - at : PATTERN;
	ssize_t n = len ? write(g.host, pattern + at % PATTERN, len) : 0;

	return n > 0 ? (uint32_t)n : 0;
}

static uint32_t host_reads(uint32_t at)
{
	static uint8_t data[50000];
	ssize_t n = read(g.host, data, sizeof(data));

	if (n > 0)
		check(data, at, (uint32_t)n);
	return n > 0 ? (uint32_t)n : 0;
}

static void start_side(struct side *s)
{
	vguest_open(&g);
	*s = (struct side){.peer_alloc = VSOCK_BUF_SIZE};
}

static void test_much_both_ways(void **state)
{
	uint32_t host_sent = 0, host_got = 0;
	struct side s;

	(void)state;
	start_side(&s);
	while (s.received < MUCH || host_got < MUCH) {
		send_some(&s, MUCH);
		host_sent += host_writes(host_sent, MUCH);
		fake_turns(&g.f, 1);
		receive_all(&s);
		tell_credit(&s);
		host_got += host_reads(host_got);
		assert_true(virtio_vsock_buffered(g.f.d) <= VSOCK_BUF_SIZE);
		assert_false(s.reset);
	}
	assert_int_equal(host_sent, MUCH);
	assert_int_equal(s.sent, MUCH);
}

/* Hundreds of small credits, smaller than a buffer. */
static void test_little_credit(void **state)
{
	uint32_t host_sent = 0;
	struct side s;

	(void)state;
	start_side(&s);
	while (s.received < 100000) {
		struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);

		host_sent += host_writes(host_sent, 100000);
		h.buf_alloc = 100;
		h.fwd_cnt = s.received;
		vguest_send_hdr(&g, h, NULL);
		fake_turns(&g.f, 1);
		receive_all(&s);
	}
	assert_int_equal(s.received, 100000);
}

/* The host does not read: the guest's credit ends, and what it was given is all that is kept. */
static void test_slow_host(void **state)
{
	uint32_t got = 0, before;
	struct side s;

	(void)state;
	start_side(&s);
	do {
		before = s.sent;
		send_some(&s, MUCH);
		fake_turns(&g.f, 3);
		receive_all(&s);
	} while (s.sent != before);
	assert_int_equal(s.sent - s.peer_fwd, VSOCK_BUF_SIZE);
	assert_true(s.sent < MUCH);
	assert_true(virtio_vsock_buffered(g.f.d) <= VSOCK_BUF_SIZE);
	while (got < s.sent) {
		got += host_reads(got);
		fake_turns(&g.f, 2);
	}
	receive_all(&s);
	assert_true(s.sent - s.peer_fwd < VSOCK_BUF_SIZE / 4);
	assert_false(s.reset);
}

/* One byte more than the credit ends the connection. */
static void test_overrun(void **state)
{
	uint32_t before;
	struct side s;

	(void)state;
	start_side(&s);
	do {
		before = s.sent;
		send_some(&s, MUCH);
		fake_turns(&g.f, 3);
		receive_all(&s);
	} while (s.sent != before);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "x", 1);
	if (virtio_vsock_buffered(g.f.d) < VSOCK_BUF_SIZE)
		vguest_send(&g, VIRTIO_VSOCK_OP_RW, pattern, VSOCK_BUF_SIZE);
	receive_all(&s);
	assert_true(s.reset);
	assert_true(virtio_vsock_buffered(g.f.d) <= VSOCK_BUF_SIZE);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Nothing is due: the loop sleeps for as long as it may. */
static void loop_sleeps(void)
{
	struct err err = ERR_INIT;
	uint64_t before;

	fake_turns(&g.f, 10);
	before = now_ms();
	assert_int_equal(loop_turn(g.f.loop, 100, &err), 0);
	assert_true(now_ms() - before >= 99);
}

/* The guest gives no more credit: its data stays with the host, whose socket fills up. */
static void test_slow_guest(void **state)
{
	uint32_t host_sent = 0, n;
	struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_REQUEST, 0);
	struct side s = {0};

	(void)state;
	h.buf_alloc = 10000;
	vguest_send_hdr(&g, h, NULL);
	do {
		fake_turns(&g.f, 3);
		n = host_writes(host_sent, MUCH);
		host_sent += n;
	} while (n);
	receive_all(&s);
	assert_int_equal(s.received, 10000);
	assert_true(host_sent < MUCH);
	loop_sleeps();
	h.op = VIRTIO_VSOCK_OP_CREDIT_UPDATE;
	h.fwd_cnt = 10000;
	vguest_send_hdr(&g, h, NULL);
	receive_all(&s);
	assert_int_equal(s.received, 20000);
}

/* The host is gone, its last data is not wanted: no wakeups, and all arrives when it is. */
static void test_hangup_does_not_spin(void **state)
{
	struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_REQUEST, 0);
	struct side s = {0};

	(void)state;
	h.buf_alloc = 0;
	vguest_send_hdr(&g, h, NULL);
	assert_int_equal(host_writes(0, 5000), 5000);
	(void)close(g.host);
	g.host = -1;
	loop_sleeps();
	receive_all(&s);
	assert_int_equal(s.received, 0);
	h.op = VIRTIO_VSOCK_OP_CREDIT_UPDATE;
	h.buf_alloc = 1 << 20;
	vguest_send_hdr(&g, h, NULL);
	fake_turns(&g.f, 3);
	receive_all(&s);
	assert_int_equal(s.received, 5000);
	assert_true(s.peer_done);
}

/* The guest has no receive buffers. */
static void test_no_buffers(void **state)
{
	struct side s = {0};

	(void)state;
	fake_reset(&g.f);
	vguest_start(&g, false);
	vguest_send(&g, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	assert_int_equal(host_writes(0, 5000), 5000);
	loop_sleeps();
	for (uint16_t i = 0; i < 4; i++)
		vguest_give_rx(&g, i, RX_SIZE);
	fake_kick(&g.f, RX);
	receive_all(&s);
	assert_int_equal(s.received, 5000);
}

/* Many connections with data have turns: none waits for another's end. */
static void test_turns(void **state)
{
	enum { N = 8 };
	int hosts[N];
	struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_REQUEST, 0);
	unsigned int seen[N] = {0};
	uint16_t head;
	uint32_t len;

	(void)state;
	fake_reset(&g.f);
	vguest_start(&g, false);
	for (uint16_t i = 0; i < N; i++)
		vguest_give_rx(&g, i, RX_SIZE);
	for (h.src_port = 0; h.src_port < N; h.src_port++) {
		vguest_send_hdr(&g, h, NULL);
		hosts[h.src_port] = g.host;
	}
	for (unsigned int i = 0; i < N; i++) {
		assert_true(fake_used(&g.f, RX, &head, &len));
		g.host = hosts[i];
		assert_true(host_writes(0, 20000) == 20000);
	}
	fake_turns(&g.f, N + 1);
	for (uint16_t i = 0; i < N; i++)
		vguest_give_rx(&g, i, RX_SIZE);
	fake_kick(&g.f, RX);
	for (unsigned int i = 0; i < N; i++) {
		assert_true(vguest_recv(&g, &h, NULL));
		assert_int_equal(h.op, VIRTIO_VSOCK_OP_RW);
		seen[h.dst_port]++;
	}
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(seen[i], 1);
	for (unsigned int i = 0; i < N; i++)
		(void)close(hosts[i]);
	g.host = -1;
}

/* A flood of packets for nobody, no buffers for the answers: some are kept, the rest stay put. */
static void test_flood_of_refusals(void **state)
{
	struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_RW, 0), rst;
	unsigned int queued = 0, answered = 0;

	(void)state;
	fake_reset(&g.f);
	vguest_start(&g, false);
	for (unsigned int i = 0; i < 1000; i++) {
		h.src_port = i;
		queued += vguest_queue(&g, &h, NULL, 0);
		fake_kick(&g.f, TX);
		fake_turns(&g.f, 1);
	}
	assert_int_equal(queued, 256 + TX_SLOTS);
	for (uint16_t i = 0; i < 4; i++)
		vguest_give_rx(&g, i, RX_SIZE);
	fake_kick(&g.f, RX);
	for (unsigned int i = 0; i < queued; i++) {
		fake_turns(&g.f, 2);
		if (vguest_recv(&g, &rst, NULL)) {
			assert_int_equal(rst.op, VIRTIO_VSOCK_OP_RST);
			assert_int_equal(rst.dst_port, answered);
			answered++;
		}
		fake_kick(&g.f, RX);
	}
	assert_int_equal(answered, queued);
	vguest_reap_tx(&g);
	assert_int_equal(g.slots_used, 0);
}

/* A full queue is served in parts, with the loop's other sources between them. */
static void test_bounded_service(void **state)
{
	struct fake_buf b = {TX_AT, HDR, false};
	struct virtio_vsock_hdr h = vguest_hdr(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	uint16_t head;
	uint32_t len;
	unsigned int n = 0;

	(void)state;
	vguest_open(&g);
	vguest_reap_tx(&g);
	memcpy(fake_at(&g.f, TX_AT), &h, HDR);
	for (uint16_t i = 0; i < FAKE_SIZE; i++)
		fake_add(&g.f, TX, i, &b, 1);
	fake_kick(&g.f, TX);
	while (fake_used(&g.f, TX, &head, &len))
		n++;
	assert_in_range(n, 1, FAKE_SIZE - 1);
	fake_turns(&g.f, 5);
	while (fake_used(&g.f, TX, &head, &len))
		n++;
	assert_int_equal(n, FAKE_SIZE);
}

/* An available index out of reach stops the device until it is reset. */
static void broken_queue(unsigned int q)
{
	char c;

	vguest_open(&g);
	assert_int_equal(write(g.host, "x", 1), 1);
	g.f.queues[q].avail->idx = (uint16_t)(g.f.queues[q].avail->idx + FAKE_SIZE + 1);
	fake_kick(&g.f, q);
	fake_turns(&g.f, 5);
	assert_true(g.f.d->status & VIRTIO_CONFIG_S_NEEDS_RESET);
	(void)recv(g.host, &c, 1, 0);
	assert_int_equal(recv(g.host, &c, 1, 0), 0);
	loop_sleeps();
	(void)close(g.host);
	fake_reset(&g.f);
	vguest_start(&g, true);
	vguest_open(&g);
}

static void test_broken_tx(void **state)
{
	(void)state;
	broken_queue(TX);
}

static void test_broken_rx(void **state)
{
	(void)state;
	broken_queue(RX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_much_both_ways),    TEST(test_little_credit),
		TEST(test_slow_host),         TEST(test_overrun),
		TEST(test_slow_guest),        TEST(test_hangup_does_not_spin),
		TEST(test_no_buffers),        TEST(test_turns),
		TEST(test_flood_of_refusals), TEST(test_bounded_service),
		TEST(test_broken_tx),         TEST(test_broken_rx),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
