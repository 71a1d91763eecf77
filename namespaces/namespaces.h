/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that happens to a container's process between clone and execve: namespaces, root file
 * system, devices, credentials, limits, system call filter. The functions know no OCI JSON: the
 * caller fills the plain structs below (runtime/spec.c on the host, the agent in a guest) and calls
 * the steps in the order of the calling sequence.
 *
 * Calling sequence, P = parent in the host's namespaces, C = child:
 *   P ns_rootfs_prepare     open root, bind sources, idmapped trees: everything the child cannot reach
 *   P ns_clone              child starts in its new namespaces
 *   P ns_write_idmaps       (C waits)
 *   C ns_enter_time         time namespace and its offsets
 *   C ns_enter              join namespaces given by path, make the others
 *   C ns_rootfs_mount       propagation, root bind, mounts, /dev
 *   C ns_rootfs_pivot
 *   C ns_sysctl_write, ns_rootfs_seal (read-only root, readonlyPaths, maskedPaths)
 *   C ns_terminal…, ns_process_*  credentials, limits, filter, then execve
 *
 * Strings and arrays in the structs are borrowed from the caller for the duration of the calls.
 */
#ifndef HULL_NAMESPACES_H
#define HULL_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/netconf.h"

/* ---- namespaces (clone.c, idmap.c) ---- */

enum ns_kind {
	NS_USER,
	NS_MOUNT,
	NS_PID,
	NS_NETWORK,
	NS_IPC,
	NS_UTS,
	NS_CGROUP,
	NS_TIME,
	NS_KIND_MAX
};

struct ns_space {
	bool listed;      /* false: stay in the caller's */
	const char *path; /* join this one; NULL: a new one */
};

struct idmap {
	uint32_t inside;  /* containerID */
	uint32_t outside; /* hostID */
	uint32_t count;
};

struct idmaps {
	const struct idmap *uids, *gids;
	size_t n_uids, n_gids;
};

struct ns_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

struct ns_spaces {
	struct ns_space kind[NS_KIND_MAX];
	struct idmaps idmaps; /* for a new user namespace */
	struct ns_time_offset monotonic, boottime;
};

const char *ns_kind_name(enum ns_kind kind); /* the OCI name: "network", "mount", … */
const char *ns_kind_file(enum ns_kind kind); /* below /proc/PID/ns: "net", "mnt", … */
int ns_kind_parse(const char *oci_name);     /* enum ns_kind or -EINVAL */
int ns_kind_flag(enum ns_kind kind);         /* CLONE_NEW… */

/*
 * P: opens the namespaces given by path and checks each one's type (man 2 ioctl_ns). ret_fds[kind] is
 * -1 where nothing is joined. On failure nothing stays open.
 */
int ns_spaces_open(const struct ns_spaces *spaces, int ret_fds[static NS_KIND_MAX],
		   struct err *err) MUST_CHECK;

/*
 * P: forks the container's first process. Returns 0 in the child, its pid (as the caller sees it)
 * and *ret_pidfd in the parent, or -errno. The pid and user namespaces are entered or made here;
 * the others in ns_enter, by the child itself and in parallel with the parent's next steps. cgroup_fd:
 * cgroup2 directory for CLONE_INTO_CGROUP or -1; *ret_in_cgroup says whether that worked.
 */
pid_t ns_clone(const struct ns_spaces *spaces, const int fds[static NS_KIND_MAX], int cgroup_fd,
	       int *ret_pidfd, bool *ret_in_cgroup, struct err *err) MUST_CHECK;

/* P: writes setgroups (deny when unprivileged), gid_map, uid_map of pid (man 7 user_namespaces). */
int ns_write_idmaps(int proc_fd, pid_t pid, const struct idmaps *maps, struct err *err) MUST_CHECK;

/*
 * P: engines that join a user namespace give its mappings, too. What is made by them (owners, id-mapped
 * mounts) would be wrong if they were not those of pid: -EINVAL.
 */
int ns_check_idmaps(int proc_fd, pid_t pid, const struct idmaps *maps, struct err *err) MUST_CHECK;

/* A new user namespace that has maps, as a descriptor: what MOUNT_ATTR_IDMAP wants. */
int ns_idmap_userns(int proc_fd, const struct idmaps *maps, struct err *err) MUST_CHECK;

/* The number outside for id inside; false: the n maps do not have it, and *ret is left alone. */
bool ns_idmap_host(const struct idmap *maps, size_t n, uint32_t id, uint32_t *ret) MUST_CHECK;

