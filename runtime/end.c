/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/end.h"

#include <signal.h>
#include <sys/prctl.h>
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
		 * raise(3) would do for a process that began with execve: musl's signals the thread whose
		 * number it remembers, which in a child made by clone(2) is its parent's.
		 */
		(void)kill(getpid(), WTERMSIG(status));
		(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
		/* Not reached but for a signal that does not end this process. */
		_exit(128 + WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}
