/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/machine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/fd.h"
#include "microvm/jail.h"
#include "microvm/tap.h"
#include "microvm/virtio/balloon.h"
#include "microvm/virtio/blk.h"
#include "microvm/virtio/fs.h"
#include "microvm/virtio/pmem.h"
#include "microvm/virtio/rng.h"
#include "microvm/virtio/vsock.h"

/*
 * What spares time at boot or exits later. KVM's clock tells the TSC's frequency; there are no
 * modules, no PIT to check a timer against, and a panic is to end the VM (reboot=k is the write to
 * the keyboard controller that vcpu.c knows). noreplace-smp: with one processor the kernel would
 * take the lock prefix off its instructions, thousands, one by one.
 */
#define CMDLINE                                                                                    \
	"reboot=k panic=-1 tsc=reliable no_timer_check random.trust_cpu=on noreplace-smp "         \
	"rcupdate.rcu_expedited=1 swiotlb=noforce net.ifnames=0"
#define QUIET "quiet loglevel=1"
/*
 * A console without a driver, for what a kernel says that panics: nothing else is grave enough. It
 * takes eight accesses to ports at boot, a virtio console took the start of a driver and of a tty.
 */
#define LAST_WORDS QUIET " earlyprintk=serial,0x3f8,115200,keep"

static int add_files(struct machine *m, const struct machine_config *c, struct err *err)
{
	const struct fsd_spawn_config spawn = {
		.dir_fd = c->share_fd,
		.submounts = true,
		.cache = FSD_CACHE_AUTO,
		.memory = vm_memory(m->vm),
	};
	struct virtio_fs_options options = {.tag = MACHINE_SHARE_TAG};
	struct virtio_device *d = NULL;
	struct virtio_host host;
	int rc;

	if ((rc = vm_device_host(m->vm, &host, &options.irq_fd, err)) < 0 ||
	    (rc = fsd_spawn(&spawn, &m->files, err)) < 0)
		return rc;
	options.control_fd = m->files.control_fd;
	rc = virtio_fs_new(&host, &options, &d, err);
	return rc < 0 ? rc : vm_add_device(m->vm, d, err);
}

static int add_entropy(struct machine *m, struct err *err)
{
	struct virtio_device *d = NULL;
	struct virtio_host host;
	int rc = vm_device_host(m->vm, &host, NULL, err);

	if (rc == 0)
		rc = virtio_rng_new(&host, &d, err);
	return rc < 0 ? rc : vm_add_device(m->vm, d, err);
}

/*
 * What the guest does not use goes back to the host by itself: free pages that it reports. The balloon
 * is for a host that asks, and is given up rather than that a process of the guest is killed.
 */
static int add_balloon(struct machine *m, struct err *err)
{
	const struct balloon_config config = {
		.deflate_on_oom = true,
		.stats = true,
		.reporting = true,
	};
	struct virtio_host host;
	int rc = vm_device_host(m->vm, &host, NULL, err);

	if (rc == 0)
		rc = virtio_balloon_new(&host, &config, &m->balloon, err);
	return rc < 0 ? rc : vm_add_device(m->vm, m->balloon, err);
}

/* A device takes its descriptor over, and a lock goes with the open file. */
static int borrow(int fd, struct err *err)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return own < 0 ? err_sys(err, "duplicate a device's descriptor") : own;
}

static int add_sockets(struct machine *m, const struct machine_config *c, struct err *err)
{
	struct vsock_config config = {
		.guest_cid = MACHINE_GUEST_CID,
		.connect = c->connect,
		.arg = c->arg,
		.requests_fd = -1,
	};
	struct virtio_device *d = NULL;
	struct virtio_host host;
	int rc = vm_device_host(m->vm, &host, NULL, err);

	if (rc == 0 && c->requests_fd >= 0)
		rc = config.requests_fd = borrow(c->requests_fd, err);
	if (rc < 0)
		return rc;
	rc = virtio_vsock_new(&host, &config, &d, err);
	if (rc < 0) {
		fd_close(config.requests_fd);
		return rc;
	}
	return vm_add_device(m->vm, d, err);
}

static int add_disk(struct machine *m, const struct machine_disk *disk, struct err *err)
{
	CLOSE_FD int fd = borrow(disk->fd, err);
	const struct blk_config config = {
		.disk = {.files = &fd, .n_files = 1, .readonly = disk->readonly},
		.serial = disk->serial,
	};
	struct virtio_device *d = NULL;
	struct virtio_host host;
	int rc;

	if (fd < 0)
		return fd;
	if ((rc = vm_device_host(m->vm, &host, NULL, err)) < 0 ||
	    (rc = virtio_blk_new(&host, &config, &d, err)) < 0)
		return rc;
	(void)fd_take(&fd);
	return vm_add_device(m->vm, d, err);
}

/* From where no frame comes, and where none goes. */
static int open_nowhere(struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? err_sys(err, "socket") : fd;
}

static int add_net(struct machine *m, const struct machine_net *net, struct err *err)
{
	CLOSE_FD int fd = net->fd < 0 ? open_nowhere(err) : borrow(net->fd, err);
	struct net_config config = {.fd = fd,
				    .spare = net->fd < 0,
				    .set_offload = net->fd < 0 ? NULL : tap_set_offload,
				    .mtu = net->mtu};
	struct virtio_device *d = NULL;
	struct virtio_host host;
	int rc;

	if (fd < 0)
		return fd;
	memcpy(config.mac, net->mac, sizeof(config.mac));
	if ((rc = vm_device_host(m->vm, &host, NULL, err)) < 0 ||
	    (rc = virtio_net_new(&host, &config, &d, err)) < 0)
		return rc;
	(void)fd_take(&fd);
	return vm_add_device(m->vm, d, err);
}

