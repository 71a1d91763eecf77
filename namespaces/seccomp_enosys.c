// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An answer for system calls that did not exist when the profile was written. A C library tries new
 * calls and falls back on ENOSYS; the profile's default (EPERM, say) would make it give up instead.
 * Numbers are given out in order, so "newer than the newest one the profile names" is a comparison;
 * it is made per architecture in front of libseccomp's program:
 *
 *	load arch
 *	if arch == A: load nr; if lo <= nr <= hi: return ENOSYS; …; jump behind the last block
 *	…
 *
 * Each span of numbers keeps out of those that are not given out in order: x32 marks its calls by
 * bit 30 of x86_64's and has a closed block of its own at 512 to 547; ARM has private ones from
 * 0xf0000 on; s390's number 0 stands for calls whose number does not fit the instruction.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "base/mem.h"
#include "namespaces/seccomp.h"

#define X32_BIT     0x40000000u
#define X32_OWN     (X32_BIT + 512) /* arch/x86/entry/syscalls/syscall_64.tbl: "x32-specific" */
#define X32_OWN_END (X32_BIT + 548)
#define ARM_PRIVATE 0x0f0000u

#define MAX_ARCHS 32
#define MAX_SPANS 4 /* x86_64 and x32 share a block */

/* Both ends belong to it. */
struct span {
	uint32_t first, last;
};

struct arch_block {
	uint32_t audit_arch;
	struct span spans[MAX_SPANS];
	size_t n_spans;
};

/* An "unknown" call gets an error or worse by default; tracers and loggers want to see it. */
static bool wanted(uint32_t default_action)
{
	switch (default_action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
		return true;
	case SECCOMP_RET_ERRNO:
		return (default_action & SECCOMP_RET_DATA) != ENOSYS;
	default:
		return false;
	}
}

/* The numbers of arch that are given out in order. */
static struct span ordered_numbers(uint32_t arch)
{
	switch (arch) {
	case SCMP_ARCH_X86_64:
		return (struct span){0, X32_BIT - 1};
	case SCMP_ARCH_X32:
		return (struct span){X32_BIT, X32_OWN - 1};
	case SCMP_ARCH_ARM:
		return (struct span){0, ARM_PRIVATE - 1};
	default:
		return (struct span){0, UINT32_MAX};
	}
}

/* Narrows numbers to those above every one that s names; false when s names none. */
static bool cut_known(const struct ns_seccomp *s, uint32_t arch, struct span *numbers)
{
	struct span in = *numbers;
	bool known = false;

	for (size_t i = 0; i < s->n_rules; i++) {
		for (const char *const *name = s->rules[i].names; *name; name++) {
			int nr = seccomp_syscall_resolve_name_arch(arch, *name);

			/* Negative: not a call of arch, or one that arch multiplexes. */
			if (nr < 0 || (uint32_t)nr < in.first || (uint32_t)nr >= in.last)
				continue;
			known = true;
			if ((uint32_t)nr >= numbers->first)
				numbers->first = (uint32_t)nr + 1;
		}
	}
	return known;
}

static void add_span(struct arch_block *b, uint32_t first, uint32_t last)
{
	b->spans[b->n_spans++] = (struct span){first, last};
}

static void add_arch(const struct ns_seccomp *s, uint32_t arch, struct arch_block *blocks,
		     size_t *n_blocks)
{
	uint32_t audit_arch = arch == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : arch;
	struct span newer = ordered_numbers(arch);
	size_t i = 0;

	if (!cut_known(s, arch, &newer))
		return;
	while (i < *n_blocks && blocks[i].audit_arch != audit_arch)
		i++;
	if (i == *n_blocks)
		blocks[(*n_blocks)++] = (struct arch_block){.audit_arch = audit_arch};
	add_span(&blocks[i], newer.first, newer.last);
	if (arch == SCMP_ARCH_X32)
		add_span(&blocks[i], X32_OWN_END, UINT32_MAX);
	if (arch == SCMP_ARCH_S390 || arch == SCMP_ARCH_S390X)
		add_span(&blocks[i], 0, 0);
}

static size_t collect(const struct ns_seccomp *s, struct arch_block blocks[static MAX_ARCHS])
{
	uint32_t done[MAX_ARCHS] = {seccomp_arch_native()};
	size_t n_done = 1, n_blocks = 0;

	add_arch(s, done[0], blocks, &n_blocks);
	for (size_t i = 0; i < s->n_archs; i++) {
		uint32_t arch = s->archs[i] == SCMP_ARCH_NATIVE ? done[0] : s->archs[i];
		size_t j = 0;

		while (j < n_done && done[j] != arch)
			j++;
		if (j < n_done || n_done == MAX_ARCHS)
			continue;
		done[n_done++] = arch;
		add_arch(s, arch, blocks, &n_blocks);
	}
	return n_blocks;
}

static void emit(struct buf *out, struct sock_filter insn)
{
	buf_add(out, &insn, sizeof(insn));
}

/* The instructions of a block behind its test for the architecture. */
static void emit_block(struct buf *out, const struct arch_block *b)
{
	emit(out, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr)));
	for (size_t i = 0; i < b->n_spans; i++) {
		const struct span *s = &b->spans[i];

		emit(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, s->first, 0, 2));
		emit(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, s->last, 1, 0));
		emit(out,
		     (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
	}
}

void ns_seccomp_enosys_stub(const struct ns_seccomp *s, struct buf *out)
{
	struct arch_block blocks[MAX_ARCHS];
	size_t n_blocks = wanted(s->default_action) ? collect(s, blocks) : 0;
	size_t left = 0; /* instructions up to the end of the last block */

	if (n_blocks == 0)
		return;
	for (size_t i = 0; i < n_blocks; i++)
		left += 3 + 3 * blocks[i].n_spans;
	emit(out, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, arch)));
	for (size_t i = 0; i < n_blocks; i++) {
		size_t len = 2 + 3 * blocks[i].n_spans; /* load, spans, jump */

		emit(out, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						       blocks[i].audit_arch, 0, (uint8_t)len));
		emit_block(out, &blocks[i]);
		left -= 1 + len;
		emit(out, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)left));
	}
}
