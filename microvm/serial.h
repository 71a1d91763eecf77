/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550 serial port that only sends, for the kernel's messages when a VM is debugged. Each byte
 * costs two exits, so a VM has none unless it is asked for.
 */
#ifndef HULL_MICROVM_SERIAL_H
#define HULL_MICROVM_SERIAL_H

#include <pthread.h>
#include <stdint.h>

#define SERIAL_PORT  0x3f8
#define SERIAL_PORTS 8
#define SERIAL_IRQ   4 /* never raised */

struct serial {
	int fd; /* -1: there is no port */
	uint8_t ier, lcr, mcr, scratch, dll, dlm;
};

uint8_t serial_read(struct serial *s, unsigned int offset);
void serial_write(struct serial *s, unsigned int offset, uint8_t value);

#endif
