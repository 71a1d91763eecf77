/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/kvm.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/mem.h"

/* Without these there is no VM; each has been in Linux since 4.13 at the latest. */
static const struct {
	int number;
	const char *name;
} required[] = {
	{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
	{KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
	{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
	{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
	{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
	{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
	{KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
};

#define MSRS_MAX 1024 /* as many as KVM may know; it knows some two hundred */

#define CPUID_1_ECX_VMX        5
#define CPUID_80000001_ECX_SVM 2

static bool has_svm_or_vmx(void)
{
	unsigned int a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && (c >> CPUID_1_ECX_VMX & 1))
		return true;
	return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c >> CPUID_80000001_ECX_SVM & 1);
}

static int open_device(struct err *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		return err_code(err, ENOENT, "this host has no KVM: open '/dev/kvm'");
	return err_sys(err, "open '/dev/kvm'");
}

static int capability(const struct kvm_host *k, int number)
{
	int n = ioctl(k->fd, KVM_CHECK_EXTENSION, number);

	return n < 0 ? 0 : n;
}

static int list_msrs(struct kvm_host *k, struct err *err)
{
	k->msrs = mem_xalloc(sizeof(*k->msrs) + MSRS_MAX * sizeof(k->msrs->indices[0]));
	k->msrs->nmsrs = MSRS_MAX;
	if (ioctl(k->fd, KVM_GET_MSR_INDEX_LIST, k->msrs) < 0)
		return err_sys(err, "KVM_GET_MSR_INDEX_LIST");
	return 0;
}

static int probe(struct kvm_host *k, struct err *err)
{
	int version = ioctl(k->fd, KVM_GET_API_VERSION, 0);
	int size, n;

	if (version < 0)
		return err_sys(err, "'/dev/kvm' is not KVM");
	if (version != KVM_API_VERSION)
		return err_set(err, ENOTSUP, "KVM has API version %d, %d is needed", version,
			       KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (!capability(k, required[i].number))
			return err_set(err, ENOTSUP, "this host's KVM lacks %s", required[i].name);
	}
	size = ioctl(k->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return err_sys(err, "KVM_GET_VCPU_MMAP_SIZE");
	k->run_size = (size_t)size;
	n = capability(k, KVM_CAP_MAX_VCPUS);
	if (n == 0)
		n = capability(k, KVM_CAP_NR_VCPUS);
	k->max_cpus = n > 0 ? (unsigned int)n : 1;
	k->readonly_memory = capability(k, KVM_CAP_READONLY_MEM);
	k->tsc_deadline = capability(k, KVM_CAP_TSC_DEADLINE_TIMER);
	k->split_irqchip = !secure_getenv("HULL_NO_SPLIT_IRQCHIP") &&
			   capability(k, KVM_CAP_SPLIT_IRQCHIP) &&
			   capability(k, KVM_CAP_IRQ_ROUTING);
	k->hardware = has_svm_or_vmx();
	return list_msrs(k, err);
}

int kvm_host_open(int fd, struct kvm_host *ret, struct err *err)
{
	*ret = (struct kvm_host){.fd = fd >= 0 ? fd : open_device(err)};
	if (ret->fd < 0)
		return ret->fd;

	int rc = probe(ret, err);

	if (rc < 0)
		kvm_host_close(ret);
	return rc;
}

void kvm_host_close(struct kvm_host *k)
{
	fd_replace(&k->fd, -1);
	free(ptr_take(&k->msrs));
}

int kvm_host_check_linux(const struct kvm_host *k, struct err *err)
{
	if (k->hardware)
		return 0;
	return err_set(
		err, ENOTSUP,
		"the processor offers neither svm nor vmx: this host's KVM is a software one "
		"(PVM), which does not run an ordinary guest kernel");
}
