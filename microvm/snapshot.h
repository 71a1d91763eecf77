/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole VM saved to two files, and made again from them.
 *
 *   state   "HULLSNAP", le32 SNAPSHOT_VERSION, le32 0, le64 length, le64 checksum, then that many
 *           bytes: sections of le32 type, le32 length, value (state.h), in this order: machine,
 *           processors, interrupt controllers, clock, serial port, devices. What the kernel's KVM
 *           interface has as a struct is in there as that struct.
 *   memory  the guest's RAM, as long as it is large; pages of zeroes are holes. The state has its
 *           checksum, of the number and content of each page that is none.
 *
 * Saving: the VM is paused. It can go on afterwards. What devices have on the host's side is not
 * saved: connections of the socket device end for the guest that is made again, which is told
 * (VIRTIO_VSOCK_EVENT_TRANSPORT_RESET); a file that was deleted while it was open is gone.
 *
 * Restoring: vm_new with as many processors and as much memory, the same devices in the same order,
 * then vm_restore in place of vm_boot. The files may be anybody's: every number in them is checked.
 * Private memory is a mapping of the memory's file from then on (saved_memory.c), which therefore must
 * not change, but may be removed.
 */
#ifndef HULL_MICROVM_SNAPSHOT_H
#define HULL_MICROVM_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "microvm/microvm.h"

#define SNAPSHOT_VERSION   3
#define SNAPSHOT_STATE     "state" /* names of the files in their directory */
#define SNAPSHOT_MEMORY    "memory"
#define SNAPSHOT_STATE_MAX (64u << 20)

struct snapshot {
	int state_fd, memory_fd;
	bool trusted; /* the memory's file is known to hold what it held when it was made */
	int working_set_fd; /* vm_restore: what to fetch ahead (working_set.h); -1: nothing */
};

#define SNAPSHOT_INIT                                                                              \
	{                                                                                          \
		-1, -1, false, -1                                                                    \
	}

/* Makes the files. -EEXIST: there are some. On failure there are none. */
int snapshot_create(int dir_fd, struct snapshot *ret, struct err *err) MUST_CHECK;
int snapshot_open(int dir_fd, struct snapshot *ret, struct err *err) MUST_CHECK;
void snapshot_close(struct snapshot *s);
void snapshot_remove(int dir_fd); /* the files */

/* What the state file holds behind its header, which is checked. */
int snapshot_read(int state_fd, struct buf *ret, struct err *err) MUST_CHECK;

/* How many devices the machine had that was saved. */
int snapshot_devices(int state_fd, uint32_t *ret, struct err *err) MUST_CHECK;

int vm_save(struct vm *vm, const struct snapshot *to, struct err *err) MUST_CHECK;
int vm_restore(struct vm *vm, const struct snapshot *from, struct err *err) MUST_CHECK;

#endif
