/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's RAM in a sparse file. Private to microvm/. */
#ifndef HULL_MICROVM_SAVED_MEMORY_H
#define HULL_MICROVM_SAVED_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "microvm/memory.h"

struct saved_memory {
	uint64_t pages;    /* that are not all zeroes */
	uint64_t checksum; /* of their numbers and contents */
};

/* fd is empty. */
int memory_save(const struct guest_memory *m, int fd, struct saved_memory *ret,
		struct err *err) MUST_CHECK;
/*
 * Into memory that has not been written to: private memory is laid on the file (guest_memory_lay).
 * trusted: what the file holds is not compared with saved. -EINVAL: the file is not the one of saved.
 */
int memory_restore(const struct guest_memory *m, int fd, const struct saved_memory *saved, bool trusted,
		   struct err *err) MUST_CHECK;

/*
 * The next part of RAM, from *start on, that is laid on the file: what the file has, with the small
 * holes behind it. False: there is none.
 */
bool memory_next_part(int fd, const struct guest_memory *m, uint64_t *start, uint64_t *ret_end);

#endif
