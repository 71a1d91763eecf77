/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console against a guest that says anything: over a socket, or with a log, which must stay
 * within its limit.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "microvm/virtio/console.h"
#include "tests/fuzz/virtio_guest.h"

#define LOG_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void start(struct fake *f, bool log, int *host)
{
	struct console_config config = {.out_fd = -1, .in_fd = -1, .columns = 80, .rows = 25};
	struct err err;
	int fds[2];

	if (log) {
		config.out_fd = memfd_create("log", MFD_CLOEXEC);
		config.log_max = LOG_MAX;
		*host = fd_dup(config.out_fd, &err);
	} else {
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
		config.in_fd = config.out_fd = fds[0];
		*host = fds[1];
	}
	fake_setup(f);
	must(virtio_console_new(&f->host, &config, &f->d, &err) == 0);
	fake_start(f, f->d->offered);
}

static void host_acts(struct fake *f, int host, bool log, struct input *in)
{
	static uint8_t bytes[70000];
	uint8_t what = (uint8_t)take(in, 1);
	struct stat st;

	if (what & 1)
		virtio_console_resize(f->d, (uint16_t)take(in, 2), (uint16_t)take(in, 2));
	if (log)
		must(fstat(host, &st) == 0 && st.st_size <= LOG_MAX);
	else if (what & 2)
		(void)!recv(host, bytes, sizeof(bytes), MSG_DONTWAIT);
	else if (what & 4)
		(void)shutdown(host, SHUT_WR);
	else
		(void)!send(host, bytes, take(in, 2), MSG_DONTWAIT | MSG_NOSIGNAL);
	fake_turns(f, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	bool log = take(&in, 1) & 1;
	struct console_stats stats;
	struct stat st;
	struct fake f;
	struct err err;
	int host;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	start(&f, log, &host);
	while (in.size) {
		uint8_t command = (uint8_t)take(&in, 1);

		if (command % 4)
			guest_act(&f, &in, command / 4);
		else
			host_acts(&f, host, log, &in);
	}
	fake_turns(&f, 4);
	virtio_console_stats(f.d, &stats);
	if (log)
		must(fstat(host, &st) == 0 && st.st_size <= LOG_MAX &&
		     (uint64_t)st.st_size <= stats.out);
	(void)close(host);
	fake_turns(&f, 4);
	fake_teardown(&f);
	return 0;
}
