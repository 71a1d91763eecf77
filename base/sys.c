/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw system calls, one function each, see the header and the man page of each name. */
#include "base/sys.h"

#include <linux/keyctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t sys_clone3(struct clone_args *args, size_t size)
{
	return (pid_t)syscall(SYS_clone3, args, size);
}

int sys_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, size);
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int sys_seccomp(unsigned int op, unsigned int flags, void *args)
{
	return (int)syscall(SYS_seccomp, op, flags, args);
}

int sys_bpf(int cmd, void *attr, unsigned int size)
{
	return (int)syscall(SYS_bpf, cmd, attr, size);
}

int sys_set_mempolicy(int mode, const unsigned long *nodemask, unsigned long maxnode)
{
	return (int)syscall(SYS_set_mempolicy, mode, nodemask, maxnode);
}

int sys_ioprio_set(int which, int who, int ioprio)
{
	return (int)syscall(SYS_ioprio_set, which, who, ioprio);
}

int sys_sched_setattr(pid_t pid, const void *attr, unsigned int flags)
{
	return (int)syscall(SYS_sched_setattr, pid, attr, flags);
}

int sys_keyctl_join(const char *name)
{
	return (int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
}

int sys_keyctl_setperm(int id, uint32_t perm)
{
	return (int)syscall(SYS_keyctl, KEYCTL_SETPERM, id, perm);
}

int sys_getcwd(char *buf, size_t size)
{
	return (int)syscall(SYS_getcwd, buf, size);
}

void sys_sigfillset(sigset_t *set)
{
	memset(set, 0xff, sizeof(*set));
}

int sys_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	/* the size of the kernel's sigset_t */
	return (int)syscall(SYS_rt_sigprocmask, how, set, old, (size_t)8);
}

/* One bit a signal, from 1 on, in the words of the kernel. */
void sys_sigaddset(sigset_t *set, int sig)
{
	unsigned int bit = (unsigned int)sig - 1, per_word = 8 * sizeof(unsigned long);
	unsigned long words[sizeof(*set) / sizeof(unsigned long)];

	memcpy(words, set, sizeof(words));
	words[bit / per_word] |= 1UL << bit % per_word;
	memcpy(set, words, sizeof(words));
}
