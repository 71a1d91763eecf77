/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of virtio over MMIO, version 2 (virtio 1.2, 4.2.2). They are 32 bits wide and
 * aligned; another access, one to a queue that there is not, or one at the wrong time reads as
 * zero and writes nothing. The configuration space takes any access that stays inside.
 *
 * What the driver may read stands in a page at all times, which the VM lays into the guest's address
 * space as read-only memory: reading takes no exit then, neither at the driver's start nor in every
 * interrupt. Nor does an acknowledgement, which KVM drops. Therefore InterruptStatus always tells of
 * used buffers: a driver looks for them in its rings anyhow.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "microvm/virtio/transport.h"

#define MAGIC   0x74726976u /* "virt" */
#define VERSION 2
#define VENDOR  0x4c4c5548u /* "HULL" */

static struct virtq_setup *selected(struct virtio_device *d)
{
	return d->queue_sel < d->n_queues ? &d->setup[d->queue_sel] : NULL;
}

/* Half of a 64-bit feature word. */
static uint32_t half(uint64_t features, uint32_t which)
{
	return which > 1 ? 0 : (uint32_t)(features >> (32 * which));
}

/* ---- what the driver reads ---- */

static uint32_t *reg(const struct virtio_device *d, uint64_t offset)
{
	return (uint32_t *)(void *)(d->registers + offset);
}

static void put(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	__atomic_store_n(reg(d, offset), value, __ATOMIC_SEQ_CST);
}

void virtio_mmio_show(struct virtio_device *d)
{
	const struct virtq_setup *q = selected(d);

	put(d, VIRTIO_MMIO_DEVICE_FEATURES, half(d->offered, d->device_features_sel));
	put(d, VIRTIO_MMIO_QUEUE_NUM_MAX, q ? VIRTQ_SIZE_MAX : 0);
	put(d, VIRTIO_MMIO_QUEUE_READY, q && q->ready);
	put(d, VIRTIO_MMIO_STATUS, d->status);
}

static void show_config(struct virtio_device *d)
{
	if (d->config_size > 0)
		memcpy(d->registers + VIRTIO_MMIO_CONFIG, d->config, d->config_size);
}

/* A driver that looked before or during the change finds another generation afterwards (4.2.2). */
void virtio_mmio_show_config(struct virtio_device *d)
{
	__atomic_fetch_add(reg(d, VIRTIO_MMIO_CONFIG_GENERATION), 1, __ATOMIC_SEQ_CST);
	show_config(d);
	__atomic_fetch_add(reg(d, VIRTIO_MMIO_CONFIG_GENERATION), 1, __ATOMIC_SEQ_CST);
}

void virtio_mmio_init(struct virtio_device *d)
{
	put(d, VIRTIO_MMIO_MAGIC_VALUE, MAGIC);
	put(d, VIRTIO_MMIO_VERSION, VERSION);
	put(d, VIRTIO_MMIO_DEVICE_ID, d->id);
	put(d, VIRTIO_MMIO_VENDOR_ID, VENDOR);
	put(d, VIRTIO_MMIO_INTERRUPT_STATUS, VIRTIO_MMIO_INT_VRING);
	/* no shared memory: all ones (4.2.2.1) */
	put(d, VIRTIO_MMIO_SHM_LEN_LOW, ~0u);
	put(d, VIRTIO_MMIO_SHM_LEN_HIGH, ~0u);
	put(d, VIRTIO_MMIO_SHM_BASE_LOW, ~0u);
	put(d, VIRTIO_MMIO_SHM_BASE_HIGH, ~0u);
	show_config(d);
	virtio_mmio_show(d);
}

uint32_t virtio_mmio_get(const struct virtio_device *d, uint64_t offset)
{
	return __atomic_load_n(reg(d, offset), __ATOMIC_SEQ_CST);
}

void virtio_mmio_put(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	put(d, offset, value);
	if (d->config_size > 0)
		show_config(d);
}

