/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket device's queues and packets (virtio 1.2, 5.10). A packet of the guest goes to its
 * connection or is answered by a RST; packets for the guest are made only when it has a buffer for
 * them, so that none waits in memory. The one exception, answers to packets of no connection, is a
 * ring of fixed size: while it is full, the guest's queue is not read (5.10.6.1 allows that).
 *
 * Each wakeup serves a bounded number of packets, then lets the loop's other devices have a turn.
 */
#include "microvm/virtio/vsock.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/virtio/vsock_conn.h"

#define RX          0
#define TX          1
#define EVENTS      2
#define BUDGET      128 /* packets a wakeup and direction */
#define MAX_PAYLOAD 65536u

static void read_packet(const struct virtio_vsock_hdr *h, struct vsock_packet *p)
{
	*p = (struct vsock_packet){
		.src_cid = le64toh(h->src_cid),
		.dst_cid = le64toh(h->dst_cid),
		.src_port = le32toh(h->src_port),
		.dst_port = le32toh(h->dst_port),
		.len = le32toh(h->len),
		.flags = le32toh(h->flags),
		.buf_alloc = le32toh(h->buf_alloc),
		.fwd_cnt = le32toh(h->fwd_cnt),
		.type = le16toh(h->type),
		.op = le16toh(h->op),
	};
}

static void write_packet(const struct virtq_chain *chain, const struct vsock_packet *p)
{
	struct virtio_vsock_hdr h = {
		.src_cid = htole64(p->src_cid),
		.dst_cid = htole64(p->dst_cid),
		.src_port = htole32(p->src_port),
		.dst_port = htole32(p->dst_port),
		.len = htole32(p->len),
		.type = htole16(p->type),
		.op = htole16(p->op),
		.flags = htole32(p->flags),
		.buf_alloc = htole32(p->buf_alloc),
		.fwd_cnt = htole32(p->fwd_cnt),
	};

	(void)virtq_write(chain, 0, &h, sizeof(h));
}

static bool resets_full(const struct vsock *s)
{
	return s->n_resets == VSOCK_RESETS;
}

/* Answers a packet of no connection. A RST has no answer, or two sides would never end. */
static void refuse(struct vsock *s, const struct vsock_packet *p)
{
	if (p->op == VIRTIO_VSOCK_OP_RST || resets_full(s))
		return;
	s->resets[(s->resets_head + s->n_resets++) % VSOCK_RESETS] = (struct vsock_packet){
		.src_cid = p->dst_cid,
		.dst_cid = p->src_cid,
		.src_port = p->dst_port,
		.dst_port = p->src_port,
		.type = p->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};
}

static void open_for_guest(struct vsock *s, const struct vsock_packet *p,
			   const struct virtq_chain *chain)
{
	struct vsock_conn *c;
	int fd;

	if (s->n_conns >= VSOCK_MAX_CONNS) {
		refuse(s, p);
		return;
	}
	fd = s->config.connect(s->config.arg, p->dst_port);
	c = fd < 0 ? NULL : vsock_conn_new(s, fd, VSOCK_NEW);
	if (!c) {
		fd_close(fd);
		refuse(s, p);
		return;
	}
	vsock_conn_insert(c, p->src_port, p->dst_port);
	vsock_conn_take(c, p, chain);
}

static void take_packet(struct vsock *s, const struct virtq_chain *chain)
{
	struct virtio_vsock_hdr h;
	struct vsock_packet p;
	struct vsock_conn *c;

	if (virtq_read(chain, 0, &h, sizeof(h)) < sizeof(h))
		return;
	read_packet(&h, &p);
	if (p.type != VIRTIO_VSOCK_TYPE_STREAM || p.src_cid != s->config.guest_cid ||
	    p.dst_cid != VSOCK_HOST_CID) {
		refuse(s, &p);
		return;
	}
	c = vsock_conn_find(s, p.src_port, p.dst_port);
	if (c && (p.len > MAX_PAYLOAD || p.len > chain->out_len - sizeof(h))) {
		vsock_conn_end(c, true);
		vsock_conn_update(c);
	} else if (c) {
		vsock_conn_take(c, &p, chain);
	} else if (p.op == VIRTIO_VSOCK_OP_REQUEST) {
		open_for_guest(s, &p, chain);
	} else {
		refuse(s, &p);
	}
}

