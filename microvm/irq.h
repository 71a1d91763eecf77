/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM's interrupt controllers and lines. Private to microvm/. */
#ifndef HULL_MICROVM_IRQ_H
#define HULL_MICROVM_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "microvm/ioapic.h"

struct vm;

struct irq {
	bool split; /* the I/O APIC is ours and there is no PIC; else KVM has both */
	struct ioapic ioapic;
};

void irq_init(struct vm *vm);
void irq_release(struct vm *vm);

/* After the memory slots, before the processors. */
int irq_set_up(struct vm *vm, struct err *err) MUST_CHECK;

/* Before the processors run: a bit for each line that is used, of IOAPIC_PINS. */
void irq_set_lines(struct vm *vm, uint32_t lines);

/* With which of the two kinds it is; a VM of the other kind cannot be made of it. */
int irq_save(struct vm *vm, struct buf *ret, struct err *err) MUST_CHECK;
int irq_restore(struct vm *vm, struct state_in *in, struct err *err) MUST_CHECK;

/* From now on a write to the eventfd is an edge on the line (pin of the I/O APIC). */
int irq_connect(struct vm *vm, unsigned int line, int fd, struct err *err) MUST_CHECK;

#endif
