// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Device rules on cgroup2: a BPF_PROG_TYPE_CGROUP_DEVICE program, put together here instruction by
 * instruction, which the kernel runs at each open and mknod of a device node by a process of the
 * group. It looks at the rules from the last to the first and keeps a set of the accesses asked for
 * that no rule has decided yet: a rule that allows takes its own out of the set and ends with "yes"
 * when nothing is left, one that denies any of them ends with "no". What no rule mentions is
 * allowed.
 *
 * See bpf(2), linux/bpf.h (struct bpf_cgroup_dev_ctx), cgroup-v2.rst, "Device controller".
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/sys.h"

#define PROLOGUE_INSNS   6
#define RULE_INSNS_MAX   8
#define EPILOGUE_INSNS   2
#define OLD_PROGRAMS_MAX 64
#define ACCESS_ALL       (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)

/* Registers of the program. R1 is the context. */
enum {
	R_RESULT = BPF_REG_0,
	R_CTX = BPF_REG_1,
	R_TYPE = BPF_REG_2,
	R_LEFT = BPF_REG_3,
	R_MAJOR = BPF_REG_4,
	R_MINOR = BPF_REG_5,
	R_SCRATCH = BPF_REG_6
};

struct program {
	struct bpf_insn *insns;
	size_t n;
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 int32_t imm)
{
	struct bpf_insn *insn = &p->insns[p->n++];

	*insn = (struct bpf_insn){.code = code, .off = off, .imm = imm};
	insn->dst_reg = dst & 0xfu;
	insn->src_reg = src & 0xfu;
}

static void emit_load(struct program *p, uint8_t dst, size_t offset)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, dst, R_CTX, (int16_t)offset, 0);
}

static void emit_return(struct program *p, int32_t value)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, value);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int32_t access_bits(const struct cgroup_device_rule *r)
{
	return (r->mknod ? BPF_DEVCG_ACC_MKNOD : 0) | (r->read ? BPF_DEVCG_ACC_READ : 0) |
	       (r->write ? BPF_DEVCG_ACC_WRITE : 0);
}

/* access_type holds the kind of device in its lower half and the accesses in its upper. */
static void emit_prologue(struct program *p)
{
	emit_load(p, R_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, R_LEFT, R_TYPE, 0, 0);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, R_LEFT, 0, 0, 16);
	emit_load(p, R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	emit_load(p, R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
}

/* Each test that fails jumps behind the rule. */
static void emit_rule(struct program *p, const struct cgroup_device_rule *r)
{
	size_t start = p->n;
	int32_t access = access_bits(r);

	if (r->type != 'a')
		emit(p, BPF_JMP | BPF_JNE | BPF_K, R_TYPE, 0, 0,
		     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (r->major >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, R_MAJOR, 0, 0, (int32_t)r->major);
	if (r->minor >= 0)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, R_MINOR, 0, 0, (int32_t)r->minor);
	if (r->allow && access != ACCESS_ALL) {
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, R_LEFT, 0, 0, ~access);
		emit(p, BPF_JMP | BPF_JNE | BPF_K, R_LEFT, 0, 0, 0);
	} else if (access != ACCESS_ALL) {
		emit(p, BPF_ALU64 | BPF_MOV | BPF_X, R_SCRATCH, R_LEFT, 0, 0);
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, R_SCRATCH, 0, 0, access);
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, R_SCRATCH, 0, 0, 0);
	}
	emit_return(p, r->allow);
	for (size_t i = start; i < p->n; i++)
		if (BPF_CLASS(p->insns[i].code) == BPF_JMP && BPF_OP(p->insns[i].code) != BPF_EXIT)
			p->insns[i].off = (int16_t)(p->n - i - 1);
}

size_t cgroup_devices_bpf_max(size_t n_rules)
{
	return PROLOGUE_INSNS + n_rules * RULE_INSNS_MAX + EPILOGUE_INSNS;
}

size_t cgroup_devices_bpf_build(const struct cgroup_device_list *rules, struct bpf_insn *insns)
{
	struct program p = {.insns = insns};

	emit_prologue(&p);
	for (size_t i = rules->n; i-- > 0;) {
		const struct cgroup_device_rule *r = &rules->rules[i];

		if (access_bits(r) == 0)
			continue;
		emit_rule(&p, r);
		/* Nothing behind a rule for everything is reached, and the verifier refuses such
		 * code. */
		if (r->type == 'a' && r->major < 0 && r->minor < 0 && access_bits(r) == ACCESS_ALL)
			return p.n;
	}
	emit_return(&p, 1);
	return p.n;
}

/* ---- loading and attaching ---- */

static int load(const struct cgroup_device_list *rules, struct err *err)
{
	FREE struct bpf_insn *insns = mem_xcalloc(cgroup_devices_bpf_max(rules->n), sizeof(*insns));
	size_t n = cgroup_devices_bpf_build(rules, insns);
	union bpf_attr attr = {0};
	int fd;

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.expected_attach_type = BPF_CGROUP_DEVICE;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uintptr_t) "GPL";
	memcpy(attr.prog_name, "hull_devices", sizeof("hull_devices"));
	fd = sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return err_sys(err, "load a device program of %zu instructions", n);
	return fd;
}

static int attach(int dirfd, int prog, int replace, struct err *err)
{
	union bpf_attr attr = {0};

	attr.target_fd = (uint32_t)dirfd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (replace >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)replace;
	}
	if (sys_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "attach a device program");
	return 0;
}

static void detach(int dirfd, uint32_t id)
{
	union bpf_attr attr = {0};
	CLOSE_FD int fd = -1;

	attr.prog_id = id;
	fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dirfd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	(void)sys_bpf(BPF_PROG_DETACH, &attr, sizeof(attr));
}

static uint32_t query(int dirfd, uint32_t *ids, uint32_t max)
{
	union bpf_attr attr = {0};

	attr.query.target_fd = (uint32_t)dirfd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = max;
	return sys_bpf(BPF_PROG_QUERY, &attr, sizeof(attr)) < 0 ? 0 : attr.query.prog_cnt;
}

/* Puts prog in the place of the programs that a group made by somebody else has. */
static int replace_old(int dirfd, int prog, struct err *err)
{
	uint32_t ids[OLD_PROGRAMS_MAX];
	uint32_t n = query(dirfd, ids, OLD_PROGRAMS_MAX);
	union bpf_attr attr = {0};
	CLOSE_FD int old = -1;
	int r;

	if (n == 1) {
		attr.prog_id = ids[0];
		old = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	}
	/* BPF_F_REPLACE came with Linux 5.6 and only replaces what was attached by
	 * BPF_F_ALLOW_MULTI. */
	if (old >= 0 && attach(dirfd, prog, old, NULL) == 0)
		return 0;
	r = attach(dirfd, prog, -1, err);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		detach(dirfd, ids[i]);
	return r;
}

int cgroup_devices_bpf_apply(struct cgroup_hier *h, const struct cgroup_device_list *rules,
			     struct err *err)
{
	DEVICE_LIST exceptions = {0};
	CLOSE_FD int prog = -1;
	bool allow = false;
	int r = cgroup_devices_reduce(rules, &allow, &exceptions, NULL), dirfd;

	/* Everything is allowed: no program says the same and costs nothing. */
	if (r == 0 && allow && exceptions.n == 0 && h->n_made > 0)
		return 0;
	dirfd = cgroup_hier_fd(h, err);
	if (dirfd < 0)
		return dirfd;
	prog = load(rules, err);
	if (prog < 0)
		return prog;
	return h->n_made > 0 ? attach(dirfd, prog, -1, err) : replace_old(dirfd, prog, err);
}
