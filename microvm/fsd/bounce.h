/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How requests reach a file server that cannot map the guest's memory, because it is private to
 * hull-vmm: they are copied into a window of memory that the two share, and answers out of it. A
 * request is one message on a socket that keeps messages apart, and so is its answer; as many may be
 * under way as the window has slots, and the server answers them in turn.
 */
#ifndef HULL_MICROVM_FSD_BOUNCE_H
#define HULL_MICROVM_FSD_BOUNCE_H

#include <stdint.h>

#define BOUNCE_SLOTS       4u /* one is served while others are filled and emptied */
#define BOUNCE_SLOT_SIZE   ((1u << 20) + (256u << 10)) /* data of the longest request, and its rest */
#define BOUNCE_WINDOW_SIZE ((size_t)BOUNCE_SLOTS * BOUNCE_SLOT_SIZE)

/* In the slot lie out_len bytes for the server; behind them is room for in_len of its answer. */
struct bounce_request {
	uint32_t slot, out_len, in_len;
};

struct bounce_answer {
	uint32_t slot, written;
};

#endif