/* Behind the RAM, where no device is. */
static int map_image(const struct machine_config *c, struct machine *m, struct err *err)
{
	const uint64_t high = c->memory > GUEST_HOLE_START ? c->memory - GUEST_HOLE_START : 0;
	const uint64_t end = GUEST_HOLE_END + high;
	int rc;

	if (c->image_fd < 0)
		return 0;
	m->image_fd = borrow(c->image_fd, err);
	if (m->image_fd < 0)
		return m->image_fd;
	rc = pmem_map(m->image_fd, (end + PMEM_ALIGN - 1) & ~(PMEM_ALIGN - 1), &m->image, err);
	return rc < 0 ? err_wrap(err, rc, "the image of the root file system") : 0;
}

static int add_image(struct machine *m, struct err *err)
{
	const struct pmem_config config = {.region = m->image, .fd = m->image_fd};
	struct virtio_device *d = NULL;
	struct virtio_host host;
	int rc;

	if (!m->image.size)
		return 0;
	rc = vm_device_host(m->vm, &host, NULL, err);
	if (rc == 0)
		rc = virtio_pmem_new(&host, &config, &d, err);
	return rc < 0 ? rc : vm_add_device(m->vm, d, err);
}

static int add_disks_and_nets(struct machine *m, const struct machine_config *c, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < c->n_disks && rc == 0; i++)
		rc = add_disk(m, &c->disks[i], err);
	for (size_t i = 0; i < c->n_nets && rc == 0; i++)
		rc = add_net(m, &c->nets[i], err);
	return rc;
}

static int boot(struct machine *m, const struct machine_config *c, struct err *err)
{
	BUF cmdline = BUF_INIT;
	const struct boot_config config = {
		.kernel_fd = c->kernel_fd,
		.initramfs_fd = c->initramfs_fd,
		.kernel_name = c->kernel_name ? c->kernel_name : "guest",
		.random_seed = true,
	};
	const char *messages = c->serial_fd < 0 ? QUIET
			       : c->last_words  ? LAST_WORDS
						: "console=ttyS0";
	struct boot_config with_cmdline = config;

	buf_addf(&cmdline, CMDLINE " %s", messages);
	if (c->cmdline)
		buf_addf(&cmdline, " %s", c->cmdline);
	with_cmdline.cmdline = buf_str(&cmdline);
	return vm_boot(m->vm, &with_cmdline, err);
}

static int set_up(struct machine *m, struct kvm_host *kvm, const struct machine_config *c,
		  struct err *err)
{
	int rc = map_image(c, m, err);
	const struct vm_config config = {
		.cpus = c->cpus,
		.memory = {.size = c->memory, .shared = !c->restore, .hugepages = c->hugepages},
		.regions = &m->image,
		.n_regions = m->image.size ? 1 : 0,
		.serial_fd = c->serial_fd,
	};

	if (rc == 0 && c->jailed)
		rc = jail_share_core(err);
	if (rc == 0)
		rc = vm_new(kvm, &config, &m->vm, err);
	/* The server is forked first of all: it must not hold the descriptors of other devices. */
	if (rc < 0 || (rc = add_files(m, c, err)) < 0 || (rc = add_sockets(m, c, err)) < 0 ||
	    (rc = add_entropy(m, err)) < 0 || (rc = add_balloon(m, err)) < 0 ||
	    (rc = add_image(m, err)) < 0 ||
	    (rc = add_disks_and_nets(m, c, err)) < 0 ||
	    /* What comes from files is read, and the guest made again, with nothing left to lose. */
	    (c->jailed && (rc = jail_enter(err)) < 0) ||
	    (!c->restore && (rc = boot(m, c, err)) < 0) ||
	    (rc = fsd_server_wait(&m->files, err)) < 0 ||
	    (c->restore && (rc = vm_restore(m->vm, c->restore, err)) < 0))
		return rc;
	return vm_start(m->vm, c->jailed, err);
}

int machine_start(const struct machine_config *config, struct machine *ret, struct err *err)
{
	struct machine m = MACHINE_INIT;
	struct kvm_host kvm;
	int rc = kvm_host_open(config->kvm_fd, &kvm, err);

	*ret = m;
	if (rc < 0)
		return rc;
	rc = kvm_host_check_linux(&kvm, err);
	if (rc == 0)
		rc = set_up(&m, &kvm, config, err);
	kvm_host_close(&kvm);
	if (rc < 0) {
		machine_end(&m);
		return rc;
	}
	*ret = m;
	return 0;
}

void machine_end(struct machine *m)
{
	vm_free(m->vm);
	fsd_server_end(&m->files);
	pmem_unmap(&m->image);
	fd_close(m->image_fd);
	*m = (struct machine)MACHINE_INIT;
}

void machine_set_memory(const struct machine *m, uint64_t bytes)
{
	uint64_t all = vm_memory(m->vm)->ram;

	virtio_balloon_set_target(m->balloon, bytes < all ? all - bytes : 0);
}

uint64_t machine_memory(const struct machine *m)
{
	struct balloon_state state;

	virtio_balloon_state(m->balloon, &state);
	return vm_memory(m->vm)->ram - state.actual;
}

uint64_t machine_wanted_memory(const struct machine *m)
{
	struct balloon_state state;

	virtio_balloon_state(m->balloon, &state);
	return vm_memory(m->vm)->ram - state.target;
}
