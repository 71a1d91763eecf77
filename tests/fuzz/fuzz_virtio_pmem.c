/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pmem device against a guest that says anything. Its file is never another one afterwards, and
 * the region that the guest has of it takes no buffer that a device would write to.
 */
#include <fcntl.h>
#include <linux/virtio_pmem.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "microvm/virtio/pmem.h"
#include "tests/fuzz/virtio_guest.h"

#define GPA  (64ull << 20)
#define SIZE 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_file(int fd)
{
	uint8_t page[SIZE];

	if (pread(fd, page, sizeof(page), 0) != (ssize_t)sizeof(page))
		abort();
	for (size_t i = 0; i < sizeof(page); i++)
		if (page[i] != (uint8_t)i)
			abort();
}

static void make_file(int *ret_writer, int *ret_file)
{
	uint8_t page[SIZE];
	char path[64];

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)i;
	*ret_writer = memfd_create("pmem", MFD_CLOEXEC);
	if (write(*ret_writer, page, sizeof(page)) != (ssize_t)sizeof(page))
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *ret_writer);
	*ret_file = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_file < 0)
		abort();
}

/* One honest request at the end: it is answered. */
static void flush(struct fake *f)
{
	struct virtio_pmem_req req = {VIRTIO_PMEM_REQ_TYPE_FLUSH};
	struct virtio_pmem_resp resp = {UINT32_MAX};
	const struct fake_buf bufs[] = {{0x100000, sizeof(req), false},
					{0x101000, sizeof(resp), true}};
	uint16_t head;
	uint32_t len;

	fake_reset(f);
	fake_start(f, f->d->offered);
	memcpy(fake_at(f, 0x100000), &req, sizeof(req));
	fake_add(f, 0, 0, bufs, 2);
	fake_kick(f, 0);
	memcpy(&resp, fake_at(f, 0x101000), sizeof(resp));
	if (!fake_used(f, 0, &head, &len) || len != sizeof(resp) || resp.ret != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct pmem_config c = {.fd = -1};
	struct fake f;
	struct err err;
	int writer;

	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	fake_setup(&f);
	make_file(&writer, &c.fd);
	assert_int_equal(pmem_map(c.fd, GPA, &c.region, &err), 0);
	f.memory.regions[f.memory.n_regions++] = c.region;
	assert_int_equal(virtio_pmem_new(&f.host, &c, &f.d, &err), 0);
	fake_start(&f, f.d->offered);
	while (in.size) {
		unsigned int command = (unsigned int)take(&in, 1);
		struct fake_buf b;

		if (command < 0xf0) {
			guest_act(&f, &in, command);
			continue;
		}
		/* a buffer in the region itself */
		b = (struct fake_buf){GPA + take(&in, 3), (uint32_t)take(&in, 2), command & 1};
		fake_add(&f, 0, (uint16_t)(command & 0xf), &b, 1);
	}
	flush(&f);
	check_file(writer);
	fake_teardown(&f);
	pmem_unmap(&c.region);
	(void)close(c.fd);
	(void)close(writer);
	return 0;
}
