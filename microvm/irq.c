/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local APICs are always KVM's. It can have the rest of a PC's interrupt controllers, too: two PICs
 * and an I/O APIC, whose lines a guest's kernel sets up one after the other at boot. None of a VM's
 * devices needs a PIC. So where KVM lets us (KVM_CAP_SPLIT_IRQCHIP) there is none, and the I/O APIC
 * is our own (ioapic.c): each pin that the guest has unmasked is a route from an irqfd to the message
 * that the guest configured. KVM delivers that at once, while its own I/O APIC is left to a worker
 * thread of the host.
 */
#include "microvm/irq.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "microvm/vm_internal.h"
#include "microvm/x86/layout.h"
#include "microvm/x86/saved.h"

static int set_routes(struct vm *vm, const struct ioapic *ioapic)
{
	FREE struct kvm_irq_routing *routes =
		mem_xalloc(sizeof(*routes) + IOAPIC_PINS * sizeof(routes->entries[0]));

	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		const struct ioapic_message m = ioapic_message(ioapic, pin);

		if (!m.wanted)
			continue;
		routes->entries[routes->nr++] = (struct kvm_irq_routing_entry){
			.gsi = pin,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = m.address, .data = m.data},
		};
	}
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, routes) < 0 ? -errno : 0;
}

/* On the thread of the processor that wrote. */
static void routes_changed(void *arg, const struct ioapic *ioapic)
{
	struct vm *vm = arg;
	int rc = set_routes(vm, ioapic);

	if (rc < 0)
		vm_ended(vm, VM_FAILED, "KVM_SET_GSI_ROUTING: %s", strerrordesc_np(-rc));
}

static int split(struct vm *vm, struct err *err)
{
	/* No pin of a level-triggered kind, whose end of interrupt would have to be told. */
	const struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {0}};
	const struct bus_window window = {LAYOUT_IOAPIC, IOAPIC_SIZE, &vm->irq.ioapic, ioapic_read,
					  ioapic_write};

	if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) < 0)
		return err_sys(err, "KVM_CAP_SPLIT_IRQCHIP");
	vm->irq.split = true;
	if (bus_add(&vm->memory_bus, &window) < 0)
		return err_set(err, ENOSPC, "no room for the I/O APIC");
	return 0;
}

void irq_init(struct vm *vm)
{
	ioapic_init(&vm->irq.ioapic, routes_changed, vm);
}

void irq_release(struct vm *vm)
{
	ioapic_release(&vm->irq.ioapic);
}

int irq_set_up(struct vm *vm, struct err *err)
{
	const uint64_t identity_map = LAYOUT_IDENTITY_MAP;

	/* Intel without unrestricted guest needs these pages; others ignore them. */
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 && errno != EINVAL)
		return err_sys(err, "KVM_SET_IDENTITY_MAP_ADDR");
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, LAYOUT_TSS) < 0)
		return err_sys(err, "KVM_SET_TSS_ADDR");
	if (vm->kvm.split_irqchip)
		return split(vm, err);
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_sys(err, "KVM_CREATE_IRQCHIP");
	return 0;
}

void irq_set_lines(struct vm *vm, uint32_t lines)
{
	unsigned int n = IOAPIC_PINS;

	while (n > 1 && !(lines >> (n - 1) & 1))
		n--;
	vm->irq.ioapic.n_pins = n;
}

int irq_connect(struct vm *vm, unsigned int line, int fd, struct err *err)
{
	const struct kvm_irqfd irqfd = {.fd = (uint32_t)fd, .gsi = line};

	if (ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0)
		return err_sys(err, "KVM_IRQFD for line %u", line);
	return 0;
}

int irq_save(struct vm *vm, struct buf *ret, struct err *err)
{
	state_put_u8(ret, vm->irq.split);
	if (!vm->irq.split)
		return irqchip_save(vm->fd, ret, err);
	ioapic_save(&vm->irq.ioapic, ret);
	return 0;
}

int irq_restore(struct vm *vm, struct state_in *in, struct err *err)
{
	bool split = state_u8(in);
	int rc;

	if (!in->failed && split != vm->irq.split)
		return err_set(
			err, ENOTSUP,
			split ? "the snapshot has an I/O APIC of hull's, which this host's KVM "
				"does not allow (KVM_CAP_SPLIT_IRQCHIP)"
			      : "the snapshot has KVM's I/O APIC, this host's machines have not");
	rc = split ? ioapic_restore(&vm->irq.ioapic, in, err) : irqchip_restore(vm->fd, in, err);
	return rc < 0 ? rc : state_close(in, "interrupt controllers", err);
}
