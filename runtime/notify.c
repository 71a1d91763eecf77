/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seccomp listener's way to its agent; see notify.h for why the filtered process takes no part.
 */
#include "runtime/notify.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "runtime/state.h"

struct notify {
	_Atomic int listener; /* -1 until published */
	_Atomic int served;
};

int notify_new(struct notify **ret, struct err *err)
{
	struct notify *n =
		mmap(NULL, sizeof(*n), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (n == MAP_FAILED)
		return err_sys(err, "mmap");
	atomic_store(&n->listener, -1);
	*ret = n;
	return 0;
}

void notify_free(struct notify *n)
{
	if (n)
		munmap(n, sizeof(*n));
}

void notify_publish(struct notify *n, int listener)
{
	atomic_store(&n->listener, listener);
	while (!atomic_load(&n->served))
		__builtin_ia32_pause();
	close(listener);
}

/* The number that the child published, or -errno when it died first. */
static int wait_listener(struct notify *n, int pidfd, struct err *err)
{
	int listener;

	while ((listener = atomic_load(&n->listener)) < 0) {
		struct pollfd pfd = {.fd = pidfd, .events = POLLIN};

		/* 1 ms at most: the child has one system call to go. */
		if (poll(&pfd, 1, 1) > 0)
			return err_set(
				err, ECHILD,
				"linux.seccomp: the process died while its filter was installed");
	}
	return listener;
}

static void write_process_state(const struct ns_seccomp *s, const struct container *c, pid_t pid,
				const char *status, struct buf *out)
{
	BUF state = BUF_INIT;
	struct json_writer *w = json_w_new(false);
	JSON *doc = NULL;

	state_document(c, status, &state);
	json_w_object(w, NULL);
	json_w_string(w, "ociVersion", "1.3.0");
	json_w_array(w, "fds");
	json_w_string(w, NULL, "seccompFd");
	json_w_end(w);
	json_w_i64(w, "pid", pid);
	json_w_string(w, "metadata", s->listener_metadata ? s->listener_metadata : "");
	if (json_parse("state", state.data, state.len, &doc, NULL) == 0)
		json_w_node(w, "state", json_root(doc));
	json_w_end(w);
	json_w_finish(w, out);
}

int notify_serve(struct notify *n, const struct ns_seccomp *s, const struct container *c, pid_t pid,
		 int pidfd, const char *status, struct err *err)
{
	BUF state = BUF_INIT;
	int number = wait_listener(n, pidfd, err);

	if (number < 0)
		return number;

	CLOSE_FD int listener = pidfd_getfd(pidfd, number, 0);

	if (listener < 0)
		return err_sys(err, "linux.seccomp: take the listener of process %d", (int)pid);

	CLOSE_FD int sock = sock_connect(s->listener_path, SOCK_STREAM, err);

	if (sock < 0)
		return err_wrap(err, sock, "linux.seccomp.listenerPath");
	write_process_state(s, c, pid, status, &state);

	int rc = fd_send(sock, &listener, 1, state.data, state.len, err);

	if (rc < 0)
		return err_wrap(err, rc, "linux.seccomp.listenerPath '%s'", s->listener_path);
	atomic_store(&n->served, 1);
	return 0;
}
