/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path resolution component by component, for kernels without openat2(2) and for making what is
 * missing on the way. Private to base/: path.c and proc.c use it.
 */
#ifndef HULL_BASE_WALK_H
#define HULL_BASE_WALK_H

#include <stdbool.h>
#include <sys/types.h>

enum walk_make {
	WALK_MAKE_NOTHING,
	WALK_MAKE_DIR,  /* the last component and its parents, when missing */
	WALK_MAKE_FILE, /* parents, and an empty regular file as the last component */
};

struct walk_how {
	int flags; /* as open(2); O_CLOEXEC is added. O_PATH when something is made */
	mode_t mode;
	enum walk_make make;
	mode_t parent_mode;
	bool no_xdev; /* stay on the mount of the root: -EXDEV (RESOLVE_NO_XDEV) */
};

/* Resolves path as if rootfd were "/"; returns a descriptor or -errno. */
int walk_open(int rootfd, const char *path, const struct walk_how *how);

/* Tells mounts apart: by id, or by device on kernels that do not tell the id (before 5.8). */
struct walk_mount {
	unsigned long long id; /* 0: unknown */
	dev_t dev;
};
int walk_mount_of(int fd, struct walk_mount *ret);
bool walk_same_mount(const struct walk_mount *a, const struct walk_mount *b);

/* openat2(2) is not to be used: HULL_NO_OPENAT2 is set. */
bool walk_forced(void);

#endif
