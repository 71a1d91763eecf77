/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's physical memory as one mapping of the host's, which KVM's user memory slots point
 * into. RAM lies below the hole for devices and, what is left, above 4 GiB.
 *
 * Everything a guest names by address goes through guest_at: the guest is hostile, so no other
 * arithmetic on addresses of its own is allowed. What a pointer of guest_at shows can change at any
 * time under the reader's hands; values that are checked are copied first.
 */
#ifndef HULL_MICROVM_MEMORY_H
#define HULL_MICROVM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GUEST_HOLE_START  0xc0000000ull /* devices, IOAPIC, local APIC */
#define GUEST_HOLE_END    0x100000000ull
#define GUEST_MAX_REGIONS 4

struct guest_region {
	uint64_t gpa;  /* guest physical address */
	uint64_t size; /* bytes, whole pages */
	uint8_t *host;
	bool readonly; /* for the guest (KVM_MEM_READONLY): pmem */
};

struct guest_memory {
	struct guest_region regions[GUEST_MAX_REGIONS];
	size_t n_regions;
	uint64_t ram; /* bytes of RAM */
	uint8_t *map; /* the mapping of all RAM, between two inaccessible pages */
	int fd;       /* memfd, when shared with another process; -1: private to this one */
	bool huge;    /* on pages of hugetlbfs */
};

struct guest_memory_config {
	uint64_t size;  /* bytes of RAM, whole pages */
	bool shared;    /* a memfd: another process (virtio-fs) maps it too */
	bool hugepages; /* MAP_HUGETLB / MFD_HUGETLB; an error when the host has too few */
	bool mergeable; /* KSM; not of shared memory */
};

int guest_memory_new(const struct guest_memory_config *config, struct guest_memory *ret,
		     struct err *err) MUST_CHECK;
void guest_memory_free(struct guest_memory *m);

/*
 * Lays a part of a file over private RAM: it is read when it is first looked at, and copied page by
 * page when it is written to. The file must not change, or become shorter, for as long as the memory
 * is there. -EOPNOTSUPP: this memory, or this file, cannot do that. offset and len: whole pages.
 */
int guest_memory_lay(const struct guest_memory *m, int fd, uint64_t offset, uint64_t len,
		     struct err *err) MUST_CHECK;

/* len bytes at gpa, when all of them lie in one region that the access allows; else NULL. */
void *guest_at(const struct guest_memory *m, uint64_t gpa, uint64_t len, bool write);

#endif
