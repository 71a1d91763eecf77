/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device. A frame for the guest is read from the tap right into the guest's next
 * buffer, with a buffer of the device's own behind it for what does not fit; that rest is copied
 * into further buffers (VIRTIO_NET_F_MRG_RXBUF). A frame for which the guest has too few buffers
 * stays in hand until it has more. Frames of the guest go to the tap from where they lie; what is
 * judged, header and addresses, is copied first and sent from the copy.
 *
 * The tap is watched edge-triggered: a guest that is slow, or a tap that is gone, costs no wakeups.
 */
#include "microvm/virtio/net.h"

#include <endian.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/virtio/iov.h"
#include "microvm/virtio/net_frame.h"

#define RX      0
#define TX      1
#define BUDGET  64 /* frames a wakeup and direction */
#define MIN_MTU 68 /* RFC 791 */

/* A frame on its way into the guest's buffers. */
struct frame {
	size_t len, done; /* bytes, header included; len 0: there is none */
	size_t direct;    /* of them read straight into the first buffer */
	size_t n;         /* buffers used */
	struct virtq_chain first;
	struct virtq_used_part used[VIRTQ_SIZE_MAX];
	uint8_t rest[NET_FRAME_MAX]; /* what follows the direct bytes */
};

struct net {
	struct virtio_device base;
	struct net_config config;
	struct virtio_net_config space;
	struct net_stats stats;

	bool live; /* between activation and reset */
	bool tx_more, rx_listening;
	bool readable, writable; /* the tap, until it says EAGAIN */
	struct loop_source *tap;

	struct frame frame;
	struct virtq_chain chain;
	struct iovec iov[VIRTQ_SIZE_MAX + 2];
};

/* The driver broke a queue: nothing is served until it resets the device. */
static void broken(struct net *n, const char *why)
{
	n->live = false;
	virtio_needs_reset(&n->base, why);
}

static void link_down(struct net *n)
{
	n->readable = false;
	if (!n->space.status)
		return;
	n->space.status = 0;
	virtio_config_changed(&n->base);
}

/* --- to the guest --- */

static bool pop_rx(struct net *n, struct virtq_chain *chain)
{
	struct virtq *q = &n->base.queues[RX];
	int rc = virtq_pop(q, chain);

	if (!rc && virtq_listen(q))
		rc = virtq_pop(q, chain);
	if (rc < 0)
		broken(n, "its receive queue is broken");
	n->rx_listening = rc <= 0;
	return rc > 0;
}

/* Reads a frame into the first buffer and the rest. Its length, or -errno. */
static ssize_t read_tap(struct net *n)
{
	struct frame *f = &n->frame;
	size_t count =
		iov_slice(virtq_chain_in(&f->first), f->first.n_in, 0, NET_FRAME_MAX, n->iov);
	ssize_t len;

	n->iov[count++] = (struct iovec){f->rest, sizeof(f->rest)};
	do {
		len = readv(n->config.fd, n->iov, (int)count);
	} while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : len;
}

/* Begins with the tap's next frame. False: there is none, or no buffer, or it does not fit. */
static bool begin_frame(struct net *n)
{
	struct virtq *q = &n->base.queues[RX];
	struct frame *f = &n->frame;
	ssize_t len;

	if (!pop_rx(n, &f->first))
		return false;
	if (f->first.in_len < NET_HDR) {
		virtq_push(q, f->first.head, 0);
		return false;
	}
	len = read_tap(n);
	f->direct = f->first.in_len < NET_FRAME_MAX ? f->first.in_len : NET_FRAME_MAX;
	if (len < (ssize_t)NET_HDR ||
	    (!virtio_has(&n->base, VIRTIO_NET_F_MRG_RXBUF) && (size_t)len > f->direct)) {
		virtq_unpop(q);
		if (len == -EAGAIN)
			n->readable = false;
		else if (len <= 0)
			link_down(n);
		else
			n->stats.rx_dropped++;
		return false;
	}
	if (f->direct > (size_t)len)
		f->direct = (size_t)len;
	f->len = (size_t)len;
	f->done = f->direct;
	f->used[0] = (struct virtq_used_part){f->first.head, (uint32_t)f->direct};
	f->n = 1;
	return true;
}

static void give_up_frame(struct net *n)
{
	struct frame *f = &n->frame;

	for (size_t i = 0; i < f->n; i++)
		f->used[i].written = 0;
	virtq_push_all(&n->base.queues[RX], f->used, f->n);
	f->len = 0;
	n->stats.rx_dropped++;
}

/* Copies the rest of a frame. False: the guest has no buffer for it now. */
static bool copy_rest(struct net *n)
{
	struct frame *f = &n->frame;

	while (f->done < f->len) {
		size_t part;

		if (f->n == ARRAY_SIZE(f->used)) {
			give_up_frame(n);
			return true;
		}
		if (!pop_rx(n, &n->chain))
			return false;
		part = virtq_write(&n->chain, 0, f->rest + f->done - f->direct, f->len - f->done);
		f->used[f->n++] = (struct virtq_used_part){n->chain.head, (uint32_t)part};
		f->done += part;
	}
	return true;
}

