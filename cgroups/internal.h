/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of cgroups/ share. A struct cgroup is one path below every hierarchy that the host
 * has mounted; a hierarchy is a v1 mount with its controllers or the cgroup2 mount. Limits become a
 * plan first, a list of single writes that knows how to take each of them back, then the plan runs.
 */
#ifndef HULL_CGROUPS_INTERNAL_H
#define HULL_CGROUPS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "cgroups/cgroups.h"

enum cgroup_ctrl {
	CTRL_CPU,
	CTRL_CPUACCT,
	CTRL_CPUSET,
	CTRL_MEMORY,
	CTRL_IO, /* "blkio" on v1 */
	CTRL_PIDS,
	CTRL_HUGETLB,
	CTRL_RDMA,
	CTRL_DEVICES,  /* v1 only; a BPF program on v2 */
	CTRL_FREEZER,  /* v1 only; a core file on v2 */
	CTRL_NET_CLS,  /* v1 only */
	CTRL_NET_PRIO, /* v1 only */
	CTRL_MAX,
};

struct cgroup_hier {
	const char *mount; /* mount point */
	const char *root;  /* what of the hierarchy the mount shows: "/" but in odd containers */
	const char *dir;   /* the group's directory: mount + path */
	const char *names; /* v1: "cpu,cpuacct" or "name=systemd"; v2: "" */
	bool v2;
	unsigned int ctrls; /* bit n: enum cgroup_ctrl n; v2: what the group can use, see
			       cgroup_v2_load */
	int fd;             /* O_PATH of dir, -1 until cgroup_hier_fd */
	size_t n_made;      /* how many directories cgroup_create made, the group's own included */
};

struct cgroup {
	enum cgroup_manager manager;
	struct arena arena;
	const char *path; /* clean, absolute, not "/" */
	bool detected;    /* hiers is filled */
	struct cgroup_hier *hiers;
	size_t n_hiers;
	struct cgroup_hier *v2;           /* the cgroup2 hierarchy or NULL */
	bool v2_loaded;                   /* v2->ctrls is filled */
	struct cgroup_hier *at[CTRL_MAX]; /* where each controller is, NULL: nowhere */
	bool unified;                     /* cgroup2 alone, on /sys/fs/cgroup */
	bool born;        /* cgroup_birth_fd made the cgroup2 directory; cgroup_create is to come */
	bool no_fork;     /* pids.max is 0: CLONE_INTO_CGROUP would fail */
	int enable_errno; /* why a v2 controller could not be enabled, 0: none failed */
	struct cgroup_mount_info *mounts; /* made by cgroup_mounts */
};

/* ---- host.c: which hierarchies there are ---- */

/* Fills cg->hiers once. One statfs on a v2 host, else one read of /proc/self/mountinfo. */
int cgroup_detect(struct cgroup *cg, struct err *err) MUST_CHECK;
/* The part of it that needs no host: text is the content of a mountinfo file. */
void cgroup_detect_parse(struct cgroup *cg, char *text);

const char *cgroup_ctrl_name(enum cgroup_ctrl ctrl, bool v2);
/* enum cgroup_ctrl of the len bytes at name, or -1. */
int cgroup_ctrl_parse(const char *name, size_t len, bool v2);

/* Takes the next word off *s, words being split by any byte of delims. NULL at the end. */
char *cgroup_word(char **s, const char *delims);

/* ---- hier.c: one hierarchy's group and its files ---- */

/* Borrowed O_PATH descriptor of the group's directory, opened when needed. */
int cgroup_hier_fd(struct cgroup_hier *h, struct err *err) MUST_CHECK;

/*
 * Reads a file that the kernel gives in one piece (a value, a few lines) into buf, NUL-terminated,
 * without the last newline: open, one read, close. Returns its length or -errno.
 */
ssize_t cgroup_read_at(int dirfd, const char *path, char *buf, size_t size,
		       struct err *err) MUST_CHECK;
ssize_t cgroup_read(struct cgroup_hier *h, const char *file, char *buf, size_t size,
		    struct err *err) MUST_CHECK;

/* A file that is one number; "max" and what v1 says for no limit become -1. */
int cgroup_read_limit(struct cgroup_hier *h, const char *file, int64_t *ret,
		      struct err *err) MUST_CHECK;
