/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM on this host's own KVM, with guests of a few instructions (32-bit protected mode). */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/mem.h"
#include "microvm/microvm.h"
#include "microvm/virtio/device.h"
#include "microvm/virtio/rng.h"
#include "tests/unit/microvm/kernel.h"

#define MIB (1ull << 20)

static struct vm *new_vm(unsigned int cpus, int serial_fd)
{
	const struct vm_config config = {
		.cpus = cpus, .memory = {.size = 16 * MIB}, .serial_fd = serial_fd};
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

static void boot(struct vm *vm, const uint8_t *code, size_t size)
{
	struct err e = ERR_INIT;
	struct kernel k;
	struct boot_config config = {.initramfs_fd = -1, .kernel_name = "test", .cmdline = "quiet"};

	kernel_make(&k, code, size);
	config.kernel_fd = kernel_file(&k, sizeof(k));
	if (vm_boot(vm, &config, &e) < 0 || vm_start(vm, false, &e) < 0)
		fail_msg("%s", e.msg);
	close(config.kernel_fd);
}

#define BOOT(vm, ...)                                                                              \
	do {                                                                                       \
		const uint8_t code[] = {__VA_ARGS__};                                              \
		boot(vm, code, sizeof(code));                                                      \
	} while (0)

/* mov $0xfe, %al; out %al, $0x64; hlt; jmp to the hlt */
#define RESET 0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd
#define SPIN  0xeb, 0xfe

static enum vm_end wait_end(struct vm *vm)
{
	struct pollfd p = {.fd = vm_wait_fd(vm), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 60000), 1);
	return vm_end_reason(vm);
}

static void reset(void **state)
{
	struct vm *vm = new_vm(1, -1);

	(void)state;
	BOOT(vm, RESET);
	assert_int_equal(wait_end(vm), VM_RESET);
	vm_free(vm);
}

static void triple_fault(void **state)
{
	struct vm *vm = new_vm(1, -1);

	(void)state;
	BOOT(vm, 0x0f, 0x0b); /* ud2, and no interrupt table */
	assert_int_equal(wait_end(vm), VM_SHUTDOWN);
	assert_non_null(strstr(vm_end_text(vm), "triple fault"));
	vm_free(vm);
}

/* ebx points to the start_info: its magic goes out by the serial port. */
static void start_info_and_serial(void **state)
{
	int pipe_fds[2];
	uint32_t magic = 0;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);

	struct vm *vm = new_vm(1, pipe_fds[1]);

	BOOT(vm, 0x66, 0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
	     0x8b, 0x03,                 /* mov (%ebx), %eax */
	     0xb9, 4, 0, 0, 0,           /* mov $4, %ecx */
	     0xee,                       /* out %al, %dx */
	     0xc1, 0xe8, 8,              /* shr $8, %eax */
	     0xe2, 0xfa,                 /* loop to the out */
	     RESET);
	assert_int_equal(wait_end(vm), VM_RESET);
	assert_int_equal(read(pipe_fds[0], &magic, sizeof(magic)), sizeof(magic));
	assert_int_equal(magic, 0x336ec578);
	vm_free(vm);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* What nobody reads is lost: the guest goes on, and nothing of it is kept (CVE-2020-27174). */
static void serial_that_nobody_reads(void **state)
{
	int pipe_fds[2], size;
	char bytes[4096];
	ssize_t n, total = 0;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
	size = fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096);

	struct vm *vm = new_vm(1, pipe_fds[1]);

	BOOT(vm, 0x66, 0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
	     0xb9, 0, 0x40, 0, 0,        /* mov $16384, %ecx */
	     0xee,                       /* out %al, %dx */
	     0xe2, 0xfd,                 /* loop to it */
	     RESET);
	assert_int_equal(wait_end(vm), VM_RESET);
	while ((n = read(pipe_fds[0], bytes, sizeof(bytes))) > 0)
		total += n;
	assert_in_range(total, 1, size);
	vm_free(vm);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
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

/* Resets only when the register at address has this value; else breaks down. */
static void expect_register(struct vm *vm, uint32_t address, uint32_t value)
{
	uint8_t code[] = {
		0xa1,  0,    0,    0, 0, /* mov address, %eax */
		0x3d,  0,    0,    0, 0, /* cmp $value, %eax */
		0x75,  0x07,             /* jne to the ud2 */
		RESET, 0x0f, 0x0b,
	};

	memcpy(code + 1, &address, 4);
	memcpy(code + 6, &value, 4);
	boot(vm, code, sizeof(code));
	assert_int_equal(wait_end(vm), VM_RESET);
}

static void device_registers(void **state)
{
	struct vm *vm = new_vm(1, -1);

	(void)state;
	add_rng(vm);
	add_rng(vm);
	expect_register(vm, 0xd0001000, 0x74726976); /* the second one's magic */
	vm_free(vm);
}

