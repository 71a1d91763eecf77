/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of base/musl.h, and what keeps a program linked with musl as hardened as one linked
 * with glibc.
 *
 * libseccomp, libcap, yajl and zlib are Debian's archives, compiled against glibc: of all that is
 * glibc's own they call the checked functions of _FORTIFY_SOURCE and nothing else, so these are
 * here, checks included. The layouts that they share with the C library (struct stat, the stdio
 * streams as pointers, errno, the tables of <ctype.h>) are the same in both.
 */
#ifndef __GLIBC__

#include "base/musl.h"

#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

int close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)syscall(SYS_execveat, dirfd, path, argv, envp, flags);
}

int statx(int dirfd, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict ret)
{
	return (int)syscall(SYS_statx, dirfd, path, flags, mask, ret);
}

int renameat2(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path,
	      unsigned int flags)
{
	return (int)syscall(SYS_renameat2, old_dirfd, old_path, new_dirfd, new_path, flags);
}

/* The kernel takes the offset in two halves, of which the first holds all of it on 64 bits. */
ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return syscall(SYS_preadv2, fd, iov, n, offset, 0L, flags);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return syscall(SYS_pwritev2, fd, iov, n, offset, 0L, flags);
}

int pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

int pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, fd, flags);
}

int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, info, flags);
}

int fsopen(const char *type, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

int fsconfig(int fd, unsigned int cmd, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}

int fsmount(int fd, unsigned int flags, unsigned int attr_flags)
{
	return (int)syscall(SYS_fsmount, fd, flags, attr_flags);
}

int open_tree(int dirfd, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, dirfd, path, flags);
}

int move_mount(int from_dirfd, const char *from, int to_dirfd, const char *to, unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from_dirfd, from, to_dirfd, to, flags);
}

int mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr,
		  size_t size)
{
	return (int)syscall(SYS_mount_setattr, dirfd, path, flags, attr, size);
}

/* musl's strerror(3) reads a table as well, and has one text for all unknown numbers. */
const char *strerrordesc_np(int errnum)
{
	const char *text = strerror(errnum);

	return errnum == 0 || strcmp(text, strerror(-1)) != 0 ? text : NULL;
}

const char *sigabbrev_np(int sig)
{
	static const char names[][8] = {
		[SIGHUP] = "HUP",	[SIGINT] = "INT",   [SIGQUIT] = "QUIT",
		[SIGILL] = "ILL",	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",
		[SIGBUS] = "BUS",	[SIGFPE] = "FPE",   [SIGKILL] = "KILL",
		[SIGUSR1] = "USR1",	[SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
		[SIGPIPE] = "PIPE",	[SIGALRM] = "ALRM", [SIGTERM] = "TERM",
		[SIGSTKFLT] = "STKFLT", [SIGCHLD] = "CHLD", [SIGCONT] = "CONT",
		[SIGSTOP] = "STOP",	[SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN",
		[SIGTTOU] = "TTOU",	[SIGURG] = "URG",   [SIGXCPU] = "XCPU",
		[SIGXFSZ] = "XFSZ",	[SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF",
		[SIGWINCH] = "WINCH",	[SIGPOLL] = "POLL", [SIGPWR] = "PWR",
		[SIGSYS] = "SYS",
	};

	if (sig <= 0 || (size_t)sig >= sizeof(names) / sizeof(names[0]) || !names[sig][0])
		return NULL;
	return names[sig];
}

/* ---- _FORTIFY_SOURCE, for what glibc's headers were compiled into ---- */

void *__memcpy_chk(void *restrict to, const void *restrict from, size_t len, size_t room);
int __asprintf_chk(char **ret, int flag, const char *fmt, ...) PRINTF_LIKE(3, 4);
int __fprintf_chk(FILE *f, int flag, const char *fmt, ...) PRINTF_LIKE(3, 4);
int __snprintf_chk(char *to, size_t len, int flag, size_t room, const char *fmt, ...)
PRINTF_LIKE(5, 6);
int __sprintf_chk(char *to, int flag, size_t room, const char *fmt, ...) PRINTF_LIKE(4, 5);
int __vsnprintf_chk(char *to, size_t len, int flag, size_t room, const char *fmt, va_list ap)
PRINTF_LIKE(5, 0);

void *__memcpy_chk(void *restrict to, const void *restrict from, size_t len, size_t room)
{
	if (len > room)
		abort();
	return memcpy(to, from, len);
}

/* The flag asks glibc to refuse %n in writable formats; musl has no such check. */
int __vsnprintf_chk(char *to, size_t len, int flag, size_t room, const char *fmt, va_list ap)
{
	(void)flag;
	if (len > room)
		abort();
	return vsnprintf(to, len, fmt, ap);
}

int __snprintf_chk(char *to, size_t len, int flag, size_t room, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = __vsnprintf_chk(to, len, flag, room, fmt, ap);
	va_end(ap);
	return n;
}

/* Without a length of its own: what does not fit into the room ends the program. */
int __sprintf_chk(char *to, int flag, size_t room, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = __vsnprintf_chk(to, room < INT_MAX ? room : INT_MAX, flag, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room)
		abort();
	return n;
}

int __asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

int __fprintf_chk(FILE *f, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;

	(void)flag;
	va_start(ap, fmt);
	n = vfprintf(f, fmt, ap);
	va_end(ap);
	return n;
}

/* ---- RELRO ---- */

extern const ElfW(Ehdr) __executable_start __attribute__((visibility("hidden")));

/*
 * What has been relocated is read-only from now on (PT_GNU_RELRO, -z relro). glibc's start of a
 * static program does that, musl's does not.
 */
static void __attribute__((constructor)) seal_relocated(void)
{
	const uintptr_t start = (uintptr_t)&__executable_start, page = getauxval(AT_PAGESZ);
	const ElfW(Phdr) *p = (const void *)(start + __executable_start.e_phoff);

	for (size_t i = 0; i < __executable_start.e_phnum; i++) {
		uintptr_t from = start + p[i].p_vaddr, to = from + p[i].p_memsz;

		if (p[i].p_type != PT_GNU_RELRO)
			continue;
		from &= ~(page - 1);
		to &= ~(page - 1);
		if (mprotect((void *)from, to - from, PROT_READ) < 0)
			abort();
	}
}

#endif