static void finish_frame(struct net *n)
{
	struct frame *f = &n->frame;
	uint16_t buffers = htole16((uint16_t)f->n);

	(void)virtq_write(&f->first, offsetof(struct virtio_net_hdr_v1, num_buffers), &buffers,
			  sizeof(buffers));
	/* 5.1.6.4.1: without the feature flags are zero; the kernel may say DATA_VALID. */
	if (!virtio_has(&n->base, VIRTIO_NET_F_GUEST_CSUM))
		(void)virtq_write(&f->first, 0, &(uint8_t){0}, 1);
	virtq_push_all(&n->base.queues[RX], f->used, f->n);
	n->stats.rx_frames++;
	n->stats.rx_bytes += f->len - NET_HDR;
	f->len = 0;
}

static void serve_rx(struct net *n)
{
	unsigned int budget = BUDGET;

	while (n->live && (n->readable || n->frame.len)) {
		if (!budget--) {
			virtio_serve_again(&n->base, RX);
			break;
		}
		if (!n->frame.len && !begin_frame(n)) {
			if (n->rx_listening)
				break;
			continue;
		}
		if (!copy_rest(n))
			break;
		if (n->frame.len)
			finish_frame(n);
	}
	if (!n->live)
		return;
	if (!n->rx_listening)
		virtq_silence(&n->base.queues[RX]);
	virtio_interrupt_queue(&n->base, RX);
}

/* --- from the guest --- */

/* Sends the frame in n->chain, or drops it. -EAGAIN: the tap is full. */
static int send_frame(struct net *n)
{
	const struct virtq_chain *c = &n->chain;
	struct virtio_net_hdr_v1 h;
	uint8_t eth[NET_ETH_LEN];
	size_t count;
	ssize_t done;

	if (c->out_len < NET_HDR + NET_ETH_LEN || c->out_len > NET_FRAME_MAX) {
		n->stats.tx_invalid++;
		return 0;
	}
	(void)virtq_read(c, 0, &h, sizeof(h));
	(void)virtq_read(c, NET_HDR, eth, sizeof(eth));
	if (memcmp(eth + NET_MAC_LEN, n->config.mac, NET_MAC_LEN) != 0) {
		n->stats.tx_spoofed++;
		return 0;
	}
	if (!net_check_header(&h, c->out_len - NET_HDR, n->base.features)) {
		n->stats.tx_invalid++;
		return 0;
	}
	n->iov[0] = (struct iovec){&h, sizeof(h)};
	n->iov[1] = (struct iovec){eth, sizeof(eth)};
	count = iov_slice(c->iov, c->n_out, NET_HDR + NET_ETH_LEN, c->out_len, n->iov + 2);
	do {
		done = writev(n->config.fd, n->iov, (int)count + 2);
	} while (done < 0 && errno == EINTR);
	if (done < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (done < 0) {
		n->stats.tx_dropped++;
		return 0;
	}
	n->stats.tx_frames++;
	n->stats.tx_bytes += c->out_len - NET_HDR;
	return 0;
}

static void serve_tx(struct net *n)
{
	struct virtq *q = &n->base.queues[TX];
	unsigned int budget = BUDGET;
	int rc;

	n->tx_more = false;
	virtq_silence(q);
	for (;;) {
		if (!budget--) {
			virtio_serve_again(&n->base, TX);
			break;
		}
		rc = virtq_pop(q, &n->chain);
		if (rc < 0) {
			broken(n, "its transmit queue is broken");
			return;
		}
		if (rc && send_frame(n)) {
			virtq_unpop(q);
			n->writable = false;
			n->tx_more = true;
			break;
		}
		if (rc)
			virtq_push(q, n->chain.head, 0);
		else if (virtq_listen(q))
			virtq_silence(q);
		else
			break;
	}
	virtio_interrupt_queue(&n->base, TX);
}

/* --- the device --- */

static void serve_due(struct net *n)
{
	if (n->live && n->tx_more && n->writable)
		serve_tx(n);
	serve_rx(n);
}

static void on_tap(void *arg, uint32_t events)
{
	struct net *n = arg;

	pthread_mutex_lock(&n->base.lock);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		n->readable = true;
	if (events & EPOLLOUT)
		n->writable = true;
	serve_due(n);
	pthread_mutex_unlock(&n->base.lock);
}

static void net_serve(struct virtio_device *d, unsigned int q)
{
	struct net *n = (struct net *)d;

	if (q == TX)
		n->tx_more = true;
	serve_due(n);
}

static unsigned int offloads(const struct virtio_device *d)
{
	/* The kernel wants the checksum's flag beside any other, 5.1.3.1 the driver's features too. */
	if (!virtio_has(d, VIRTIO_NET_F_GUEST_CSUM))
		return 0;
	return TUN_F_CSUM | (virtio_has(d, VIRTIO_NET_F_GUEST_TSO4) ? TUN_F_TSO4 : 0u) |
	       (virtio_has(d, VIRTIO_NET_F_GUEST_TSO6) ? TUN_F_TSO6 : 0u);
}

static int net_activate(struct virtio_device *d, struct err *err)
{
	struct net *n = (struct net *)d;
	int rc = 0;

	if (n->config.set_offload)
		rc = n->config.set_offload(n->config.fd, offloads(d), err);
	if (rc)
		return rc;
	n->live = true;
	n->rx_listening = true;
	n->readable = n->space.status != 0;
	n->writable = true;
	n->tx_more = true;
	return 0;
}

static void net_reset(struct virtio_device *d)
{
	struct net *n = (struct net *)d;

	n->live = false;
	n->frame.len = 0;
}

/* A frame in hand is lost, as frames are in a network; the driver has its buffers back. */
static int net_suspend(struct virtio_device *d, struct err *err)
{
	struct net *n = (struct net *)d;

	(void)err;
	if (n->frame.len)
		give_up_frame(n);
	virtio_interrupt_queue(d, RX);
	return 0;
}

/* Under which address the driver knows it, and may send; that it shows another is no matter. */
static int net_save(struct virtio_device *d, struct buf *ret, struct err *err)
{
	const struct net *n = (struct net *)d;

	(void)err;
	state_put_u8(ret, n->config.spare);
	state_put_bytes(ret, n->config.mac, NET_MAC_LEN);
	return 0;
}

static int net_restore(struct virtio_device *d, struct state_in *in, struct err *err)
{
	const struct net *n = (struct net *)d;
	const bool spare = state_u8(in);
	uint8_t mac[NET_MAC_LEN];

	state_bytes(in, mac, sizeof(mac));
	if (!in->failed && !spare && memcmp(mac, n->config.mac, NET_MAC_LEN) != 0)
		return err_set(err, EINVAL,
			       "the snapshot's has the address %02x:%02x:%02x:%02x:%02x:%02x, and not "
			       "%02x:%02x:%02x:%02x:%02x:%02x",
			       mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], n->config.mac[0],
			       n->config.mac[1], n->config.mac[2], n->config.mac[3], n->config.mac[4],
			       n->config.mac[5]);
	return net_activate(d, err);
}

