/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM is a private mapping, so the kernel's page tables tell (Documentation/admin-guide/mm/pagemap.rst):
 * a page that is there was looked at, by the guest or beside one that was, and one that is the file's no
 * more was written to. Only parts that the file has are recorded, and what shares a huge page's place
 * with one: there the guest takes new memory first, page by page, and elsewhere a huge page at a time.
 */
#include "microvm/working_set.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "microvm/saved_memory.h"
#include "microvm/state.h"

#define MAGIC      "HULLWSET"
#define PAGE       4096ull
#define HUGE_PAGE  (2ull << 20)
#define RANGES_MAX 65536
#define FILE_MAX   (sizeof(struct header) + RANGES_MAX * sizeof(struct working_set_range))
#define GAP_MAX    2u /* pages between two ranges of one kind that are fetched with them */

#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_FILE    (1ull << 61)
#define PAGEMAP_PART    4096u /* entries of a system call */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

/* Linux 6.10 */
#ifndef KVM_PRE_FAULT_MEMORY
struct kvm_pre_fault_memory {
	__u64 gpa, size, flags, padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

struct header {
	char magic[8];
	uint32_t version, n; /* little-endian, as what follows */
	uint64_t checksum;
};

/* ---- reading ---- */

static int check(const struct buf *file, const struct header *h, struct err *err)
{
	const char *ranges = file->data + sizeof(*h);
	const size_t len = file->len - sizeof(*h);

	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 ||
	    le32toh(h->version) != WORKING_SET_VERSION ||
	    len != (uint64_t)le32toh(h->n) * sizeof(struct working_set_range) ||
	    state_checksum(STATE_CHECKSUM_INIT, ranges, len) != le64toh(h->checksum))
		return err_set(err, EINVAL, "the working set is damaged");
	return 0;
}

static bool in_ram(const struct working_set_range *r, const struct guest_memory *m)
{
	const uint64_t pages = m->ram / PAGE;

	return r->pages && r->first < pages && r->pages <= pages - r->first;
}

int working_set_read(int fd, const struct guest_memory *m, uint64_t max_pages, struct working_set *ret,
		     struct err *err)
{
	struct working_set w = {0};
	BUF file = BUF_INIT;
	struct header h;
	uint64_t pages = 0;
	int rc;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read the working set");
	rc = io_read_all(fd, "working set", FILE_MAX, &file, err);
	if (rc < 0)
		return rc;
	if (file.len == 0)
		return err_code(err, ENODATA, "read the working set");
	if (file.len < sizeof(h))
		return err_set(err, EINVAL, "the working set is cut");
	memcpy(&h, file.data, sizeof(h));
	rc = check(&file, &h, err);
	if (rc < 0)
		return rc;
	w.n = le32toh(h.n);
	w.ranges = mem_xcalloc(w.n + 1, sizeof(*w.ranges));
	memcpy(w.ranges, file.data + sizeof(h), w.n * sizeof(*w.ranges));
	for (size_t i = 0; i < w.n; i++) {
		struct working_set_range *r = &w.ranges[i];

		*r = (struct working_set_range){le64toh(r->first), le32toh(r->pages), le32toh(r->written)};
		pages += r->pages;
		if (!in_ram(r, m) || pages > max_pages) {
			working_set_free(&w);
			return err_set(err, EINVAL, "the working set is not of this machine");
		}
	}
	*ret = w;
	return 0;
}

void working_set_free(struct working_set *w)
{
	free(w->ranges);
	*w = (struct working_set){0};
}

/* ---- fetching ---- */

