/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CONFIG_FILE "/etc/hull/hull.json"

/* 1 for a virtual machine, 0 for namespaces, -EINVAL. */
static int parse(const char *word)
{
	if (strcmp(word, "vm") == 0)
		return 1;
	return strcmp(word, "namespace") == 0 ? 0 : -EINVAL;
}

static int of_host(bool *ret_vm, struct err *err)
{
	const char *word = "namespace";
	JSON *doc = NULL;
	int rc = json_load(AT_FDCWD, CONFIG_FILE, &doc, err);

	if (rc == -ENOENT)
		return 0;
	if (rc == 0)
		rc = json_get_string(json_root(doc), "isolation", &word, err);
	if (rc < 0)
		return rc;
	rc = parse(word);
	if (rc < 0)
		return json_error(json_get(json_root(doc), "isolation"), err,
				  "unknown isolation '%s', expected namespace or vm", word);
	*ret_vm = rc;
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
				       "': unknown isolation '%s'", word);
		*ret_vm = rc;
		return 0;
	}
	*ret_vm = spec->has_vm || prefers_vm;
	return *ret_vm ? 0 : of_host(ret_vm, err);
}
