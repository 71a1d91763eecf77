/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HOME of a process in a virtual machine, found on the host. Private to runtime/. */
#ifndef HULL_RUNTIME_VM_HOME_H
#define HULL_RUNTIME_VM_HOME_H

#include "runtime/spec.h"

/*
 * "HOME=DIR" as ns_home_of has it, for p of the container; of spec it takes no more than
 * spec_parse_saved_process reads. NULL: p has a HOME, or the guest sees another /etc/passwd than the
 * host and has to look itself. Caller frees.
 */
char *vm_home(const struct spec *spec, const struct ns_process *p);

#endif
