/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an attacker tries who has taken over hull-vmm: to get at files, processes, the network, the
 * kernel's larger doors, and at code of his own. For test_jail.c and test_attacker.c.
 */
#ifndef TESTS_UNIT_MICROVM_ATTEMPTS_H
#define TESTS_UNIT_MICROVM_ATTEMPTS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/sys.h"

/* What there was before the jail, and an attacker would like to have. */
static struct {
	int socket, null, event, tcp;
	pid_t parent;
	uint16_t port;
} had;

static void remember(void)
{
	had.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	had.event = eventfd(0, EFD_CLOEXEC);
	had.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	had.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	had.parent = getppid();
}

/* ---- attempts: 0 when it worked, else errno ---- */

static int result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int try_open(void)
{
	return result(syscall(SYS_open, "/etc/passwd", O_RDONLY));
}

static int try_openat(void)
{
	return result(syscall(SYS_openat, AT_FDCWD, "../../etc/passwd", O_RDONLY));
}

static int try_openat2(void)
{
	const struct open_how how = {.flags = O_RDONLY};

	return result(sys_openat2(AT_FDCWD, "/dev/kvm", &how, sizeof(how)));
}

static int try_create(void)
{
	return result(syscall(SYS_openat, AT_FDCWD, "/new", O_CREAT | O_RDWR, 0600));
}

static int try_proc(void)
{
	return result(syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR));
}

