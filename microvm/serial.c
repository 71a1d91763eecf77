/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/serial.h"

#include <unistd.h>

enum { REG_DATA, REG_IER, REG_IIR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

#define LCR_DLAB    0x80
#define IIR_NONE    0x01
#define LSR_SENT    0x60 /* transmitter empty */
#define MSR_PRESENT 0xb0 /* carrier, data set ready, clear to send */

uint8_t serial_read(struct serial *s, unsigned int offset)
{
	if (s->fd < 0)
		return 0xff;
	switch (offset) {
	case REG_DATA:
		return s->lcr & LCR_DLAB ? s->dll : 0;
	case REG_IER:
		return s->lcr & LCR_DLAB ? s->dlm : s->ier;
	case REG_IIR:
		return IIR_NONE;
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return LSR_SENT;
	case REG_MSR:
		return MSR_PRESENT;
	case REG_SCRATCH:
		return s->scratch;
	default:
		return 0xff;
	}
}

void serial_write(struct serial *s, unsigned int offset, uint8_t value)
{
	if (s->fd < 0)
		return;
	switch (offset) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB)
			s->dll = value;
		else /* a reader that is slow or gone loses output, the guest does not wait */
			(void)!write(s->fd, &value, 1);
		break;
	case REG_IER:
		if (s->lcr & LCR_DLAB)
			s->dlm = value;
		else
			s->ier = value & 0xf;
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value;
		break;
	case REG_SCRATCH:
		s->scratch = value;
		break;
	default:
		break;
	}
}
