/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device over a real tap, in a network namespace of its own. A packet socket on the
 * interface is the network; frames have an EtherType for experiments, or are TCP for the kernel's
 * segmentation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/tap.h"
#include "microvm/virtio/net.h"
#include "microvm/virtio/net_frame.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define NAME     "hulltap0"
#define TYPE     0x88b5 /* IEEE 802, local experiments */
#define RX_AT    0x100000u
#define TX_AT    0x800000u
#define RX_SIZE  1536u
#define BIT(n)   (1ull << VIRTIO_NET_F_##n)
#define OFFLOADS (BIT(CSUM) | BIT(GUEST_CSUM) | BIT(HOST_TSO4) | BIT(GUEST_TSO4) | BIT(MRG_RXBUF))
#define SMALL    10 /* struct virtio_net_hdr, of packet sockets */

enum { RX, TX };

static const uint8_t mac[NET_MAC_LEN] = {2, 0, 0, 0, 0, 1}, other[NET_MAC_LEN] = {2, 0, 0, 0, 0, 2};
static const char *missing; /* why there is no tap here */
static struct fake f;
static int network = -1;
static uint8_t frame[NET_FRAME_MAX], got[NET_FRAME_MAX];

static int group_setup(void **state)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		missing = "/dev/net/tun";
	else if (unshare(CLONE_NEWNET) < 0)
		missing = "CAP_SYS_ADMIN for a network namespace";
	if (fd >= 0)
		(void)close(fd);
	return leaks_setup(state);
}

static bool lacking(void)
{
	if (missing)
		print_message("# needs %s\n", missing);
	return missing;
}

static void interface_up(int s, struct ifreq *ifr)
{
	memcpy(ifr->ifr_name, NAME, sizeof(NAME));
	assert_int_equal(ioctl(s, SIOCGIFFLAGS, ifr), 0);
	ifr->ifr_flags |= IFF_UP;
	assert_int_equal(ioctl(s, SIOCSIFFLAGS, ifr), 0);
	assert_int_equal(ioctl(s, SIOCGIFINDEX, ifr), 0);
}

static void open_network(uint16_t type)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(type)};
	struct ifreq ifr = {0};
	int one = 1;

	network = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(network >= 0);
	interface_up(network, &ifr);
	address.sll_ifindex = ifr.ifr_ifindex;
	assert_int_equal(setsockopt(network, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(network, (struct sockaddr *)&address, sizeof(address)), 0);
}

static int setup(void **state)
{
	struct net_config config = {.set_offload = tap_set_offload};
	struct err err = ERR_INIT;

	(void)state;
	if (missing)
		return 0;
	config.fd = tap_open(NAME, &err);
	if (config.fd < 0)
		fail_msg("%s", err.msg);
	memcpy(config.mac, mac, sizeof(mac));
	fake_setup(&f);
	if (virtio_net_new(&f.host, &config, &f.d, &err))
		fail_msg("%s", err.msg);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (missing)
		return 0;
	fake_teardown(&f);
	if (network >= 0)
		(void)close(network);
	network = -1;
	return 0;
}

static void give_all(void)
{
	for (uint16_t i = 0; i < FAKE_SIZE; i++) {
		struct fake_buf b = {RX_AT + i * RX_SIZE, RX_SIZE, true};

		fake_add(&f, RX, i, &b, 1);
	}
	fake_kick(&f, RX);
}

/* The next frame of this type for the guest, in got; its length. Others are the kernel's own. */
static size_t guest_gets(uint16_t type)
{
	struct virtio_net_hdr_v1 h;
	uint16_t head;
	uint32_t len;

	fake_turns(&f, 5);
	while (fake_used(&f, RX, &head, &len)) {
		size_t total = 0;

		memcpy(&h, fake_at(&f, RX_AT + head * RX_SIZE), sizeof(h));
		for (unsigned int i = 0; i < h.num_buffers; i++) {
			if (i)
				assert_true(fake_used(&f, RX, &head, &len));
			memcpy(got + total, fake_at(&f, RX_AT + head * RX_SIZE), len);
			total += len;
		}
		if (got[NET_HDR + 12] == type >> 8 && got[NET_HDR + 13] == (type & 0xff))
			return total;
	}
	fail_msg("the guest got no frame");
	return 0;
}

static void guest_sends(size_t len)
{
	struct fake_buf b = {TX_AT, (uint32_t)len, false};

	memcpy(fake_at(&f, TX_AT), frame, len);
	fake_add(&f, TX, 0, &b, 1);
	fake_kick(&f, TX);
}

static void fill_frame(const uint8_t *to, const uint8_t *from, uint16_t type, size_t len)
{
	for (size_t i = NET_HDR; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + i / 251);
	memset(frame, 0, NET_HDR);
	memcpy(frame + NET_HDR, to, NET_MAC_LEN);
	memcpy(frame + NET_HDR + NET_MAC_LEN, from, NET_MAC_LEN);
	frame[NET_HDR + 12] = (uint8_t)(type >> 8);
	frame[NET_HDR + 13] = (uint8_t)type;
}

/* Gives frame to the network, with the shorter header that packet sockets have. */
static void network_sends(size_t len)
{
	struct iovec iov[2] = {{frame, SMALL}, {frame + NET_HDR, len - NET_HDR}};

	assert_int_equal(writev(network, iov, 2), len - NET_HDR + SMALL);
}

