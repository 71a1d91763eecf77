/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server is believed no more than it has to be: an answer has to name a slot that is under way,
 * and is cut to the room that the guest left for it.
 */
#include "microvm/virtio/fs_bounce.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/fsd/bounce.h"
#include "microvm/fsd/control.h"

#define BUDGET 64 /* chains a wakeup: a driver may write nonsense for ever */

struct slot {
	bool busy;
	unsigned int q;
	uint32_t out_len, in_len; /* in the window */
	struct virtq_chain chain;
};

struct fs_bounce {
	struct virtio_device *d;
	int window_fd, socket; /* socket: -1 while there is no driver */
	uint8_t *window;
	struct loop_source *source;
	struct slot slots[BOUNCE_SLOTS];
	unsigned int n_busy;
	bool waits[FSD_QUEUES]; /* there are requests, and there was no slot */
};

static uint8_t *place_of(const struct fs_bounce *b, const struct slot *s)
{
	return b->window + (size_t)(s - b->slots) * BOUNCE_SLOT_SIZE;
}

/* The first: what is never used takes no memory. */
static struct slot *free_slot(struct fs_bounce *b)
{
	for (size_t i = 0; i < BOUNCE_SLOTS; i++) {
		if (!b->slots[i].busy)
			return &b->slots[i];
	}
	return NULL;
}

/* ---- requests ---- */

static void refuse(struct fs_bounce *b, unsigned int q, const struct slot *s)
{
	virtq_push(&b->d->queues[q], s->chain.head, 0);
}

static void send_request(struct fs_bounce *b, unsigned int q, struct slot *s)
{
	struct bounce_request r = {.slot = (uint32_t)(s - b->slots)};

	if (s->chain.out_len > BOUNCE_SLOT_SIZE) {
		refuse(b, q, s);
		return;
	}
	r.out_len = (uint32_t)virtq_read(&s->chain, 0, place_of(b, s), s->chain.out_len);
	r.in_len = BOUNCE_SLOT_SIZE - r.out_len;
	if (s->chain.in_len < r.in_len)
		r.in_len = (uint32_t)s->chain.in_len;
	s->q = q;
	s->out_len = r.out_len;
	s->in_len = r.in_len;
	/* One that has gone says so on the control socket. */
	if (send(b->socket, &r, sizeof(r), MSG_NOSIGNAL) != (ssize_t)sizeof(r)) {
		refuse(b, q, s);
		return;
	}
	s->busy = true;
	b->n_busy++;
}

void fs_bounce_serve(struct fs_bounce *b, unsigned int q)
{
	struct virtq *queue = &b->d->queues[q];
	struct slot *s = NULL;
	unsigned int left = BUDGET;
	int rc = 0;

	b->waits[q] = false;
	if (b->socket < 0)
		return;
	virtq_silence(queue);
	while (left-- && (s = free_slot(b))) {
		rc = virtq_pop(queue, &s->chain);
		if (rc < 0)
			break;
		if (rc > 0)
			send_request(b, q, s);
		else if (virtq_listen(queue))
			virtq_silence(queue);
		else
			break;
	}
	b->waits[q] = !s;
	virtio_interrupt_queue(b->d, q); /* chains that were refused */
	if (rc < 0)
		virtio_needs_reset(b->d, "available index out of reach");
	else if (left == ~0u)
		virtio_serve_again(b->d, q);
}

/* ---- answers ---- */

/* 1: one was taken; 0: there is none; -EPIPE. */
static int take_answer(struct fs_bounce *b)
{
	struct bounce_answer a;
	struct slot *s;
	ssize_t n = recv(b->socket, &a, sizeof(a), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != (ssize_t)sizeof(a) || a.slot >= BOUNCE_SLOTS || !b->slots[a.slot].busy)
		return -EPIPE;
	s = &b->slots[a.slot];
	if (a.written > s->in_len)
		a.written = s->in_len;
	(void)virtq_write(&s->chain, 0, place_of(b, s) + s->out_len, a.written);
	virtq_push(&b->d->queues[s->q], s->chain.head, a.written);
	virtio_interrupt_queue(b->d, s->q);
	s->busy = false;
	b->n_busy--;
	return 1;
}

static void on_answers(void *arg, uint32_t events)
{
	struct fs_bounce *b = arg;
	int rc = 1;

	(void)events;
	pthread_mutex_lock(&b->d->lock);
	while (b->socket >= 0 && rc > 0)
		rc = take_answer(b);
	if (rc < 0)
		fs_bounce_close(b);
	for (unsigned int q = 0; q < FSD_QUEUES && b->socket >= 0; q++) {
		if (b->waits[q])
			fs_bounce_serve(b, q);
	}
	pthread_mutex_unlock(&b->d->lock);
}

int fs_bounce_drain(struct fs_bounce *b, struct err *err)
{
	while (b->socket >= 0 && b->n_busy) {
		struct pollfd p = {.fd = b->socket, .events = POLLIN};

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_sys(err, "wait for the file server");
		if (take_answer(b) < 0)
			return err_set(err, EPIPE, "the file server has ended");
	}
	return 0;
}

/* ---- its life ---- */

int fs_bounce_open(struct fs_bounce *b, int ret_fds[static 2], struct err *err)
{
	int pair[2], rc;

	fs_bounce_close(b);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(err, "socketpair");
	rc = loop_add(b->d->host.loop, pair[0], EPOLLIN, on_answers, b, &b->source, err);
	if (rc < 0) {
		fd_close(pair[0]);
		fd_close(pair[1]);
		return rc;
	}
	b->socket = pair[0];
	ret_fds[0] = b->window_fd;
	ret_fds[1] = pair[1];
	return 0;
}

void fs_bounce_close(struct fs_bounce *b)
{
	loop_remove(b->source);
	b->source = NULL;
	fd_replace(&b->socket, -1);
	for (size_t i = 0; i < BOUNCE_SLOTS; i++)
		b->slots[i].busy = false;
	b->n_busy = 0;
	b->waits[0] = b->waits[1] = false;
}

static int make_window(struct fs_bounce *b, struct err *err)
{
	void *window;

	b->window_fd = memfd_create("hull-requests", MFD_CLOEXEC);
	if (b->window_fd < 0)
		return err_sys(err, "memfd_create");
	if (ftruncate(b->window_fd, (off_t)BOUNCE_WINDOW_SIZE) < 0)
		return err_sys(err, "size of the window for requests");
	window = mmap(NULL, BOUNCE_WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, b->window_fd, 0);
	if (window == MAP_FAILED)
		return err_sys(err, "map the window for requests");
	b->window = window;
	return 0;
}

int fs_bounce_new(struct virtio_device *d, struct fs_bounce **ret, struct err *err)
{
	struct fs_bounce *b = mem_xalloc(sizeof(*b));
	int rc;

	b->d = d;
	b->socket = -1;
	rc = make_window(b, err);
	if (rc < 0) {
		fs_bounce_free(b);
		return rc;
	}
	*ret = b;
	return 0;
}

void fs_bounce_free(struct fs_bounce *b)
{
	if (!b)
		return;
	fs_bounce_close(b);
	if (b->window)
		munmap(b->window, BOUNCE_WINDOW_SIZE);
	fd_close(b->window_fd);
	free(b);
}
