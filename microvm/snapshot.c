/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving happens on the I/O thread, so that no device is at work meanwhile; a device that is served
 * by another process stops that first. Only then is the interrupt controllers' state the last word,
 * as nobody is left who could raise a line. What order the calls of KVM need is told in
 * x86/saved_cpu.c; here it is processors, interrupt controllers, clock, devices, in both directions,
 * and when restoring memory before all of these: devices write to it.
 */
#include "microvm/snapshot.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "microvm/saved_memory.h"
#include "microvm/vm_internal.h"
#include "microvm/working_set.h"
#include "microvm/x86/saved.h"

#define MAGIC "HULLSNAP"

struct header {
	char magic[8];
	uint32_t version, zero; /* little-endian, as what follows */
	uint64_t length, checksum;
};

/* ---- the files ---- */

int snapshot_create(int dir_fd, struct snapshot *ret, struct err *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
	CLOSE_FD int state = openat(dir_fd, SNAPSHOT_STATE, flags | O_CLOEXEC, 0600);
	CLOSE_FD int memory = -1;

	if (state < 0)
		return err_sys(err, "snapshot: make '%s'", SNAPSHOT_STATE);
	memory = openat(dir_fd, SNAPSHOT_MEMORY, flags | O_CLOEXEC, 0600);
	if (memory < 0) {
		int rc = err_sys(err, "snapshot: make '%s'", SNAPSHOT_MEMORY);

		(void)unlinkat(dir_fd, SNAPSHOT_STATE, 0);
		return rc;
	}
	*ret = (struct snapshot){fd_take(&state), fd_take(&memory), false, -1};
	return 0;
}

static int open_file(int dir_fd, const char *name, int *ret, struct err *err)
{
	/* Without waiting for a writer, should it be a fifo. */
	CLOSE_FD int fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "snapshot: open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "snapshot: '%s' is not a regular file", name);
	*ret = fd_take(&fd);
	return 0;
}

int snapshot_open(int dir_fd, struct snapshot *ret, struct err *err)
{
	struct snapshot s = SNAPSHOT_INIT;
	int rc = open_file(dir_fd, SNAPSHOT_STATE, &s.state_fd, err);

	if (rc == 0)
		rc = open_file(dir_fd, SNAPSHOT_MEMORY, &s.memory_fd, err);
	if (rc < 0) {
		snapshot_close(&s);
		return rc;
	}
	*ret = s;
	return 0;
}

void snapshot_close(struct snapshot *s)
{
	fd_replace(&s->state_fd, -1);
	fd_replace(&s->memory_fd, -1);
	fd_replace(&s->working_set_fd, -1);
}

void snapshot_remove(int dir_fd)
{
	(void)unlinkat(dir_fd, SNAPSHOT_STATE, 0);
	(void)unlinkat(dir_fd, SNAPSHOT_MEMORY, 0);
}

/* ---- saving ---- */

static int save_cpus(struct vm *vm, struct buf *ret, struct err *err)
{
	for (unsigned int i = 0; i < vm->n_cpus; i++) {
		size_t at = state_begin(ret, STATE_CPU);
		int rc = cpu_save(&vm->kvm, vm->fd, vm->cpus[i].fd, ret, err);

		if (rc < 0)
			return err_wrap(err, rc, "processor %u", i);
		state_end(ret, at);
	}
	return 0;
}

static int save_clock(struct vm *vm, struct buf *ret, struct err *err)
{
	struct kvm_clock_data clock = {0};
	size_t at = state_begin(ret, STATE_CLOCK);

	if (ioctl(vm->fd, KVM_GET_CLOCK, &clock) < 0)
		return err_sys(err, "KVM_GET_CLOCK");
	state_put_u64(ret, clock.clock);
	state_end(ret, at);
	return 0;
}