/* The number behind key in a file of "key number" lines; -ENODATA without it. */
int cgroup_read_key(struct cgroup_hier *h, const char *file, const char *key, uint64_t *ret,
		    struct err *err) MUST_CHECK;

int cgroup_write(struct cgroup_hier *h, const char *file, const char *value,
		 struct err *err) MUST_CHECK;
/* The same on the way out of a failure, when nothing can be done about another one. */
void cgroup_put(struct cgroup_hier *h, const char *file, const char *value);

bool cgroup_has_file(struct cgroup_hier *h, const char *file);

/*
 * Visits dirfd and every group below it, parents first. pre is called with a descriptor of each
 * group; post, when not NULL, with the parent's descriptor and the group's name once everything
 * below it was visited (not for dirfd itself). Depth is not bounded by the number of descriptors.
 */
struct cgroup_visitor {
	int (*pre)(int fd, void *ctx, struct err *err);
	int (*post)(int parent_fd, const char *name, void *ctx, struct err *err);
	void *ctx;
};
int cgroup_walk(int dirfd, const struct cgroup_visitor *v, struct err *err) MUST_CHECK;

/* ---- plan.c: limits as a list of writes ---- */

enum cgroup_undo {
	CGROUP_UNDO_VALUE, /* write back what the file said */
	CGROUP_UNDO_KEYED, /* write back the line that begins with value's first word, else that
			      word + rest */
	CGROUP_UNDO_OOM,   /* memory.oom_control: the number behind oom_kill_disable */
	CGROUP_UNDO_NONE,
};

struct cgroup_change {
	struct cgroup_hier *hier;
	const char *file;
	const char *value;
	const char *property; /* "memory.limit", below linux.resources */
	enum cgroup_undo undo;
	const char *rest;    /* CGROUP_UNDO_KEYED; NULL: not known */
	bool may_be_missing; /* no such file: skipped */
	bool may_be_ignored; /* a kernel that takes the value and forgets it is found out */
};

struct cgroup_plan {
	struct cgroup *cg;
	const struct cgroup_limits *limits;
	bool fresh; /* the group was made a moment ago: all values are the kernel's defaults */
	struct arena arena;
	struct cgroup_change *changes;
	size_t n, cap;
	cgroup_then *then; /* the last step, may be NULL */
	void *arg;
};

/* Appends a write; the returned change may be refined. value is kept by the plan (copied). */
struct cgroup_change *cgroup_plan_add(struct cgroup_plan *p, struct cgroup_hier *h,
				      const char *property, const char *file, const char *fmt, ...)
	PRINTF_LIKE(5, 6);

/* Turns p->limits into changes. Fails when the host lacks something, before anything is written. */
int cgroup_plan_make(struct cgroup_plan *p, struct err *err) MUST_CHECK;
int cgroup_plan_run(struct cgroup_plan *p, struct err *err) MUST_CHECK; /* all or nothing */
void cgroup_plan_release(struct cgroup_plan *p);

/* What a file says now (-1: no limit), or fallback, without looking, in a group just made. */
int cgroup_plan_current(struct cgroup_plan *p, struct cgroup_hier *h, const char *file,
			int64_t fallback, int64_t *ret, struct err *err) MUST_CHECK;
/* memory.checkBeforeUpdate: refuses limit when file says that more is used already. */
int cgroup_plan_check_usage(struct cgroup_plan *p, struct cgroup_hier *h, const char *property,
			    int64_t limit, const char *file, struct err *err) MUST_CHECK;

