/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device over a socket in the tap's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/virtio/net.h"
#include "microvm/virtio/net_frame.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define RX_AT    0x100000u
#define TX_AT    0x800000u
#define BIG      66000u /* bytes between buffers */
#define BIT(n)   (1ull << VIRTIO_NET_F_##n)
#define MERGED   BIT(MRG_RXBUF)
#define OFFLOADS (BIT(CSUM) | BIT(HOST_TSO4) | BIT(HOST_TSO6))

enum { RX, TX };

static const uint8_t mac[NET_MAC_LEN] = {2, 0, 0, 0, 0, 1};
static struct fake f;
static int net_fd; /* the network's end */
static unsigned int tun_flags;
static int offload_result;
static uint8_t frame[NET_FRAME_MAX + 2], got[NET_FRAME_MAX + 2];

static int set_offload(int fd, unsigned int flags, struct err *err)
{
	assert_true(fd >= 0);
	tun_flags = flags;
	return offload_result ? err_set(err, -offload_result, "no offloads") : 0;
}

static int setup(void **state)
{
	int fds[2], size = 1 << 20;
	struct net_config config = {.set_offload = set_offload, .mtu = 1400};
	struct err err = ERR_INIT;

	(void)state;
	offload_result = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	for (int i = 0; i < 2; i++)
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	net_fd = fds[1];
	config.fd = fds[0];
	memcpy(config.mac, mac, sizeof(mac));
	fake_setup(&f);
	if (virtio_net_new(&f.host, &config, &f.d, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7 + i / 251);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_teardown(&f);
	if (net_fd >= 0)
		(void)close(net_fd);
	return 0;
}

static struct net_stats stats(void)
{
	struct net_stats s;

	virtio_net_stats(f.d, &s);
	return s;
}

/* --- to the guest --- */

static void give(uint16_t head, uint32_t len)
{
	struct fake_buf b = {RX_AT + head * BIG, len, true};

	fake_add(&f, RX, head, &b, 1);
}

/* A frame of len bytes, header included, arrives from the network. */
static void arrives(size_t len)
{
	memset(frame, 0, NET_HDR);
	assert_int_equal(write(net_fd, frame, len), len);
	fake_turns(&f, 3);
}

/* The next frame that the guest gets, put together from its buffers; 0: none. */
static size_t guest_gets(unsigned int want_buffers)
{
	struct virtio_net_hdr_v1 h;
	uint16_t head;
	uint32_t len;
	size_t total = 0;

	if (!fake_used(&f, RX, &head, &len))
		return 0;
	assert_true(len >= NET_HDR);
	memcpy(&h, fake_at(&f, RX_AT + head * BIG), sizeof(h));
	assert_int_equal(h.num_buffers, want_buffers);
	for (unsigned int i = 0; i < want_buffers; i++) {
		if (i)
			assert_true(fake_used(&f, RX, &head, &len));
		memcpy(got + total, fake_at(&f, RX_AT + head * BIG), len);
		total += len;
	}
	assert_memory_equal(got + NET_HDR, frame + NET_HDR, total - NET_HDR);
	return total;
}

static void test_receive(void **state)
{
	(void)state;
	fake_start(&f, MERGED);
	give(0, 1536);
	give(1, 1536);
	arrives(NET_HDR + 60);
	assert_int_equal(guest_gets(1), NET_HDR + 60);
	assert_true(f.interrupts > 0);
	arrives(1536);
	assert_int_equal(guest_gets(1), 1536);
	assert_int_equal(stats().rx_frames, 2);
	assert_int_equal(stats().rx_bytes, 60 + 1536 - NET_HDR);
}

/* A frame over many buffers: all but the last are full, and the driver sees them all at once. */
static void test_merged(void **state)
{
	static const uint32_t sizes[] = {12, 13, 100, 1024, 1536, 4096, 65561};

	(void)state;
	fake_start(&f, MERGED);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t len = sizes[i] < 300 ? 3000 : 65562;
		uint32_t n = (len + sizes[i] - 1) / sizes[i];

		for (uint16_t b = 0; b < n; b++)
			give(b, sizes[i]);
		arrives(len);
		assert_int_equal(guest_gets(n), len);
	}
	assert_int_equal(stats().rx_dropped, 0);
}

