/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams: each asks for a connection of its own, bytes arrive both ways, ends are told. */
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
#include "microvm/proto.h"
#include "microvm/virtio/vsock.h"
#include "tests/unit/leaks.h"

static struct loop *loop;
static struct agent_streams *set;
static struct agent_stream *stream;
static int requests[2];
static uint32_t port;
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
	if (pipe2(requests, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	set = agent_streams_new(loop, requests[1]);
	return 0;
}

static int tear_down(void **state)
{
	agent_streams_free(set);
	loop_free(loop);
	close(requests[0]);
	close(requests[1]);
	return leaks_teardown(state);
}

static void turns(int n)
{
	while (n--)
		assert_int_equal(loop_turn(loop, 0, &err), 0);
}

static void make(int from, int to)
{
	assert_int_equal(agent_stream_new(set, from, to, happened, &n_ended, &port, &stream, &err),
			 0);
	assert_int_equal(agent_streams_connect(set, &err), 0);
}

/* The guest's end of the connection that was asked for last. */
static int accepted(void)
{
	struct vsock_request r;

	assert_int_equal(read(requests[0], &r, sizeof(r)), sizeof(r));
	assert_int_equal(r.guest_port, PROTO_PORT_STREAM);
	assert_int_equal(r.host_port, port);
	turns(2);
	return r.fd;
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
	guest = accepted();
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
	guest = accepted();
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
	guest = accepted();
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
	guest = accepted();
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
	guest = accepted();
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
	agent_stream_settle(stream, 3); /* before the guest has accepted */
	guest = accepted();
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
	guest = accepted();
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

static void test_ports_differ(void **state)
{
	uint32_t first;

	(void)state;
	make(-1, -1);
	first = port;
	assert_true(first >= 1u << 30);
	close(accepted());
	make(-1, -1);
	assert_int_not_equal(first, port);
	close(accepted());
	/* another host of the same guest, once in a thousand million times */
	agent_streams_free(set);
	set = agent_streams_new(loop, requests[1]);
	make(-1, -1);
	assert_int_not_equal(first, port);
	close(accepted());
	assert_int_equal(n_ended, 0);
}

/* More than the guest's device takes at a time, and none at all. */
static void test_connections_that_cannot_be_asked_for(void **state)
{
	static char fill[1 << 20];
	int p[2];
	char byte;

	(void)state;
	assert_true(write(requests[1], fill, sizeof(fill)) > 0);
	make_pipe(p);
	assert_int_equal(agent_stream_new(set, -1, p[1], happened, &n_ended, &port, &stream, &err),
			 0);
	assert_int_equal(agent_streams_connect(set, &err), -EAGAIN);
	assert_string_equal(err.msg, "ask for connections to the guest: "
				     "Resource temporarily unavailable");
	close(requests[0]);
	requests[0] = -1;
	assert_int_equal(agent_streams_connect(set, &err), -EPIPE);
	/* what was made for it is closed with it */
	agent_stream_free(stream);
	assert_int_equal(read(p[0], &byte, 1), 0);
	close(p[0]);
}

/* Those that are new are asked for at once, those that are gone and those that were before not at all. */
static void test_many_connections_at_once(void **state)
{
	struct agent_stream *streams[20];
	uint32_t ports[20];
	bool seen[20] = {false};
	struct vsock_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		assert_int_equal(agent_stream_new(set, -1, -1, happened, &n_ended, &ports[i],
						  &streams[i], &err),
				 0);
	agent_stream_free(streams[7]);
	assert_int_equal(read(requests[0], &r, sizeof(r)), -1);
	assert_int_equal(agent_streams_connect(set, &err), 0);
	for (size_t i = 0; i + 1 < ARRAY_SIZE(streams); i++) {
		size_t k = 0;

		assert_int_equal(read(requests[0], &r, sizeof(r)), sizeof(r));
		while (k < ARRAY_SIZE(ports) && ports[k] != r.host_port)
			k++;
		assert_true(k < ARRAY_SIZE(ports) && k != 7 && !seen[k]);
		seen[k] = true;
		close(r.fd);
	}
	assert_int_equal(agent_streams_connect(set, &err), 0);
	assert_int_equal(read(requests[0], &r, sizeof(r)), -1);
}

static void test_guest_that_refuses(void **state)
{
	int p[2];
	char byte;

	(void)state;
	make_pipe(p);
	make(-1, p[1]);
	close(accepted());
	turns(2);
	assert_int_equal(n_ended, 1);
	assert_int_equal(read(p[0], &byte, 1), 0);
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
	guest = accepted();
	assert_true(is_closed(guest));
	close(guest);
	close(p[0]);
	make_pipe(p);
	make(-1, p[1]);
	guest = accepted();
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
		TEST(test_ports_differ),
		TEST(test_many_connections_at_once),
		TEST(test_connections_that_cannot_be_asked_for),
		TEST(test_guest_that_refuses),
		TEST(test_freeing_early),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
