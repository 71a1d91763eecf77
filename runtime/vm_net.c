/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_net.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/vm_control.h"

/* Whose interfaces are those of this host, or of the container that hull runs in. */
int vm_net_check(int netns_fd, int proc_fd, struct err *err)
{
	struct stat own, theirs;

	if (netns_fd < 0)
		return 0;
	if (fstatat(proc_fd, "self/ns/net", &own, 0) < 0 || fstat(netns_fd, &theirs) < 0)
		return err_sys(err, "compare network namespaces");
	if (own.st_dev == theirs.st_dev && own.st_ino == theirs.st_ino)
		return err_set(err, ENOTSUP,
			       "linux.namespaces: a virtual machine cannot take over the "
			       "interfaces of the host's network namespace");
	return 0;
}

int vm_net_take(struct ns_taken *ret, int *ret_conf_fd, struct err *err)
{
	struct ns_taken taken = NS_TAKEN_INIT;
	BUF text = BUF_INIT;
	int rc = ns_netdev_take(&taken, NULL, err), fd = -1;

	if (rc < 0)
		return rc;
	if (taken.conf) {
		netconf_encode(taken.conf, &text);
		fd = vm_control_file("network", text.data, text.len, err);
		if (fd < 0) {
			ns_taken_release(&taken);
			return fd;
		}
	}
	*ret = taken;
	*ret_conf_fd = fd;
	return 0;
}

void vm_net_release(const struct spec *spec)
{
	const char *path = spec->spaces.kind[NS_NETWORK].path;
	struct err e = ERR_INIT;

	if (!path)
		return;

	CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc = fd < 0 ? -errno : ns_netdev_release(fd, NULL, &e);

	/* The namespace has gone first, or there was never a program to take anything over. */
	if (fd >= 0 && rc < 0 && rc != -ENOENT)
		log_warn("%s, going on", e.msg);
}
