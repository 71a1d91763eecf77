/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file server's process: start and end, seen from hull-vmm, and its loop. Between two requests it
 * looks at the control socket every now and then, so that a guest which never stops asking can still
 * be reset.
 */
#include "microvm/fsd/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "microvm/fsd/bounce.h"
#include "microvm/fsd/control.h"
#include "microvm/fsd/internal.h"
#include "microvm/fsd/sandbox.h"

#define CONTROL FSD_QUEUES
#define BOUNCE  (FSD_QUEUES + 1)
#define TREES   (FSD_QUEUES + 2)
#define N_FDS   (FSD_QUEUES + 1)
#define N_POLL  (FSD_QUEUES + 3)
#define AT_ONCE 64 /* requests between two looks at the control socket */
#define END_MS  10000

_Static_assert(BOUNCE_SLOT_SIZE >= FSD_MAX_DATA + FSD_MAX_FLAT, "a slot holds any request");

struct server {
	struct fsd *fsd;
	const struct guest_memory *memory; /* NULL: requests are copied (bounce.h) */
	int control_fd, trees_fd;
	int kick_fds[FSD_QUEUES], irq_fd; /* -1 while there is no driver */
	struct virtq queues[FSD_QUEUES];
	bool pending[FSD_QUEUES]; /* there may be requests */
	int bounce_fd; /* -1: not in use */
	uint8_t *window;
	bool suspended;
	struct virtq_chain chain;
};

static int send_control(int fd, const struct fsd_control *m)
{
	return send(fd, m, sizeof(*m), MSG_NOSIGNAL) == (ssize_t)sizeof(*m) ? 0 : -1;
}

static int answer(const struct server *s, uint32_t what, const struct err *err)
{
	struct fsd_control m = {.what = what, .code = err->code};

	(void)snprintf(m.text, sizeof(m.text), "%s", err->msg);
	return send_control(s->control_fd, &m);
}

/* --- queues --- */

static void interrupt(struct server *s, unsigned int q)
{
	const uint64_t one = 1;

	if (virtq_wants_interrupt(&s->queues[q]))
		(void)!write(s->irq_fd, &one, sizeof(one));
}

/* Serves some requests; pending tells whether there may be more. */
static void serve_queue(struct server *s, unsigned int q)
{
	struct virtq *vq = &s->queues[q];
	struct virtq_chain *c = &s->chain;
	int rc = 0;

	if (vq->broken) {
		s->pending[q] = false;
		return; /* said once */
	}
	virtq_silence(vq);
	for (int i = 0; i < AT_ONCE && (rc = virtq_pop(vq, c)) > 0; i++) {
		size_t n = fsd_handle(s->fsd, c->iov, c->n_out, virtq_chain_in(c), c->n_in);

		virtq_push(vq, c->head, (uint32_t)n);
		interrupt(s, q);
	}
	interrupt(s, q); /* chains that virtq_pop refused were given back as well */
	if (rc < 0) {
		const struct err e = {.code = -rc, .msg = "the available index is out of reach"};

		s->pending[q] = false;
		(void)answer(s, FSD_BROKEN, &e);
	} else if (!rc) {
		s->pending[q] = virtq_listen(vq);
	}
}

/* --- copied requests --- */

static int serve_bounced(struct server *s, const struct bounce_request *r)
{
	struct bounce_answer a = {.slot = r->slot};
	struct iovec out, in;

	if (r->slot >= BOUNCE_SLOTS || r->out_len > BOUNCE_SLOT_SIZE ||
	    r->in_len > BOUNCE_SLOT_SIZE - r->out_len)
		return -1;
	out = (struct iovec){s->window + (size_t)r->slot * BOUNCE_SLOT_SIZE, r->out_len};
	in = (struct iovec){(uint8_t *)out.iov_base + r->out_len, r->in_len};
	a.written = (uint32_t)fsd_handle(s->fsd, &out, 1, &in, 1);
	return write(s->bounce_fd, &a, sizeof(a)) == (ssize_t)sizeof(a) ? 0 : -1;
}

/* Those that are there, a bounded number. A socket that says something else is not looked at again. */
static void serve_bounce(struct server *s)
{
	struct bounce_request r;
	ssize_t n = 1;

	for (int i = 0; i < AT_ONCE && n > 0; i++) {
		n = read(s->bounce_fd, &r, sizeof(r));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != (ssize_t)sizeof(r) || serve_bounced(s, &r) < 0)
			n = 0;
	}
	if (n == 0)
		fd_replace(&s->bounce_fd, -1);
}

/* --- control --- */

