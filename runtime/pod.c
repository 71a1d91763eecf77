/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * containerd and CRI-O say of each container whether it is a pod's sandbox or a container in it. podman
 * uses CRI-O's words, the type only in some versions, and none for the infra container of a pod, its
 * sandbox.
 */
#include "runtime/pod.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

#define SHARES_OF_CPU 1024   /* what an engine gives for one processor */
#define CPU_PERIOD    100000 /* us, the kernel's own */

static const struct {
	const char *type, *sandbox;
} words[] = {
	{"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
	{"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
};

int pod_place_of(const struct spec *spec, const char *id, struct pod_place *ret, struct err *err)
{
	*ret = (struct pod_place){0};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *type = spec_annotation(spec, words[i].type);
		const char *sandbox = spec_annotation(spec, words[i].sandbox);
		const bool certain = type && strcmp(type, "container") == 0;

		if (certain && (!sandbox || !*sandbox))
			return err_set(err, EINVAL,
				       "annotation '%s' says container, but there is no '%s'",
				       words[i].type, words[i].sandbox);
		if (!sandbox || !*sandbox || (type && !certain))
			continue;
		if (strcmp(sandbox, id) != 0)
			*ret = (struct pod_place){sandbox, certain};
		return 0;
	}
	return 0;
}

/* *ret is 0 when there is nothing, as containerd writes it, too. -1 is no limit. */
static int read_number(const struct spec *spec, const char *key, int64_t *ret, struct err *err)
{
	const char *text = spec_annotation(spec, key);

	*ret = 0;
	if (text && (parse_i64(text, ret) < 0 || *ret < -1))
		return err_set(err, EINVAL, "annotation '%s': '%s' is not a number from -1 on", key,
			       text);
	return 0;
}

static void add_quota(struct cgroup_limits *l, int64_t quota, int64_t period)
{
	l->cpu_quota = (struct opt_i64){.set = true, .value = quota};
	l->cpu_period = (struct opt_u64){.set = true, .value = (uint64_t)period};
}

/* Without a quota, what the containers are promised is the least that they have use for. */
int pod_add_limits(const struct spec *spec, struct cgroup_limits *l, struct err *err)
{
	int64_t memory, quota, period, shares;
	int rc;

	if ((rc = read_number(spec, "io.kubernetes.cri.sandbox-memory", &memory, err)) < 0 ||
	    (rc = read_number(spec, "io.kubernetes.cri.sandbox-cpu-quota", &quota, err)) < 0 ||
	    (rc = read_number(spec, "io.kubernetes.cri.sandbox-cpu-period", &period, err)) < 0 ||
	    (rc = read_number(spec, "io.kubernetes.cri.sandbox-cpu-shares", &shares, err)) < 0)
		return rc;
	if (memory > 0 && l->memory_limit.value <= 0)
		l->memory_limit = (struct opt_i64){.set = true, .value = memory};
	if (l->cpu_quota.value > 0)
		return 0;
	if (quota > 0)
		add_quota(l, quota, period > 0 ? period : CPU_PERIOD);
	else if (shares > 0 && (!l->cpuset_cpus || !*l->cpuset_cpus))
		add_quota(l, shares, SHARES_OF_CPU);
	return 0;
}
