/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the first process of a machine does before anything else: the file systems, limits, and a
 * root that containers can leave. The initramfs is a root without a parent mount, which pivot_root(2)
 * refuses to put away; so it is bound over itself, as a mount with a parent, and made read-only: all
 * that is written goes to tmpfs. Its own binary needs no other protection from containers: a file
 * that is being executed, and this one always is, cannot be written (ETXTBSY).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "microvm/guest/guest.h"
#include "namespaces/namespaces.h"

#define FILES_MAX  1048576 /* fs.nr_open, as the kernel has it */
#define FILES_SOFT 1024    /* what programs expect that use select(2) */
#define FIXED_ROOT "/mnt"

enum { PLAIN = MS_NOSUID | MS_NODEV | MS_NOEXEC };

static const struct {
	const char *type, *target;
	unsigned long flags;
	const char *data;
} mounts[] = {
	{"proc", "/proc", PLAIN, NULL},
	{"sysfs", "/sys", PLAIN, NULL},
	{"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
	{"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5"},
	{"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
	{"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755"},
	{"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777"},
	{"cgroup2", "/sys/fs/cgroup", PLAIN, NULL},
};

static int make_directory(const char *path, struct err *err)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "make directory '%s'", path);
	return 0;
}

static int fix_root(struct err *err)
{
	int rc = make_directory(FIXED_ROOT, err);

	if (rc < 0)
		return rc;
	if (mount("/", FIXED_ROOT, NULL, MS_BIND, NULL) < 0 || chdir(FIXED_ROOT) < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_sys(err, "bind the root over itself");
	return 0;
}

static int mount_all(struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		/* most mount points are directories of a file system mounted before */
		int rc = make_directory(mounts[i].target, err);

		if (rc < 0)
			return rc;
		if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
			  mounts[i].data) < 0)
			return err_sys(err, "mount '%s' on '%s'", mounts[i].type, mounts[i].target);
	}
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return err_sys(err, "make the root read-only");
	return 0;
}

static int set_limits(struct err *err)
{
	const struct rlimit files = {FILES_MAX, FILES_MAX};

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_sys(err, "set the limit of open files");
	/* The kernel shall look for somebody else when memory is short. */
	return io_write_value(AT_FDCWD, "/proc/self/oom_score_adj", "-1000", err);
}

int system_setup(struct err *err)
{
	int rc;

	(void)umask(022);
	if ((rc = fix_root(err)) < 0 || (rc = mount_all(err)) < 0 ||
	    (rc = fd_ensure_stdio(err)) < 0 || (rc = set_limits(err)) < 0)
		return rc;
	/* for containers without a network namespace; a kernel without networks has none */
	(void)!ns_loopback_up(NULL);
	return 0;
}

void system_reset_child(void)
{
	const struct rlimit files = {FILES_SOFT, FILES_MAX};

	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)!io_write_value(AT_FDCWD, "/proc/self/oom_score_adj", "0", NULL);
}

void system_set_clock(uint64_t ns)
{
	const struct timespec now = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	(void)clock_settime(CLOCK_REALTIME, &now);
}

/* The host vouches for every bit. */
void system_add_entropy(const uint8_t *data, size_t len)
{
	/* struct rand_pool_info, whose buffer has no length */
	struct {
		int entropy_count, buf_size;
		uint8_t buf[PROTO_ENTROPY_LEN];
	} pool = {.entropy_count = PROTO_ENTROPY_LEN * 8, .buf_size = PROTO_ENTROPY_LEN};
	CLOSE_FD int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || len != sizeof(pool.buf))
		return;
	memcpy(pool.buf, data, len);
	(void)ioctl(fd, RNDADDENTROPY, &pool);
	/* At once: a machine made again shares all that was drawn from it before with others. */
	(void)ioctl(fd, RNDRESEEDCRNG);
	explicit_bzero(&pool, sizeof(pool));
}

uint64_t system_boottime_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void system_reset_machine(void)
{
	sync();
	(void)reboot(RB_AUTOBOOT);
	/* The kernel panics when its first process ends. */
	_exit(1);
}
