/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations, as jobs: see job_fn. Private to microvm/guest. */
#ifndef HULL_GUEST_OPS_H
#define HULL_GUEST_OPS_H

#include "microvm/guest/guest.h"

job_fn op_mount, op_umount;
job_fn op_cpus; /* output: uint32_t, how many were online */

/* arg: the struct process. Output of the first two: its pid_t. */
job_fn op_create, op_exec;
job_fn op_start, op_signal, op_update, op_pause, op_resume, op_delete;
job_fn op_stats; /* a line */
job_fn op_ps;    /* uint32_t n, n ids, a table for people */

#endif
