/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine that was made again needs of its memory (microvm/working_set.h), recorded for the next
 * one that is made of the same files: when its container has run for a moment, or has ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "microvm/working_set.h"
#include "runtime/vmm/vmm.h"

#define MOMENT_NS 2000000000ull

struct recording {
	int memory_fd, pagemap_fd, to_fd;
	struct loop_source *timer;
};

static void on_timer(void *arg, uint32_t events)
{
	(void)events;
	recording_end(arg);
}

static void recording_free(struct vmm *v)
{
	struct recording *r = v->recording;

	v->recording = NULL;
	loop_remove(r->timer);
	fd_close(r->memory_fd);
	fd_close(r->pagemap_fd);
	fd_close(r->to_fd);
	free(r);
}

void recording_begin(struct vmm *v)
{
	const struct snapshot *from = &v->o.restore;
	struct recording *r;
	struct err e = ERR_INIT;
	struct stat st;

	/* One at a time; whose is lost is lost. */
	if (from->working_set_fd < 0 || fstat(from->working_set_fd, &st) < 0 || st.st_size ||
	    flock(from->working_set_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	r = mem_xalloc(sizeof(*r));
	/* In the jail there will be no such file to be seen. */
	r->pagemap_fd = working_set_open_pagemap(&e);
	r->memory_fd = fd_dup(from->memory_fd, &e);
	r->to_fd = fd_dup(from->working_set_fd, &e);
	v->recording = r;
	if (r->pagemap_fd >= 0 && r->memory_fd >= 0 && r->to_fd >= 0 &&
	    loop_add_timer(v->loop, on_timer, v, &r->timer, &e) == 0)
		return;
	recording_free(v);
}

void recording_due(struct vmm *v)
{
	if (v->recording)
		(void)!loop_set_timer(v->recording->timer, MOMENT_NS, NULL);
}

void recording_end(struct vmm *v)
{
	struct recording *r = v->recording;
	struct err e = ERR_INIT;

	if (!r)
		return;
	if (working_set_record(vm_memory(v->machine.vm), r->memory_fd, r->pagemap_fd, r->to_fd, &e) < 0)
		log_debug("%s, going on without", e.msg);
	recording_free(v);
}
