/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Relays: bytes arrive intact through slow readers, ends are told once, nothing waits. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/relay.h"
#include "tests/unit/leaks.h"

static struct loop *loop;
static struct relay *relay;
static struct err err;
static int n_ended, n_at, end_error;
static enum relay_end how;

static void ended(void *arg, enum relay_end e, int error)
{
	assert_ptr_equal(arg, &n_ended);
	n_ended++;
	how = e;
	end_error = error;
	relay_free(relay);
	relay = NULL;
}

static void reached(void *arg)
{
	assert_ptr_equal(arg, &n_at);
	n_at++;
}

static int set_up(void **state)
{
	n_ended = n_at = 0;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	if (leaks_setup(state) < 0)
		return -1;
	return loop_new(&loop, &err);
}

static int tear_down(void **state)
{
	relay_free(relay);
	relay = NULL;
	loop_free(loop);
	return leaks_teardown(state);
}

static void start(int from, int to)
{
	if (relay_new(loop, from, to, ended, &n_ended, &relay, &err) < 0)
		fail_msg("%s", err.msg);
}

static void turns(int n)
{
	while (n--)
		assert_int_equal(loop_turn(loop, 0, &err), 0);
}

static void make_pipe(int p[2], int flags)
{
	assert_int_equal(pipe2(p, O_CLOEXEC | flags), 0);
}

static void make_sockets(int s[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
}

/* A child that writes total bytes that depend on their place to fd. */
static void spawn_writer(int fd, size_t total)
{
	if (fork() == 0) {
		char data[10007];

		for (size_t done = 0; done < total;) {
			size_t n = total - done < sizeof(data) ? total - done : sizeof(data);

			for (size_t i = 0; i < n; i++)
				data[i] = (char)((done + i) * 31 >> 3);
			n = (size_t)write(fd, data, n);
			done += n;
		}
		_exit(0);
	}
	close(fd);
}

/* Everything that comes out of fd, a little at a time, while the loop turns. */
static size_t drain(int fd)
{
	static char data[50021];
	size_t done = 0;
	ssize_t n;

	assert_int_equal(fd_set_nonblock(fd, 1, &err), 0);
	for (;;) {
		assert_int_equal(loop_turn(loop, n_ended ? 0 : 1, &err), 0);
		n = read(fd, data, sizeof(data));
		if (n == 0)
			return done;
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			continue;
		}
		for (size_t i = 0; i < (size_t)n; i++) {
			if (data[i] != (char)((done + i) * 31 >> 3))
				fail_msg("byte %zu is not what was sent", done + i);
		}
		done += (size_t)n;
	}
}

enum { MANY = 20 << 20 };

/* Writers and readers of every kind, blocking and not. */
static void test_many_bytes(void **state)
{
	(void)state;
	for (int variant = 0; variant < 8; variant++) {
		int in[2], out[2], t;

		n_ended = 0;
		if (variant & 1) {
			make_pipe(in, 0);
		} else {
			make_sockets(in);
		}
		if (variant & 2) {
			make_pipe(out, 0);
			t = out[0], out[0] = out[1], out[1] = t; /* [0]: where the relay writes */
		} else {
			make_sockets(out);
		}
		if (variant & 4) {
			assert_int_equal(fd_set_nonblock(in[0], 1, &err), 0);
			assert_int_equal(fd_set_nonblock(out[0], 1, &err), 0);
		}
		start(in[0], out[0]);
		close(in[0]);
		close(out[0]);
		spawn_writer(in[1], MANY);
		assert_int_equal(drain(out[1]), MANY);
		assert_int_equal(n_ended, 1);
		assert_int_equal(how, RELAY_ENDED);
		close(out[1]);
	}
}

static void test_slow_reader_holds_up_writer(void **state)
{
	int in[2], out[2];
	static char data[65536];
	size_t written = 0;
	ssize_t n;

	(void)state;
	make_pipe(in, O_NONBLOCK);
	make_pipe(out, 0);
	start(in[0], out[1]);
	for (int idle = 0; idle < 5;) {
		n = write(in[1], data, sizeof(data));
		if (n > 0)
			written += (size_t)n;
		idle = n > 0 ? 0 : idle + 1;
		turns(3);
	}
	assert_true(written <= 4 * 65536);
	assert_true(relay_taken(relay) - relay_carried(relay) <= 65536);
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}

static void test_reader_that_goes(void **state)
{
	int in[2], out[2];

	(void)state;
	make_pipe(in, 0);
	make_pipe(out, 0);
	start(in[0], out[1]);
	close(in[0]);
	close(out[0]);
	turns(2);
	assert_int_equal(n_ended, 0);
	assert_int_equal(write(in[1], "x", 1), 1);
	turns(2);
	assert_int_equal(n_ended, 1);
	assert_int_equal(how, RELAY_WRITE_FAILED);
	assert_int_equal(end_error, EPIPE);
	assert_int_equal(write(in[1], "x", 1), -1); /* the relay has let go */
	close(in[1]);
	close(out[1]);
}

