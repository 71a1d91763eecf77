/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vm.c and vcpu.c share. Private to microvm/. */
#ifndef HULL_MICROVM_VM_INTERNAL_H
#define HULL_MICROVM_VM_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "microvm/bus.h"
#include "microvm/irq.h"
#include "microvm/jail.h"
#include "microvm/microvm.h"
#include "microvm/serial.h"
#include "microvm/vcpu.h"
#include "microvm/virtio/device.h"
#include "microvm/x86/layout.h"

#define VM_MAX_DEVICES (LAYOUT_LAST_IRQ - LAYOUT_FIRST_IRQ + 1)

struct vm_line { /* an interrupt line */
	int fd;  /* eventfd that KVM turns into an edge */
};

struct vm {
	struct kvm_host kvm;
	int fd;
	struct guest_memory memory;
	struct bus memory_bus;
	struct irq irq;
	struct serial serial;

	struct virtio_device *devices[VM_MAX_DEVICES];
	uint8_t *registers; /* a page a device, which the guest reads without an exit */
	int acks_fd;        /* eventfd that nobody reads: acknowledged interrupts */
	struct vm_line lines[VM_MAX_DEVICES];
	unsigned int n_devices;
	bool lent; /* lines[n_devices] is made */

	struct loop *loop; /* of the I/O thread */
	struct loop_source *stop_source, *call_source;
	int stop_fd, call_fd;
	void (*call)(void *arg); /* what a processor's thread wants done by the I/O thread */
	void *call_arg;
	pthread_t io_thread;
	bool io_started, io_over;

	bool jailed; /* if not, its threads are as free as who started them */
	struct vcpu cpus[VM_MAX_CPUS];
	unsigned int n_cpus;

	/* How it ended; the first reason counts. */
	int end_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum vm_end end;
	char end_text[120];
	bool paused;
	unsigned int n_parked; /* processors that wait for the end of a pause */
	atomic_bool attention; /* paused or ended: leave the guest and look */
};

/* From any thread; the first call counts. */
void vm_ended(struct vm *vm, enum vm_end reason, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Every processor waits for the end of a pause. */
bool vm_is_parked(struct vm *vm);

/* Has the I/O thread call fn and waits for it. False: it cannot, as its loop has ended. */
bool vm_call_io_thread(struct vm *vm, void (*fn)(void *fn_arg), void *fn_arg);

/* Lays the devices' registers into the guest's address space, when there are no more to come. */
int vm_map_registers(struct vm *vm, struct err *err) MUST_CHECK;

/* As pthread_create(3): 0 or an error number. */
int vm_create_thread(pthread_t *ret, void *(*run)(void *), void *arg) MUST_CHECK;

/* First thing of a thread of vm: its name, and its part of the jail. */
int vm_enter_thread(const struct vm *vm, const char *name, enum jail_thread kind,
		    struct err *err) MUST_CHECK;

/* By a processor's thread when attention is set: waits while paused. False: the VM has ended. */
bool vm_may_run(struct vm *vm);

#endif