static void save_serial(const struct serial *s, struct buf *ret)
{
	const uint8_t registers[] = {s->ier, s->lcr, s->mcr, s->scratch, s->dll, s->dlm};
	size_t at = state_begin(ret, STATE_SERIAL);

	state_put_bytes(ret, registers, sizeof(registers));
	state_end(ret, at);
}

static int save_devices(struct vm *vm, struct buf *ret, struct err *err)
{
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		size_t at = state_begin(ret, STATE_DEVICE);
		int rc = virtio_save(vm->devices[i], ret, err);

		if (rc < 0)
			return rc;
		state_end(ret, at);
	}
	return 0;
}

static int save_irqchip(struct vm *vm, struct buf *ret, struct err *err)
{
	size_t at = state_begin(ret, STATE_IRQCHIP);
	int rc = irq_save(vm, ret, err);

	state_end(ret, at);
	return rc;
}

static void put_machine(const struct vm *vm, const struct saved_memory *memory, struct buf *ret)
{
	size_t at = state_begin(ret, STATE_MACHINE);

	state_put_u32(ret, vm->n_cpus);
	state_put_u32(ret, vm->n_devices);
	state_put_u64(ret, vm->memory.ram);
	state_put_u64(ret, memory->pages);
	state_put_u64(ret, memory->checksum);
	state_end(ret, at);
}

static int write_state(int fd, const struct buf *machine, const struct buf *rest, struct err *err)
{
	const struct header h = {
		.magic = MAGIC,
		.version = htole32(SNAPSHOT_VERSION),
		.length = htole64(machine->len + rest->len),
		.checksum = 0,
	};
	BUF all = BUF_INIT;
	struct header *start;
	int rc;

	buf_add(&all, &h, sizeof(h));
	buf_add(&all, machine->data, machine->len);
	buf_add(&all, rest->data, rest->len);
	if (all.len > SNAPSHOT_STATE_MAX)
		return err_set(err, E2BIG, "a state of %zu bytes", all.len);
	start = (void *)all.data;
	start->checksum = htole64(
		state_checksum(STATE_CHECKSUM_INIT, all.data + sizeof(h), all.len - sizeof(h)));
	rc = io_write(fd, all.data, all.len);
	return rc < 0 ? err_code(err, -rc, "write '%s'", SNAPSHOT_STATE) : 0;
}

static int save_all(struct vm *vm, const struct snapshot *to, struct err *err)
{
	struct saved_memory memory;
	BUF machine = BUF_INIT, rest = BUF_INIT;
	int rc;

	if ((rc = save_cpus(vm, &rest, err)) < 0 || (rc = save_irqchip(vm, &rest, err)) < 0 ||
	    (rc = save_clock(vm, &rest, err)) < 0)
		return rc;
	save_serial(&vm->serial, &rest);
	if ((rc = save_devices(vm, &rest, err)) < 0 ||
	    (rc = memory_save(&vm->memory, to->memory_fd, &memory, err)) < 0)
		return rc;
	put_machine(vm, &memory, &machine);
	return write_state(to->state_fd, &machine, &rest, err);
}

struct save {
	struct vm *vm;
	const struct snapshot *to;
	struct err *err;
	int rc;
};

static void save_on_io_thread(void *arg)
{
	struct save *s = arg;
	unsigned int n = 0;

	for (s->rc = 0; n < s->vm->n_devices && s->rc == 0; n++)
		s->rc = virtio_suspend(s->vm->devices[n], s->err);
	if (s->rc == 0)
		s->rc = save_all(s->vm, s->to, s->err);
	while (n--)
		virtio_resume(s->vm->devices[n]);
}

int vm_save(struct vm *vm, const struct snapshot *to, struct err *err)
{
	struct save s = {.vm = vm, .to = to, .err = err};

	if (!vm_is_parked(vm))
		return err_set(err, EBUSY, "snapshot: the virtual machine is not paused");
	if (!vm_call_io_thread(vm, save_on_io_thread, &s))
		return err_set(err, EIO, "snapshot: the virtual machine has ended");
	return s.rc < 0 ? err_wrap(err, s.rc, "snapshot") : 0;
}

