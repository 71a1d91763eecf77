/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several processes write blocks to one file or disk at the same time, and read them again:
 *
 *   blocks write FILE SEED WORKERS BLOCKS ROUNDS
 *   blocks check FILE SEED BLOCKS ROUNDS
 *
 * A block's bytes follow from SEED, its number and the round, so that an old block, one in another
 * one's place and a torn one are found. Each round writes all blocks, a worker those of its own
 * chunks, in an order by chance and some at a time, after it has read what the round before left
 * there. Worker by worker another way is taken: the page cache, O_DIRECT, a mapping, and O_DSYNC
 * into holes. The second form looks at all blocks, from the host, say. Exit status: 1 when a block
 * is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 4096u
#define CHUNK 32u /* blocks */

enum way { CACHED, DIRECT, MAPPED, HOLES, WAYS };

static const char *path;
static uint64_t seed;
static unsigned int blocks, rounds, workers;
static uint8_t *data;

static void die(const char *what)
{
	printf("blocks: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t z) /* splitmix64 */
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void make_block(uint8_t *at, unsigned int block, unsigned int round)
{
	uint64_t start = mix(seed ^ mix((uint64_t)block << 32 | round));

	memcpy(at, &(uint64_t){(uint64_t)block << 32 | round}, sizeof(uint64_t));
	for (size_t i = sizeof(start); i < BLOCK; i += sizeof(start)) {
		start += 0x9e3779b97f4a7c15u;
		memcpy(at + i, &(uint64_t){start ^ start >> 29}, sizeof(start));
	}
}

/* True when n blocks from first on are those of round. */
static bool is_right(const uint8_t *at, unsigned int first, unsigned int n, unsigned int round)
{
	uint8_t want[BLOCK];

	for (unsigned int i = 0; i < n; i++) {
		uint64_t head;

		make_block(want, first + i, round);
		if (memcmp(want, at + i * BLOCK, BLOCK) == 0)
			continue;
		memcpy(&head, at + i * BLOCK, sizeof(head));
		printf("blocks: block %u is not of round %u; it calls itself %u of round %u\n",
		       first + i, round, (unsigned int)(head >> 32), (unsigned int)head);
		return false;
	}
	return true;
}

/* --- a worker --- */

struct worker {
	enum way way;
	int fd;
	uint8_t *map;
	uint64_t chance;
};

static unsigned int below(struct worker *w, unsigned int n)
{
	return (unsigned int)(mix(w->chance += 0x9e3779b97f4a7c15u) % n);
}

static bool read_blocks(struct worker *w, unsigned int first, unsigned int n, unsigned int round)
{
	if (w->way == MAPPED)
		return is_right(w->map + (size_t)first * BLOCK, first, n, round);
	if (pread(w->fd, data, n * BLOCK, (off_t)first * BLOCK) != (ssize_t)(n * BLOCK))
		die("pread");
	return is_right(data, first, n, round);
}

static void write_blocks(struct worker *w, unsigned int first, unsigned int n, unsigned int round)
{
	uint8_t *to = w->way == MAPPED ? w->map + (size_t)first * BLOCK : data;

	for (unsigned int i = 0; i < n; i++)
		make_block(to + i * BLOCK, first + i, round);
	if (w->way != MAPPED &&
	    pwrite(w->fd, data, n * BLOCK, (off_t)first * BLOCK) != (ssize_t)(n * BLOCK))
		die("pwrite");
}

static bool do_chunk(struct worker *w, unsigned int chunk, unsigned int round)
{
	unsigned int end = (chunk + 1) * CHUNK < blocks ? (chunk + 1) * CHUNK : blocks;

	for (unsigned int first = chunk * CHUNK, n; first < end; first += n) {
		n = 1 + below(w, end - first);
		if (round > 1 && !read_blocks(w, first, n, round - 1))
			return false;
		if (w->way == HOLES && fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						 (off_t)first * BLOCK, (off_t)n * BLOCK) < 0)
			die("fallocate");
		write_blocks(w, first, n, round);
		if (below(w, 4) == 0 && !read_blocks(w, first, n, round))
			return false;
	}
	return true;
}

/* Own chunks from any of them on, with a step that meets each once. */
static bool do_round(struct worker *w, unsigned int number, unsigned int round)
{
	unsigned int chunks = (blocks + CHUNK - 1) / CHUNK, start = below(w, chunks);

	for (unsigned int i = 0; i < chunks; i++) {
		unsigned int chunk = (start + (round % 2 ? i : chunks - i)) % chunks;

		if (chunk % workers == number && !do_chunk(w, chunk, round))
			return false;
	}
	if (w->way == MAPPED && (msync(w->map, (size_t)blocks * BLOCK, MS_SYNC) < 0 ||
				 madvise(w->map, (size_t)blocks * BLOCK, MADV_DONTNEED) < 0))
		die("msync");
	/* The next round is to read what was stored, not what the page cache still has. */
	if (fsync(w->fd) < 0 || posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		die("fsync");
	return true;
}

static int work(unsigned int number)
{
	static const int flags[WAYS] = {[DIRECT] = O_DIRECT, [HOLES] = O_DSYNC};
	struct worker w = {.way = number % WAYS, .chance = mix(seed + number)};

	w.fd = open(path, O_RDWR | flags[w.way]);
	if (w.fd < 0)
		die("open");
	if (w.way == MAPPED)
		w.map = mmap(NULL, (size_t)blocks * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd,
			     0);
	if (w.map == MAP_FAILED)
		die("mmap");
	for (unsigned int round = 1; round <= rounds; round++)
		if (!do_round(&w, number, round))
			return 1;
	return 0;
}

/* --- */

static int write_all(void)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644), status, bad = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (S_ISREG(st.st_mode) && ftruncate(fd, (off_t)blocks * BLOCK) < 0))
		die(path);
	close(fd);
	for (unsigned int i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0)
			exit(work(i));
	}
	while (wait(&status) > 0)
		bad += status != 0;
	printf("blocks: %u workers, %d failed\n", workers, bad);
	return bad != 0;
}

static int check_all(void)
{
	int fd = open(path, O_RDONLY), bad = 0;

	if (fd < 0)
		die(path);
	for (unsigned int first = 0; first < blocks; first++) {
		if (pread(fd, data, BLOCK, (off_t)first * BLOCK) != BLOCK)
			die("pread");
		bad += !is_right(data, first, 1, rounds);
	}
	printf("blocks: %u looked at, %d wrong\n", blocks, bad);
	return bad != 0;
}

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 0);
}

int main(int argc, char **argv)
{
	bool write = argc == 7 && strcmp(argv[1], "write") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!write && (argc != 6 || strcmp(argv[1], "check") != 0))
		return 2;
	path = argv[2];
	seed = strtoull(argv[3], NULL, 0);
	workers = write ? number(argv[4]) : 1;
	blocks = number(argv[argc - 2]);
	rounds = number(argv[argc - 1]);
	data = aligned_alloc(BLOCK, (size_t)CHUNK * BLOCK);
	if (!data || !workers || !blocks)
		return 2;
	return write ? write_all() : check_all();
}
