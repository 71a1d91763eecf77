/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroups: v1, v2 and hybrid hosts behind one facade. Every controller is used where the host has
 * it: a map from /proc/self/mountinfo and /proc/self/cgroup says which hierarchy that is. A group
 * has the same path below every hierarchy.
 */
#ifndef HULL_CGROUPS_H
#define HULL_CGROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct opt_i64 {
	bool set;
	int64_t value;
};

struct opt_u64 {
	bool set;
	uint64_t value;
};

struct opt_bool {
	bool set;
	bool value;
};

struct cgroup_device_rule {
	bool allow;
	char type;            /* 'a', 'c', 'b' */
	int64_t major, minor; /* -1: any */
	bool read, write, mknod;
};

struct cgroup_block_weight {
	uint32_t major, minor;
	struct opt_u64 weight, leaf_weight;
};

struct cgroup_block_rate {
	uint32_t major, minor;
	uint64_t rate; /* bytes or operations a second */
};

struct cgroup_hugepage {
	const char *page_size; /* "2MB" */
	uint64_t limit;        /* bytes */
};

struct cgroup_net_priority {
	const char *interface;
	uint32_t priority;
};

struct cgroup_rdma {
	const char *device;
	struct opt_u64 hca_handles, hca_objects;
};

struct cgroup_unified {
	const char *file, *value;
};

/* linux.resources, and what the update command changes. Strings and arrays are borrowed. */
struct cgroup_limits {
	const struct cgroup_device_rule
		*devices; /* in order; the defaults are added by cgroup_create */
	size_t n_devices;
	struct opt_i64 memory_limit, memory_reservation, memory_swap; /* bytes, -1: no limit */
	struct opt_i64 memory_kernel, memory_kernel_tcp;
	struct opt_u64 memory_swappiness;
	struct opt_bool memory_disable_oom_killer, memory_use_hierarchy, memory_check_before_update;
	struct opt_u64 cpu_shares;
	struct opt_i64 cpu_quota;  /* us */
	struct opt_u64 cpu_burst;  /* us */
	struct opt_u64 cpu_period; /* us */
	struct opt_i64 cpu_rt_runtime;
	struct opt_u64 cpu_rt_period;
	const char *cpuset_cpus, *cpuset_mems; /* NULL: not given */
	struct opt_i64 cpu_idle;
	struct opt_i64 pids_limit; /* -1: no limit; 0 is a limit */
	struct opt_u64 block_weight, block_leaf_weight;
	const struct cgroup_block_weight *block_weights;
	size_t n_block_weights;
	const struct cgroup_block_rate *read_bps, *write_bps, *read_iops, *write_iops;
	size_t n_read_bps, n_write_bps, n_read_iops, n_write_iops;
	const struct cgroup_hugepage *hugepages;
	size_t n_hugepages;
	struct opt_u64 net_class_id;
	const struct cgroup_net_priority *net_priorities;
	size_t n_net_priorities;
	const struct cgroup_rdma *rdma;
	size_t n_rdma;
	const struct cgroup_unified *unified;
	size_t n_unified;
};

/* Checks what needs no host: ranges, swap against limit, page size words, names without "/". */
int cgroup_limits_check(const struct cgroup_limits *l, struct err *err) MUST_CHECK;

struct cgroup; /* one group in every hierarchy of the host */

enum cgroup_manager { CGROUP_MANAGER_CGROUPFS, CGROUP_MANAGER_DISABLED };

/*
 * Names the group path (absolute below every hierarchy's root; no "..") without touching it.
 * With CGROUP_MANAGER_DISABLED every operation below succeeds and does nothing, except that
 * limits are refused. cgroup_free does not remove the group.
 */
int cgroup_open(enum cgroup_manager manager, const char *path, struct cgroup **ret,
		struct err *err) MUST_CHECK;
void cgroup_free(struct cgroup *cg);

/*
 * Makes the group in every hierarchy, refuses one that has processes or is frozen (-EBUSY), applies
 * limits and device rules. On failure what it made is removed again.
 */
