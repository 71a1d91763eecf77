/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors: flags, numbers, closing, and their passing over sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "tests/unit/base/child.h"
#include "tests/unit/leaks.h"

#define leak_test(fn) cmocka_unit_test_setup_teardown(fn, leaks_setup, leaks_teardown)

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void close_keeps_errno(void **state)
{
	(void)state;
	errno = ENOSPC;
	fd_close(-1);
	fd_close(900);
	assert_int_equal(errno, ENOSPC);
}

static void scope_closes(void **state)
{
	int fd, kept;

	(void)state;
	{
		CLOSE_FD int a = null_fd();
		CLOSE_FD int b = null_fd();

		fd = a;
		kept = fd_take(&b);
		assert_int_equal(b, -1);
	}
	assert_false(is_open(fd));
	assert_true(is_open(kept));
	fd_replace(&kept, -1);
	assert_int_equal(kept, -1);
}

static void dup_is_cloexec_and_no_stdio(void **state)
{
	CLOSE_FD int fd = fd_dup(1, NULL);
	struct err e = ERR_INIT;

	(void)state;
	assert_true(fd >= 3);
	assert_true(is_cloexec(fd));
	assert_int_equal(fd_dup(900, &e), -EBADF);
	assert_string_equal(e.msg, "duplicate descriptor 900: Bad file descriptor");
}

static void flags_are_set_and_cleared(void **state)
{
	CLOSE_FD int fd = null_fd();

	(void)state;
	assert_int_equal(fd_set_cloexec(fd, 0, NULL), 0);
	assert_false(is_cloexec(fd));
	assert_int_equal(fd_set_cloexec(fd, 1, NULL), 0);
	assert_true(is_cloexec(fd));
	assert_int_equal(fd_set_nonblock(fd, 1, NULL), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(fd, 0, NULL), 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_cloexec(900, 1, NULL), -EBADF);
	assert_int_equal(fd_set_nonblock(900, 1, NULL), -EBADF);
}

static int stdio_child(void)
{
	struct stat st;

	(void)close(0);
	(void)close(2);
	if (fd_ensure_stdio(NULL) < 0)
		return 1;
	for (int fd = 0; fd <= 2; fd += 2)
		if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || is_cloexec(fd))
			return 2;
	(void)close(1);
	return fd_ensure_stdio(NULL) < 0 || !is_open(1) ? 3 : 0;
}

static void closed_stdio_is_filled(void **state)
{
	(void)state;
	run_in_child(stdio_child);
	assert_int_equal(fd_ensure_stdio(NULL), 0);
}

static void check_cloexec_from(void)
{
	CLOSE_FD int proc = proc_open_root(NULL);
	CLOSE_FD int low = fcntl(1, F_DUPFD, 100);
	CLOSE_FD int mid = fcntl(1, F_DUPFD, 110);
	CLOSE_FD int high = fcntl(1, F_DUPFD, 500);

	assert_int_equal(fd_cloexec_from(110, proc, NULL), 0);
	assert_false(is_cloexec(low));
	assert_true(is_cloexec(mid));
	assert_true(is_cloexec(high));
}

static void cloexec_from(void **state)
{
	(void)state;
	check_cloexec_from();
}

static void cloexec_from_without_close_range(void **state)
{
	(void)state;
	assert_int_equal(setenv("HULL_NO_CLOSE_RANGE", "1", 1), 0);
	check_cloexec_from();
	assert_int_equal(unsetenv("HULL_NO_CLOSE_RANGE"), 0);
}

static int cloexec_child(void)
{
	CLOSE_FD int proc = proc_open_root(NULL);
	CLOSE_FD int fd = fcntl(1, F_DUPFD, 100);

	CHILD_CHECK(deny_syscall(SYS_close_range, ENOSYS));
	CHILD_CHECK(fd_cloexec_from(3, proc, NULL) == 0);
	CHILD_CHECK(is_cloexec(fd) && !is_cloexec(1));
	return 0;
}

static void cloexec_from_on_an_old_kernel(void **state)
{
	(void)state;
	run_in_child(cloexec_child);
}

static void socket_pair(int type, int sv[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv), 0);
}

