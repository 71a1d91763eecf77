// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a profile to a BPF program by libseccomp (man 3 seccomp_init). What libseccomp decides stays
 * at its defaults: a call of an architecture that is not in the profile kills, -1 as a number is
 * nothing special. The order of rules is the profile's.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "namespaces/seccomp.h"

#define N_ARGS           6
#define MAX_EXPORT_BYTES (8u << 20)

/* With fewer system calls a linear program is as good, and with none the sorted one never ends. */
#define MIN_CALLS_FOR_TREE 8

static void ctx_release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

#define SCMP_CTX __attribute__((cleanup(ctx_release))) scmp_filter_ctx

static struct scmp_arg_cmp arg_cmp(const struct ns_seccomp_arg *a)
{
	return (struct scmp_arg_cmp){
		.arg = a->index,
		.op = (enum scmp_compare)a->op,
		.datum_a = a->value, /* the mask of SCMP_CMP_MASKED_EQ */
		.datum_b = a->value_two,
	};
}

static bool repeats_an_index(const struct ns_seccomp_rule *rule)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		unsigned int bit = 1u << rule->args[i].index;

		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

/* Conditions hold together, except that one argument named twice makes each a rule of its own. */
static int add_call(scmp_filter_ctx ctx, const struct ns_seccomp_rule *rule, int nr)
{
	struct scmp_arg_cmp all[N_ARGS];

	if (repeats_an_index(rule)) {
		for (size_t i = 0; i < rule->n_args; i++) {
			all[0] = arg_cmp(&rule->args[i]);
			int rc = seccomp_rule_add_array(ctx, rule->action, nr, 1, all);

			if (rc < 0)
				return rc;
		}
		return 0;
	}
	for (size_t i = 0; i < rule->n_args; i++)
		all[i] = arg_cmp(&rule->args[i]);
	return seccomp_rule_add_array(ctx, rule->action, nr, (unsigned int)rule->n_args, all);
}

static int add_rule(scmp_filter_ctx ctx, const struct ns_seccomp_rule *rule, size_t *n_calls,
		    struct err *err)
{
	for (size_t i = 0; i < rule->n_args; i++)
		if (rule->args[i].index >= N_ARGS)
			return err_set(err, EINVAL,
				       "linux.seccomp: a system call has no argument %u",
				       rule->args[i].index);
	for (const char *const *name = rule->names; *name; name++) {
		int nr = seccomp_syscall_resolve_name(*name), rc;

		if (nr == __NR_SCMP_ERROR) {
			log_debug("linux.seccomp: system call '%s' is not known, ignoring its rule",
				  *name);
			continue;
		}
		rc = add_call(ctx, rule, nr);
		if (rc < 0)
			return err_code(err, -rc, "linux.seccomp: add a rule for '%s'", *name);
		++*n_calls;
	}
	return 0;
}

static int fill(scmp_filter_ctx ctx, const struct ns_seccomp *s, struct err *err)
{
	size_t n_calls = 0;
	int rc;

	/* ns_process_credentials decides on no_new_privs. */
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	if (rc < 0)
		return err_code(err, -rc, "linux.seccomp: set up libseccomp");
	for (size_t i = 0; i < s->n_archs; i++) {
		rc = seccomp_arch_add(ctx, s->archs[i]);
		if (rc < 0 && rc != -EEXIST)
			return err_code(err, -rc, "linux.seccomp: add architecture %#x",
					s->archs[i]);
	}
	for (size_t i = 0; i < s->n_rules; i++) {
		if (s->rules[i].action == s->default_action)
			continue;
		rc = add_rule(ctx, &s->rules[i], &n_calls, err);
		if (rc < 0)
			return rc;
	}
	if (n_calls <= MIN_CALLS_FOR_TREE)
		return 0;
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return rc < 0 ? err_code(err, -rc, "linux.seccomp: sort the filter") : 0;
}

/* Only a file can take the program before libseccomp 2.6. */
static int export(scmp_filter_ctx ctx, struct buf *out, struct err *err)
{
	CLOSE_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_sys(err, "linux.seccomp: memfd_create");
	rc = seccomp_export_bpf(ctx, fd);
	if (rc < 0)
		return err_code(err, -rc, "linux.seccomp: compile the filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "linux.seccomp: lseek");
	return io_read_all(fd, "seccomp filter", MAX_EXPORT_BYTES, out, err);
}

int ns_seccomp_compile(const struct ns_seccomp *s, struct buf *out, struct err *err)
{
	SCMP_CTX ctx = seccomp_init(s->default_action);
	int rc;

	if (!ctx)
		return err_set(err, EINVAL, "linux.seccomp.defaultAction %#x is not supported here",
			       s->default_action);
	rc = fill(ctx, s, err);
	return rc < 0 ? rc : export(ctx, out, err);
}
