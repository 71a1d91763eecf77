/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vm object (runtime-spec config-vm.md). Types are checked here so that a faulty one is
 * reported like any other property; whether a virtual machine can be had is the caller's to say.
 */
#include <string.h>

#include "runtime/spec_parse.h"

static int need_abs_path(const struct json_node *n, const char *key, struct err *err)
{
	const char *path = NULL;
	int rc = spec_get_abs_path(n, key, &path, err);

	return rc == 0 ? spec_missing(n, key, err) : rc;
}

static int check_strings(const struct json_node *n, const char *key, const struct spec_ctx *ctx,
			 struct err *err)
{
	const char *const *list = NULL;

	return spec_get_strings(n, key, ctx->arena, &list, NULL, err);
}

static int read_hypervisor(const struct json_node *vm, const struct spec_ctx *ctx, struct err *err)
{
	const struct json_node *n = NULL;
	int rc = json_get_object(vm, "hypervisor", &n, err);

	if (rc > 0)
		rc = need_abs_path(n, "path", err);
	if (rc > 0)
		rc = check_strings(n, "parameters", ctx, err);
	return rc < 0 ? rc : 0;
}

static int read_kernel(const struct json_node *vm, const struct spec_ctx *ctx, struct err *err)
{
	const struct json_node *n = NULL;
	const char *initrd = NULL;
	int rc = json_get_object(vm, "kernel", &n, err);

	if (rc == 0)
		return spec_missing(vm, "kernel", err);
	if (rc > 0)
		rc = need_abs_path(n, "path", err);
	if (rc > 0)
		rc = check_strings(n, "parameters", ctx, err);
	if (rc >= 0)
		rc = spec_get_abs_path(n, "initrd", &initrd, err);
	return rc < 0 ? rc : 0;
}

static int read_image(const struct json_node *vm, struct err *err)
{
	static const char *const formats[] = {"raw", "qcow2", "vdi", "vmdk", "vhd"};
	const struct json_node *n = NULL;
	const char *format = "raw"; /* "Unset values for format will default to that format." */
	int rc = json_get_object(vm, "image", &n, err);

	if (rc > 0)
		rc = need_abs_path(n, "path", err);
	if (rc > 0)
		rc = spec_get_text(n, "format", &format, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(format, formats[i]) == 0)
			return 0;
	return json_error(json_get(n, "format"), err,
			  "unknown format '%s', expected raw, qcow2, vdi, vmdk or vhd", format);
}

struct iomem {
	uint64_t first_gfn, first_mfn, n_mfns;
};

static int read_iomem(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		      struct err *err)
{
	struct iomem *m = element;
	int rc = spec_check_object(n, err);

	(void)ctx;
	if (rc < 0)
		return rc;
	rc = json_get_u64(n, "firstGFN", &m->first_gfn, err);
	if (rc >= 0)
		rc = json_get_u64(n, "firstMFN", &m->first_mfn, err);
	if (rc == 0)
		return spec_missing(n, "firstMFN", err);
	if (rc > 0)
		rc = json_get_u64(n, "nrMFNs", &m->n_mfns, err);
	if (rc == 0)
		return spec_missing(n, "nrMFNs", err);
	return rc < 0 ? rc : 0;
}

static int read_irq(const struct json_node *n, const struct spec_ctx *ctx, void *element,
		    struct err *err)
{
	(void)ctx;
	return json_as_u64(n, UINT32_MAX, element, err);
}

static int read_hardware(const struct json_node *vm, const char *key, const struct spec_ctx *ctx,
			 struct err *err)
{
	const struct json_node *n = NULL;
	struct spec_array list = {0};
	const char *device_tree = NULL;
	uint64_t memory = 0;
	uint32_t vcpus = 0;
	int rc = json_get_object(vm, key, &n, err);

	if (rc <= 0)
		return rc;
	rc = spec_get_text(n, "deviceTree", &device_tree, err);
	if (rc >= 0)
		rc = json_get_u32(n, "vcpus", &vcpus, err);
	if (rc >= 0)
		rc = json_get_u64(n, "memory", &memory, err);
	if (rc >= 0)
		rc = check_strings(n, "dtdevs", ctx, err);
	if (rc >= 0)
		rc = spec_get_array(n, "iomems", sizeof(struct iomem), read_iomem, ctx, &list, err);
	if (rc >= 0)
		rc = spec_get_array(n, "irqs", sizeof(uint64_t), read_irq, ctx, &list, err);
	return rc < 0 ? rc : 0;
}

int spec_read_vm(const struct json_node *vm, const struct spec_ctx *ctx, struct err *err)
{
	int rc = read_hypervisor(vm, ctx, err);

	if (rc == 0)
		rc = read_kernel(vm, ctx, err);
	if (rc == 0)
		rc = read_image(vm, err);
	if (rc == 0) /* the documents' spelling */
		rc = read_hardware(vm, "hwConfig", ctx, err);
	if (rc == 0) /* the Go package's */
		rc = read_hardware(vm, "hwconfig", ctx, err);
	return rc;
}
