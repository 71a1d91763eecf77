/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of a guest kernel and what each is for: the one list of them. hull's own kernel
 * (microvm/guest/kernel/fast.config) has them all; a test compares. An option that is built as a module
 * counts as missing, since nothing in the guest loads modules.
 */
#include "microvm/check/check.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "microvm/check/image.h"

struct option {
	const char *name; /* without CONFIG_ */
	const char *reason;
};

static const struct option needed[] = {
	/* the machine */
	{"SMP", "more than one processor, and the local APIC"},
	{"KVM_GUEST",
	 "the clock; without it the timers are measured against a PIT, which is not there"},
	{"X86_MPPARSE", "the MP table says which processors and interrupts there are"},
	{"VIRTIO_MMIO", "the transport of all devices"},
	{"VIRTIO_MMIO_CMDLINE_DEVICES", "the devices are announced on the command line"},
	{"BLK_DEV_INITRD", "hull-agent comes in an initramfs"},
	{"BINFMT_ELF", "hull-agent"},
	{"DEVTMPFS", "hull-agent's /dev"},
	{"PROC_FS", "hull-agent's /proc"},
	{"SYSFS", "the guest's devices, the container's /sys"},
	{"EPOLL", "hull-agent's event loop"},
	{"SIGNALFD", "hull-agent's event loop"},
	{"TIMERFD", "hull-agent's event loop"},
	{"EVENTFD", "hull-agent's event loop"},
	{"FUTEX", "threads"},
	{"MULTIUSER", "users, groups and capabilities"},
	/* devices */
	{"VSOCKETS", "the connection to hull-agent, the container's stdio"},
	{"VIRTIO_VSOCKETS", "the connection to hull-agent, the container's stdio"},
	{"VIRTIO_FS", "root file systems and bind mounts from directories"},
	{"VIRTIO_BLK", "disks, root file systems from images"},
	{"VIRTIO_NET", "network interfaces"},
	{"EROFS_FS", "root file systems from images"},
	{"OVERLAY_FS", "root file systems that are written to"},
	{"TMPFS", "mounts of type tmpfs"},
	{"UNIX98_PTYS", "terminals"},
	{"NET", "network interfaces"},
	{"INET", "network interfaces"},
	{"UNIX", "unix sockets"},
	/* containers */
	{"NAMESPACES", "namespaces"},
	{"UTS_NS", "uts namespaces"},
	{"IPC_NS", "ipc namespaces"},
	{"PID_NS", "pid namespaces"},
	{"NET_NS", "network namespaces"},
	{"USER_NS", "user namespaces"},
	{"CGROUPS", "cgroups"},
	{"MEMCG", "memory limits"},
	{"CGROUP_PIDS", "pids limits"},
	{"FAIR_GROUP_SCHED", "cpu shares"},
	{"CFS_BANDWIDTH", "cpu quotas"},
	{"CPUSETS", "cpusets"},
	{"BPF_SYSCALL", "device rules"},
	{"CGROUP_BPF", "device rules"},
	{"SECCOMP_FILTER", "seccomp"},
	{"POSIX_MQUEUE", "mounts of type mqueue"},
	{"SYSVIPC", "ipc sysctls, programs with shared memory"},
};

static const struct option useful[] = {
	{"HIGH_RES_TIMERS", "timers finer than a tick"},
	{"EARLY_PRINTK", "what a kernel says that panics"},
	{"HW_RANDOM_VIRTIO", "random numbers from the host"},
	{"VIRTIO_BALLOON", "memory given back to the host"},
	{"PAGE_REPORTING", "memory given back to the host"},
	{"TRANSPARENT_HUGEPAGE", "huge pages"},
	{"VIRTIO_PMEM", "images mapped from the host's page cache"},
	{"BLK_DEV_PMEM", "images mapped from the host's page cache"},
	{"NVDIMM_PFN", "images mapped from the host's page cache"},
	{"FS_DAX", "images mapped from the host's page cache"},
	{"FUSE_DAX", "shared directories mapped from the host's page cache"},
	{"EXT4_FS", "disks with ext4"},
	{"TMPFS_XATTR", "extended attributes in tmpfs, overlays on it"},
	{"TMPFS_POSIX_ACL", "access control lists in tmpfs"},
	{"TIME_NS", "time namespaces"},
	{"BLK_DEV_THROTTLING", "limits of block devices"},
	{"CGROUP_HUGETLB", "limits of huge pages"},
	{"PSI", "pressure figures in events"},
	{"KEYS", "session keyrings"},
	{"IPV6", "IPv6"},
	{"PACKET", "packet sockets, such as DHCP's"},
	{"BPF_JIT", "seccomp at full speed"},
	{"AIO", "programs with asynchronous I/O"},
	{"IO_URING", "programs with io_uring"},
	{"INOTIFY_USER", "programs that watch files"},
	{"FHANDLE", "programs that use file handles, systemd among them"},
	{"UNIX_DIAG", "ss(8)"},
	{"PTP_1588_CLOCK_KVM", "the clock after a pause"},
};

/* The character behind CONFIG_NAME=, 0 when it is not set. Lines begin at text or behind '\n'. */
static char value_of(const char *text, const char *name)
{
	FREE char *line = mem_xprintf("\nCONFIG_%s=", name);
	const char *at;

	if (!strncmp(text, line + 1, strlen(line + 1)))
		return text[strlen(line + 1)];
	at = strstr(text, line);
	return at ? at[strlen(line)] : 0;
}

static int check_options(const struct option *options, size_t n, const char *word,
			 const char *config, struct buf *report)
{
	int missing = 0;

	for (size_t i = 0; i < n; i++) {
		char value = value_of(config, options[i].name);

		if (value == 'y')
			continue;
		buf_addf(report, "%s: CONFIG_%s=y%s: %s\n", word, options[i].name,
			 value == 'm' ? " (is a module)" : "", options[i].reason);
		missing++;
	}
	return missing;
}

static int check_image(const struct kernel_image *image, struct buf *report)
{
	const char *config = buf_str(&image->config);
	int missing = 0;

	if (!image->bzimage && !image->pvh) {
		buf_adds(report,
			 "needed: CONFIG_PVH=y: the entry point, told by a note in the file\n");
		missing++;
	}
	if (image->bzimage && !image->entry64) {
		buf_adds(report, "needed: CONFIG_64BIT=y: the entry point of a bzImage\n");
		missing++;
	}
	if (!image->has_config) {
		buf_adds(report, "needed: CONFIG_IKCONFIG=y: all else is told by the configuration "
				 "inside the kernel, and there is none\n");
		return missing + 1;
	}
	missing += check_options(needed, ARRAY_SIZE(needed), "needed", config, report);
	(void)check_options(useful, ARRAY_SIZE(useful), "useful", config, report);
	return missing;
}

int kernel_check(int fd, const char *name, struct buf *report, struct err *err)
{
	struct kernel_image image;
	int rc;

	rc = kernel_image_read(fd, name, &image, err);
	if (rc)
		return rc;
	rc = check_image(&image, report);
	kernel_image_release(&image);
	return rc;
}
