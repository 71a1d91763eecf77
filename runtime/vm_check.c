/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a virtual machine cannot honour: what names things of the host that a guest does not have,
 * another kernel's objects or devices above all.
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "runtime/vm_config.h"

/* In a pod these are another container's in the same guest: which one's, vm_member.c finds out. */
static bool may_join(enum ns_kind kind, bool joins)
{
	return kind == NS_NETWORK ||
	       (joins && (kind == NS_PID || kind == NS_IPC || kind == NS_UTS));
}

static int check_namespaces(const struct spec *spec, bool joins, struct err *err)
{
	static const enum ns_kind own[] = {NS_MOUNT, NS_PID, NS_NETWORK, NS_IPC, NS_UTS};

	for (int k = 0; k < NS_KIND_MAX; k++) {
		if (spec->spaces.kind[k].path && !may_join((enum ns_kind)k, joins))
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

/* Mounts of a guest have no peers on the host, whatever they are told to be. */
static int check_mounts(const struct spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->rootfs.n_mounts; i++) {
		const struct ns_mount *m = &spec->rootfs.mounts[i];

		for (size_t k = 0; m->bind && m->source && k < m->n_propagation; k++) {
			if (m->propagation[k] & (MS_SHARED | MS_SLAVE))
				return err_set(err, ENOTSUP,
					       "mounts[%zu].options: mounts do not propagate "
					       "between the host and a virtual machine",
					       i);
		}
	}
	if (spec->rootfs.propagation & MS_SHARED)
		return err_set(err, ENOTSUP,
			       "linux.rootfsPropagation: mounts do not propagate between the host "
			       "and a virtual machine");
	return 0;
}

/* Files of cgroup2 whose values name CPUs and devices of the host. */
static int check_unified(const struct cgroup_limits *l, struct err *err)
{
	static const char *const hosts[] = {"cpuset.", "io.", "rdma."};

	for (size_t i = 0; i < l->n_unified; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(hosts); k++) {
			if (strncmp(l->unified[i].file, hosts[k], strlen(hosts[k])) == 0)
				return err_set(err, ENOTSUP,
					       "linux.resources.unified[\"%s\"]: a virtual machine "
					       "has other processors and devices than the host",
					       l->unified[i].file);
		}
	}
	return 0;
}

static bool given(const char *text)
{
	return text && *text;
}

struct row {
	bool given;
	const char *property, *why;
};

static int check_rows(const struct row *rows, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].given)
			return err_set(err, ENOTSUP, "%s: %s", rows[i].property, rows[i].why);
	}
	return 0;
}

/* What holds for the whole machine is not one container's of several. */
static int check_limits_of_machine(const struct cgroup_limits *l, struct err *err)
{
	static const char why[] = "in a virtual machine of several containers it is the sandbox's";
	const struct row rows[] = {
		{given(l->cpuset_cpus), "linux.resources.cpu.cpus", why},
		{given(l->cpuset_mems), "linux.resources.cpu.mems", why},
		{l->block_weight.set || l->block_leaf_weight.set || l->n_block_weights > 0 ||
			 l->n_read_bps > 0 || l->n_write_bps > 0 || l->n_read_iops > 0 ||
			 l->n_write_iops > 0,
		 "linux.resources.blockIO", why},
	};

	return check_rows(rows, ARRAY_SIZE(rows), err);
}

int vm_config_check_limits(const struct cgroup_limits *l, bool joins, struct err *err)
{
	const struct row rows[] = {
		{l->n_rdma > 0, "linux.resources.rdma",
		 "a virtual machine does not have the host's devices"},
		{l->net_class_id.set, "linux.resources.network.classID",
		 "packets of a virtual machine have no class on the host"},
		{l->n_net_priorities > 0, "linux.resources.network.priorities",
		 "a virtual machine does not have the host's devices"},
	};
	int rc = check_unified(l, err);

	if (rc == 0 && joins)
		rc = check_limits_of_machine(l, err);
	return rc < 0 ? rc : check_rows(rows, ARRAY_SIZE(rows), err);
}

int vm_config_check(const struct spec *spec, bool joins, struct err *err)
{
	const struct row rows[] = {
		{spec->seccomp && spec->seccomp->listener_path, "linux.seccomp.listenerPath",
		 "an agent on the host cannot serve processes in a virtual machine"},
		{spec->rdt, "linux.intelRdt", "not supported for a virtual machine"},
		{spec->n_net_devices > 0, "linux.netDevices",
		 "a virtual machine cannot take the host's devices"},
		{spec->process.mempolicy, "linux.memoryPolicy",
		 "memory of a virtual machine is one node"},
		{given(spec->process.apparmor_profile), "process.apparmorProfile",
		 "a virtual machine does not have the host's AppArmor"},
		{given(spec->process.selinux_label), "process.selinuxLabel",
		 "a virtual machine does not have the host's SELinux"},
		{given(spec->rootfs.mount_label), "linux.mountLabel",
		 "a virtual machine does not have the host's SELinux"},
		{joins && spec_annotation(spec, VM_ROOT_IMAGE_ANNOTATION),
		 "annotation " VM_ROOT_IMAGE_ANNOTATION,
		 "a machine gets an image when it is made, not for a container that joins it"},
	};
	int rc = check_namespaces(spec, joins, err);

	if (rc < 0 || (rc = check_devices(spec, err)) < 0 || (rc = check_mounts(spec, err)) < 0 ||
	    (rc = vm_config_check_limits(&spec->limits, joins, err)) < 0)
		return rc;
	return check_rows(rows, ARRAY_SIZE(rows), err);
}
