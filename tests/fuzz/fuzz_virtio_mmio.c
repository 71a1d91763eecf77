/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a device, by accesses of any width at any place. The status takes only the values
 * that its order allows, a running device keeps its queues whatever is written, and no access
 * leaves the configuration space.
 */
#include <errno.h>

#include "base/log.h"
#include "microvm/virtio/device.h"
#include "tests/fuzz/virtio_guest.h"

#define QUEUES 3
#define CONFIG 21 /* bytes */

struct dull {
	struct virtio_device base;
	uint8_t before[8], space[CONFIG], after[8];
	bool started;
	uint32_t status; /* at the last check */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static int dull_activate(struct virtio_device *d, struct err *err)
{
	struct dull *self = (struct dull *)d;

	must(!self->started && !(d->features & ~d->offered));
	if (self->space[0] == 0xff)
		return err_set(err, EINVAL, "not today");
	self->started = true;
	return 0;
}

static void dull_reset(struct virtio_device *d)
{
	struct dull *self = (struct dull *)d;

	must(self->started);
	self->started = false;
}

static uint32_t answer(struct virtio_device *d, const struct virtq_chain *c)
{
	(void)d;
	return (uint32_t)virtq_write(c, 0, "answer", 6);
}

static void dull_serve(struct virtio_device *d, unsigned int q)
{
	must(((struct dull *)d)->started && q < QUEUES);
	virtio_answer_queue(d, q, answer);
}

static void dull_config_written(struct virtio_device *d, uint32_t offset, uint32_t len)
{
	(void)d;
	must(offset < CONFIG && len && len <= CONFIG - offset);
}

static const struct virtio_ops ops = {
	.name = "dull",
	.activate = dull_activate,
	.reset = dull_reset,
	.serve = dull_serve,
	.config_written = dull_config_written,
};

/* Between two checks lies one write to the status at most. */
static bool may_follow(uint32_t from, uint32_t to)
{
	return to == from || to == 0 || (from == 0 && to == 1) || (from == 1 && to == 3) ||
	       (from == 3 && to == 11) || (from == 11 && to == 15);
}

static void check(struct dull *d)
{
	const uint32_t wrong = VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED;
	const uint32_t status = d->base.status & ~wrong;
	static const uint8_t zeroes[8];

	must(may_follow(d->status, status));
	d->status = status;
	must(!(d->base.status & ~15u & ~wrong));
	must(d->base.active == d->started && (!d->started || status == 15));
	for (unsigned int q = 0; q < QUEUES; q++) {
		const struct virtq *v = &d->base.queues[q];

		must(!v->active || (v->size <= VIRTQ_SIZE_MAX && v->desc && status == 15));
		must(!d->started || v->active == d->base.setup[q].ready);
		must(!v->active || !d->started || v->size == d->base.setup[q].size);
	}
	must(!memcmp(d->before, zeroes, 8) && !memcmp(d->after, zeroes, 8));
}

static void access_register(struct virtio_device *d, struct input *in, uint8_t how)
{
	uint32_t len = how & 1 ? 4 : 1 + (uint32_t)take(in, 1) % 8;
	uint64_t offset = how & 2 ? take(in, 2) % VIRTIO_MMIO_SIZE : take(in, 1) * 4;
	uint8_t bytes[16];

	memset(bytes, 0x99, sizeof(bytes));
	if (how & 4) {
		virtio_mmio_read(d, offset, bytes, len);
	} else {
		for (uint32_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)take(in, 1);
		virtio_mmio_write(d, offset, bytes, len);
		memset(bytes + len, 0x99, sizeof(bytes) - len);
	}
	for (size_t i = len; i < sizeof(bytes); i++)
		must(bytes[i] == 0x99);
}

/* The next step of a proper start, or all of it but the status. */
static void step(struct fake *f, struct input *in)
{
	static const uint32_t order[] = {0, 1, 3, 11, 15};
	uint8_t what = (uint8_t)take(in, 1);

	fake_write(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fake_write(f, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	fake_make_queue(f, what % (QUEUES + 1));
	if (what & 0x80)
		return;
	for (size_t i = 0; i + 1 < sizeof(order) / sizeof(order[0]); i++) {
		if (f->d->status != order[i])
			continue;
		fake_write(f, VIRTIO_MMIO_STATUS, order[i + 1]);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dull d;
	struct input in = {data, size};
	struct fake f;
	struct err err;

	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	fake_setup(&f);
	d = (struct dull){.base = {.ops = &ops,
				   .id = 4,
				   .n_queues = QUEUES,
				   .config = d.space,
				   .config_size = CONFIG,
				   .config_writable = true}};
	f.d = &d.base;
	must(virtio_init(&d.base, &f.host, &err) == 0);
	while (in.size) {
		uint8_t command = (uint8_t)take(&in, 1);

		switch (command % 4) {
		case 0:
			step(&f, &in);
			break;
		case 1:
			if (f.queues[0].desc && f.queues[1].desc && f.queues[2].desc && d.started)
				guest_act(&f, &in, command / 4 & 1 ? 0 : 7);
			else
				fake_turns(&f, 1);
			break;
		default:
			access_register(f.d, &in, command >> 2);
			break;
		}
		check(&d);
	}
	fake_turns(&f, 4);
	check(&d);
	fake_teardown(&f);
	return 0;
}
