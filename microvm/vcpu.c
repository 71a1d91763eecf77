/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM_RUN and its exits. What a guest does wrong (unknown ports and addresses, odd widths) is
 * ignored; what KVM cannot emulate ends the VM with a line that says so.
 *
 * To leave the guest from another thread: attention is set, then a signal with an empty handler is
 * sent, which sets immediate_exit, so that neither order of the two with KVM_RUN loses it (linux:
 * Documentation/virt/kvm/api.rst, immediate_exit).
 */
#include "microvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "microvm/vm_internal.h"

#define PORT_KEYBOARD 0x64
#define PULSE_RESET   0xfe

static _Thread_local struct kvm_run *own_run;

/*
 * The same signal from elsewhere may land on a processor's thread, too: it is the main thread's,
 * which blocks it when it wants to know.
 */
static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (!own_run)
		return;
	if (info->si_code == SI_TKILL && info->si_pid == getpid())
		own_run->immediate_exit = 1;
	else
		(void)syscall(SYS_tgkill, getpid(), getpid(), signal);
}

static int kick_signal(void)
{
	return SIGRTMIN;
}

int vcpu_signal_set_up(struct err *err)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	sigset_t mask;
	int rc;

	sigemptyset(&sa.sa_mask);
	/* With the first handler musl lets its own signals through. */
	(void)sys_sigmask(SIG_SETMASK, NULL, &mask);
	rc = sigaction(kick_signal(), &sa, NULL) < 0 ? err_sys(err, "sigaction") : 0;
	(void)sys_sigmask(SIG_SETMASK, &mask, NULL);
	return rc;
}

int vcpu_new(struct vm *vm, unsigned int index, struct vcpu *ret, struct err *err)
{
	void *run;

	*ret = (struct vcpu){.vm = vm, .index = index, .fd = -1};
	ret->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (ret->fd < 0)
		return err_sys(err, "KVM_CREATE_VCPU %u", index);
	run = mmap(NULL, vm->kvm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, ret->fd, 0);
	if (run == MAP_FAILED) {
		int rc = err_sys(err, "map processor %u", index);

		fd_replace(&ret->fd, -1);
		return rc;
	}
	/* What has no page of it keeps no machine alive: the last to let go waits for KVM to take it down. */
	(void)madvise(run, vm->kvm.run_size, MADV_DONTFORK);
	ret->run = run;
	return 0;
}

void vcpu_free(struct vcpu *v)
{
	munmap(v->run, v->vm->kvm.run_size);
	fd_replace(&v->fd, -1);
}

static void port_write(struct vcpu *v, uint16_t port, uint8_t value)
{
	if (port >= SERIAL_PORT && port < SERIAL_PORT + SERIAL_PORTS)
		serial_write(&v->vm->serial, port - SERIAL_PORT, value);
	else if (port == PORT_KEYBOARD && value == PULSE_RESET)
		vm_ended(v->vm, VM_RESET, "the guest asked for a reset");
}

static uint8_t port_read(struct vcpu *v, uint16_t port)
{
	if (port >= SERIAL_PORT && port < SERIAL_PORT + SERIAL_PORTS)
		return serial_read(&v->vm->serial, port - SERIAL_PORT);
	/* The keyboard controller takes commands at once: a guest waits for that before a reset. */
	return port == PORT_KEYBOARD ? 0 : 0xff;
}

/* Wider accesses and string operations go byte by byte to the same port, which suits what is here. */
static void on_io(struct vcpu *v)
{
	struct kvm_run *r = v->run;
	uint8_t *data = (uint8_t *)r + r->io.data_offset;
	size_t n = (size_t)r->io.size * r->io.count;

	if (r->io.data_offset > v->vm->kvm.run_size || n > v->vm->kvm.run_size - r->io.data_offset)
		return;
	for (size_t i = 0; i < n; i += r->io.size) {
		if (r->io.direction == KVM_EXIT_IO_OUT) {
			port_write(v, r->io.port, data[i]);
			continue;
		}
		memset(data + i, 0xff, r->io.size);
		data[i] = port_read(v, r->io.port);
	}
}

