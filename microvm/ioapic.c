/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two registers are addressed: a select, and a window on what it selects (82093AA data sheet, 3.1).
 * They are 32 bits wide; another access reads as zero and writes nothing, as does a register that
 * there is not.
 *
 * A device's interrupt is an edge here, as KVM's irqfd makes it, whatever the guest configures a pin
 * for: nothing is ever pending and Remote IRR stays zero. So a pin is no more than the message that
 * its edge becomes. Only what interrupts are delivered by makes one (fixed, lowest priority): a
 * guest that wants an NMI, SMI or INIT of a device gets nothing.
 */
#include "microvm/ioapic.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define SELECT 0x00
#define WINDOW 0x10

enum { REG_ID, REG_VERSION, REG_ARBITRATION, REG_PINS = 0x10 };

#define VERSION  0x11
#define ID_SHIFT 24
#define ID_MASK  0xfu

/* Of a redirection entry. */
#define PIN_VECTOR      0xffull
#define PIN_MODE        0x700ull
#define PIN_LOGICAL     (1ull << 11)
#define PIN_MASKED      (1ull << 16)
#define PIN_DESTINATION 56
#define PIN_WRITABLE    0xff0000000001afffull /* not: delivery status, Remote IRR */
#define MODE_LOWEST     0x100ull
#define FIRST_VECTOR    16 /* those below are the processor's own */

#define MSI_ADDRESS     0xfee00000u
#define MSI_DESTINATION 12
#define MSI_LOGICAL     (1u << 2)

void ioapic_init(struct ioapic *ioapic, void (*changed)(void *arg, const struct ioapic *ioapic),
		 void *arg)
{
	*ioapic = (struct ioapic){.n_pins = IOAPIC_PINS, .changed = changed, .arg = arg};
	pthread_mutex_init(&ioapic->lock, NULL);
	for (unsigned int i = 0; i < IOAPIC_PINS; i++)
		ioapic->pins[i] = PIN_MASKED;
}

void ioapic_release(struct ioapic *ioapic)
{
	pthread_mutex_destroy(&ioapic->lock);
}

struct ioapic_message ioapic_message(const struct ioapic *ioapic, unsigned int pin)
{
	uint64_t entry = ioapic->pins[pin];
	uint32_t destination = (uint32_t)(entry >> PIN_DESTINATION);

	if (entry & PIN_MASKED || (entry & PIN_MODE) > MODE_LOWEST ||
	    (entry & PIN_VECTOR) < FIRST_VECTOR)
		return (struct ioapic_message){.wanted = false};
	return (struct ioapic_message){
		.wanted = true,
		.address = MSI_ADDRESS | destination << MSI_DESTINATION |
			   (entry & PIN_LOGICAL ? MSI_LOGICAL : 0),
		.data = (uint32_t)(entry & (PIN_MODE | PIN_VECTOR)),
	};
}

/* NULL: the selected register is none of a pin. */
static uint64_t *selected_pin(struct ioapic *ioapic)
{
	uint32_t n = (ioapic->index - REG_PINS) / 2;

	return ioapic->index >= REG_PINS && n < ioapic->n_pins ? &ioapic->pins[n] : NULL;
}

static bool selected_high(const struct ioapic *ioapic)
{
	return ioapic->index & 1;
}

static uint32_t read_selected(struct ioapic *ioapic)
{
	const uint64_t *pin = selected_pin(ioapic);

	if (pin)
		return (uint32_t)(selected_high(ioapic) ? *pin >> 32 : *pin);
	switch (ioapic->index) {
	case REG_ID:
	case REG_ARBITRATION:
		return ioapic->id << ID_SHIFT;
	case REG_VERSION:
		return VERSION | (ioapic->n_pins - 1) << 16;
	default:
		return 0;
	}
}

static bool same(struct ioapic_message a, struct ioapic_message b)
{
	return a.wanted == b.wanted && a.address == b.address && a.data == b.data;
}

static void write_pin(struct ioapic *ioapic, uint64_t *pin, uint32_t value)
{
	unsigned int n = (unsigned int)(pin - ioapic->pins);
	struct ioapic_message before = ioapic_message(ioapic, n);

	if (selected_high(ioapic))
		*pin = (*pin & 0xffffffffull) | (uint64_t)value << 32;
	else
		*pin = (*pin & ~0xffffffffull) | value;
	*pin &= PIN_WRITABLE;
	if (!same(before, ioapic_message(ioapic, n)))
		ioapic->changed(ioapic->arg, ioapic);
}

static void write_selected(struct ioapic *ioapic, uint32_t value)
{
	uint64_t *pin = selected_pin(ioapic);

	if (pin)
		write_pin(ioapic, pin, value);
	else if (ioapic->index == REG_ID)
		ioapic->id = value >> ID_SHIFT & ID_MASK;
}

void ioapic_read(void *arg, uint64_t offset, uint8_t *data, uint32_t len)
{
	struct ioapic *ioapic = arg;
	uint32_t value;

	memset(data, 0, len);
	if (len != sizeof(value) || (offset != SELECT && offset != WINDOW))
		return;
	pthread_mutex_lock(&ioapic->lock);
	value = offset == SELECT ? ioapic->index : read_selected(ioapic);
	pthread_mutex_unlock(&ioapic->lock);
	memcpy(data, &value, sizeof(value));
}

void ioapic_write(void *arg, uint64_t offset, const uint8_t *data, uint32_t len)
{
	struct ioapic *ioapic = arg;
	uint32_t value;

	if (len != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	pthread_mutex_lock(&ioapic->lock);
	if (offset == SELECT)
		ioapic->index = value & 0xff;
	else if (offset == WINDOW)
		write_selected(ioapic, value);
	pthread_mutex_unlock(&ioapic->lock);
}

/* ---- saved and made again ---- */

void ioapic_save(const struct ioapic *ioapic, struct buf *ret)
{
	state_put_u32(ret, ioapic->n_pins);
	state_put_u32(ret, ioapic->index);
	state_put_u32(ret, ioapic->id);
	for (unsigned int i = 0; i < IOAPIC_PINS; i++)
		state_put_u64(ret, ioapic->pins[i]);
}

int ioapic_restore(struct ioapic *ioapic, struct state_in *in, struct err *err)
{
	uint32_t n_pins = state_u32(in);

	if (n_pins < 1 || n_pins > IOAPIC_PINS)
		return err_set(err, EINVAL, "an I/O APIC with %u pins", n_pins);
	pthread_mutex_lock(&ioapic->lock);
	ioapic->n_pins = n_pins;
	ioapic->index = state_u32(in) & 0xff;
	ioapic->id = state_u32(in) & ID_MASK;
	for (unsigned int i = 0; i < IOAPIC_PINS; i++)
		ioapic->pins[i] = state_u64(in) & PIN_WRITABLE;
	ioapic->changed(ioapic->arg, ioapic);
	pthread_mutex_unlock(&ioapic->lock);
	return 0;
}
