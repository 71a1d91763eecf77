/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block device: what requests do to the files, and requests that no driver would make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/virtio/blk.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define HEADER  0x100000u
#define STATUS  0x101000u
#define DATA    0x200000u
#define SECTORS 64u
#define ALL     (~0ull >> 40) /* features 0 to 23, what is offered of them */
#define NO_BYTE 0xee          /* what is in memory before */

struct disk_guest {
	struct fake f;
	char path[64];
	int file; /* the test's own way to it */
	uint16_t head;
	uint32_t used_len;
};

static uint8_t content(uint64_t offset)
{
	return (uint8_t)(offset / DISK_SECTOR * 7 + offset % 251);
}

static void make_file(char *path, size_t len)
{
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = 0; i < len; i++) {
		uint8_t c = content(i);

		assert_int_equal(pwrite(fd, &c, 1, (off_t)i), 1);
	}
	assert_int_equal(close(fd), 0);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int new_disk(struct disk_guest *g, const int *files, size_t n_files,
		    const struct disk_extent *extents, size_t n_extents, bool readonly,
		    struct err *err)
{
	const struct blk_config config = {
		.disk = {files, n_files, extents, n_extents, readonly},
		.serial = "hull-test",
	};
	int rc = virtio_blk_new(&g->f.host, &config, &g->f.d, err);

	if (rc < 0)
		g->f.d = NULL;
	return rc;
}

static void set_up_with(struct disk_guest *g, size_t size, bool readonly)
{
	struct err e = ERR_INIT;
	int fd;

	*g = (struct disk_guest){.path = "/tmp/hull-blk-XXXXXX"};
	make_file(g->path, size);
	g->file = open_file(g->path, O_RDWR);
	fd = open_file(g->path, readonly ? O_RDONLY : O_RDWR);
	fake_setup(&g->f);
	if (new_disk(g, &fd, 1, NULL, 0, readonly, &e))
		fail_msg("%s", e.msg);
	fake_start(&g->f, g->f.d->offered & ALL);
}

static int set_up(void **state)
{
	struct disk_guest *g = mem_xalloc(sizeof(*g));

	set_up_with(g, SECTORS * DISK_SECTOR, false);
	*state = g;
	return 0;
}

static int set_up_readonly(void **state)
{
	struct disk_guest *g = mem_xalloc(sizeof(*g));

	set_up_with(g, SECTORS * DISK_SECTOR, true);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	struct disk_guest *g = *state;

	(void)close(g->file);
	(void)unlink(g->path);
	fake_teardown(&g->f);
	free(g);
	return 0;
}

/* Sends buffers as they are; the byte at STATUS afterwards. */
static uint8_t send(struct disk_guest *g, const struct fake_buf *bufs, unsigned int n)
{
	uint16_t head;

	*fake_at(&g->f, STATUS) = NO_BYTE;
	fake_add(&g->f, 0, 0, bufs, n);
	fake_kick(&g->f, 0);
	fake_turns(&g->f, 3);
	assert_true(fake_used(&g->f, 0, &head, &g->used_len));
	assert_int_equal(head, 0);
	return *fake_at(&g->f, STATUS);
}

static void set_header(struct disk_guest *g, uint32_t type, uint64_t sector)
{
	const struct virtio_blk_outhdr h = {.type = type, .sector = sector};

	memcpy(fake_at(&g->f, HEADER), &h, sizeof(h));
}

static uint8_t request(struct disk_guest *g, uint32_t type, uint64_t sector, uint32_t len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	const struct fake_buf bufs[] = {{HEADER, 16, false}, {DATA, len, in}, {STATUS, 1, true}};

	set_header(g, type, sector);
	return send(g, bufs, 3);
}

static void is_content(const uint8_t *bytes, uint64_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], content(offset + i));
}

static void file_is(struct disk_guest *g, uint64_t offset, const uint8_t *bytes, size_t len)
{
	FREE uint8_t *found = mem_xalloc(len);

	assert_int_equal(pread(g->file, found, len, (off_t)offset), len);
	assert_memory_equal(found, bytes, len);
}

/* Nothing of it was changed. */
static void file_is_old(struct disk_guest *g)
{
	FREE uint8_t *found = mem_xalloc(SECTORS * DISK_SECTOR);

	assert_int_equal(pread(g->file, found, SECTORS * DISK_SECTOR, 0), SECTORS * DISK_SECTOR);
	is_content(found, 0, SECTORS * DISK_SECTOR);
}

/* ---- what a driver does ---- */

