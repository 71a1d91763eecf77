/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hull-vmm sees no process of the host. It is not the first process of its pid namespace, though: that
 * one takes no signal that it has no handler for (man 7 pid_namespaces), and hull-vmm is to end by
 * the same signal as its container. So there is one before it, which waits for its end and ends then
 * itself; what is left in the namespace is killed by that.
 */
#include "runtime/vm_pidns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "runtime/driver_vm.h"
#include "runtime/setup.h"

#define NAME          "hull-init"
#define ARGUMENTS_MAX (2u << 20)

/* ---- the first process ---- */

/* The caller's streams and locks are not this process' to keep; nor is any privilege. */
static void give_up_all_but(int fd)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {0};
	CLOSE_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++) {
		if (null < 0 || dup3(null, i, 0) < 0)
			(void)close(i);
	}
	if (fd > 3)
		(void)close_range(3, (unsigned int)fd - 1, 0);
	(void)close_range((unsigned int)fd + 1, ~0u, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)capset(&head, none);
}

/* It was hull-oci's arguments, for which others look (man 5 proc, cmdline). */
static void set_name(struct setup *s)
{
	char *name = program_invocation_name;
	BUF was = BUF_INIT;

	(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
	if (io_read_file(s->rt->proc_fd, "self/cmdline", ARGUMENTS_MAX, &was, NULL) < 0 ||
	    was.len < sizeof(NAME) || strcmp(name, was.data) != 0)
		return;
	memset(name, 0, was.len);
	memcpy(name, NAME, sizeof(NAME));
}

static void __attribute__((noreturn)) first_process(struct setup *s, int sock, bool in_v2)
{
	struct pollfd end = {.fd = -1, .events = POLLIN};
	size_t n = 0;
	char byte;

	set_name(s);
	(void)setsid();
	/* Whoever loses its parent becomes its child, and is not waited for. */
	(void)signal(SIGCHLD, SIG_IGN);
	(void)!fd_recv(sock, &end.fd, 1, &n, &byte, sizeof(byte), NULL);
	if (n != 1)
		_exit(0);
	/* Should that fail, it is elsewhere, and costs its few pages there. */
	(void)!cgroup_join(s->cgroup, 0, in_v2, NULL);
	give_up_all_but(end.fd);
	while (poll(&end, 1, -1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* ---- hull-oci ---- */

int vm_pidns_new(struct setup *s, int cgroup_fd, int *ret_fd, struct err *err)
{
	static const struct ns_spaces spaces = {.kind[NS_PID] = {.listed = true}};
	int none[NS_KIND_MAX], pair[2];
	bool in_v2 = false;
	pid_t pid;

	memset(none, -1, sizeof(none));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "socketpair");

	CLOSE_FD int ours = pair[0];
	CLOSE_FD int theirs = pair[1];
	CLOSE_FD int pidfd = -1;

	pid = ns_clone(&spaces, none, cgroup_fd, &pidfd, &in_v2, err);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		fd_replace(&ours, -1);
		first_process(s, theirs, in_v2);
	}
	s->vm->pidns = (struct vm_pidns){pid, fd_take(&ours)};

	FREE char *path = mem_xprintf("%d/ns/pid", (int)pid);

	*ret_fd = openat(s->rt->proc_fd, path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, "open the pid namespace of the virtual machine") : 0;
}

int vm_pidns_keep(struct setup *s, struct err *err)
{
	int rc = fd_send(s->vm->pidns.sock, &s->child.pidfd, 1, "", 1, err);

	return rc < 0 ? err_wrap(err, rc, "the pid namespace of the virtual machine") : 0;
}

void vm_pidns_undo(struct vm_pidns *p)
{
	fd_replace(&p->sock, -1);
	if (p->first <= 0)
		return;
	(void)kill(p->first, SIGKILL);
	while (waitpid(p->first, NULL, 0) < 0 && errno == EINTR)
		;
	p->first = 0;
}

void vm_pidns_release(struct vm_pidns *p)
{
	fd_replace(&p->sock, -1);
}
