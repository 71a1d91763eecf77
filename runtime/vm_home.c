/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that looks for a user's home asks the host for each step of the way to /etc/passwd, then for
 * the file: half a dozen round trips for each process that is started, which is why the host looks.
 */
#include "runtime/vm_home.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtime/vm_config.h"

/* A mount at /, /etc or /etc/passwd, whose content may be the guest's alone; or what is no mount. */
static bool hides_passwd(const struct json_node *mount)
{
	const char *destination = NULL;

	if (json_get_string(mount, "destination", &destination, NULL) <= 0)
		return true;

	/* a relative one counts from / */
	FREE char *absolute = mem_xprintf("/%s", destination);
	FREE char *place = path_clean(absolute);

	return strcmp(place, "/") == 0 || strcmp(place, "/etc") == 0 ||
	       strcmp(place, "/etc/passwd") == 0;
}

char *vm_home(const struct spec *spec, const struct ns_process *p)
{
	FREE char *home = NULL;

	if (spec_annotation(spec, VM_ROOT_IMAGE_ANNOTATION))
		return NULL;
	json_each (mount, json_get(json_root(spec->doc), "mounts")) {
		if (hides_passwd(mount))
			return NULL;
	}
	/* Without the file: the root may not be where it was, for whoever calls exec. */
	if (ns_process_home(spec->rootfs.path, p, &home) < 0)
		return NULL;
	return ptr_take(&home);
}
