// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the kernel schedules a container's process: CPU policy (man 2 sched_setattr), I/O priority
 * (man 2 ioprio_set), NUMA memory policy (man 2 set_mempolicy), execution domain (man 2
 * personality).
 *
 * All are set by the process itself, after it joined its cgroup (a cpuset decides which CPUs and
 * memory nodes there are) and before it gives its privileges away. glibc's <sched.h> stays out: its
 * struct sched_param collides with the kernel's header.
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/personality.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/sys.h"
#include "namespaces/names.h"

#define SCHED_ISO                     4    /* reserved by the kernel, which refuses it */
#define MPOL_WEIGHTED_INTERLEAVE_MODE 6    /* Linux 6.9 */
#define MAX_NODES                     1024 /* the largest CONFIG_NODES_SHIFT is 10 */

static const struct name policies[] = {
	{"SCHED_OTHER", SCHED_NORMAL},      {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
	{"SCHED_BATCH", SCHED_BATCH},       {"SCHED_ISO", SCHED_ISO},   {"SCHED_IDLE", SCHED_IDLE},
	{"SCHED_DEADLINE", SCHED_DEADLINE},
};

static const struct name sched_flags[] = {
	{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
	{"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
	{"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
	{"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
	{"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
	{"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};

static const struct name io_classes[] = {
	{"IOPRIO_CLASS_NONE", IOPRIO_CLASS_NONE},
	{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
	{"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
	{"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};

static const struct name mempolicy_modes[] = {
	{"MPOL_DEFAULT", MPOL_DEFAULT},
	{"MPOL_PREFERRED", MPOL_PREFERRED},
	{"MPOL_BIND", MPOL_BIND},
	{"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
	{"MPOL_LOCAL", MPOL_LOCAL},
	{"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
	{"MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_MODE},
};

static const struct name mempolicy_flags[] = {
	{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
	{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
	{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
};

int ns_scheduler_policy_parse(const char *name)
{
	return name_value(policies, ARRAY_SIZE(policies), name);
}

int ns_scheduler_flag_parse(const char *name)
{
	return name_value(sched_flags, ARRAY_SIZE(sched_flags), name);
}

int ns_ioprio_class_parse(const char *name)
{
	return name_value(io_classes, ARRAY_SIZE(io_classes), name);
}

int ns_mempolicy_mode_parse(const char *name)
{
	return name_value(mempolicy_modes, ARRAY_SIZE(mempolicy_modes), name);
}

int ns_mempolicy_flag_parse(const char *name)
{
	return name_value(mempolicy_flags, ARRAY_SIZE(mempolicy_flags), name);
}

const char *ns_mempolicy_mode_name(size_t i)
{
	return name_at(mempolicy_modes, ARRAY_SIZE(mempolicy_modes), i);
}

const char *ns_mempolicy_flag_name(size_t i)
{
	return name_at(mempolicy_flags, ARRAY_SIZE(mempolicy_flags), i);
}

static int set_scheduler(const struct ns_scheduler *s, struct err *err)
{
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = s->policy,
		.sched_flags = s->flags,
		.sched_nice = s->nice,
		.sched_priority = s->priority,
		.sched_runtime = s->runtime_ns,
		.sched_deadline = s->deadline_ns,
		.sched_period = s->period_ns,
	};

	if (sys_sched_setattr(0, &attr, 0) < 0)
		return err_sys(err, "process.scheduler: set policy %" PRIu32, s->policy);
	return 0;
}

/*
 * The caller alone is named, not its process group: here the group is either the same, or still the
 * one of the engine that started the runtime, whose priority is none of the container's business.
 */
static int set_ioprio(const struct ns_ioprio *io, struct err *err)
{
	bool levels = io->klass == IOPRIO_CLASS_RT || io->klass == IOPRIO_CLASS_BE;
	int value = io->klass << IOPRIO_CLASS_SHIFT | (levels ? io->priority : 0);

	if (sys_ioprio_set(IOPRIO_WHO_PROCESS, 0, value) < 0)
		return err_sys(err, "process.ioPriority: set class %d, priority %d", io->klass,
			       io->priority);
	return 0;
}

static int set_mempolicy(const struct ns_mempolicy *m, struct err *err)
{
	uint64_t nodes[MAX_NODES / 64] = {0};
	unsigned long mask[MAX_NODES / (8 * sizeof(unsigned long))] = {0};
	bool some = m->nodes && m->nodes[0] != '\0';
	size_t word = 8 * sizeof(mask[0]);
	int rc;

	if (some) {
		rc = parse_cpu_list(m->nodes, nodes, MAX_NODES);
		if (rc < 0)
			return err_code(err, -rc, "linux.memoryPolicy.nodes '%s'", m->nodes);
	}
	for (size_t i = 0; i < MAX_NODES; i++)
		if (nodes[i / 64] >> i % 64 & 1)
			mask[i / word] |= 1ul << i % word;
	/* The kernel counts the bits from one: maxnode is the width and one more. */
	if (sys_set_mempolicy(m->mode, some ? mask : NULL, some ? MAX_NODES + 1 : 0) < 0)
		return err_sys(err, "linux.memoryPolicy: set mode %#x, nodes '%s'", m->mode,
			       some ? m->nodes : "");
	return 0;
}

int ns_process_scheduling(const struct ns_process *p, struct err *err)
{
	int rc = 0;

	if (p->has_personality && personality(p->personality) < 0)
		return err_sys(err, "linux.personality: set %#" PRIx32, p->personality);
	if (p->mempolicy)
		rc = set_mempolicy(p->mempolicy, err);
	if (rc == 0 && p->ioprio)
		rc = set_ioprio(p->ioprio, err);
	if (rc == 0 && p->scheduler)
		rc = set_scheduler(p->scheduler, err);
	return rc;
}
