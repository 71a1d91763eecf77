/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and bytes of a saved machine, little-endian, one behind the other, in sections. Writing
 * appends to a buffer. Reading is bounded and takes nothing for granted: what is not there reads as
 * zero and marks the reader as failed, which is asked once at the end of each section.
 */
#ifndef HULL_MICROVM_STATE_H
#define HULL_MICROVM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* A change of what a section holds wants a new SNAPSHOT_VERSION (snapshot.h). */
enum state_section {
	STATE_MACHINE = 1, /* sizes, and what the memory file holds */
	STATE_CPU,         /* one a processor */
	STATE_IRQCHIP,
	STATE_CLOCK,
	STATE_SERIAL,
	STATE_DEVICE, /* one a device */
};

/* ---- writing ---- */

void state_put_u8(struct buf *b, uint8_t value);
void state_put_u16(struct buf *b, uint16_t value);
void state_put_u32(struct buf *b, uint32_t value);
void state_put_u64(struct buf *b, uint64_t value);
void state_put_bytes(struct buf *b, const void *data, size_t len); /* as many as the reader knows */
void state_put_block(struct buf *b, const void *data, size_t len); /* with their number */

/* A section: everything that is put between the two. */
size_t state_begin(struct buf *b, enum state_section type);
void state_end(struct buf *b, size_t begun);

/* ---- reading ---- */

struct state_in {
	const uint8_t *at;
	size_t left;
	bool failed;
};

uint8_t state_u8(struct state_in *in);
uint16_t state_u16(struct state_in *in);
uint32_t state_u32(struct state_in *in);
uint64_t state_u64(struct state_in *in);
void state_bytes(struct state_in *in, void *ret, size_t len);
/* Borrowed; NULL when it is cut, or longer than max. */
const uint8_t *state_block(struct state_in *in, size_t max, size_t *ret_len);

/* The next section, which has to be this one. */
int state_open(struct state_in *in, enum state_section type, struct state_in *ret,
	       struct err *err) MUST_CHECK;
/* All of it has been read, and there was no more. */
int state_close(const struct state_in *in, const char *what, struct err *err) MUST_CHECK;

/* ---- checksums: against bits that changed by themselves, not against people ---- */

#define STATE_CHECKSUM_INIT 0xcbf29ce484222325ull

/* Goes on from sum; len is a multiple of 8 in all calls but the last. */
uint64_t state_checksum(uint64_t sum, const void *data, size_t len);

#endif
