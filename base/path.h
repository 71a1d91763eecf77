/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths that a container or an image can influence. They are opened relative to a root directory's
 * descriptor so that no symlink, "..", or magic link leads out of it (man 2 openat2,
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS); a kernel without openat2 gets a component-by-component
 * walk with O_NOFOLLOW that gives the same answers. HULL_NO_OPENAT2=1 forces the walk (tests).
 */
#ifndef HULL_BASE_PATH_H
#define HULL_BASE_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Opens path inside rootfd. flags as open(2), O_CLOEXEC is added; O_NOFOLLOW keeps a final symlink
 * unresolved; mode counts with O_CREAT. Returns a descriptor or -errno; -ELOOP stands for too many
 * symlinks and for a magic link.
 */
int path_open_in(int rootfd, const char *path, int flags, mode_t mode, struct err *err) MUST_CHECK;

/*
 * Opens the directory path inside rootfd as O_PATH, making missing components with the given mode
 * less the umask (owner: caller). Symlinks are followed inside the root; a component that is no
 * directory: -ENOTDIR.
 */
int path_mkdir_in(int rootfd, const char *path, mode_t mode, struct err *err) MUST_CHECK;

/*
 * Opens path inside rootfd as O_PATH for use as a mount point, making it when it is missing: a
 * directory when is_dir, else an empty regular file; parents are made 0755 (all less the umask). A
 * dangling symlink gets its target made, inside the root. An existing one of the wrong kind:
 * -ENOTDIR or -EISDIR.
 */
int path_mountpoint_in(int rootfd, const char *path, bool is_dir, mode_t mode,
		       struct err *err) MUST_CHECK;

/*
 * Opens the parent directory of path inside rootfd (O_PATH, following symlinks in the root) and
 * points *ret_base at the last component within path, for mknodat, symlinkat, unlinkat. path must
 * not end in "/", "." or "..": -EINVAL.
 */
int path_parent_in(int rootfd, const char *path, const char **ret_base, struct err *err) MUST_CHECK;

/* Lexically cleans path ("a//b/./c/../d" -> "a/b/d", never above "/"). Caller frees. */
char *path_clean(const char *path);

/* base + "/" + path unless path is absolute. Caller frees. */
char *path_join(const char *base, const char *path);

/* mkdir -p on a trusted host path. */
int path_mkdirs(const char *path, mode_t mode, struct err *err) MUST_CHECK;

/*
 * Removes dirfd/name and everything below it without following symlinks or crossing mounts (a mount
 * point in the way: -EBUSY). A name that does not exist counts as removed.
 */
int path_remove_tree(int dirfd, const char *name, struct err *err) MUST_CHECK;

#endif
