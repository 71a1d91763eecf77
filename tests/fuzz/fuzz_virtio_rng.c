/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entropy device against a guest that says anything. No answer is longer than the device's limit
 * or than its buffers.
 */
#include "base/log.h"
#include "microvm/virtio/rng.h"
#include "tests/fuzz/virtio_guest.h"

#define ANSWER_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct fake f;
	struct err err;
	uint16_t head;
	uint32_t len;

	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	fake_setup(&f);
	assert_int_equal(virtio_rng_new(&f.host, &f.d, &err), 0);
	fake_start(&f, f.d->offered);
	while (in.size)
		guest_act(&f, &in, (unsigned int)take(&in, 1));
	/* One honest request at the end: it is answered. */
	fake_reset(&f);
	fake_start(&f, f.d->offered);
	fake_add(&f, 0, 0, &(struct fake_buf){0x100000, FAKE_RAM / 2, true}, 1);
	fake_kick(&f, 0);
	if (!fake_used(&f, 0, &head, &len) || len != ANSWER_MAX)
		abort();
	fake_teardown(&f);
	return 0;
}