/* A driver's write exits, what it makes of a register is read without; a read-only one stays. */
static void registers_follow_writes(void **state)
{
	struct vm *vm = new_vm(1, -1);

	(void)state;
	add_rng(vm);
	BOOT(vm, 0xb8, 1, 0, 0, 0,                     /* mov $1, %eax */
	     0xa3, 0x00, 0, 0, 0xd0,                   /* mov %eax, 0xd0000000: the magic */
	     0xa3, 0x70, 0, 0, 0xd0,                   /* mov %eax, 0xd0000070: the status */
	     0x3b, 0x05, 0x70, 0, 0, 0xd0, 0x75, 0x13, /* cmp 0xd0000070, %eax; jne ud2 */
	     0x81, 0x3d, 0x00, 0, 0, 0xd0, 'v', 'i', 'r', 't', /* cmpl $magic, 0xd0000000 */
	     0x75, 0x07, RESET, 0x0f, 0x0b);                   /* jne ud2; ud2 */
	assert_int_equal(wait_end(vm), VM_RESET);
	vm_free(vm);
}

/* A byte of a register is there in memory only: the handler of exits gives none. */
static void registers_are_memory(void **state)
{
	struct vm *vm = new_vm(1, -1);
	uint8_t byte = 0xff;

	(void)state;
	virtio_mmio_read(add_rng(vm), 1, &byte, 1);
	assert_int_equal(byte, 0);
	BOOT(vm, 0x80, 0x3d, 0x01, 0, 0, 0xd0, 'i', /* cmpb $'i', 0xd0000001 */
	     0x75, 0x07, RESET, 0x0f, 0x0b);        /* jne ud2; ud2 */
	assert_int_equal(wait_end(vm), VM_RESET);
	vm_free(vm);
}

static void nobodys_address(void **state)
{
	struct vm *vm = new_vm(1, -1);

	(void)state;
	expect_register(vm, 0xd0500000, 0xffffffff);
	vm_free(vm);
}

/* The write to QueueNotify makes no exit: it arrives as an event of the device. */
static void doorbell(void **state)
{
	struct vm *vm = new_vm(1, -1);

	(void)state;
	add_rng(vm);
	BOOT(vm, 0xb8, 0, 0, 0, 0,   /* mov $0, %eax */
	     0xa3, 0x50, 0, 0, 0xd0, /* mov %eax, 0xd0000050 */
	     RESET);
	assert_int_equal(wait_end(vm), VM_RESET);
	vm_free(vm);
}

#define STORE(address, value) 0xc7, 0x05, BYTES(address), BYTES(value) /* movl $value, address */
#define TEST(address, value)  0xf7, 0x05, BYTES(address), BYTES(value) /* testl */
#define BYTES(n)              BYTE(n, 0), BYTE(n, 8), BYTE(n, 16), BYTE(n, 24)
#define BYTE(n, shift)        (uint8_t)((n) >> (shift))

/*
 * The local APIC is switched on, and pin 5 of the I/O APIC, the first device's, becomes its vector
 * 0x41. No processor ever takes the interrupt, so it stays in the request register. Edges before
 * the pin was set are lost, hence the many.
 */
