/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What engines tell of pods in annotations: what belongs to which, how big it is. Private to runtime/. */
#ifndef HULL_RUNTIME_POD_H
#define HULL_RUNTIME_POD_H

#include "runtime/spec.h"

struct pod_place {
	const char *
		sandbox; /* id of the container that stands for the pod; NULL: it is in none, or that one */
	bool certain; /* the annotations say that the container is no sandbox itself */
};

/* id: the container's own. -EINVAL: a container of a pod, but not of which. */
int pod_place_of(const struct spec *spec, const char *id, struct pod_place *ret,
		 struct err *err) MUST_CHECK;

/*
 * Adds to a sandbox's limits those that its containers will have together, where it has none itself.
 * They are not the sandbox's own, but what a machine of all has to be fit for.
 */
int pod_add_limits(const struct spec *spec, struct cgroup_limits *l, struct err *err) MUST_CHECK;

#endif
