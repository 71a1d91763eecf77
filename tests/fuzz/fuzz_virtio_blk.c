/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block device against a guest that says anything. Beside memory errors it looks for writes to
 * a read-only disk, writes outside of the disk's extents, and files that change in length.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "microvm/virtio/blk.h"
#include "tests/fuzz/virtio_guest.h"

#define HEADER    0x300000u
#define STATUS    0x301000u
#define DATA      0x310000u
#define FILE_SIZE 20000u
#define UNTOUCHED 0xd7

/* Of both files; the bytes around and between stay as they are. */
static const struct disk_extent extents[] = {
	{0, 1000, 4096}, {1, 512, 512}, {0, 8000, 8192}, {1, 4000, 1024}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* A memfd that remains after the device has closed its own way to it. */
static int make_file(bool readonly, int *ret_device_fd)
{
	static uint8_t bytes[FILE_SIZE];
	int fd = memfd_create("disk", MFD_CLOEXEC);
	char path[64];

	memset(bytes, UNTOUCHED, sizeof(bytes));
	must(fd >= 0 && write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*ret_device_fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	must(*ret_device_fd >= 0);
	return fd;
}

static bool in_extent(size_t file, uint64_t at)
{
	for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++)
		if (extents[i].file == file && at >= extents[i].offset &&
		    at - extents[i].offset < extents[i].size)
			return true;
	return false;
}

static void check_file(int fd, size_t file, bool readonly)
{
	static uint8_t bytes[FILE_SIZE];
	struct stat st;

	must(fstat(fd, &st) == 0 && st.st_size == FILE_SIZE);
	must(pread(fd, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		must(bytes[i] == UNTOUCHED || (!readonly && in_extent(file, i)));
}

/* A request that is right but for what the input chose otherwise. */
static void request(struct fake *f, struct input *in)
{
	uint8_t how = (uint8_t)take(in, 1);
	struct virtio_blk_outhdr h = {
		.type = (uint32_t)take(in, how & 1 ? 4 : 1) % (how & 1 ? UINT32_MAX : 16),
		.sector = take(in, how & 2 ? 8 : 1),
	};
	uint32_t len = (uint32_t)take(in, how & 4 ? 2 : 1) * (how & 8 ? 1 : DISK_SECTOR);
	bool write = how & 16 ? !(h.type & 1) : h.type == VIRTIO_BLK_T_IN || h.type == 8;
	uint64_t at = how & 32 ? HEADER + take(in, 1) : DATA;
	uint16_t head = (uint16_t)(take(in, 1) & 0xfc), bytes;
	const struct fake_buf bufs[] = {{HEADER, 16, false}, {at, len, write}, {STATUS, 1, true}};

	memcpy(fake_at(f, HEADER), &h, sizeof(h));
	for (bytes = how & 64 ? 32 : 0; bytes; bytes--) /* ranges */
		*fake_at(f, at + bytes - 1) = (uint8_t)take(in, 1);
	fake_add(f, 0, head, bufs, 3);
	fake_kick(f, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	bool readonly = take(&in, 1) & 1;
	int files[2], kept[2] = {make_file(readonly, &files[0]), make_file(readonly, &files[1])};
	const struct blk_config config = {
		.disk = {files, 2, extents, sizeof(extents) / sizeof(extents[0]), readonly},
		.serial = "fuzz",
	};
	struct fake f;
	struct err err;

	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	fake_setup(&f);
	must(virtio_blk_new(&f.host, &config, &f.d, &err) == 0);
	fake_start(&f, f.d->offered);
	while (in.size) {
		uint8_t command = (uint8_t)take(&in, 1);

		if (command % 4)
			guest_act(&f, &in, command / 4);
		else
			request(&f, &in);
	}
	fake_turns(&f, 4);
	fake_teardown(&f);
	for (size_t i = 0; i < 2; i++) {
		check_file(kept[i], i, readonly);
		(void)close(kept[i]);
	}
	return 0;
}
