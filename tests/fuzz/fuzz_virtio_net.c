/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device against a guest that says anything. Beside memory errors it looks for frames
 * that reach the network though their length, header or source address must not pass, and for
 * frames of the network that arrive changed in length.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "microvm/virtio/net.h"
#include "microvm/virtio/net_frame.h"
#include "tests/fuzz/virtio_guest.h"

#define TX_AT  0x300000u
#define TX_MAX 66000u

enum { RX, TX };

static const uint8_t mac[NET_MAC_LEN] = {2, 0, 0, 0, 0, 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void start(struct fake *f, int *network)
{
	struct net_config config = {.mtu = 1500};
	int fds[2];
	struct err err;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	*network = fds[1];
	config.fd = fds[0];
	memcpy(config.mac, mac, sizeof(mac));
	fake_setup(f);
	must(virtio_net_new(&f->host, &config, &f->d, &err) == 0);
	fake_start(f, f->d->offered);
}

/* A frame that is right but for what the input chose otherwise. */
static void send_frame(struct fake *f, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	uint32_t len = (uint32_t)take(in, how & 1 ? 3 : 1) % TX_MAX, cut;
	struct virtio_net_hdr_v1 h = {
		.flags = (uint8_t)take(in, 1),
		.gso_type = (uint8_t)take(in, 1),
		.hdr_len = (uint16_t)take(in, how & 2 ? 2 : 1),
		.gso_size = (uint16_t)take(in, how & 2 ? 2 : 1),
		.csum_start = (uint16_t)take(in, how & 4 ? 2 : 1),
		.csum_offset = (uint16_t)take(in, how & 4 ? 2 : 1),
		.num_buffers = (uint16_t)take(in, 1),
	};
	struct fake_buf bufs[2];

	memcpy(fake_at(f, TX_AT), &h, NET_HDR);
	memcpy(fake_at(f, TX_AT + NET_HDR + NET_MAC_LEN), mac, NET_MAC_LEN);
	if (how & 8)
		*fake_at(f, TX_AT + NET_HDR + NET_MAC_LEN + 1) = (uint8_t)take(in, 1);
	cut = (uint32_t)take(in, 1) % (len + 1);
	bufs[0] = (struct fake_buf){TX_AT, cut, false};
	bufs[1] = (struct fake_buf){TX_AT + cut, len - cut, false};
	fake_add(f, TX, (uint16_t)(take(in, 1) & 0xfe), bufs, 2);
	fake_kick(f, TX);
}

/* Whatever came to the network was allowed to. */
static void check_network(const struct fake *f, int network)
{
	static uint8_t frame[NET_FRAME_MAX + 1];
	ssize_t n;

	while ((n = recv(network, frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
		struct virtio_net_hdr_v1 h, same;

		must(n >= (ssize_t)(NET_HDR + NET_ETH_LEN) && n <= NET_FRAME_MAX);
		must(memcmp(frame + NET_HDR + NET_MAC_LEN, mac, NET_MAC_LEN) == 0);
		memcpy(&h, frame, NET_HDR);
		same = h;
		must(net_check_header(&same, (size_t)n - NET_HDR, f->d->offered));
		must(memcmp(&h, &same, NET_HDR) == 0);
	}
}

static void network_sends(struct fake *f, int network, struct input *in)
{
	static const uint8_t frame[NET_FRAME_MAX];

	(void)!send(network, frame, take(in, 2) % (NET_FRAME_MAX + 1), MSG_DONTWAIT | MSG_NOSIGNAL);
	fake_turns(f, 1);
}

static void many_buffers(struct fake *f, struct input *in)
{
	uint32_t len = (uint32_t)take(in, 2);

	for (unsigned int n = (unsigned int)take(in, 1); n; n--) {
		struct fake_buf b = {0x100000 + n * 0x1000, len, true};

		fake_add(f, RX, (uint16_t)n, &b, 1);
	}
	fake_kick(f, RX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct fake f;
	struct err err;
	int network;

	must(log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err) == 0);
	start(&f, &network);
	while (in.size) {
		uint8_t command = (uint8_t)take(&in, 1);

		switch (command % 6) {
		case 0:
		case 1:
			send_frame(&f, &in);
			break;
		case 2:
			network_sends(&f, network, &in);
			break;
		case 3:
			many_buffers(&f, &in);
			break;
		default:
			guest_act(&f, &in, command / 6);
			break;
		}
		check_network(&f, network);
	}
	fake_turns(&f, 4);
	(void)close(network);
	fake_turns(&f, 4);
	fake_teardown(&f);
	return 0;
}
