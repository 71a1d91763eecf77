/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's side of the socket device: receive buffers that are given back as they are read,
 * transmit buffers, packets. It keeps no rules by itself. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_MICROVM_VSOCK_GUEST_H
#define HULL_TESTS_UNIT_MICROVM_VSOCK_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_vsock.h>
#include <sys/socket.h>
#include <unistd.h>

#include "microvm/virtio/vsock.h"
#include "tests/unit/microvm/fake.h"

#define CID      42
#define HDR      sizeof(struct virtio_vsock_hdr)
#define RX_AT    0x100000u
#define RX_SIZE  4096u
#define TX_AT    0x400000u
#define TX_SIZE  (HDR + 66000)
#define TX_SLOTS 16 /* of 16 descriptors each */
#define G_PORT   5000
#define H_PORT   80

enum { RX, TX, EVENT };

struct vguest {
	struct fake f;
	unsigned int slots_used;
	bool slot_used[TX_SLOTS];
	unsigned int pieces; /* descriptors for a packet */
	/* what the connect function does */
	int answer;    /* -errno, or 0: makes a pair */
	int host;      /* the host's end of the last pair */
	int shared_fd; /* >= 0: handed out in copies instead */
	unsigned int connects;
	uint32_t port;
};

static inline int vguest_connect(void *arg, uint32_t host_port)
{
	struct vguest *g = arg;
	int fds[2];

	g->connects++;
	g->port = host_port;
	if (g->answer)
		return g->answer;
	if (g->shared_fd >= 0)
		return fcntl(g->shared_fd, F_DUPFD_CLOEXEC, 3);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	g->host = fds[1];
	return fds[0];
}

static inline void vguest_give_rx(struct vguest *g, uint16_t head, uint32_t len)
{
	struct fake_buf b = {RX_AT + head * RX_SIZE, len, true};

	fake_add(&g->f, RX, head, &b, 1);
}

static inline void vguest_start(struct vguest *g, bool with_rx)
{
	g->slots_used = 0;
	memset(g->slot_used, 0, sizeof(g->slot_used));
	fake_start(&g->f, 0);
	for (uint16_t i = 0; with_rx && i < FAKE_SIZE; i++)
		vguest_give_rx(g, i, RX_SIZE);
	fake_kick(&g->f, RX);
}

static inline int vguest_setup_with(struct vguest *g, int requests_fd)
{
	struct vsock_config config = {CID, vguest_connect, g, requests_fd};
	struct err err = ERR_INIT;

	*g = (struct vguest){.pieces = 1, .host = -1, .shared_fd = -1};
	fake_setup(&g->f);
	if (virtio_vsock_new(&g->f.host, &config, &g->f.d, &err))
		fail_msg("%s", err.msg);
	return 0;
}

static inline void vguest_teardown(struct vguest *g)
{
	if (g->host >= 0)
		(void)close(g->host);
	fake_teardown(&g->f);
}

static inline void vguest_reap_tx(struct vguest *g)
{
	uint16_t head;
	uint32_t len;

	while (fake_used(&g->f, TX, &head, &len)) {
		g->slot_used[head / 16] = false;
		g->slots_used--;
	}
}

/* Puts a packet into the transmit queue; false: it is full. Does not notify. */
static inline bool vguest_queue(struct vguest *g, const struct virtio_vsock_hdr *h,
				const void *data, uint32_t len)
{
	struct fake_buf bufs[16];
	uint32_t slot = 0, total = (uint32_t)HDR + len, step, n = 0;
	uint64_t at;

	vguest_reap_tx(g);
	while (slot < TX_SLOTS && g->slot_used[slot])
		slot++;
	if (slot == TX_SLOTS)
		return false;
	g->slot_used[slot] = true;
	g->slots_used++;
	at = TX_AT + slot * TX_SIZE;
	memcpy(fake_at(&g->f, at), h, HDR);
	if (data)
		memcpy(fake_at(&g->f, at + HDR), data, len);
	step = (total + g->pieces - 1) / g->pieces;
	for (uint32_t off = 0; off < total; off += step)
		bufs[n++] =
			(struct fake_buf){at + off, off + step < total ? step : total - off, false};
	fake_add(&g->f, TX, (uint16_t)(slot * 16), bufs, n);
	return true;
}

static inline struct virtio_vsock_hdr vguest_hdr(uint16_t op, uint32_t len)
{
	return (struct virtio_vsock_hdr){
		.src_cid = CID,
		.dst_cid = VSOCK_HOST_CID,
		.src_port = G_PORT,
		.dst_port = H_PORT,
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = 1 << 20,
	};
}

static inline void vguest_send_hdr(struct vguest *g, struct virtio_vsock_hdr h, const void *data)
{
	if (!vguest_queue(g, &h, data, h.len))
		fail_msg("the transmit queue is full");
	fake_kick(&g->f, TX);
}

static inline void vguest_send(struct vguest *g, uint16_t op, const void *data, uint32_t len)
{
	vguest_send_hdr(g, vguest_hdr(op, len), data);
}

static inline void vguest_send_flags(struct vguest *g, uint16_t op, uint32_t flags)
{
	struct virtio_vsock_hdr h = vguest_hdr(op, 0);

	h.flags = flags;
	vguest_send_hdr(g, h, NULL);
}

/* The next packet for the guest; its buffer is given back. False: none. */
static inline bool vguest_recv(struct vguest *g, struct virtio_vsock_hdr *h, uint8_t *data)
{
	uint16_t head;
	uint32_t len;

	if (!fake_used(&g->f, RX, &head, &len))
		return false;
	assert_in_range(len, HDR, RX_SIZE);
	memcpy(h, fake_at(&g->f, RX_AT + head * RX_SIZE), HDR);
	assert_int_equal(h->len, len - HDR);
	if (data)
		memcpy(data, fake_at(&g->f, RX_AT + head * RX_SIZE + HDR), h->len);
	vguest_give_rx(g, head, RX_SIZE);
	return true;
}

/* The next packet must be this one. */
static inline struct virtio_vsock_hdr vguest_expect(struct vguest *g, uint16_t op)
{
	struct virtio_vsock_hdr h;

	fake_turns(&g->f, 3);
	if (!vguest_recv(g, &h, NULL))
		fail_msg("no packet, expected op %u", op);
	assert_int_equal(h.op, op);
	assert_int_equal(h.src_cid, VSOCK_HOST_CID);
	assert_int_equal(h.dst_cid, CID);
	assert_int_equal(h.type, VIRTIO_VSOCK_TYPE_STREAM);
	return h;
}

static inline void vguest_expect_none(struct vguest *g)
{
	struct virtio_vsock_hdr h;

	fake_turns(&g->f, 3);
	if (vguest_recv(g, &h, NULL))
		fail_msg("unexpected packet, op %u", h.op);
}

static inline void vguest_open(struct vguest *g)
{
	vguest_send(g, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	(void)vguest_expect(g, VIRTIO_VSOCK_OP_RESPONSE);
}

#endif
