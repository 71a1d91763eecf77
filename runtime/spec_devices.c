/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.devices and linux.netDevices. Nodes are checked for what mknod(2) takes; network interface
 * names for what the kernel takes (dev_valid_name, dev_alloc_name in net/core/dev.c).
 */
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/spec_parse.h"

#define MAX_MAJOR    4095    /* dev_t has 12 bits for it */
#define MAX_MINOR    1048575 /* and 20 for the minor number */
#define DEFAULT_MODE 0666    /* as the default devices have */

static int read_device_type(const struct json_node *n, struct ns_device *d, struct err *err)
{
	const char *type = NULL;
	int rc = spec_need_string(n, "type", &type, err);

	if (rc < 0)
		return rc;
	if (type[1] != '\0' || !strchr("cbup", type[0]))
		return json_error(json_get(n, "type"), err,
				  "unknown type '%s', expected c, b, u or p", type);
	d->type = type[0] == 'u' ? 'c' : type[0];
	return 0;
}

static int read_number(const struct json_node *n, const char *key, uint32_t max, bool required,
		       uint32_t *ret, struct err *err)
{
	int64_t value = 0;
	int rc = spec_get_ranged(n, key, 0, max, &value, err);

	if (rc == 0 && required)
		return spec_missing(n, key, err);
	*ret = (uint32_t)value;
	return rc < 0 ? rc : 0;
}

/* fileMode may hold the type bits as stat(2) gives them; they must then agree with the type. */
static int read_file_mode(const struct json_node *n, struct ns_device *d, struct err *err)
{
	const mode_t type = d->type == 'c' ? S_IFCHR : d->type == 'b' ? S_IFBLK : S_IFIFO;
	uint64_t mode = DEFAULT_MODE;
	int rc = spec_get_limit(n, "fileMode", UINT32_MAX, &mode, err);

	if (rc < 0)
		return rc;
	if ((mode & S_IFMT) != 0 && (mode & S_IFMT) != type)
		return json_error(json_get(n, "fileMode"), err,
				  "the type bits of %llu are not those of type '%c'",
				  (unsigned long long)mode, d->type);
	if (mode & ~(uint64_t)(S_IFMT | 07777))
		return json_error(json_get(n, "fileMode"), err, "%llu is no file mode",
				  (unsigned long long)mode);
	d->mode = (mode_t)(mode & 07777);
	return 0;
}

static int read_device(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		       struct err *err)
{
	struct ns_device *d = element;
	int rc = spec_check_object(n, err);

	if (rc == 0)
		rc = read_device_type(n, d, err);
	if (rc == 0)
		rc = spec_get_abs_path(n, "path", &d->path, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return spec_missing(n, "path", err);
	d->path = spec_clean_path(ctx->arena, d->path);
	if (strcmp(d->path, "/") == 0)
		return json_error(json_get(n, "path"), err, "a device cannot be '/'");
	rc = read_number(n, "major", MAX_MAJOR, d->type != 'p', &d->major, err);
	if (rc == 0)
		rc = read_number(n, "minor", MAX_MINOR, d->type != 'p', &d->minor, err);
	if (rc == 0)
		rc = read_file_mode(n, d, err);
	if (rc == 0)
		rc = spec_get_id(n, "uid", &d->uid, err);
	if (rc >= 0)
		rc = spec_get_id(n, "gid", &d->gid, err);
	return rc < 0 ? rc : 0;
}

static const struct json_node *nth_child(const struct json_node *parent, size_t index)
{
	const struct json_node *n = json_first(parent);

	while (index-- > 0)
		n = json_next(n);
	return n;
}

/*
 * Engines add a node twice when the user asks for it and the image does too: the last one counts.
 * Two different devices at one path cannot both be had.
 */
static int drop_same_paths(const struct json_node *array, struct spec_array *list, struct arena *a,
			   struct err *err)
{
	struct spec_name *names = arena_alloc(a, list->n, sizeof(*names));
	struct ns_device *d = list->items;
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		names[i] = (struct spec_name){d[i].path, strlen(d[i].path), i};
	spec_sort_names(names, list->n);
	for (size_t i = 0; i + 1 < list->n; i++) {
		const struct ns_device *first = &d[names[i].index];
		const struct ns_device *second = &d[names[i + 1].index];

		if (!spec_same_name(&names[i], &names[i + 1]))
			continue;
		if (first->type != second->type || first->major != second->major ||
		    first->minor != second->minor)
			return json_error(nth_child(array, names[i + 1].index), err,
					  "another device is at '%s' already", second->path);
		d[names[i].index].type = 0;
	}
	for (size_t i = 0; i < list->n; i++)
		if (d[i].type)
			d[kept++] = d[i];
	list->n = kept;
	return 0;
}

int spec_read_devices(const struct json_node *linux_node, const struct spec_ctx *ctx,
		      struct ns_rootfs *r, struct err *err)
{
	struct spec_array list = {0};
	int rc = spec_get_array(linux_node, "devices", sizeof(struct ns_device), read_device, ctx,
				&list, err);

	if (rc > 0 && list.n > 1)
		rc = drop_same_paths(json_get(linux_node, "devices"), &list, ctx->arena, err);
	if (rc < 0)
		return rc;
	r->devices = list.items;
	r->n_devices = list.n;
	return 0;
}

static bool is_interface_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !name[strcspn(name, "/: \t\n\v\f\r")];
}

/* A name with "%d" lets the kernel choose a number: exactly one, and no other percent sign. */
static bool is_template(const char *name)
{
	const char *percent = strchr(name, '%');

	return percent && percent[1] == 'd' && !strchr(percent + 1, '%');
}

static int read_net_device(const struct json_node *n, const struct spec_ctx *ctx, void *element,
			   struct err *err)
{
	struct spec_net_device *d = element;
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc < 0)
		return rc;
	d->host_name = d->name = json_key(n);
	if (!is_interface_name(d->host_name) || strchr(d->host_name, '%'))
		return json_error(n, err, "'%s' is no name of a network interface", d->host_name);
	rc = spec_get_text(n, "name", &d->name, err);
	if (rc <= 0)
		return rc;
	if (!is_interface_name(d->name) || (strchr(d->name, '%') && !is_template(d->name)))
		return json_error(json_get(n, "name"), err,
				  "'%s' is no name of a network interface", d->name);
	return 0;
}

int spec_read_net_devices(const struct json_node *linux_node, const struct spec_ctx *ctx,
			  struct spec *spec, struct err *err)
{
	const struct json_node *map = json_get(linux_node, "netDevices");
	struct spec_array list = {0};
	const struct spec_net_device *d;
	struct spec_name *names;
	int rc = spec_get_map(linux_node, "netDevices", sizeof(struct spec_net_device),
			      read_net_device, ctx, &list, err);

	if (rc <= 0)
		return rc;
	d = list.items;
	names = arena_alloc(ctx->arena, list.n + 1, sizeof(*names));
	for (size_t i = 0; i < list.n; i++)
		names[i] = (struct spec_name){d[i].name, strlen(d[i].name), i};
	spec_sort_names(names, list.n);
	for (size_t i = 0; i + 1 < list.n; i++)
		if (spec_same_name(&names[i], &names[i + 1]) && !is_template(names[i].name))
			return json_error(nth_child(map, names[i + 1].index), err,
					  "another interface is named '%s' already", names[i].name);
	spec->net_devices = list.items;
	spec->n_net_devices = list.n;
	return 0;
}