/* Ends all connections; what the guest sent is still given to the host. */
static void stop(struct vsock *s)
{
	struct vsock_conn *c, *next;

	s->live = false;
	s->held = false;
	s->tx_more = false;
	s->tx_stalled = false;
	s->n_resets = 0;
	for (c = LIST_FIRST(&s->conns); c; c = next) {
		next = LIST_NEXT(c, all);
		vsock_conn_end(c, false);
		vsock_conn_update(c);
	}
}

/* The driver broke a queue: nothing is served until it resets the device. */
static void broken(struct vsock *s, const char *why)
{
	stop(s);
	virtio_needs_reset(&s->base, why);
}

static void serve_tx(struct vsock *s)
{
	struct virtq *q = &s->base.queues[TX];
	unsigned int budget = BUDGET;
	int rc;

	s->tx_more = false;
	s->tx_stalled = false;
	virtq_silence(q);
	for (;;) {
		if (resets_full(s)) {
			s->tx_stalled = true;
			break;
		}
		if (!budget--) {
			s->tx_more = true;
			virtio_serve_again(&s->base, RX);
			break;
		}
		rc = virtq_pop(q, &s->chain);
		if (rc < 0) {
			broken(s, "its transmit queue is broken");
			return;
		}
		if (rc) {
			take_packet(s, &s->chain);
			virtq_push(q, s->chain.head, 0);
		} else if (virtq_listen(q)) {
			virtq_silence(q);
		} else {
			break;
		}
	}
	virtio_interrupt_queue(&s->base, TX);
}

/* Fills the request in s->chain. Bytes for the guest; 0: nothing is due. */
static int next_packet(struct vsock *s, struct vsock_packet *p)
{
	struct vsock_conn *c;
	int rc;

	if (s->n_resets) {
		*p = s->resets[s->resets_head];
		s->resets_head = (s->resets_head + 1) % VSOCK_RESETS;
		s->n_resets--;
		return 1;
	}
	while ((c = TAILQ_FIRST(&s->ready))) {
		TAILQ_REMOVE(&s->ready, c, ready);
		c->is_ready = false;
		rc = vsock_conn_give(c, &s->chain, p);
		vsock_conn_update(c);
		if (rc)
			return rc;
	}
	return 0;
}

/* The next buffer of the guest in s->chain, or false. */
static bool pop_rx(struct vsock *s)
{
	struct virtq *q = &s->base.queues[RX];
	int rc = virtq_pop(q, &s->chain);

	if (!rc && virtq_listen(q))
		rc = virtq_pop(q, &s->chain);
	if (rc < 0)
		broken(s, "its receive queue is broken");
	s->rx_listening = rc <= 0;
	return rc > 0;
}

static void serve_rx(struct vsock *s)
{
	struct virtq *q = &s->base.queues[RX];
	unsigned int budget = BUDGET;
	struct vsock_packet p;
	int rc;

	if (s->held)
		return;
	while (s->n_resets || !TAILQ_EMPTY(&s->ready)) {
		if (!budget--) {
			virtio_serve_again(&s->base, RX);
			break;
		}
		if (!pop_rx(s))
			break;
		if (s->chain.in_len < VSOCK_HDR) {
			virtq_push(q, s->chain.head, 0);
			continue;
		}
		rc = next_packet(s, &p);
		if (!rc) {
			virtq_unpop(q);
			break;
		}
		if (rc > 0)
			write_packet(&s->chain, &p);
		virtq_push(q, s->chain.head, rc > 0 ? (uint32_t)VSOCK_HDR + p.len : 0);
	}
	if (!s->live)
		return;
	if (!s->rx_listening)
		virtq_silence(q);
	virtio_interrupt_queue(&s->base, RX);
}

static void serve_due(struct vsock *s)
{
	if (s->live && (s->tx_more || (s->tx_stalled && !resets_full(s))))
		serve_tx(s);
	if (s->live)
		serve_rx(s);
	if (s->live && s->tx_stalled && !resets_full(s))
		virtio_serve_again(&s->base, RX);
}

void vsock_enter(struct vsock *s)
{
	pthread_mutex_lock(&s->base.lock);
}

void vsock_leave(struct vsock *s)
{
	serve_due(s);
	pthread_mutex_unlock(&s->base.lock);
}

