/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams: tokens pair connections with descriptors, bytes arrive, strangers are turned away. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/agent_stream.h"
#include "tests/unit/leaks.h"

static struct loop *loop;
static struct agent_streams *set;
static struct agent_stream *stream;
static uint8_t token[PROTO_TOKEN_LEN];
static struct err err;
static int n_settled, n_ended;

static void happened(void *arg, enum agent_stream_event event)
{
	assert_ptr_equal(arg, &n_ended);
	switch (event) {
	case AGENT_STREAM_SETTLED:
		n_settled++;
		break;
	case AGENT_STREAM_ENDED:
		n_ended++;
		break;
	}
}

static int set_up(void **state)
{
	n_settled = n_ended = 0;
	(void)signal(SIGPIPE, SIG_IGN);
	if (leaks_setup(state) < 0 || loop_new(&loop, &err) < 0)
		return -1;
	set = agent_streams_new(loop);
	return 0;
}

static int tear_down(void **state)
{
	agent_streams_free(set);
	loop_free(loop);
	return leaks_teardown(state);
}

static void turns(int n)
{
	while (n--)
		assert_int_equal(loop_turn(loop, 0, &err), 0);
}

static void make(int from, int to)
{
	assert_int_equal(agent_stream_new(set, from, to, happened, &n_ended, token, &stream, &err),
			 0);
}

/* The guest's end of a new connection that has said len bytes of the token. */
static int connect_with(const void *data, size_t len)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
	agent_stream_connected(set, s[0]);
	if (len)
		assert_int_equal(send(s[1], data, len, 0), len);
	turns(2);
	return s[1];
}

static void make_pipe(int p[2])
{
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
}

