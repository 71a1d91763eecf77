/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/x86/mptable.h"

#include <errno.h>
#include <string.h>

#include "microvm/ioapic.h"
#include "microvm/x86/layout.h"

/* Chapter 4: everything is little-endian and packed. */
struct floating {
	char signature[4]; /* "_MP_" */
	uint32_t table;
	uint8_t length, revision, checksum, feature[5];
} __attribute__((packed));

struct header {
	char signature[4]; /* "PCMP" */
	uint16_t length;
	uint8_t revision, checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_size, entries;
	uint32_t local_apic;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
} __attribute__((packed));

struct processor {
	uint8_t type, id, version, flags;
	uint32_t signature, features, reserved[2];
} __attribute__((packed));

struct bus_entry {
	uint8_t type, id;
	char name[6];
} __attribute__((packed));

struct ioapic_entry {
	uint8_t type, id, version, flags;
	uint32_t address;
} __attribute__((packed));

struct line {
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, bus_irq, apic, pin;
} __attribute__((packed));

enum { ENTRY_PROCESSOR, ENTRY_BUS, ENTRY_IOAPIC, ENTRY_LINE, ENTRY_LOCAL_LINE };
enum { LINE_INT = 0, LINE_NMI = 1, LINE_EXTINT = 3 };

#define CPU_ENABLED   1
#define CPU_BOOT      2
#define APIC_VERSION  0x14
#define ALL_APICS     0xff
#define SPEC_REVISION 4 /* 1.4 */

_Static_assert(sizeof(struct floating) + sizeof(struct header) +
			       MPTABLE_MAX_CPUS * sizeof(struct processor) +
			       sizeof(struct bus_entry) + sizeof(struct ioapic_entry) +
			       (IOAPIC_PINS + 2) * sizeof(struct line) <=
		       LAYOUT_MPTABLE_SIZE,
	       "the table has to fit where kernels look for it");

struct writer {
	uint8_t *at;
	uint16_t entries;
};

static void put(struct writer *w, const void *entry, size_t size)
{
	memcpy(w->at, entry, size);
	w->at += size;
	w->entries++;
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	unsigned int sum = 0;

	while (n--)
		sum += *p++;
	return (uint8_t)-sum;
}

static void put_entries(struct writer *w, const struct mptable *t)
{
	uint8_t ioapic_id = (uint8_t)t->cpus;

	for (unsigned int i = 0; i < t->cpus; i++)
		put(w,
		    &(struct processor){.type = ENTRY_PROCESSOR,
					.id = (uint8_t)i,
					.version = APIC_VERSION,
					.flags = CPU_ENABLED | (i == 0 ? CPU_BOOT : 0),
					.signature = 0x600,
					.features = 0x201}, /* an APIC and a FPU */
		    sizeof(struct processor));
	put(w, &(struct bus_entry){ENTRY_BUS, 0, {'I', 'S', 'A', ' ', ' ', ' '}},
	    sizeof(struct bus_entry));
	put(w, &(struct ioapic_entry){ENTRY_IOAPIC, ioapic_id, 0x11, 1, LAYOUT_IOAPIC},
	    sizeof(struct ioapic_entry));
	/* Flags 0 are those of the bus: edge-triggered, active high, as irqfd drives them. */
	for (uint8_t pin = 0; pin < IOAPIC_PINS; pin++) {
		if (t->lines >> pin & 1)
			put(w, &(struct line){ENTRY_LINE, LINE_INT, 0, 0, pin, ioapic_id, pin},
			    sizeof(struct line));
	}
	if (t->pic)
		put(w, &(struct line){ENTRY_LOCAL_LINE, LINE_EXTINT, 0, 0, 0, ALL_APICS, 0},
		    sizeof(struct line));
	put(w, &(struct line){ENTRY_LOCAL_LINE, LINE_NMI, 0, 0, 0, ALL_APICS, 1},
	    sizeof(struct line));
}

int mptable_write(const struct guest_memory *m, const struct mptable *t, struct err *err)
{
	uint8_t *base = guest_at(m, LAYOUT_MPTABLE, LAYOUT_MPTABLE_SIZE, true);

	if (!base)
		return err_set(err, EINVAL, "the guest's memory is too small for its tables");
	if (t->cpus == 0 || t->cpus > MPTABLE_MAX_CPUS)
		return err_set(err, EINVAL, "%u processors: 1 to %d are possible", t->cpus,
			       MPTABLE_MAX_CPUS);
	memset(base, 0, LAYOUT_MPTABLE_SIZE);

	struct floating f = {
		.signature = {'_', 'M', 'P', '_'},
		.table = (uint32_t)(LAYOUT_MPTABLE + sizeof(f)),
		.length = 1,
		.revision = SPEC_REVISION,
	};
	struct header h = {
		.signature = {'P', 'C', 'M', 'P'},
		.revision = SPEC_REVISION,
		.oem = {'H', 'U', 'L', 'L', ' ', ' ', ' ', ' '},
		.product = {'M', 'I', 'C', 'R', 'O', 'V', 'M', ' ', ' ', ' ', ' ', ' '},
		.local_apic = (uint32_t)LAYOUT_LAPIC,
	};
	uint8_t *table = base + sizeof(f);
	struct writer w = {.at = table + sizeof(h)};

	put_entries(&w, t);
	h.length = (uint16_t)(w.at - table);
	h.entries = w.entries;
	memcpy(table, &h, sizeof(h));
	((struct header *)table)->checksum = checksum(table, h.length);
	memcpy(base, &f, sizeof(f));
	((struct floating *)base)->checksum = checksum(base, sizeof(f));
	return 0;
}
