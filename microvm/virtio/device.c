/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a device: features, status, activation, service, reset (virtio 1.2, 2.1 and 3.1). What
 * a driver asks for out of turn is ignored; what makes no sense asks it for a reset.
 */
#include "microvm/virtio/device.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "microvm/virtio/transport.h"

#define ALWAYS_OFFERED (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX)
#define BUDGET         64 /* requests a wakeup */
#define SIGNAL_EVERY   16 /* of them, so that the driver can begin with the first */

/* ---- queues, on the I/O thread ---- */

static bool in_service(const struct virtio_device *d)
{
	return d->active && !(d->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void on_notify(void *arg, uint32_t events)
{
	const struct virtio_bell *bell = arg;
	struct virtio_device *d = bell->d;
	uint64_t count;

	(void)events;
	pthread_mutex_lock(&d->lock);
	if (read(d->notify_fds[bell->q], &count, sizeof(count)) == (ssize_t)sizeof(count) &&
	    in_service(d))
		d->ops->serve(d, bell->q);
	pthread_mutex_unlock(&d->lock);
}

void virtio_serve_again(struct virtio_device *d, unsigned int q)
{
	const uint64_t one = 1;

	/* Full means that it is signalled already. */
	(void)!write(d->notify_fds[q], &one, sizeof(one));
}

void virtio_answer_queue(struct virtio_device *d, unsigned int q, virtio_answer_fn *fn)
{
	struct virtq *queue = &d->queues[q];
	unsigned int left = BUDGET;
	struct virtq_chain c;
	int rc = 0;

	virtq_silence(queue);
	for (; left; left--) {
		rc = virtq_pop(queue, &c);
		if (rc < 0)
			break;
		if (rc > 0)
			virtq_push(queue, c.head, fn(d, &c));
		else if (virtq_listen(queue))
			virtq_silence(queue);
		else
			break;
		if (left % SIGNAL_EVERY == 0)
			virtio_interrupt_queue(d, q);
	}
	virtio_interrupt_queue(d, q);
	if (rc < 0)
		virtio_needs_reset(d, "available index out of reach");
	else if (!left)
		virtio_serve_again(d, q);
}

int virtio_init(struct virtio_device *d, const struct virtio_host *host, struct err *err)
{
	pthread_mutex_init(&d->lock, NULL);
	d->host = *host;
	d->offered |= ALWAYS_OFFERED;
	d->own_registers = !host->registers;
	d->registers = host->registers ? host->registers : mem_xalloc(VIRTIO_MMIO_SIZE);
	virtio_mmio_init(d);
	for (unsigned int q = 0; q < VIRTIO_QUEUES_MAX; q++)
		d->notify_fds[q] = -1;
	for (unsigned int q = 0; q < d->n_queues; q++) {
		int rc;

		d->notify_fds[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (d->notify_fds[q] < 0)
			return err_sys(err, "eventfd of device '%s'", d->ops->name);
		d->bells[q] = (struct virtio_bell){d, q};
		rc = loop_add(host->loop, d->notify_fds[q], EPOLLIN, on_notify, &d->bells[q],
			      &d->sources[q], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void deactivate(struct virtio_device *d)
{
	if (d->active)
		d->ops->reset(d);
	d->active = false;
	for (unsigned int q = 0; q < d->n_queues; q++)
		virtq_reset(&d->queues[q]);
}

void virtio_destroy(struct virtio_device *d)
{
	if (!d)
		return;
	deactivate(d);
	for (unsigned int q = 0; q < d->n_queues; q++) {
		loop_remove(d->sources[q]);
		fd_close(d->notify_fds[q]);
	}
	pthread_mutex_destroy(&d->lock);
	if (d->own_registers)
		free(d->registers);
	if (d->ops->free)
		d->ops->free(d);
}

/* ---- status ---- */

static int activate_queues(struct virtio_device *d, struct err *err)
{
	for (unsigned int q = 0; q < d->n_queues; q++) {
		int rc;

		if (!d->setup[q].ready)
			continue;
		rc = virtq_activate(&d->queues[q], &d->setup[q], d->host.memory,
				    virtio_has(d, VIRTIO_RING_F_EVENT_IDX), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void activate(void *arg)
{
	struct virtio_device *d = arg;
	struct err e = ERR_INIT;
	int rc;

	pthread_mutex_lock(&d->lock);
	/* Another processor may have reset it on the way here, or even have been served first. */
	if (d->active || d->status & VIRTIO_CONFIG_S_NEEDS_RESET ||
	    !(d->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
		pthread_mutex_unlock(&d->lock);
		return;
	}
	d->features = d->driver_features;
	rc = activate_queues(d, &e);
	if (rc == 0)
		rc = d->ops->activate(d, &e);
	if (rc == 0) {
		d->active = true;
		/* The driver may have notified too early. */
		for (unsigned int q = 0; q < d->n_queues; q++)
			virtio_serve_again(d, q);
	} else {
		virtio_needs_reset(d, e.msg);
	}
	pthread_mutex_unlock(&d->lock);
}

static void reset(void *arg)
{
	struct virtio_device *d = arg;

	pthread_mutex_lock(&d->lock);
	deactivate(d);
	d->status = 0;
	d->features = d->driver_features = 0;
	d->device_features_sel = d->driver_features_sel = d->queue_sel = 0;
	virtio_mmio_clear_interrupt(d, ~0u);
	for (unsigned int q = 0; q < VIRTIO_QUEUES_MAX; q++)
		d->setup[q] = (struct virtq_setup){0};
	virtio_mmio_show(d);
	virtio_mmio_show_config(d);
	pthread_mutex_unlock(&d->lock);
}

static void run(struct virtio_device *d, void (*fn)(void *arg))
{
	if (d->host.run)
		d->host.run(d->host.run_arg, fn, d);
	else
		fn(d);
}

/* The one step that may follow each status; anything else is ignored (3.1.1). */
static bool is_next(uint32_t from, uint32_t to)
{
	const uint32_t ack = VIRTIO_CONFIG_S_ACKNOWLEDGE;
	const uint32_t driver = ack | VIRTIO_CONFIG_S_DRIVER;
	const uint32_t features = driver | VIRTIO_CONFIG_S_FEATURES_OK;
	const uint32_t ok = features | VIRTIO_CONFIG_S_DRIVER_OK;

	return (from == 0 && to == ack) || (from == ack && to == driver) ||
	       (from == driver && to == features) || (from == features && to == ok);
}

/* Called without the lock. */
void virtio_set_status(struct virtio_device *d, uint32_t to)
{
	bool ready = false;

	if (to == 0) {
		run(d, reset);
		return;
	}
	pthread_mutex_lock(&d->lock);
	if (to & VIRTIO_CONFIG_S_FAILED) {
		virtio_fault(d, "the guest gave it up");
		d->status |= VIRTIO_CONFIG_S_FAILED;
	} else if (is_next(d->status, to)) {
		/* A driver that takes what was not offered, or no VERSION_1, does not get OK. */
		bool wants = to & ~d->status & VIRTIO_CONFIG_S_FEATURES_OK;
		bool sound = !(d->driver_features & ~d->offered) &&
			     d->driver_features >> VIRTIO_F_VERSION_1 & 1;

		if (!wants || sound)
			d->status = to;
		ready = d->status == to && (to & VIRTIO_CONFIG_S_DRIVER_OK);
	}
	virtio_mmio_show(d);
	pthread_mutex_unlock(&d->lock);
	if (ready)
		run(d, activate);
}

/* ---- for devices ---- */

static void interrupt(struct virtio_device *d, uint32_t why)
{
	virtio_mmio_set_interrupt(d, why);
	d->host.interrupt(d->host.arg);
}

void virtio_interrupt_queue(struct virtio_device *d, unsigned int q)
{
	if (virtq_wants_interrupt(&d->queues[q]))
		interrupt(d, VIRTIO_MMIO_INT_VRING);
}

void virtio_config_changed(struct virtio_device *d)
{
	virtio_mmio_show_config(d);
	if (d->status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(d, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_fault(struct virtio_device *d, const char *what)
{
	if (d->faults++ == 0)
		log_warn("device '%s': %s (more of the guest's faults are only counted)",
			 d->ops->name, what);
}

void virtio_needs_reset(struct virtio_device *d, const char *why)
{
	if (d->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	virtio_fault(d, why);
	d->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_mmio_show(d);
	if (d->status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(d, VIRTIO_MMIO_INT_CONFIG);
}
