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