static void on_mmio(struct vcpu *v)
{
	struct kvm_run *r = v->run;
	uint32_t len = r->mmio.len > sizeof(r->mmio.data) ? sizeof(r->mmio.data) : r->mmio.len;

	if (r->mmio.is_write)
		bus_write(&v->vm->memory_bus, r->mmio.phys_addr, r->mmio.data, len);
	else
		bus_read(&v->vm->memory_bus, r->mmio.phys_addr, r->mmio.data, len);
}

static void on_exit_of_guest(struct vcpu *v)
{
	struct vm *vm = v->vm;
	struct kvm_run *r = v->run;

	switch (r->exit_reason) {
	case KVM_EXIT_IO:
		on_io(v);
		break;
	case KVM_EXIT_MMIO:
		on_mmio(v);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		vm_ended(vm, VM_SHUTDOWN, "processor %u broke down (triple fault)", v->index);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		if (r->system_event.type == KVM_SYSTEM_EVENT_CRASH)
			vm_ended(vm, VM_FAILED, "the guest reports a crash");
		else
			vm_ended(vm, VM_RESET, "the guest asked for a reset");
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vm_ended(vm, VM_FAILED,
			 "processor %u cannot enter the guest (hardware reason %#llx)", v->index,
			 r->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		vm_ended(vm, VM_FAILED, "KVM cannot go on with processor %u (internal error %u)",
			 v->index, r->internal.suberror);
		break;
	default:
		vm_ended(vm, VM_FAILED, "unexpected exit %u of processor %u", r->exit_reason,
			 v->index);
		break;
	}
}

/*
 * What an access led to reaches the guest's registers with the next KVM_RUN, which with immediate_exit
 * does just that (api.rst, KVM_RUN). Until then the processor's state is not one to be saved. One
 * access may be several exits.
 */
static void finish_exit(struct vcpu *v)
{
	while (v->unfinished) {
		v->run->immediate_exit = 1;
		v->unfinished = ioctl(v->fd, KVM_RUN, 0) == 0;
		if (v->unfinished)
			on_exit_of_guest(v);
	}
}

static void run(struct vcpu *v)
{
	struct vm *vm = v->vm;

	for (;;) {
		if (atomic_load(&vm->attention)) {
			finish_exit(v);
			if (!vm_may_run(vm))
				return;
			v->run->immediate_exit = 0;
			/* Called again in between: the signal that came with it is used up. */
			if (atomic_load(&vm->attention))
				continue;
		}
		if (ioctl(v->fd, KVM_RUN, 0) < 0) {
			v->unfinished = false;
			if (errno == EINTR || errno == EAGAIN) {
				v->run->immediate_exit = 0;
				continue;
			}
			vm_ended(vm, VM_FAILED, "KVM_RUN of processor %u: %s", v->index,
				 strerrordesc_np(errno));
			return;
		}
		v->unfinished = true;
		on_exit_of_guest(v);
	}
}

static void *cpu_main(void *arg)
{
	struct vcpu *v = arg;
	struct err e = ERR_INIT;
	char name[16];
	sigset_t kick;

	snprintf(name, sizeof(name), "hull-cpu%u", v->index);
	if (vm_enter_thread(v->vm, name, JAIL_CPU, &e) < 0) {
		vm_ended(v->vm, VM_FAILED, "%s", e.msg);
		return NULL;
	}
	own_run = v->run;
	sigemptyset(&kick);
	sigaddset(&kick, kick_signal());
	(void)sys_sigmask(SIG_UNBLOCK, &kick, NULL);
	atomic_store(&v->tid, gettid());
	run(v);
	return NULL;
}

int vcpu_start(struct vcpu *v, struct err *err)
{
	int rc = vm_create_thread(&v->thread, cpu_main, v);

	if (rc)
		return err_code(err, rc, "start the thread of processor %u", v->index);
	v->started = true;
	return 0;
}

void vcpu_kick(struct vcpu *v)
{
	/* Not pthread_kill, for which a C library may use tkill(2): that one reaches any process. */
	pid_t tid = atomic_load(&v->tid);

	if (tid)
		(void)syscall(SYS_tgkill, getpid(), tid, kick_signal());
}

void vcpu_join(struct vcpu *v)
{
	if (v->started)
		pthread_join(v->thread, NULL);
	v->started = false;
}
