/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/end.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

void end_as(int status)
{
	sigset_t set;

	if (WIFSIGNALED(status)) {
		/* The other one's core is where it was; this one's would be of no use. */
		(void)prctl(PR_SET_DUMPABLE, 0);
		(void)signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&set);
		sys_sigaddset(&set, WTERMSIG(status));
		/*
		 * What raise(3) is for, on the main thread. musl's signals the thread whose number it
		 * remembers, which in a child made by clone(2) is its parent's; kill(2) is none of the calls
		 * that hull-vmm may make (jail_calls.c).
		 */
		(void)syscall(SYS_tgkill, getpid(), getpid(), WTERMSIG(status));
		(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
		/* Not reached but for a signal that does not end this process. */
		_exit(128 + WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}
