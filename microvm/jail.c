/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of the steps is that of what they need: each comment says what is still there behind it,
 * and what for. Everything that has a name is open by now; nothing is opened by name afterwards.
 *
 * A pid namespace no process can enter itself: hull-vmm is born in its own (runtime/vm_pidns.c).
 */
#include "microvm/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"

/* A thousand clients of the control socket, each with the streams of an exec. */
#define FILES_MAX 16384

int jail_share_core(struct err *err)
{
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD_GROUP, 0) == 0)
		return 0;
	if (errno != EINVAL && errno != ENODEV && errno != ESRCH)
		return err_sys(err, "keep the processor's cores from other machines");
	log_debug("no core scheduling here: %s", strerrordesc_np(errno));
	return 0;
}

/* No core dumps are confine_drop_capabilities' doing; files grow as far as they did before. */
static int limit_files(struct err *err)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return err_sys(err, "getrlimit");
	if (l.rlim_max > FILES_MAX)
		l.rlim_max = FILES_MAX;
	l.rlim_cur = l.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &l) < 0 ? err_sys(err, "limit open files") : 0;
}

static int make_empty_root(struct err *err)
{
	CLOSE_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "make an empty file system");
	root = fsmount(fs, FSMOUNT_CLOEXEC,
		       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			       MOUNT_ATTR_NOEXEC);
	return root < 0 ? err_sys(err, "mount an empty file system") : fd_take(&root);
}

static int leave_files(struct err *err)
{
	CLOSE_FD int root = -1;

	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return err_sys(err, "unshare");
	root = make_empty_root(err);
	return root < 0 ? root : confine_change_root(root, err);
}

/* As the host counts it: in their own pid namespaces all machines have the same. */
static int own_pid(uint32_t *ret, struct err *err)
{
	char text[16];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n < 0)
		return err_sys(err, "read '/proc/self'");
	text[n] = '\0';
	if (parse_u32(text, ret) < 0)
		return err_set(err, EINVAL, "'/proc/self' leads to '%s'", text);
	return 0;
}

/*
 * The capabilities stay for now (no_setuid_fixup); what these bits allow once they are locked is
 * none, for uid 0 neither (man 7 capabilities, securebits).
 */
static int become_nobody(unsigned int id, struct err *err)
{
	const unsigned long bits =
		SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
		SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
		SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return err_sys(err, "set securebits");
	if (setgroups(0, NULL) < 0)
		return err_sys(err, "drop supplementary groups");
	if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return err_sys(err, "become user %u", id);
	return 0;
}

/* A change of the user has cleared it (man 2 prctl, PR_SET_PDEATHSIG). */
static int follow_parent(int signal, pid_t parent, struct err *err)
{
	if (signal && prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0)
		return err_sys(err, "set the parent death signal");
	if (signal && getppid() != parent)
		return err_set(err, ESRCH, "the process that started it has ended");
	return 0;
}

int jail_enter(struct err *err)
{
	const pid_t parent = getppid();
	int death_signal = 0, rc;
	uint32_t pid = 0;

	if (prctl(PR_GET_PDEATHSIG, &death_signal) < 0)
		return err_sys(err, "get the parent death signal");
	/* A limit that root may have above its own soft one. */
	if ((rc = limit_files(err)) < 0 ||
	    /* The host's procfs. */
	    (rc = own_pid(&pid, err)) < 0 ||
	    /* CAP_SYS_ADMIN, for namespaces and mounts. */
	    (rc = leave_files(err)) < 0 ||
	    /* CAP_SETPCAP for securebits; CAP_SETUID and CAP_SETGID. */
	    (rc = become_nobody(JAIL_FIRST_ID + pid, err)) < 0 ||
	    /* CAP_SETPCAP for the bounding set; then none is left. */
	    (rc = confine_drop_capabilities(0, err)) < 0 ||
	    /* No privilege: it is the caller's own. */
	    (rc = follow_parent(death_signal, parent, err)) < 0 ||
	    /* no_new_privs, which stands in for CAP_SYS_ADMIN here and for the filters. */
	    (rc = confine_landlock(err)) < 0)
		return err_wrap(err, rc, "lock in the virtual machine's process");
	return 0;
}

int jail_lock(enum jail_thread kind, struct err *err)
{
	return confine_filter_load(&jail_filters[kind], err);
}