static int vsock_activate(struct virtio_device *d, struct err *err)
{
	struct vsock *s = (struct vsock *)d;

	(void)err;
	s->live = true;
	s->rx_listening = true;
	return 0;
}

static void vsock_reset(struct virtio_device *d)
{
	struct vsock *s = (struct vsock *)d;

	stop(s);
}

/* ---- saved and made again ---- */

/*
 * None of the connections is there any more, which the guest is told (5.10.6.7). Nothing else is
 * given to it before it has returned that buffer: it goes through its connections when it takes the
 * event, and would end a new one with the old.
 */
static void tell_reset(struct vsock *s)
{
	const struct virtio_vsock_event event = {.id = htole32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)};
	struct virtq *q = &s->base.queues[EVENTS];

	if (virtq_pop(q, &s->chain) <= 0)
		return;
	virtq_push(q, s->chain.head, (uint32_t)virtq_write(&s->chain, 0, &event, sizeof(event)));
	s->held = true;
	s->held_at = virtq_available(q);
	virtq_listen_for_more(q);
}

static int vsock_restore(struct virtio_device *d, struct state_in *in, struct err *err)
{
	struct vsock *s = (struct vsock *)d;
	int rc = vsock_activate(d, err);

	(void)in;
	tell_reset(s);
	return rc;
}

static void vsock_serve(struct virtio_device *d, unsigned int q)
{
	struct vsock *s = (struct vsock *)d;

	if (!s->live)
		return;
	if (q == EVENTS && s->held && virtq_available(&d->queues[EVENTS]) != s->held_at)
		s->held = false;
	if (q == TX)
		s->tx_more = true;
	serve_due(s);
}

static void vsock_free(struct virtio_device *d)
{
	struct vsock *s = (struct vsock *)d;

	while (!LIST_EMPTY(&s->conns))
		vsock_conn_free(LIST_FIRST(&s->conns));
	vsock_drop_requests(s);
	loop_remove(s->timer);
	free(s);
}

static const struct virtio_ops vsock_ops = {
	.name = "vsock",
	.activate = vsock_activate,
	.reset = vsock_reset,
	.serve = vsock_serve,
	.restore = vsock_restore,
	.free = vsock_free,
};

static int make_sources(struct vsock *s, int requests_fd, struct err *err)
{
	struct loop *loop = s->base.host.loop;
	int rc = loop_add_timer(loop, vsock_on_timer, s, &s->timer, err);

	if (rc || requests_fd < 0)
		return rc;
	rc = fd_set_nonblock(requests_fd, 1, err);
	if (!rc)
		rc = loop_add(loop, requests_fd, EPOLLIN, vsock_on_requests, s, &s->requests, err);
	return rc;
}

int virtio_vsock_new(const struct virtio_host *host, const struct vsock_config *config,
		     struct virtio_device **ret, struct err *err)
{
	struct vsock *s;
	int rc;

	if (config->guest_cid <= VSOCK_HOST_CID || config->guest_cid >= UINT32_MAX)
		return err_set(err, EINVAL, "'%" PRIu64 "' is no address for a guest",
			       config->guest_cid);
	s = mem_xalloc(sizeof(*s));
	s->config = *config;
	s->config.requests_fd = -1;
	s->space.guest_cid = htole64(config->guest_cid);
	LIST_INIT(&s->conns);
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->timed);
	s->base.ops = &vsock_ops;
	s->base.id = VIRTIO_ID_VSOCK;
	s->base.offered = 1ull << VIRTIO_F_IN_ORDER;
	s->base.config = (uint8_t *)&s->space;
	s->base.config_size = sizeof(s->space);
	s->base.n_queues = 3;
	rc = virtio_init(&s->base, host, err);
	if (!rc)
		rc = make_sources(s, config->requests_fd, err);
	if (rc) {
		virtio_destroy(&s->base);
		return rc;
	}
	s->config.requests_fd = config->requests_fd;
	*ret = &s->base;
	return 0;
}

uint64_t virtio_vsock_buffered(struct virtio_device *d)
{
	struct vsock *s = (struct vsock *)d;
	struct vsock_conn *c;
	uint64_t sum = 0;

	pthread_mutex_lock(&d->lock);
	for (c = LIST_FIRST(&s->conns); c; c = LIST_NEXT(c, all))
		sum += c->len;
	pthread_mutex_unlock(&d->lock);
	return sum;
}
