/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where companion programs are. /proc/self/exe tells this program's own directory, unless it was
 * executed from a descriptor; then the variable that companion_remember left does.
 */
#include "base/companion.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define VARIABLE  "HULL_PROGRAM_DIR"
#define INSTALLED "/usr/libexec/hull"

static char *own_dir(struct err *err)
{
	char self[PATH_MAX];
	const char *remembered = secure_getenv(VARIABLE);

	if (remembered)
		return mem_xstrdup(remembered);

	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0) {
		(void)err_sys(err, "read link '/proc/self/exe'");
		return NULL;
	}
	self[n] = '\0';

	char *slash = strrchr(self, '/');

	return mem_xstrndup(self, slash && slash != self ? (size_t)(slash - self) : 1);
}

char *companion_path(const char *name)
{
	FREE char *dir = own_dir(NULL);
	FREE char *beside = dir ? mem_xprintf("%s/%s", dir, name) : NULL;

	if (beside && access(beside, X_OK) == 0)
		return ptr_take(&beside);
	return mem_xprintf(INSTALLED "/%s", name);
}

int companion_remember(struct err *err)
{
	struct err e = ERR_INIT;
	FREE char *dir = own_dir(&e);

	if (!dir)
		return err_set(err, e.code, "%s", e.msg);
	if (setenv(VARIABLE, dir, 1) < 0)
		return err_sys(err, "setenv " VARIABLE);
	return 0;
}
