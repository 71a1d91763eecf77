/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MultiProcessor table (Intel MultiProcessor Specification 1.4): processors, I/O APIC, lines. */
#ifndef HULL_MICROVM_X86_MPTABLE_H
#define HULL_MICROVM_X86_MPTABLE_H

#include "base/err.h"
#include "microvm/memory.h"

#define MPTABLE_MAX_CPUS 32

struct mptable {
	unsigned int cpus;
	uint32_t lines; /* a bit for each pin of the I/O APIC that something is connected to */
	bool pic;       /* there is one, at LINT0 of the local APICs */
};

int mptable_write(const struct guest_memory *m, const struct mptable *table,
		  struct err *err) MUST_CHECK;

#endif
