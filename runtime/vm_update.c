/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine is updated from both sides: the container's cgroup in the guest keeps its limits, that of
 * hull-vmm on the host the machine's, and between them the machine itself becomes smaller or larger, by
 * its balloon and by processors that go offline and online.
 */
#include "runtime/vm_update.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtime/vm_config.h"
#include "runtime/vm_control.h"
#include "runtime/vm_machine.h"

#define MIB (1ull << 20)

/* As many as there are when nothing limits them. */
static uint32_t cpus_of(const struct cgroup_limits *l)
{
	bool limited = (l->cpu_quota.set && l->cpu_quota.value > 0) ||
		       (l->cpuset_cpus && *l->cpuset_cpus);

	return limited ? vm_machine_cpus_of(l) : VM_CONTROL_CPUS;
}

static uint32_t mib_of(const struct cgroup_limits *l)
{
	bool limited = l->memory_limit.set && l->memory_limit.value > 0;
	uint64_t mib = (vm_machine_memory_of(l) + MIB - 1) / MIB;

	return limited && mib < VM_CONTROL_MIB ? (uint32_t)mib : VM_CONTROL_MIB;
}

/* Only what the change is about. */
static uint32_t size_of(const struct cgroup_limits *given, const struct cgroup_limits *all)
{
	bool cpus = given->cpu_quota.set || given->cpu_period.set || given->cpuset_cpus;

	return (cpus ? cpus_of(all) << VM_CONTROL_CPUS_SHIFT : 0) |
	       (given->memory_limit.set ? mib_of(all) : 0);
}

static bool is_less(const struct opt_i64 *limit, const struct opt_i64 *than)
{
	return limit->set && limit->value > 0 &&
	       (!than->set || than->value <= 0 || limit->value < than->value);
}

/* Of memory, what is given, with the room that all limits together ask for. */
static void put_memory(const struct cgroup_limits *given, const struct cgroup_limits *all,
		       struct cgroup_limits *ret)
{
	struct cgroup_limits host = vm_config_on_host(all, vm_machine_memory_of(all));

	ret->memory_limit = host.memory_limit;
	ret->memory_swap = host.memory_swap;
	ret->memory_reservation = host.memory_reservation;
	if (!ret->memory_limit.value)
		ret->memory_limit.value = -1; /* 0 would leave it as it is */
	ret->memory_limit.set = given->memory_limit.set;
	ret->memory_swap.set = given->memory_swap.set;
	ret->memory_reservation.set = given->memory_reservation.set;
}

/* A further container of a pod has limits inside alone: host and machine are about all of them. */
void vm_update_plan(const struct container *c, struct cgroup *cg, const struct spec *was,
		    const struct json_node *resources, const struct cgroup_limits *given,
		    const struct cgroup_limits *merged, struct vm_update *ret)
{
	const struct json_node *linux_ = json_get(json_root(was->doc), "linux");
	struct cgroup_limits others = *given;

	*ret = (struct vm_update){
		.c = c,
		.cg = cg,
		.resources = resources,
		.old = json_get(linux_, "resources"),
	};
	if (c->sandbox)
		return;
	others.memory_limit.set = others.memory_swap.set = others.memory_reservation.set = false;
	ret->size = size_of(given, merged);
	ret->old_size = size_of(given, &was->limits);
	ret->before = vm_config_on_host(&others, 0);
	ret->shrinks = is_less(&given->memory_limit, &was->limits.memory_limit);
	put_memory(given, merged, ret->shrinks ? &ret->after : &ret->before);
	put_memory(given, &was->limits, &ret->host_was);
}

static int tell(const struct vm_update *u, const struct json_node *resources, uint32_t size,
		struct err *err)
{
	BUF text = BUF_INIT;

	vm_config_limits_for_guest(resources, &text);

	CLOSE_FD int fd = vm_control_file("resources", text.data, text.len, err);

	return fd < 0 ? fd : vm_control_call(u->c, VM_CONTROL_UPDATE, size, fd, NULL, err);
}

static void take_back(const struct vm_update *u)
{
	struct err e = ERR_INIT;

	if (u->old && tell(u, u->old, u->old_size, &e) < 0)
		log_warn("update: new limits stay in the virtual machine: %s", e.msg);
}

int vm_update_inside(const struct vm_update *u, struct err *err)
{
	int rc = tell(u, u->resources, u->size, err);

	if (rc < 0 || !u->shrinks)
		return rc;
	rc = cgroup_update(u->cg, &u->after, err);
	if (rc < 0)
		take_back(u);
	return rc;
}

void vm_update_undo(const struct vm_update *u)
{
	struct err e = ERR_INIT;

	if (u->shrinks && cgroup_update(u->cg, &u->host_was, &e) < 0)
		log_warn("update: new limits stay on the virtual machine: %s", e.msg);
	take_back(u);
}