int cgroup_create(struct cgroup *cg, const struct cgroup_limits *limits,
		  struct err *err) MUST_CHECK;

/*
 * Descriptor of the group's cgroup2 directory for CLONE_INTO_CGROUP, borrowed; -1 when there is
 * none, and when pids.limit 0 of a cgroup_create before would make that clone fail.
 */
int cgroup_v2_fd(const struct cgroup *cg);

/* The host has cgroup2 alone: the group should be there before the child is born into it. */
bool cgroup_is_unified(const struct cgroup *cg);

/*
 * Removes the group where it has no processes (it may have been another one's); one that is in use
 * or missing is left alone. For what a crash left behind.
 */
int cgroup_remove_empty(struct cgroup *cg, struct err *err) MUST_CHECK;

/*
 * Moves a process in; pid 0: the caller itself, which must have one thread only. That is the cheap
 * way on v1 (the file comment of cgroup.c has figures) and best done by a new process before
 * anything else, as long as it is root of the first user namespace. in_v2: the process is in the
 * cgroup2 group already (CLONE_INTO_CGROUP).
 */
int cgroup_join(struct cgroup *cg, pid_t pid, bool in_v2, struct err *err) MUST_CHECK;

/*
 * Moves a process (pid 0: as above) to the sub-group sub, which must exist, for exec --cgroup:
 * "path" in every hierarchy, "ctrl[,ctrl]:path" only in those of the controllers named ("unified"
 * for the cgroup2 part of a hybrid host). No ".." or symlink leads out of the group.
 */
int cgroup_join_sub(struct cgroup *cg, const char *sub, pid_t pid, struct err *err) MUST_CHECK;

/*
 * Changes limits; all or nothing: a failure puts the values back that were there before. Device
 * rules are left alone. memory_swap counts from memory_limit, or from the limit in force when that
 * is not given; a new memory_limit alone does not move the swap limit.
 */
int cgroup_update(struct cgroup *cg, const struct cgroup_limits *limits,
		  struct err *err) MUST_CHECK;

int cgroup_freeze(struct cgroup *cg, bool freeze,
		  struct err *err) MUST_CHECK;                       /* waits until it is so */
int cgroup_is_frozen(struct cgroup *cg, struct err *err) MUST_CHECK; /* 1, 0 or -errno */
int cgroup_signal(struct cgroup *cg, int sig,
		  struct err *err) MUST_CHECK; /* every process, sub-groups too */

/* Every process in the group and its sub-groups. Caller frees *ret. */
int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *err) MUST_CHECK;

/* Removes the group and its sub-groups everywhere, waiting for exiting processes. A missing one is
 * fine. */
int cgroup_destroy(struct cgroup *cg, struct err *err) MUST_CHECK;

/* Hands the cgroup2 directory and the files of /sys/kernel/cgroup/delegate to uid:gid. */
int cgroup_delegate(struct cgroup *cg, uint32_t uid, uint32_t gid, struct err *err) MUST_CHECK;

/* How many processes of the group the kernel's OOM killer ended so far (memory.events,
 * memory.oom_control). */
int cgroup_oom_kills(struct cgroup *cg, uint64_t *ret, struct err *err) MUST_CHECK;

/*
 * A descriptor that polls readable at each OOM event, and on cgroup2 at other memory events, hence
 * to be compared with cgroup_oom_kills; drained by read(2) into 4096 bytes, non-blocking; caller
 * closes. -EOPNOTSUPP without memory controller.
 */
int cgroup_oom_watch(struct cgroup *cg, struct err *err) MUST_CHECK;

/* The hierarchies as a mount of type "cgroup" must show them; borrowed until cgroup_free. */
struct cgroup_mount_info {
	const char *name;         /* "cpu,cpuacct", "systemd", "unified" */
	const char *source;       /* the group's directory in it */
	const char *options;      /* "" for cgroup2 */
	const char *const *links; /* co-mounted names, NULL-terminated, or NULL */
};
int cgroup_mounts(struct cgroup *cg, const struct cgroup_mount_info **ret, size_t *ret_n,
		  bool *ret_unified, struct err *err) MUST_CHECK;

#endif
