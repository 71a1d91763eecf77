/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/bus.h"

#include <string.h>

int bus_add(struct bus *bus, const struct bus_window *window)
{
	if (bus->n == BUS_MAX_WINDOWS)
		return -1;
	for (size_t i = 0; i < bus->n; i++) {
		const struct bus_window *w = &bus->windows[i];

		if (window->base < w->base + w->size && w->base < window->base + window->size)
			return -1;
	}
	bus->windows[bus->n++] = *window;
	return 0;
}

/* The window that has all len bytes. */
static const struct bus_window *find(const struct bus *bus, uint64_t address, uint32_t len)
{
	for (size_t i = 0; i < bus->n; i++) {
		const struct bus_window *w = &bus->windows[i];

		if (address >= w->base && address - w->base < w->size &&
		    len <= w->size - (address - w->base))
			return w;
	}
	return NULL;
}

void bus_read(const struct bus *bus, uint64_t address, uint8_t *data, uint32_t len)
{
	const struct bus_window *w = find(bus, address, len);

	memset(data, 0xff, len);
	if (w)
		w->read(w->device, address - w->base, data, len);
}

void bus_write(const struct bus *bus, uint64_t address, const uint8_t *data, uint32_t len)
{
	const struct bus_window *w = find(bus, address, len);

	if (w)
		w->write(w->device, address - w->base, data, len);
}
