/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run when hull is built: makes filters of the tables of allowed calls, by libseccomp (man 3
 * seccomp_init), and prints them as C. A start of a machine has three to load, and its file server
 * one; to compile them there took more time than all else that locks it in.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "microvm/confine_rules.h"
#include "microvm/fsd/sandbox.h"
#include "microvm/jail.h"

static void die(const char *what, int code)
{
	fprintf(stderr, "system call filters: %s: %s\n", what, strerror(code));
	exit(1);
}

static int add_rule(scmp_filter_ctx ctx, const struct confine_rule *r)
{
	struct scmp_arg_cmp cmp[CONFINE_CHECKS];
	unsigned int n = 0;

	for (size_t i = 0; i < CONFINE_CHECKS; i++) {
		const struct confine_check *c = &r->checks[i];

		if (c->mask)
			cmp[n++] = SCMP_CMP(c->arg, SCMP_CMP_MASKED_EQ, c->mask, c->value);
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
static void print(scmp_filter_ctx ctx)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), rc = seccomp_export_bpf(ctx, fd);
	struct sock_filter insn;
	off_t at = 0;

	if (rc < 0)
		die("compile", -rc);
	for (; pread(fd, &insn, sizeof(insn), at) == (ssize_t)sizeof(insn);
	     at += (off_t)sizeof(insn))
		printf("\t{%#06x, %u, %u, %#010x},\n", insn.code, insn.jt, insn.jf, insn.k);
	(void)close(fd);
}

/* first: the call asked most; -1: any. */
static void compile(const char *name, const struct confine_table *tables, size_t n, int first)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = ctx ? fill(ctx, tables, n, first) : -ENOMEM;

	if (rc < 0)
		die("put together", -rc);
	printf("\nstatic const struct sock_filter %s[] = {\n", name);
	print(ctx);
	printf("};\n");
	seccomp_release(ctx);
}

int main(void)
{
	static const char *const threads[JAIL_THREADS] = {
		[JAIL_MAIN] = "of_main", [JAIL_CPU] = "of_cpu", [JAIL_IO] = "of_io"};

	printf("/* Made by microvm/filters/compile.c. */\n"
	       "#include <linux/filter.h>\n\n"
	       "#include \"base/mem.h\"\n"
	       "#include \"microvm/fsd/sandbox.h\"\n"
	       "#include \"microvm/jail.h\"\n");
	for (int kind = 0; kind < JAIL_THREADS; kind++) {
		size_t n;
		const struct confine_table *tables = jail_tables((enum jail_thread)kind, &n);

		compile(threads[kind], tables, n, kind == JAIL_CPU ? tables[0].rules[0].call : -1);
	}
	compile("of_fsd", &fsd_cell_calls, 1, -1);
	printf("\nconst struct confine_filter jail_filters[JAIL_THREADS] = {\n");
	for (int kind = 0; kind < JAIL_THREADS; kind++)
		printf("\t{%s, ARRAY_SIZE(%s)},\n", threads[kind], threads[kind]);
	printf("};\nconst struct confine_filter fsd_cell_filter = {of_fsd, ARRAY_SIZE(of_fsd)};\n");
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
