// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The CPUs a process may run on (man 2 sched_setaffinity): process.execCPUAffinity, and the reset
 * that a container's first process needs after it joined its cpuset, because it was born with the
 * affinity of whoever started the runtime.
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

#define MAX_CPUS 8192 /* the largest CONFIG_NR_CPUS */

static int set_affinity(pid_t pid, const uint64_t *cpus)
{
	cpu_set_t set[MAX_CPUS / CPU_SETSIZE];

	CPU_ZERO_S(sizeof(set), set);
	for (size_t i = 0; i < MAX_CPUS; i++)
		if (cpus[i / 64] >> i % 64 & 1)
			CPU_SET_S(i, sizeof(set), set);
	return sched_setaffinity(pid, sizeof(set), set);
}

int ns_affinity_set(pid_t pid, const char *cpus, struct err *err)
{
	uint64_t bits[MAX_CPUS / 64] = {0};
	int rc = parse_cpu_list(cpus, bits, MAX_CPUS);

	if (rc < 0)
		return err_code(err, -rc, "process.execCPUAffinity '%s'", cpus);
	if (set_affinity(pid, bits) < 0)
		return err_sys(err, "process.execCPUAffinity '%s': set", cpus);
	return 0;
}

int ns_affinity_reset(pid_t pid, struct err *err)
{
	uint64_t bits[MAX_CPUS / 64];

	memset(bits, 0xff, sizeof(bits));
	if (set_affinity(pid, bits) < 0)
		return err_sys(err, "reset the CPU affinity");
	return 0;
}
