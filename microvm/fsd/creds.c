/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose files are made: the user and group of the request's header (setfsuid(2), setfsgid(2)), which
 * touch nothing but file access. The guest has checked that the caller may do what it asks, also by
 * supplementary groups, which are not known here: so CAP_DAC_OVERRIDE stays, while CAP_FSETID and
 * the others go, and set-group-id bits obey the kernel's rules for users.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "microvm/fsd/internal.h"

/* "effective" capabilities that a change of the file system user id takes and gives (capabilities(7)) */
#define FS_CAPS                                                                                    \
	(1u << CAP_CHOWN | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER | 1u << CAP_FSETID |       \
	 1u << CAP_LINUX_IMMUTABLE | 1u << CAP_MKNOD)

/* Takes the capabilities without those of the first word named in less. */
static int caps_set(const struct fsd *f, uint32_t less)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {f->caps[0], f->caps[1]};

	data[0].effective &= ~less;
	return capset(&head, data) < 0 ? -errno : 0;
}

int fsd_creds_init(struct fsd *f, struct err *err)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};

	if (capget(&head, f->caps) < 0)
		return err_sys(err, "read capabilities");
	f->uid = geteuid();
	f->gid = getegid();
	return 0;
}

/* Neither call says whether it worked; asking for an invalid id changes nothing and tells. */
static int set_fs_ids(uid_t uid, gid_t gid)
{
	(void)setfsgid(gid);
	(void)setfsuid(uid);
	return (gid_t)setfsgid((gid_t)-1) == gid && (uid_t)setfsuid((uid_t)-1) == uid ? 0 : -EPERM;
}

int fsd_become(struct fsd *f, const struct fsd_request *r)
{
	int rc;

	if (r->h.uid == (uid_t)-1 || r->h.gid == (gid_t)-1)
		return -EINVAL;
	if (r->h.uid == f->uid && r->h.gid == f->gid)
		return 0;
	f->other = true;
	rc = set_fs_ids(r->h.uid, r->h.gid);
	if (!rc && r->h.uid != f->uid)
		rc = caps_set(f, FS_CAPS);
	if (rc < 0)
		fsd_return(f);
	return rc;
}

void fsd_return(struct fsd *f)
{
	int saved = errno;

	/* Never goes on as somebody else. */
	if (f->other && (set_fs_ids(f->uid, f->gid) < 0 || caps_set(f, 0) < 0))
		abort();
	f->other = false;
	errno = saved;
}

void fsd_fsetid(struct fsd *f, bool on)
{
	int saved = errno;

	if (caps_set(f, on ? 0 : 1u << CAP_FSETID) < 0)
		abort();
	errno = saved;
}
