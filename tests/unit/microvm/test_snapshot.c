/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM saved while its guest works and made again in a new one, on this host's own KVM with guests of
 * a few instructions (32-bit protected mode); and files that are not, or no longer, a VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "microvm/snapshot.h"
#include "microvm/state.h"
#include "microvm/virtio/device.h"
#include "microvm/virtio/rng.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/kernel.h"

#define MIB     (1ull << 20)
#define COUNTER 0x200000u

/* esi and the counter in memory have to agree; the guest breaks down when they do not. */
static const uint8_t count[] = {
	0x39, 0x35, 0x00, 0x00, 0x20, 0x00, /* cmp esi,0x200000 */
	0x75, 0x09,                         /* jne to the ud2 */
	0x46,                               /* inc esi */
	0x89, 0x35, 0x00, 0x00, 0x20, 0x00, /* mov esi,0x200000 */
	0xeb, 0xef,                         /* again */
	0x0f, 0x0b,                         /* ud2 */
};

/* Processor 1 counts at 0x9000 in real mode, processor 0 at 0x200000. */
static const uint8_t two[] = {
	0xc7, 0x05, 0x00, 0x80, 0x00, 0x00, 0x66, 0xff, 0x06, 0x00, /* 0x8000: incl 0x9000 */
	0xc7, 0x05, 0x04, 0x80, 0x00, 0x00, 0x90, 0xeb, 0xf9, 0x00, /*         again */
	0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0x00, 0x00, /* APIC on */
	0xc7, 0x05, 0x10, 0x03, 0xe0, 0xfe, 0x00, 0x00, 0x00, 0x01, /* to processor 1: */
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x00, 0x00, /* INIT */
	0xc7, 0x05, 0x10, 0x03, 0xe0, 0xfe, 0x00, 0x00, 0x00, 0x01, /* to processor 1: */
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x08, 0x46, 0x00, 0x00, /* start at 0x8000 */
	0xff, 0x05, 0x00, 0x00, 0x20, 0x00,                         /* incl 0x200000 */
	0xeb, 0xf8,                                                 /* again */
};

/* An interrupt after as many ticks of the TSC as 0x200010 says, counted at 0x200004. */
static const uint8_t timer[] = {
	0xe8, 0x11, 0x00, 0x00, 0x00,                               /* call over the handler */
	0xff, 0x05, 0x04, 0x00, 0x20, 0x00,                         /* incl 0x200004 */
	0xc7, 0x05, 0xb0, 0x00, 0xe0, 0xfe, 0x00, 0x00, 0x00, 0x00, /* end of interrupt */
	0xcf,                                                       /* iret */
	0x58,                                                       /* pop eax: the handler */
	0x89, 0xc2,                                                 /* mov eax,edx */
	0x25, 0xff, 0xff, 0x00, 0x00,                               /* and $0xffff,eax */
	0x0d, 0x00, 0x00, 0x10, 0x00,                               /* or $0x100000,eax */
	0xa3, 0x00, 0x32, 0x00, 0x00,                               /* gate of vector 0x40 */
	0x89, 0xd0,                                                 /* mov edx,eax */
	0x25, 0x00, 0x00, 0xff, 0xff,                               /* and $0xffff0000,eax */
	0x0d, 0x00, 0x8e, 0x00, 0x00,                               /* or $0x8e00,eax */
	0xa3, 0x04, 0x32, 0x00, 0x00,                               /* its other half */
	0x66, 0xc7, 0x05, 0xfa, 0x2f, 0x00, 0x00, 0xff, 0x07,       /* movw $0x7ff,0x2ffa */
	0xc7, 0x05, 0xfc, 0x2f, 0x00, 0x00, 0x00, 0x30, 0x00, 0x00, /* movl $0x3000,0x2ffc */
	0x0f, 0x01, 0x1d, 0xfa, 0x2f, 0x00, 0x00,                   /* lidt 0x2ffa */
	0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0x00, 0x00, /* APIC on */
	0xc7, 0x05, 0x20, 0x03, 0xe0, 0xfe, 0x40, 0x00, 0x04, 0x00, /* timer: TSC deadline */
	0x0f, 0x31,                                                 /* rdtsc */
	0x03, 0x05, 0x10, 0x00, 0x20, 0x00,                         /* add 0x200010,eax */
	0x13, 0x15, 0x14, 0x00, 0x20, 0x00,                         /* adc 0x200014,edx */
	0xb9, 0xe0, 0x06, 0x00, 0x00,                               /* mov $0x6e0,ecx */
	0x0f, 0x30,                                                 /* wrmsr */
	0xfb,                                                       /* sti */
	0xff, 0x05, 0x00, 0x00, 0x20, 0x00,                         /* incl 0x200000 */
	0xeb, 0xf8,                                                 /* again */
};

