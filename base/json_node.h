/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree behind base/json.h. Private to json_parse.c, json.c and json_write.c. */
#ifndef HULL_BASE_JSON_NODE_H
#define HULL_BASE_JSON_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/mem.h"

struct json_node {
	enum json_type type;
	uint32_t offset; /* of the value's first byte in the text */
	const char *key;
	struct json_node *parent; /* NULL: the root, which is a member of struct json */
	struct json_node *next;
	union {
		bool boolean;
		const char *text; /* of a string (decoded) or number (as written) */
		struct {
			struct json_node *first;
			struct json_node *last;
		};
	};
};

struct json {
	char *name;
	char *text; /* the document, kept to find lines and columns, and for its strings */
	size_t len;
	struct arena arena; /* nodes, numbers, strings with escapes */
	struct json_node root;
};

/* Describes a failure at byte offset of doc: "NAME:LINE:COL: message". Returns -EINVAL. */
int json_fail_at(const struct json *doc, size_t offset, struct err *err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#endif