/* C, after ns_write_idmaps: becomes uid 0 and gid 0 of a new or joined user namespace. */
int ns_become_root(struct err *err) MUST_CHECK;

/*
 * C, before ns_become_root: makes and enters a new time namespace, offsets set. In procfs the files of
 * an undumpable process belong to the host's root, who the child is no more afterwards.
 */
int ns_enter_time(const struct ns_spaces *spaces, int proc_fd, struct err *err) MUST_CHECK;

/* C: joins and makes all namespaces but pid, user, cgroup and a new time namespace. */
int ns_enter(const struct ns_spaces *spaces, const int fds[static NS_KIND_MAX],
	     struct err *err) MUST_CHECK;

/* C, once it is in its cgroups: joins or makes the cgroup namespace. */
int ns_enter_cgroup(const struct ns_spaces *spaces, const int fds[static NS_KIND_MAX],
		    struct err *err) MUST_CHECK;

/*
 * Joins the namespaces of a running process given by CLONE_NEW… flags: one setns(2) on its pidfd, or
 * one for each file of /proc/PID/ns on a kernel before 5.8 (HULL_NO_PIDFD_SETNS=1 forces that).
 */
int ns_join_process(int proc_fd, pid_t pid, int pidfd, int flags, struct err *err) MUST_CHECK;

/* ---- mounts and the root file system (mount.c, mount_opts.c, rootfs.c, device.c, masks.c) ---- */

/* A mount as the kernel will see it: ns_mount_options fills everything from flags on. */
struct ns_mount {
	const char *destination;     /* absolute inside the root; a relative one counts from / */
	const char *source;          /* bind sources: absolute on the host */
	const char *type;            /* NULL on a bind */
	const struct idmaps *idmaps; /* uidMappings/gidMappings, or the container's; NULL: none */

	unsigned long flags;              /* MS_… to set (atime choice included) */
	unsigned long clear_flags;        /* MS_… named by a negative option ("dev", "rw", …) */
	uint64_t rec_set, rec_clear;      /* MOUNT_ATTR_… by the recursive options ("rro", …) */
	const unsigned long *propagation; /* MS_SHARED, MS_PRIVATE|MS_REC, … in order */
	size_t n_propagation;
	const char *data;  /* the file system's own options, comma separated, or NULL */
	bool bind;         /* bind or rbind (flags has MS_BIND, MS_REC) */
	bool tmpcopyup;    /* copy the covered directory into the tmpfs */
	bool copy_symlink; /* a source that is a symlink is made again at the destination */
	bool idmap, idmap_recursive; /* options "idmap", "ridmap" */
};

struct arena;

/*
 * Reads the options of a mount into m (from flags on); memory from a. Unknown words go to data as
 * file system options; on a bind they are refused: -EINVAL names the word.
 */
int ns_mount_options(const char *const *options, size_t n, struct ns_mount *m, struct arena *a,
		     struct err *err) MUST_CHECK;

/* NULL-terminated list of every option word ns_mount_options knows, for the features command. */
const char *const *ns_mount_option_names(void);

struct ns_device {
	char type; /* 'c', 'b', 'p' ('u' is 'c') */
	const char *path;
	uint32_t major, minor;
	mode_t mode; /* permission bits */
	uint32_t uid, gid;
};

/*
 * What a mount of type "cgroup" shows. Filled by the caller who knows the host's hierarchies; the
 * sources are trusted host paths.
 */
struct ns_cgroup_view {
	bool unified;  /* one cgroup2 mount at the destination itself */
	bool readonly; /* whatever the options say: the groups are not the container's own */
	struct ns_cgroup_dir {
		const char *name; /* directory below the destination ("cpu,cpuacct", "unified") */
		const char
			*source; /* the container's own directory in that hierarchy on the host */
		const char *
			options; /* mount options of the hierarchy ("cpu,cpuacct", "none,name=systemd", "" = cgroup2) */
		const char *const
			*links; /* NULL-terminated names that become symlinks to name, or NULL */
	} * dirs;
	size_t n_dirs; /* unified: exactly one, name unused */
};

