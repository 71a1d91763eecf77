/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balloon against a guest that says anything, while the host sets targets and asks. A region
 * beside RAM must keep its content, sums must keep within their bounds, and after a reset the device
 * serves.
 */
#include <linux/virtio_balloon.h>

#include "base/log.h"
#include "microvm/virtio/balloon.h"
#include "tests/fuzz/virtio_guest.h"

#define PAGE      4096u
#define LIST      0x200000u
#define OTHER     (1ull << 32)
#define OTHER_LEN (16 * PAGE)
#define MARK      0x5a

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Alignas(PAGE) uint8_t other[OTHER_LEN]; /* a region for reading alone, as pmem makes it */

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* Pages near each other, in RAM, beside it and anywhere. */
static void send_pages(struct fake *f, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	uint32_t n = (uint32_t)take(in, 1), base = (uint32_t)take(in, 2);
	const struct fake_buf b = {LIST, n * 4 + (how & 3), false};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t pfn = how & 4 ? base + i : base - (uint32_t)take(in, 1);

		if (how & 8)
			pfn += (uint32_t)(OTHER / PAGE);
		if (how & 16)
			pfn ^= (uint32_t)take(in, 4);
		memcpy(fake_at(f, LIST + i * 4), &pfn, sizeof(pfn));
	}
	fake_add(f, how >> 7, (uint16_t)(how >> 5 & 3), &b, 1);
	fake_kick(f, how >> 7);
}

static void send_report(struct fake *f, struct input *in)
{
	unsigned int q = f->d->n_queues - 1 - (unsigned int)take(in, 1) % 2;
	struct fake_buf b[2];

	for (size_t i = 0; i < 2; i++) {
		b[i] = (struct fake_buf){take(in, 3) % FAKE_RAM, (uint32_t)take(in, 3), true};
		if (take(in, 1) & 1)
			b[i].gpa = OTHER + b[i].gpa % OTHER_LEN;
	}
	fake_add(f, q, (uint16_t)take(in, 1) & 0xfe, b, 2);
	fake_kick(f, q);
}

static void act(struct fake *f, struct input *in)
{
	unsigned int command = (unsigned int)take(in, 1);
	uint32_t actual;

	switch (command / 9 % 6) {
	case 0:
		send_pages(f, in);
		break;
	case 1:
		send_report(f, in);
		break;
	case 2:
		virtio_balloon_set_target(f->d, take(in, 8));
		break;
	case 3:
		(void)virtio_balloon_ask_stats(f->d);
		break;
	case 4:
		actual = (uint32_t)take(in, 4);
		virtio_mmio_write(f->d, VIRTIO_MMIO_CONFIG + take(in, 1) % 16,
				  (const uint8_t *)&actual, 1u << take(in, 1) % 3);
		break;
	default:
		guest_act(f, in, command);
		break;
	}
}

static void check(struct fake *f)
{
	struct balloon_state s;
	uint32_t target;

	virtio_balloon_state(f->d, &s);
	must(s.actual <= FAKE_RAM && s.target <= FAKE_RAM);
	must(s.inflated % PAGE == 0 && s.reported % PAGE == 0 && s.failed == 0);
	must(!(s.known >> BALLOON_STATS));
	target = fake_read(f, VIRTIO_MMIO_CONFIG);
	must((uint64_t)target * PAGE == s.target);
	for (size_t i = 0; i < sizeof(other); i++)
		must(other[i] == MARK);
}

/* A page goes, its neighbours stay. */
static void serves(struct fake *f)
{
	const uint32_t pfn = 0x300000 / PAGE;
	uint16_t head;
	uint32_t len;

	fake_reset(f);
	fake_start(f, f->d->offered);
	memset(fake_at(f, 0x300000 - PAGE), MARK, (size_t)3 * PAGE);
	memcpy(fake_at(f, LIST), &pfn, sizeof(pfn));
	fake_add(f, 0, 0, &(struct fake_buf){LIST, sizeof(pfn), false}, 1);
	fake_kick(f, 0);
	must(fake_used(f, 0, &head, &len) && len == 0);
	for (size_t i = 0; i < (size_t)3 * PAGE; i++)
		must(fake_at(f, 0x300000 - PAGE)[i] == (i / PAGE == 1 ? 0 : MARK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t how = (uint8_t)take(&in, 1);
	const struct balloon_config config = {how & 1, how & 2, how & 4};
	struct fake f;
	struct err err;

	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	fake_setup(&f);
	memset(other, MARK, sizeof(other));
	f.memory.regions[f.memory.n_regions++] =
		(struct guest_region){OTHER, OTHER_LEN, other, true};
	must(virtio_balloon_new(&f.host, &config, &f.d, &err) == 0);
	fake_start(&f, f.d->offered);
	while (in.size)
		act(&f, &in);
	check(&f);
	serves(&f);
	fake_teardown(&f);
	return 0;
}
