/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/host_config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FILE_NAME "/etc/hull/hull.json"

static int read_isolation(const struct json_node *root, bool *ret, struct err *err)
{
	const char *word = "namespace";
	int rc = json_get_string(root, "isolation", &word, err);

	if (rc < 0)
		return rc;
	*ret = strcmp(word, "vm") == 0;
	if (*ret || strcmp(word, "namespace") == 0)
		return 0;
	return json_error(json_get(root, "isolation"), err,
			  "unknown isolation '%s', expected namespace or vm", word);
}

static int read_path(const struct json_node *root, const char *key, const char **ret,
		     struct err *err)
{
	int rc = json_get_string(root, key, ret, err);

	if (rc > 0 && (*ret)[0] != '/')
		return json_error(json_get(root, key), err, "'%s' is not an absolute path", *ret);
	return rc < 0 ? rc : 0;
}

int host_config_load(struct host_config *ret, struct err *err)
{
	struct host_config c = HOST_CONFIG_INIT;
	const struct json_node *root;
	int rc = json_load(AT_FDCWD, FILE_NAME, &c.doc, err);

	*ret = (struct host_config)HOST_CONFIG_INIT;
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	root = json_root(c.doc);
	if (json_type(root) != JSON_OBJECT)
		rc = json_error(root, err, "expected an object");
	if (rc < 0 || (rc = read_isolation(root, &c.vm, err)) < 0 ||
	    (rc = read_path(root, "kernel", &c.kernel, err)) < 0 ||
	    (rc = read_path(root, "initramfs", &c.initramfs, err)) < 0 ||
	    (rc = json_get_bool(root, "template", &c.from_template, err)) < 0) {
		host_config_release(&c);
		return rc;
	}
	*ret = c;
	return 0;
}

void host_config_release(struct host_config *c)
{
	json_free(c->doc);
	*c = (struct host_config)HOST_CONFIG_INIT;
}
