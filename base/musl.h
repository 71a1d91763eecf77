/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What musl 1.2.3 lacks of the functions and constants that glibc's headers have and hull uses. The
 * compiler includes this file before everything else where it compiles for musl (-include in the
 * Makefile), so source files are written as for glibc. Each function is as in its man page.
 */
#ifndef HULL_BASE_MUSL_H
#define HULL_BASE_MUSL_H

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/* the kernel's own headers, behind musl's, which have some of their macros */
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/stat.h>

#undef BLOCK_SIZE /* of <linux/fs.h>: too general a name */

#ifndef PR_SCHED_CORE /* <linux/prctl.h> does not go with <sys/prctl.h> */
#define PR_SCHED_CORE                    62
#define PR_SCHED_CORE_CREATE             1
#define PR_SCHED_CORE_SCOPE_THREAD_GROUP 1
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int close_range(unsigned int first, unsigned int last, int flags);
int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags);
int statx(int dirfd, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict ret);
int renameat2(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path,
	      unsigned int flags);
ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags);
ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags);

int pidfd_open(pid_t pid, unsigned int flags);
int pidfd_getfd(int pidfd, int fd, unsigned int flags);
int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned int flags);

int fsopen(const char *type, unsigned int flags);
int fsconfig(int fd, unsigned int cmd, const char *key, const void *value, int aux);
int fsmount(int fd, unsigned int flags, unsigned int attr_flags);
int open_tree(int dirfd, const char *path, unsigned int flags);
int move_mount(int from_dirfd, const char *from, int to_dirfd, const char *to, unsigned int flags);
int mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr,
		  size_t size);

/* NULL for a number that is no error's or signal's, as glibc's; musl's texts for the others. */
const char *strerrordesc_np(int errnum);
const char *sigabbrev_np(int sig);

#endif