static int try_socket_connect(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(had.port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno : result(syscall(SYS_connect, fd, &to, sizeof(to)));
}

static int try_connect(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(had.port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return result(syscall(SYS_connect, had.tcp, &to, sizeof(to)));
}

static int try_abstract(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "\0hull-test-jail"};

	return result(syscall(SYS_connect, had.socket, &to,
			      offsetof(struct sockaddr_un, sun_path) + sizeof("\0hull-test-jail") - 1));
}

static int try_execve(void)
{
	char *argv[] = {NULL};

	return result(syscall(SYS_execve, "/bin/true", argv, argv));
}

static int try_execveat(void)
{
	char *argv[] = {NULL};

	return result(syscall(SYS_execveat, had.null, "", argv, argv, AT_EMPTY_PATH));
}

static int try_ptrace(void)
{
	return result(syscall(SYS_ptrace, PTRACE_SEIZE, had.parent, 0, 0));
}

static int try_read_parent(void)
{
	static char bytes[8];
	struct iovec here = {bytes, sizeof(bytes)}, there = {bytes, sizeof(bytes)};

	return result(syscall(SYS_process_vm_readv, had.parent, &here, 1, &there, 1, 0ul));
}

static int try_kill(void)
{
	return result(syscall(SYS_kill, had.parent, SIGCONT));
}

static int try_kill_others(void)
{
	return result(syscall(SYS_tgkill, had.parent, had.parent, SIGCONT));
}

static int try_mount(void)
{
	return result(syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
}

static int try_remount(void)
{
	return result(syscall(SYS_mount, NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int try_fsopen(void)
{
	return result(syscall(SYS_fsopen, "proc", 0));
}

static int try_unshare(void)
{
	return result(syscall(SYS_unshare, CLONE_NEWNET));
}

static int try_setns(void)
{
	return result(syscall(SYS_setns, had.null, 0));
}

static int try_chroot(void)
{
	return result(syscall(SYS_chroot, "."));
}

static int try_pivot_root(void)
{
	return result(sys_pivot_root(".", "."));
}

static int try_setuid(void)
{
	return result(syscall(SYS_setresuid, 0, 0, 0));
}

static int try_mknod(void)
{
	return result(syscall(SYS_mknodat, AT_FDCWD, "/null", S_IFCHR | 0666, 0x103));
}

static int try_tiocsti(void)
{
	return result(syscall(SYS_ioctl, 0, TIOCSTI, "x"));
}

static int try_create_vm(void)
{
	return result(syscall(SYS_ioctl, had.null, KVM_CREATE_VM, 0));
}

static int try_map_code(void)
{
	return result(syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0l));
}

static int try_make_code(void)
{
	static char page[8192];

	return result(syscall(SYS_mprotect, ((uintptr_t)page + 4095) & ~4095ull, 4096,
			      PROT_READ | PROT_EXEC));
}

static int try_bpf(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
			       .key_size = 4,
			       .value_size = 4,
			       .max_entries = 1};

	return result(sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int try_io_uring(void)
{
	struct io_uring_params p = {0};

	return result(syscall(SYS_io_uring_setup, 1, &p));
}

static int try_userfaultfd(void)
{
	return result(syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY));
}

static int try_keyctl(void)
{
	return result(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
}

static int try_fork(void)
{
	return result(syscall(SYS_fork));
}

static int try_clone(void)
{
	return result(syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0));
}

static int try_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	return result(sys_clone3(&args, sizeof(args)));
}

static int try_memfd(void)
{
	return result(syscall(SYS_memfd_create, "x", 0));
}

static int try_dumpable(void)
{
	return result(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int try_perf(void)
{
	return result(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int try_pidfd_getfd(void)
{
	return result(syscall(SYS_pidfd_getfd, had.null, 0, 0));
}

static int try_handle(void)
{
	return result(syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY));
}

static int try_fd_limit(void)
{
	const struct rlimit more = {1u << 20, 1u << 20};

	return result(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, NULL));
}

/*
 * Without a filter: the errnos that show another layer at work, "any" for what only the filters
 * refuse (or an operator's sysctl). With one: SIGSYS, always.
 */
#define ANY (-1)
static const struct attempt {
	const char *name;
	int (*fn)(void);
	int refused[3]; /* without a filter */
} attempts[] = {
	{"open", try_open, {ENOENT, EACCES}},
	{"openat", try_openat, {ENOENT, EACCES}},
	{"openat2", try_openat2, {ENOENT, EACCES}},
	{"openat O_CREAT", try_create, {EROFS, EACCES}},
	{"openat of /proc/self/mem", try_proc, {ENOENT, EACCES}},
	{"socket, connect", try_socket_connect, {ANY}},
	{"connect", try_connect, {ANY}},
	{"connect to an abstract socket", try_abstract, {ANY}},
	{"execve", try_execve, {ENOENT, EACCES}},
	{"execveat", try_execveat, {EACCES}},
	{"ptrace", try_ptrace, {EPERM}},
	{"process_vm_readv", try_read_parent, {EPERM}},
	{"kill of the parent", try_kill, {EPERM}},
	{"tgkill of the parent", try_kill_others, {EPERM}},
	{"mount", try_mount, {EPERM}},
	{"mount MS_REMOUNT", try_remount, {EPERM}},
	{"fsopen", try_fsopen, {EPERM}},
	{"unshare", try_unshare, {EPERM}},
	{"setns", try_setns, {EINVAL}},
	{"chroot", try_chroot, {EPERM}},
	{"pivot_root", try_pivot_root, {EPERM}},
	{"setresuid", try_setuid, {EPERM}},
	{"mknodat", try_mknod, {EPERM, EROFS, EACCES}},
	{"ioctl TIOCSTI", try_tiocsti, {ANY}},
	{"ioctl KVM_CREATE_VM", try_create_vm, {ANY}},
	{"mmap PROT_EXEC", try_map_code, {ANY}},
	{"mprotect PROT_EXEC", try_make_code, {ANY}},
	{"bpf", try_bpf, {ANY}},
	{"io_uring_setup", try_io_uring, {ANY}},
	{"userfaultfd", try_userfaultfd, {ANY}},
	{"keyctl", try_keyctl, {ANY}},
	{"fork", try_fork, {ANY}},
	{"clone CLONE_NEWUSER", try_clone, {ANY}},
	{"clone3", try_clone3, {ANY}},
	{"memfd_create", try_memfd, {ANY}},
	{"prctl PR_SET_DUMPABLE", try_dumpable, {ANY}},
	{"perf_event_open", try_perf, {ANY}},
	{"pidfd_getfd", try_pidfd_getfd, {ANY}},
	{"open_by_handle_at", try_handle, {EPERM, EFAULT}},
	{"prlimit64", try_fd_limit, {EPERM}},
};

#endif