static void stop(struct server *s)
{
	fd_replace(&s->bounce_fd, -1);
	if (s->window)
		munmap(s->window, BOUNCE_WINDOW_SIZE);
	s->window = NULL;
	for (unsigned int q = 0; q < FSD_QUEUES; q++) {
		virtq_reset(&s->queues[q]);
		fd_replace(&s->kick_fds[q], -1);
		s->pending[q] = false;
	}
	fd_replace(&s->irq_fd, -1);
	s->suspended = false;
	fsd_reset(s->fsd);
}

/* Takes the eventfds. */
static int activate(struct server *s, const struct fsd_control *m, const int fds[N_FDS],
		    struct err *err)
{
	stop(s);
	for (unsigned int q = 0; q < FSD_QUEUES; q++)
		s->kick_fds[q] = fds[q];
	s->irq_fd = fds[FSD_QUEUES];
	if (!s->memory)
		return err_set(err, EINVAL, "the file server does not have the guest's memory");
	for (unsigned int q = 0; q < FSD_QUEUES; q++) {
		int rc;

		if (!m->queues[q].ready)
			continue;
		rc = virtq_activate(&s->queues[q], &m->queues[q], s->memory, m->event_idx, err);
		if (rc < 0) {
			stop(s);
			return rc;
		}
		s->pending[q] = true;
	}
	return 0;
}

/* All requests that were begun are answered: they are served one by one. */
static int suspend(struct server *s, int file, struct err *err)
{
	BUF words = BUF_INIT;
	int rc = fsd_save(s->fsd, &words);

	if (rc < 0)
		return err_code(err, -rc, "what the guest knows of its files");
	if (words.len > FSD_SAVED_MAX)
		return err_set(err, E2BIG, "the guest knows too many files: %zu bytes of names",
			       words.len);
	rc = io_write(file, words.data, words.len);
	if (rc < 0)
		return err_code(err, -rc, "write what the guest knows of its files");
	s->suspended = true;
	return 0;
}

static int answer_suspend(struct server *s, int file)
{
	struct fsd_control m = {.what = FSD_DONE};
	struct err err = ERR_INIT;

	(void)suspend(s, file, &err);
	m.code = err.code;
	(void)snprintf(m.text, sizeof(m.text), "%s", err.msg);
	for (unsigned int q = 0; q < FSD_QUEUES; q++)
		m.places[q] = virtq_place(&s->queues[q]);
	return send_control(s->control_fd, &m);
}

static void resume(struct server *s)
{
	s->suspended = false;
	for (unsigned int q = 0; q < FSD_QUEUES; q++)
		s->pending[q] = s->queues[q].active;
}

static int restore_files(struct server *s, size_t length, int file, struct err *err)
{
	const size_t len = length < FSD_SAVED_MAX ? length : FSD_SAVED_MAX;
	struct state_in in;
	BUF words = BUF_INIT;
	int rc;

	if (io_read(file, buf_reserve(&words, len), len) != (ssize_t)len)
		return err_set(err, EIO, "read what the guest knows of its files");
	in = (struct state_in){(const uint8_t *)words.data, len, false};
	rc = fsd_restore(s->fsd, &in);
	if (rc < 0) {
		stop(s);
		return err_code(err, -rc, "what the guest knows of its files");
	}
	return 0;
}

/* Takes the eventfds. */
static int restore(struct server *s, const struct fsd_control *m, const int fds[N_FDS], int file,
		   struct err *err)
{
	int rc = activate(s, m, fds, err);

	if (rc < 0 || (rc = restore_files(s, m->length, file, err)) < 0)
		return rc;
	for (unsigned int q = 0; q < FSD_QUEUES; q++) {
		if (s->queues[q].active)
			virtq_set_place(&s->queues[q], &m->places[q]);
	}
	return 0;
}

/* --- trees --- */

static int serve_tree(struct server *s, const struct fsd_tree_request *m, int *fds, size_t n_fds)
{
	if (!memchr(m->name, '\0', sizeof(m->name)) || n_fds != m->add)
		return -EINVAL;
	return m->add ? fsd_tree_add(s->fsd, m->name, fd_take(&fds[0]))
		      : fsd_tree_remove(s->fsd, m->name);
}

static void on_trees(struct server *s)
{
	struct fsd_tree_request m;
	struct fsd_tree_answer a;
	int fds[1] = {-1};
	size_t n_fds = 0;
	int n = fd_recv(s->trees_fd, fds, 1, &n_fds, &m, sizeof(m), NULL);

	if (n == (int)sizeof(m)) {
		a.code = -serve_tree(s, &m, fds, n_fds);
		if (send(s->trees_fd, &a, sizeof(a), MSG_NOSIGNAL) != (ssize_t)sizeof(a))
			n = -1;
	}
	fd_close(fds[0]);
	if (n != (int)sizeof(m))
		fd_replace(&s->trees_fd, -1);
}