static void expect_interrupt(void)
{
	struct vm *vm = new_vm(1, -1);
	struct pollfd p = {.fd = vm_wait_fd(vm), .events = POLLIN};
	struct virtio_host host;
	struct virtio_device *d = NULL;
	struct err e = ERR_INIT;
	const uint64_t one = 1;
	int irq_fd;

	if (vm_device_host(vm, &host, &irq_fd, &e) < 0 || virtio_rng_new(&host, &d, &e) < 0 ||
	    vm_add_device(vm, d, &e) < 0)
		fail_msg("%s", e.msg);
	BOOT(vm, STORE(0xfee000f0u, 0x1ff), STORE(0xfec00000u, 0x1b), STORE(0xfec00010u, 0),
	     STORE(0xfec00000u, 0x1a), STORE(0xfec00010u, 0x41), TEST(0xfee00220u, 2), 0x74,
	     0xf4, /* jz to the test */
	     RESET);
	for (int i = 0; i < 6000 && poll(&p, 1, 10) == 0; i++)
		assert_int_equal(write(irq_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(wait_end(vm), VM_RESET);
	vm_free(vm);
}

static void interrupt(void **state)
{
	(void)state;
	expect_interrupt();
}

static void interrupt_of_kvms_ioapic(void **state)
{
	(void)state;
	setenv("HULL_NO_SPLIT_IRQCHIP", "1", 1);
	expect_interrupt();
	unsetenv("HULL_NO_SPLIT_IRQCHIP");
}

/* KVM's has all pins, ours as many as there are devices for. */
static void pins_of_the_ioapic(void **state)
{
	struct err e = ERR_INIT;
	struct kvm_host kvm;
	uint32_t version;

	(void)state;
	for (int forced = 0; forced < 2; forced++) {
		if (forced)
			setenv("HULL_NO_SPLIT_IRQCHIP", "1", 1);

		struct vm *vm = new_vm(1, -1);

		if (kvm_host_open(-1, &kvm, &e) < 0)
			fail_msg("%s", e.msg);
		version = kvm.split_irqchip ? 0x60011 : 0x170011;
		kvm_host_close(&kvm);
		add_rng(vm);
		add_rng(vm);
		BOOT(vm, STORE(0xfec00000u, 1), 0xa1, BYTES(0xfec00010u), /* mov 0xfec00010, %eax */
		     0x3d, BYTES(version), 0x75, 0x07, RESET, 0x0f, 0x0b); /* cmp; jne ud2; ud2 */
		assert_int_equal(wait_end(vm), VM_RESET);
		vm_free(vm);
	}
	unsetenv("HULL_NO_SPLIT_IRQCHIP");
}

static void command_line(void **state)
{
	struct vm *vm = new_vm(1, -1);

	(void)state;
	add_rng(vm);
	BOOT(vm, RESET);
	assert_int_equal(wait_end(vm), VM_RESET);
	assert_string_equal(guest_at(vm_memory(vm), 0x20000, 64, false),
			    "quiet virtio_mmio.device=4K@0xd0000000:5");
	vm_free(vm);
}

static void stop_while_spinning(void **state)
{
	struct vm *vm = new_vm(2, -1);

	(void)state;
	BOOT(vm, SPIN);
	vm_stop(vm);
	assert_int_equal(wait_end(vm), VM_STOPPED);
	vm_free(vm);
}

static uint32_t counter(const struct vm *vm)
{
	return *(volatile uint32_t *)guest_at(vm_memory(vm), 0x200000, 4, false);
}

static void wait_counting(const struct vm *vm)
{
	uint32_t from = counter(vm);

	for (int i = 0; i < 30000 && counter(vm) == from; i++)
		usleep(1000);
	assert_true(counter(vm) != from);
}

static void pause_and_resume(void **state)
{
	struct vm *vm = new_vm(2, -1);

	(void)state;
	BOOT(vm, 0xff, 0x05, 0, 0, 0x20, 0, /* incl 0x200000 */
	     0xeb, 0xf8);                   /* again */
	for (int round = 0; round < 5; round++) {
		uint32_t at;

		wait_counting(vm);
		vm_pause(vm);
		at = counter(vm);
		usleep(20000);
		assert_int_equal(counter(vm), at);
		vm_resume(vm);
	}
	wait_counting(vm);
	vm_pause(vm);
	vm_stop(vm);
	assert_int_equal(wait_end(vm), VM_STOPPED);
	vm_free(vm);
}

static void many_processors(void **state)
{
	struct vm *vm = new_vm(32, -1);

	(void)state;
	BOOT(vm, RESET);
	assert_int_equal(wait_end(vm), VM_RESET);
	vm_free(vm);
}

static void too_many_processors(void **state)
{
	const struct vm_config config = {.cpus = 33, .memory = {.size = 16 * MIB}, .serial_fd = -1};
	struct err e = ERR_INIT;
	struct kvm_host kvm;
	struct vm *vm = NULL;

	(void)state;
	if (kvm_host_open(-1, &kvm, &e) < 0)
		skip();
	assert_true(vm_new(&kvm, &config, &vm, &e) < 0);
	assert_non_null(strstr(e.msg, "33 processors"));
}

static void no_kvm(void **state)
{
	struct err e = ERR_INIT;
	struct kvm_host kvm;

	(void)state;
	assert_true(kvm_host_open(eventfd(0, EFD_CLOEXEC), &kvm, &e) < 0);
	assert_non_null(strstr(e.msg, "is not KVM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset),
		cmocka_unit_test(triple_fault),
		cmocka_unit_test(start_info_and_serial),
		cmocka_unit_test(serial_that_nobody_reads),
		cmocka_unit_test(device_registers),
		cmocka_unit_test(registers_follow_writes),
		cmocka_unit_test(registers_are_memory),
		cmocka_unit_test(nobodys_address),
		cmocka_unit_test(doorbell),
		cmocka_unit_test(interrupt),
		cmocka_unit_test(interrupt_of_kvms_ioapic),
		cmocka_unit_test(pins_of_the_ioapic),
		cmocka_unit_test(command_line),
		cmocka_unit_test(stop_while_spinning),
		cmocka_unit_test(pause_and_resume),
		cmocka_unit_test(many_processors),
		cmocka_unit_test(too_many_processors),
		cmocka_unit_test(no_kvm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