static const uint8_t spin[] = {0xeb, 0xfe};

/* Sends the lowest byte of the counter, then counts: each an exit. */
static const uint8_t send_count[] = {
	0x66, 0xba, 0xf8, 0x03,             /* mov $0x3f8,dx */
	0xa0, 0x00, 0x00, 0x20, 0x00,       /* mov 0x200000,al */
	0xee,                               /* out al,(dx) */
	0xff, 0x05, 0x00, 0x00, 0x20, 0x00, /* incl 0x200000 */
	0xeb, 0xf2,                         /* again */
};

/* ---- machines ---- */

static struct vm *new_vm_with_port(unsigned int cpus, uint64_t mib, int serial_fd)
{
	const struct vm_config config = {.cpus = cpus,
					 .memory = {.size = mib * MIB, .shared = true},
					 .serial_fd = serial_fd};
	struct err e = ERR_INIT;
	struct kvm_host kvm;
	struct vm *vm = NULL;

	if (kvm_host_open(-1, &kvm, &e) < 0) {
		printf("# needs KVM: %s\n", e.msg);
		skip();
	}
	if (vm_new(&kvm, &config, &vm, &e) < 0)
		fail_msg("%s", e.msg);
	return vm;
}

static struct vm *new_vm(unsigned int cpus, uint64_t mib)
{
	return new_vm_with_port(cpus, mib, -1);
}

static struct virtio_device *add_rng(struct vm *vm)
{
	struct virtio_host host;
	struct virtio_device *d = NULL;
	struct err e = ERR_INIT;

	if (vm_device_host(vm, &host, NULL, &e) < 0 || virtio_rng_new(&host, &d, &e) < 0 ||
	    vm_add_device(vm, d, &e) < 0)
		fail_msg("%s", e.msg);
	return d;
}

static uint32_t *word(const struct vm *vm, uint64_t gpa)
{
	return guest_at(vm_memory(vm), gpa, sizeof(uint32_t), true);
}

static uint32_t peek(const struct vm *vm, uint64_t gpa)
{
	return __atomic_load_n(word(vm, gpa), __ATOMIC_SEQ_CST);
}

static void boot(struct vm *vm, const uint8_t *code, size_t size, uint32_t argument)
{
	struct boot_config config = {.initramfs_fd = -1, .kernel_name = "test", .cmdline = "quiet"};
	struct err e = ERR_INIT;
	struct kernel k;

	kernel_make(&k, code, size);
	config.kernel_fd = kernel_file(&k, sizeof(k));
	if (vm_boot(vm, &config, &e) < 0)
		fail_msg("%s", e.msg);
	*word(vm, COUNTER + 0x10) = argument;
	if (vm_start(vm, false, &e) < 0)
		fail_msg("%s", e.msg);
	close(config.kernel_fd);
}

#define BOOT(vm, code, argument) boot(vm, code, sizeof(code), argument)

static void wait_beyond(const struct vm *vm, uint64_t gpa, uint32_t from)
{
	for (int i = 0; i < 60000 && peek(vm, gpa) == from; i++) {
		if (vm_end_reason(vm) != VM_RUNS)
			fail_msg("%s", vm_end_text(vm));
		usleep(1000);
	}
	assert_true(peek(vm, gpa) != from);
}

/* ---- files ---- */

static char dir_path[64];
static int dir_fd = -1;

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir_path, sizeof(dir_path), "/tmp/hull-snapshot-XXXXXX");
	if (!mkdtemp(dir_path))
		return -1;
	dir_fd = open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int remove_dir(void **state)
{
	(void)state;
	snapshot_remove(dir_fd);
	close(dir_fd);
	return rmdir(dir_path);
}

static void save(struct vm *vm)
{
	struct snapshot s = SNAPSHOT_INIT;
	struct err e = ERR_INIT;

	vm_pause(vm);
	if (snapshot_create(dir_fd, &s, &e) < 0 || vm_save(vm, &s, &e) < 0)
		fail_msg("%s", e.msg);
	snapshot_close(&s);
}