/* "linux.resources.PROPERTY: message". Returns -errnum. */
int cgroup_property_error(struct err *err, int errnum, const char *property, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* ---- v1.c, v2.c ---- */

int cgroup_v1_make(struct cgroup *cg, struct cgroup_hier *h, const struct cgroup_limits *l,
		   struct err *err) MUST_CHECK;
int cgroup_v1_cpu(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v1_memory(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v1_io(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v1_hugetlb(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v1_net_cls(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v1_net_prio(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;

int cgroup_v2_make(struct cgroup *cg, struct cgroup_hier *h, struct err *err) MUST_CHECK;
/* Finds out which controllers the group has on cgroup2, once. No error when it does not exist. */
void cgroup_v2_load(struct cgroup *cg);
int cgroup_v2_cpu(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v2_memory(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v2_io(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v2_hugetlb(struct cgroup_plan *p, struct cgroup_hier *h, struct err *err) MUST_CHECK;
int cgroup_v2_unified(struct cgroup_plan *p, struct err *err) MUST_CHECK;

/* Makes the missing parents of dir, which lies below h->mount, then dir; counts them in h->n_made.
 */
int cgroup_mkdirs(struct cgroup_hier *h, struct err *err) MUST_CHECK;

/* ---- limits.c: pure conversions ---- */

uint64_t cgroup_weight_of_shares(uint64_t shares); /* cpu.shares -> cpu.weight, 1..10000 */
uint64_t cgroup_io_weight_of(uint64_t weight);     /* blkio.weight 10..1000 -> io.weight */
/* memory+swap and memory limit (both as in the configuration) -> memory.swap.max, -1: max. */
int cgroup_swap_of(int64_t swap, int64_t limit, int64_t *ret, struct err *err) MUST_CHECK;
/* The first property (below linux.resources) that asks controller ctrl for something; NULL: none.
 */
const char *cgroup_limits_need(const struct cgroup_limits *l, enum cgroup_ctrl ctrl);

/* ---- devices.c, devices_bpf.c ---- */

int cgroup_devices_apply(struct cgroup *cg, const struct cgroup_limits *l,
			 struct err *err) MUST_CHECK;

struct cgroup_device_list {
	struct cgroup_device_rule *rules;
	size_t n, cap;
};
static inline void cgroup_device_list_release(struct cgroup_device_list *dl)
{
	free(dl->rules);
}
#define DEVICE_LIST __attribute__((cleanup(cgroup_device_list_release))) struct cgroup_device_list
void cgroup_device_list_add(struct cgroup_device_list *dl, const struct cgroup_device_rule *r);

/* The configuration's rules with the ones behind them that every container gets. */
void cgroup_devices_effective(const struct cgroup_limits *l, struct cgroup_device_list *ret);

/*
 * The same policy as a default and exceptions to it (rules with !*ret_allow), as the v1 controller
 * keeps it. -EINVAL names the rule when that form cannot hold it.
 */
int cgroup_devices_reduce(const struct cgroup_device_list *rules, bool *ret_allow,
			  struct cgroup_device_list *ret, struct err *err) MUST_CHECK;

struct bpf_insn;
/* Appends the program; insns has room for cgroup_devices_bpf_max(n) instructions. Returns how many.
 */
size_t cgroup_devices_bpf_build(const struct cgroup_device_list *rules, struct bpf_insn *insns);
size_t cgroup_devices_bpf_max(size_t n_rules);
int cgroup_devices_bpf_apply(struct cgroup_hier *h, const struct cgroup_device_list *rules,
			     struct err *err) MUST_CHECK;

/* ---- view.c ---- */

/* The directory in h of a process, by the content of its /proc/PID/cgroup ("ID:NAMES:PATH" lines).
 */
char *cgroup_dir_of(struct arena *a, const struct cgroup_hier *h, const char *text);

/* ---- destroy.c ---- */

/* Removes what cgroup_create and cgroup_birth_fd made, deepest first; false: some of it is in use.
 */
bool cgroup_unmake(struct cgroup *cg);

/* ---- procs.c ---- */

/* The hierarchy by which processes are listed and frozen: the v1 freezer's, else cgroup2, else any.
 */
struct cgroup_hier *cgroup_main_hier(struct cgroup *cg);

/* Appends the processes of one hierarchy's group and of its sub-groups. */
struct cgroup_pid_list {
	pid_t *pids;
	size_t n, cap;
};
static inline void cgroup_pid_list_release(struct cgroup_pid_list *list)
{
	free(list->pids);
}
#define PID_LIST __attribute__((cleanup(cgroup_pid_list_release))) struct cgroup_pid_list
int cgroup_hier_pids(struct cgroup_hier *h, struct cgroup_pid_list *list,
		     struct err *err) MUST_CHECK;

/* "cgroups are disabled: cannot WHAT". Returns -EOPNOTSUPP. */
int cgroup_disabled(struct err *err, const char *what);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t cgroup_now_ms(void);
void cgroup_sleep_ms(unsigned int ms);

#endif
