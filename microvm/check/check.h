/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a kernel can be the guest's: what hull needs of its configuration, and what it uses when
 * it is there.
 */
#ifndef HULL_MICROVM_CHECK_CHECK_H
#define HULL_MICROVM_CHECK_CHECK_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Checks the open kernel file fd and appends a line for each thing that is missing to report.
 * Returns the number of needed things among them, 0: the kernel will do; or -errno when the file is
 * no kernel or cannot be looked into (see kernel_image_read). name is for messages.
 */
int kernel_check(int fd, const char *name, struct buf *report, struct err *err) MUST_CHECK;

#endif
