/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation wrappers and the arena. The arena is a list of blocks of growing size, each filled
 * from its front; an object too large for the current block gets a block of its own size. Blocks
 * come from calloc, so objects are born zeroed and a large block costs no page until it is touched.
 */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ARENA_FIRST_BLOCK (4u << 10)
#define ARENA_MAX_BLOCK   (256u << 10)

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	max_align_t data[];
};

void *mem_try_calloc(size_t n, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(n, size, &len))
		return NULL;
	return calloc(1, len ? len : 1);
}

void *mem_xcalloc(size_t n, size_t size)
{
	void *p = mem_try_calloc(n, size);

	if (!p)
		abort();
	return p;
}

void *mem_xalloc(size_t size)
{
	return mem_xcalloc(1, size);
}

void *mem_xrealloc(void *p, size_t n, size_t size)
{
	void *q;

	q = reallocarray(p, n ? n : 1, size ? size : 1);
	if (!q)
		abort();
	return q;
}

char *mem_xstrndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (!p)
		abort();
	return p;
}

char *mem_xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		abort();
	return p;
}

char *mem_xprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return s;
}

static struct arena_block *arena_grow(struct arena *a, size_t need)
{
	size_t size = a->head ? a->head->size * 2 : ARENA_FIRST_BLOCK;
	struct arena_block *b;

	if (size > ARENA_MAX_BLOCK)
		size = ARENA_MAX_BLOCK;
	if (size < need)
		size = need;
	if (size > SIZE_MAX - sizeof(*b))
		abort();
	b = mem_xalloc(sizeof(*b) + size);
	b->size = size;
	b->next = a->head;
	a->head = b;
	return b;
}

static void *arena_take(struct arena *a, size_t len, size_t align)
{
	struct arena_block *b = a->head;
	size_t at = b ? (b->used + align - 1) & ~(align - 1) : 0;

	if (!b || at > b->size || b->size - at < len) {
		b = arena_grow(a, len);
		at = 0;
	}
	b->used = at + len;
	return (char *)b->data + at;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(n, size, &len))
		abort();
	return arena_take(a, len, _Alignof(max_align_t));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_take(a, len + 1, 1);

	memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();

	p = arena_take(a, (size_t)n + 1, 1);
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_release(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	a->head = NULL;
}
