/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of the socket device: their states, credit (virtio 1.2, 5.10.6.3), half-closing and
 * the host's sockets.
 *
 * Sockets are watched edge-triggered, all events at once and for good: what a socket can do is kept
 * in readable and writable until it says EAGAIN. So a side that is not ready costs no wakeups, and a
 * hang-up, which level-triggered epoll(7) cannot leave out, does not spin while the guest is slow.
 * From the host's socket bytes go straight into the guest's buffer, as many as its credit allows;
 * the guest's bytes go straight to the socket, and what that does not take into a ring whose size
 * is the credit that the guest was given.
 */
#include "microvm/virtio/vsock_conn.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/virtio/iov.h"

#define CREDIT_STEP (VSOCK_BUF_SIZE / 4) /* freed bytes that the guest is told of */
#define MAX_CREDIT  (1u << 30)
#define TIMEOUT_NS  10000000000ull /* a guest may be slow: it shares its processors */
#define SHUT_BOTH   (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

static void close_host(struct vsock_conn *c)
{
	loop_remove(c->source);
	c->source = NULL;
	fd_replace(&c->fd, -1);
	c->len = 0;
}

/* The host's side takes nothing more. */
static void refuse_data(struct vsock_conn *c)
{
	c->refused = true;
	c->fwd += c->len;
	c->len = 0;
}

static ssize_t send_iov(struct vsock_conn *c, struct iovec *iov, size_t n)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
	ssize_t done;

	do {
		done = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (done < 0 && errno == EINTR);
	if (done >= 0)
		return done;
	if (errno == EAGAIN)
		c->writable = false;
	else
		refuse_data(c);
	return 0;
}

/* Gives the host what is buffered, as far as it takes it. */
static void flush(struct vsock_conn *c)
{
	while (c->len && c->writable && !c->refused) {
		uint32_t first = VSOCK_BUF_SIZE - c->head;
		struct iovec iov[2] = {{c->buf + c->head, c->len}, {c->buf, 0}};
		ssize_t done;

		if (first < c->len) {
			iov[0].iov_len = first;
			iov[1].iov_len = c->len - first;
		}
		done = send_iov(c, iov, 2);
		if (c->refused)
			return;
		c->head = (c->head + (uint32_t)done) % VSOCK_BUF_SIZE;
		c->len -= (uint32_t)done;
		c->fwd += (uint32_t)done;
	}
	if (!c->len && c->state == VSOCK_OPEN && c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND)
		(void)shutdown(c->fd, SHUT_WR);
}

/* The host's side is gone; what it wrote before may still be there. */
static void hang_up(struct vsock_conn *c)
{
	char byte;

	refuse_data(c);
	/* With nothing left to read, one packet tells the guest of both directions. */
	if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		c->eof = true;
}

static void on_socket(void *arg, uint32_t events)
{
	struct vsock_conn *c = arg;
	struct vsock *s = c->dev;

	vsock_enter(s);
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->ended = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->readable = true;
	if (events & EPOLLOUT)
		c->writable = true;
	if (events & (EPOLLHUP | EPOLLERR))
		hang_up(c);
	flush(c);
	vsock_conn_update(c);
	vsock_leave(s);
}

struct vsock_conn *vsock_conn_new(struct vsock *s, int fd, enum vsock_state state)
{
	struct vsock_conn *c;

	if (s->n_conns >= VSOCK_MAX_CONNS)
		return NULL;
	c = mem_try_calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	if (loop_add(s->base.host.loop, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_socket, c,
		     &c->source, NULL)) {
		free(c);
		return NULL;
	}
	c->dev = s;
	c->fd = fd;
	c->state = state;
	c->readable = true;
	c->writable = true;
	LIST_INSERT_HEAD(&s->conns, c, all);
	s->n_conns++;
	return c;
}

static unsigned int bucket_of(uint32_t guest_port, uint32_t host_port)
{
	return (guest_port * 31 + host_port) % VSOCK_BUCKETS;
}

