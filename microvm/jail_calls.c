/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls of each kind of hull-vmm's threads. None opens a file, makes a socket to the
 * outside, a process or a mapping with code. What strace(1) showed in the tests of virtual machines
 * is here; a call that only the C library makes says when.
 */
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "microvm/confine_rules.h"
#include "microvm/jail.h"

/* The end of a machine may begin on any thread, which then kicks the processors' (vcpu.c). */
static const struct confine_rule every_thread[] = {
	CONFINE_ALWAYS(write), /* eventfds; the guest's serial port; the log */
	CONFINE_ALWAYS(futex),
	CONFINE_ALWAYS(getpid),
	CONFINE_ALWAYS(gettid), /* vcpu.c; raise(3) of glibc */
	CONFINE_IS(tgkill, 0, CONFINE_OWN_PID),
	CONFINE_ALWAYS(rt_sigprocmask), /* the end of a thread */
	CONFINE_ALWAYS(rt_sigreturn),
	CONFINE_ALWAYS(restart_syscall), /* after the freezer of its cgroup */
	CONFINE_ALWAYS(exit),
	/* where the clock cannot be read without a call (man 7 vdso) */
	CONFINE_ALWAYS(clock_gettime),
	CONFINE_ALWAYS(gettimeofday),
	CONFINE_ALWAYS(time),
	/* memory: malloc, and the stack of a thread that ends */
	CONFINE_ALWAYS(brk),
	CONFINE_NO_PROT_EXEC(mmap),
	CONFINE_NO_PROT_EXEC(mprotect),
	CONFINE_ALWAYS(munmap),
	CONFINE_ALWAYS(madvise),
	/* a sanitizer, in builds with one */
	CONFINE_ALWAYS(sigaltstack),
};

static const struct confine_rule cpu[] = {
	CONFINE_IOCTL(KVM_RUN),
	CONFINE_IOCTL(KVM_SET_GSI_ROUTING), /* the guest sets up its I/O APIC (irq.c) */
};

static const struct confine_rule io[] = {
	CONFINE_ALWAYS(epoll_wait),
	CONFINE_IS(epoll_pwait, 4, 0), /* epoll_wait(2) of musl */
	CONFINE_ALWAYS(epoll_ctl),
	CONFINE_ALWAYS(read),            /* eventfds, timers */
	CONFINE_ALWAYS(timerfd_settime), /* connections that the guest does not answer */
	CONFINE_ALWAYS(close),
	CONFINE_ALWAYS(mremap), /* realloc of what is large */
	/* sockets: connections of the guest to the agent's side, the file server */
	CONFINE_IS(socketpair, 0, AF_UNIX),
	CONFINE_ALWAYS(recvfrom),
	CONFINE_ALWAYS(recvmsg),
	CONFINE_ALWAYS(sendmsg),
	CONFINE_ALWAYS(sendto),
	CONFINE_ALWAYS(shutdown),
	/* disks */
	CONFINE_ALWAYS(preadv),
	CONFINE_ALWAYS(pwritev),
	CONFINE_ALWAYS(pwritev2),
	CONFINE_ALWAYS(fdatasync),
	CONFINE_ALWAYS(fallocate),
	/* taps */
	CONFINE_ALWAYS(readv),
	CONFINE_ALWAYS(writev),
	CONFINE_IOCTL(TUNSETOFFLOAD),
	/* entropy */
	CONFINE_ALWAYS(getrandom),
	/* a checkpoint: what the guest knows of its files comes in one of memory (fs.c) ... */
	CONFINE_IS(memfd_create, 1, MFD_CLOEXEC),
	CONFINE_ALWAYS(lseek),
	CONFINE_ALWAYS(fstat),
	CONFINE_IS(newfstatat, 3, AT_EMPTY_PATH), /* fstat(3) */
	/* ... when the server has answered what is under way (fs_bounce.c) ... */
	CONFINE_ALWAYS(poll),
	/* ... guest memory goes into one that hull-oci has opened (saved_memory.c) ... */
	CONFINE_ALWAYS(ftruncate),
	CONFINE_ALWAYS(pwrite64),
	/* ... and the state of KVM is read (x86/saved_cpu.c, saved_irqchip.c, snapshot.c) */
	CONFINE_IOCTL(KVM_KVMCLOCK_CTRL),
	CONFINE_IOCTL(KVM_CHECK_EXTENSION),
	CONFINE_IOCTL(KVM_GET_MP_STATE),
	CONFINE_IOCTL(KVM_GET_TSC_KHZ),
	CONFINE_IOCTL(KVM_GET_CPUID2),
	CONFINE_IOCTL(KVM_GET_REGS),
	CONFINE_IOCTL(KVM_GET_SREGS),
	CONFINE_IOCTL(KVM_GET_XSAVE),
	CONFINE_IOCTL(KVM_GET_XSAVE2),
	CONFINE_IOCTL(KVM_GET_XCRS),
	CONFINE_IOCTL(KVM_GET_DEBUGREGS),
	CONFINE_IOCTL(KVM_GET_LAPIC),
	CONFINE_IOCTL(KVM_GET_MSRS),
	CONFINE_IOCTL(KVM_GET_VCPU_EVENTS),
	CONFINE_IOCTL(KVM_GET_CLOCK),
	CONFINE_IOCTL(KVM_GET_IRQCHIP),
};