/* ---- restoring ---- */

static int check_header(const struct header *h, uint64_t size, struct err *err)
{
	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return err_set(err, EINVAL, "'%s' is not that of a virtual machine",
			       SNAPSHOT_STATE);
	if (le32toh(h->version) != SNAPSHOT_VERSION)
		return err_set(err, EINVAL, "'%s' has version %u, this program reads %u",
			       SNAPSHOT_STATE, le32toh(h->version), SNAPSHOT_VERSION);
	if (le64toh(h->length) != size - sizeof(*h))
		return err_set(err, EINVAL,
			       "'%s' has %llu bytes and not the %llu that it begins with",
			       SNAPSHOT_STATE, (unsigned long long)size,
			       (unsigned long long)le64toh(h->length));
	return 0;
}

int snapshot_read(int state_fd, struct buf *ret, struct err *err)
{
	struct header h;
	int rc;

	if (lseek(state_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read '%s'", SNAPSHOT_STATE);
	rc = io_read_all(state_fd, SNAPSHOT_STATE, SNAPSHOT_STATE_MAX, ret, err);
	if (rc < 0)
		return rc;
	if (ret->len < sizeof(h))
		return err_set(err, EINVAL, "'%s' is cut", SNAPSHOT_STATE);
	memcpy(&h, ret->data, sizeof(h));
	rc = check_header(&h, ret->len, err);
	if (rc < 0)
		return rc;
	ret->len -= sizeof(h);
	memmove(ret->data, ret->data + sizeof(h), ret->len);
	if (state_checksum(STATE_CHECKSUM_INIT, ret->data, ret->len) != le64toh(h.checksum))
		return err_set(err, EINVAL, "'%s' is damaged: its checksum is another",
			       SNAPSHOT_STATE);
	return 0;
}

int snapshot_devices(int state_fd, uint32_t *ret, struct err *err)
{
	BUF state = BUF_INIT;
	struct state_in all, in;
	uint32_t n;
	int rc = snapshot_read(state_fd, &state, err);

	if (rc < 0)
		return err_wrap(err, rc, "snapshot");
	all = (struct state_in){(const uint8_t *)state.data, state.len, false};
	rc = state_open(&all, STATE_MACHINE, &in, err);
	(void)state_u32(&in); /* processors */
	n = state_u32(&in);
	if (rc == 0 && in.failed)
		rc = err_set(err, EINVAL, "the state is cut");
	if (rc < 0)
		return err_wrap(err, rc, "snapshot");
	*ret = n;
	return 0;
}

static int check_machine(const struct vm *vm, struct state_in *all, struct saved_memory *ret,
			 struct err *err)
{
	struct state_in in;
	uint64_t memory;
	uint32_t cpus, devices;
	int rc = state_open(all, STATE_MACHINE, &in, err);

	if (rc < 0)
		return rc;
	cpus = state_u32(&in);
	devices = state_u32(&in);
	memory = state_u64(&in);
	ret->pages = state_u64(&in);
	ret->checksum = state_u64(&in);
	rc = state_close(&in, "machine", err);
	if (rc < 0)
		return rc;
	if (cpus != vm->n_cpus)
		return err_set(err, EINVAL, "it has %u processors, the virtual machine has %u",
			       cpus, vm->n_cpus);
	if (memory != vm->memory.ram)
		return err_set(err, EINVAL,
			       "it has %llu bytes of memory, the virtual machine has %llu",
			       (unsigned long long)memory, (unsigned long long)vm->memory.ram);
	if (devices != vm->n_devices)
		return err_set(err, EINVAL, "it has %u devices, the virtual machine has %u",
			       devices, vm->n_devices);
	return 0;
}

static int restore_cpus(struct vm *vm, struct state_in *all, struct err *err)
{
	for (unsigned int i = 0; i < vm->n_cpus; i++) {
		struct state_in in;
		int rc = state_open(all, STATE_CPU, &in, err);

		if (rc == 0)
			rc = cpu_restore(vm->cpus[i].fd, &in, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int restore_irqchip(struct vm *vm, struct state_in *all, struct err *err)
{
	struct state_in in;
	int rc = state_open(all, STATE_IRQCHIP, &in, err);

	return rc < 0 ? rc : irq_restore(vm, &in, err);
}

/* The guest's clock goes on from where it stood; its agent is told the time of day. */
static int restore_clock(struct vm *vm, struct state_in *all, struct err *err)
{
	struct kvm_clock_data clock = {0};
	struct state_in in;
	int rc = state_open(all, STATE_CLOCK, &in, err);

	if (rc < 0)
		return rc;
	clock.clock = state_u64(&in);
	rc = state_close(&in, "clock", err);
	if (rc < 0)
		return rc;
	return ioctl(vm->fd, KVM_SET_CLOCK, &clock) < 0 ? err_sys(err, "KVM_SET_CLOCK") : 0;
}

static int restore_serial(struct serial *s, struct state_in *all, struct err *err)
{
	uint8_t registers[6];
	struct state_in in;
	int rc = state_open(all, STATE_SERIAL, &in, err);

	if (rc < 0)
		return rc;
	state_bytes(&in, registers, sizeof(registers));
	s->ier = registers[0];
	s->lcr = registers[1];
	s->mcr = registers[2];
	s->scratch = registers[3];
	s->dll = registers[4];
	s->dlm = registers[5];
	return state_close(&in, "serial port", err);
}

static int restore_devices(struct vm *vm, struct state_in *all, struct err *err)
{
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct state_in in;
		int rc = state_open(all, STATE_DEVICE, &in, err);

		if (rc == 0)
			rc = virtio_restore(vm->devices[i], &in, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What is wrong with it is no reason to fail. Beside pages that were saved it has some from between. */
static void read_working_set(struct vm *vm, const struct snapshot *from, uint64_t saved_pages,
			     struct working_set *ret)
{
	struct err e = ERR_INIT;
	int rc;

	if (from->working_set_fd < 0)
		return;
	rc = working_set_read(from->working_set_fd, &vm->memory, 2 * saved_pages, ret, &e);
	if (rc < 0 && rc != -ENODATA)
		log_debug("%s, going on without", e.msg);
	working_set_fetch(ret, &vm->memory);
}

static int restore_all(struct vm *vm, const struct snapshot *from, struct working_set *set,
		       struct err *err)
{
	struct saved_memory memory;
	BUF state = BUF_INIT;
	struct state_in in;
	int rc = snapshot_read(from->state_fd, &state, err);

	if (rc < 0)
		return rc;
	in = (struct state_in){(const uint8_t *)state.data, state.len, false};
	if ((rc = check_machine(vm, &in, &memory, err)) < 0 ||
	    (rc = memory_restore(&vm->memory, from->memory_fd, &memory, from->trusted,
				 err)) < 0 ||
	    (rc = vm_map_registers(vm, err)) < 0)
		return rc;
	read_working_set(vm, from, memory.pages, set);
	if ((rc = restore_cpus(vm, &in, err)) < 0 || (rc = restore_irqchip(vm, &in, err)) < 0 || (rc = restore_clock(vm, &in, err)) < 0 ||
	    (rc = restore_serial(&vm->serial, &in, err)) < 0 ||
	    (rc = restore_devices(vm, &in, err)) < 0)
		return rc;
	return state_close(&in, "state", err);
}

int vm_restore(struct vm *vm, const struct snapshot *from, struct err *err)
{
	struct working_set set = {0};
	int rc = restore_all(vm, from, &set, err);

	if (rc == 0)
		working_set_map(&set, &vm->memory, vm->cpus[0].fd);
	working_set_free(&set);
	return rc < 0 ? err_wrap(err, rc, "snapshot") : 0;
}
