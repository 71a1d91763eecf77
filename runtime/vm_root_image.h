/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root file system that is one file, which virtual machines share. Private to runtime/. */
#ifndef HULL_RUNTIME_VM_ROOT_IMAGE_H
#define HULL_RUNTIME_VM_ROOT_IMAGE_H

#include "base/err.h"

/*
 * Opens the file for reading alone. *ret_type: what is in it, "erofs" or "ext4"; another file system,
 * or one that cannot be used where it lies (DAX, Documentation/filesystems/dax.rst) because its blocks
 * are no pages, is an error.
 */
int vm_root_image_open(const char *path, int *ret_fd, const char **ret_type,
		       struct err *err) MUST_CHECK;

#endif
