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
#include "base/mem.h"

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
 * With CGROUP_MANAGER_DISABLED nothing below touches a group: limits but device rules are refused,
 * what cannot be done without a group (list, signal, freeze, count, watch) is -EOPNOTSUPP, the rest
 * succeeds. cgroup_free does not remove the group.
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

/*
 * Makes the cgroup2 directory ahead of cgroup_create and returns its descriptor, borrowed, for a
 * child to be born into it (CLONE_INTO_CGROUP) while the rest is made beside it; -1: there is no
 * cgroup2, or the group was there before, and then nothing is done. Where another hierarchy is v1
 * this spares the child the one move that waits for an RCU grace period (5 to 15 ms on an idle
 * host, see join.c). When cgroup_create or anything before it fails, end the child, then
 * cgroup_undo.
 */
int cgroup_birth_fd(struct cgroup *cg);

/* Removes what a failed cgroup_create could not, because the child born into it was still there. */
int cgroup_undo(struct cgroup *cg, struct err *err) MUST_CHECK;

/* The host has cgroup2 alone: the group should be there before the child is born into it. */
bool cgroup_is_unified(const struct cgroup *cg);

/*
 * Removes the group where it has no processes (it may have been another one's); one that is in use
 * or missing is left alone. For what a crash left behind, hence it gives processes that are just
 * dying a second to leave.
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
 * cgroup_join for exec. A cgroup2 group whose container has given controllers to groups below takes
 * no processes (-EBUSY); then it is the group of the container's process init, which is below too.
 */
int cgroup_join_beside(struct cgroup *cg, pid_t init, pid_t pid, bool in_v2,
		       struct err *err) MUST_CHECK;

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

/* The same with a last step, called when the limits are in force: its failure is one like any other. */
typedef int cgroup_then(void *arg, struct err *err);
int cgroup_update_then(struct cgroup *cg, const struct cgroup_limits *limits, cgroup_then *then,
		       void *arg, struct err *err) MUST_CHECK;

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

/* ---- statistics (stats.c) ---- */

struct cgroup_psi_line {
	uint32_t avg10, avg60, avg300; /* hundredths of a percent */
	uint64_t total_us;
};

struct cgroup_psi { /* Documentation/accounting/psi.rst */
	bool set;
	struct cgroup_psi_line some, full;
};

struct cgroup_u64s {
	uint64_t *v;
	size_t n;
};

struct cgroup_memory_stats {
	uint64_t limit; /* UINT64_MAX (cgroup2) or about 2^63 (v1): none */
	uint64_t usage, max, failcnt;
};

struct cgroup_stat_pair {
	const char *name;
	uint64_t value;
};

struct cgroup_hugetlb_stats {
	const char *page_size; /* "2MB" */
	uint64_t usage, max, failcnt;
};

struct cgroup_block_stat {
	uint64_t major, minor;
	const char *op; /* "Read", "Write", …; "" when the kernel names none */
	uint64_t value;
};

struct cgroup_block_stats {
	struct cgroup_block_stat *v;
	size_t n;
};

/* What the host's kernel does not count is 0 or empty. Everything is owned by arena. */
struct cgroup_stats {
	struct {
		uint64_t total_ns, kernel_ns, user_ns;
		struct cgroup_u64s percpu_ns, percpu_kernel_ns, percpu_user_ns; /* v1 only */
		uint64_t periods, throttled_periods, throttled_ns;
		struct cgroup_psi psi;
	} cpu;
	struct {
		struct cgroup_u64s cpus, mems; /* numbers; on cgroup2 the effective ones */
		uint64_t cpu_exclusive, mem_hardwall, mem_exclusive, memory_migrate; /* v1 only */
		uint64_t memory_spread_page, memory_spread_slab, memory_pressure;
		uint64_t sched_load_balance;
		int64_t sched_relax_domain_level;
	} cpuset;
	struct {
		uint64_t cache;
		struct cgroup_memory_stats usage, swap, kernel,
			kernel_tcp;           /* swap: memory and swap */
		struct cgroup_stat_pair *raw; /* memory.stat, in its order */
		size_t n_raw;
		struct cgroup_psi psi;
	} memory;
	struct {
		uint64_t current, limit; /* limit 0: none */
	} pids;
	struct cgroup_hugetlb_stats *hugetlb;
	size_t n_hugetlb;
	struct {
		struct cgroup_block_stats service_bytes, serviced, queued, service_time, wait_time;
		struct cgroup_block_stats merged, time, sectors; /* all count sub-groups too */
		struct cgroup_psi psi;
	} block;
	struct arena arena;
};

/* -ENOENT: the group is gone. */
int cgroup_stats_read(struct cgroup *cg, struct cgroup_stats *ret, struct err *err) MUST_CHECK;
void cgroup_stats_release(struct cgroup_stats *st);

/* ---- linux.intelRdt (rdt.c): resctrl, Documentation/arch/x86/resctrl.rst ---- */

struct rdt_config {
	const char *root;    /* where resctrl is mounted; NULL: /sys/fs/resctrl */
	const char *id;      /* the container's: names its class and its monitoring group */
	const char *clos_id; /* NULL: a class of the container's own; "/": the default class */
	const char *l3_cache_schema, *mem_bw_schema; /* NULL: not given */
	const char *const *schemata;                 /* NULL-terminated or NULL */
	bool monitoring;
};

/*
 * Makes or finds the class, gives it the schemata (an existing class named by clos_id must have
 * them already), moves process pid in, and makes a monitoring group when asked. -EOPNOTSUPP names
 * linux.intelRdt: no resctrl on this host. On failure what was made is removed again.
 */
int rdt_apply(const struct rdt_config *c, pid_t pid, struct err *err) MUST_CHECK;

/* Writes new l3_cache_schema and mem_bw_schema; both as they were when one is refused. */
int rdt_update(const struct rdt_config *c, struct err *err) MUST_CHECK;

/* Removes the container's own class, or of a class named by clos_id only the monitoring group. */
int rdt_remove(const struct rdt_config *c, struct err *err) MUST_CHECK;

struct rdt_domain_stats { /* a cache's domain */
	uint64_t mbm_total_bytes, mbm_local_bytes, llc_occupancy;
};

struct rdt_stats {
	bool has_l3, has_mb, has_mbm, has_cmt; /* what the processor has */
	const char *cbm_mask;
	uint64_t min_cbm_bits, l3_num_closids;
	uint64_t bandwidth_gran, delay_linear, min_bandwidth, mb_num_closids;
	const char *l3_schema_root, *l3_schema, *mb_schema_root, *mb_schema; /* NULL: none */
	const char **schemata; /* of the container's class; NULL-terminated */
	struct rdt_domain_stats *domains;
	size_t n_domains;
	struct arena arena; /* owns it all */
};

int rdt_stats_read(const struct rdt_config *c, struct rdt_stats *ret, struct err *err) MUST_CHECK;
void rdt_stats_release(struct rdt_stats *st);

#endif
