/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An I/O APIC (Intel 82093AA) whose inputs are edges: what a guest writes to its registers, and the
 * message that an edge at a pin becomes. It knows nothing of KVM.
 */
#ifndef HULL_MICROVM_IOAPIC_H
#define HULL_MICROVM_IOAPIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "microvm/state.h"

#define IOAPIC_PINS 24     /* at most */
#define IOAPIC_SIZE 0x1000 /* of its window */

/* What a local APIC is told, in the format of an MSI (Intel SDM 3A, 11.11). */
struct ioapic_message {
	bool wanted; /* false: an edge leads to nothing */
	uint32_t address, data;
};

struct ioapic {
	pthread_mutex_t lock;
	unsigned int n_pins; /* at most IOAPIC_PINS; a guest goes through all of them at boot */
	uint32_t index;      /* the register that the data window shows */
	uint32_t id;
	uint64_t pins[IOAPIC_PINS];
	/*
	 * A pin's message has become another one. Called with the lock held, so the last call has
	 * the last word.
	 */
	void (*changed)(void *arg, const struct ioapic *ioapic);
	void *arg;
};

void ioapic_init(struct ioapic *ioapic, void (*changed)(void *arg, const struct ioapic *ioapic),
		 void *arg);
void ioapic_release(struct ioapic *ioapic);

/* pin < IOAPIC_PINS */
struct ioapic_message ioapic_message(const struct ioapic *ioapic, unsigned int pin);

/* No processor runs. Restoring has changed called, once. */
void ioapic_save(const struct ioapic *ioapic, struct buf *ret);
int ioapic_restore(struct ioapic *ioapic, struct state_in *in, struct err *err) MUST_CHECK;

/* A guest's accesses to the window, for struct bus_window; data is little-endian. */
void ioapic_read(void *ioapic, uint64_t offset, uint8_t *data, uint32_t len);
void ioapic_write(void *ioapic, uint64_t offset, const uint8_t *data, uint32_t len);

#endif