static void reads(void **state)
{
	struct disk_guest *g = *state;
	struct blk_stats s;

	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 3, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(g->used_len, 4097);
	is_content(fake_at(&g->f, DATA), 3 * DISK_SECTOR, 4096);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, SECTORS - 1, 512), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, DATA), (SECTORS - 1) * DISK_SECTOR, 512);
	virtio_blk_stats(g->f.d, &s);
	assert_int_equal(s.reads, 2);
	assert_int_equal(s.read_bytes, 4608);
	assert_int_equal(g->f.interrupts, 1); /* the driver asked for one after the first */
}

static void writes(void **state)
{
	struct disk_guest *g = *state;

	memset(fake_at(&g->f, DATA), 0xa5, 1024);
	assert_int_equal(request(g, VIRTIO_BLK_T_OUT, 5, 1024), VIRTIO_BLK_S_OK);
	assert_int_equal(g->used_len, 1);
	file_is(g, 5 * DISK_SECTOR, fake_at(&g->f, DATA), 1024);
	assert_int_equal(request(g, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 4, 512), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, DATA), 4 * DISK_SECTOR, 512);
}

static void writes_through_without_flush(void **state)
{
	struct disk_guest *g = *state;

	fake_reset(&g->f);
	fake_start(&g->f, 0);
	memset(fake_at(&g->f, DATA), 0x5a, 512);
	assert_int_equal(request(g, VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_OK);
	file_is(g, 0, fake_at(&g->f, DATA), 512);
	assert_int_equal(request(g, VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(request(g, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_UNSUPP);
}

static void tells_its_serial(void **state)
{
	struct disk_guest *g = *state;
	const char serial[BLK_SERIAL_MAX] = "hull-test";

	memset(fake_at(&g->f, DATA), NO_BYTE, 64);
	assert_int_equal(request(g, VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	assert_memory_equal(fake_at(&g->f, DATA), serial, sizeof(serial));
	assert_int_equal(fake_at(&g->f, DATA)[20], NO_BYTE);
	assert_int_equal(request(g, VIRTIO_BLK_T_GET_ID, 0, 19), VIRTIO_BLK_S_IOERR);
}

static void set_range(struct disk_guest *g, size_t i, uint64_t sector, uint32_t n, uint32_t flags)
{
	const struct virtio_blk_discard_write_zeroes r = {sector, n, flags};

	memcpy(fake_at(&g->f, DATA + i * sizeof(r)), &r, sizeof(r));
}

static void discards_and_zeroes(void **state)
{
	struct disk_guest *g = *state;
	const uint8_t zeroes[2 * DISK_SECTOR] = {0};

	set_range(g, 0, 8, 2, 0);
	set_range(g, 1, 16, 1, 0);
	assert_int_equal(request(g, VIRTIO_BLK_T_DISCARD, 0, 32), VIRTIO_BLK_S_OK);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		set_range(g, 0, 20 + 4 * unmap, 2, unmap);
		assert_int_equal(request(g, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_OK);
		file_is(g, (20 + 4 * unmap) * DISK_SECTOR, zeroes, sizeof(zeroes));
	}
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 19, 512), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, DATA), 19 * DISK_SECTOR, 512);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 22, 512), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, DATA), 22 * DISK_SECTOR, 512);
}

/* A memfd has no FALLOC_FL_ZERO_RANGE: zeroes are written then. */
static void zeroes_where_the_file_system_cannot(void **state)
{
	const uint64_t size = 1u << 20;
	struct disk d;
	struct err e = ERR_INIT;
	int fd = memfd_create("disk", MFD_CLOEXEC);
	const struct disk_config config = {.files = &fd, .n_files = 1};
	uint8_t bytes[4096];

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	for (uint64_t at = 0; at < size; at += sizeof(bytes)) {
		memset(bytes, 1, sizeof(bytes));
		assert_int_equal(pwrite(fd, bytes, sizeof(bytes), (off_t)at), sizeof(bytes));
	}
	assert_int_equal(disk_init(&d, &config, &e), 0);
	assert_int_equal(disk_zero(&d, 512, size - 1024, false), 0);
	for (uint64_t at = 0; at < size; at += sizeof(bytes)) {
		assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)at), sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], at + i < 512 || at + i >= size - 512);
	}
	disk_release(&d);
}

