/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM in its jail whose device is an attacker's: the guest gets its driver's registers to be
 * written, and what runs in the device's place, on the I/O thread or on the processor's own, makes one
 * of the attempts of attempts.h. The process must end by SIGSYS, before the attempt is over. On this
 * host's own KVM, with a guest of a few instructions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/jail.h"
#include "microvm/microvm.h"
#include "microvm/virtio/device.h"
#include "tests/unit/microvm/attempts.h"
#include "tests/unit/microvm/kernel.h"

#define MIB 1048576ull

enum attacked { IO_THREAD, CPU_THREAD };

/* What the attacker's code is to do, and where it tells that it has done it. */
static struct {
	enum attacked thread;
	int (*attempt)(void);
	int to;
} plan;

struct word {
	bool failed; /* err: there was no VM */
	pid_t thread;
	int result;
	struct err err;
};

static void attack(void)
{
	struct word w = {.thread = (pid_t)syscall(SYS_gettid)};

	w.result = plan.attempt();
	(void)!write(plan.to, &w, sizeof(w));
}

/* ---- the device ---- */

static int activate(struct virtio_device *d, struct err *err)
{
	(void)d;
	(void)err;
	if (plan.thread == IO_THREAD)
		attack();
	return 0;
}

static void config_written(struct virtio_device *d, uint32_t offset, uint32_t len)
{
	(void)d;
	(void)offset;
	(void)len;
	if (plan.thread == CPU_THREAD)
		attack();
}

static void nothing(struct virtio_device *d)
{
	(void)d;
}

static void serve(struct virtio_device *d, unsigned int q)
{
	(void)d;
	(void)q;
}

static void free_device(struct virtio_device *d)
{
	free(d);
}

static const struct virtio_ops ops = {
	.name = "attacker",
	.activate = activate,
	.reset = nothing,
	.serve = serve,
	.config_written = config_written,
	.free = free_device,
};

static int add_attacker(struct vm *vm, struct err *err)
{
	static uint8_t config[4];
	struct virtio_device *d = mem_xalloc(sizeof(*d));
	struct virtio_host host;
	int rc;

	d->ops = &ops;
	d->id = VIRTIO_ID_RNG;
	d->config = config;
	d->config_size = sizeof(config);
	d->config_writable = true;
	d->n_queues = 1;
	if ((rc = vm_device_host(vm, &host, NULL, err)) < 0 ||
	    (rc = virtio_init(d, &host, err)) < 0)
		return rc;
	return vm_add_device(vm, d, err);
}

/* ---- the guest ---- */

#define BYTE(n, shift)       (uint8_t)((n) >> (shift))
#define BYTES(n)             BYTE(n, 0), BYTE(n, 8), BYTE(n, 16), BYTE(n, 24)
#define STORE(offset, value) 0xc7, 0x05, BYTES(0xd0000000u + (offset)), BYTES(value) /* movl */

/* The life of a driver up to DRIVER_OK (virtio 1.2, 3.1.1), with VERSION_1 and no queue; for ever. */
static const uint8_t driver[] = {
	STORE(VIRTIO_MMIO_STATUS, 1),
	STORE(VIRTIO_MMIO_STATUS, 3),
	STORE(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1),
	STORE(VIRTIO_MMIO_DRIVER_FEATURES, 1),
	STORE(VIRTIO_MMIO_STATUS, 0xb),
	STORE(VIRTIO_MMIO_STATUS, 0xf),
	STORE(VIRTIO_MMIO_CONFIG, 0),
	0xeb, 0xfe, /* jmp to itself */
};

static int boot(struct vm *vm, struct err *err)
{
	struct kernel k;
	struct boot_config config = {.initramfs_fd = -1, .kernel_name = "test", .cmdline = "quiet"};
	int rc;

	kernel_make(&k, driver, sizeof(driver));
	config.kernel_fd = kernel_file(&k, sizeof(k));
	rc = vm_boot(vm, &config, err);
	fd_close(config.kernel_fd);
	return rc;
}

