/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapping lies on a boundary of 2 MiB, so that huge pages of the page cache, where a file system
 * has them, become huge pages of the guest. Behind the file's last page it is anonymous memory that
 * is never written: the kernel's one page of zeroes.
 *
 * A read-only region has nothing to flush, but Linux's driver asks (a file system mounted with
 * -o ro does it as it is unmounted), and the answer shows errors of the file as any other.
 */
#include "microvm/virtio/pmem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/virtio_pmem.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FLUSH_FAILED UINT32_MAX /* -1 (5.19.7.1) */

/* ---- the region ---- */

static int file_size(int fd, uint64_t *ret, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "pmem: look at the file");
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_PATH))
		return err_set(err, EINVAL, "pmem: the file is not open for reading alone");
	*ret = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, ret) < 0)
		return err_sys(err, "pmem: size of the block device");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, EINVAL, "pmem: neither a regular file nor a block device");
	if (*ret == 0 || *ret > INT64_MAX - PMEM_ALIGN)
		return err_set(err, EINVAL, "pmem: a file of %llu bytes", (unsigned long long)*ret);
	return 0;
}

/* size bytes that read as zero, from a multiple of PMEM_ALIGN on. */
static uint8_t *map_zeroes(uint64_t size)
{
	uint8_t *p = mmap(NULL, size + PMEM_ALIGN, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *start;
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	start = (uint8_t *)(((uintptr_t)p + PMEM_ALIGN - 1) & ~(uintptr_t)(PMEM_ALIGN - 1));
	before = (size_t)(start - p);
	if (before)
		munmap(p, before);
	if (before < PMEM_ALIGN)
		munmap(start + size, PMEM_ALIGN - before);
	return start;
}

int pmem_map(int fd, uint64_t gpa, struct guest_region *ret, struct err *err)
{
	uint64_t len, size, end;
	uint8_t *p;
	int rc = file_size(fd, &len, err);

	if (rc < 0)
		return rc;
	size = (len + PMEM_ALIGN - 1) & ~(PMEM_ALIGN - 1);
	if (gpa % PMEM_ALIGN || __builtin_add_overflow(gpa, size, &end))
		return err_set(err, EINVAL, "pmem: %llu bytes at address %#llx",
			       (unsigned long long)size, (unsigned long long)gpa);
	p = map_zeroes(size);
	if (!p)
		return err_sys(err, "pmem: addresses for the file");
	if (mmap(p, len, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		rc = err_sys(err, "pmem: map the file");
		munmap(p, size);
		return rc;
	}
	*ret = (struct guest_region){.gpa = gpa, .size = size, .host = p, .readonly = true};
	return 0;
}

void pmem_unmap(struct guest_region *r)
{
	if (r->host)
		munmap(r->host, r->size);
	*r = (struct guest_region){0};
}

/* ---- the device ---- */

struct pmem {
	struct virtio_device base;
	struct virtio_pmem_config space;
	int fd;
};

static uint32_t answer(struct virtio_device *d, const struct virtq_chain *c)
{
	const struct pmem *p = (const struct pmem *)d;
	struct virtio_pmem_resp resp = {htole32(FLUSH_FAILED)};
	struct virtio_pmem_req req;

	if (virtq_read(c, 0, &req, sizeof(req)) < sizeof(req) || c->in_len < sizeof(resp)) {
		virtio_fault(d, "a request that is too short");
		return 0;
	}
	if (le32toh(req.type) != VIRTIO_PMEM_REQ_TYPE_FLUSH)
		virtio_fault(d, "a request of an unknown type");
	else if (fdatasync(p->fd) == 0)
		resp.ret = 0;
	return (uint32_t)virtq_write(c, 0, &resp, sizeof(resp));
}

static void pmem_serve(struct virtio_device *d, unsigned int q)
{
	virtio_answer_queue(d, q, answer);
}

static int pmem_activate(struct virtio_device *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

static void pmem_reset(struct virtio_device *d)
{
	(void)d;
}

static void pmem_free(struct virtio_device *d)
{
	free(d);
}

static const struct virtio_ops ops = {
	.name = "pmem",
	.activate = pmem_activate,
	.reset = pmem_reset,
	.serve = pmem_serve,
	.free = pmem_free,
};

int virtio_pmem_new(const struct virtio_host *host, const struct pmem_config *config,
		    struct virtio_device **ret, struct err *err)
{
	struct pmem *p;
	int rc;

	if (!config->region.readonly)
		return err_set(err, EINVAL, "pmem: the region is not read-only");
	p = mem_xalloc(sizeof(*p));
	p->fd = config->fd;
	p->space.start = htole64(config->region.gpa);
	p->space.size = htole64(config->region.size);
	p->base.ops = &ops;
	p->base.id = VIRTIO_ID_PMEM;
	p->base.config = (uint8_t *)&p->space;
	p->base.config_size = sizeof(p->space);
	p->base.n_queues = 1;
	rc = virtio_init(&p->base, host, err);
	if (rc < 0) {
		virtio_destroy(&p->base);
		return rc;
	}
	*ret = &p->base;
	return 0;
}
