/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hull-oci says of a container or a process that the guest is to make: the fields of the agent's
 * CREATE and EXEC (microvm/proto.h), to which hull-vmm adds names and streams. Private to runtime/.
 */
#ifndef HULL_RUNTIME_VM_REQUEST_H
#define HULL_RUNTIME_VM_REQUEST_H

#include "runtime/runtime.h"

struct spec;
struct vm_place;

/* place: of vm_config_for_guest. Returns a file that holds them, at its beginning, or -errno. */
int vm_request_create(const struct spec *spec, const struct vm_place *place,
		      const struct create_options *o, struct err *err) MUST_CHECK;

/*
 * text: of the file that --process names, NULL: the options say which process. env: what of its
 * environment is known here. The agent has the container's configuration, so it is not looked at.
 */
void vm_request_exec(const struct container *c, const struct exec_options *o,
		     const struct buf *text, const char *const *env, struct buf *ret);

#endif
