/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual machine of a container: a VM with the devices that its guest expects, and the process
 * that serves its files.
 */
#ifndef HULL_MICROVM_MACHINE_H
#define HULL_MICROVM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "microvm/fsd/server.h"
#include "microvm/microvm.h"
#include "microvm/snapshot.h"
#include "microvm/virtio/net.h"

#define MACHINE_SHARE_TAG "hull" /* of the shared directory's file system */
#define MACHINE_GUEST_CID 3
#define MACHINE_DEVICES   4 /* that every machine has; an image, disks and networks come on top */

/* One the guest finds as /dev/vda, the next as /dev/vdb. */
struct machine_disk {
	int fd;             /* O_RDONLY for a read-only disk, else O_RDWR; borrowed */
	const char *serial; /* at most BLK_SERIAL_MAX bytes, or NULL */
	bool readonly;
};

/* One the guest finds as eth0, the next as eth1. */
struct machine_net {
	int fd; /* of tap_open or tap_prepare; borrowed; -1: nobody's yet, a device to spare */
	uint8_t mac[NET_MAC_LEN];
	uint16_t mtu; /* 0: not told */
};

struct machine_config {
	int kvm_fd;                  /* -1: opens /dev/kvm; owned from now on */
	int kernel_fd, initramfs_fd; /* borrowed */
	const char *kernel_name;     /* for messages */
	int share_fd;                /* the shared directory; borrowed */
	int image_fd;    /* a file that the guest finds as /dev/pmem0, O_RDONLY; borrowed; -1: none */
	int serial_fd;   /* the kernel's messages go there; borrowed; -1: it has no serial port */
	bool last_words; /* of them only those of a kernel that panics */
	unsigned int cpus;
	uint64_t memory;     /* bytes */
	bool hugepages;      /* for all of it; an error when the host has too few */
	const char *cmdline; /* more words for the kernel, or NULL */
	/* The guest connects to a port of the host, see vsock.h. */
	int (*connect)(void *arg, uint32_t port);
	void *arg;
	int requests_fd; /* the host connects to a port of the guest, see vsock.h; borrowed; -1 */
	bool jailed; /* the jail (jail.h) is entered before the guest runs */
	const struct machine_disk *disks;
	size_t n_disks;
	const struct machine_net *nets;
	size_t n_nets;
	/* Made again from this, in place of a boot: kernel, initramfs and cmdline are not looked at. */
	const struct snapshot *restore;
};

struct machine {
	struct vm *vm;
	struct fsd_server files;
	struct virtio_device *balloon; /* its VM owns it; see virtio/balloon.h */
	struct guest_region image;     /* mapped as long as the VM */
	int image_fd;                  /* -1: none */
};

#define MACHINE_INIT                                                                               \
	{                                                                                          \
		NULL, FSD_SERVER_INIT, NULL, {0}, -1                                               \
	}

/* The caller has one thread; when it returns the guest runs. *ret is MACHINE_INIT after a failure. */
int machine_start(const struct machine_config *config, struct machine *ret,
		  struct err *err) MUST_CHECK;
void machine_end(struct machine *m);

/*
 * How much of its memory the guest may keep: it is asked to give the rest, which takes its time;
 * machine_memory says how much it has by now, machine_wanted_memory what it was asked for. From any
 * thread.
 */
void machine_set_memory(const struct machine *m, uint64_t bytes);
uint64_t machine_memory(const struct machine *m);
uint64_t machine_wanted_memory(const struct machine *m);

#endif