/* fds: window, socket, which is taken, and perhaps a file. */
static int bounce(struct server *s, const struct fsd_control *m, int *fds, size_t n_fds,
		  struct err *err)
{
	void *window;

	stop(s);
	s->bounce_fd = fd_take(&fds[1]);
	window = mmap(NULL, BOUNCE_WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	if (window == MAP_FAILED) {
		stop(s);
		return err_code(err, ENOMEM, "map the window for requests");
	}
	s->window = window;
	return n_fds == 3 ? restore_files(s, m->length, fds[2], err) : 0;
}

static int serve_control(struct server *s, const struct fsd_control *m, int *fds, size_t n_fds)
{
	struct err err = ERR_INIT;
	bool has_queues = m->what != FSD_BOUNCE && n_fds >= N_FDS;

	if (m->what == FSD_ACTIVATE && n_fds == N_FDS)
		(void)activate(s, m, fds, &err);
	else if (m->what == FSD_RESTORE && n_fds == N_FDS + 1)
		(void)restore(s, m, fds, fds[N_FDS], &err);
	else if (m->what == FSD_BOUNCE && (n_fds == 2 || n_fds == 3))
		(void)bounce(s, m, fds, n_fds, &err);
	else if (m->what == FSD_RESET && n_fds == 0)
		stop(s);
	else if (m->what == FSD_SUSPEND && n_fds == 1)
		return answer_suspend(s, fds[0]);
	else if (m->what == FSD_RESUME && n_fds == 0)
		return resume(s), 0;
	else if (m->what == FSD_TREES && n_fds == 1)
		return fd_replace(&s->trees_fd, fd_take(&fds[0])), 0;
	else
		return -1;
	for (size_t i = 0; has_queues && i < N_FDS; i++)
		fds[i] = -1; /* the server's */
	return answer(s, FSD_DONE, &err);
}

/* -1: time to end. */
static int on_control(struct server *s)
{
	struct fsd_control m;
	int fds[N_FDS + 1];
	size_t n_fds;
	int n = fd_recv(s->control_fd, fds, N_FDS + 1, &n_fds, &m, sizeof(m), NULL);
	int rc = n == (int)sizeof(m) ? serve_control(s, &m, fds, n_fds) : -1;

	for (size_t i = 0; n > 0 && i < n_fds; i++)
		fd_close(fds[i]);
	return rc;
}

void fsd_serve(struct fsd *f, const struct guest_memory *memory, int control_fd)
{
	struct server s = {.fsd = f,
			   .memory = memory,
			   .control_fd = control_fd,
			   .trees_fd = -1,
			   .kick_fds = {-1, -1},
			   .irq_fd = -1,
			   .bounce_fd = -1};
	uint64_t count;

	for (;;) {
		const struct timespec now = {0};
		struct pollfd fds[N_POLL] = {{-1, 0, 0},
					     {-1, 0, 0},
					     {control_fd, POLLIN, 0},
					     {-1, POLLIN, 0},
					     {s.trees_fd, POLLIN, 0}};
		bool busy = false;

		for (unsigned int q = 0; q < FSD_QUEUES && !s.suspended; q++) {
			fds[q] = (struct pollfd){s.kick_fds[q], POLLIN, 0};
			busy = busy || s.pending[q];
		}
		if (!s.suspended)
			fds[BOUNCE].fd = s.bounce_fd;
		if (ppoll(fds, N_POLL, busy ? &now : NULL, NULL) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		for (unsigned int q = 0; q < FSD_QUEUES; q++)
			if (fds[q].revents)
				s.pending[q] = read(s.kick_fds[q], &count, sizeof(count)) > 0 ||
					       s.pending[q];
		if (fds[CONTROL].revents && on_control(&s) < 0)
			break;
		if (fds[TREES].revents)
			on_trees(&s);
		for (unsigned int q = 0; q < FSD_QUEUES; q++)
			if (s.pending[q] && !s.suspended)
				serve_queue(&s, q);
		if (fds[BOUNCE].revents && s.bounce_fd >= 0 && !s.suspended)
			serve_bounce(&s);
	}
	stop(&s);
	fd_close(s.trees_fd);
}

/* --- the process --- */

static int set_up(const struct fsd_spawn_config *config, int control_fd, int tree_fd,
		  struct fsd **ret, struct err *err)
{
	struct fsd_config c = {.readonly = config->readonly, .cache = config->cache};
	int rc = fsd_cell_enter(control_fd, tree_fd, &c.dir_fd, &c.proc_fd, err);

	if (!rc)
		rc = fsd_new(&c, ret, err);
	if (!rc)
		rc = fsd_cell_lock(err);
	return rc;
}

static void __attribute__((noreturn))
run_child(const struct fsd_spawn_config *config, int control_fd, int tree_fd)
{
	struct server s = {.control_fd = control_fd, .trees_fd = -1};
	struct err err = ERR_INIT;
	struct fsd *f;
	int rc = set_up(config, control_fd, tree_fd, &f, &err);

	/* Private memory would be a copy here, which nobody changes. */
	if (!answer(&s, rc < 0 ? FSD_FAILED : FSD_READY, &err) && !rc)
		fsd_serve(f, config->memory->fd < 0 ? NULL : config->memory, control_fd);
	_exit(rc < 0 ? 1 : 0);
}

/* A pair, the server's end of which waits for it in its control socket. Returns the other one. */
static int open_trees(int control_fd, struct err *err)
{
	const struct fsd_control m = {.what = FSD_TREES};
	CLOSE_FD int ours = -1;
	CLOSE_FD int theirs = -1;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	rc = fd_set_nonblock(ours, 1, err);
	if (rc == 0)
		rc = fd_send(control_fd, &theirs, 1, &m, sizeof(m), err);
	return rc < 0 ? rc : fd_take(&ours);
}

int fsd_spawn(const struct fsd_spawn_config *config, struct fsd_server *ret, struct err *err)
{
	int sockets[2], pid_fd = -1;
	CLOSE_FD int tree = -1;
	CLOSE_FD int ours = -1;
	CLOSE_FD int theirs = -1;
	CLOSE_FD int trees = -1;
	pid_t pid;

	tree = fsd_cell_tree(config->dir_fd, config->readonly, config->submounts, err);
	if (tree < 0)
		return tree;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return err_sys(err, "socketpair");
	ours = sockets[0];
	theirs = sockets[1];
	trees = open_trees(ours, err);
	if (trees < 0)
		return trees;
	pid = fsd_cell_fork(&pid_fd, err);
	if (pid == 0)
		run_child(config, theirs, tree);
	if (pid < 0)
		return pid;
	*ret = (struct fsd_server){.pid = pid,
				   .pid_fd = pid_fd,
				   .control_fd = fd_take(&ours),
				   .trees_fd = fd_take(&trees)};
	return 0;
}

int fsd_server_wait(const struct fsd_server *s, struct err *err)
{
	struct fsd_control m;
	ssize_t n;

	/* One that ends before it takes the other socket resets this one; what it said is still there. */
	do {
		n = recv(s->control_fd, &m, sizeof(m), 0);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n != (ssize_t)sizeof(m) || (m.what == FSD_FAILED && m.code <= 0))
		return err_set(err, EIO, "the file server ended while it started");
	if (m.what == FSD_READY)
		return 0;
	m.text[sizeof(m.text) - 1] = '\0';
	return err_set(err, m.code, "file server: %s", m.text);
}

int fsd_tree_ask(int trees_fd, const char *name, int fd, struct err *err)
{
	struct fsd_tree_request m = {.add = fd >= 0};

	if (strlen(name) > FSD_TREE_NAME_MAX)
		return err_code(err, ENAMETOOLONG, "tree '%s'", name);
	memcpy(m.name, name, strlen(name));
	return fd_send(trees_fd, &fd, fd >= 0, &m, sizeof(m), err);
}

int fsd_tree_answered(int trees_fd, int *ret_code)
{
	struct fsd_tree_answer a;
	ssize_t n;

	do {
		n = recv(trees_fd, &a, sizeof(a), MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n != (ssize_t)sizeof(a) || a.code < 0)
		return -EPIPE;
	*ret_code = a.code;
	return 1;
}

/*
 * By the end of the socket: a signal from hull-vmm, which is somebody else's process and in a domain
 * of Landlock by then, does not reach it. One that waits for a file of a network's may take longer
 * than there is time, and ends behind.
 */
void fsd_server_end(struct fsd_server *s)
{
	struct pollfd end = {.fd = s->pid_fd, .events = POLLIN};

	if (s->pid <= 0)
		return;
	fd_close(s->control_fd);
	fd_close(s->trees_fd);
	while (poll(&end, 1, END_MS) < 0 && errno == EINTR)
		;
	while (waitpid(s->pid, NULL, WNOHANG) < 0 && errno == EINTR)
		;
	fd_close(s->pid_fd);
	*s = (struct fsd_server)FSD_SERVER_INIT;
}
