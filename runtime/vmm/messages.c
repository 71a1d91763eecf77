/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's serial port carries grave messages of its kernel only, so it is silent until that
 * panics. Of what comes the panic line is kept, and where its first fault was; it is shown to people, so
 * it is cut to printable bytes. The rest is in the log, for those who ask for everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/vmm/vmm.h"

#define PANIC     "Kernel panic - "
#define PLACE     "RIP: 0010:" /* in the kernel: its code segment */
#define LINE_MAX_ 240

struct messages {
	int fds[2]; /* a pipe */
	char line[LINE_MAX_], panic[LINE_MAX_], place[LINE_MAX_];
	char text[2 * LINE_MAX_ + sizeof(" (at )")];
	size_t len;
};

int messages_new(struct messages **ret, int *ret_fd, struct err *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, "pipe");
	*ret = mem_xalloc(sizeof(**ret));
	memcpy((*ret)->fds, p, sizeof(p));
	*ret_fd = p[1];
	return 0;
}

static void end_line(struct messages *m)
{
	const char *panic, *place;

	m->line[m->len] = '\0';
	if (m->len)
		log_debug("guest: %s", m->line);
	m->len = 0;
	panic = strstr(m->line, PANIC);
	place = strstr(m->line, PLACE);
	if (place && !m->place[0])
		snprintf(m->place, sizeof(m->place), "%s", place + strlen(PLACE));
	/* There is a line at its end that says just that it was one. */
	if (panic && !m->panic[0])
		memcpy(m->panic, panic, strlen(panic) + 1);
}

static void take(struct messages *m, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n')
			end_line(m);
		else if (data[i] >= ' ' && data[i] < 0x7f && m->len < sizeof(m->line) - 1)
			m->line[m->len++] = data[i];
	}
}

const char *messages_panic(struct messages *m)
{
	char data[4096];
	ssize_t n;

	if (!m)
		return NULL;
	while ((n = read(m->fds[0], data, sizeof(data))) > 0)
		take(m, data, (size_t)n);
	end_line(m);
	if (!m->panic[0] || !m->place[0])
		return m->panic[0] ? m->panic : NULL;
	snprintf(m->text, sizeof(m->text), "%s (at %s)", m->panic, m->place);
	return m->text;
}
