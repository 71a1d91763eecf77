/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of a saved machine it looked at, and which it wrote to, when it was made again: recorded
 * once, in a file beside the machine's, and fetched ahead from then on.
 *
 *   "HULLWSET", le32 WORKING_SET_VERSION, le32 n, le64 checksum of what follows; n times le64 number of
 *   the first page, le32 pages, le32 1 when they were written to
 *
 * The file may be anybody's, or of another machine: every number in it is checked, and a wrong one
 * costs time and some memory, but no more than the machine's file has.
 */
#ifndef HULL_MICROVM_WORKING_SET_H
#define HULL_MICROVM_WORKING_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "microvm/memory.h"

#define WORKING_SET_VERSION 1

struct working_set_range {
	uint64_t first; /* page */
	uint32_t pages;
	uint32_t written;
};

struct working_set {
	struct working_set_range *ranges;
	size_t n;
};

/*
 * fd: from its beginning on. max_pages: of all ranges together. -ENODATA: it is empty, nothing has been
 * recorded yet.
 */
int working_set_read(int fd, const struct guest_memory *m, uint64_t max_pages, struct working_set *ret,
		     struct err *err) MUST_CHECK;
void working_set_free(struct working_set *w);

/* Has the host's pages there before the guest asks for them. What cannot be had is left out. */
void working_set_fetch(const struct working_set *w, const struct guest_memory *m);
/* The same for the tables by which KVM finds them, where KVM knows how (KVM_PRE_FAULT_MEMORY). */
void working_set_map(const struct working_set *w, const struct guest_memory *m, int vcpu_fd);

/*
 * The caller's page tables, for working_set_record. Whoever has the descriptor does not learn where in
 * the host's memory the pages are: it is opened without the privilege that this takes.
 */
int working_set_open_pagemap(struct err *err) MUST_CHECK;

/*
 * What has been touched by now of the parts of RAM that memory_fd has, the file that it was laid on.
 * to_fd is written to from its beginning on.
 */
int working_set_record(const struct guest_memory *m, int memory_fd, int pagemap_fd, int to_fd,
		       struct err *err) MUST_CHECK;

#endif
