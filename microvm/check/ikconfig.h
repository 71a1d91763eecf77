/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds a kernel's embedded configuration in a stream of bytes: kernel/configs.c puts it, packed by
 * gzip, behind the mark "IKCFG_ST". The stream comes in pieces of any size.
 */
#ifndef HULL_MICROVM_CHECK_IKCONFIG_H
#define HULL_MICROVM_CHECK_IKCONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define ZLIB_CONST /* zlib.h: input is const */
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"

#define IKCONFIG_MAX (4u << 20) /* bytes of text; Debian's has 280 KiB */

struct ikconfig {
	struct buf *text; /* borrowed */
	bool found;       /* text is complete */
	bool inflating;
	size_t matched; /* bytes of the mark that the stream's end has */
	unsigned int false_marks;
	z_stream z;
};

void ikconfig_init(struct ikconfig *k, struct buf *text);
void ikconfig_release(struct ikconfig *k);

/* Takes the next bytes; those behind the configuration are ignored. -EFBIG: more than IKCONFIG_MAX. */
int ikconfig_feed(struct ikconfig *k, const uint8_t *data, size_t len, struct err *err) MUST_CHECK;

#endif
