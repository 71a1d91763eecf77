/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file system's device between a guest that says anything and a file server that answers anything:
 * the requests are copied, as for memory that the server does not have (fs_bounce.h).
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "microvm/fsd/bounce.h"
#include "microvm/fsd/control.h"
#include "microvm/virtio/fs.h"
#include "tests/fuzz/virtio_guest.h"

#define ANSWER 0x101000u
#define HONEST 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Agrees to all that the device says; what it was handed last is the fuzzer's. */
struct server {
	int control, window, socket;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct server *s = arg;
	struct fsd_control m;

	for (;;) {
		const struct fsd_control done = {.what = FSD_DONE};
		int fds[3] = {-1, -1, -1};
		size_t n = 0;

		if (fd_recv(s->control, fds, 3, &n, &m, sizeof(m), NULL) != (int)sizeof(m))
			return NULL;
		if (m.what == FSD_BOUNCE) {
			fd_replace(&s->window, fds[0]);
			fd_replace(&s->socket, fds[1]);
		}
		fd_close(fds[2]);
		if (send(s->control, &done, sizeof(done), MSG_NOSIGNAL) != (ssize_t)sizeof(done))
			return NULL;
	}
}

/* The next request, or none, gets an answer of the input's; to what was not asked, perhaps. */
static void answer(struct server *s, struct input *in)
{
	struct bounce_request r = {0};
	struct bounce_answer a;
	uint8_t how = (uint8_t)take(in, 1);

	if (s->socket < 0)
		return;
	(void)!recv(s->socket, &r, sizeof(r), MSG_DONTWAIT);
	a.slot = how & 1 ? (uint32_t)take(in, 4) : r.slot;
	a.written = how & 2 ? (uint32_t)take(in, 4) : r.in_len;
	(void)!send(s->socket, &a, how & 4 ? take(in, 1) % sizeof(a) : sizeof(a), MSG_NOSIGNAL);
}

/* A request that makes sense gets its answer, to the byte. */
static void ask(struct fake *f, struct server *s)
{
	const struct fake_buf bufs[] = {{0x100000, 40, false}, {ANSWER, 64, true}};
	struct bounce_request r;
	struct bounce_answer a = {.written = HONEST};
	uint8_t words[HONEST];
	uint16_t head;
	uint32_t len;

	fake_reset(f);
	fake_start(f, f->d->offered);
	memset(fake_at(f, 0x100000), 'q', 40);
	memset(fake_at(f, ANSWER), 0, 64);
	memset(words, 'a', sizeof(words));
	fake_add(f, 1, 0, bufs, 2);
	fake_kick(f, 1);
	if (recv(s->socket, &r, sizeof(r), 0) != (ssize_t)sizeof(r) || r.out_len != 40 ||
	    r.in_len != 64)
		abort();
	a.slot = r.slot;
	if (pwrite(s->window, words, sizeof(words), r.slot * (off_t)BOUNCE_SLOT_SIZE + r.out_len) !=
		    (ssize_t)sizeof(words) ||
	    send(s->socket, &a, sizeof(a), 0) != (ssize_t)sizeof(a))
		abort();
	fake_turns(f, 4);
	if (!fake_used(f, 1, &head, &len) || len != HONEST ||
	    memcmp(fake_at(f, ANSWER), words, sizeof(words)) != 0 ||
	    *fake_at(f, ANSWER + HONEST) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct server s = {-1, -1, -1, 0};
	struct fake f;
	struct err err;
	int pair[2];

	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	fake_setup(&f);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	s.control = pair[1];
	if (pthread_create(&s.thread, NULL, serve, &s))
		abort();

	const struct virtio_fs_options options = {
		.tag = "share", .control_fd = pair[0], .irq_fd = -1};

	f.memory.fd = -1; /* the server's window is all that it has */
	assert_int_equal(virtio_fs_new(&f.host, &options, &f.d, &err), 0);
	fake_start(&f, f.d->offered);
	while (in.size) {
		unsigned int command = (unsigned int)take(&in, 1);

		if (command < 0x40)
			answer(&s, &in);
		else
			guest_act(&f, &in, command);
	}
	ask(&f, &s);
	fake_teardown(&f);
	(void)close(pair[0]);
	pthread_join(s.thread, NULL);
	(void)close(pair[1]);
	fd_close(s.window);
	fd_close(s.socket);
	return 0;
}
