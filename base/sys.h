/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw system calls that glibc 2.36 does not wrap, with the signature of their man page, and
 * constants that Debian 12's headers lack. Each returns -1 and sets errno. What musl 1.2.3 lacks
 * beside these is in base/musl.h.
 */
#ifndef HULL_BASE_SYS_H
#define HULL_BASE_SYS_H

#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/types.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif
#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

pid_t sys_clone3(struct clone_args *args, size_t size);
int sys_openat2(int dirfd, const char *path, const struct open_how *how, size_t size);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_seccomp(unsigned int op, unsigned int flags, void *args);
int sys_bpf(int cmd, void *attr, unsigned int size);
int sys_set_mempolicy(int mode, const unsigned long *nodemask, unsigned long maxnode);
int sys_ioprio_set(int which, int who, int ioprio);
int sys_sched_setattr(pid_t pid, const void *attr, unsigned int flags);
int sys_keyctl_join(const char *name);
int sys_keyctl_setperm(int id, uint32_t perm);
/* As the kernel gives it, "(unreachable)" included; glibc hides that. Length with the NUL. */
int sys_getcwd(char *buf, size_t size);

/*
 * As sigfillset(3) and sigaddset(3), but for every signal from 1 to 64: a C library leaves out those
 * that it keeps for itself (glibc 32 and 33, musl 34 as well), and a container's may be any.
 */
void sys_sigfillset(sigset_t *set);
void sys_sigaddset(sigset_t *set, int sig);
/* As pthread_sigmask(3), but for those of the C library, too. */
int sys_sigmask(int how, const sigset_t *set, sigset_t *old);

#endif
