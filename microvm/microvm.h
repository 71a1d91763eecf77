/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine on KVM. The process that makes one gets all it needs as descriptors; it has one
 * thread a processor, one for device I/O, and the caller's own.
 *
 *   vm_new      memory and its slots, interrupt controllers, processors
 *   vm_add_*    devices
 *   vm_boot     kernel, tables, registers
 *   vm_start    the threads run
 *   vm_wait_fd  becomes readable when the VM has ended; vm_end_reason says why
 *   vm_free
 */
#ifndef HULL_MICROVM_MICROVM_H
#define HULL_MICROVM_MICROVM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "microvm/boot/boot.h"
#include "microvm/kvm.h"
#include "microvm/memory.h"

#define VM_MAX_CPUS 32

struct vm;
struct virtio_device;
struct virtio_host;

struct vm_config {
	unsigned int cpus; /* 1 to VM_MAX_CPUS */
	struct guest_memory_config memory;
	/* Memory mapped from elsewhere (pmem): its mapping outlives the VM. */
	const struct guest_region *regions;
	size_t n_regions;
	int serial_fd; /* where a serial port at 0x3f8 writes to; -1: the VM has none */
};

enum vm_end {
	VM_RUNS,
	VM_STOPPED,  /* by vm_stop */
	VM_RESET,    /* the guest asked for a reset (reboot=k) */
	VM_SHUTDOWN, /* triple fault: reboot=t, or a guest that broke */
	VM_FAILED,   /* KVM could not go on: vm_end_text */
};

/* kvm: owned from now on, also on failure. */
int vm_new(struct kvm_host *kvm, const struct vm_config *config, struct vm **ret,
	   struct err *err) MUST_CHECK;
void vm_free(struct vm *vm);

/*
 * What the next virtio device needs to be made: the loop of the I/O thread, guest memory, and its
 * interrupt line, which *ret_irq_fd (may be NULL, the VM's) raises as well when written to. Then
 * vm_add_device takes the device (owned from now on, also on failure).
 */
int vm_device_host(struct vm *vm, struct virtio_host *ret, int *ret_irq_fd,
		   struct err *err) MUST_CHECK;
int vm_add_device(struct vm *vm, struct virtio_device *d, struct err *err) MUST_CHECK;

/* The configured command line gets a virtio_mmio.device= for each device added so far. */
int vm_boot(struct vm *vm, const struct boot_config *config, struct err *err) MUST_CHECK;
/*
 * jailed: before the guest's first instruction each thread, the caller's too, has locked itself into
 * its part of the jail (jail.h), which the caller has entered.
 */
int vm_start(struct vm *vm, bool jailed, struct err *err) MUST_CHECK;

/* The eventfd is the VM's. */
int vm_wait_fd(const struct vm *vm);
enum vm_end vm_end_reason(const struct vm *vm);
const char *vm_end_text(const struct vm *vm);

void vm_stop(struct vm *vm); /* ends it as soon as possible */

/* Returns when no processor runs guest code. Devices go on with what they have. */
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

const struct guest_memory *vm_memory(const struct vm *vm);

#endif
