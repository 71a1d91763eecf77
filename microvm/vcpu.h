/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual processor: a thread that runs the guest and serves its exits. It can be stopped between
 * two instructions of the guest (pause), and it ends with the VM.
 */
#ifndef HULL_MICROVM_VCPU_H
#define HULL_MICROVM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "microvm/microvm.h"

struct vm;
struct kvm_run;

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	_Atomic pid_t tid; /* 0: it has yet to look whether it may run */
	bool unfinished; /* KVM_RUN has returned an exit, and was not called since */
};

int vcpu_new(struct vm *vm, unsigned int index, struct vcpu *ret, struct err *err) MUST_CHECK;
int vcpu_start(struct vcpu *v, struct err *err) MUST_CHECK;
void vcpu_kick(struct vcpu *v); /* makes KVM_RUN return soon; from any thread */
void vcpu_join(struct vcpu *v);
void vcpu_free(struct vcpu *v);

/* Once a process, before the first vcpu_start: the signal that interrupts KVM_RUN. */
int vcpu_signal_set_up(struct err *err) MUST_CHECK;

#endif