/* ---- the process ---- */

static int start(struct err *err)
{
	const struct vm_config config = {
		.cpus = 1, .memory = {.size = 16 * MIB, .shared = true}, .serial_fd = -1};
	struct kvm_host kvm;
	struct vm *vm;
	int rc;

	if ((rc = kvm_host_open(-1, &kvm, err)) < 0 || (rc = vm_new(&kvm, &config, &vm, err)) < 0 ||
	    (rc = add_attacker(vm, err)) < 0 || (rc = boot(vm, err)) < 0)
		return rc;
	remember();
	rc = jail_enter(err);
	return rc < 0 ? rc : vm_start(vm, true, err);
}

static void __attribute__((noreturn)) run_vm(void)
{
	struct word w = {.failed = true};

	if (start(&w.err) < 0) {
		(void)!write(plan.to, &w, sizeof(w));
		_exit(1);
	}
	for (;;)
		poll(NULL, 0, -1);
}

/* How an attempt ends: true and what it says, or *ret_status of the process that made it. */
static bool try_in_vm(enum attacked thread, int (*attempt)(void), char ret_comm[static 32],
		      struct word *ret, int *ret_status)
{
	int p[2];
	pid_t pid;
	bool spoke;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	plan.thread = thread;
	plan.attempt = attempt;
	plan.to = p[1];
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_vm();
	fd_close(p[1]);
	spoke = read(p[0], ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
	ret_comm[0] = '\0';
	if (spoke && !ret->failed) {
		FREE char *path =
			mem_xprintf("/proc/%d/task/%d/comm", (int)pid, (int)ret->thread);
		CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, ret_comm, 31);

		ret_comm[n > 0 ? n - 1 : 0] = '\0';
	}
	fd_close(p[0]);
	if (spoke)
		(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, ret_status, 0), pid);
	return spoke;
}

static void needs_kvm(void)
{
	struct err e = ERR_INIT;
	struct kvm_host kvm;

	if (geteuid() != 0 || kvm_host_open(-1, &kvm, &e) < 0) {
		printf("# needs root and KVM\n");
		skip();
	}
	kvm_host_close(&kvm);
}

static int try_nothing(void)
{
	return 42;
}

static void runs_on(enum attacked thread, const char *name)
{
	char comm[32];
	struct word w;
	int status;

	if (!try_in_vm(thread, try_nothing, comm, &w, &status))
		fail_msg("the process ended with status %#x", (unsigned int)status);
	if (w.failed)
		fail_msg("%s", w.err.msg);
	assert_int_equal(w.result, 42);
	assert_string_equal(comm, name);
}

/* The attacker's code does run, and on the thread that is meant. */
static void test_attacker_runs(void **state)
{
	(void)state;
	needs_kvm();
	runs_on(IO_THREAD, "hull-io");
	runs_on(CPU_THREAD, "hull-cpu0");
}

static void attempt_all(enum attacked thread)
{
	char comm[32];
	struct word w;
	int bad = 0, status;

	needs_kvm();
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		bool spoke = try_in_vm(thread, attempts[i].fn, comm, &w, &status);

		if (!spoke && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			continue;
		if (spoke && w.failed)
			print_message("# %s: %s\n", attempts[i].name, w.err.msg);
		else if (spoke)
			print_message("# %s: it was over, with %d\n", attempts[i].name, w.result);
		else
			print_message("# %s: status %#x\n", attempts[i].name,
				      (unsigned int)status);
		bad++;
	}
	assert_int_equal(bad, 0);
}

static void test_io_thread(void **state)
{
	(void)state;
	attempt_all(IO_THREAD);
}

static void test_cpu_thread(void **state)
{
	(void)state;
	attempt_all(CPU_THREAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attacker_runs),
		cmocka_unit_test(test_io_thread),
		cmocka_unit_test(test_cpu_thread),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