static const struct confine_rule main_loop[] = {
	CONFINE_ALWAYS(epoll_wait),
	CONFINE_IS(epoll_pwait, 4, 0), /* epoll_wait(2) of musl */
	CONFINE_ALWAYS(epoll_ctl),
	CONFINE_ALWAYS(poll), /* may a stream be read that others have without O_NONBLOCK; the end */
	CONFINE_ALWAYS(timerfd_create), /* of a checkpoint */
	CONFINE_ALWAYS(timerfd_settime),
	CONFINE_ALWAYS(close),
	CONFINE_ALWAYS(mremap),
	/* streams, the control socket, the agent */
	CONFINE_IS(socketpair, 0, AF_UNIX),
	CONFINE_ALWAYS(read),
	CONFINE_ALWAYS(readv),
	CONFINE_ALWAYS(preadv2),
	CONFINE_ALWAYS(pwritev2),
	CONFINE_ALWAYS(recvfrom),
	CONFINE_ALWAYS(recvmsg),
	CONFINE_ALWAYS(sendmsg),
	CONFINE_ALWAYS(sendto),
	CONFINE_ALWAYS(shutdown),
	CONFINE_ALWAYS(accept4),
	CONFINE_IS(fcntl, 1, F_GETFL),
	CONFINE_IS(fcntl, 1, F_SETFL),
	CONFINE_IS(fcntl, 1, F_DUPFD_CLOEXEC),
	CONFINE_BOTH(fcntl, 1, F_SETFD, 2, FD_CLOEXEC), /* musl, behind that */
	CONFINE_IF(dup3, 1, ~3ull, 0), /* /dev/null in place of the standard streams */
	CONFINE_IF(dup2, 1, ~3ull, 0), /* dup3(2) of musl without flags */
	CONFINE_ALWAYS(fstat),
	CONFINE_IS(newfstatat, 3, AT_EMPTY_PATH), /* fstat(3) */
	CONFINE_ALWAYS(getrandom),                /* for the guest, at HELLO */
	/* a terminal: it is made raw, its size is the guest's */
	CONFINE_IOCTL(TCGETS),
	CONFINE_IOCTL(TCSETS),
	CONFINE_IOCTL(TIOCGWINSZ),
	/* config.json, an answer in a client's file, the kernel that did not boot */
	CONFINE_ALWAYS(lseek),
	CONFINE_ALWAYS(pread64), /* which pages a machine made again has touched (working_set.c) */
	/* the file server's end, and its own: as the container's, by the same signal */
	CONFINE_ALWAYS(wait4),
	CONFINE_ALWAYS(waitid),
	CONFINE_ALWAYS(rt_sigaction),
	CONFINE_BOTH(prctl, 0, PR_SET_DUMPABLE, 1, 0),
	CONFINE_BOTH(prctl, 0, PR_SET_PDEATHSIG, 1, 0),
	CONFINE_ALWAYS(exit_group),
};

const struct confine_table *jail_tables(enum jail_thread kind, size_t *ret_n)
{
	static const struct confine_table tables[JAIL_THREADS][2] = {
		[JAIL_MAIN] = {{main_loop, ARRAY_SIZE(main_loop)},
			       {every_thread, ARRAY_SIZE(every_thread)}},
		[JAIL_CPU] = {{cpu, ARRAY_SIZE(cpu)}, {every_thread, ARRAY_SIZE(every_thread)}},
		[JAIL_IO] = {{io, ARRAY_SIZE(io)}, {every_thread, ARRAY_SIZE(every_thread)}},
	};

	*ret_n = ARRAY_SIZE(tables[kind]);
	return tables[kind];
}
