/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_config.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/isolation.h"

/* ---- what a VM cannot honour ---- */

static int check_namespaces(const struct spec *spec, struct err *err)
{
	static const enum ns_kind own[] = {NS_MOUNT, NS_PID, NS_NETWORK, NS_IPC, NS_UTS};

	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (spec->spaces.kind[k].path && k != NS_NETWORK)
			return err_set(err, ENOTSUP,
				       "linux.namespaces: a container in a virtual machine cannot "
				       "join the %s namespace '%s' of the host",
				       ns_kind_name((enum ns_kind)k), spec->spaces.kind[k].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (!spec->spaces.kind[own[i]].listed)
			return err_set(err, ENOTSUP,
				       "linux.namespaces: a container in a virtual machine cannot "
				       "share the host's %s namespace, it must list one of its own",
				       ns_kind_name(own[i]));
	}
	return 0;
}

/* Devices that every Linux kernel makes itself; any other would be another one in the guest. */
static bool guest_has(const struct ns_device *d)
{
	if (d->type == 'p')
		return true;
	return d->type == 'c' && ((d->major == 1 && d->minor >= 3 && d->minor <= 9) ||
				  (d->major == 5 && d->minor <= 2));
}

static int check_devices(const struct spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->rootfs.n_devices; i++) {
		const struct ns_device *d = &spec->rootfs.devices[i];

		if (!guest_has(d))
			return err_set(err, ENOTSUP,
				       "linux.devices[%zu]: a virtual machine does not have the "
				       "host's device '%s' (%c %u:%u)",
				       i, d->path, d->type, d->major, d->minor);
	}
	return 0;
}

int vm_config_check(const struct spec *spec, struct err *err)
{
	int rc = check_namespaces(spec, err);

	if (rc == 0)
		rc = check_devices(spec, err);
	if (rc < 0)
		return rc;
	if (spec->seccomp && spec->seccomp->listener_path)
		return err_set(err, ENOTSUP,
			       "linux.seccomp.listenerPath: an agent on the host cannot serve "
			       "processes in a virtual machine");
	if (spec->rdt)
		return err_set(err, ENOTSUP, "linux.intelRdt: not supported for a virtual machine");
	if (spec->n_net_devices > 0)
		return err_set(
			err, ENOTSUP,
			"linux.netDevices: a virtual machine cannot take the host's devices");
	if (spec->rootfs.propagation & MS_SHARED)
		return err_set(err, ENOTSUP,
			       "linux.rootfsPropagation: mounts do not propagate between the host "
			       "and a virtual machine");
	return 0;
}

/* ---- the guest's configuration ---- */

static void copy_members(struct json_writer *w, const struct json_node *object,
			 const char *const *except)
{
	json_each (n, object) {
		bool skip = false;

		for (size_t i = 0; except[i]; i++)
			skip |= strcmp(json_key(n), except[i]) == 0;
		if (!skip)
			json_w_node(w, json_key(n), n);
	}
}

static void write_mounts(const struct spec *spec, const struct json_node *mounts,
			 struct json_writer *w)
{
	size_t i = 0;

	json_w_array(w, "mounts");
	json_each (n, mounts) {
		if (spec->rootfs.mounts[i].bind && spec->rootfs.mounts[i].source) {
			FREE char *source = mem_xprintf(VM_SHARE_PATH "/m%zu", i);

			json_w_object(w, NULL);
			copy_members(w, n, (const char *const[]){"source", NULL});
			json_w_string(w, "source", source);
			json_w_end(w);
		} else {
			json_w_node(w, NULL, n);
		}
		i++;
	}
	json_w_end(w);
}

static void write_namespaces(const struct json_node *list, struct json_writer *w)
{
	json_w_array(w, "namespaces");
	json_each (n, list) {
		json_w_object(w, NULL);
		copy_members(w, n, (const char *const[]){"path", NULL});
		json_w_end(w);
	}
	json_w_end(w);
}

/* Inside, it is a container like any other. */
static void write_annotations(const struct json_node *annotations, struct json_writer *w)
{
	json_w_object(w, "annotations");
	copy_members(w, annotations, (const char *const[]){ISOLATION_ANNOTATION, NULL});
	json_w_string(w, ISOLATION_ANNOTATION, "namespace");
	json_w_end(w);
}

void vm_config_for_guest(const struct spec *spec, struct buf *ret)
{
	const struct json_node *root = json_root(spec->doc);
	const struct json_node *hooks = json_get(root, "hooks");
	const struct json_node *linux_ = json_get(root, "linux");
	struct json_writer *w = json_w_new(false);

	json_w_object(w, NULL);
	copy_members(w, root,
		     (const char *const[]){"root", "mounts", "hooks", "linux", "vm", "annotations",
					   NULL});
	write_annotations(json_get(root, "annotations"), w);
	json_w_object(w, "root");
	json_w_string(w, "path", VM_SHARE_PATH "/root");
	json_w_bool(w, "readonly", spec->rootfs.readonly);
	json_w_end(w);
	write_mounts(spec, json_get(root, "mounts"), w);
	if (json_get(hooks, "startContainer")) {
		json_w_object(w, "hooks");
		json_w_node(w, "startContainer", json_get(hooks, "startContainer"));
		json_w_end(w);
	}
	json_w_object(w, "linux");
	copy_members(w, linux_, (const char *const[]){"namespaces", NULL});
	write_namespaces(json_get(linux_, "namespaces"), w);
	json_w_end(w);
	json_w_end(w);
	json_w_finish(w, ret);
}
