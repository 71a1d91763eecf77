/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the socket device: the device itself (vsock.c: queues and packets), connections
 * (vsock_conn.c: state, credit, the host's socket) and those that the host began (vsock_host.c).
 *
 * Everything here runs on the I/O thread with the device's lock held.
 */
#ifndef HULL_MICROVM_VIRTIO_VSOCK_CONN_H
#define HULL_MICROVM_VIRTIO_VSOCK_CONN_H

#include <linux/virtio_vsock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "microvm/virtio/vsock.h"

#define VSOCK_BUCKETS 256
#define VSOCK_RESETS  256 /* answers to packets of no connection */
#define VSOCK_HDR     sizeof(struct virtio_vsock_hdr)

enum vsock_state {
	VSOCK_NEW,       /* the guest's request is being taken */
	VSOCK_REQUESTED, /* the guest's answer to a request of the host is awaited */
	VSOCK_OPEN,
	VSOCK_CLOSED, /* over for the guest; ends when what it sent is with the host */
};

/* What is to be told to the guest, as a set of these. */
enum vsock_pending {
	VSOCK_TELL_RST = 1 << 0,
	VSOCK_TELL_REQUEST = 1 << 1,
	VSOCK_TELL_RESPONSE = 1 << 2,
	VSOCK_TELL_SHUTDOWN = 1 << 3,
	VSOCK_ASK_CREDIT = 1 << 4,
	VSOCK_TELL_CREDIT = 1 << 5,
};

/* A packet's header in the host's byte order. */
struct vsock_packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len, flags, buf_alloc, fwd_cnt;
	uint16_t type, op;
};

struct vsock;

struct vsock_conn {
	struct vsock *dev;
	LIST_ENTRY(vsock_conn) all, bucket;
	TAILQ_ENTRY(vsock_conn) ready, timed;
	bool in_bucket, is_ready, is_timed;
	uint64_t deadline_ns;

	enum vsock_state state;
	uint32_t guest_port, host_port;
	unsigned int pending;

	int fd; /* -1: the host's side is closed */
	struct loop_source *source;
	/* Edge-triggered: these stay until the socket says EAGAIN. */
	bool readable, writable;
	bool ended;   /* the host will send no more: read on until 0 */
	bool eof;     /* nothing more comes from the host */
	bool refused; /* the host takes nothing more */

	uint32_t told_shut;  /* VIRTIO_VSOCK_SHUTDOWN_…, told to the guest */
	uint32_t guest_shut; /* and by the guest */

	/* to the guest: counters that wrap */
	uint32_t sent, guest_fwd, guest_alloc;
	bool asked; /* for credit */

	/* from the guest: a ring of VSOCK_BUF_SIZE bytes, made when the socket is first full */
	uint32_t fwd, fwd_told, head, len;
	uint8_t *buf;
};

struct vsock {
	struct virtio_device base;
	struct vsock_config config;
	struct virtio_vsock_config space;

	bool live; /* between activation and reset */
	bool tx_more, tx_stalled, rx_listening;
	bool held; /* until the driver adds a buffer for events to the held_at that it had added */
	uint16_t held_at;
	struct loop_source *timer, *requests;

	LIST_HEAD(, vsock_conn) conns;
	LIST_HEAD(, vsock_conn) buckets[VSOCK_BUCKETS];
	TAILQ_HEAD(, vsock_conn) ready; /* have something for the guest; each has its turn */
	TAILQ_HEAD(, vsock_conn) timed; /* by deadline */
	unsigned int n_conns;

	struct vsock_packet resets[VSOCK_RESETS]; /* a ring */
	unsigned int resets_head, n_resets;

	struct virtq_chain chain;
	struct iovec iov[VIRTQ_SIZE_MAX];
};

/* vsock.c */
/* Around what the loop calls: the lock, and at the end service of what is due. */
void vsock_enter(struct vsock *s);
void vsock_leave(struct vsock *s);

/* vsock_conn.c */
/* fd is taken over on success. NULL: too many connections, or no memory. */
struct vsock_conn *vsock_conn_new(struct vsock *s, int fd, enum vsock_state state);
void vsock_conn_insert(struct vsock_conn *c, uint32_t guest_port, uint32_t host_port);
struct vsock_conn *vsock_conn_find(struct vsock *s, uint32_t guest_port, uint32_t host_port);
/* The end of a connection for the guest; tell: it is told by a RST. */
void vsock_conn_end(struct vsock_conn *c, bool tell);
/* After any change: puts c into the device's lists, or frees it when it is through. */
void vsock_conn_update(struct vsock_conn *c);
void vsock_conn_start_timer(struct vsock_conn *c);
void vsock_conn_stop_timer(struct vsock_conn *c);
void vsock_conn_free(struct vsock_conn *c);
void vsock_on_timer(void *arg, uint32_t events);

/* A packet of the guest for c; its payload is in chain behind the header, and complete. */
void vsock_conn_take(struct vsock_conn *c, const struct vsock_packet *p,
		     const struct virtq_chain *chain);
/*
 * Fills in a packet for the guest: payload into chain, the header into *ret. 1: done; 0: nothing is
 * due; -ENOSPC: chain has no room for payload.
 */
int vsock_conn_give(struct vsock_conn *c, const struct virtq_chain *chain,
		    struct vsock_packet *ret) MUST_CHECK;

/* vsock_host.c */
void vsock_on_requests(void *arg, uint32_t events);
/* The pipe of them is closed, with what nobody has read. */
void vsock_drop_requests(struct vsock *s);

#endif