static void test_files_and_null(void **state)
{
	char path[] = "/tmp/hull-unit-XXXXXX";
	int file = mkostemp(path, O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int s[2];
	static char data[300000], got[300001];

	(void)state;
	assert_true(file >= 0);
	unlink(path);
	memset(data, 'f', sizeof(data));
	assert_int_equal(write(file, data, sizeof(data)), sizeof(data));
	lseek(file, 0, SEEK_SET);
	make_sockets(s);
	start(file, s[0]);
	for (size_t done = 0; done < sizeof(data) || !n_ended;) {
		ssize_t n = recv(s[1], got + done, sizeof(got) - done, MSG_DONTWAIT);

		if (n > 0)
			done += (size_t)n;
		turns(1);
	}
	assert_memory_equal(got, data, sizeof(data));
	n_ended = 0;
	start(s[0], null);
	assert_int_equal(write(s[1], data, 1000), 1000);
	close(s[1]);
	turns(3);
	assert_int_equal(n_ended, 1);
	assert_int_equal(relay_new(loop, file, null, ended, &n_ended, &relay, &err), -EPERM);
	relay = NULL;
	close(s[0]);
	close(file);
	close(null);
}

static void test_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), slave, s[2];
	char name[64], got[8] = "";

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(grantpt(master) | unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	make_sockets(s);
	start(master, s[0]);
	assert_int_equal(write(slave, "hi", 2), 2);
	close(slave);
	for (int i = 0; i < 100 && !n_ended; i++)
		assert_int_equal(loop_turn(loop, 10, &err), 0);
	assert_int_equal(n_ended, 1);
	assert_int_equal(how, RELAY_ENDED);
	assert_int_equal(recv(s[1], got, sizeof(got), MSG_DONTWAIT), 2);
	assert_string_equal(got, "hi");
	close(master);
	close(s[0]);
	close(s[1]);
}

static void test_finish_takes_what_is_there(void **state)
{
	int in[2], out[2];
	char got[8] = "";

	(void)state;
	make_pipe(in, O_NONBLOCK);
	make_pipe(out, 0);
	start(in[0], out[1]);
	turns(2);
	assert_int_equal(write(in[1], "last", 4), 4);
	relay_finish(relay);
	turns(3);
	assert_int_equal(n_ended, 1);
	assert_int_equal(how, RELAY_ENDED);
	assert_int_equal(read(out[0], got, sizeof(got)), 4);
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}

static void test_count_is_told_once(void **state)
{
	int in[2], out[2];

	(void)state;
	make_pipe(in, 0);
	make_pipe(out, 0);
	start(in[0], out[1]);
	relay_at(relay, 5, reached, &n_at);
	turns(2);
	assert_int_equal(n_at, 0);
	assert_int_equal(write(in[1], "1234", 4), 4);
	turns(2);
	assert_int_equal(n_at, 0);
	assert_int_equal(write(in[1], "567", 3), 3);
	turns(2);
	assert_int_equal(n_at, 1);
	relay_at(relay, 7, reached, &n_at); /* already so */
	assert_int_equal(n_at, 1);
	turns(2);
	assert_int_equal(n_at, 2);
	assert_int_equal(n_ended, 0);
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}

/* One that always has more must leave others their turn. */
static void test_turns_are_bounded(void **state)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), out[2];

	(void)state;
	make_pipe(out, 0);
	if (relay_new(loop, zero, out[1], ended, &n_ended, &relay, &err) < 0)
		fail_msg("%s", err.msg);
	turns(3);
	assert_int_equal(n_ended, 0);
	assert_true(relay_taken(relay) > 0);
	close(zero);
	close(out[0]);
	close(out[1]);
}

/* What was taken is given, nothing more is taken, and no end is told before it is let go on. */
static void test_hold(void **state)
{
	int in[2], out[2];
	char data[16];

	(void)state;
	make_pipe(in, O_NONBLOCK);
	make_pipe(out, O_NONBLOCK);
	start(in[0], out[1]);
	close(in[0]);
	close(out[1]);
	assert_int_equal(write(in[1], "one", 3), 3);
	turns(3);
	relay_hold(relay, true);
	assert_int_equal(write(in[1], "two", 3), 3);
	close(in[1]);
	turns(5);
	assert_int_equal(read(out[0], data, sizeof(data)), 3);
	assert_int_equal(relay_taken(relay), 3);
	assert_int_equal(relay_carried(relay), 3);
	assert_int_equal(n_ended, 0);
	relay_hold(relay, false);
	turns(5);
	assert_int_equal(read(out[0], data, sizeof(data)), 3);
	assert_memory_equal(data, "two", 3);
	assert_int_equal(n_ended, 1);
	assert_int_equal(how, RELAY_ENDED);
	close(out[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_many_bytes),
		TEST(test_slow_reader_holds_up_writer),
		TEST(test_reader_that_goes),
		TEST(test_files_and_null),
		TEST(test_terminal),
		TEST(test_finish_takes_what_is_there),
		TEST(test_count_is_told_once),
		TEST(test_turns_are_bounded),
		TEST(test_hold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
