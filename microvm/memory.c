/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mapping for all RAM, whose addresses are reserved first together with an inaccessible page on
 * either side, so that an error of ours beyond the ends is a fault and not somebody's memory. It
 * begins on a huge page's boundary for the host's transparent ones.
 */
#include "microvm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"

#define PAGE      4096ull
#define HUGE_PAGE (2ull << 20)
#define RAM_MAX   (1ull << 46) /* of addresses for RAM, and far less than a process has */

/* From one inaccessible page to another; RAM begins on a huge page's boundary. */
static uint8_t *reserve(uint64_t size)
{
	uint64_t whole = size + 2 * HUGE_PAGE;
	uint8_t *p =
		mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *start;

	if (p == MAP_FAILED)
		return NULL;
	start = (uint8_t *)(((uintptr_t)p + PAGE + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (start - PAGE > p)
		munmap(p, (size_t)(start - PAGE - p));
	if (start + size + PAGE < p + whole)
		munmap(start + size + PAGE, (size_t)(p + whole - (start + size + PAGE)));
	return start;
}

/*
 * A file of a tmpfs of its own, which nobody sees: unlike those of a memfd its pages are huge where
 * the host has some (tmpfs(5), huge=), and a guest then faults into one where it would into 512.
 * -errno: without CAP_SYS_ADMIN, or on a kernel without huge pages.
 */
static int open_transparent(void)
{
	CLOSE_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "huge", "within_size", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "size", "0", 0) < 0 || /* no limit but ours */
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	root = fsmount(fs, FSMOUNT_CLOEXEC,
		       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (root < 0)
		return -errno;

	int fd = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

static int open_shared(const struct guest_memory_config *c, struct err *err)
{
	int fd = c->hugepages ? -1 : open_transparent();

	if (fd < 0)
		fd = memfd_create("guest-memory",
				  MFD_CLOEXEC | (c->hugepages ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	if (fd < 0)
		return err_sys(err, "memfd_create for the guest's memory");
	if (ftruncate(fd, (off_t)c->size) < 0) {
		int rc = err_sys(err, "size of the guest's memory");

		fd_close(fd);
		return rc;
	}
	return fd;
}

static int map(const struct guest_memory_config *c, struct guest_memory *m, struct err *err)
{
	int flags = MAP_FIXED | MAP_NORESERVE;

	if (c->shared) {
		m->fd = open_shared(c, err);
		if (m->fd < 0)
			return m->fd;
		flags |= MAP_SHARED;
	} else {
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	}
	if (c->hugepages) /* reserved at once: later a missing one would be a SIGBUS */
		flags = (flags & ~MAP_NORESERVE) | MAP_HUGETLB;
	m->map = reserve(c->size);
	if (!m->map)
		return err_sys(err, "reserve addresses for the guest's memory");
	if (mmap(m->map, c->size, PROT_READ | PROT_WRITE, flags, m->fd, 0) == MAP_FAILED)
		return err_sys(err, c->hugepages ? "map the guest's memory on huge pages"
						 : "map the guest's memory");
	/* Where huge pages are not for all, they are for whoever asks. */
	if (!c->shared && !c->hugepages && !c->mergeable)
		(void)madvise(m->map, c->size, MADV_HUGEPAGE);
	if (c->mergeable && madvise(m->map, c->size, MADV_MERGEABLE) < 0)
		return err_sys(err, "share equal pages of the guest's memory (KSM)");
	return 0;
}

int guest_memory_new(const struct guest_memory_config *config, struct guest_memory *ret,
		     struct err *err)
{
	uint64_t size = config->size;
	uint64_t low = size < GUEST_HOLE_START ? size : GUEST_HOLE_START;
	int rc;

	*ret = (struct guest_memory){.fd = -1, .ram = size, .huge = config->hugepages};
	if (size == 0 || size > RAM_MAX || size % (config->hugepages ? HUGE_PAGE : PAGE))
		return err_set(err, EINVAL, "%llu bytes of memory: not a number of whole %spages",
			       (unsigned long long)size, config->hugepages ? "2 MiB " : "");
	/* The kernel would take it in silence and do nothing (man 2 madvise). */
	if (config->shared && config->mergeable)
		return err_set(err, EINVAL,
			       "equal pages (KSM) of memory that another process maps");
	rc = map(config, ret, err);
	if (rc < 0) {
		guest_memory_free(ret);
		return rc;
	}
	ret->regions[ret->n_regions++] = (struct guest_region){0, low, ret->map, false};
	if (size > low)
		ret->regions[ret->n_regions++] =
			(struct guest_region){GUEST_HOLE_END, size - low, ret->map + low, false};
	return 0;
}

void guest_memory_free(struct guest_memory *m)
{
	if (m->map)
		munmap(m->map - PAGE, m->ram + 2 * PAGE);
	fd_replace(&m->fd, -1);
	m->map = NULL;
	m->n_regions = 0;
}

int guest_memory_lay(const struct guest_memory *m, int fd, uint64_t offset, uint64_t len,
		     struct err *err)
{
	const int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;

	if (m->fd >= 0 || m->huge)
		return err_code(err, EOPNOTSUPP, "map a file as the guest's memory");
	if (offset % PAGE || len % PAGE || offset > m->ram || len > m->ram - offset)
		return err_set(err, EINVAL, "map a file as the guest's memory: %llu bytes at %llu",
			       (unsigned long long)len, (unsigned long long)offset);
	if (mmap(m->map + offset, len, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset) != MAP_FAILED)
		return 0;
	/* A file system without mappings. */
	return errno == ENODEV ? err_code(err, EOPNOTSUPP, "map a file as the guest's memory")
			       : err_sys(err, "map a file as the guest's memory");
}

void *guest_at(const struct guest_memory *m, uint64_t gpa, uint64_t len, bool write)
{
	for (size_t i = 0; i < m->n_regions; i++) {
		const struct guest_region *r = &m->regions[i];

		if (gpa < r->gpa || gpa - r->gpa >= r->size)
			continue;
		if (len > r->size - (gpa - r->gpa) || (write && r->readonly))
			return NULL;
		return r->host + (gpa - r->gpa);
	}
	return NULL;
}