static void headers_may_be_cut_anywhere(void **state)
{
	struct disk_guest *g = *state;
	struct fake_buf bufs[16 + 8 + 2];
	unsigned int n = 0;

	set_header(g, VIRTIO_BLK_T_IN, 7);
	for (uint32_t i = 0; i < 16; i++)
		bufs[n++] = (struct fake_buf){HEADER + i, 1, false};
	bufs[n++] = (struct fake_buf){DATA, 0, true};
	/* The data in odd parts, the last with the status behind it. */
	bufs[n++] = (struct fake_buf){DATA, 1, true};
	bufs[n++] = (struct fake_buf){DATA + 1, 300, true};
	bufs[n++] = (struct fake_buf){DATA + 301, 212, true};
	assert_int_equal(send(g, bufs, n), NO_BYTE);
	assert_int_equal(g->used_len, 513);
	is_content(fake_at(&g->f, DATA), 7 * DISK_SECTOR, 512);
	assert_int_equal(*fake_at(&g->f, DATA + 512), VIRTIO_BLK_S_OK);
}

static void longest_chain(void **state)
{
	struct disk_guest *g = *state;
	struct fake_buf bufs[FAKE_SIZE];

	set_header(g, VIRTIO_BLK_T_IN, 0);
	bufs[0] = (struct fake_buf){HEADER, 16, false};
	for (uint32_t i = 1; i < FAKE_SIZE - 1; i++)
		bufs[i] = (struct fake_buf){DATA + i * 512, 128, true};
	bufs[FAKE_SIZE - 2].len = 128 * 3; /* 253 * 128 and this: 64 sectors */
	bufs[FAKE_SIZE - 1] = (struct fake_buf){STATUS, 1, true};
	assert_int_equal(send(g, bufs, FAKE_SIZE), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, DATA + 200 * 512), 199 * 128, 128);
}

/* ---- what none does ---- */

static void out_of_the_disk(void **state)
{
	const struct {
		uint64_t sector;
		uint32_t len;
	} rows[] = {
		{SECTORS, 512},
		{SECTORS - 1, 1024},
		{UINT64_MAX, 512},
		{1ull << 55, 512},
		{UINT64_MAX / 512, 512},
		{INT64_MAX, 512},
		{0, 511},
		{0, 1},
		{0, 513},
		{0, (SECTORS + 1) * 512},
		{UINT64_MAX - 7, 8 * 512},
	};
	struct disk_guest *g = *state;
	struct blk_stats s;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(request(g, VIRTIO_BLK_T_IN, rows[i].sector, rows[i].len),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(g->used_len, 1);
		assert_int_equal(request(g, VIRTIO_BLK_T_OUT, rows[i].sector, rows[i].len),
				 VIRTIO_BLK_S_IOERR);
	}
	file_is_old(g);
	virtio_blk_stats(g->f.d, &s);
	assert_int_equal(s.failed, 2 * ARRAY_SIZE(rows));
	assert_int_equal(s.reads + s.writes, 0);
}

static void unknown_types(void **state)
{
	const uint32_t types[] = {2, 3, 5, 6, 7, 9, 10, 12, 14, 16, 0x80000000u, UINT32_MAX};
	struct disk_guest *g = *state;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(request(g, types[i], 0, 512), VIRTIO_BLK_S_UNSUPP);
	file_is_old(g);
}

static void missing_parts(void **state)
{
	struct disk_guest *g = *state;
	const struct fake_buf no_status[] = {{HEADER, 16, false}, {DATA, 512, false}};
	const struct fake_buf no_header[] = {{DATA, 512, true}, {STATUS, 1, true}};
	const struct fake_buf half_header[] = {{HEADER, 15, false}, {STATUS, 1, true}};
	const struct fake_buf wrong_way[] = {
		{HEADER, 16, true}, {DATA, 512, true}, {STATUS, 1, true}};

	set_header(g, VIRTIO_BLK_T_OUT, 0);
	assert_int_equal(send(g, no_status, 2), NO_BYTE);
	assert_int_equal(g->used_len, 0);
	assert_int_equal(send(g, no_header, 2), VIRTIO_BLK_S_IOERR);
	assert_int_equal(send(g, half_header, 2), VIRTIO_BLK_S_IOERR);
	assert_int_equal(send(g, wrong_way, 3), VIRTIO_BLK_S_IOERR);
	file_is_old(g);
	assert_true(g->f.d->faults > 0);
}

