/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growable byte string with a NUL behind len. BUF_INIT needs no release while it is empty. */
#ifndef HULL_BASE_BUF_H
#define HULL_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
	char *data; /* never NULL after the first append; owned */
	size_t len;
	size_t cap;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		0                                                                                  \
	}

/* Makes room for len more bytes and the NUL; returns their place. The caller adds to len itself. */
char *buf_reserve(struct buf *b, size_t len) __attribute__((returns_nonnull));

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_reset(struct buf *b);            /* len = 0, keeps the memory */
char *buf_detach(struct buf *b);          /* caller frees; never NULL */
const char *buf_str(const struct buf *b); /* "" when empty */
void buf_release(struct buf *b);

static inline void buf_release_ptr(struct buf *b)
{
	buf_release(b);
}

#define BUF __attribute__((cleanup(buf_release_ptr))) struct buf

#endif
