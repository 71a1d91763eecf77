/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A processor's state. Saving begins with KVM_GET_MP_STATE, which may still deliver to the local
 * APIC, and ends with the pending events, which the other calls may change. Restoring sets the
 * local APIC behind the segments (the base address of the APIC is among them) and before the MSRs (a
 * deadline needs the APIC's timer mode), the deadline behind all other MSRs (it is compared with the
 * TSC), the events last.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/mem.h"
#include "microvm/x86/saved.h"

#define MSRS_MAX    1024
#define MSRS_A_CALL 256
#define CPUID_MAX   256
#define XSAVE_MIN   4096
#define XSAVE_MAX   (64u << 10)

#define MSR_TSC          0x10u
#define MSR_TSC_DEADLINE 0x6e0u
#define CR4_VMXE         0x2000ull
#define EFER_SVME        0x1000ull
#define APIC_LVTT        0x320
#define LVTT_MODE        (3u << 17)
#define LVTT_DEADLINE    (2u << 17)
#define TSC_TOLERANCE    250 /* parts of a million */

/* What KVM_GET_MSR_INDEX_LIST leaves out: the memory types. */
static const uint32_t more_msrs[] = {
	0x2ff, 0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208,
	0x209, 0x20a, 0x20b, 0x20c, 0x20d, 0x20e, 0x20f, 0x250, 0x258, 0x259,
	0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
};

/* Some back ends of KVM refuse these, whatever the value: a guest does without. */
static const uint32_t optional_msrs[] = {
	0x3a,                   /* FEATURE_CONTROL */
	0x4b564d02, 0x4b564d04, /* KVM: asynchronous page faults, end of interrupt */
};

static int get(int fd, unsigned long request, const char *name, void *data, size_t size,
	       struct buf *ret, struct err *err)
{
	if (ioctl(fd, request, data) < 0)
		return err_sys(err, "%s", name);
	state_put_bytes(ret, data, size);
	return 0;
}

static int set(int fd, unsigned long request, const char *name, struct state_in *in, void *data,
	       size_t size, struct err *err)
{
	state_bytes(in, data, size);
	if (in->failed)
		return state_close(in, "processor", err);
	return ioctl(fd, request, data) < 0 ? err_sys(err, "%s", name) : 0;
}

#define GET(fd, what, data, ret, err)                                                              \
	get(fd, KVM_GET_##what, "KVM_GET_" #what, data, sizeof(*(data)), ret, err)
#define SET(fd, what, in, data, err)                                                               \
	set(fd, KVM_SET_##what, "KVM_SET_" #what, in, data, sizeof(*(data)), err)

/* ---- MSRs ---- */

static struct kvm_msrs *new_msrs(size_t n)
{
	return mem_xalloc(sizeof(struct kvm_msrs) + n * sizeof(struct kvm_msr_entry));
}

static bool get_msr(int fd, uint32_t index, uint64_t *ret)
{
	FREE struct kvm_msrs *one = new_msrs(1);

	one->nmsrs = 1;
	one->entries[0].index = index;
	if (ioctl(fd, KVM_GET_MSRS, one) != 1)
		return false;
	*ret = one->entries[0].data;
	return true;
}

/* One by one, as KVM stops at the first that it does not know. */
static uint32_t save_each(int fd, const uint32_t *indices, uint32_t n, struct buf *ret)
{
	uint32_t known = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t value;

		if (!get_msr(fd, indices[i], &value))
			continue;
		state_put_u32(ret, indices[i]);
		state_put_u64(ret, value);
		known++;
	}
	return known;
}

static void save_msrs(const struct kvm_host *k, int fd, struct buf *ret)
{
	BUF values = BUF_INIT;
	uint32_t n = save_each(fd, k->msrs->indices, k->msrs->nmsrs, &values);

	n += save_each(fd, more_msrs, ARRAY_SIZE(more_msrs), &values);
	state_put_u32(ret, n);
	state_put_bytes(ret, values.data, values.len);
}

static bool is_optional(uint32_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(optional_msrs); i++) {
		if (optional_msrs[i] == index)
			return true;
	}
	return false;
}

