/* SPDX-License-Identifier: GPL-2.0-or-later */
/* man 2 seccomp */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "microvm/confine.h"

/* The one thing that is not known when hull is built. */
static void put_own_pid(struct sock_filter *code, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == CONFINE_OWN_PID)
			code[i].k = (uint32_t)getpid();
	}
}

int confine_filter_load(const struct confine_filter *f, struct err *err)
{
	struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog program = {(unsigned short)f->n, code};

	if (f->n > ARRAY_SIZE(code))
		return err_set(err, E2BIG, "a system call filter of %zu instructions", f->n);
	memcpy(code, f->code, f->n * sizeof(*code));
	put_own_pid(code, f->n);
	if (sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return err_sys(err, "load a system call filter");
	return 0;
}