static int try_restore(struct vm *vm, struct err *err)
{
	struct snapshot s = SNAPSHOT_INIT;
	int rc = snapshot_open(dir_fd, &s, err);

	if (rc == 0)
		rc = vm_restore(vm, &s, err);
	snapshot_close(&s);
	return rc;
}

static void restore(struct vm *vm)
{
	struct err e = ERR_INIT;

	if (try_restore(vm, &e) < 0)
		fail_msg("%s", e.msg);
}

static void start(struct vm *vm)
{
	struct err e = ERR_INIT;

	if (vm_start(vm, false, &e) < 0)
		fail_msg("%s", e.msg);
}

static void not_restored(struct vm *vm, const char *why)
{
	struct err e = ERR_INIT;

	assert_true(try_restore(vm, &e) < 0);
	if (!strstr(e.msg, why))
		fail_msg("'%s' instead of '%s'", e.msg, why);
	vm_free(vm);
}

/* ---- guests that go on ---- */

static void counts_on(void **state)
{
	struct vm *vm = new_vm(1, 16);
	uint32_t at;

	(void)state;
	BOOT(vm, count, 0);
	wait_beyond(vm, COUNTER, 0);
	save(vm);
	at = peek(vm, COUNTER);
	vm_free(vm);
	/* Twice: the files are not used up. */
	for (int i = 0; i < 2; i++) {
		vm = new_vm(1, 16);
		restore(vm);
		assert_int_equal(peek(vm, COUNTER), at);
		start(vm);
		wait_beyond(vm, COUNTER, at);
		usleep(20000);
		assert_int_equal(vm_end_reason(vm), VM_RUNS);
		vm_free(vm);
	}
}

static void the_saved_one_goes_on(void **state)
{
	struct vm *vm = new_vm(1, 16);
	uint32_t at;

	(void)state;
	BOOT(vm, count, 0);
	wait_beyond(vm, COUNTER, 0);
	save(vm);
	at = peek(vm, COUNTER);
	vm_resume(vm);
	wait_beyond(vm, COUNTER, at);
	vm_free(vm);
}

/* What has been sent is not sent again. */
static void exits_are_finished(void **state)
{
	uint8_t bytes[4096], next = 0;
	int pipe_fds[2];
	struct vm *vm;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
	vm = new_vm_with_port(1, 16, pipe_fds[1]);
	BOOT(vm, send_count, 0);
	for (int i = 0; i < 30; i++) {
		struct pollfd p = {.fd = pipe_fds[0], .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&p, 1, 60000), 1);
		save(vm);
		vm_free(vm);
		while ((n = read(pipe_fds[0], bytes, sizeof(bytes))) > 0)
			for (ssize_t k = 0; k < n; k++)
				assert_int_equal(bytes[k], next++);
		vm = new_vm_with_port(1, 16, pipe_fds[1]);
		restore(vm);
		snapshot_remove(dir_fd);
		start(vm);
	}
	vm_free(vm);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void two_processors(void **state)
{
	struct vm *vm = new_vm(2, 16);
	uint32_t first, second;

	(void)state;
	BOOT(vm, two, 0);
	wait_beyond(vm, COUNTER, 0);
	wait_beyond(vm, 0x9000, 0);
	save(vm);
	first = peek(vm, COUNTER);
	second = peek(vm, 0x9000);
	vm_free(vm);
	vm = new_vm(2, 16);
	restore(vm);
	start(vm);
	wait_beyond(vm, COUNTER, first);
	wait_beyond(vm, 0x9000, second);
	vm_free(vm);
}

/* False: it went off before it could be saved. */
static bool saved_in_time(uint32_t ticks)
{
	struct vm *vm = new_vm(1, 16);
	bool in_time;

	BOOT(vm, timer, ticks);
	wait_beyond(vm, COUNTER, 0);
	save(vm);
	in_time = peek(vm, COUNTER + 4) == 0;
	vm_free(vm);
	return in_time;
}

static void timer_goes_off(void **state)
{
	uint32_t ticks = 200u << 20;
	struct vm *vm;

	(void)state;
	while (!saved_in_time(ticks)) {
		assert_true(ticks < UINT32_MAX / 2);
		ticks *= 2;
		snapshot_remove(dir_fd);
	}
	vm = new_vm(1, 16);
	restore(vm);
	start(vm);
	wait_beyond(vm, COUNTER + 4, 0);
	vm_free(vm);
}

