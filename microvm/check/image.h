/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel's file tells about the kernel without running it: the kind of image, its entry
 * points, and the configuration that CONFIG_IKCONFIG embeds. The file is read in pieces and believed
 * nothing; a damaged or hostile one costs a bounded time and little memory.
 */
#ifndef HULL_MICROVM_CHECK_IMAGE_H
#define HULL_MICROVM_CHECK_IMAGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct kernel_image {
	bool bzimage;    /* else an ELF vmlinux */
	bool pvh;        /* vmlinux: has the note with the PVH entry */
	bool entry64;    /* bzImage: has the 64-bit entry (XLF_KERNEL_64) */
	bool has_config; /* config is the kernel's .config */
	struct buf config;
};

/*
 * fd: a regular file, read from its beginning. name is for messages. -ENOEXEC: no kernel for this
 * machine, or damaged; -EOPNOTSUPP: a bzImage packed in a way that is not understood here; -EFBIG.
 */
int kernel_image_read(int fd, const char *name, struct kernel_image *ret,
		      struct err *err) MUST_CHECK;
void kernel_image_release(struct kernel_image *image);

#endif
