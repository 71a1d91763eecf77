/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a bundle's config.json into struct spec: the document is loaded whole, each section has a
 * reader (spec_*.c), then validate.c checks what involves several of them. Nothing outside the
 * process is touched, so a bad configuration fails before it can have an effect. Properties of
 * other platforms (windows, solaris, zos, freebsd) and unknown ones are ignored, as
 * runtime-spec config.md "Extensibility" demands; what is known must be right.
 */
#include "runtime/spec.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "runtime/spec_parse.h"

#define MAX_NODE_NAME 64 /* __NEW_UTS_LEN: sethostname(2) refuses more */

static bool is_ident_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-';
}

/* Steps over a number without leading zeros. NULL when there is none. */
static const char *skip_number(const char *s)
{
	const char *start = s;

	while (*s >= '0' && *s <= '9')
		s++;
	return s == start || (*start == '0' && s - start > 1) ? NULL : s;
}

/* Steps over dot-separated, non-empty identifiers ("rc.1"). NULL when one is empty. */
static const char *skip_identifiers(const char *s)
{
	for (;;) {
		const char *start = s;

		while (is_ident_char(*s))
			s++;
		if (s == start)
			return NULL;
		if (*s != '.')
			return s;
		s++;
	}
}

/* https://semver.org/spec/v2.0.0.html: MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD] */
static bool is_semver(const char *s)
{
	for (int part = 0; part < 3; part++) {
		s = skip_number(s);
		if (!s || (part < 2 && *s++ != '.'))
			return false;
	}
	if (*s == '-')
		s = skip_identifiers(s + 1);
	if (s && *s == '+')
		s = skip_identifiers(s + 1);
	return s && *s == '\0';
}

static int read_version(const struct json_node *root, struct spec *spec, struct err *err)
{
	int rc = spec_need_string(root, "ociVersion", &spec->oci_version, err);

	if (rc < 0)
		return rc;
	if (!is_semver(spec->oci_version))
		return json_error(json_get(root, "ociVersion"), err,
				  "'%s' is no version such as '1.0.2'", spec->oci_version);
	if (strncmp(spec->oci_version, "1.", 2) != 0)
		return json_error(json_get(root, "ociVersion"), err,
				  "version '%s' is not supported, expected 1.x", spec->oci_version);
	return 0;
}

