/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of allowed calls become a filter by libseccomp (man 3 seccomp_init), which is built before
 * the threads that load it are there, and once for all of a kind. To compile one takes a tenth of a
 * millisecond.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sys.h"
#include "microvm/confine.h"

#define MAX_BYTES (BPF_MAXINSNS * sizeof(struct sock_filter))

static int add_rule(scmp_filter_ctx ctx, const struct confine_rule *r)
{
	struct scmp_arg_cmp cmp[CONFINE_CHECKS];
	unsigned int n = 0;

	for (size_t i = 0; i < CONFINE_CHECKS; i++) {
		const struct confine_check *c = &r->checks[i];
		uint64_t value = c->value == CONFINE_OWN_PID ? (uint64_t)getpid() : c->value;

		if (c->mask)
			cmp[n++] = SCMP_CMP(c->arg, SCMP_CMP_MASKED_EQ, c->mask, value);
	}
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, r->call, n, cmp);
}

static int fill(scmp_filter_ctx ctx, const struct confine_table *tables, size_t n, int first)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* Binary search over the calls, in place of a walk for each. */
	if (!rc && first < 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!rc && first >= 0)
		rc = seccomp_syscall_priority(ctx, first, UINT8_MAX);
	for (size_t t = 0; t < n; t++)
		for (size_t i = 0; !rc && i < tables[t].n; i++)
			rc = add_rule(ctx, &tables[t].rules[i]);
	return rc;
}

/* Only a file can take the program before libseccomp 2.6. */
static int export(scmp_filter_ctx ctx, struct confine_filter *ret, struct err *err)
{
	CLOSE_FD int fd = memfd_create("filter", MFD_CLOEXEC);
	BUF code = BUF_INIT;
	int rc;

	if (fd < 0)
		return err_sys(err, "memfd_create");
	rc = seccomp_export_bpf(ctx, fd);
	if (rc < 0)
		return err_code(err, -rc, "compile a system call filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "seek in a system call filter");
	rc = io_read_all(fd, "a system call filter", MAX_BYTES, &code, err);
	if (rc < 0)
		return rc;
	ret->n = code.len / sizeof(struct sock_filter);
	ret->code = mem_xcalloc(ret->n, sizeof(struct sock_filter));
	memcpy(ret->code, code.data, ret->n * sizeof(struct sock_filter));
	return 0;
}

int confine_filter_build(const struct confine_table *tables, size_t n, int first,
			 struct confine_filter *ret, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = ctx ? fill(ctx, tables, n, first) : -ENOMEM;

	if (rc < 0)
		rc = err_code(err, -rc, "put together a system call filter");
	else
		rc = export(ctx, ret, err);
	if (ctx)
		seccomp_release(ctx);
	return rc;
}

void confine_filter_release(struct confine_filter *f)
{
	free(ptr_take(&f->code));
	f->n = 0;
}

int confine_filter_load(const struct confine_filter *f, struct err *err)
{
	struct sock_fprog program = {(unsigned short)f->n, f->code};

	if (sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return err_sys(err, "load a system call filter");
	return 0;
}