/* KVM refuses it, which does not matter when it has that value, or the guest does without. */
static int check_refused(int fd, const struct kvm_msr_entry *e, struct err *err)
{
	uint64_t value;

	if (get_msr(fd, e->index, &value) && value == e->data)
		return 0;
	if (!is_optional(e->index))
		return err_set(err, ENOTSUP, "this host's KVM refuses MSR %#x of the snapshot",
			       e->index);
	log_debug("KVM refuses MSR %#x of the snapshot, going on", e->index);
	return 0;
}

/* KVM_SET_MSRS returns how many it set: it stops at the first that it refuses. */
static int set_msrs(int fd, const struct kvm_msr_entry *entries, size_t n, struct err *err)
{
	FREE struct kvm_msrs *some = new_msrs(MSRS_A_CALL);

	for (size_t i = 0; i < n;) {
		size_t want = n - i < MSRS_A_CALL ? n - i : MSRS_A_CALL;
		int done, rc;

		some->nmsrs = (uint32_t)want;
		memcpy(some->entries, entries + i, want * sizeof(*entries));
		done = ioctl(fd, KVM_SET_MSRS, some);
		if (done < 0)
			return err_sys(err, "KVM_SET_MSRS");
		i += (size_t)done;
		if ((size_t)done == want)
			continue;
		rc = check_refused(fd, &entries[i], err);
		if (rc < 0)
			return rc;
		i++;
	}
	return 0;
}

/*
 * A deadline that has passed reads as zero while its interrupt is still on its way inside KVM, and
 * would be lost: a timer interrupt too many does no harm, one too few may stop the guest for good.
 */
static int restore_deadline(int fd, struct kvm_msr_entry deadline, bool timer_mode, struct err *err)
{
	uint64_t now = 0;

	if (deadline.index != MSR_TSC_DEADLINE || !timer_mode)
		return 0;
	if (!get_msr(fd, MSR_TSC, &now))
		return err_set(err, ENOTSUP, "this host's KVM does not tell the TSC");
	if (deadline.data == 0)
		deadline.data = now;
	return set_msrs(fd, &deadline, 1, err);
}

static int restore_msrs(int fd, struct state_in *in, bool timer_mode, struct err *err)
{
	struct kvm_msr_entry deadline = {0};
	uint32_t n = state_u32(in), kept = 0;
	FREE struct kvm_msr_entry *entries = NULL;
	int rc;

	if (n > MSRS_MAX)
		return err_set(err, EINVAL, "processor: %u MSRs", n);
	entries = mem_xcalloc(n ? n : 1, sizeof(*entries));
	for (uint32_t i = 0; i < n; i++) {
		struct kvm_msr_entry *e = &entries[kept];

		e->index = state_u32(in);
		e->data = state_u64(in);
		if (e->index == MSR_TSC_DEADLINE)
			deadline = *e;
		else
			kept++;
	}
	if (in->failed)
		return state_close(in, "processor", err);
	rc = set_msrs(fd, entries, kept, err);
	return rc < 0 ? rc : restore_deadline(fd, deadline, timer_mode, err);
}

/* ---- CPUID ---- */

static struct kvm_cpuid2 *new_cpuid(void)
{
	struct kvm_cpuid2 *c = mem_xalloc(sizeof(*c) + CPUID_MAX * sizeof(c->entries[0]));

	c->nent = CPUID_MAX;
	return c;
}

static int save_cpuid(int fd, struct buf *ret, struct err *err)
{
	FREE struct kvm_cpuid2 *c = new_cpuid();

	if (ioctl(fd, KVM_GET_CPUID2, c) < 0)
		return err_sys(err, "KVM_GET_CPUID2");
	state_put_block(ret, c->entries, c->nent * sizeof(c->entries[0]));
	return 0;
}

static const struct kvm_cpuid_entry2 *find_leaf(const struct kvm_cpuid2 *c, uint32_t function,
						uint32_t index)
{
	static const struct kvm_cpuid_entry2 none;

	for (uint32_t i = 0; i < c->nent; i++) {
		if (c->entries[i].function == function && c->entries[i].index == index)
			return &c->entries[i];
	}
	return &none;
}

/*
 * The leaves that list features, and the bits of each register that do. Bits that only mirror what
 * the guest has switched on (OSXSAVE, OSPKE) are left out.
 */
