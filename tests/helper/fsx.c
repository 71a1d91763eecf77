/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random operations on one file or disk, each compared with a model of the content in memory:
 *
 *   fsx [-d] FILE SEED OPS SIZE       does OPS operations within the first SIZE bytes
 *   fsx -c [-d] FILE SEED OPS SIZE    does them on the model alone; FILE has the content by now
 *
 * With -d FILE is a disk: its size stays, and ranges of it are discarded. What is done follows from
 * SEED, never from an answer, so the second form is able to judge from outside. Reads and writes go
 * through the page cache, around it (O_DIRECT) and through mappings. The first difference is told
 * and ends the program with status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE       4096u
#define SECTOR     512u
#define LENGTH_MAX (128u << 10)
#define CHECK_EACH 200 /* operations between two looks at everything */

struct range {
	size_t offset, len;
};

static const char *path;
static bool disk, model_only;
static size_t limit; /* SIZE */
static int cached = -1, direct = -1;

static uint8_t *model, *data;
static size_t size;

static unsigned long op;
static const char *op_name = "open";
static struct range op_range;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...)
{
	va_list args;

	printf("fsx: operation %lu, %s of %zu bytes at %zu: ", op, op_name, op_range.len,
	       op_range.offset);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	exit(1);
}

static void check(bool good, const char *call)
{
	if (!good)
		fail("%s: %s", call, strerror(errno));
}

/* --- chance: splitmix64 --- */

static uint64_t state;

static uint64_t draw(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static size_t below(size_t n)
{
	return (size_t)(draw() % n);
}

/* Within the first end bytes, of which there are some; short ones are more frequent. */
static struct range any_range(size_t end)
{
	size_t max = draw() % 4 ? 8192 : LENGTH_MAX;
	struct range r = {.offset = below(end)};

	r.len = 1 + below(max < end - r.offset ? max : end - r.offset);
	return r;
}

static struct range whole(struct range r, size_t unit)
{
	size_t end = r.offset + r.len;

	r.offset -= r.offset % unit;
	r.len = (end + unit - 1) / unit * unit - r.offset;
	return r;
}

/* New content for len bytes. */
static void make_data(size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = draw();

		memcpy(data + i, &word, sizeof(word));
	}
}

/* --- comparing --- */

static void compare(const uint8_t *found, size_t offset, size_t len)
{
	if (memcmp(found, model + offset, len) == 0)
		return;
	for (size_t i = 0; i < len; i++)
		if (found[i] != model[offset + i])
			fail("byte %zu is 0x%02x, not 0x%02x", offset + i, found[i],
			     model[offset + i]);
}

static void read_and_compare(int fd, struct range r)
{
	size_t want = r.offset >= size ? 0 : r.len < size - r.offset ? r.len : size - r.offset;
	ssize_t n = pread(fd, data, r.len, (off_t)r.offset);

	check(n >= 0, "pread");
	if ((size_t)n > want && disk)
		n = (ssize_t)want;
	if ((size_t)n != want)
		fail("%zd bytes read, not %zu", n, want);
	compare(data, r.offset, want);
}

static void compare_all(void)
{
	struct stat st;

	op_range = (struct range){0, limit};
	check(fstat(cached, &st) == 0, "fstat");
	if (!disk && (size_t)st.st_size != size)
		fail("the size is %lld, not %zu", (long long)st.st_size, size);
	for (size_t at = 0; at < size; at += LENGTH_MAX)
		read_and_compare(cached, (struct range){at, LENGTH_MAX});
}

/* --- the model --- */

static void grow(size_t end)
{
	if (end > size)
		size = end; /* bytes of the model beyond its end are zero */
}

static void put(struct range r)
{
	memcpy(model + r.offset, data, r.len);
	grow(r.offset + r.len);
}

static void put_zeroes(struct range r)
{
	memset(model + r.offset, 0, r.len);
}

/* --- operations --- */

static void open_file(void)
{
	struct stat st;

	op_name = "open";
	cached = open(path, O_RDWR | (disk ? 0 : O_CREAT), 0644);
	check(cached >= 0, "open");
	direct = open(path, O_RDWR | O_DIRECT);
	check(direct >= 0, "open with O_DIRECT");
	check(fstat(cached, &st) == 0, "fstat");
	if (disk != S_ISBLK(st.st_mode))
		fail("'%s' is %s disk", path, disk ? "no" : "a");
}

static void do_read(void)
{
	op_range = any_range(limit);
	if (!model_only)
		read_and_compare(cached, op_range);
}

static void do_direct_read(void)
{
	op_range = whole(any_range(limit), SECTOR);
	if (!model_only)
		read_and_compare(direct, op_range);
}

static void write_data(int fd)
{
	put(op_range);
	if (!model_only)
		check(pwrite(fd, data, op_range.len, (off_t)op_range.offset) ==
			      (ssize_t)op_range.len,
		      "pwrite");
}

static void do_write(void)
{
	op_range = any_range(limit);
	make_data(op_range.len);
	write_data(cached);
}

static void do_direct_write(void)
{
	op_range = whole(any_range(limit), SECTOR);
	make_data(op_range.len);
	write_data(direct);
}

static uint8_t *map(size_t *ret_skip)
{
	uint8_t *at;

	*ret_skip = op_range.offset % PAGE;
	at = mmap(NULL, *ret_skip + op_range.len, PROT_READ | PROT_WRITE, MAP_SHARED, cached,
		  (off_t)(op_range.offset - *ret_skip));
	check(at != MAP_FAILED, "mmap");
	return at;
}

