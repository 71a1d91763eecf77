/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's getrandom(2), at most 64 KiB a request: a guest asks again if it wants more. */
#include "microvm/virtio/rng.h"

#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"

#define REQUEST_MAX (64u << 10)

static uint32_t fill(struct virtio_device *d, const struct virtq_chain *c)
{
	size_t done = 0, want = c->in_len < REQUEST_MAX ? c->in_len : REQUEST_MAX;
	uint8_t bytes[256];

	(void)d;
	while (done < want) {
		size_t n = want - done < sizeof(bytes) ? want - done : sizeof(bytes);

		/* Up to 256 bytes come whole once the host is up (man 2 getrandom). */
		if (getrandom(bytes, n, 0) != (ssize_t)n)
			break;
		done += virtq_write(c, done, bytes, n);
	}
	return (uint32_t)done;
}

static void rng_serve(struct virtio_device *d, unsigned int q)
{
	virtio_answer_queue(d, q, fill);
}

static int rng_activate(struct virtio_device *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

static void rng_reset(struct virtio_device *d)
{
	(void)d;
}

static void rng_free(struct virtio_device *d)
{
	free(d);
}

static const struct virtio_ops ops = {
	.name = "rng",
	.activate = rng_activate,
	.reset = rng_reset,
	.serve = rng_serve,
	.free = rng_free,
};

int virtio_rng_new(const struct virtio_host *host, struct virtio_device **ret, struct err *err)
{
	struct virtio_device *d = mem_xalloc(sizeof(*d));
	int rc;

	d->ops = &ops;
	d->id = VIRTIO_ID_RNG;
	d->n_queues = 1;
	rc = virtio_init(d, host, err);
	if (rc < 0) {
		virtio_destroy(d);
		return rc;
	}
	*ret = d;
	return 0;
}
