/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interrupt controllers that KVM_CREATE_IRQCHIP makes, without the local APICs. */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "microvm/x86/saved.h"

static const uint32_t chips[] = {KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC};

int irqchip_save(int vm_fd, struct buf *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
		struct kvm_irqchip chip = {.chip_id = chips[i]};

		if (ioctl(vm_fd, KVM_GET_IRQCHIP, &chip) < 0)
			return err_sys(err, "KVM_GET_IRQCHIP %u", chips[i]);
		state_put_bytes(ret, &chip.chip, sizeof(chip.chip));
	}
	return 0;
}

int irqchip_restore(int vm_fd, struct state_in *in, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
		struct kvm_irqchip chip = {.chip_id = chips[i]};

		state_bytes(in, &chip.chip, sizeof(chip.chip));
		if (!in->failed && ioctl(vm_fd, KVM_SET_IRQCHIP, &chip) < 0)
			return err_sys(err, "KVM_SET_IRQCHIP %u", chips[i]);
	}
	return 0;
}