/* Buffers come one by one: nothing is seen until the frame is whole. */
static void test_waits_for_buffers(void **state)
{
	(void)state;
	fake_start(&f, MERGED);
	arrives(5000);
	arrives(100);
	for (uint16_t b = 0; b < 5; b++) {
		assert_int_equal(guest_gets(5), 0);
		give(b, 1000);
		fake_kick(&f, RX);
	}
	assert_int_equal(guest_gets(5), 5000);
	give(5, 1000);
	fake_kick(&f, RX);
	assert_int_equal(guest_gets(1), 100);
}

/* A frame in hand is forgotten with a reset: its buffers are no longer the device's. */
static void test_reset_with_frame(void **state)
{
	(void)state;
	fake_start(&f, MERGED);
	give(0, 1000);
	arrives(5000);
	fake_reset(&f);
	arrives(200);
	fake_start(&f, MERGED);
	give(0, 1000);
	fake_turns(&f, 3);
	fake_kick(&f, RX);
	assert_int_equal(guest_gets(1), 200);
}

/* Without merged buffers, a frame that is longer than the buffer is dropped; the buffer stays. */
static void test_unmerged(void **state)
{
	(void)state;
	fake_start(&f, 0);
	give(0, 1526);
	arrives(1527);
	assert_int_equal(guest_gets(1), 0);
	assert_int_equal(stats().rx_dropped, 1);
	arrives(1526);
	assert_int_equal(guest_gets(1), 1526);
	give(1, NET_FRAME_MAX);
	arrives(NET_FRAME_MAX);
	assert_int_equal(guest_gets(1), NET_FRAME_MAX);
}

/* Buffers that are too small for a header go back empty; frames that are shorter are dropped. */
static void test_short(void **state)
{
	uint16_t head;
	uint32_t len;

	(void)state;
	fake_start(&f, MERGED);
	give(0, NET_HDR - 1);
	give(1, 1000);
	arrives(NET_HDR - 1);
	arrives(100);
	assert_true(fake_used(&f, RX, &head, &len));
	assert_int_equal(len, 0);
	assert_int_equal(guest_gets(1), 100);
	assert_int_equal(stats().rx_dropped, 1);
}

/* All of the queue's buffers are too few: the frame is given up, nothing else. */
static void test_too_many_buffers(void **state)
{
	uint16_t head;
	uint32_t len, n = 0;

	(void)state;
	fake_start(&f, MERGED);
	for (uint16_t b = 0; b < FAKE_SIZE; b++)
		give(b, 12);
	arrives(60000);
	while (fake_used(&f, RX, &head, &len)) {
		assert_int_equal(len, 0);
		n++;
	}
	assert_int_equal(n, FAKE_SIZE);
	assert_int_equal(stats().rx_dropped, 1);
	give(0, 12);
	give(1, 12);
	arrives(24);
	assert_int_equal(guest_gets(2), 24);
}

/* The kernel's DATA_VALID is not for a driver without GUEST_CSUM (5.1.6.4.1). */
static void test_receive_flags(void **state)
{
	static const uint64_t features[] = {MERGED, MERGED | BIT(GUEST_CSUM)};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fake_start(&f, features[i]);
		give(0, 1000);
		memset(frame, 0, NET_HDR);
		frame[0] = VIRTIO_NET_HDR_F_DATA_VALID;
		assert_int_equal(write(net_fd, frame, 100), 100);
		fake_turns(&f, 3);
		assert_int_equal(guest_gets(1), 100);
		assert_int_equal(got[0], i ? VIRTIO_NET_HDR_F_DATA_VALID : 0);
		fake_reset(&f);
	}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void loop_sleeps(void)
{
	struct err err = ERR_INIT;
	uint64_t before;

	fake_turns(&f, 5);
	before = now_ms();
	assert_int_equal(loop_turn(f.loop, 100, &err), 0);
	assert_true(now_ms() - before >= 99);
}

/* A guest without buffers, frames waiting: no wakeups, and memory holds one frame at most. */
static void test_no_buffers(void **state)
{
	unsigned int n = 0;

	(void)state;
	fake_start(&f, MERGED);
	memset(frame, 0, NET_HDR);
	while (write(net_fd, frame, 1000) == 1000)
		n++;
	loop_sleeps();
	for (unsigned int i = 0; i < n; i++) {
		give(0, 1536);
		fake_kick(&f, RX);
		assert_int_equal(guest_gets(1), 1000);
	}
}