struct ns_rootfs {
	const char *path; /* the root on the host, absolute */
	bool readonly;
	bool no_pivot;             /* MS_MOVE + chroot */
	unsigned long propagation; /* rootfsPropagation as MS_… flags; 0: none given */
	const struct ns_mount *mounts;
	size_t n_mounts;
	const struct ns_device *devices; /* config's own; the default ones are added */
	size_t n_devices;
	const char *const *masked_paths, *const *readonly_paths;
	size_t n_masked_paths, n_readonly_paths;
	const char *mount_label;              /* SELinux context or NULL */
	const struct ns_cgroup_view *cgroups; /* NULL: a "cgroup" mount is refused */
	bool new_mount_ns; /* false: plain chroot, nothing is mounted (config lists no mount namespace) */
	bool in_userns; /* the child runs in a user namespace other than the caller's */
	bool new_netns, new_cgroupns; /* decide how sysfs and cgroup mounts are made */
	bool terminal;                /* a console device node is expected at /dev/console */
	/*
	 * The maps of a user namespace made for this container: device nodes are then made beforehand
	 * by the host's root and have the owner and mode asked for. NULL: the host's nodes are bound.
	 */
	const struct idmaps *userns_maps;
};

struct ns_rootfs_state; /* descriptors opened by ns_rootfs_prepare, inherited by the child */

/*
 * P: opens the root (a directory, no symlink as last component), every bind source (by open_tree),
 * idmapped trees. Everything that can be found wrong without side effects is found here.
 */
int ns_rootfs_prepare(const struct ns_rootfs *cfg, int proc_fd, struct ns_rootfs_state **ret,
		      struct err *err) MUST_CHECK;
void ns_rootfs_free(struct ns_rootfs_state *st);

int ns_rootfs_mount(struct ns_rootfs_state *st,
		    struct err *err) MUST_CHECK; /* C, up to /dev and links */
/* C: binds the pty slave tty_fd (TIOCGPTPEER) on /dev/console inside the root; before pivot. */
int ns_rootfs_console(struct ns_rootfs_state *st, int tty_fd, struct err *err) MUST_CHECK;
int ns_rootfs_pivot(struct ns_rootfs_state *st,
		    struct err *err) MUST_CHECK; /* C; cwd is / afterwards */
/* C: reopens 0-2 that are /dev/null, read-only root, readonlyPaths, maskedPaths; root propagation. */
int ns_rootfs_seal(struct ns_rootfs_state *st, struct err *err) MUST_CHECK;

/* C: writes sysctls through proc_fd; keys are checked by ns_sysctl_check beforehand. */
struct ns_sysctl {
	const char *key, *value;
};
int ns_sysctl_check(const char *key, const struct ns_spaces *spaces, struct err *err) MUST_CHECK;
int ns_sysctl_write(int proc_fd, const struct ns_sysctl *sysctls, size_t n,
		    struct err *err) MUST_CHECK;

/* ---- the process (caps.c, lsm.c, limits.c, process.c) ---- */

struct ns_caps { /* bit n = capability n */
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

int ns_cap_parse(const char *name); /* "CAP_SYS_ADMIN" -> 21, or -EINVAL */
const char *ns_cap_name(int cap);   /* NULL beyond the last known */
int ns_cap_last(int proc_fd);       /* the running kernel's last capability or -errno */

struct ns_rlimit {
	int resource; /* RLIMIT_… */
	uint64_t soft, hard;
};

int ns_rlimit_parse(const char *name); /* "RLIMIT_NOFILE" -> RLIMIT_NOFILE or -EINVAL */
const char *ns_rlimit_name(int resource);

struct ns_scheduler {    /* man 2 sched_setattr */
	uint32_t policy; /* SCHED_… */
	int32_t nice;
	uint32_t priority;
	uint64_t flags; /* SCHED_FLAG_… */
	uint64_t runtime_ns, deadline_ns, period_ns;
};
int ns_scheduler_policy_parse(const char *name); /* "SCHED_BATCH" -> 3 or -EINVAL */
int ns_scheduler_flag_parse(const char *name);   /* bit value or -EINVAL */

struct ns_ioprio {
	int klass;    /* IOPRIO_CLASS_… */
	int priority; /* 0..7 */
};
int ns_ioprio_class_parse(const char *name);

struct ns_mempolicy {      /* man 2 set_mempolicy */
	int mode;          /* MPOL_…, flags included */
	const char *nodes; /* list, may be NULL or empty */
};
int ns_mempolicy_mode_parse(const char *name);
int ns_mempolicy_flag_parse(const char *name);
const char *ns_mempolicy_mode_name(size_t i); /* the i-th known name, NULL past the last */
const char *ns_mempolicy_flag_name(size_t i);

/* Everything about one process of a container, its first or an exec'ed one. */
struct ns_process {
	const char *const *args; /* NULL-terminated, at least one */
	const char *const *env;  /* NULL-terminated, "NAME=value" */
	const char *cwd;         /* absolute */
	bool terminal;
	bool has_console_size;
	uint16_t console_width, console_height;
	uint32_t uid, gid;
	mode_t umask; /* default 0022 */
	const gid_t *groups;
	size_t n_groups;
	bool has_caps; /* false: none at all for an exec'ed process */
	struct ns_caps caps;
	const struct ns_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privs;
	const char *apparmor_profile, *selinux_label; /* NULL: none */
	bool has_oom_score_adj;
	int oom_score_adj;
	const struct ns_scheduler *scheduler; /* NULL: untouched */
	const struct ns_ioprio *ioprio;
	const struct ns_mempolicy *mempolicy;
	bool has_personality;
	uint32_t personality;                          /* man 2 personality */
	const char *affinity_initial, *affinity_final; /* execCPUAffinity, exec only */
	char *passwd; /* text of the container's /etc/passwd, taken to pieces; NULL: it is read */
};

/* ---- the system call filter (seccomp.c) ---- */

struct ns_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	int op; /* enum scmp_compare */
};