void vsock_conn_insert(struct vsock_conn *c, uint32_t guest_port, uint32_t host_port)
{
	c->guest_port = guest_port;
	c->host_port = host_port;
	c->in_bucket = true;
	LIST_INSERT_HEAD(&c->dev->buckets[bucket_of(guest_port, host_port)], c, bucket);
}

struct vsock_conn *vsock_conn_find(struct vsock *s, uint32_t guest_port, uint32_t host_port)
{
	unsigned int b = bucket_of(guest_port, host_port);
	struct vsock_conn *c;

	for (c = LIST_FIRST(&s->buckets[b]); c; c = LIST_NEXT(c, bucket))
		if (c->guest_port == guest_port && c->host_port == host_port)
			return c;
	return NULL;
}

/* From here on its ports may be used again. */
static void remove_from_bucket(struct vsock_conn *c)
{
	if (c->in_bucket)
		LIST_REMOVE(c, bucket);
	c->in_bucket = false;
}

void vsock_conn_free(struct vsock_conn *c)
{
	struct vsock *s = c->dev;

	vsock_conn_stop_timer(c);
	if (c->is_ready)
		TAILQ_REMOVE(&s->ready, c, ready);
	remove_from_bucket(c);
	LIST_REMOVE(c, all);
	s->n_conns--;
	close_host(c);
	free(c->buf);
	free(c);
}

void vsock_conn_end(struct vsock_conn *c, bool tell)
{
	vsock_conn_stop_timer(c);
	c->state = VSOCK_CLOSED;
	c->pending = tell ? VSOCK_TELL_RST : 0;
	c->eof = true;
	if (c->fd < 0)
		return;
	(void)shutdown(c->fd, SHUT_RD);
	c->writable = true;
	flush(c);
}

static uint32_t credit(const struct vsock_conn *c)
{
	uint32_t in_flight = c->sent - c->guest_fwd;

	return c->guest_alloc > in_flight ? c->guest_alloc - in_flight : 0;
}

/* What of the connection the host has ended. */
static uint32_t host_shut(const struct vsock_conn *c)
{
	return (c->eof ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0u) |
	       (c->refused ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0u);
}

static void note_pending(struct vsock_conn *c)
{
	if (host_shut(c) & ~c->told_shut)
		c->pending |= VSOCK_TELL_SHUTDOWN;
	if (c->fwd - c->fwd_told >= CREDIT_STEP && !(c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND))
		c->pending |= VSOCK_TELL_CREDIT;
	if (c->readable && !c->eof && !credit(c) && !c->asked) {
		c->pending |= VSOCK_ASK_CREDIT;
		c->asked = true;
	}
}

