/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine around the processors: memory slots, interrupt controllers, devices, the I/O thread,
 * and how it all ends.
 *
 * Memory slots come before the interrupt controllers (irq.c): afterwards each costs a grace period of
 * the host's kernel. There is no PIT; a guest with a known TSC does without.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/virtio_mmio.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "microvm/jail.h"
#include "microvm/vm_internal.h"
#include "microvm/x86/cpu.h"
#include "microvm/x86/mptable.h"

#define STACK_SIZE     (512u << 10)
#define REGISTERS_SIZE ((size_t)VM_MAX_DEVICES * VIRTIO_MMIO_SIZE)

static int new_eventfd(struct err *err)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? err_sys(err, "eventfd") : fd;
}

static void signal_eventfd(int fd)
{
	const uint64_t one = 1;

	/* Full means that it is signalled already. */
	(void)!write(fd, &one, sizeof(one));
}

/* ---- making it ---- */

static int add_slot(struct vm *vm, unsigned int slot, const struct guest_region *r, struct err *err)
{
	struct kvm_userspace_memory_region k = {
		.slot = slot,
		.flags = r->readonly ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = r->gpa,
		.memory_size = r->size,
		.userspace_addr = (uint64_t)(uintptr_t)r->host,
	};

	if (r->readonly && !vm->kvm.readonly_memory)
		return err_set(err, ENOTSUP,
			       "this host's KVM lacks KVM_CAP_READONLY_MEM, which read-only memory "
			       "(pmem) needs");
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &k) < 0)
		return err_sys(err, "give %llu bytes of memory at %#llx to the VM",
			       (unsigned long long)r->size, (unsigned long long)r->gpa);
	return 0;
}

