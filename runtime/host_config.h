/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's administrator has set: /etc/hull/hull.json. Private to runtime/. */
#ifndef HULL_RUNTIME_HOST_CONFIG_H
#define HULL_RUNTIME_HOST_CONFIG_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"

struct host_config { /* strings are the document's; NULL: not given */
	struct json *doc;
	bool vm; /* "isolation": "vm", not "namespace" */
	const char *kernel, *initramfs;
	bool from_template; /* "template": true, of virtual machines */
};

#define HOST_CONFIG_INIT                                                                           \
	{                                                                                          \
		.doc = NULL                                                                        \
	}

/* A file that does not exist says nothing. */
int host_config_load(struct host_config *ret, struct err *err) MUST_CHECK;
void host_config_release(struct host_config *c);

#endif
