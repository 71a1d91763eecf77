/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host asks to be mounted: a shared directory by its tag, a block device by its serial
 * (which the host gave it, so that the order of devices means nothing) or, as regions of memory have
 * none, by its name. In a job, because a mount waits for the host's file server.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "microvm/guest/ops.h"

#define BLOCK_DEVICES "/sys/block"
#define SERIAL_MAX    256
#define READ_AHEAD    "1024" /* KiB: as much as one request to the file server may ask for */

static const struct {
	uint32_t flag;
	unsigned long ms;
} mount_flags[] = {
	{PROTO_MOUNT_RDONLY, MS_RDONLY},   {PROTO_MOUNT_NOSUID, MS_NOSUID},
	{PROTO_MOUNT_NODEV, MS_NODEV},     {PROTO_MOUNT_NOEXEC, MS_NOEXEC},
	{PROTO_MOUNT_NOATIME, MS_NOATIME},
};

/* File systems whose source is no device. */
static bool has_device(const char *type)
{
	static const char *const others[] = {"virtiofs", "tmpfs", "overlay", "ramfs"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strcmp(type, others[i]) == 0)
			return false;
	}
	return true;
}

static int get_flags(uint32_t given, unsigned long *ret, struct err *err)
{
	unsigned long ms = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mount_flags); i++) {
		if (given & mount_flags[i].flag)
			ms |= mount_flags[i].ms;
		given &= ~mount_flags[i].flag;
	}
	if (given)
		return err_set(err, EINVAL, "mount flags 0x%x are not known", given);
	*ret = ms;
	return 0;
}

static bool has_serial(int dir, const char *name, const char *serial)
{
	FREE char *path = mem_xprintf("%s/serial", name);
	BUF text = BUF_INIT;

	if (io_read_file(dir, path, SERIAL_MAX, &text, NULL) < 0)
		return false;
	return strcspn(buf_str(&text), "\n") == strlen(serial) &&
	       strncmp(buf_str(&text), serial, strlen(serial)) == 0;
}

static bool is_region(const char *name)
{
	return strncmp(name, "pmem", 4) == 0 && name[4] && !strchr(name, '/');
}

/* /dev/NAME of the block device; caller frees. */
static char *find_device(const char *serial, struct err *err)
{
	DIR *d = is_region(serial) ? NULL : opendir(BLOCK_DEVICES);
	char *found = NULL;

	if (is_region(serial))
		return mem_xprintf("/dev/%s", serial);
	if (!d) {
		(void)err_sys(err, "open '" BLOCK_DEVICES "'");
		return NULL;
	}
	for (struct dirent *e = readdir(d); e && !found; e = readdir(d)) {
		if (e->d_name[0] != '.' && has_serial(dirfd(d), e->d_name, serial))
			found = mem_xprintf("/dev/%s", e->d_name);
	}
	(void)closedir(d);
	if (!found)
		(void)err_set(err, ENODEV, "no block device has the serial '%s'", serial);
	return found;
}

/* A clean path below the guest's directory, so that nothing of the guest itself is covered. */
static int check_target(const struct guest *g, const char *target, struct err *err)
{
	FREE char *clean = path_clean(target);
	const size_t len = strlen(g->place.dir);

	if (strcmp(clean, target) != 0 || strncmp(target, g->place.dir, len) != 0 ||
	    target[len] != '/')
		return err_set(err, EINVAL, "'%s' is no path below '%s'", target, g->place.dir);
	return 0;
}

/* Directories of an overlay's own, which are not there before it. */
static int make_layer(const struct guest *g, const char *data, struct err *err)
{
	static const char *const options[] = {"upperdir=", "workdir="};
	FREE char *copy = mem_xstrdup(data);
	char *rest = copy, *word;

	while ((word = strsep(&rest, ","))) {
		for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
			const size_t len = strlen(options[i]);
			int rc;

			if (strncmp(word, options[i], len) != 0)
				continue;
			if ((rc = check_target(g, word + len, err)) < 0 ||
			    (rc = path_mkdirs(word + len, 0755, err)) < 0)
				return rc;
		}
	}
	return 0;
}

/*
 * A request costs as much as the reading of hundreds of KiB, and a program that is started is read as a
 * whole or nearly so. Documentation/ABI/testing/sysfs-class-bdi. Without it all is well, only slower.
 */
static void set_read_ahead(const char *target)
{
	FREE char *path = NULL;
	struct statx st;

	/* Not what the server says of it: nothing of that is to be remembered yet. */
	if (statx(AT_FDCWD, target, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return;
	path = mem_xprintf("/sys/class/bdi/%u:%u/read_ahead_kb", st.stx_dev_major, st.stx_dev_minor);
	(void)!io_write_value(AT_FDCWD, path, READ_AHEAD, NULL);
}

int op_mount(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	     int fd, struct err *err)
{
	FREE char *device = NULL;
	unsigned long flags = 0;
	int rc;

	(void)rt;
	(void)arg;
	(void)fd;
	if ((rc = check_target(g, q->target, err)) < 0 ||
	    (rc = get_flags(q->mount_flags, &flags, err)) < 0)
		return rc;
	if (has_device(q->type)) {
		device = find_device(q->source, err);
		if (!device)
			return -ENODEV;
	}
	if ((rc = path_mkdirs(q->target, 0755, err)) < 0 ||
	    (strcmp(q->type, "overlay") == 0 && (rc = make_layer(g, q->data, err)) < 0))
		return rc;
	if (mount(device ? device : q->source, q->target, q->type, flags, q->data) < 0)
		return err_sys(err, "mount '%s' (%s) on '%s'", q->source, q->type, q->target);
	if (strcmp(q->type, "virtiofs") == 0)
		set_read_ahead(q->target);
	return 0;
}

int op_umount(struct runtime *rt, const struct guest *g, const struct request *q, const void *arg,
	      int fd, struct err *err)
{
	int rc = check_target(g, q->target, err);

	(void)rt;
	(void)arg;
	(void)fd;
	if (rc < 0)
		return rc;
	if (umount2(q->target, UMOUNT_NOFOLLOW) < 0)
		return err_sys(err, "unmount '%s'", q->target);
	(void)rmdir(q->target);
	return 0;
}
