/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/vm_control.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sock.h"

/* More than hull-vmm gives the guest: who does not answer by then is stopped or hangs. */
#define PATIENCE_S 45

static int has_ended(const struct container *c, struct err *err)
{
	return err_set(err, ESRCH, "the virtual machine of container '%s' has ended", c->id);
}

/* The socket in a state directory. */
static int connect_in(int dir_fd, const struct container *c, struct err *err)
{
	FREE char *path = mem_xprintf("/proc/self/fd/%d/" VM_CONTROL_SOCKET, dir_fd);
	int sock = sock_connect(path, SOCK_SEQPACKET, NULL);

	if (sock == -ECONNREFUSED || sock == -ENOENT)
		return has_ended(c, err);
	return sock < 0 ? err_code(err, -sock, "virtual machine of container '%s'", c->id) : sock;
}

/* A machine that is paused as a whole would not answer. */
static int connect_to_sandbox(const struct container *c, struct err *err)
{
	struct container *sandbox = NULL;
	int rc = container_open(c->rt, c->sandbox, CONTAINER_LOCK_NONE, &sandbox, NULL);

	if (rc < 0)
		return has_ended(c, err);
	if (sandbox->status == CONTAINER_PAUSED)
		rc = err_set(err, EBUSY,
			     "sandbox '%s' is paused, and the virtual machine of container '%s' "
			     "with it",
			     c->sandbox, c->id);
	else
		rc = connect_in(sandbox->dir_fd, c, err);
	container_close(sandbox);
	return rc;
}

int vm_control_connect(const struct container *c, struct err *err)
{
	/* What a paused one is asked for, it may do when it goes on, however late that is. */
	const bool is_paused = c->status == CONTAINER_PAUSED && !c->sandbox;
	const struct timeval patience = {.tv_sec = is_paused ? 0 : PATIENCE_S};
	CLOSE_FD int sock = c->sandbox ? connect_to_sandbox(c, err) : connect_in(c->dir_fd, c, err);

	if (sock < 0)
		return sock;
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(err, "set a time limit for the virtual machine's answer");
	return fd_take(&sock);
}

struct vm_control_request vm_control_about(const struct container *c, enum vm_control_op op)
{
	struct vm_control_request r = {.op = op};

	/* An id is a file's name, so it has room. */
	if (c->sandbox)
		memcpy(r.container, c->id, strnlen(c->id, NAME_MAX));
	return r;
}

int vm_control_send(int sock, const struct vm_control_request *request, const int *fds,
		    size_t n_fds, struct err *err)
{
	struct vm_control_request r = *request;

	r.version = VM_CONTROL_VERSION;
	return fd_send(sock, fds, n_fds, &r, sizeof(r), err);
}

int vm_control_read_text(int fd, struct buf *text, struct err *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read the virtual machine's answer");
	return io_read_all(fd, "the virtual machine's answer", VM_CONTROL_TEXT, text, err);
}

int vm_control_receive(int sock, uint32_t *ret_number, struct err *err)
{
	struct vm_control_reply r;
	ssize_t n;

	do
		n = recv(sock, &r, sizeof(r), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return err_set(err, ETIMEDOUT, "the virtual machine does not answer");
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, "read the virtual machine's answer");
	if (n != (ssize_t)sizeof(r))
		return err_set(err, EIO, "the virtual machine has ended");
	if (r.version != VM_CONTROL_VERSION)
		return err_set(err, EPROTO,
			       "the virtual machine was started by another version of hull");
	r.err.msg[sizeof(r.err.msg) - 1] = '\0';
	if (r.err.code > 0)
		return err_set(err, r.err.code, "%s", r.err.msg);
	*ret_number = r.number;
	return 0;
}

int vm_control_call(const struct container *c, enum vm_control_op op, uint32_t number, int fd,
		    struct buf *text, struct err *err)
{
	struct vm_control_request r = vm_control_about(c, op);
	uint32_t answer;
	int rc;

	if (c->status == CONTAINER_PAUSED && !c->sandbox)
		return err_set(err, EBUSY,
			       "container '%s' is paused, and its virtual machine with it", c->id);

	CLOSE_FD int sock = vm_control_connect(c, err);
	CLOSE_FD int answer_fd = text ? vm_control_file("answer", "", 0, err) : -1;

	if (sock < 0)
		return sock;
	if (text && answer_fd < 0)
		return answer_fd;
	r.number = number;
	rc = vm_control_send(sock, &r, text ? &answer_fd : &fd, text || fd >= 0, err);
	if (rc < 0 || (rc = vm_control_receive(sock, &answer, err)) < 0)
		return rc;
	return text ? vm_control_read_text(answer_fd, text, err) : 0;
}

int vm_control_file(const char *name, const void *data, size_t len, struct err *err)
{
	CLOSE_FD int fd = memfd_create(name, MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_sys(err, "memfd_create");
	rc = io_write(fd, data, len);
	if (rc < 0)
		return err_code(err, -rc, "write a file in memory");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "seek in a file in memory");
	return fd_take(&fd);
}
