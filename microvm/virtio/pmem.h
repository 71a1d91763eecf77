/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file as memory of the guest's, for reading alone (virtio 1.2, 5.19). That a guest cannot write
 * is in the mapping and in KVM's memory slot, as guest_region.readonly; nothing that the driver says
 * or promises has a part in it. All guests that map a file share its page cache.
 */
#ifndef HULL_MICROVM_VIRTIO_PMEM_H
#define HULL_MICROVM_VIRTIO_PMEM_H

#include "microvm/virtio/device.h"

#define PMEM_ALIGN (2ull << 20) /* of addresses and sizes: what Linux adds memory by */

/*
 * Maps a regular file or block device that is open O_RDONLY at gpa, a multiple of PMEM_ALIGN; the
 * descriptor can be closed afterwards. The region is padded with zeroes up to PMEM_ALIGN and becomes
 * one of guest memory's. The file must not shrink while it is mapped: the guest's access to what is
 * gone ends the VM.
 */
int pmem_map(int fd, uint64_t gpa, struct guest_region *ret, struct err *err) MUST_CHECK;
void pmem_unmap(struct guest_region *r);

struct pmem_config {
	struct guest_region region;
	int fd; /* the file's, the caller's, open as long as the device: flushed when the guest asks */
};

int virtio_pmem_new(const struct virtio_host *host, const struct pmem_config *config,
		    struct virtio_device **ret, struct err *err) MUST_CHECK;

#endif