static bool is_closed(int sock)
{
	char byte;

	turns(2);
	return recv(sock, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_output(void **state)
{
	int p[2], guest;
	char got[16] = "";

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	guest = connect_with(token, sizeof(token));
	assert_int_equal(send(guest, "hello", 5, 0), 5);
	turns(2);
	assert_int_equal(read(p[0], got, sizeof(got)), 5);
	assert_string_equal(got, "hello");
	assert_false(agent_stream_has_ended(stream));
	close(guest);
	turns(2);
	assert_int_equal(n_ended, 1);
	assert_true(agent_stream_has_ended(stream));
	/* nobody has the pipe open any more */
	assert_int_equal(read(p[0], got, sizeof(got)), 0);
	close(p[0]);
}

static void test_input(void **state)
{
	int p[2], guest;
	char got[16] = "";

	(void)state;
	make_pipe(p);
	make(p[0], -1);
	assert_int_equal(write(p[1], "early", 5), 5);
	guest = connect_with(token, sizeof(token));
	assert_int_equal(recv(guest, got, sizeof(got), MSG_DONTWAIT), 5);
	assert_string_equal(got, "early");
	close(p[1]);
	assert_true(is_closed(guest));
	assert_int_equal(n_ended, 1);
	close(guest);
}

static void test_input_that_the_guest_closes(void **state)
{
	int p[2], guest;

	(void)state;
	make_pipe(p);
	make(p[0], -1);
	guest = connect_with(token, sizeof(token));
	close(guest);
	turns(2);
	(void)!write(p[1], "x", 1);
	turns(2);
	assert_int_equal(n_ended, 1);
	assert_int_equal(write(p[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(p[1]);
}

static void test_terminal(void **state)
{
	int in[2], out[2], guest;
	char got[16] = "";

	(void)state;
	make_pipe(in);
	make_pipe(out);
	make(in[0], out[1]);
	guest = connect_with(token, sizeof(token));
	assert_int_equal(write(in[1], "typed", 5), 5);
	turns(2);
	assert_int_equal(recv(guest, got, sizeof(got), MSG_DONTWAIT), 5);
	close(in[1]);
	assert_true(is_closed(guest)); /* half */
	assert_int_equal(n_ended, 0);
	assert_int_equal(send(guest, "shown", 5, 0), 5);
	turns(2);
	assert_int_equal(read(out[0], got, sizeof(got)), 5);
	agent_stream_settle(stream, AGENT_STREAM_ALL);
	turns(2);
	assert_int_equal(n_settled, 0);
	close(guest);
	turns(2);
	assert_int_equal(n_ended, 1);
	close(out[0]);
}

static void test_reader_that_goes(void **state)
{
	int p[2], guest;

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	guest = connect_with(token, sizeof(token));
	close(p[0]);
	assert_int_equal(send(guest, "x", 1, 0), 1);
	turns(2);
	assert_int_equal(n_ended, 1);
	assert_int_equal(send(guest, "x", 1, MSG_NOSIGNAL), -1);
	close(guest);
}

static void test_settling(void **state)
{
	int p[2], guest;

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	agent_stream_settle(stream, 3); /* before the connection */
	guest = connect_with(token, sizeof(token));
	assert_int_equal(send(guest, "12", 2, 0), 2);
	turns(2);
	assert_int_equal(n_settled, 0);
	assert_int_equal(send(guest, "3", 1, 0), 1);
	turns(2);
	assert_int_equal(n_settled, 1);
	agent_stream_settle(stream, 0);
	turns(2);
	assert_int_equal(n_settled, 2);
	agent_stream_settle(stream, UINT64_MAX - 1); /* a guest that lies */
	close(guest);
	turns(2);
	assert_int_equal(n_settled, 2);
	assert_int_equal(n_ended, 1);
	close(p[0]);
}

static void test_back_pressure(void **state)
{
	static char data[65536];
	int p[2], guest;
	size_t sent = 0;

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	guest = connect_with(token, sizeof(token));
	for (int idle = 0; idle < 5;) {
		ssize_t n = send(guest, data, sizeof(data), MSG_NOSIGNAL);

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
		turns(3);
	}
	assert_true(sent < 1 << 20);
	close(guest);
	close(p[0]);
}

static void test_token_in_pieces_and_data_at_once(void **state)
{
	int p[2], guest;
	char first[PROTO_TOKEN_LEN], got[16] = "";

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	guest = connect_with(token, 5);
	memcpy(first, token + 5, sizeof(token) - 5);
	memcpy(first + sizeof(token) - 5, "abcde", 5);
	assert_int_equal(send(guest, first, sizeof(first), 0), sizeof(first));
	turns(3);
	assert_int_equal(read(p[0], got, sizeof(got)), 5);
	assert_string_equal(got, "abcde");
	close(guest);
	close(p[0]);
}

static void test_wrong_and_used_tokens(void **state)
{
	int p[2], guest, other;
	uint8_t wrong[PROTO_TOKEN_LEN];

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	memcpy(wrong, token, sizeof(wrong));
	wrong[15] ^= 1;
	other = connect_with(wrong, sizeof(wrong));
	assert_true(is_closed(other));
	close(other);
	guest = connect_with(token, sizeof(token));
	other = connect_with(token, sizeof(token));
	assert_true(is_closed(other));
	close(other);
	assert_false(is_closed(guest));
	other = connect_with(token, 3);
	close(other);
	turns(2);
	assert_int_equal(n_ended, 0);
	close(guest);
	close(p[0]);
}

static void test_tokens_differ(void **state)
{
	uint8_t first[PROTO_TOKEN_LEN];

	(void)state;
	make(-1, -1);
	memcpy(first, token, sizeof(first));
	make(-1, -1);
	assert_memory_not_equal(first, token, sizeof(first));
	assert_int_equal(n_ended, 0);
}

static void test_strangers_are_few(void **state)
{
	int guests[AGENT_STRANGERS_MAX + 10], p[2], guest;

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
		guests[i] = connect_with("x", 1);
	for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
		assert_int_equal(is_closed(guests[i]), i < 10);
	guest = connect_with(token, sizeof(token));
	assert_false(is_closed(guest));
	for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
		close(guests[i]);
	close(guest);
	close(p[0]);
}

static void test_freeing_early(void **state)
{
	int p[2], guest;
	char byte;

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	agent_stream_free(stream);
	assert_int_equal(read(p[0], &byte, 1), 0);
	guest = connect_with(token, sizeof(token));
	assert_true(is_closed(guest));
	close(guest);
	close(p[0]);
	make_pipe(p);
	make(-1, p[1]);
	guest = connect_with(token, sizeof(token));
	agent_stream_free(stream);
	assert_true(is_closed(guest));
	close(guest);
	close(p[0]);
	assert_int_equal(n_ended, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_output),
		TEST(test_input),
		TEST(test_input_that_the_guest_closes),
		TEST(test_terminal),
		TEST(test_reader_that_goes),
		TEST(test_settling),
		TEST(test_back_pressure),
		TEST(test_token_in_pieces_and_data_at_once),
		TEST(test_wrong_and_used_tokens),
		TEST(test_tokens_differ),
		TEST(test_strangers_are_few),
		TEST(test_freeing_early),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
