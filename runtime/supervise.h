/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreground supervision of a process, for run and exec. Private to runtime/. */
#ifndef HULL_RUNTIME_SUPERVISE_H
#define HULL_RUNTIME_SUPERVISE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"

struct supervisor {
	int signal_fd;
	int notify_fd; /* see sdnotify_open; -1: none; owned */
	sigset_t old_mask;
	bool raw; /* our terminal is in raw mode and must be put back */
	struct termios old_termios;
};

#define SUPERVISOR_INIT                                                                            \
	{                                                                                          \
		.signal_fd = -1, .notify_fd = -1                                                   \
	}

/* Before the process is made: blocks signals, so that none is lost. The child resets its mask. */
int supervise_signals(struct supervisor *sup, struct err *err) MUST_CHECK;

/* What of the signals that come is for the process, too. */
bool supervise_passes(uint32_t signal);
/* The exit status of run and exec for one of wait(2): 128 + signal of a process that was killed. */
int supervise_status(int status);

/*
 * Forwards signals to the process (pidfd) and, with a pty master (owned from here on, -1: none),
 * carries bytes between it and standard input and output and window sizes with it. *ret_status: exit
 * status, 128 + signal when it was killed.
 */
int supervise(struct supervisor *sup, pid_t pid, int pidfd, int master, int *ret_status,
	      struct err *err) MUST_CHECK;

/* Puts terminal and signal mask back. */
void supervise_end(struct supervisor *sup);

#endif