void virtio_mmio_set_interrupt(struct virtio_device *d, uint32_t why)
{
	__atomic_fetch_or(reg(d, VIRTIO_MMIO_INTERRUPT_STATUS), why, __ATOMIC_SEQ_CST);
}

void virtio_mmio_clear_interrupt(struct virtio_device *d, uint32_t why)
{
	__atomic_fetch_and(reg(d, VIRTIO_MMIO_INTERRUPT_STATUS), ~why | VIRTIO_MMIO_INT_VRING,
			   __ATOMIC_SEQ_CST);
}

/* len bytes from offset, when all of them are configuration. */
static bool in_config(const struct virtio_device *d, uint64_t offset, uint32_t len)
{
	uint64_t at = offset - VIRTIO_MMIO_CONFIG;

	return at <= d->config_size && len <= d->config_size - at;
}

/* Without the lock, as a driver reads that needs no exit for it. */
void virtio_mmio_read(struct virtio_device *d, uint64_t offset, uint8_t *data, uint32_t len)
{
	uint32_t value;

	memset(data, 0, len);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		if (in_config(d, offset, len))
			memcpy(data, d->registers + offset, len);
	} else if (len == sizeof(value) && offset % sizeof(value) == 0) {
		value = __atomic_load_n(reg(d, offset), __ATOMIC_SEQ_CST);
		memcpy(data, &value, sizeof(value));
	}
}

/* ---- what it writes ---- */

static void set_half(uint64_t *word, bool high, uint32_t value)
{
	if (high)
		*word = (*word & 0xffffffffull) | (uint64_t)value << 32;
	else
		*word = (*word & ~0xffffffffull) | value;
}

static bool is_at(const struct virtio_device *d, uint32_t status)
{
	return (d->status & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET) == status;
}

static bool may_choose_features(const struct virtio_device *d)
{
	return is_at(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
}

/* The driver's last word about a queue is spoken before DRIVER_OK. */
static void write_queue(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	struct virtq_setup *q = selected(d);

	if (!q || !is_at(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
				    VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		q->ready = value & 1;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->avail, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->used, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	default:
		break;
	}
}

static void write_register(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		d->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		d->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (may_choose_features(d) && d->driver_features_sel <= 1)
			set_half(&d->driver_features, d->driver_features_sel, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		d->queue_sel = value;
		break;
	default:
		write_queue(d, offset, value);
		break;
	}
}

static void write_config(struct virtio_device *d, uint64_t offset, const uint8_t *data,
			 uint32_t len)
{
	uint32_t at = (uint32_t)(offset - VIRTIO_MMIO_CONFIG);

	if (!d->config_writable || !in_config(d, offset, len) ||
	    !(d->status & VIRTIO_CONFIG_S_DRIVER))
		return;
	memcpy(d->config + at, data, len);
	if (d->ops->config_written)
		d->ops->config_written(d, at, len);
	show_config(d);
}

/* What takes the lock itself or needs none. */
static bool write_unlocked(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_STATUS:
		virtio_set_status(d, value);
		return true;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		virtio_mmio_clear_interrupt(d, value);
		return true;
	case VIRTIO_MMIO_QUEUE_NOTIFY: /* KVM takes it itself, as a rule */
		if (value < d->n_queues)
			virtio_serve_again(d, value);
		return true;
	default:
		return false;
	}
}

void virtio_mmio_write(struct virtio_device *d, uint64_t offset, const uint8_t *data, uint32_t len)
{
	uint32_t value = 0;
	bool is_register = len == sizeof(value) && offset % sizeof(value) == 0;

	if (is_register)
		memcpy(&value, data, sizeof(value));
	if (is_register && write_unlocked(d, offset, value))
		return;
	pthread_mutex_lock(&d->lock);
	if (offset >= VIRTIO_MMIO_CONFIG)
		write_config(d, offset, data, len);
	else if (is_register)
		write_register(d, offset, value);
	virtio_mmio_show(d);
	pthread_mutex_unlock(&d->lock);
}