static int read_root(const struct json_node *root, struct spec *spec, struct err *err)
{
	const struct json_node *n = NULL;
	const char *path = NULL;
	int rc = json_get_object(root, "root", &n, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return spec_missing(root, "root", err);
	rc = spec_need_string(n, "path", &path, err);
	if (rc < 0)
		return rc;
	if (path[0] != '/')
		path = arena_printf(&spec->arena, "%s/%s", spec->bundle, path);
	spec->rootfs.path = path;
	rc = json_get_bool(n, "readonly", &spec->rootfs.readonly, err);
	return rc < 0 ? rc : 0;
}

static int read_node_name(const struct json_node *root, const char *key, const char **ret,
			  struct err *err)
{
	int rc = spec_get_text(root, key, ret, err);

	if (rc > 0 && strlen(*ret) > MAX_NODE_NAME)
		return json_error(json_get(root, key), err, "longer than %d bytes", MAX_NODE_NAME);
	return rc < 0 ? rc : 0;
}

static int read_annotation(const struct json_node *n, const struct spec_ctx *ctx, void *element,
			   struct err *err)
{
	struct spec_annotation *a = element;

	(void)ctx;
	a->key = json_key(n);
	if (*a->key == '\0')
		return json_error(n, err, "an annotation needs a name");
	return json_as_string(n, &a->value, err);
}

static int read_annotations(const struct json_node *root, const struct spec_ctx *ctx,
			    struct spec *spec, struct err *err)
{
	struct spec_array list = {0};
	int rc = spec_get_map(root, "annotations", sizeof(struct spec_annotation), read_annotation,
			      ctx, &list, err);

	spec->annotations = list.items;
	spec->n_annotations = list.n;
	return rc < 0 ? rc : 0;
}

static int read_process(const struct json_node *root, const struct spec_ctx *ctx, struct spec *spec,
			struct err *err)
{
	const struct json_node *n = NULL;
	int rc = json_get_object(root, "process", &n, err);

	if (rc <= 0)
		return rc;
	spec->has_process = true;
	rc = spec_read_process(n, ctx, &spec->process, err);
	spec->rootfs.terminal = spec->process.terminal;
	return rc;
}

static int read_optional(const struct json_node *root, const struct spec_ctx *ctx,
			 struct spec *spec, struct err *err)
{
	const struct json_node *hooks = NULL, *linux_node = NULL, *vm = NULL;
	int rc = json_get_object(root, "linux", &linux_node, err);

	if (rc > 0)
		rc = spec_read_linux(linux_node, ctx, spec, err);
	if (rc >= 0)
		rc = spec_read_mounts(root, ctx, &spec->rootfs, err);
	if (rc >= 0)
		rc = json_get_object(root, "hooks", &hooks, err);
	if (rc > 0)
		rc = spec_read_hooks(hooks, ctx, &spec->hooks, err);
	if (rc >= 0)
		rc = json_get_object(root, "vm", &vm, err);
	if (rc > 0) {
		spec->has_vm = true;
		rc = spec_read_vm(vm, ctx, &spec->vm, err);
	}
	return rc < 0 ? rc : 0;
}

static int read_all(struct spec *spec, bool saved, struct err *err)
{
	const struct json_node *root = json_root(spec->doc);
	const struct spec_ctx ctx = {
		.arena = &spec->arena,
		.bundle = spec->bundle,
		.spaces = &spec->spaces,
		.saved = saved,
	};
	int rc = spec_check_object(root, err);

	if (rc == 0)
		rc = read_version(root, spec, err);
	if (rc == 0)
		rc = read_root(root, spec, err);
	if (rc == 0)
		rc = read_node_name(root, "hostname", &spec->hostname, err);
	if (rc == 0)
		rc = read_node_name(root, "domainname", &spec->domainname, err);
	if (rc == 0)
		rc = read_annotations(root, &ctx, spec, err);
	if (rc == 0)
		rc = read_process(root, &ctx, spec, err);
	if (rc == 0)
		rc = read_optional(root, &ctx, spec, err);
	if (rc == 0)
		rc = spec_validate(spec, err);
	return rc;
}

static int spec_new(const char *bundle, const char *name, const char *text, size_t len, bool saved,
		    struct spec **ret, struct err *err)
{
	struct json *doc = NULL;
	struct spec *spec;
	int rc = json_parse(name, text, len, &doc, err);

	if (rc < 0)
		return rc;
	spec = mem_xalloc(sizeof(*spec));
	spec->doc = doc;
	spec->bundle = arena_strdup(&spec->arena, bundle);
	rc = read_all(spec, saved, err);
	if (rc < 0) {
		spec_free(spec);
		return rc;
	}
	*ret = spec;
	return 0;
}

int spec_load(const char *bundle, const char *file, struct buf *text, struct spec **ret,
	      struct err *err)
{
	FREE char *path = realpath(bundle, NULL);
	CLOSE_FD int dir_fd = -1;
	BUF own = BUF_INIT;
	struct buf *out = text ? text : &own;
	size_t start = out->len;
	int rc;

	if (!path)
		return err_sys(err, "bundle '%s'", bundle);
	dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "open bundle '%s'", path);
	rc = io_read_file(dir_fd, file, JSON_MAX_BYTES, out, err);
	if (rc < 0)
		return err_wrap(err, rc, "bundle '%s'", path);
	return spec_new(path, file, buf_str(out) + start, out->len - start, false, ret, err);
}

int spec_parse(const char *bundle, const char *name, const char *text, size_t len,
	       struct spec **ret, struct err *err)
{
	return spec_new(bundle, name, text, len, false, ret, err);
}

int spec_parse_saved(const char *bundle, const char *name, const char *text, size_t len,
		     struct spec **ret, struct err *err)
{
	return spec_new(bundle, name, text, len, true, ret, err);
}

void spec_free(struct spec *spec)
{
	if (!spec)
		return;
	json_free(spec->doc);
	arena_release(&spec->arena);
	free(spec);
}

/* path is clean, and more than "/". */
static bool lies_on_the_way(const char *destination, const char *path)
{
	FREE char *place = path_clean(destination);
	size_t len = strlen(place);

	if (len == 1)
		return true;
	return strncmp(place, path, len) == 0 && (path[len] == '/' || !path[len]);
}

bool spec_mounts_over(const struct spec *spec, const char *path)
{
	const struct ns_rootfs *r = &spec->rootfs;

	for (size_t i = 0; i < r->n_mounts; i++) {
		if (lies_on_the_way(r->mounts[i].destination, path))
			return true;
	}
	for (size_t i = 0; i < r->n_masked_paths; i++) {
		if (lies_on_the_way(r->masked_paths[i], path))
			return true;
	}
	return false;
}

const char *spec_annotation(const struct spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->n_annotations; i++)
		if (strcmp(spec->annotations[i].key, key) == 0)
			return spec->annotations[i].value;
	return NULL;
}
