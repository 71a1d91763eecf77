/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all devices have in common, saved and made again: what the driver chose, the status, the
 * queues and where they stand. The configuration space is the device's own and has to be the same;
 * only one that the driver can write, or has to see as it was, is taken over.
 *
 * A notification may have been on its way when the VM was saved, and so may an interrupt: after a
 * restore all queues are looked at, and the line is raised once. A driver has to expect both.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "microvm/virtio/device.h"
#include "microvm/virtio/transport.h"

#define KNOWN_STATUS                                                                               \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |      \
	 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED)

int virtio_suspend(struct virtio_device *d, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	if (d->active && d->ops->suspend)
		rc = d->ops->suspend(d, err);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

void virtio_resume(struct virtio_device *d)
{
	pthread_mutex_lock(&d->lock);
	if (d->active && d->ops->resume)
		d->ops->resume(d);
	pthread_mutex_unlock(&d->lock);
}

/* ---- saving ---- */

static void save_queue(const struct virtio_device *d, unsigned int q, struct buf *ret)
{
	const struct virtq_setup *s = &d->setup[q];
	const struct virtq_place place = virtq_place(&d->queues[q]);

	state_put_u32(ret, s->size);
	state_put_u8(ret, s->ready);
	state_put_u64(ret, s->desc);
	state_put_u64(ret, s->avail);
	state_put_u64(ret, s->used);
	state_put_u16(ret, place.next_avail);
	state_put_u16(ret, place.next_used);
	state_put_u16(ret, place.signalled);
	state_put_u8(ret, place.broken);
}

static int save(struct virtio_device *d, struct buf *ret, struct err *err)
{
	state_put_u32(ret, d->id);
	state_put_u64(ret, d->offered);
	state_put_block(ret, d->config, d->config_size);
	state_put_u64(ret, d->driver_features);
	state_put_u32(ret, d->status);
	state_put_u32(ret, d->device_features_sel);
	state_put_u32(ret, d->driver_features_sel);
	state_put_u32(ret, d->queue_sel);
	state_put_u32(ret, virtio_mmio_get(d, VIRTIO_MMIO_INTERRUPT_STATUS));
	state_put_u32(ret, virtio_mmio_get(d, VIRTIO_MMIO_CONFIG_GENERATION));
	state_put_u8(ret, d->active);
	state_put_u32(ret, d->n_queues);
	for (unsigned int q = 0; q < d->n_queues; q++)
		save_queue(d, q, ret);
	return d->active && d->ops->save ? d->ops->save(d, ret, err) : 0;
}

int virtio_save(struct virtio_device *d, struct buf *ret, struct err *err)
{
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = save(d, ret, err);
	pthread_mutex_unlock(&d->lock);
	return rc < 0 ? err_wrap(err, rc, "device '%s'", d->ops->name) : 0;
}

/* ---- restoring ---- */

static int restore_kind(struct virtio_device *d, struct state_in *in, struct err *err)
{
	uint32_t id = state_u32(in);
	uint64_t offered = state_u64(in);
	size_t len = 0;
	const uint8_t *config = state_block(in, VIRTIO_MMIO_SIZE, &len);

	if (in->failed)
		return state_close(in, "device", err);
	if (id != d->id)
		return err_set(err, EINVAL, "the snapshot has a device of kind %u in its place",
			       id);
	if (offered != d->offered || len != d->config_size)
		return err_set(err, EINVAL, "the snapshot's offers other features");
	if (len && (d->config_writable || d->config_kept))
		memcpy(d->config, config, len);
	else if (len && memcmp(d->config, config, len) != 0)
		return err_set(err, EINVAL, "the snapshot's is configured in another way");
	return 0;
}

static int restore_status(struct virtio_device *d, struct state_in *in, struct err *err)
{
	d->driver_features = state_u64(in);
	d->status = state_u32(in);
	d->device_features_sel = state_u32(in);
	d->driver_features_sel = state_u32(in);
	d->queue_sel = state_u32(in);
	virtio_mmio_put(d, VIRTIO_MMIO_INTERRUPT_STATUS,
			(state_u32(in) & VIRTIO_MMIO_INT_CONFIG) | VIRTIO_MMIO_INT_VRING);
	virtio_mmio_put(d, VIRTIO_MMIO_CONFIG_GENERATION, state_u32(in));
	if (d->status & ~(uint32_t)KNOWN_STATUS)
		return err_set(err, EINVAL, "status %#x makes no sense", d->status);
	return 0;
}

static void read_queue(struct virtq_setup *s, struct virtq_place *place, struct state_in *in)
{
	s->size = state_u32(in);
	s->ready = state_u8(in);
	s->desc = state_u64(in);
	s->avail = state_u64(in);
	s->used = state_u64(in);
	place->next_avail = state_u16(in);
	place->next_used = state_u16(in);
	place->signalled = state_u16(in);
	place->broken = state_u8(in);
}

static int start_queues(struct virtio_device *d, const struct virtq_place *places, struct err *err)
{
	bool event_idx = virtio_has(d, VIRTIO_RING_F_EVENT_IDX);

	for (unsigned int q = 0; q < d->n_queues; q++) {
		int rc;

		if (!d->setup[q].ready)
			continue;
		rc = virtq_activate(&d->queues[q], &d->setup[q], d->host.memory, event_idx, err);
		if (rc < 0)
			return rc;
		virtq_set_place(&d->queues[q], &places[q]);
	}
	return 0;
}

static int start(struct virtio_device *d, const struct virtq_place *places, struct state_in *in,
		 struct err *err)
{
	int rc;

	if (!(d->status & VIRTIO_CONFIG_S_DRIVER_OK) || d->driver_features & ~d->offered ||
	    !(d->driver_features >> VIRTIO_F_VERSION_1 & 1))
		return err_set(err, EINVAL, "it works without a driver that is ready");
	d->features = d->driver_features;
	rc = start_queues(d, places, err);
	if (rc == 0)
		rc = d->ops->restore ? d->ops->restore(d, in, err) : d->ops->activate(d, err);
	if (rc < 0)
		return rc;
	d->active = true;
	for (unsigned int q = 0; q < d->n_queues; q++)
		virtio_serve_again(d, q);
	d->host.interrupt(d->host.arg);
	return 0;
}

static int restore(struct virtio_device *d, struct state_in *in, struct err *err)
{
	struct virtq_place places[VIRTIO_QUEUES_MAX] = {0};
	bool active;
	int rc;

	if ((rc = restore_kind(d, in, err)) < 0 || (rc = restore_status(d, in, err)) < 0)
		return rc;
	active = state_u8(in);
	if (state_u32(in) != d->n_queues)
		return err_set(err, EINVAL, "the snapshot's has another number of queues");
	for (unsigned int q = 0; q < d->n_queues; q++)
		read_queue(&d->setup[q], &places[q], in);
	if (!in->failed && active && (rc = start(d, places, in, err)) < 0)
		return rc;
	virtio_mmio_show(d);
	return state_close(in, "device", err);
}

int virtio_restore(struct virtio_device *d, struct state_in *in, struct err *err)
{
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = restore(d, in, err);
	pthread_mutex_unlock(&d->lock);
	return rc < 0 ? err_wrap(err, rc, "device '%s'", d->ops->name) : 0;
}