/* The direction of the data does not fit the type: there is no data then. */
static void data_the_wrong_way(void **state)
{
	struct disk_guest *g = *state;
	const struct fake_buf in[] = {{HEADER, 16, false}, {DATA, 512, false}, {STATUS, 1, true}};
	const struct fake_buf out[] = {{HEADER, 16, false}, {DATA, 512, true}, {STATUS, 1, true}};

	memset(fake_at(&g->f, DATA), NO_BYTE, 512);
	set_header(g, VIRTIO_BLK_T_IN, 0);
	(void)send(g, in, 3);
	assert_int_equal(*fake_at(&g->f, DATA), NO_BYTE);
	set_header(g, VIRTIO_BLK_T_OUT, 0);
	(void)send(g, out, 3);
	file_is_old(g);
}

static void bad_ranges(void **state)
{
	const struct {
		uint64_t sector;
		uint32_t n, flags;
		uint8_t discard, zero;
	} rows[] = {
		{SECTORS, 1, 0, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
		{SECTORS - 1, 2, 0, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
		{UINT64_MAX, 1, 0, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
		{UINT64_MAX, UINT32_MAX, 0, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
		{0, UINT32_MAX, 0, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
		{0, 1, 2, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_S_UNSUPP},
		{0, 1, UINT32_MAX, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_S_UNSUPP},
		{SECTORS, 0, 0, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_OK},
	};
	const uint32_t lengths[] = {0, 1, 15, 17, 31, 17 * 16, 512 * 1024};
	struct disk_guest *g = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set_range(g, 0, rows[i].sector, rows[i].n, rows[i].flags);
		assert_int_equal(request(g, VIRTIO_BLK_T_DISCARD, 0, 16), rows[i].discard);
		assert_int_equal(request(g, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), rows[i].zero);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		set_range(g, 0, 0, 0, 0);
		assert_int_equal(request(g, VIRTIO_BLK_T_DISCARD, 0, lengths[i]),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(request(g, VIRTIO_BLK_T_WRITE_ZEROES, 0, lengths[i]),
				 VIRTIO_BLK_S_IOERR);
	}
	file_is_old(g);
}

/* Every buffer of the request is the same memory: header, data and status. */
static void everything_in_one_place(void **state)
{
	struct disk_guest *g = *state;
	const struct fake_buf bufs[] = {
		{HEADER, 16, false}, {HEADER, 512, true}, {HEADER, 1, true}};

	set_header(g, VIRTIO_BLK_T_IN, 1);
	(void)send(g, bufs, 3);
	assert_int_equal(*fake_at(&g->f, HEADER), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, HEADER) + 1, DISK_SECTOR + 1, 511);
	file_is_old(g);
}

static void shorter_than_it_was(void **state)
{
	struct disk_guest *g = *state;

	assert_int_equal(ftruncate(g->file, 1024), 0);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 0, 1024), VIRTIO_BLK_S_OK);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 1, 1024), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 2, 512), VIRTIO_BLK_S_IOERR);
}

/*
 * A guest makes its disk look like one of another format, whose content is in another file of the host
 * (GHSA-jmr4-g2hv-mjj6): the next machine finds what was written, and nothing else.
 */
static void header_of_another_format(void **state)
{
	static const char name[] = "/etc/passwd";
	const uint8_t qcow2[] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 2, 0, 0,  0, 0, 0, 0, 0, 72,
				 0,   0,   0,   11,   0, 0, 0, 9, 0, 0,  1, 0, 0, 0, 0, 0};
	uint8_t sector[DISK_SECTOR] = {0};
	struct disk_guest *g = *state;
	struct err e = ERR_INIT;
	int fd;

	memcpy(sector, qcow2, sizeof(qcow2));
	memcpy(sector + 72, name, sizeof(name));
	memcpy(fake_at(&g->f, DATA), sector, sizeof(sector));
	assert_int_equal(request(g, VIRTIO_BLK_T_OUT, 0, sizeof(sector)), VIRTIO_BLK_S_OK);
	fake_teardown(&g->f);
	fd = open_file(g->path, O_RDWR);
	fake_setup(&g->f);
	if (new_disk(g, &fd, 1, NULL, 0, false, &e))
		fail_msg("%s", e.msg);
	fake_start(&g->f, g->f.d->offered & ALL);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 0, sizeof(sector)), VIRTIO_BLK_S_OK);
	assert_memory_equal(fake_at(&g->f, DATA), sector, sizeof(sector));
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 1, 4096), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, DATA), DISK_SECTOR, 4096);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, SECTORS - 1, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, SECTORS, 512), VIRTIO_BLK_S_IOERR);
}

