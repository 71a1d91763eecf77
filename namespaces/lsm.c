// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The security label that the next execve takes: AppArmor profile, SELinux context.
 *
 * A label that the host cannot honour is an error, never a weaker container. The writes go through
 * the verified procfs of the caller (a container that mounts something else over its own /proc
 * voids labels otherwise: CVE-2019-16884, CVE-2025-52881). Podman finds the file's name in the
 * message by its backquotes, so they stay. Kernel interface:
 * Documentation/admin-guide/LSM/index.rst.
 */
#include "namespaces/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/proc.h"

static bool apparmor_enabled(void)
{
	CLOSE_FD int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char answer;

	return fd >= 0 && io_read(fd, &answer, 1) == 1 && answer == 'Y';
}

static bool selinux_enabled(void)
{
	struct statfs st;

	return statfs("/sys/fs/selinux", &st) == 0 && st.f_type == SELINUX_MAGIC;
}

int ns_process_labels_check(const struct ns_process *p, struct err *err)
{
	if (p->apparmor_profile && !apparmor_enabled())
		return err_set(err, EOPNOTSUPP,
			       "process.apparmorProfile '%s': AppArmor is not enabled on this host",
			       p->apparmor_profile);
	if (p->selinux_label && !selinux_enabled())
		return err_set(err, EOPNOTSUPP,
			       "process.selinuxLabel '%s': SELinux is not enabled on this host",
			       p->selinux_label);
	return 0;
}

static int apparmor_set_exec(int proc_fd, const char *profile, struct err *err)
{
	BUF value = BUF_INIT;
	const char *file = "self/attr/apparmor/exec";
	int rc;

	buf_addf(&value, "exec %s", profile);
	rc = proc_write(proc_fd, file, value.data, err);
	if (rc == -ENOENT) {
		file = "self/attr/exec"; /* kernels before 5.8 have no directory a module */
		rc = proc_write(proc_fd, file, value.data, err);
	}
	if (rc < 0)
		return err_code(err, -rc, "process.apparmorProfile '%s': write `/proc/%s`", profile,
				file);
	return 0;
}

static int selinux_set_exec(int proc_fd, const char *label, struct err *err)
{
	const char *file = "thread-self/attr/exec";
	int rc = proc_write(proc_fd, file, label, err);

	if (rc < 0)
		return err_code(err, -rc, "process.selinuxLabel '%s': write `/proc/%s`", label,
				file);
	return 0;
}

int ns_process_labels(int proc_fd, const struct ns_process *p, struct err *err)
{
	int rc = 0;

	if (p->apparmor_profile)
		rc = apparmor_set_exec(proc_fd, p->apparmor_profile, err);
	if (rc == 0 && p->selinux_label)
		rc = selinux_set_exec(proc_fd, p->selinux_label, err);
	return rc;
}
