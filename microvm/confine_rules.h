/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that processes of a virtual machine may make, as tables. They become filters when
 * hull is built (filters/compile.c): to compile them takes longer than most steps of a start.
 */
#ifndef HULL_MICROVM_CONFINE_RULES_H
#define HULL_MICROVM_CONFINE_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "microvm/confine.h"

#define CONFINE_CHECKS 2

/* A call that is allowed, when (argument & mask) == value holds for each check. mask 0: no check. */
struct confine_rule {
	int call; /* SCMP_SYS(…) */
	struct confine_check {
		unsigned int arg;
		uint64_t mask, value;
	} checks[CONFINE_CHECKS];
};

#define CONFINE_ALWAYS(name)                                                                       \
	{                                                                                          \
		.call = SCMP_SYS(name)                                                             \
	}
#define CONFINE_IF(name, n, m, v)                                                                  \
	{                                                                                          \
		.call = SCMP_SYS(name), .checks = { {(n), (m), (v)} }                              \
	}
#define CONFINE_IS(name, n, v)     CONFINE_IF(name, n, UINT64_MAX, v)
/* The kernel looks at 32 bits; musl extends their sign. */
#define CONFINE_IOCTL(request)     CONFINE_IF(ioctl, 1, UINT32_MAX, request)
#define CONFINE_NO_PROT_EXEC(name) CONFINE_IF(name, 2, PROT_EXEC, 0)
#define CONFINE_BOTH(name, n, v, o, w)                                                             \
	{                                                                                          \
		.call = SCMP_SYS(name), .checks = {                                                \
			{(n), UINT64_MAX, (v)},                                                    \
			{(o), UINT64_MAX, (w)}                                                     \
		}                                                                                  \
	}

struct confine_table {
	const struct confine_rule *rules;
	size_t n;
};

#endif
