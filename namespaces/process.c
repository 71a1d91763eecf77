// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last steps of a process on its way into the container: who it is, where it stands, what it
 * may do. The order is dictated by what each step takes away:
 *
 *   groups            before there is a filter that could answer for the kernel; needs CAP_SETGID
 *   no_new_privs off: the filter goes first, while CAP_SYS_ADMIN is still held (man 2 seccomp); it
 *                     must then allow the calls below, which is the contract with its author
 *   no_new_privs on:  the bit goes first, the filter last
 *   chdir             as root: the container's user may not reach the directory yet
 *   bounding set      needs CAP_SETPCAP
 *   gid               needs CAP_SETGID, lost with the uid
 *   uid               keeps the permitted set (PR_SET_KEEPCAPS), loses the effective one
 *   capabilities      final sets; ambient after permitted and inheritable
 *   chdir again       when root could not (root-squashing NFS, FUSE), now as the user
 *   umask             after everything that creates files
 *
 * PR_SET_PDEATHSIG is left alone; the process stays undumpable until execve (CVE-2016-9962).
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "namespaces/process.h"

int ns_process_make_cwd(const struct ns_process *p, struct err *err)
{
	CLOSE_FD int root_fd = -1, fd = -1;
	struct stat st;
	mode_t mask;

	if (stat(p->cwd, &st) == 0)
		return 0;
	if (errno != ENOENT)
		return 0; /* chdir will tell, perhaps it succeeds as the container's user */
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return err_sys(err, "open '/'");
	mask = umask(0);
	fd = path_mkdir_in(root_fd, p->cwd, 0755, err);
	umask(mask);
	return fd < 0 ? err_wrap(err, fd, "process.cwd '%s'", p->cwd) : 0;
}

/*
 * A cwd of /proc/self/fd/N leads to a directory of the host when a descriptor leaked. The kernel
 * then shows the path as "(unreachable)/…" (CVE-2024-21626); glibc's getcwd would hide that.
 */
static int check_cwd(const struct ns_process *p, struct err *err)
{
	char path[PATH_MAX];

	if (sys_getcwd(path, sizeof(path)) < 0)
		return err_sys(err, "process.cwd '%s': getcwd", p->cwd);
	if (path[0] != '/')
		return err_set(err, EPERM,
			       "process.cwd '%s': current working directory is outside of the "
			       "container's root",
			       p->cwd);
	return 0;
}

/*
 * Always called: the groups of whoever started the runtime must not get in (CVE-2014-8989). One who
 * holds CAP_SETGID is refused only where the user namespace's creator gave setgroups away (man 7
 * user_namespaces); the filter is not there yet to give the same answer.
 */
static int set_groups(const struct ns_process *p, struct err *err)
{
	if (setgroups(p->n_groups, p->groups) == 0)
		return 0;
	if (errno != EPERM || !ns_caps_effective(CAP_SETGID))
		return err_sys(err, "process.user.additionalGids: setgroups");
	if (p->n_groups == 0)
		return 0;
	return err_set(err, EPERM,
		       "process.user.additionalGids: setgroups is denied in this user namespace");
}

static const char *unmapped_hint(void)
{
	return errno == EINVAL ? " (not mapped in the user namespace)" : "";
}

static int set_ids(const struct ns_process *p, struct err *err)
{
	if (setresgid(p->gid, p->gid, p->gid) < 0)
		return err_sys(err, "process.user.gid %u%s", p->gid, unmapped_hint());
	if (p->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, "keep capabilities");
	if (setresuid(p->uid, p->uid, p->uid) < 0)
		return err_sys(err, "process.user.uid %u%s", p->uid, unmapped_hint());
	/* A change of ids resets this to the host's fs.suid_dumpable. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "stay undumpable");
	return 0;
}

static int become_user(const struct ns_process *p, struct err *err)
{
	static const struct ns_caps none;
	const struct ns_caps *caps = p->has_caps ? &p->caps : &none;
	uint64_t missing;
	int rc;

	rc = ns_caps_drop_bounding(caps->bounding, &missing, err);
	if (rc == 0)
		rc = set_ids(p, err);
	if (rc == 0)
		rc = ns_caps_set(caps, &missing, err);
	if (rc == 0)
		ns_caps_warn_missing(missing);
	return rc;
}

int ns_process_credentials(const struct ns_process *p, const struct ns_seccomp_filter *filter,
			   int *ret_listener, struct err *err)
{
	CLOSE_FD int listener = -1;
	bool retry;
	int rc = set_groups(p, err);

	if (rc < 0)
		return rc;
	if (p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "process.noNewPrivileges");
	if (!p->no_new_privs && filter)
		rc = ns_seccomp_install(filter, &listener, err);
	if (rc < 0)
		return rc;
	retry = chdir(p->cwd) < 0;
	if (retry && errno != EACCES)
		return err_sys(err, "process.cwd '%s': chdir", p->cwd);
	rc = become_user(p, err);
	if (rc < 0)
		return rc;
	if (retry && chdir(p->cwd) < 0)
		return err_sys(err, "process.cwd '%s': chdir", p->cwd);
	rc = check_cwd(p, err);
	if (rc < 0)
		return rc;
	umask(p->umask);
	if (p->no_new_privs && filter)
		rc = ns_seccomp_install(filter, &listener, err);
	if (rc < 0)
		return rc;
	if (ret_listener)
		*ret_listener = fd_take(&listener);
	return 0;
}
