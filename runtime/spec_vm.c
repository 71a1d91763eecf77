/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vm object (runtime-spec config-vm.md). All of it is checked, so that a faulty property is
 * reported like any other; of what hull's own VMM has no use for, the first one that is there is
 * kept, for the case that a virtual machine is made.
 */
#include <string.h>

#include "runtime/spec_parse.h"

static int need_abs_path(const struct json_node *n, const char *key, const char **ret,
			 struct err *err)
{
	int rc = spec_get_abs_path(n, key, ret, err);

	return rc == 0 ? spec_missing(n, key, err) : rc;
}

static void no_use(struct spec_vm *ret, const char *property)
{
	if (!ret->no_use)
		ret->no_use = property;
}

static int read_hypervisor(const struct json_node *vm, const struct spec_ctx *ctx,
			   struct spec_vm *ret, struct err *err)
{
	const struct json_node *n = NULL;
	const char *const *list = NULL;
	size_t n_list = 0;
	int rc = json_get_object(vm, "hypervisor", &n, err);

	if (rc > 0)
		rc = need_abs_path(n, "path", &ret->hypervisor, err);
	if (rc > 0)
		rc = spec_get_strings(n, "parameters", ctx->arena, &list, &n_list, err);
	if (n_list > 0)
		no_use(ret, "vm.hypervisor.parameters");
	return rc < 0 ? rc : 0;
}

static int read_kernel(const struct json_node *vm, const struct spec_ctx *ctx, struct spec_vm *ret,
		       struct err *err)
{
	const struct json_node *n = NULL;
	int rc = json_get_object(vm, "kernel", &n, err);

	if (rc == 0)
		return spec_missing(vm, "kernel", err);
	if (rc > 0)
		rc = need_abs_path(n, "path", &ret->kernel, err);
	if (rc > 0)
		rc = spec_get_strings(n, "parameters", ctx->arena, &ret->kernel_parameters, NULL,
				      err);
	if (rc >= 0)
		rc = spec_get_abs_path(n, "initrd", &ret->initrd, err);
	return rc < 0 ? rc : 0;
}

static int read_image(const struct json_node *vm, struct spec_vm *ret, struct err *err)
{
	const char *path = NULL;
	static const char *const formats[] = {"raw", "qcow2", "vdi", "vmdk", "vhd"};
	const struct json_node *n = NULL;
	const char *format = "raw"; /* "Unset values for format will default to that format." */
	int rc = json_get_object(vm, "image", &n, err);

	if (rc > 0) {
		no_use(ret, "vm.image");
		rc = need_abs_path(n, "path", &path, err);
	}
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
			 struct spec_vm *ret, struct err *err)
{
	static const char *const others[] = {"deviceTree", "dtdevs", "iomems", "irqs"};
	const char *const *list = NULL;
	const struct json_node *n = NULL;
	struct spec_array array = {0};
	const char *device_tree = NULL;
	int rc = json_get_object(vm, key, &n, err);

	if (rc <= 0)
		return rc;
	rc = spec_get_text(n, "deviceTree", &device_tree, err);
	if (rc >= 0)
		rc = json_get_u32(n, "vcpus", &ret->vcpus, err);
	if (rc >= 0)
		rc = json_get_u64(n, "memory", &ret->memory, err);
	if (rc >= 0)
		rc = spec_get_strings(n, "dtdevs", ctx->arena, &list, NULL, err);
	if (rc >= 0)
		rc = spec_get_array(n, "iomems", sizeof(struct iomem), read_iomem, ctx, &array, err);
	if (rc >= 0)
		rc = spec_get_array(n, "irqs", sizeof(uint64_t), read_irq, ctx, &array, err);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (json_get(n, others[i]))
			no_use(ret, arena_printf(ctx->arena, "vm.%s.%s", key, others[i]));
	}
	return rc < 0 ? rc : 0;
}

int spec_read_vm(const struct json_node *vm, const struct spec_ctx *ctx, struct spec_vm *ret,
		 struct err *err)
{
	int rc = read_hypervisor(vm, ctx, ret, err);

	if (rc == 0)
		rc = read_kernel(vm, ctx, ret, err);
	if (rc == 0)
		rc = read_image(vm, ret, err);
	if (rc == 0) /* the documents' spelling */
		rc = read_hardware(vm, "hwConfig", ctx, ret, err);
	if (rc == 0) /* the Go package's */
		rc = read_hardware(vm, "hwconfig", ctx, ret, err);
	return rc;
}
