/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers for the guest. A number is a slot and how often the slot was emptied before, so one that is
 * out of date or made up finds nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "microvm/fsd/internal.h"

#define FIRST_SIZE 64

/* Slot 0 is never used. */
static int grow(struct fsd_ids *t)
{
	uint32_t size = t->size ? t->size * 2 : FIRST_SIZE;
	struct fsd_id_slot *slots;

	if (size <= t->size)
		return -1;
	slots = mem_try_calloc(size, sizeof(*slots));
	if (!slots)
		return -1;
	if (t->slots)
		memcpy(slots, t->slots, t->n * sizeof(*slots));
	free(t->slots);
	t->slots = slots;
	t->size = size;
	if (!t->n)
		t->n = 1;
	return 0;
}

int fsd_ids_reserve(struct fsd_ids *t, uint32_t n)
{
	while (t->size < n)
		if (grow(t) < 0)
			return -1;
	if (t->n < n)
		t->n = n;
	t->free = 0;
	return 0;
}

int fsd_id_place(struct fsd_ids *t, uint64_t id, void *object)
{
	uint32_t slot = (uint32_t)id;

	if (!slot || slot >= t->n || t->slots[slot].object ||
	    t->slots[slot].generation != id >> 32)
		return -1;
	t->slots[slot].object = object;
	return 0;
}

void fsd_ids_free_rest(struct fsd_ids *t)
{
	t->free = 0;
	for (uint32_t slot = t->n; slot-- > 1;) {
		if (t->slots[slot].object)
			continue;
		t->slots[slot].next_free = t->free;
		t->free = slot;
	}
}

uint64_t fsd_id_add(struct fsd_ids *t, void *object)
{
	uint32_t slot = t->free;

	if (slot) {
		t->free = t->slots[slot].next_free;
	} else {
		if (t->n == t->size && grow(t) < 0)
			return 0;
		slot = t->n++;
	}
	t->slots[slot].object = object;
	return (uint64_t)t->slots[slot].generation << 32 | slot;
}

void *fsd_id_get(const struct fsd_ids *t, uint64_t id)
{
	uint32_t slot = (uint32_t)id;

	if (slot >= t->n || t->slots[slot].generation != id >> 32)
		return NULL;
	return t->slots[slot].object;
}

void fsd_id_remove(struct fsd_ids *t, uint64_t id)
{
	uint32_t slot = (uint32_t)id;

	t->slots[slot].object = NULL;
	t->slots[slot].generation++;
	t->slots[slot].next_free = t->free;
	t->free = slot;
}