/* More requests than one wakeup serves. */
static void storm(void **state)
{
	struct disk_guest *g = *state;
	const struct fake_buf bufs[] = {{HEADER, 16, false}, {STATUS, 1, true}};
	unsigned int done = 0;
	uint16_t head;
	uint32_t len;

	set_header(g, VIRTIO_BLK_T_FLUSH, 0);
	for (unsigned int i = 0; i < FAKE_SIZE; i++)
		fake_add(&g->f, 0, (uint16_t)(i % 128 * 2), bufs, 2);
	fake_kick(&g->f, 0);
	while (fake_used(&g->f, 0, &head, &len))
		done++;
	assert_in_range(done, 1, FAKE_SIZE - 1);
	fake_turns(&g->f, FAKE_SIZE);
	while (fake_used(&g->f, 0, &head, &len))
		done++;
	assert_int_equal(done, FAKE_SIZE);
}

/* ---- read-only ---- */

static void readonly_disk(void **state)
{
	struct disk_guest *g = *state;

	assert_true(virtio_has(g->f.d, VIRTIO_BLK_F_RO));
	assert_false(g->f.d->offered >> VIRTIO_BLK_F_DISCARD & 1);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	is_content(fake_at(&g->f, DATA), 0, 512);
	memset(fake_at(&g->f, DATA), 0, 512);
	assert_int_equal(request(g, VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	set_range(g, 0, 0, 1, 0);
	assert_int_not_equal(request(g, VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_OK);
	assert_int_not_equal(request(g, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_OK);
	assert_int_equal(request(g, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	/* The driver that says it took other features has not made the disk writable. */
	g->f.d->features = ~0ull;
	assert_int_equal(request(g, VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(g, VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(g, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_IOERR);
	file_is_old(g);
}

static void wrong_mode(void **state)
{
	const struct {
		int flags;
		bool readonly;
	} rows[] = {{O_RDWR, true},
		    {O_WRONLY, true},
		    {O_RDONLY, false},
		    {O_WRONLY, false},
		    {O_RDWR | O_APPEND, false}};
	struct disk_guest *g = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = open_file(g->path, rows[i].flags);
		const struct disk_config config = {
			.files = &fd, .n_files = 1, .readonly = rows[i].readonly};
		struct err e = ERR_INIT;
		struct disk d;

		assert_int_equal(disk_init(&d, &config, &e), -EINVAL);
		assert_int_equal(close(fd), 0);
	}
}

static void locked(void **state)
{
	struct disk_guest *g = *state; /* has it for writing */
	struct err e = ERR_INIT;
	struct disk a, b;
	int ro = open_file(g->path, O_RDONLY), rw = open_file(g->path, O_RDWR);
	int ro2 = open_file(g->path, O_RDONLY);
	const struct disk_config read = {.files = &ro, .n_files = 1, .readonly = true};
	const struct disk_config again = {.files = &ro2, .n_files = 1, .readonly = true};
	const struct disk_config write = {.files = &rw, .n_files = 1};

	assert_int_equal(disk_init(&a, &write, &e), -EBUSY);
	assert_int_equal(disk_init(&a, &read, &e), -EBUSY);
	virtio_destroy(g->f.d);
	g->f.d = NULL;
	assert_int_equal(disk_init(&a, &read, &e), 0);
	assert_int_equal(disk_init(&b, &again, &e), 0);
	disk_release(&b);
	assert_int_equal(disk_init(&b, &write, &e), -EBUSY);
	disk_release(&a);
	assert_int_equal(disk_init(&a, &write, &e), 0);
	disk_release(&a);
}

/* ---- files and extents ---- */

static int set_up_nothing(void **state)
{
	struct disk_guest *g = mem_xalloc(sizeof(*g));

	*g = (struct disk_guest){.path = "/tmp/hull-blk-XXXXXX"};
	make_file(g->path, 10 * DISK_SECTOR + 100);
	g->file = open_file(g->path, O_RDWR);
	fake_setup(&g->f);
	*state = g;
	return 0;
}

static void cut_to_sectors(void **state)
{
	struct disk_guest *g = *state;
	struct err e = ERR_INIT;
	uint8_t capacity[8];
	int fd = open_file(g->path, O_RDONLY);

	assert_int_equal(new_disk(g, &fd, 1, NULL, 0, true, &e), 0);
	virtio_mmio_read(g->f.d, 0x100, capacity, 8);
	assert_int_equal(capacity[0], 10);
	fake_start(&g->f, 0);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 9, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 10, 512), VIRTIO_BLK_S_IOERR);
}

static void pieces_in_a_row(void **state)
{
	const struct disk_extent extents[] = {
		{0, 100, 2 * DISK_SECTOR}, {1, 0, DISK_SECTOR}, {0, 3000, 3 * DISK_SECTOR}};
	struct disk_guest *g = *state;
	struct err e = ERR_INIT;
	char other[] = "/tmp/hull-blk-XXXXXX";
	int files[2];
	uint8_t *data = fake_at(&g->f, DATA);

	make_file(other, DISK_SECTOR);
	files[0] = open_file(g->path, O_RDWR);
	files[1] = open_file(other, O_RDWR);
	assert_int_equal(new_disk(g, files, 2, extents, 3, false, &e), 0);
	fake_start(&g->f, g->f.d->offered & ALL);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 0, 6 * 512), VIRTIO_BLK_S_OK);
	is_content(data, 100, 2 * 512);
	is_content(data + 2 * 512, 0, 512);
	is_content(data + 3 * 512, 3000, 3 * 512);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 3, 512), VIRTIO_BLK_S_OK);
	is_content(data, 3000, 512);
	assert_int_equal(request(g, VIRTIO_BLK_T_IN, 5, 1024), VIRTIO_BLK_S_IOERR);

	memset(data, 0x77, 3 * 512);
	assert_int_equal(request(g, VIRTIO_BLK_T_OUT, 1, 3 * 512), VIRTIO_BLK_S_OK);
	file_is(g, 100 + 512, data, 512);
	file_is(g, 3000, data, 512);
	assert_int_equal(pread(g->file, data, 100, 0), 100);
	is_content(data, 0, 100);
	assert_int_equal(pread(g->file, data, 100, 100 + 1024), 100);
	is_content(data, 100 + 1024, 100);
	set_range(g, 0, 1, 3, 0);
	assert_int_equal(request(g, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_OK);
	memset(data, 0, 512);
	file_is(g, 3000, data, 512);
	assert_int_equal(unlink(other), 0);
}

static void wrong_files(void **state)
{
	struct disk_guest *g = *state;
	int fd = open_file(g->path, O_RDWR), null = open_file("/dev/null", O_RDWR);
	const int two[] = {fd, fd};
	const struct disk_extent rows[] = {
		{1, 0, 512},          {0, 0, 0},
		{0, 0, 100},          {0, 5120, 512},
		{0, UINT64_MAX, 512}, {0, 512, UINT64_MAX - 511},
	};
	struct err e = ERR_INIT;
	struct disk d;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct disk_config config = {&fd, 1, &rows[i], 1, false};

		assert_int_equal(disk_init(&d, &config, &e), -EINVAL);
	}
	assert_int_equal(disk_init(&d, &(struct disk_config){&null, 1, NULL, 0, false}, &e),
			 -EINVAL);
	assert_int_equal(disk_init(&d, &(struct disk_config){two, 2, NULL, 0, false}, &e), -EINVAL);
	assert_int_equal(disk_init(&d, &(struct disk_config){two, 0, NULL, 0, false}, &e), -EINVAL);
	assert_int_equal(disk_init(&d, &(struct disk_config){&fd, 1, rows, 0, false}, &e), -EINVAL);
	assert_int_equal(ftruncate(g->file, 511), 0);
	assert_int_equal(disk_init(&d, &(struct disk_config){&fd, 1, NULL, 0, false}, &e), -EINVAL);
	assert_int_equal(close(fd) + close(null), 0);
}

#define TEST(fn)     cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define READONLY(fn) cmocka_unit_test_setup_teardown(fn, set_up_readonly, tear_down)
#define FILES(fn)    cmocka_unit_test_setup_teardown(fn, set_up_nothing, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads),
		TEST(writes),
		TEST(writes_through_without_flush),
		TEST(tells_its_serial),
		TEST(discards_and_zeroes),
		cmocka_unit_test(zeroes_where_the_file_system_cannot),
		TEST(headers_may_be_cut_anywhere),
		TEST(longest_chain),
		TEST(out_of_the_disk),
		TEST(unknown_types),
		TEST(missing_parts),
		TEST(data_the_wrong_way),
		TEST(bad_ranges),
		TEST(everything_in_one_place),
		TEST(shorter_than_it_was),
		TEST(header_of_another_format),
		TEST(storm),
		READONLY(readonly_disk),
		TEST(wrong_mode),
		TEST(locked),
		FILES(cut_to_sectors),
		FILES(pieces_in_a_row),
		FILES(wrong_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
