// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The session keyring (man 7 session-keyring). Without one of its own a container would inherit
 * that of whoever started it, keys and all. It carries a name so that an exec'ed process finds it
 * again. Keys are often missing or forbidden (a kernel without them, a filter around the engine, a
 * user's quota used up by many containers): the container does without then.
 */
#include "namespaces/namespaces.h"

#include <errno.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"

/*
 * What the kernel gives a named keyring (security/keys/process_keys.c), and the search right for
 * its user, without which the name is not found again (man 7 keyrings, "Permissions").
 */
#define KEY_POSSESSOR_ALL 0x3f000000u
#define KEY_USER_VIEW     0x00010000u
#define KEY_USER_READ     0x00020000u
#define KEY_USER_SEARCH   0x00080000u
#define KEY_USER_LINK     0x00100000u
#define KEYRING_PERM                                                                               \
	(KEY_POSSESSOR_ALL | KEY_USER_VIEW | KEY_USER_READ | KEY_USER_SEARCH | KEY_USER_LINK)

static bool tolerated(int errnum)
{
	return errnum == ENOSYS || errnum == EPERM || errnum == EDQUOT;
}

int ns_keyring_join(int proc_fd, const char *name, bool is_new, const char *label, struct err *err)
{
	int id, rc;

	if (label) {
		rc = proc_write(proc_fd, "thread-self/attr/keycreate", label, err);
		if (rc < 0)
			return err_wrap(err, rc, "label the session keyring");
	}
	id = sys_keyctl_join(name);
	if (id < 0) {
		if (!tolerated(errno))
			return err_sys(err, "join the session keyring '%s'", name);
		log_debug("no session keyring '%s', ignoring (errno %d)", name, errno);
		return 0;
	}
	if (is_new && sys_keyctl_setperm(id, KEYRING_PERM) < 0 && !tolerated(errno))
		return err_sys(err, "set permissions of the session keyring '%s'", name);
	return 0;
}