struct ns_seccomp_rule {
	const char *const *names; /* NULL-terminated */
	uint32_t action;          /* SCMP_ACT_…, errno included */
	const struct ns_seccomp_arg *args;
	size_t n_args;
};

struct ns_seccomp {
	uint32_t default_action; /* SCMP_ACT_…, errno included */
	const uint32_t *archs;   /* SCMP_ARCH_… */
	size_t n_archs;
	uint32_t flags;                                /* SECCOMP_FILTER_FLAG_… as asked */
	bool flags_given;                              /* false: SPEC_ALLOW is the default */
	const char *listener_path, *listener_metadata; /* NULL without NOTIFY */
	const struct ns_seccomp_rule *rules;
	size_t n_rules;
};

int ns_seccomp_action_parse(const char *name, bool has_errno, uint32_t errno_ret,
			    uint32_t *ret) MUST_CHECK;
int ns_seccomp_arch_parse(const char *name, uint32_t *ret) MUST_CHECK;
int ns_seccomp_op_parse(const char *name, int *ret) MUST_CHECK;
int ns_seccomp_flag_parse(const char *name, uint32_t *ret) MUST_CHECK;

/* The i-th known name, NULL past the last: for the features command. */
const char *ns_seccomp_action_name(size_t i);
const char *ns_seccomp_arch_name(size_t i);
const char *ns_seccomp_op_name(size_t i);
const char *ns_seccomp_flag_name(size_t i);
bool ns_seccomp_flag_supported(uint32_t flag); /* asks the running kernel */

struct ns_seccomp_filter { /* a classic BPF program ready for seccomp(2) */
	void *insns;       /* struct sock_filter[], owned */
	size_t n_insns;
	uint32_t flags;     /* SECCOMP_FILTER_FLAG_…, NEW_LISTENER when it notifies */
	bool default_flags; /* nobody asked for flags: an old kernel may have them dropped */
};

/* P: opens dirfd/name as a directory for compiled filters, making it (0700) when it is missing. */
int ns_seccomp_cache_open(int dirfd, const char *name, struct err *err) MUST_CHECK;

/*
 * P: gives the BPF program of s, from the cache directory cache_fd when it holds a valid one (the
 * key covers every field of s that shapes the program, the kernel release and libseccomp's version),
 * else by libseccomp, and then stores it there. cache_fd -1: no cache; a directory that others can
 * write to is not used either.
 */
int ns_seccomp_build(const struct ns_seccomp *s, int cache_fd, struct ns_seccomp_filter *ret,
		     struct err *err) MUST_CHECK;
void ns_seccomp_release(struct ns_seccomp_filter *f);

/* C: installs the filter. *ret_listener gets the notify descriptor or -1. */
int ns_seccomp_install(const struct ns_seccomp_filter *f, int *ret_listener,
		       struct err *err) MUST_CHECK;

/*
 * The last steps before execve; their order is told in process.c.
 *
 * P: sets the rlimits of the child. After the child's own set-up (a low RLIMIT_NOFILE or RLIMIT_AS
 * would break it) and while the child is still its user namespace's root (man 2 prlimit). pid 0: the
 * caller itself.
 */
int ns_process_limits_parent(pid_t pid, const struct ns_process *p, struct err *err) MUST_CHECK;

/* C: scheduler, ioprio, mempolicy, personality */
int ns_process_scheduling(const struct ns_process *p, struct err *err) MUST_CHECK;

/*
 * Writes process.oomScoreAdj of process pid (0: the caller's own). P for a child in a user namespace:
 * the file belongs to the host's root as long as the child is not dumpable. Does nothing when unset.
 */