void working_set_fetch(const struct working_set *w, const struct guest_memory *m)
{
	bool can = true;

	for (size_t i = 0; i < w->n; i++) {
		const struct working_set_range *r = &w->ranges[i];
		uint8_t *start = m->map + r->first * PAGE;

		/* Linux 5.14; before, what is in no file's pages yet is read at least. */
		can = can && madvise(start, r->pages * PAGE,
				     r->written ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0;
		if (!can)
			(void)madvise(start, r->pages * PAGE, MADV_WILLNEED);
	}
}

static uint64_t gpa_of(uint64_t offset, const struct guest_memory *m)
{
	for (size_t i = 0; i < m->n_regions; i++) {
		const struct guest_region *r = &m->regions[i];
		const uint8_t *at = m->map + offset;

		if (at >= r->host && (uint64_t)(at - r->host) < r->size)
			return r->gpa + (uint64_t)(at - r->host);
	}
	return 0;
}

void working_set_map(const struct working_set *w, const struct guest_memory *m, int vcpu_fd)
{
	for (size_t i = 0; i < w->n; i++) {
		struct kvm_pre_fault_memory range = {
			.gpa = gpa_of(w->ranges[i].first * PAGE, m),
			.size = w->ranges[i].pages * PAGE,
		};
		int rc;

		/* It says in range how far it came. */
		do
			rc = ioctl(vcpu_fd, KVM_PRE_FAULT_MEMORY, &range);
		while (rc < 0 && (errno == EINTR || errno == EAGAIN) && range.size);
		if (rc < 0)
			return;
	}
}

/* ---- recording ---- */

struct recorder {
	struct buf ranges; /* as they are in the file */
	struct working_set_range last; /* pages 0: none */
	uint32_t n;
};

static void end_range(struct recorder *r)
{
	const struct working_set_range in_file = {htole64(r->last.first), htole32(r->last.pages),
						  htole32(r->last.written)};

	if (r->last.pages && r->n < RANGES_MAX) {
		buf_add(&r->ranges, &in_file, sizeof(in_file));
		r->n++;
	}
	r->last.pages = 0;
}

static void add_page(struct recorder *r, uint64_t page, bool written)
{
	const uint64_t end = r->last.first + r->last.pages;

	if (r->last.pages && r->last.written == written && page - end <= GAP_MAX) {
		r->last.pages += (uint32_t)(page - end) + 1;
		return;
	}
	end_range(r);
	r->last = (struct working_set_range){page, 1, written};
}

int working_set_open_pagemap(struct err *err)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct had[2], without[2];
	CLOSE_FD int fd = -1;
	int error;

	if (capget(&head, had) < 0)
		return err_sys(err, "capget");
	memcpy(without, had, sizeof(had));
	without[0].effective = without[1].effective = 0;
	if (capset(&head, without) < 0)
		return err_sys(err, "capset");
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	error = errno;
	if (capset(&head, had) < 0)
		return err_sys(err, "capset");
	return fd < 0 ? err_code(err, error, "open '/proc/self/pagemap'") : fd_take(&fd);
}

static int record_part(const struct guest_memory *m, int pagemap_fd, uint64_t start, uint64_t end,
		       uint64_t *entries, struct recorder *r, struct err *err)
{
	while (start < end) {
		uint64_t pages = (end - start) / PAGE, at = (uint64_t)(uintptr_t)(m->map + start) / PAGE;
		ssize_t n;

		if (pages > PAGEMAP_PART)
			pages = PAGEMAP_PART;
		n = pread(pagemap_fd, entries, pages * sizeof(*entries), (off_t)(at * sizeof(*entries)));
		if (n < (ssize_t)sizeof(*entries))
			return err_sys(err, "read '/proc/self/pagemap'");
		pages = (uint64_t)n / sizeof(*entries);
		for (uint64_t i = 0; i < pages; i++) {
			if (entries[i] & PAGEMAP_PRESENT)
				add_page(r, start / PAGE + i, !(entries[i] & PAGEMAP_FILE));
		}
		start += pages * PAGE;
	}
	end_range(r);
	return 0;
}

static int record_all(const struct guest_memory *m, int memory_fd, int pagemap_fd, struct recorder *r,
		      struct err *err)
{
	FREE uint64_t *entries = mem_xcalloc(PAGEMAP_PART, sizeof(*entries));
	uint64_t start = 0, end, done = 0;

	for (; memory_next_part(memory_fd, m, &start, &end); start = end) {
		uint64_t from = start & ~(HUGE_PAGE - 1), to = (end + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
		int rc;

		if (from < done)
			from = done;
		if (to > m->ram)
			to = m->ram;
		rc = record_part(m, pagemap_fd, from, to, entries, r, err);
		if (rc < 0)
			return rc;
		done = to;
	}
	return 0;
}

static int write_file(int fd, const struct recorder *r, struct err *err)
{
	struct header h = {
		.magic = MAGIC,
		.version = htole32(WORKING_SET_VERSION),
		.n = htole32(r->n),
		.checksum = htole64(
			state_checksum(STATE_CHECKSUM_INIT, r->ranges.data, r->ranges.len)),
	};
	BUF all = BUF_INIT;
	int rc;

	buf_add(&all, &h, sizeof(h));
	buf_add(&all, r->ranges.data, r->ranges.len);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "write the working set");
	rc = io_write(fd, all.data, all.len);
	return rc < 0 ? err_code(err, -rc, "write the working set") : 0;
}

int working_set_record(const struct guest_memory *m, int memory_fd, int pagemap_fd, int to_fd,
		       struct err *err)
{
	struct recorder r = {.ranges = BUF_INIT};
	int rc;

	rc = record_all(m, memory_fd, pagemap_fd, &r, err);
	if (rc == 0 && r.n)
		rc = write_file(to_fd, &r, err);
	buf_release(&r.ranges);
	return rc;
}
