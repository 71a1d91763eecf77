/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation. mem_x* abort when memory is out and serve sizes that hull chose; mem_try_* return
 * NULL and serve sizes that come from outside. An arena owns many small objects that die together.
 */
#ifndef HULL_BASE_MEM_H
#define HULL_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/err.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void mem_free_ptr(void *p)
{
	free(*(void **)p);
}

#define FREE __attribute__((cleanup(mem_free_ptr)))

/* Moves a pointer out of its owner: the owner becomes NULL. */
#define ptr_take(p)                                                                                \
	({                                                                                         \
		__typeof__(p) _p = (p);                                                            \
		__typeof__(*(p)) _v = *_p;                                                         \
		*_p = NULL;                                                                        \
		_v;                                                                                \
	})

void *mem_xalloc(size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
/* n * size, overflow aborts */
void *mem_xrealloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *mem_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *mem_xprintf(const char *fmt, ...) __attribute__((malloc, returns_nonnull)) PRINTF_LIKE(1, 2);
void *mem_try_calloc(size_t n, size_t size) __attribute__((malloc)) MUST_CHECK;

struct arena {
	struct arena_block *head;
};

#define ARENA_INIT                                                                                 \
	{                                                                                          \
		NULL                                                                               \
	}

/* Zeroed, aligned for any type; n * size, overflow aborts. Lives until arena_release. */
void *arena_alloc(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((returns_nonnull))
PRINTF_LIKE(2, 3);
void arena_release(struct arena *a); /* frees everything; the arena may be used again */

#endif