static void send_and_receive(void **state)
{
	CLOSE_FD int a = null_fd();
	CLOSE_FD int b = null_fd();
	int sv[2], got[4] = {-1, -1, -1, -1};
	struct stat st;
	char data[16];
	size_t n = 9;

	(void)state;
	socket_pair(SOCK_STREAM, sv);
	assert_int_equal(fd_send(sv[0], (int[]){a, b}, 2, "hello", 5, NULL), 0);
	assert_int_equal(fd_recv(sv[1], got, 4, &n, data, sizeof(data), NULL), 5);
	assert_int_equal(n, 2);
	assert_memory_equal(data, "hello", 5);
	for (int i = 0; i < 2; i++) {
		assert_true(is_cloexec(got[i]));
		assert_int_equal(fstat(got[i], &st), 0);
		assert_true(S_ISCHR(st.st_mode));
		fd_close(got[i]);
	}
	assert_int_equal(got[2], -1);
	fd_close(sv[0]);
	assert_int_equal(fd_recv(sv[1], got, 4, &n, data, sizeof(data), NULL), 0);
	assert_int_equal(n, 0);
	fd_close(sv[1]);
}

static void data_alone(void **state)
{
	int sv[2];
	char data[4];
	size_t n;

	(void)state;
	socket_pair(SOCK_SEQPACKET, sv);
	assert_int_equal(fd_send(sv[0], NULL, 0, "x", 1, NULL), 0);
	assert_int_equal(fd_recv(sv[1], NULL, 0, &n, data, sizeof(data), NULL), 1);
	assert_int_equal(n, 0);
	fd_close(sv[0]);
	fd_close(sv[1]);
}

/* For each room there is and each number sent: too many are an error and none stays open. */
static void too_many_are_closed(void **state)
{
	CLOSE_FD int a = null_fd();
	const int fds[4] = {a, a, a, a};

	(void)state;
	for (size_t room = 0; room < 4; room++)
		for (size_t sent = room + 1; sent <= 4; sent++) {
			struct err e = ERR_INIT;
			bool before[LEAKS_MAX_FD], after[LEAKS_MAX_FD];
			int sv[2], got[4];
			size_t n;
			char c;

			socket_pair(SOCK_STREAM, sv);
			assert_int_equal(leaks_scan(before), 0);
			assert_int_equal(fd_send(sv[0], fds, sent, "x", 1, NULL), 0);
			assert_int_equal(fd_recv(sv[1], got, room, &n, &c, 1, &e), -EPROTO);
			assert_int_equal(leaks_scan(after), 0);
			assert_memory_equal(before, after, sizeof(before));
			fd_close(sv[0]);
			fd_close(sv[1]);
		}
}

static void the_kernels_limit_of_descriptors(void **state)
{
	CLOSE_FD int a = null_fd();
	int sv[2], fds[253], got[252];
	size_t n;
	char c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = a;
	socket_pair(SOCK_STREAM, sv);
	assert_int_equal(fd_send(sv[0], fds, 254, "x", 1, NULL), -EINVAL);
	assert_int_equal(fd_send(sv[0], fds, 1, "", 0, NULL), -EINVAL);
	assert_int_equal(fd_recv(sv[1], got, 254, &n, &c, 1, NULL), -EINVAL);
	assert_int_equal(fd_send(sv[0], fds, 252, "x", 1, NULL), 0);
	assert_int_equal(fd_recv(sv[1], got, 252, &n, &c, 1, NULL), 1);
	assert_int_equal(n, 252);
	for (size_t i = 0; i < n; i++)
		fd_close(got[i]);
	fd_close(sv[0]);
	fd_close(sv[1]);
}

static void a_closed_peer_is_an_error(void **state)
{
	struct err e = ERR_INIT;
	int sv[2];

	(void)state;
	socket_pair(SOCK_STREAM, sv);
	fd_close(sv[1]);
	/* No SIGPIPE: the test program would be gone. */
	assert_int_equal(fd_send(sv[0], NULL, 0, "x", 1, &e), -EPIPE);
	assert_string_equal(e.msg, "send 0 descriptors: Broken pipe");
	fd_close(sv[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leak_test(close_keeps_errno),
		leak_test(scope_closes),
		leak_test(dup_is_cloexec_and_no_stdio),
		leak_test(flags_are_set_and_cleared),
		leak_test(closed_stdio_is_filled),
		leak_test(cloexec_from),
		leak_test(cloexec_from_without_close_range),
		leak_test(cloexec_from_on_an_old_kernel),
		leak_test(send_and_receive),
		leak_test(data_alone),
		leak_test(too_many_are_closed),
		leak_test(the_kernels_limit_of_descriptors),
		leak_test(a_closed_peer_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