int ns_process_oom_score(int proc_fd, pid_t pid, const struct ns_process *p,
			 struct err *err) MUST_CHECK;

/* P: says before any side effect that a label cannot be honoured on this host. */
int ns_process_labels_check(const struct ns_process *p, struct err *err) MUST_CHECK;
int ns_process_labels(int proc_fd, const struct ns_process *p,
		      struct err *err) MUST_CHECK; /* C: LSM exec labels */

/* C: makes a missing process.cwd (0755) below "/"; after the pivot, before the root turns read-only. */
int ns_process_make_cwd(const struct ns_process *p, struct err *err) MUST_CHECK;

/*
 * C: bounding set, groups, gid, uid, capabilities, umask; cwd (with a second try as the container's
 * user, and a check that it is below the root). The filter goes in between as no_new_privs demands;
 * filter may be NULL.
 */
int ns_process_credentials(const struct ns_process *p, const struct ns_seccomp_filter *filter,
			   int *ret_listener, struct err *err) MUST_CHECK;

/*
 * C: finds args[0] by env's PATH inside the root, as the user that will execute it. Caller frees
 * *ret. Messages as engines parse them.
 */
int ns_process_find(const struct ns_process *p, char **ret, struct err *err) MUST_CHECK;

/* C: "HOME=DIR" from /etc/passwd, "/" without an entry; NULL when env has a HOME. Caller frees. */
char *ns_process_home(const struct ns_process *p);

/* The last value of NAME in env (NULL-terminated "NAME=value" strings) or NULL. */
const char *ns_env_get(const char *const *env, const char *name);

/* ---- CPU affinity (affinity.c); pid 0: the caller ---- */

int ns_affinity_set(pid_t pid, const char *cpus,
		    struct err *err) MUST_CHECK;              /* a list, cpuset(7) */
int ns_affinity_reset(pid_t pid, struct err *err) MUST_CHECK; /* every CPU that the cpuset allows */

/* ---- the session keyring (keyring.c) ---- */

/*
 * C: joins the session keyring name ("_ses.ID"), so that the host session's keys are out of reach;
 * made new for the container's first process (is_new), found again by an exec'ed one. label: SELinux
 * label of a new keyring or NULL. Kernels that have no keys, or refuse, are put up with.
 */
int ns_keyring_join(int proc_fd, const char *name, bool is_new, const char *label,
		    struct err *err) MUST_CHECK;

/* ---- network devices (netdev.c) ---- */

#define NS_NETDEV_NAME_LEN 16 /* IFNAMSIZ */

struct ns_netdev {
	const char *host_name;
	const char *name; /* in the container, may hold one %d; NULL: as on the host */
};

/*
 * P: moves devices from the network namespace from_fd to to_fd (both open /proc/PID/ns/net files),
 * all of them or none, keeping permanent global addresses, renaming, and setting each up. ret_names,
 * when not NULL, has n rows and gets the names they have now. Runs the program hull-netdev, which is
 * the only user of netlink here; helper: its path, NULL: beside this program or in /usr/libexec/hull.
 */
int ns_netdev_move(int from_fd, int to_fd, const struct ns_netdev *devs, size_t n,
		   char (*ret_names)[NS_NETDEV_NAME_LEN], const char *helper,
		   struct err *err) MUST_CHECK;

/*
 * The interfaces of a network namespace in the hands of somebody else than its IP stack
 * (netdev_take.c): for each one a tap, whose descriptor is as good as the interface.
 */
struct ns_taken {
	struct netconf *conf;        /* owned */
	int taps[NETCONF_LINKS_MAX]; /* one for each of conf's links; owned */
};

#define NS_TAKEN_INIT                                                                              \
	{                                                                                          \
		NULL,                                                                              \
		{                                                                                  \
			-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1             \
		}                                                                                  \
	}

/*
 * C: takes over every interface of the caller's network namespace that is up, but lo; all of them or
 * none. Without one conf is NULL. It ends with the taps; what is left on the interfaces then goes by
 * ns_netdev_release. An error names the interface and what stands in the way. helper: as above.
 */
int ns_netdev_take(struct ns_taken *ret, const char *helper, struct err *err) MUST_CHECK;

/* P: gives the interfaces of a network namespace back whose taps are gone. */
int ns_netdev_release(int netns_fd, const char *helper, struct err *err) MUST_CHECK;

void ns_taken_release(struct ns_taken *t);

/* C: sets lo up in the caller's network namespace. */
int ns_loopback_up(struct err *err) MUST_CHECK;

#endif
