/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pivot_root(2), capabilities(7), landlock(7); confine_filter.c has the system calls. Each step must
 * succeed: nothing of a guest is served by a process that is less confined than it should be.
 */
#include "microvm/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"

/* ---- descriptors ---- */

/* The lowest of keep that is at least from, or -1. */
static int next_kept(const int *keep, size_t n, int from)
{
	int next = -1;

	for (size_t i = 0; i < n; i++)
		if (keep[i] >= from && (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

int confine_close_others(const int *keep, size_t n, struct err *err)
{
	int from = 3, next;

	while ((next = next_kept(keep, n, from)) >= 0) {
		if (next > from && close_range((unsigned int)from, (unsigned int)next - 1, 0) < 0)
			return err_sys(err, "close descriptors");
		from = next + 1;
	}
	return close_range((unsigned int)from, ~0u, 0) < 0 ? err_sys(err, "close descriptors") : 0;
}

/* ---- the root ---- */

int confine_change_root(int tree_fd, struct err *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make mounts private");
	/* On top of the old root, from where it takes its place. */
	if (move_mount(tree_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "mount the new root");
	if (fchdir(tree_fd) < 0)
		return err_sys(err, "change to the new root");
	if (sys_pivot_root(".", ".") < 0)
		return err_sys(err, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, "unmount the old root");
	return chdir("/") < 0 ? err_sys(err, "change to '/'") : 0;
}

/* ---- privileges ---- */

int confine_drop_capabilities(uint64_t keep, struct err *err)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2] = {
		{.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
		{.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)},
	};
	const struct rlimit none = {0, 0};

	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(err, "drop capability %lu from the bounding set", cap);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, "clear ambient capabilities");
	if (capset(&head, caps) < 0)
		return err_sys(err, "set capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "prctl");
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(err, "forbid core dumps");
	return 0;
}

/* ---- Landlock ---- */

/* linux/landlock.h of Linux 6.12; Debian 12's ends with the second version. */
#define LANDLOCK_VERSION 1u /* LANDLOCK_CREATE_RULESET_VERSION */

struct ruleset {
	uint64_t fs, net, scoped;
};

/* What a kernel's version of Landlock can handle; what it does not know it refuses. */
static const struct {
	struct ruleset rights; /* all that is known by then */
	size_t size;           /* of struct ruleset by then */
} versions[] = {
	{{(1u << 13) - 1, 0, 0}, sizeof(uint64_t)},     /* 1: files and directories */
	{{(1u << 14) - 1, 0, 0}, sizeof(uint64_t)},     /* 2: and renaming across directories */
	{{(1u << 15) - 1, 0, 0}, sizeof(uint64_t)},     /* 3: and truncation */
	{{(1u << 15) - 1, 3, 0}, 2 * sizeof(uint64_t)}, /* 4: and TCP bind and connect */
	{{(1u << 16) - 1, 3, 0}, 2 * sizeof(uint64_t)}, /* 5: and ioctl of devices */
	{{(1u << 16) - 1, 3, 3}, 3 * sizeof(uint64_t)}, /* 6: and abstract sockets, signals */
};

int confine_landlock(struct err *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	CLOSE_FD int fd = -1;
	size_t i;

	if (version <= 0) {
		log_debug("no Landlock here: %s", strerrordesc_np(errno));
		return 0;
	}
	i = (size_t)version < ARRAY_SIZE(versions) ? (size_t)version - 1 : ARRAY_SIZE(versions) - 1;
	fd = (int)syscall(SYS_landlock_create_ruleset, &versions[i].rights, versions[i].size, 0);
	if (fd < 0)
		return err_sys(err, "make a Landlock ruleset");
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_sys(err, "enter the Landlock ruleset");
	return 0;
}
