/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/isolation.h"

#include <errno.h>
#include <string.h>

#include "runtime/host_config.h"

/* 1 for a virtual machine, 0 for namespaces, -EINVAL. */
static int parse(const char *word)
{
	if (strcmp(word, "vm") == 0)
		return 1;
	return strcmp(word, "namespace") == 0 ? 0 : -EINVAL;
}

static int of_host(bool *ret_vm, struct err *err)
{
	struct host_config host;
	int rc = host_config_load(&host, err);

	if (rc < 0)
		return rc;
	*ret_vm = host.vm;
	host_config_release(&host);
	return 0;
}

int isolation_choose(const struct spec *spec, bool prefers_vm, bool *ret_vm, struct err *err)
{
	const char *word = spec_annotation(spec, ISOLATION_ANNOTATION);
	int rc;

	if (word) {
		rc = parse(word);
		if (rc < 0)
			return err_set(err, EINVAL,
				       "annotation '" ISOLATION_ANNOTATION
				       "': unknown isolation '%s'",
				       word);
		*ret_vm = rc;
		return 0;
	}
	*ret_vm = spec->has_vm || prefers_vm;
	return *ret_vm ? 0 : of_host(ret_vm, err);
}
