/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "microvm/boot/boot.h"
#include "microvm/x86/layout.h"

#define KERNEL_MAX_BYTES (512ull << 20)
#define PAGE             4096ull

static void unmap(struct boot_file *f)
{
	if (f->data)
		munmap((void *)(uintptr_t)f->data, f->size);
}

#define MAPPED __attribute__((cleanup(unmap))) struct boot_file

static int map_kernel(int fd, const char *name, struct boot_file *ret, struct err *err)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "kernel '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ENOEXEC, "kernel '%s' is not a regular file", name);
	if (st.st_size < 4096 || (uint64_t)st.st_size > KERNEL_MAX_BYTES)
		return err_set(err, ENOEXEC, "kernel '%s' is too %s", name,
			       st.st_size < 4096 ? "short" : "long");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, "map kernel '%s'", name);
	*ret = (struct boot_file){fd, p, (uint64_t)st.st_size};
	return 0;
}

int boot_read(int fd, uint64_t offset, void *to, uint64_t len, struct err *err)
{
	for (uint64_t done = 0; done < len;) {
		ssize_t n = pread(fd, (uint8_t *)to + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(err, "read") : err_set(err, EIO, "became shorter");
		done += (uint64_t)n;
	}
	return 0;
}

size_t boot_memory_map(const struct guest_memory *m, struct boot_range ret[static 4])
{
	uint64_t low = m->ram < GUEST_HOLE_START ? m->ram : GUEST_HOLE_START;
	size_t n = 0;

	ret[n++] = (struct boot_range){0, LAYOUT_LOW_END, false};
	ret[n++] = (struct boot_range){LAYOUT_LOW_END, LAYOUT_HIGH_START - LAYOUT_LOW_END, true};
	ret[n++] = (struct boot_range){LAYOUT_HIGH_START, low - LAYOUT_HIGH_START, false};
	if (m->ram > low)
		ret[n++] = (struct boot_range){GUEST_HOLE_END, m->ram - low, false};
	return n;
}

/* As high as the kernel allows, so that it is out of the way of a kernel that unpacks itself. */
static int load_initramfs(int fd, const struct guest_memory *m, struct boot_image *image,
			  struct err *err)
{
	uint64_t low = m->ram < GUEST_HOLE_START ? m->ram : GUEST_HOLE_START;
	uint64_t top = (uint64_t)image->initramfs_max + 1 < low ? image->initramfs_max + 1ull : low;
	uint64_t size, at;
	struct stat st;
	void *to;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "initramfs");
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(err, ENOEXEC, "the initramfs is not a regular file or empty");
	size = (uint64_t)st.st_size;
	at = size <= top ? (top - size) & ~(PAGE - 1) : 0;
	to = at >= image->end ? guest_at(m, at, size, true) : NULL;
	if (!to)
		return err_set(err, ENOMEM,
			       "the guest's memory is too small for kernel and initramfs");
	rc = boot_read(fd, 0, to, size, err);
	if (rc < 0)
		return err_wrap(err, rc, "initramfs");
	image->initramfs = at;
	image->initramfs_size = size;
	return 0;
}

static int put_cmdline(const char *cmdline, const struct guest_memory *m, struct boot_image *image,
		       struct err *err)
{
	size_t size = strlen(cmdline) + 1;
	char *to = guest_at(m, LAYOUT_CMDLINE, LAYOUT_CMDLINE_SIZE, true);

	/* The kernel's own limit, COMMAND_LINE_SIZE; the rest it would cut off in silence. */
	if (!to || size > 2048)
		return err_set(err, E2BIG,
			       "the kernel command line has %zu bytes, 2047 are possible",
			       size - 1);
	memcpy(to, cmdline, size);
	image->cmdline = LAYOUT_CMDLINE;
	return 0;
}

int boot_load(const struct boot_config *config, const struct guest_memory *m,
	      struct boot_entry *ret, struct err *err)
{
	struct boot_image image = {.initramfs_max = UINT32_MAX};
	MAPPED file = {-1, NULL, 0};
	bool elf;
	int rc;

	if (!guest_at(m, 0, LAYOUT_HIGH_START + PAGE, true))
		return err_set(err, ENOMEM, "the guest's memory is too small for a kernel");
	rc = map_kernel(config->kernel_fd, config->kernel_name, &file, err);
	if (rc < 0)
		return rc;
	elf = memcmp(file.data, ELFMAG, SELFMAG) == 0;
	rc = elf ? boot_elf_load(&file, m, &image, err) : boot_bzimage_load(&file, m, &image, err);
	if (rc < 0)
		return err_wrap(err, rc, "kernel '%s'", config->kernel_name);
	if ((rc = put_cmdline(config->cmdline, m, &image, err)) < 0)
		return rc;
	if (config->initramfs_fd >= 0 &&
	    (rc = load_initramfs(config->initramfs_fd, m, &image, err)) < 0)
		return rc;
	*ret = (struct boot_entry){
		.protocol = image.protocol,
		.ip = image.entry,
		.argument = image.protocol == BOOT_PVH ? LAYOUT_PVH_INFO : LAYOUT_ZERO_PAGE,
	};
	return image.protocol == BOOT_PVH
		       ? boot_pvh_tables(m, &image, err)
		       : boot_linux64_tables(m, &image, config->random_seed, err);
}