void vsock_conn_update(struct vsock_conn *c)
{
	struct vsock *s = c->dev;

	if (c->state == VSOCK_OPEN)
		note_pending(c);
	if (c->state == VSOCK_CLOSED) {
		if (c->fd >= 0 && !c->len)
			close_host(c);
		if (!c->pending)
			remove_from_bucket(c);
		if (!c->pending && c->fd < 0) {
			vsock_conn_free(c);
			return;
		}
	}
	if (c->is_ready)
		return;
	if (c->pending || (c->state == VSOCK_OPEN && c->readable && !c->eof && credit(c))) {
		TAILQ_INSERT_TAIL(&s->ready, c, ready);
		c->is_ready = true;
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* All timeouts are equally long, so a list in order of arrival and one timer will do. */
void vsock_conn_start_timer(struct vsock_conn *c)
{
	struct vsock *s = c->dev;

	vsock_conn_stop_timer(c);
	c->deadline_ns = now_ns() + TIMEOUT_NS;
	if (TAILQ_EMPTY(&s->timed) && loop_set_timer(s->timer, TIMEOUT_NS, NULL))
		return;
	TAILQ_INSERT_TAIL(&s->timed, c, timed);
	c->is_timed = true;
}

void vsock_conn_stop_timer(struct vsock_conn *c)
{
	if (c->is_timed)
		TAILQ_REMOVE(&c->dev->timed, c, timed);
	c->is_timed = false;
}

void vsock_on_timer(void *arg, uint32_t events)
{
	struct vsock *s = arg;
	struct vsock_conn *c;
	uint64_t now = now_ns();

	(void)events;
	vsock_enter(s);
	while ((c = TAILQ_FIRST(&s->timed)) && c->deadline_ns <= now) {
		vsock_conn_end(c, true);
		vsock_conn_update(c);
	}
	if (c)
		(void)!loop_set_timer(s->timer, c->deadline_ns - now, NULL);
	vsock_leave(s);
}

/*
 * False: the guest has read more than it was sent. An older count than the last is no lie, as two
 * processors of a guest may queue their packets in the other order.
 */
static bool take_credit(struct vsock_conn *c, const struct vsock_packet *p)
{
	if ((int32_t)(p->fwd_cnt - c->sent) > 0)
		return false;
	if (p->fwd_cnt - c->guest_fwd <= c->sent - c->guest_fwd)
		c->guest_fwd = p->fwd_cnt;
	c->guest_alloc = p->buf_alloc < MAX_CREDIT ? p->buf_alloc : MAX_CREDIT;
	if (credit(c))
		c->asked = false;
	return true;
}

/* Puts what lies in chain from offset on into the ring, which has room for it. */
static void buffer(struct vsock_conn *c, const struct virtq_chain *chain, size_t offset,
		   uint32_t len)
{
	uint32_t tail = (c->head + c->len) % VSOCK_BUF_SIZE;
	uint32_t first = VSOCK_BUF_SIZE - tail;

	if (first > len)
		first = len;
	(void)virtq_read(chain, offset, c->buf + tail, first);
	(void)virtq_read(chain, offset + first, c->buf, len - first);
	c->len += len;
}

/* False: the guest sent more than its credit, after its own shutdown, or memory is out. */
static bool take_data(struct vsock_conn *c, uint32_t len, const struct virtq_chain *chain)
{
	struct vsock *s = c->dev;
	uint32_t done = 0;

	if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND || len > VSOCK_BUF_SIZE - c->len)
		return false;
	if (len && !c->refused && !c->len && c->writable) {
		size_t n = iov_slice(chain->iov, chain->n_out, VSOCK_HDR, len, s->iov);

		done = (uint32_t)send_iov(c, s->iov, n);
		if (done < len)
			c->writable = false;
	}
	if (c->refused) {
		c->fwd += len;
		return true;
	}
	c->fwd += done;
	if (done == len)
		return true;
	if (!c->buf)
		c->buf = mem_try_calloc(1, VSOCK_BUF_SIZE);
	if (!c->buf)
		return false;
	buffer(c, chain, VSOCK_HDR + done, len - done);
	return true;
}

static void take_shutdown(struct vsock_conn *c, uint32_t flags)
{
	c->guest_shut |= flags & SHUT_BOTH;
	if (c->guest_shut == SHUT_BOTH) {
		vsock_conn_end(c, true);
		return;
	}
	if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV) {
		c->eof = true;
		(void)shutdown(c->fd, SHUT_RD);
	}
	flush(c);
}

/* False: the packet has no place in this state. */
static bool take_op(struct vsock_conn *c, const struct vsock_packet *p,
		    const struct virtq_chain *chain)
{
	switch (p->op) {
	case VIRTIO_VSOCK_OP_REQUEST:
		if (c->state != VSOCK_NEW)
			return false;
		c->state = VSOCK_OPEN;
		c->pending = VSOCK_TELL_RESPONSE;
		return true;
	case VIRTIO_VSOCK_OP_RESPONSE:
		if (c->state != VSOCK_REQUESTED || c->pending & VSOCK_TELL_REQUEST)
			return false;
		vsock_conn_stop_timer(c);
		c->state = VSOCK_OPEN;
		return true;
	case VIRTIO_VSOCK_OP_RST:
		vsock_conn_end(c, false);
		return true;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		if (c->state == VSOCK_OPEN)
			take_shutdown(c, p->flags);
		return c->state != VSOCK_REQUESTED;
	case VIRTIO_VSOCK_OP_RW:
		return c->state == VSOCK_OPEN && take_data(c, p->len, chain);
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		return true;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		c->pending |= VSOCK_TELL_CREDIT;
		return true;
	default:
		return false;
	}
}

