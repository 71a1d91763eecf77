/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ending as another process did. Private to runtime/ and its programs. */
#ifndef HULL_RUNTIME_END_H
#define HULL_RUNTIME_END_H

/* Ends this process with that status of wait(2): the same exit status, or by the same signal. */
void end_as(int status) __attribute__((noreturn));

#endif