static const struct {
	uint32_t function, index, eax, ebx, ecx, edx;
} features[] = {
	{0x1, 0, 0, 0, ~(1u << 27), ~0u}, {0x7, 0, 0, ~0u, ~(1u << 4), ~0u},
	{0x7, 1, ~0u, 0, 0, ~0u},         {0xd, 0, ~0u, 0, 0, ~0u},
	{0xd, 1, ~0u, 0, ~0u, ~0u},       {0x80000001, 0, 0, 0, ~0u, ~0u},
	{0x80000008, 0, 0, ~0u, 0, 0},    {0x80000021, 0, ~0u, 0, 0, 0},
	{0x40000001, 0, ~0u, 0, 0, 0},
};

static int check_cpuid(const struct kvm_cpuid2 *saved, const struct kvm_cpuid2 *here,
		       struct err *err)
{
	const struct kvm_cpuid_entry2 *s = find_leaf(saved, 0, 0), *h = find_leaf(here, 0, 0);

	if (s->ebx != h->ebx || s->ecx != h->ecx || s->edx != h->edx)
		return err_set(err, ENOTSUP,
			       "the snapshot is of another make of processor than this host's");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		s = find_leaf(saved, features[i].function, features[i].index);
		h = find_leaf(here, features[i].function, features[i].index);
		if ((s->eax & ~h->eax & features[i].eax) || (s->ebx & ~h->ebx & features[i].ebx) ||
		    (s->ecx & ~h->ecx & features[i].ecx) || (s->edx & ~h->edx & features[i].edx))
			return err_set(err, ENOTSUP,
				       "the snapshot's processor has features that this host's has "
				       "not (CPUID %#x.%u)",
				       features[i].function, features[i].index);
	}
	return 0;
}

static int restore_cpuid(int fd, struct state_in *in, struct err *err)
{
	FREE struct kvm_cpuid2 *saved = new_cpuid(), *here = new_cpuid();
	const size_t size = sizeof(saved->entries[0]);
	size_t len = 0;
	const uint8_t *block = state_block(in, CPUID_MAX * size, &len);
	int rc;

	if (!block || len % size)
		return err_set(err, EINVAL, "processor: its features are cut");
	saved->nent = (uint32_t)(len / size);
	memcpy(saved->entries, block, len);
	if (ioctl(fd, KVM_GET_CPUID2, here) < 0)
		return err_sys(err, "KVM_GET_CPUID2");
	rc = check_cpuid(saved, here, err);
	if (rc < 0)
		return rc;
	return ioctl(fd, KVM_SET_CPUID2, saved) < 0 ? err_sys(err, "KVM_SET_CPUID2") : 0;
}

/* ---- clock and FPU ---- */

static int restore_tsc_khz(int fd, struct state_in *in, struct err *err)
{
	uint32_t saved = state_u32(in);
	int here = ioctl(fd, KVM_GET_TSC_KHZ, 0);
	uint64_t off;

	if (in->failed || !saved || here <= 0) /* not known on one side */
		return 0;
	off = saved > (uint32_t)here ? saved - (uint32_t)here : (uint32_t)here - saved;
	if (off * 1000000 <= (uint64_t)(uint32_t)here * TSC_TOLERANCE)
		return 0;
	if (ioctl(fd, KVM_SET_TSC_KHZ, (unsigned long)saved) < 0)
		return err_sys(
			err,
			"the snapshot's TSC runs at %u kHz, this host's at %d, which its KVM "
			"does not adapt",
			saved, here);
	return 0;
}

static int save_xsave(int vm_fd, int fd, struct buf *ret, struct err *err)
{
	FREE uint8_t *area = mem_xalloc(XSAVE_MAX);
	int size = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);

	if (size > (int)XSAVE_MAX)
		return err_set(err, ENOTSUP, "this processor's vector registers need %d bytes",
			       size);
	if (size > XSAVE_MIN ? ioctl(fd, KVM_GET_XSAVE2, area) < 0
			     : ioctl(fd, KVM_GET_XSAVE, area) < 0)
		return err_sys(err, "KVM_GET_XSAVE");
	state_put_block(ret, area, size > XSAVE_MIN ? (size_t)size : XSAVE_MIN);
	return 0;
}

