/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of the names that config.json uses for kernel constants. Private to this folder. */
#ifndef HULL_NAMESPACES_NAMES_H
#define HULL_NAMESPACES_NAMES_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct name {
	const char *name;
	uint32_t value;
};

/* 0 and *ret, or -EINVAL. */
static inline int name_find(const struct name *table, size_t n, const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].name, name) == 0) {
			*ret = table[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

/* The same for values that fit in an int. */
static inline int name_value(const struct name *table, size_t n, const char *name)
{
	uint32_t value;
	int rc = name_find(table, n, name, &value);

	return rc < 0 ? rc : (int)value;
}

static inline const char *name_at(const struct name *table, size_t n, size_t i)
{
	return i < n ? table[i].name : NULL;
}

#endif
