/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that serving files takes. */
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "microvm/confine_rules.h"
#include "microvm/fsd/sandbox.h"

static const struct confine_rule rules[] = {
	/* the guest and hull-vmm */
	CONFINE_ALWAYS(ppoll),
	CONFINE_ALWAYS(read),
	CONFINE_ALWAYS(write),
	CONFINE_ALWAYS(recvmsg),
	CONFINE_ALWAYS(sendmsg),
	CONFINE_ALWAYS(sendto),
	/* files by descriptor */
	CONFINE_ALWAYS(close),
	CONFINE_ALWAYS(copy_file_range),
	CONFINE_ALWAYS(fallocate),
	CONFINE_IS(fcntl, 1, F_DUPFD_CLOEXEC),
	CONFINE_BOTH(fcntl, 1, F_SETFD, 2, FD_CLOEXEC), /* musl, behind that */
	CONFINE_ALWAYS(fdatasync),
	CONFINE_ALWAYS(fstatfs),
	CONFINE_ALWAYS(fsync),
	CONFINE_ALWAYS(ftruncate),
	CONFINE_ALWAYS(getdents64),
	CONFINE_ALWAYS(lseek),
	CONFINE_ALWAYS(preadv),
	CONFINE_ALWAYS(pwritev2),
	CONFINE_ALWAYS(syncfs),
	/* files by name */
	CONFINE_ALWAYS(fchmodat),
	CONFINE_ALWAYS(fchownat),
	CONFINE_ALWAYS(getxattr),
	CONFINE_ALWAYS(linkat),
	CONFINE_ALWAYS(listxattr),
	CONFINE_ALWAYS(mkdirat),
	CONFINE_IF(mknodat, 2, S_IFMT, S_IFREG),
	CONFINE_IF(mknodat, 2, S_IFMT, S_IFIFO),
	CONFINE_IF(mknodat, 2, S_IFMT, S_IFSOCK),
	CONFINE_ALWAYS(openat),
	CONFINE_ALWAYS(openat2),
	CONFINE_ALWAYS(readlinkat),
	CONFINE_ALWAYS(removexattr),
	CONFINE_ALWAYS(renameat), /* renameat2(3) without flags */
	CONFINE_ALWAYS(renameat2),
	CONFINE_ALWAYS(setxattr),
	CONFINE_ALWAYS(statx),
	CONFINE_ALWAYS(symlinkat),
	CONFINE_ALWAYS(unlinkat),
	CONFINE_ALWAYS(utimensat),
	/* the caller's identity */
	CONFINE_ALWAYS(capset),
	CONFINE_ALWAYS(setfsgid),
	CONFINE_ALWAYS(setfsuid),
	/* the C library */
	CONFINE_ALWAYS(brk),
	CONFINE_ALWAYS(clock_gettime),
	CONFINE_ALWAYS(exit_group),
	CONFINE_ALWAYS(madvise),
	CONFINE_NO_PROT_EXEC(mmap),
	CONFINE_NO_PROT_EXEC(mprotect),
	CONFINE_ALWAYS(mremap),
	CONFINE_ALWAYS(munmap),
	CONFINE_ALWAYS(restart_syscall),
	CONFINE_ALWAYS(rt_sigreturn),
	/* a sanitizer, in builds with one */
	CONFINE_ALWAYS(sigaltstack),
};

const struct confine_table fsd_cell_calls = {rules, ARRAY_SIZE(rules)};