static void do_map_read(void)
{
	size_t skip;
	uint8_t *at;

	if (!size)
		return;
	op_range = any_range(size);
	if (model_only)
		return;
	at = map(&skip);
	compare(at + skip, op_range.offset, op_range.len);
	munmap(at, skip + op_range.len);
}

static void do_map_write(void)
{
	bool sync = draw() % 2;
	size_t skip;
	uint8_t *at;

	if (!size)
		return;
	op_range = any_range(size);
	make_data(op_range.len);
	put(op_range);
	if (model_only)
		return;
	at = map(&skip);
	memcpy(at + skip, data, op_range.len);
	if (sync)
		check(msync(at, skip + op_range.len, MS_SYNC) == 0, "msync");
	munmap(at, skip + op_range.len);
}

static void do_sync(void)
{
	bool content_alone = draw() % 2;

	if (!model_only)
		check((content_alone ? fdatasync(cached) : fsync(cached)) == 0, "fsync");
}

/* What is read next comes from below the page cache. */
static void do_reopen(void)
{
	if (model_only)
		return;
	check(fsync(cached) == 0, "fsync");
	check(posix_fadvise(cached, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
	check(close(cached) == 0 && close(direct) == 0, "close");
	open_file();
}

/* A disk does not get shorter. What is discarded may read as anything, so it is written then. */
static void do_truncate(void)
{
	if (disk) {
		uint64_t sectors[2];

		op_range = whole(any_range(limit), SECTOR);
		sectors[0] = op_range.offset;
		sectors[1] = op_range.len;
		if (!model_only)
			check(ioctl(cached, BLKDISCARD, sectors) == 0, "BLKDISCARD");
		make_data(op_range.len);
		write_data(cached);
		return;
	}
	op_range = (struct range){below(limit + 1), 0};
	if (op_range.offset < size)
		put_zeroes((struct range){op_range.offset, size - op_range.offset});
	size = op_range.offset;
	if (!model_only)
		check(ftruncate(cached, (off_t)size) == 0, "ftruncate");
}

static void zero_by(int mode)
{
	if (!size)
		return;
	op_range = any_range(size);
	if (disk)
		op_range = whole(op_range, SECTOR);
	put_zeroes(op_range);
	if (!model_only)
		check(fallocate(cached, mode | FALLOC_FL_KEEP_SIZE, (off_t)op_range.offset,
				(off_t)op_range.len) == 0,
		      "fallocate");
}

static void do_punch(void)
{
	zero_by(FALLOC_FL_PUNCH_HOLE);
}

/* Not all file systems have it: there zeroes are written. */
static void do_zero(void)
{
	if (disk) {
		zero_by(FALLOC_FL_ZERO_RANGE);
		return;
	}
	op_range = any_range(limit);
	memset(data, 0, op_range.len);
	write_data(cached);
}

static const struct {
	const char *name;
	void (*run)(void);
	unsigned int weight;
} ops[] = {
	{"read", do_read, 15},
	{"direct read", do_direct_read, 10},
	{"mapped read", do_map_read, 10},
	{"write", do_write, 20},
	{"direct write", do_direct_write, 12},
	{"mapped write", do_map_write, 15},
	{"sync", do_sync, 4},
	{"reopen", do_reopen, 3},
	{"truncate or discard", do_truncate, 4},
	{"punch", do_punch, 4},
	{"zero", do_zero, 3},
};

static void do_one(void)
{
	unsigned int chance = 0, n = 0;

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		chance += ops[i].weight;
	chance = (unsigned int)below(chance);
	while (chance >= ops[n].weight)
		chance -= ops[n++].weight;
	op_name = ops[n].name;
	op_range = (struct range){0, 0};
	ops[n].run();
}

/* The model's size is a multiple of SECTOR, as direct writes round up. */
static void begin(void)
{
	model = calloc(1, limit);
	data = aligned_alloc(PAGE, LENGTH_MAX + 2 * PAGE);
	if (!model || !data)
		exit(1);
	if (!model_only)
		open_file();
	if (!disk) {
		if (!model_only)
			check(ftruncate(cached, 0) == 0, "ftruncate");
		return;
	}
	for (size_t at = 0; at < limit; at += LENGTH_MAX) {
		op_range = (struct range){at, limit - at < LENGTH_MAX ? limit - at : LENGTH_MAX};
		make_data(op_range.len);
		write_data(direct);
	}
}

int main(int argc, char **argv)
{
	unsigned long count;
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt(argc, argv, "cd")) != -1) {
		model_only |= option == 'c';
		disk |= option == 'd';
	}
	if (argc - optind != 4)
		return 2;
	path = argv[optind];
	state = strtoull(argv[optind + 1], NULL, 0);
	count = strtoul(argv[optind + 2], NULL, 0);
	limit = strtoul(argv[optind + 3], NULL, 0);
	if (limit < SECTOR || limit % SECTOR)
		return 2;
	begin();
	for (op = 1; op <= count; op++) {
		do_one();
		if (op % CHECK_EACH == 0 && !model_only)
			compare_all();
	}
	op_name = "last look";
	if (model_only)
		cached = open(path, O_RDONLY);
	else
		do_reopen();
	op_name = "last look";
	compare_all();
	printf("fsx: seed %s, %lu operations, %zu bytes as they should be\n", argv[optind + 1],
	       count, size);
	return 0;
}
