/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a seccomp filter as the kernel would (net/core/filter.c, kernel/seccomp.c: the subset that a
 * filter may use), so that tests can ask about architectures and calls which this machine does not
 * make. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_NAMESPACES_BPF_RUN_H
#define HULL_TESTS_UNIT_NAMESPACES_BPF_RUN_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

#include "namespaces/namespaces.h"

static inline uint32_t bpf_load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	assert_true(offset % 4 == 0 && offset + 4 <= sizeof(*data));
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static inline bool bpf_test(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return a & k;
	default:
		fail_msg("jump %#x", code);
		return false;
	}
}

/* What the filter answers: an action with its data. */
static inline uint32_t bpf_run(const struct ns_seccomp_filter *f, const struct seccomp_data *data)
{
	const struct sock_filter *insns = f->insns;
	uint32_t a = 0;

	for (size_t pc = 0; pc < f->n_insns; pc++) {
		const struct sock_filter *i = &insns[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = bpf_load(data, i->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		default:
			assert_int_equal(BPF_CLASS(i->code), BPF_JMP);
			pc += bpf_test(i->code, a, i->k) ? i->jt : i->jf;
		}
	}
	fail_msg("the program runs off its end");
	return 0;
}

static inline uint32_t bpf_answer(const struct ns_seccomp_filter *f, uint32_t arch, uint32_t nr)
{
	const struct seccomp_data data = {.nr = (int)nr, .arch = arch};

	return bpf_run(f, &data);
}

#endif