static size_t network_gets(void)
{
	struct iovec iov[2] = {{got, SMALL}, {got + NET_HDR, sizeof(got) - NET_HDR}};
	ssize_t n = readv(network, iov, 2);

	return n < 0 ? 0 : (size_t)n - SMALL + NET_HDR;
}

static void test_both_ways(void **state)
{
	(void)state;
	if (lacking())
		skip();
	fake_start(&f, BIT(MRG_RXBUF));
	give_all();
	open_network(TYPE);
	fill_frame(other, mac, TYPE, 1000);
	guest_sends(1000);
	assert_int_equal(network_gets(), 1000);
	assert_memory_equal(got + NET_HDR, frame + NET_HDR, 1000 - NET_HDR);
	fill_frame(mac, other, TYPE, 900);
	network_sends(900);
	assert_int_equal(guest_gets(TYPE), 900);
	assert_memory_equal(got + NET_HDR, frame + NET_HDR, 900 - NET_HDR);
}

static void test_spoofed(void **state)
{
	(void)state;
	if (lacking())
		skip();
	fake_start(&f, 0);
	open_network(TYPE);
	fill_frame(mac, other, TYPE, 1000);
	guest_sends(1000);
	assert_int_equal(network_gets(), 0);
}

/* Headers of IPv4 and TCP for len bytes of frame, as the kernel wants them for segmentation. */
static void fill_tcp(const uint8_t *to, const uint8_t *from, size_t len)
{
	struct virtio_net_hdr_v1 *h = (struct virtio_net_hdr_v1 *)(void *)frame;
	size_t ip_len = len - NET_HDR - NET_ETH_LEN;
	const uint8_t ip[] = {0x45,
			      0,
			      (uint8_t)(ip_len >> 8),
			      (uint8_t)ip_len,
			      0,
			      1,
			      0,
			      0,
			      64,
			      6,
			      0,
			      0,
			      10,
			      9,
			      8,
			      1,
			      10,
			      9,
			      8,
			      2};
	const uint8_t tcp[] = {0x10, 0, 0x20, 0,    0, 0, 0, 1, 0, 0,
			       0,    1, 0x50, 0x10, 1, 0, 0, 0, 0, 0};

	fill_frame(to, from, 0x0800, len);
	memcpy(frame + NET_HDR + NET_ETH_LEN, ip, sizeof(ip));
	memcpy(frame + NET_HDR + NET_ETH_LEN + sizeof(ip), tcp, sizeof(tcp));
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	h->hdr_len = 54;
	h->gso_size = 1400;
	h->csum_start = 34;
	h->csum_offset = 16;
}

static void check_segmentation(void)
{
	const struct virtio_net_hdr_v1 *h = (const struct virtio_net_hdr_v1 *)(void *)got;

	assert_int_equal(h->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(h->gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(h->gso_size, 1400);
	assert_int_equal(h->csum_start, 34);
	assert_int_equal(h->csum_offset, 16);
}

/* 20 kB of TCP pass in one piece each way, as both sides have agreed. */
static void test_segmentation(void **state)
{
	(void)state;
	if (lacking())
		skip();
	fake_start(&f, OFFLOADS);
	give_all();
	open_network(0x0800);
	fill_tcp(other, mac, 20000);
	guest_sends(20000);
	assert_int_equal(network_gets(), 20000);
	check_segmentation();
	assert_memory_equal(got + NET_HDR, frame + NET_HDR, 20000 - NET_HDR);
	fill_tcp(mac, other, 20000);
	network_sends(20000);
	assert_int_equal(guest_gets(0x0800), 20000);
	check_segmentation();
	assert_memory_equal(got + NET_HDR, frame + NET_HDR, 20000 - NET_HDR);
}

/* For a driver without offloads the kernel cuts what it gives, and computes checksums. */
static void test_no_segmentation(void **state)
{
	size_t payload = 0, len;

	(void)state;
	if (lacking())
		skip();
	fake_start(&f, BIT(MRG_RXBUF));
	give_all();
	open_network(0x0800);
	fill_tcp(mac, other, 20000);
	network_sends(20000);
	while (payload < 20000 - NET_HDR - 54) {
		len = guest_gets(0x0800);
		assert_in_range(len, NET_HDR + 55, NET_HDR + 1454);
		assert_int_equal(got[0], 0);
		assert_int_equal(got[1], VIRTIO_NET_HDR_GSO_NONE);
		payload += len - NET_HDR - 54;
	}
	assert_int_equal(payload, 20000 - NET_HDR - 54);
}

static void test_open(void **state)
{
	static const char *const bad[] = {"", "a-name-of-sixteen", "lo"};
	struct err err = ERR_INIT;

	(void)state;
	if (lacking())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(tap_open(bad[i], &err) < 0);
		assert_true(err.msg[0]);
	}
}

/* Descriptors of others: no tap, a tun, a tap whose frames have no headers. */
static void test_prepare(void **state)
{
	static const short flags[] = {IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, IFF_TAP | IFF_NO_PI,
				      IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct err err = ERR_INIT;
	int fd;

	(void)state;
	if (lacking())
		skip();
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(tap_prepare(fd, &err) < 0);
	(void)close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct ifreq ifr = {.ifr_name = "hulltap1", .ifr_flags = flags[i]};

		fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
		assert_int_equal(tap_prepare(fd, &err), i == 2 ? 0 : -EINVAL);
		(void)close(fd);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_ways),        TEST(test_spoofed),
		TEST(test_segmentation),     TEST(test_no_segmentation),
		cmocka_unit_test(test_open), cmocka_unit_test(test_prepare),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_setup, leaks_teardown);
}