/* KVM reads as much as this host's processor has. */
static int restore_xsave(int fd, struct state_in *in, struct err *err)
{
	FREE uint8_t *area = mem_xalloc(XSAVE_MAX);
	size_t len = 0;
	const uint8_t *block = state_block(in, XSAVE_MAX, &len);

	if (!block || len < XSAVE_MIN)
		return err_set(err, EINVAL, "processor: its vector registers are cut");
	memcpy(area, block, len);
	return ioctl(fd, KVM_SET_XSAVE, area) < 0 ? err_sys(err, "KVM_SET_XSAVE") : 0;
}

/* The guest's watchdogs are told that they were stopped; one without KVM's clock cannot be. */
static int tell_pause(int fd, struct err *err)
{
	if (ioctl(fd, KVM_KVMCLOCK_CTRL, 0) < 0 && errno != EINVAL)
		return err_sys(err, "KVM_KVMCLOCK_CTRL");
	return 0;
}

/* ---- all of it ---- */

static int save_sregs(int fd, struct buf *ret, struct err *err)
{
	struct kvm_sregs s;
	int rc = GET(fd, SREGS, &s, ret, err);

	if (rc == 0 && (s.efer & EFER_SVME || s.cr4 & CR4_VMXE))
		return err_set(err, ENOTSUP,
			       "the guest runs virtual machines of its own, which cannot be saved");
	return rc;
}

int cpu_save(const struct kvm_host *k, int vm_fd, int vcpu_fd, struct buf *ret, struct err *err)
{
	struct kvm_mp_state mp;
	struct kvm_regs regs;
	struct kvm_xcrs xcrs = {0};
	struct kvm_debugregs debug = {0};
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events = {0};
	int khz, rc;

	if ((rc = tell_pause(vcpu_fd, err)) < 0 || (rc = GET(vcpu_fd, MP_STATE, &mp, ret, err)) < 0)
		return rc;
	khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);
	state_put_u32(ret, khz > 0 ? (uint32_t)khz : 0);
	if ((rc = save_cpuid(vcpu_fd, ret, err)) < 0 ||
	    (rc = GET(vcpu_fd, REGS, &regs, ret, err)) < 0 ||
	    (rc = save_sregs(vcpu_fd, ret, err)) < 0 ||
	    (rc = save_xsave(vm_fd, vcpu_fd, ret, err)) < 0 ||
	    (rc = GET(vcpu_fd, XCRS, &xcrs, ret, err)) < 0 ||
	    (rc = GET(vcpu_fd, DEBUGREGS, &debug, ret, err)) < 0 ||
	    (rc = GET(vcpu_fd, LAPIC, &lapic, ret, err)) < 0)
		return rc;
	save_msrs(k, vcpu_fd, ret);
	return GET(vcpu_fd, VCPU_EVENTS, &events, ret, err);
}

static bool uses_deadline(const struct kvm_lapic_state *lapic)
{
	uint32_t lvtt;

	memcpy(&lvtt, lapic->regs + APIC_LVTT, sizeof(lvtt));
	return (lvtt & LVTT_MODE) == LVTT_DEADLINE;
}

static int restore_all(int fd, struct state_in *in, struct err *err)
{
	struct kvm_mp_state mp;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debug;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	int rc;

	if ((rc = SET(fd, MP_STATE, in, &mp, err)) < 0 || (rc = restore_tsc_khz(fd, in, err)) < 0 ||
	    (rc = restore_cpuid(fd, in, err)) < 0 || (rc = SET(fd, REGS, in, &regs, err)) < 0 ||
	    (rc = SET(fd, SREGS, in, &sregs, err)) < 0 || (rc = restore_xsave(fd, in, err)) < 0 ||
	    (rc = SET(fd, XCRS, in, &xcrs, err)) < 0 ||
	    (rc = SET(fd, DEBUGREGS, in, &debug, err)) < 0 ||
	    (rc = SET(fd, LAPIC, in, &lapic, err)) < 0 ||
	    (rc = restore_msrs(fd, in, uses_deadline(&lapic), err)) < 0 ||
	    (rc = SET(fd, VCPU_EVENTS, in, &events, err)) < 0)
		return rc;
	return tell_pause(fd, err);
}

int cpu_restore(int vcpu_fd, struct state_in *in, struct err *err)
{
	int rc = restore_all(vcpu_fd, in, err);

	return rc < 0 ? rc : state_close(in, "processor", err);
}
