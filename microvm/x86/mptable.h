/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MultiProcessor table (Intel MultiProcessor Specification 1.4): processors, I/O APIC, lines. */
#ifndef HULL_MICROVM_X86_MPTABLE_H
#define HULL_MICROVM_X86_MPTABLE_H

#include "base/err.h"
#include "microvm/memory.h"

#define MPTABLE_MAX_CPUS 32

int mptable_write(const struct guest_memory *m, unsigned int cpus, struct err *err) MUST_CHECK;

#endif