/* ---- a device ---- */

#define DESC  0x300000u
#define AVAIL 0x301000u
#define USED  0x302000u
#define DATA  0x310000u

static void set_register(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	virtio_mmio_write(d, offset, (const uint8_t *)&value, sizeof(value));
}

static void start_driver(struct virtio_device *d)
{
	set_register(d, VIRTIO_MMIO_STATUS, 1);
	set_register(d, VIRTIO_MMIO_STATUS, 3);
	set_register(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set_register(d, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	set_register(d, VIRTIO_MMIO_STATUS, 11);
	set_register(d, VIRTIO_MMIO_QUEUE_NUM, 8);
	set_register(d, VIRTIO_MMIO_QUEUE_DESC_LOW, DESC);
	set_register(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	set_register(d, VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	set_register(d, VIRTIO_MMIO_QUEUE_READY, 1);
	set_register(d, VIRTIO_MMIO_STATUS, 15);
}

static void add_request(const struct vm *vm, uint16_t n)
{
	struct vring_desc *desc = guest_at(vm_memory(vm), DESC, 8 * sizeof(*desc), true);
	struct vring_avail *avail = guest_at(vm_memory(vm), AVAIL, 64, true);

	desc[n % 8] = (struct vring_desc){
		.addr = DATA + n * 4096u, .len = 64, .flags = VRING_DESC_F_WRITE};
	avail->ring[n % 8] = n % 8;
	__atomic_store_n(&avail->idx, (uint16_t)(n + 1), __ATOMIC_SEQ_CST);
}

static void wait_used(const struct vm *vm, uint16_t n)
{
	struct vring_used *used = guest_at(vm_memory(vm), USED, 128, true);
	const uint8_t *data = guest_at(vm_memory(vm), DATA + (n - 1u) * 4096u, 64, false);
	unsigned int set = 0;

	for (int i = 0; i < 60000 && __atomic_load_n(&used->idx, __ATOMIC_SEQ_CST) != n; i++)
		usleep(1000);
	assert_int_equal(used->idx, n);
	assert_int_equal(used->ring[(n - 1) % 8].len, 64);
	for (int i = 0; i < 64; i++)
		set += data[i] != 0;
	assert_true(set > 8);
}

static void device_goes_on(void **state)
{
	struct vm *vm = new_vm(1, 16);
	struct virtio_device *d = add_rng(vm);
	uint32_t status = 0;

	(void)state;
	BOOT(vm, spin, 0);
	start_driver(d);
	for (uint16_t n = 0; n < 11; n++) {
		add_request(vm, n);
		set_register(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		wait_used(vm, (uint16_t)(n + 1));
	}
	save(vm);
	vm_free(vm);
	vm = new_vm(1, 16);
	d = add_rng(vm);
	restore(vm);
	/* Whose notification got lost. */
	add_request(vm, 11);
	start(vm);
	wait_used(vm, 12);
	add_request(vm, 12);
	set_register(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	wait_used(vm, 13);
	virtio_mmio_read(d, VIRTIO_MMIO_STATUS, (uint8_t *)&status, sizeof(status));
	assert_int_equal(status, 15);
	/* Its driver can begin again, too. */
	set_register(d, VIRTIO_MMIO_STATUS, 0);
	memset(guest_at(vm_memory(vm), AVAIL, 0x2000, true), 0, 0x2000);
	start_driver(d);
	add_request(vm, 0);
	set_register(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	wait_used(vm, 1);
	vm_free(vm);
}

/* ---- files that will not do ---- */

static void save_counting(void)
{
	struct vm *vm = new_vm(1, 16);

	add_rng(vm);
	BOOT(vm, count, 0);
	wait_beyond(vm, COUNTER, 0);
	save(vm);
	vm_free(vm);
}

static struct vm *new_counting(void)
{
	struct vm *vm = new_vm(1, 16);

	add_rng(vm);
	return vm;
}

static int open_named(const char *name, int flags)
{
	int fd = openat(dir_fd, name, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static off_t size_of(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, name, &st, 0), 0);
	return st.st_size;
}

static void flip(const char *name, off_t at)
{
	int fd = open_named(name, O_RDWR);
	uint8_t byte = 0;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void cut(const char *name, off_t size)
{
	int fd = open_named(name, O_RDWR);

	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void other_version(void **state)
{
	(void)state;
	save_counting();
	flip(SNAPSHOT_STATE, 8);
	not_restored(new_counting(), "'state' has version 19, this program reads 3");
}

static void no_snapshot(void **state)
{
	(void)state;
	save_counting();
	flip(SNAPSHOT_STATE, 0);
	not_restored(new_counting(), "'state' is not that of a virtual machine");
}

static void missing_files(void **state)
{
	(void)state;
	not_restored(new_counting(), "snapshot: open 'state': No such file or directory");
	save_counting();
	assert_int_equal(unlinkat(dir_fd, SNAPSHOT_MEMORY, 0), 0);
	not_restored(new_counting(), "snapshot: open 'memory': No such file or directory");
}

static void damaged(void **state)
{
	const off_t size = (save_counting(), size_of(SNAPSHOT_STATE));

	(void)state;
	for (off_t at = 32; at < size; at += size / 50) {
		flip(SNAPSHOT_STATE, at);
		not_restored(new_counting(), "'state' is damaged");
		flip(SNAPSHOT_STATE, at);
	}
	flip(SNAPSHOT_MEMORY, COUNTER);
	not_restored(new_counting(), "the memory's file is damaged");
	flip(SNAPSHOT_MEMORY, COUNTER);
	flip(SNAPSHOT_MEMORY, 5 * MIB); /* in a hole */
	not_restored(new_counting(), "the memory's file is damaged");
}

static void cut_short(void **state)
{
	(void)state;
	save_counting();
	cut(SNAPSHOT_MEMORY, 15 * MIB);
	not_restored(new_counting(), "the memory's file has 15728640 bytes and not 16777216");
	cut(SNAPSHOT_STATE, size_of(SNAPSHOT_STATE) - 1);
	not_restored(new_counting(), "that it begins with");
	cut(SNAPSHOT_STATE, 31);
	not_restored(new_counting(), "'state' is cut");
}

/* Behind a checksum that fits. */
static void rewrite(const struct buf *payload)
{
	BUF all = BUF_INIT;
	int fd = open_named(SNAPSHOT_STATE, O_RDWR | O_TRUNC);

	buf_add(&all, "HULLSNAP", 8);
	state_put_u32(&all, SNAPSHOT_VERSION);
	state_put_u32(&all, 0);
	state_put_u64(&all, payload->len);
	state_put_u64(&all, state_checksum(STATE_CHECKSUM_INIT, payload->data, payload->len));
	buf_add(&all, payload->data, payload->len);
	assert_int_equal(io_write(fd, all.data, all.len), 0);
	close(fd);
}

static void read_payload(struct buf *ret)
{
	int fd = open_named(SNAPSHOT_STATE, O_RDONLY);
	struct err e = ERR_INIT;

	if (snapshot_read(fd, ret, &e) < 0)
		fail_msg("%s", e.msg);
	close(fd);
}

/* Whatever is missing from its end is noticed, and nothing is read beyond what is there. */
static void crafted_short(void **state)
{
	BUF payload = BUF_INIT;

	(void)state;
	save_counting();
	read_payload(&payload);
	for (size_t len = payload.len; len > 0; len -= len < 97 ? len : 97) {
		struct vm *vm = new_counting();
		struct err e = ERR_INIT;

		payload.len = len - 1;
		rewrite(&payload);
		assert_true(try_restore(vm, &e) < 0);
		vm_free(vm);
	}
}

/* Any bytes: some are refused, others are a guest that breaks. Never is this process harmed. */
static void crafted_bytes(void **state)
{
	BUF payload = BUF_INIT;
	unsigned int seed = 1;

	(void)state;
	save_counting();
	read_payload(&payload);
	for (int i = 0; i < 300; i++) {
		struct vm *vm = new_counting();
		struct err e = ERR_INIT;
		size_t at = (size_t)rand_r(&seed) % payload.len;
		char was = payload.data[at];

		payload.data[at] = (char)rand_r(&seed);
		rewrite(&payload);
		(void)!try_restore(vm, &e);
		payload.data[at] = was;
		vm_free(vm);
	}
}

static void other_machine(void **state)
{
	struct vm *vm;

	(void)state;
	save_counting();
	vm = new_vm(1, 32);
	add_rng(vm);
	not_restored(vm, "it has 16777216 bytes of memory, the virtual machine has 33554432");
	vm = new_vm(2, 16);
	add_rng(vm);
	not_restored(vm, "it has 1 processors, the virtual machine has 2");
	not_restored(new_vm(1, 16), "it has 1 devices, the virtual machine has 0");
}

/* A feature that no host of KVM's has: the last bit of leaf 1's edx (PBE) is Intel's own. */
static void other_processor(void **state)
{
	BUF payload = BUF_INIT;
	struct kvm_cpuid {
		uint32_t function, index, flags, eax, ebx, ecx, edx;
	} leaf;
	size_t at;

	(void)state;
	save_counting();
	read_payload(&payload);
	/* Leaf 0 is the first of the processor's list: section, mp_state, kHz, length. */
	at = 8 + 32 + 8 + 4 + 4 + 4;
	memcpy(&leaf, payload.data + at, sizeof(leaf));
	assert_int_equal(leaf.function, 0);
	leaf.ebx ^= 1;
	memcpy(payload.data + at, &leaf, sizeof(leaf));
	rewrite(&payload);
	not_restored(new_counting(), "another make of processor");
	leaf.ebx ^= 1;
	memcpy(payload.data + at, &leaf, sizeof(leaf));
	for (; leaf.function != 1; at += 40)
		memcpy(&leaf, payload.data + at, sizeof(leaf));
	at -= 40;
	leaf.edx |= 1u << 31;
	memcpy(payload.data + at, &leaf, sizeof(leaf));
	rewrite(&payload);
	not_restored(new_counting(), "has features that this host's has not (CPUID 0x1.0)");
}

/* One of the two kinds of interrupt controllers is not the other. */
static void other_controllers(void **state)
{
	(void)state;
	if (getenv("HULL_NO_SPLIT_IRQCHIP"))
		skip();
	save_counting();
	assert_int_equal(setenv("HULL_NO_SPLIT_IRQCHIP", "1", 1), 0);
	not_restored(new_counting(), "I/O APIC of hull's");
	snapshot_remove(dir_fd);
	save_counting();
	unsetenv("HULL_NO_SPLIT_IRQCHIP");
	not_restored(new_counting(), "KVM's I/O APIC");
}

static void files_are_there(void **state)
{
	struct snapshot s = SNAPSHOT_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, SNAPSHOT_MEMORY, 0700), 0);
	assert_int_equal(snapshot_create(dir_fd, &s, &e), -EEXIST);
	assert_int_equal(faccessat(dir_fd, SNAPSHOT_STATE, F_OK, 0), -1);
	assert_int_equal(unlinkat(dir_fd, SNAPSHOT_MEMORY, AT_REMOVEDIR), 0);
}

static void not_paused(void **state)
{
	struct vm *vm = new_vm(1, 16);
	struct snapshot s = SNAPSHOT_INIT;
	struct err e = ERR_INIT;

	(void)state;
	BOOT(vm, spin, 0);
	assert_int_equal(snapshot_create(dir_fd, &s, &e), 0);
	assert_int_equal(vm_save(vm, &s, &e), -EBUSY);
	vm_pause(vm);
	vm_stop(vm);
	assert_true(vm_save(vm, &s, &e) < 0);
	snapshot_close(&s);
	vm_free(vm);
}

/* Pages of zeroes take no room. */
static void sparse(void **state)
{
	struct stat st;

	(void)state;
	save_counting();
	assert_int_equal(fstatat(dir_fd, SNAPSHOT_MEMORY, &st, 0), 0);
	assert_int_equal(st.st_size, 16 * MIB);
	assert_true(st.st_blocks * 512 < 256 << 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_on),
		TEST(the_saved_one_goes_on),
		TEST(exits_are_finished),
		TEST(two_processors),
		TEST(timer_goes_off),
		TEST(device_goes_on),
		TEST(other_version),
		TEST(no_snapshot),
		TEST(missing_files),
		TEST(damaged),
		TEST(cut_short),
		TEST(crafted_short),
		TEST(crafted_bytes),
		TEST(other_machine),
		TEST(other_processor),
		TEST(other_controllers),
		TEST(files_are_there),
		TEST(not_paused),
		TEST(sparse),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
