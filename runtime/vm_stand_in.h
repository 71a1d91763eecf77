/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of hull on the host that stands for one in a guest: callers know the other one by this pid,
 * signals to it go on, and it ends as the other one does. It holds a connection to the machine's
 * hull-vmm (vm_control.h), whose end is the end of the process in the guest. Private to runtime/.
 */
#ifndef HULL_RUNTIME_VM_STAND_IN_H
#define HULL_RUNTIME_VM_STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/vm_control.h"

#define STAND_IN_FAILED 255 /* exit status of one that cannot go on, as of hull-vmm */

struct stand_in {
	int sock;        /* the connection */
	int signal_fd;   /* all signals */
	int terminal_fd; /* its controlling terminal, -1: it has none */
};

#define STAND_IN_INIT                                                                              \
	{                                                                                          \
		-1, -1, -1                                                                         \
	}

/* Blocks all signals. terminal: descriptor 0 is the controlling terminal. */
int stand_in_watch(struct stand_in *s, bool terminal, struct err *err) MUST_CHECK;
/* Rows << 16 | columns of a terminal; -1: there is none, so 0. */
uint32_t stand_in_size(int terminal_fd);
/* The streams are hull-vmm's now: an end of file must not wait for this process. */
int stand_in_leave_streams(struct err *err) MUST_CHECK;
/* Tells the machine; number as the operation has it. */
void stand_in_signal(int sock, enum vm_control_op op, uint32_t number);
/* The machine has spoken: the status of wait(2) of the process, which may have ended with its machine. */
int stand_in_status(int sock);
/* A signal has come: it goes on, or the terminal's size does. */
void stand_in_pass_signal(const struct stand_in *s);
/* Ends as the other process, when the machine has spoken. */
void stand_in_end(const struct stand_in *s) __attribute__((noreturn));
void stand_in_until_end(const struct stand_in *s) __attribute__((noreturn));

#endif
