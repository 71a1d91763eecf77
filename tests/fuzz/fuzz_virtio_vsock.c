/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket device against a guest that says anything, and hosts that come and go. Looks for memory
 * errors, for buffers that outgrow their bounds, and for rounds of the loop that have no end.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_vsock.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "microvm/virtio/vsock.h"
#include "tests/fuzz/virtio_guest.h"

#define CID    3
#define HOSTS  16
#define TX_AT  0x300000u
#define TX_MAX 70000u
#define HDR    sizeof(struct virtio_vsock_hdr)

struct world {
	struct fake f;
	int hosts[HOSTS];
	unsigned int next;
	int requests; /* vsock_request, to the device */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void keep(struct world *w, int fd)
{
	int *slot = &w->hosts[w->next++ % HOSTS];

	if (*slot >= 0)
		(void)close(*slot);
	*slot = fd;
}

static int on_connect(void *arg, uint32_t host_port)
{
	struct world *w = arg;
	int fds[2], small = 1;

	if (host_port % 8 == 7)
		return -ECONNREFUSED;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	/* As little as the kernel allows, so that the device's own buffer is used. */
	must(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	keep(w, fds[1]);
	return fds[0];
}

static void start(struct world *w)
{
	struct vsock_config config = {CID, on_connect, w, -1};
	struct err err;
	int pair[2];

	*w = (struct world){0};
	for (size_t i = 0; i < HOSTS; i++)
		w->hosts[i] = -1;
	must(pipe2(pair, O_CLOEXEC) == 0);
	config.requests_fd = pair[0];
	w->requests = pair[1];
	fake_setup(&w->f);
	must(virtio_vsock_new(&w->f.host, &config, &w->f.d, &err) == 0);
	fake_start(&w->f, 0);
}

/* A packet that is right but for what the input chose otherwise. */
static void send_packet(struct world *w, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	uint32_t len = (uint32_t)take(in, how & 1 ? 3 : 1) % TX_MAX;
	struct virtio_vsock_hdr h = {
		.src_cid = how & 2 ? take(in, 8) : CID,
		.dst_cid = how & 4 ? take(in, 8) : VSOCK_HOST_CID,
		.src_port = (uint32_t)take(in, 1) % 32,
		.dst_port =
			how & 8 ? (1u << 30) + (uint32_t)take(in, 1) % 8 : (uint32_t)take(in, 1),
		.len = how & 16 ? (uint32_t)take(in, 4) : len,
		.type = how & 32 ? (uint16_t)take(in, 2) : VIRTIO_VSOCK_TYPE_STREAM,
		.op = (uint16_t)take(in, 1) % 10,
		.flags = (uint32_t)take(in, 1),
		.buf_alloc = (uint32_t)take(in, how & 64 ? 4 : 2) << (how & 64 ? 0 : 4),
		.fwd_cnt = (uint32_t)take(in, how & 128 ? 4 : 1),
	};
	uint32_t cut = (uint32_t)take(in, 1) % (uint32_t)(HDR + len + 1);
	struct fake_buf bufs[2] = {{TX_AT, cut, false},
				   {TX_AT + cut, (uint32_t)HDR + len - cut, false}};

	memcpy(fake_at(&w->f, TX_AT), &h, HDR);
	fake_add(&w->f, 1, (uint16_t)(take(in, 1) & 0xfe), bufs, 2);
	fake_kick(&w->f, 1);
}

static void host_acts(struct world *w, struct input *in)
{
	static uint8_t data[VSOCK_BUF_SIZE];
	uint8_t how = (uint8_t)take(in, 1);
	int *fd = &w->hosts[how % HOSTS];

	if (*fd < 0)
		return;
	switch (how / HOSTS % 4) {
	case 0:
		(void)!send(*fd, data, take(in, 2), MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 1:
		(void)!recv(*fd, data, sizeof(data), MSG_DONTWAIT);
		break;
	case 2:
		(void)shutdown(*fd, how & 0x40 ? SHUT_RD : SHUT_WR);
		break;
	default:
		(void)close(*fd);
		*fd = -1;
		break;
	}
}

/* One of few ports, so that some are asked for twice; words of the input come at once. */
static void host_connects(struct world *w, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	size_t len = how % 40;
	struct vsock_request r = {5, (1u << 30) + how % 8, -1};
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	keep(w, pair[0]);
	r.fd = pair[1];
	must(write(w->requests, &r, sizeof(r)) == (ssize_t)sizeof(r));
	if (len > in->size)
		len = in->size;
	(void)!send(pair[0], in->data, len, MSG_NOSIGNAL);
	in->data += len;
	in->size -= len;
	fake_turns(&w->f, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct world w;
	struct err err;

	must(log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err) == 0);
	start(&w);
	while (in.size) {
		uint8_t command = (uint8_t)take(&in, 1);

		switch (command % 6) {
		case 0:
		case 1:
			send_packet(&w, &in);
			break;
		case 2:
			host_acts(&w, &in);
			break;
		case 3:
			host_connects(&w, &in);
			break;
		default:
			guest_act(&w.f, &in, command / 6);
			break;
		}
		must(virtio_vsock_buffered(w.f.d) <= (uint64_t)VSOCK_MAX_CONNS * VSOCK_BUF_SIZE);
	}
	fake_turns(&w.f, 4);
	for (size_t i = 0; i < HOSTS; i++)
		if (w.hosts[i] >= 0)
			(void)close(w.hosts[i]);
	fake_teardown(&w.f);
	(void)close(w.requests);
	return 0;
}