static void net_free(struct virtio_device *d)
{
	struct net *n = (struct net *)d;

	loop_remove(n->tap);
	fd_close(n->config.fd);
	free(n);
}

static const struct virtio_ops net_ops = {
	.name = "net",
	.activate = net_activate,
	.reset = net_reset,
	.serve = net_serve,
	.suspend = net_suspend,
	.save = net_save,
	.restore = net_restore,
	.free = net_free,
};

static uint64_t offered(const struct net_config *config)
{
	uint64_t bits = 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM |
			1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_GUEST_TSO4 |
			1ull << VIRTIO_NET_F_GUEST_TSO6 | 1ull << VIRTIO_NET_F_HOST_TSO4 |
			1ull << VIRTIO_NET_F_HOST_TSO6 | 1ull << VIRTIO_NET_F_MRG_RXBUF |
			1ull << VIRTIO_NET_F_STATUS;

	return config->mtu ? bits | 1ull << VIRTIO_NET_F_MTU : bits;
}

int virtio_net_new(const struct virtio_host *host, const struct net_config *config,
		   struct virtio_device **ret, struct err *err)
{
	static const uint8_t zero[NET_MAC_LEN];
	struct net *n;
	int rc;

	if (config->mac[0] & 1 || memcmp(config->mac, zero, sizeof(zero)) == 0)
		return err_set(err, EINVAL, "the network device needs a unicast address");
	if (config->mtu && config->mtu < MIN_MTU)
		return err_set(err, EINVAL, "'%u' is too small an mtu", config->mtu);
	n = mem_xalloc(sizeof(*n));
	n->config = *config;
	n->config.fd = -1;
	memcpy(n->space.mac, config->mac, NET_MAC_LEN);
	n->space.status = htole16(VIRTIO_NET_S_LINK_UP);
	n->space.mtu = htole16(config->mtu);
	n->base.ops = &net_ops;
	n->base.id = VIRTIO_ID_NET;
	n->base.offered = offered(config);
	n->base.config = (uint8_t *)&n->space;
	n->base.config_size = offsetof(struct virtio_net_config, mtu) + sizeof(n->space.mtu);
	n->base.config_kept = true;
	n->base.n_queues = 2;
	rc = virtio_init(&n->base, host, err);
	if (!rc)
		rc = loop_add(host->loop, config->fd, EPOLLIN | EPOLLOUT | EPOLLET, on_tap, n,
			      &n->tap, err);
	if (rc) {
		virtio_destroy(&n->base);
		return rc;
	}
	n->config.fd = config->fd;
	*ret = &n->base;
	return 0;
}

void virtio_net_stats(struct virtio_device *d, struct net_stats *ret)
{
	pthread_mutex_lock(&d->lock);
	*ret = ((struct net *)d)->stats;
	pthread_mutex_unlock(&d->lock);
}
