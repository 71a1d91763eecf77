/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of zeroes are not written, so the file has no more than what the guest uses, and memory that
 * a balloon or a report gave back stays given back. Where RAM is a file itself, only those parts are
 * looked at that it has (man 2 lseek, SEEK_DATA).
 *
 * Restoring lays RAM on the file, privately, where it can; holes that are too small for a mapping of
 * their own are part of one, and the rest stays what it is, anonymous memory. So it takes as long as
 * there are parts, and not pages, but for the check of what they hold. Shared memory, and that of
 * hugetlbfs, is copied to instead; what was copied is then checked, and not read again.
 */
#include "microvm/saved_memory.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/state.h"

#define PAGE      4096u
#define PART_MAX  (1u << 20)   /* bytes of a system call */
#define HOLE_MIN  (256u << 10) /* bytes that are worth two more mappings */
#define HOLES_MAX 8192         /* of RAM's size: a process may have 65530 mappings */

static bool is_zero(const uint8_t *page)
{
	uint64_t any = 0, words[8];

	for (size_t i = 0; i < PAGE && !any; i += sizeof(words)) {
		memcpy(words, page + i, sizeof(words));
		for (size_t k = 0; k < 8; k++)
			any |= words[k];
	}
	return !any;
}

static void count_page(struct saved_memory *s, uint64_t offset, const uint8_t *page)
{
	const uint64_t number = htole64(offset / PAGE);

	s->pages++;
	s->checksum = state_checksum(s->checksum, &number, sizeof(number));
	s->checksum = state_checksum(s->checksum, page, PAGE);
}

/*
 * The next part from *start on that the file has, in whole pages. Without SEEK_DATA that is all of
 * it. False: there is none.
 */
static bool next_data(int fd, uint64_t size, uint64_t *start, uint64_t *ret_end)
{
	off_t data, hole;

	if (*start >= size)
		return false;
	*ret_end = size;
	if (fd < 0)
		return true;
	data = lseek(fd, (off_t)*start, SEEK_DATA);
	if (data < 0)
		return errno != ENXIO;
	hole = lseek(fd, data, SEEK_HOLE);
	*start = (uint64_t)data & ~(uint64_t)(PAGE - 1);
	if (hole > data && (uint64_t)hole < size)
		*ret_end = ((uint64_t)hole + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	return *start < size;
}

/* ---- saving ---- */

static int write_part(int fd, const uint8_t *data, uint64_t offset, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, "write the guest's memory");
		data += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* From start up to the next page of zeroes, or end, or as much as is written at a time. */
static uint64_t used_until(const uint8_t *map, uint64_t start, uint64_t end, struct saved_memory *s)
{
	uint64_t at = start;

	for (; at < end && at - start < PART_MAX && !is_zero(map + at); at += PAGE)
		count_page(s, at, map + at);
	return at;
}

static int save_range(const struct guest_memory *m, int fd, uint64_t start, uint64_t end,
		      struct saved_memory *s, struct err *err)
{
	while (start < end) {
		uint64_t until = used_until(m->map, start, end, s);
		int rc = write_part(fd, m->map + start, start, (size_t)(until - start), err);

		if (rc < 0)
			return rc;
		start = until == start ? start + PAGE : until;
	}
	return 0;
}

int memory_save(const struct guest_memory *m, int fd, struct saved_memory *ret, struct err *err)
{
	struct saved_memory s = {0, STATE_CHECKSUM_INIT};
	uint64_t start = 0, end;

	if (ftruncate(fd, (off_t)m->ram) < 0)
		return err_sys(err, "size of the memory's file");
	for (; next_data(m->fd, m->ram, &start, &end); start = end) {
		int rc = save_range(m, fd, start, end, &s, err);

		if (rc < 0)
			return rc;
	}
	*ret = s;
	return 0;
}

/* ---- restoring ---- */

static int read_part(int fd, uint8_t *data, uint64_t offset, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = pread(fd, data, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read the guest's memory");
		if (n == 0)
			return err_set(err, EINVAL, "the memory's file is cut");
		data += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static void count_pages(struct saved_memory *s, uint64_t offset, const uint8_t *data, size_t len)
{
	for (; len; len -= PAGE, offset += PAGE, data += PAGE) {
		if (!is_zero(data))
			count_page(s, offset, data);
	}
}

/* buffer: PART_MAX bytes to look at what is in the file; NULL: it is copied into RAM. */
static int read_range(const struct guest_memory *m, int fd, uint64_t start, uint64_t end,
		      uint8_t *buffer, struct saved_memory *s, struct err *err)
{
	while (start < end) {
		size_t len = end - start < PART_MAX ? (size_t)(end - start) : PART_MAX;
		uint8_t *to = buffer ? buffer : m->map + start;
		int rc = read_part(fd, to, start, len, err);

		if (rc < 0)
			return rc;
		count_pages(s, start, to, len);
		start += len;
	}
	return 0;
}

/* Reads all there is, into RAM or only to check it. */
static int read_all(const struct guest_memory *m, int fd, bool copy, const struct saved_memory *saved,
		    struct err *err)
{
	struct saved_memory s = {0, STATE_CHECKSUM_INIT};
	FREE uint8_t *buffer = copy ? NULL : mem_xalloc(PART_MAX);
	uint64_t start = 0, end;

	for (; next_data(fd, m->ram, &start, &end); start = end) {
		int rc = read_range(m, fd, start, end, buffer, &s, err);

		if (rc < 0)
			return rc;
	}
	if (s.pages != saved->pages || s.checksum != saved->checksum)
		return err_set(err, EINVAL,
			       "the memory's file is damaged: its checksum is another");
	return 0;
}

bool memory_next_part(int fd, const struct guest_memory *m, uint64_t *start, uint64_t *ret_end)
{
	const uint64_t share = m->ram / HOLES_MAX, small = share > HOLE_MIN ? share : HOLE_MIN;
	uint64_t next, end;

	if (!next_data(fd, m->ram, start, ret_end))
		return false;
	for (next = *ret_end; next_data(fd, m->ram, &next, &end) && next - *ret_end < small; next = end)
		*ret_end = end;
	return true;
}

static int lay_all(const struct guest_memory *m, int fd, struct err *err)
{
	uint64_t start = 0, end;

	for (; memory_next_part(fd, m, &start, &end); start = end) {
		int rc = guest_memory_lay(m, fd, start, end - start, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int memory_restore(const struct guest_memory *m, int fd, const struct saved_memory *saved, bool trusted,
		   struct err *err)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "read the guest's memory");
	if ((uint64_t)st.st_size != m->ram)
		return err_set(err, EINVAL, "the memory's file has %lld bytes and not %llu",
			       (long long)st.st_size, (unsigned long long)m->ram);
	rc = lay_all(m, fd, err);
	if (rc == -EOPNOTSUPP)
		return read_all(m, fd, true, saved, err);
	return rc < 0 || trusted ? rc : read_all(m, fd, false, saved, err);
}
