// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Resource limits and the out-of-memory score of a container's process (man 2 prlimit, man 5 proc).
 *
 * Both are set from outside: a low RLIMIT_NOFILE, RLIMIT_AS or RLIMIT_NPROC would break the child's
 * own set-up, and /proc/PID/oom_score_adj of a child that is not dumpable belongs to the host's
 * root.
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/proc.h"
#include "namespaces/names.h"

/* PROC_USER_INIT_INO of linux/proc_ns.h, which is part of the kernel's interface since 4.11. */
#define INIT_USER_NS_INO 0xEFFFFFFDu

static const struct name rlimit_names[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

int ns_rlimit_parse(const char *name)
{
	return name_value(rlimit_names, ARRAY_SIZE(rlimit_names), name);
}

const char *ns_rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++)
		if (rlimit_names[i].value == (uint32_t)resource)
			return rlimit_names[i].name;
	return NULL;
}

/* Says which number of l the kernel refused for want of CAP_SYS_RESOURCE. */
static int rlimit_refused(pid_t pid, const struct ns_rlimit *l, struct err *err)
{
	const char *name = ns_rlimit_name(l->resource) ?: "unknown limit";
	struct rlimit now;
	int errnum = errno;

	if (errnum == EPERM && prlimit(pid, l->resource, NULL, &now) == 0 && l->hard > now.rlim_max)
		return err_set(err, EPERM,
			       "process.rlimits: %s: hard limit %" PRIu64
			       " is above the present %" PRIu64
			       ": Operation not permitted without CAP_SYS_RESOURCE",
			       name, l->hard, (uint64_t)now.rlim_max);
	return err_code(err, errnum, "process.rlimits: %s: set soft %" PRIu64 ", hard %" PRIu64,
			name, l->soft, l->hard);
}

int ns_process_limits_parent(pid_t pid, const struct ns_process *p, struct err *err)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct ns_rlimit *l = &p->rlimits[i];
		const struct rlimit limit = {.rlim_cur = l->soft, .rlim_max = l->hard};

		if (prlimit(pid, l->resource, &limit, NULL) < 0)
			return rlimit_refused(pid, l, err);
	}
	return 0;
}

/* Lowering the score takes CAP_SYS_RESOURCE of the initial user namespace: rootless never has it.
 */
static bool without_host_root(int proc_fd)
{
	struct stat st;

	if (geteuid() != 0)
		return true;
	return fstatat(proc_fd, "self/ns/user", &st, 0) == 0 && st.st_ino != INIT_USER_NS_INO;
}

int ns_process_oom_score(int proc_fd, pid_t pid, const struct ns_process *p, struct err *err)
{
	char path[48] = "self/oom_score_adj", value[16];
	int rc;

	if (!p->has_oom_score_adj)
		return 0;
	if (pid > 0)
		snprintf(path, sizeof(path), "%d/oom_score_adj", pid);
	snprintf(value, sizeof(value), "%d", p->oom_score_adj);
	rc = proc_write(proc_fd, path, value, err);
	if (rc == -EACCES && without_host_root(proc_fd))
		return 0;
	if (rc < 0)
		return err_wrap(err, rc, "process.oomScoreAdj %d", p->oom_score_adj);
	return 0;
}
