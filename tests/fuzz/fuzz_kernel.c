/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel files for check-kernel, ELF, bzImage and neither. A refused one must have a message of one
 * line; of the others each missing option is one line of the report.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "microvm/check/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int cond)
{
	if (!cond)
		abort();
}

static void check_report(const struct buf *report, int needed)
{
	int lines = 0, marked = 0;

	for (const char *p = buf_str(report); *p; p = strchr(p, '\n') + 1) {
		must(strchr(p, '\n') != NULL);
		marked += strncmp(p, "needed: ", 8) == 0;
		lines++;
	}
	must(marked == needed && lines >= marked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC), rc;
	struct err err = ERR_INIT;
	BUF report = BUF_INIT;

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	rc = kernel_check(fd, "in", &report, &err);
	if (rc < 0)
		must(err.code == -rc && strncmp(err.msg, "'in': ", 6) == 0 &&
		     !strchr(err.msg, '\n') && report.len == 0);
	else
		check_report(&report, rc);
	must(close(fd) == 0);
	return 0;
}
