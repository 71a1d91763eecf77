/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tap devices. The descriptor is made where the network namespace and the privilege are, and is all
 * that the VMM gets: it neither opens /dev/net/tun nor names interfaces.
 */
#include "microvm/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sys/ioctl.h>

#include "base/fd.h"

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

int tap_prepare(int fd, struct err *err)
{
	int header = sizeof(struct virtio_net_hdr_v1), little = 1;
	struct ifreq ifr = {0};

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return err_sys(err, "query the tap device");
	if ((ifr.ifr_flags & (IFF_TUN | TAP_FLAGS)) != TAP_FLAGS)
		return err_set(err, EINVAL, "'%.*s' is no tap device with offload headers",
			       IFNAMSIZ, ifr.ifr_name);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return err_sys(err, "set the header size of '%.*s'", IFNAMSIZ, ifr.ifr_name);
	if (ioctl(fd, TUNSETVNETLE, &little) < 0)
		return err_sys(err, "set the byte order of '%.*s'", IFNAMSIZ, ifr.ifr_name);
	return fd_set_nonblock(fd, 1, err);
}

int tap_open(const char *name, struct err *err)
{
	CLOSE_FD int fd = -1;
	struct ifreq ifr = {.ifr_flags = TAP_FLAGS};
	size_t len = strlen(name);
	int rc;

	if (!len || len >= IFNAMSIZ)
		return err_set(err, EINVAL, "'%s' is no name for an interface", name);
	memcpy(ifr.ifr_name, name, len);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "open '/dev/net/tun'");
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return err_sys(err, "attach to tap device '%s'", name);
	rc = tap_prepare(fd, err);
	return rc ? rc : fd_take(&fd);
}

int tap_set_offload(int fd, unsigned int flags, struct err *err)
{
	if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) < 0)
		return err_sys(err, "set the offloads of the tap device");
	return 0;
}
