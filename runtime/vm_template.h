/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Templates of virtual machines: a machine that was booted, and saved when its guest's agent had said
 * HELLO and before it had a container. The machine of a new container begins as a private copy of it,
 * in place of a boot, and shares with it, and so with all others, the pages that it does not change.
 *
 * A template is a directory (vm_image.h) below .templates in the state root, closed to everybody but
 * its owner, as that root is. Its name is a hash of all that shapes a machine, and its config.json the
 * whole of that. The first that wants a template makes it, while others that want it wait.
 *
 * Private to runtime/.
 */
#ifndef HULL_RUNTIME_VM_TEMPLATE_H
#define HULL_RUNTIME_VM_TEMPLATE_H

#include "base/err.h"
#include "runtime/runtime.h"
#include "runtime/vm_image.h"

struct vm_setup;

struct vm_template {
	struct vm_image image;
	int dir_fd; /* by which hull-vmm gives up one that is damaged; -1: there is none */
};

#define VM_TEMPLATE_INIT                                                                           \
	{                                                                                          \
		VM_IMAGE_INIT, -1                                                                  \
	}

#define VM_TEMPLATE_ABOUT "hull.json" /* without it there is no template */

/* That of the machine that vm has been loaded for; made if there is none. */
int vm_template_open(struct runtime *rt, const struct vm_setup *vm, struct vm_template *ret,
		     struct err *err) MUST_CHECK;
void vm_template_close(struct vm_template *t);

#endif