void vsock_conn_take(struct vsock_conn *c, const struct vsock_packet *p,
		     const struct virtq_chain *chain)
{
	if (c->state == VSOCK_CLOSED) {
		if (p->op == VIRTIO_VSOCK_OP_RST)
			c->pending = 0;
	} else if (!take_credit(c, p) || !take_op(c, p, chain)) {
		vsock_conn_end(c, true);
	}
	vsock_conn_update(c);
}

/* Reads from the host into chain: bytes; 0: none now or no more; -ENOSPC: no room in chain. */
static int give_data(struct vsock_conn *c, const struct virtq_chain *chain)
{
	struct iovec *iov = c->dev->iov;
	size_t room = chain->in_len - VSOCK_HDR;
	struct msghdr m = {.msg_iov = iov};
	ssize_t n;

	if (!room)
		return -ENOSPC;
	if (room > credit(c))
		room = credit(c);
	if (room > VSOCK_BUF_SIZE)
		room = VSOCK_BUF_SIZE;
	m.msg_iovlen = iov_slice(virtq_chain_in(chain), chain->n_in, VSOCK_HDR, room, iov);
	do {
		n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* Less than asked for is all there was (man 7 epoll, questions and answers). */
		if ((size_t)n < room && !c->ended)
			c->readable = false;
		c->sent += (uint32_t)n;
		return (int)n;
	}
	if (n < 0 && errno == EAGAIN)
		c->readable = false;
	else
		c->eof = true;
	return 0;
}

static uint16_t op_of(unsigned int tell)
{
	switch (tell) {
	case VSOCK_TELL_RST:
		return VIRTIO_VSOCK_OP_RST;
	case VSOCK_TELL_REQUEST:
		return VIRTIO_VSOCK_OP_REQUEST;
	case VSOCK_TELL_RESPONSE:
		return VIRTIO_VSOCK_OP_RESPONSE;
	case VSOCK_TELL_SHUTDOWN:
		return VIRTIO_VSOCK_OP_SHUTDOWN;
	case VSOCK_ASK_CREDIT:
		return VIRTIO_VSOCK_OP_CREDIT_REQUEST;
	default:
		return VIRTIO_VSOCK_OP_CREDIT_UPDATE;
	}
}

/* Takes the next of what is to be told; payload goes before the news that it set free buffers. */
static unsigned int choose(struct vsock_conn *c, const struct virtq_chain *chain, int *ret_len)
{
	unsigned int rest = c->pending & ~(unsigned int)VSOCK_TELL_CREDIT;

	*ret_len = 0;
	if (!rest && c->state == VSOCK_OPEN && c->readable && !c->eof && credit(c)) {
		*ret_len = give_data(c, chain);
		if (*ret_len)
			return 0;
		note_pending(c);
		rest = c->pending;
	} else if (!rest) {
		rest = c->pending;
	}
	rest &= -rest;
	c->pending &= ~rest;
	return rest;
}

int vsock_conn_give(struct vsock_conn *c, const struct virtq_chain *chain, struct vsock_packet *ret)
{
	int len;
	unsigned int tell = choose(c, chain, &len);

	if (len < 0 || (!len && !tell))
		return len;
	c->pending &= ~(unsigned int)VSOCK_TELL_CREDIT;
	c->fwd_told = c->fwd;
	*ret = (struct vsock_packet){
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = c->dev->config.guest_cid,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.len = (uint32_t)len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = len ? VIRTIO_VSOCK_OP_RW : op_of(tell),
		.buf_alloc = VSOCK_BUF_SIZE,
		.fwd_cnt = c->fwd,
	};
	if (tell == VSOCK_TELL_SHUTDOWN) {
		c->told_shut = host_shut(c);
		ret->flags = c->told_shut;
		if (c->told_shut == SHUT_BOTH)
			vsock_conn_start_timer(c);
	}
	return 1;
}