/* The network goes away: the link is down, and that is all. */
static void test_network_gone(void **state)
{
	uint8_t status[2];

	(void)state;
	fake_start(&f, MERGED | BIT(STATUS));
	give(0, 1536);
	virtio_mmio_read(f.d, VIRTIO_MMIO_CONFIG + 6, status, 2);
	assert_int_equal(status[0], VIRTIO_NET_S_LINK_UP);
	(void)close(net_fd);
	net_fd = -1;
	fake_turns(&f, 3);
	virtio_mmio_read(f.d, VIRTIO_MMIO_CONFIG + 6, status, 2);
	assert_int_equal(status[0], 0);
	assert_true(fake_read(&f, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	loop_sleeps();
}

/* --- from the guest --- */

static struct virtio_net_hdr_v1 *guest_frame(void)
{
	memset(frame, 0, NET_HDR);
	memset(frame + NET_HDR, 0xff, NET_MAC_LEN);
	memcpy(frame + NET_HDR + NET_MAC_LEN, mac, NET_MAC_LEN);
	return (struct virtio_net_hdr_v1 *)(void *)frame;
}

/* The guest sends len bytes of frame in descriptors of step bytes; they must come back. */
static void guest_sends(uint32_t len, uint32_t step)
{
	struct fake_buf bufs[FAKE_SIZE];
	unsigned int n = 0;
	uint16_t head;
	uint32_t written;

	memcpy(fake_at(&f, TX_AT), frame, len);
	for (uint32_t off = 0; off < len || !n; off += step)
		bufs[n++] =
			(struct fake_buf){TX_AT + off, len - off < step ? len - off : step, false};
	fake_add(&f, TX, 0, bufs, n);
	fake_kick(&f, TX);
	assert_true(fake_used(&f, TX, &head, &written));
	assert_int_equal(head, 0);
	assert_int_equal(written, 0);
}

static void network_gets(size_t len)
{
	assert_int_equal(read(net_fd, got, sizeof(got)), len);
	assert_memory_equal(got, frame, len);
}

static void network_gets_nothing(void)
{
	assert_int_equal(read(net_fd, got, sizeof(got)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_send(void **state)
{
	static const uint32_t lens[] = {26, 27, 72, 1526, 9000, NET_FRAME_MAX};

	(void)state;
	fake_start(&f, 0);
	(void)guest_frame();
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		guest_sends(lens[i], lens[i]);
		network_gets(lens[i]);
		guest_sends(lens[i], lens[i] / 200 + 1);
		network_gets(lens[i]);
	}
	assert_int_equal(stats().tx_frames, 2 * ARRAY_SIZE(lens));
}

/* Nothing, too little or too much: completed, not sent. */
static void test_send_bad_length(void **state)
{
	static const uint32_t lens[] = {0, 1, 11, 12, 25, NET_FRAME_MAX + 1};

	(void)state;
	fake_start(&f, 0);
	(void)guest_frame();
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		guest_sends(lens[i], BIG);
		network_gets_nothing();
	}
	assert_int_equal(stats().tx_invalid, ARRAY_SIZE(lens));
}

static void test_spoofed(void **state)
{
	(void)state;
	fake_start(&f, 0);
	for (size_t i = 0; i < NET_MAC_LEN; i++) {
		(void)guest_frame();
		frame[NET_HDR + NET_MAC_LEN + i] ^= 0x40;
		guest_sends(100, 100);
		network_gets_nothing();
	}
	assert_int_equal(stats().tx_spoofed, NET_MAC_LEN);
	(void)guest_frame();
	guest_sends(100, 100);
	network_gets(100);
}

/* The network takes no more: frames stay with the guest until it does. */
static void test_full_network(void **state)
{
	struct fake_buf b = {TX_AT, 1000, false};
	uint16_t head;
	uint32_t len;
	unsigned int sent = 0, done = 0, read_back = 0;

	(void)state;
	fake_start(&f, 0);
	(void)guest_frame();
	memcpy(fake_at(&f, TX_AT), frame, 1000);
	for (; sent - done < FAKE_SIZE; sent++) {
		fake_add(&f, TX, (uint16_t)(sent % FAKE_SIZE), &b, 1);
		fake_kick(&f, TX);
		while (fake_used(&f, TX, &head, &len))
			done++;
	}
	loop_sleeps();
	while (read(net_fd, got, sizeof(got)) == 1000) {
		assert_memory_equal(got, frame, 1000);
		read_back++;
		fake_turns(&f, 5);
	}
	assert_int_equal(read_back, sent);
	assert_int_equal(stats().tx_frames, sent);
	assert_int_equal(stats().tx_dropped, 0);
}

/* The device goes by what its driver negotiated. */
static void test_header_on_device(void **state)
{
	struct virtio_net_hdr_v1 *h = guest_frame();

	(void)state;
	fake_start(&f, 0);
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = 34;
	guest_sends(100, 100);
	network_gets_nothing();
	assert_int_equal(stats().tx_invalid, 1);
	fake_reset(&f);
	fake_start(&f, OFFLOADS);
	guest_sends(100, 100);
	network_gets(100);
}

/* --- the device --- */

static void test_offloads(void **state)
{
	static const struct {
		uint64_t features;
		unsigned int flags;
	} cases[] = {
		{0, 0},
		{BIT(GUEST_CSUM), TUN_F_CSUM},
		{BIT(GUEST_TSO4) | BIT(GUEST_TSO6), 0},
		{BIT(GUEST_CSUM) | BIT(GUEST_TSO4), TUN_F_CSUM | TUN_F_TSO4},
		{BIT(GUEST_CSUM) | BIT(GUEST_TSO4) | BIT(GUEST_TSO6),
		 TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6},
		{OFFLOADS, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tun_flags = ~0u;
		fake_start(&f, cases[i].features);
		assert_int_equal(tun_flags, cases[i].flags);
		fake_reset(&f);
	}
}

static void test_config(void **state)
{
	uint8_t space[14];

	(void)state;
	fake_start(&f, 0);
	virtio_mmio_read(f.d, VIRTIO_MMIO_CONFIG, space, 12);
	assert_memory_equal(space, mac, sizeof(mac));
	assert_int_equal(space[10] | space[11] << 8, 1400);
	virtio_mmio_read(f.d, VIRTIO_MMIO_CONFIG + 11, space, 2);
	assert_int_equal(space[0] | space[1], 0);
	virtio_mmio_write(f.d, VIRTIO_MMIO_CONFIG, (const uint8_t *)"\2abcde", 6);
	virtio_mmio_read(f.d, VIRTIO_MMIO_CONFIG, space, 6);
	assert_memory_equal(space, mac, sizeof(mac));
}

static void test_bad_config(void **state)
{
	static const struct net_config bad[] = {
		{.fd = -1},
		{.fd = -1, .mac = {1, 0, 0, 0, 0, 1}},
		{.fd = -1, .mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{.fd = -1, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 67},
	};
	struct virtio_device *d = NULL;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(virtio_net_new(&f.host, &bad[i], &d, &err), -EINVAL);
}

static void test_broken_queues(void **state)
{
	(void)state;
	for (unsigned int q = RX; q <= TX; q++) {
		fake_start(&f, 0);
		f.queues[q].avail->idx = FAKE_SIZE + 1;
		fake_kick(&f, q);
		assert_true(fake_read(&f, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
		arrives(100);
		loop_sleeps();
		fake_reset(&f);
	}
	fake_start(&f, 0);
	give(0, 1000);
	fake_turns(&f, 3);
	assert_int_equal(guest_gets(1), 100);
}

/* A full queue is served in parts, with the loop's other sources between them. */
static void test_bounded_service(void **state)
{
	struct fake_buf b = {TX_AT, 0, false};
	uint16_t head;
	uint32_t len;
	unsigned int n = 0;

	(void)state;
	fake_start(&f, 0);
	for (uint16_t i = 0; i < FAKE_SIZE; i++)
		fake_add(&f, TX, i, &b, 1);
	fake_kick(&f, TX);
	while (fake_used(&f, TX, &head, &len))
		n++;
	assert_in_range(n, 1, FAKE_SIZE - 1);
	fake_turns(&f, 8);
	while (fake_used(&f, TX, &head, &len))
		n++;
	assert_int_equal(n, FAKE_SIZE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_receive),
		TEST(test_merged),
		TEST(test_waits_for_buffers),
		TEST(test_reset_with_frame),
		TEST(test_unmerged),
		TEST(test_short),
		TEST(test_too_many_buffers),
		TEST(test_receive_flags),
		TEST(test_no_buffers),
		TEST(test_network_gone),
		TEST(test_send),
		TEST(test_send_bad_length),
		TEST(test_spoofed),
		TEST(test_full_network),
		TEST(test_header_on_device),
		TEST(test_offloads),
		TEST(test_config),
		TEST(test_bad_config),
		TEST(test_broken_queues),
		TEST(test_bounded_service),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
