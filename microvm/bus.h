/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest's access to a physical address without memory leads to. Windows are added before the
 * first vCPU runs and never change, so vCPU threads look them up without a lock. Nobody's address
 * reads as ones and swallows writes.
 */
#ifndef HULL_MICROVM_BUS_H
#define HULL_MICROVM_BUS_H

#include <stddef.h>
#include <stdint.h>

#define BUS_MAX_WINDOWS 32

struct bus_window {
	uint64_t base, size;
	void *device;
	void (*read)(void *device, uint64_t offset, uint8_t *data, uint32_t len);
	void (*write)(void *device, uint64_t offset, const uint8_t *data, uint32_t len);
};

struct bus {
	struct bus_window windows[BUS_MAX_WINDOWS];
	size_t n;
};

/* -1 when it is full or overlaps another: both are errors of the caller. */
int bus_add(struct bus *bus, const struct bus_window *window);
void bus_read(const struct bus *bus, uint64_t address, uint8_t *data, uint32_t len);
void bus_write(const struct bus *bus, uint64_t address, const uint8_t *data, uint32_t len);

#endif