static int add_memory(struct vm *vm, const struct vm_config *config, struct err *err)
{
	struct guest_memory *m = &vm->memory;
	int rc = guest_memory_new(&config->memory, m, err);

	if (rc < 0)
		return rc;
	if (config->n_regions > GUEST_MAX_REGIONS - m->n_regions)
		return err_set(err, EINVAL, "more than %zu regions of other memory",
			       GUEST_MAX_REGIONS - m->n_regions);
	for (size_t i = 0; i < config->n_regions; i++)
		m->regions[m->n_regions++] = config->regions[i];
	for (size_t i = 0; i < m->n_regions; i++) {
		rc = add_slot(vm, (unsigned int)i, &m->regions[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_cpus(struct vm *vm, unsigned int n, struct err *err)
{
	int rc;

	for (unsigned int i = 0; i < n; i++) {
		rc = vcpu_new(vm, i, &vm->cpus[i], err);
		if (rc < 0)
			return rc;
		vm->n_cpus++;
		rc = cpuid_set_up(&vm->kvm, vm->cpus[i].fd, i, n, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int new_registers(struct vm *vm, struct err *err)
{
	void *p = mmap(NULL, REGISTERS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		return err_sys(err, "map the devices' registers");
	vm->registers = p;
	return 0;
}

static void on_stop(void *arg, uint32_t events)
{
	struct vm *vm = arg;

	(void)events;
	loop_stop(vm->loop);
}

static void on_call(void *arg, uint32_t events)
{
	struct vm *vm = arg;
	uint64_t count;

	(void)events;
	(void)!read(vm->call_fd, &count, sizeof(count));
	if (!vm->call)
		return;
	vm->call(vm->call_arg);
	pthread_mutex_lock(&vm->lock);
	vm->call = NULL;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

static bool is_worth_waiting(const struct vm *vm, bool for_the_end)
{
	return !vm->io_over && (for_the_end || vm->end == VM_RUNS);
}

/* False: it was not waited for. */
static bool call_io(struct vm *vm, void (*fn)(void *fn_arg), void *fn_arg, bool for_the_end)
{
	bool done = false;

	pthread_mutex_lock(&vm->lock);
	while (vm->call && is_worth_waiting(vm, for_the_end))
		pthread_cond_wait(&vm->changed, &vm->lock);
	if (!vm->call && is_worth_waiting(vm, for_the_end)) {
		vm->call_arg = fn_arg;
		vm->call = fn;
		signal_eventfd(vm->call_fd);
		while (vm->call == fn && vm->call_arg == fn_arg && is_worth_waiting(vm, for_the_end))
			pthread_cond_wait(&vm->changed, &vm->lock);
		done = vm->call != fn || vm->call_arg != fn_arg;
	}
	pthread_mutex_unlock(&vm->lock);
	return done;
}

/* Of a VM that has ended nobody waits for anything any more. */
static void call_io_thread(void *arg, void (*fn)(void *fn_arg), void *fn_arg)
{
	(void)call_io(arg, fn, fn_arg, false);
}

bool vm_call_io_thread(struct vm *vm, void (*fn)(void *fn_arg), void *fn_arg)
{
	return call_io(vm, fn, fn_arg, true);
}

static int set_up(struct vm *vm, const struct vm_config *config, struct err *err)
{
	int rc;

	if (config->cpus < 1 || config->cpus > VM_MAX_CPUS || config->cpus > vm->kvm.max_cpus)
		return err_set(err, EINVAL, "%u processors: a VM here can have 1 to %u",
			       config->cpus,
			       vm->kvm.max_cpus < VM_MAX_CPUS ? vm->kvm.max_cpus : VM_MAX_CPUS);
	do
		vm->fd = ioctl(vm->kvm.fd, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return err_sys(err, "KVM_CREATE_VM");
	if ((rc = vcpu_signal_set_up(err)) < 0 || (rc = add_memory(vm, config, err)) < 0 ||
	    (rc = irq_set_up(vm, err)) < 0 || (rc = add_cpus(vm, config->cpus, err)) < 0 ||
	    (rc = loop_new(&vm->loop, err)) < 0 || (rc = vm->stop_fd = new_eventfd(err)) < 0 ||
	    (rc = vm->call_fd = new_eventfd(err)) < 0 || (rc = vm->end_fd = new_eventfd(err)) < 0 ||
	    (rc = vm->acks_fd = new_eventfd(err)) < 0 || (rc = new_registers(vm, err)) < 0 ||
	    (rc = loop_add(vm->loop, vm->call_fd, EPOLLIN, on_call, vm, &vm->call_source, err)) < 0)
		return rc;
	return loop_add(vm->loop, vm->stop_fd, EPOLLIN, on_stop, vm, &vm->stop_source, err);
}

int vm_new(struct kvm_host *kvm, const struct vm_config *config, struct vm **ret, struct err *err)
{
	struct vm *vm = mem_xalloc(sizeof(*vm));
	int rc;

	vm->kvm = *kvm;
	kvm->fd = -1;
	kvm->msrs = NULL;
	vm->fd = vm->stop_fd = vm->call_fd = vm->end_fd = vm->acks_fd = -1;
	vm->memory.fd = -1;
	vm->serial.fd = config->serial_fd;
	irq_init(vm);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, NULL);
	rc = set_up(vm, config, err);
	if (rc < 0) {
		vm_free(vm);
		return rc;
	}
	*ret = vm;
	return 0;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	vm_stop(vm);
	for (unsigned int i = 0; i < vm->n_cpus; i++)
		vcpu_join(&vm->cpus[i]);
	if (vm->io_started) {
		signal_eventfd(vm->stop_fd);
		pthread_join(vm->io_thread, NULL);
	}
	for (unsigned int i = 0; i < vm->n_devices; i++)
		virtio_destroy(vm->devices[i]);
	for (unsigned int i = 0; i < vm->n_devices + vm->lent; i++)
		fd_close(vm->lines[i].fd);
	loop_remove(vm->stop_source);
	loop_remove(vm->call_source);
	if (vm->loop)
		loop_free(vm->loop);
	for (unsigned int i = 0; i < vm->n_cpus; i++)
		vcpu_free(&vm->cpus[i]);
	fd_close(vm->stop_fd);
	fd_close(vm->call_fd);
	fd_close(vm->end_fd);
	fd_close(vm->acks_fd);
	fd_close(vm->fd);
	if (vm->registers)
		munmap(vm->registers, REGISTERS_SIZE);
	kvm_host_close(&vm->kvm);
	guest_memory_free(&vm->memory);
	irq_release(vm);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

/* ---- devices ---- */

static uint64_t device_base(unsigned int n)
{
	return LAYOUT_DEVICES + (uint64_t)n * VIRTIO_MMIO_SIZE;
}

static unsigned int device_irq(unsigned int n)
{
	return LAYOUT_FIRST_IRQ + n;
}

static void raise_line(void *arg)
{
	const struct vm_line *line = arg;

	signal_eventfd(line->fd);
}

int vm_device_host(struct vm *vm, struct virtio_host *ret, int *ret_irq_fd, struct err *err)
{
	struct vm_line *line = &vm->lines[vm->n_devices];
	int rc;

	if (vm->n_devices == VM_MAX_DEVICES)
		return err_set(err, ENOSPC, "a VM can have %u devices", VM_MAX_DEVICES);
	if (!vm->lent) {
		line->fd = new_eventfd(err);
		if (line->fd < 0)
			return line->fd;
		vm->lent = true;
		rc = irq_connect(vm, device_irq(vm->n_devices), line->fd, err);
		if (rc < 0)
			return rc;
	}
	*ret = (struct virtio_host){
		.memory = &vm->memory,
		.loop = vm->loop,
		.interrupt = raise_line,
		.arg = line,
		.run = call_io_thread,
		.run_arg = vm,
		.registers = vm->registers + (size_t)vm->n_devices * VIRTIO_MMIO_SIZE,
	};
	if (ret_irq_fd)
		*ret_irq_fd = line->fd;
	return 0;
}

static void mmio_read(void *device, uint64_t offset, uint8_t *data, uint32_t len)
{
	virtio_mmio_read(device, offset, data, len);
}

static void mmio_write(void *device, uint64_t offset, const uint8_t *data, uint32_t len)
{
	virtio_mmio_write(device, offset, data, len);
}

/* A write of value to a register signals the eventfd, without an exit. */
static int add_doorbell(struct vm *vm, const struct virtio_device *d, uint64_t address,
			uint32_t value, int fd, struct err *err)
{
	struct kvm_ioeventfd e = {
		.datamatch = value,
		.addr = address,
		.len = sizeof(value),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(vm->fd, KVM_IOEVENTFD, &e) < 0)
		return err_sys(err, "KVM_IOEVENTFD of device '%s'", d->ops->name);
	return 0;
}

int vm_add_device(struct vm *vm, struct virtio_device *d, struct err *err)
{
	uint64_t base = device_base(vm->n_devices);
	const struct bus_window window = {base, VIRTIO_MMIO_SIZE, d, mmio_read, mmio_write};

	vm->devices[vm->n_devices++] = d;
	vm->lent = false;
	if (bus_add(&vm->memory_bus, &window) < 0)
		return err_set(err, ENOSPC, "no room for another device");
	for (unsigned int q = 0; q < d->n_queues; q++) {
		int rc = add_doorbell(vm, d, base + VIRTIO_MMIO_QUEUE_NOTIFY, q, d->notify_fds[q], err);

		if (rc < 0)
			return rc;
	}
	/* "I have seen the used buffers" changes nothing, see mmio.c. */
	return add_doorbell(vm, d, base + VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING, vm->acks_fd,
			    err);
}

/*
 * Writes to read-only memory exit as before, reads no longer do (Documentation/virt/kvm/api.rst,
 * KVM_MEM_READONLY). A KVM without it lets both exit.
 */
int vm_map_registers(struct vm *vm, struct err *err)
{
	const struct guest_region pages = {
		.gpa = device_base(0),
		.size = (uint64_t)vm->n_devices * VIRTIO_MMIO_SIZE,
		.host = vm->registers,
		.readonly = true,
	};

	if (vm->n_devices == 0 || !vm->kvm.readonly_memory)
		return 0;
	return add_slot(vm, (unsigned int)vm->memory.n_regions, &pages, err);
}

/* ---- running ---- */

/* Those of devices, and the serial port's: a driver of it wants one, though it never comes. */
static uint32_t lines_in_use(const struct vm *vm)
{
	uint32_t lines = vm->serial.fd >= 0 ? 1u << SERIAL_IRQ : 0;

	for (unsigned int i = 0; i < vm->n_devices; i++)
		lines |= 1u << device_irq(i);
	return lines;
}

int vm_boot(struct vm *vm, const struct boot_config *config, struct err *err)
{
	const struct mptable table = {
		.cpus = vm->n_cpus, .lines = lines_in_use(vm), .pic = !vm->irq.split};
	struct boot_config c = *config;
	struct boot_entry entry;
	BUF cmdline = BUF_INIT;
	int rc;

	buf_addf(&cmdline, "%s", config->cmdline);
	for (unsigned int i = 0; i < vm->n_devices; i++)
		buf_addf(&cmdline, " virtio_mmio.device=4K@%#llx:%u",
			 (unsigned long long)device_base(i), device_irq(i));
	c.cmdline = buf_str(&cmdline);
	irq_set_lines(vm, table.lines);
	if ((rc = boot_load(&c, &vm->memory, &entry, err)) < 0 ||
	    (rc = mptable_write(&vm->memory, &table, err)) < 0 ||
	    (rc = vm_map_registers(vm, err)) < 0)
		return rc;
	for (unsigned int i = 0; i < vm->n_cpus; i++) {
		rc = cpu_set_up(vm->cpus[i].fd, i, &entry, &vm->memory, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int vm_enter_thread(const struct vm *vm, const char *name, enum jail_thread kind, struct err *err)
{
	sigset_t all;

	/* Signals of the process are the main thread's business. musl leaves one of its own open. */
	sys_sigfillset(&all);
	(void)sys_sigmask(SIG_SETMASK, &all, NULL);
	/* By itself: for another thread it takes a file of procfs. */
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	return vm->jailed ? jail_lock(kind, err) : 0;
}

static void *io_main(void *arg)
{
	struct vm *vm = arg;
	struct err e = ERR_INIT;

	if (vm_enter_thread(vm, "hull-io", JAIL_IO, &e) < 0 || loop_run(vm->loop, &e) < 0)
		vm_ended(vm, VM_FAILED, "%s", e.msg);
	pthread_mutex_lock(&vm->lock);
	vm->io_over = true;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

/* As large as the default a stack would get a huge page of its own, to be cleared first. */
int vm_create_thread(pthread_t *ret, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int rc = pthread_attr_init(&attr);

	if (rc)
		return rc;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	sys_sigfillset(&all);
	(void)sys_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(ret, &attr, run, arg);
	(void)sys_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return rc;
}

static int start_threads(struct vm *vm, struct err *err)
{
	int rc = vm_create_thread(&vm->io_thread, io_main, vm);

	if (rc)
		return err_code(err, rc, "start the I/O thread");
	vm->io_started = true;
	for (unsigned int i = 0; i < vm->n_cpus; i++) {
		rc = vcpu_start(&vm->cpus[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int vm_start(struct vm *vm, bool jailed, struct err *err)
{
	int rc;

	fd_replace(&vm->kvm.fd, -1); /* for making machines; this one is made */
	vm->jailed = jailed;
	/* What is made with the caller's freedom is made before the guest can abuse it. */
	vm->paused = true;
	atomic_store(&vm->attention, true);
	rc = start_threads(vm, err);
	if (rc == 0 && jailed)
		rc = jail_lock(JAIL_MAIN, err);
	if (rc == 0)
		vm_resume(vm);
	return rc;
}

static void call_for_attention(struct vm *vm)
{
	atomic_store(&vm->attention, true);
	for (unsigned int i = 0; i < vm->n_cpus; i++)
		vcpu_kick(&vm->cpus[i]);
}

void vm_ended(struct vm *vm, enum vm_end reason, const char *fmt, ...)
{
	va_list args;

	pthread_mutex_lock(&vm->lock);
	if (vm->end == VM_RUNS) {
		vm->end = reason;
		va_start(args, fmt);
		vsnprintf(vm->end_text, sizeof(vm->end_text), fmt, args);
		va_end(args);
	}
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	call_for_attention(vm);
	if (vm->end_fd >= 0)
		signal_eventfd(vm->end_fd);
}

bool vm_may_run(struct vm *vm)
{
	bool runs;

	pthread_mutex_lock(&vm->lock);
	if (vm->paused && vm->end == VM_RUNS) {
		vm->n_parked++;
		pthread_cond_broadcast(&vm->changed);
		while (vm->paused && vm->end == VM_RUNS)
			pthread_cond_wait(&vm->changed, &vm->lock);
		vm->n_parked--;
	}
	runs = vm->end == VM_RUNS;
	if (runs)
		atomic_store(&vm->attention, false);
	pthread_mutex_unlock(&vm->lock);
	return runs;
}

void vm_pause(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->paused = true;
	while (vm->n_parked < vm->n_cpus && vm->end == VM_RUNS) {
		pthread_mutex_unlock(&vm->lock);
		call_for_attention(vm);
		pthread_mutex_lock(&vm->lock);
		if (vm->n_parked < vm->n_cpus && vm->end == VM_RUNS)
			pthread_cond_wait(&vm->changed, &vm->lock);
	}
	pthread_mutex_unlock(&vm->lock);
}

bool vm_is_parked(struct vm *vm)
{
	bool parked;

	pthread_mutex_lock(&vm->lock);
	parked = vm->paused && vm->n_parked == vm->n_cpus && vm->end == VM_RUNS;
	pthread_mutex_unlock(&vm->lock);
	return parked;
}

void vm_resume(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->paused = false;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

void vm_stop(struct vm *vm)
{
	vm_ended(vm, VM_STOPPED, "stopped");
}

int vm_wait_fd(const struct vm *vm)
{
	return vm->end_fd;
}

enum vm_end vm_end_reason(const struct vm *vm)
{
	return vm->end;
}

const char *vm_end_text(const struct vm *vm)
{
	return vm->end_text;
}

const struct guest_memory *vm_memory(const struct vm *vm)
{
	return &vm->memory;
}
