// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system call filter of a container's process (runtime-spec config-linux.md, Seccomp; man 2
 * seccomp): names of config.json, from a profile to a BPF program, installing it.
 *
 * libseccomp compiles, the kernel gets the program directly: so a program can be kept in a file
 * (seccomp_cache.c) and libseccomp is not touched when it is there, and the filter's flags and the
 * no_new_privs bit stay in our own hands.
 */
#include "namespaces/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "namespaces/names.h"

#define MAX_ERRNO 4095 /* the kernel cuts larger ones off */

/* The data part of ERRNO and TRACE is filled by the parser. */
static const struct name actions[] = {
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
	{"SCMP_ACT_KILL", SCMP_ACT_KILL},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
};

static const struct name archs[] = {
	{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
	{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
#ifdef SCMP_ARCH_LOONGARCH64
	{"SCMP_ARCH_LOONGARCH64", SCMP_ARCH_LOONGARCH64},
#endif
#ifdef SCMP_ARCH_M68K
	{"SCMP_ARCH_M68K", SCMP_ARCH_M68K},
#endif
	{"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
	{"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
	{"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
	{"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
	{"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
	{"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
	{"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
	{"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
	{"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
	{"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
	{"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
	{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
	{"SCMP_ARCH_S390", SCMP_ARCH_S390},
	{"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
#ifdef SCMP_ARCH_SH
	{"SCMP_ARCH_SH", SCMP_ARCH_SH},
	{"SCMP_ARCH_SHEB", SCMP_ARCH_SHEB},
#endif
	{"SCMP_ARCH_X32", SCMP_ARCH_X32},
	{"SCMP_ARCH_X86", SCMP_ARCH_X86},
	{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
};

static const struct name ops[] = {
	{"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	{"SCMP_CMP_NE", SCMP_CMP_NE},
};

static const struct name flags[] = {
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

int ns_seccomp_action_parse(const char *name, bool has_errno, uint32_t errno_ret, uint32_t *ret)
{
	uint32_t action;
	int rc = name_find(actions, ARRAY_SIZE(actions), name, &action);

	if (rc < 0)
		return rc;
	if (action != SCMP_ACT_ERRNO(0) && action != SCMP_ACT_TRACE(0)) {
		if (has_errno)
			return -EINVAL;
		*ret = action;
		return 0;
	}
	if (has_errno && errno_ret > (action == SCMP_ACT_ERRNO(0) ? MAX_ERRNO : SECCOMP_RET_DATA))
		return -ERANGE;
	*ret = action | (has_errno ? errno_ret : EPERM);
	return 0;
}

int ns_seccomp_arch_parse(const char *name, uint32_t *ret)
{
	return name_find(archs, ARRAY_SIZE(archs), name, ret);
}

int ns_seccomp_op_parse(const char *name, int *ret)
{
	int op = name_value(ops, ARRAY_SIZE(ops), name);

	if (op < 0)
		return op;
	*ret = op;
	return 0;
}

int ns_seccomp_flag_parse(const char *name, uint32_t *ret)
{
	return name_find(flags, ARRAY_SIZE(flags), name, ret);
}

const char *ns_seccomp_action_name(size_t i)
{
	return name_at(actions, ARRAY_SIZE(actions), i);
}

const char *ns_seccomp_arch_name(size_t i)
{
	return name_at(archs, ARRAY_SIZE(archs), i);
}

const char *ns_seccomp_op_name(size_t i)
{
	return name_at(ops, ARRAY_SIZE(ops), i);
}

const char *ns_seccomp_flag_name(size_t i)
{
	return name_at(flags, ARRAY_SIZE(flags), i);
}

bool ns_seccomp_flag_supported(uint32_t flag)
{
	/* WAIT_KILLABLE_RECV is refused alone. */
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	/* Flags are looked at before the program, whose address is bad here. */
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

static bool notifies(const struct ns_seccomp *s)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (s->rules[i].action == SCMP_ACT_NOTIFY)
			return true;
	return false;
}

static uint32_t install_flags(const struct ns_seccomp *s)
{
	uint32_t f = s->flags_given ? s->flags : SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	if (!notifies(s))
		return f &
		       ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; /* means nothing then */
	if (f & SECCOMP_FILTER_FLAG_TSYNC)
		f |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH; /* both return a number: this tells them apart
						       */
	return f | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

/* The program itself, ready made or made now. */
static int get_program(const struct ns_seccomp *s, int cache_fd, struct buf *program,
		       struct err *err)
{
	BUF key = BUF_INIT;
	int rc;

	if (cache_fd >= 0) {
		ns_seccomp_cache_key(s, &key);
		if (ns_seccomp_cache_load(cache_fd, &key, program))
			return 0;
	}
	ns_seccomp_enosys_stub(s, program);
	rc = ns_seccomp_compile(s, program, err);
	if (rc < 0)
		return rc;
	if (program->len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_set(err, E2BIG,
			       "linux.seccomp: the filter compiles to %zu instructions, the kernel "
			       "takes %d",
			       program->len / sizeof(struct sock_filter), BPF_MAXINSNS);
	if (cache_fd >= 0)
		ns_seccomp_cache_store(cache_fd, &key, program);
	return 0;
}

int ns_seccomp_build(const struct ns_seccomp *s, int cache_fd, struct ns_seccomp_filter *ret,
		     struct err *err)
{
	BUF program = BUF_INIT;
	int rc;

	if (s->default_action == SCMP_ACT_NOTIFY)
		return err_set(err, EINVAL,
			       "linux.seccomp.defaultAction cannot be SCMP_ACT_NOTIFY");
	rc = get_program(s, cache_fd, &program, err);
	if (rc < 0)
		return rc;
	*ret = (struct ns_seccomp_filter){
		.n_insns = program.len / sizeof(struct sock_filter),
		.flags = install_flags(s),
		.default_flags = !s->flags_given,
	};
	ret->insns = buf_detach(&program);
	return 0;
}

void ns_seccomp_release(struct ns_seccomp_filter *f)
{
	if (!f)
		return;
	free(f->insns);
	*f = (struct ns_seccomp_filter){0};
}

int ns_seccomp_install(const struct ns_seccomp_filter *f, int *ret_listener, struct err *err)
{
	struct sock_fprog program = {.len = (unsigned short)f->n_insns, .filter = f->insns};
	bool listens = f->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int rc = sys_seccomp(SECCOMP_SET_MODE_FILTER, f->flags, &program);

	if (rc < 0 && errno == EINVAL && f->default_flags)
		rc = sys_seccomp(SECCOMP_SET_MODE_FILTER,
				 f->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (rc < 0)
		return err_sys(err, "linux.seccomp: install the filter");
	if (rc > 0 && !listens)
		return err_set(err, ESRCH, "linux.seccomp: thread %d cannot take the filter", rc);
	*ret_listener = listens ? rc : -1;
	return 0;
}
