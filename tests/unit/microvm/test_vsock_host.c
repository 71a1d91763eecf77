/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket device: connections that the host begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/vsock_guest.h"

#define FIRST_PORT (1u << 30)

static struct vguest g;
static int requests; /* the end to write to */

static int setup(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	requests = p[1];
	(void)vguest_setup_with(&g, p[0]);
	vguest_start(&g, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vguest_teardown(&g);
	(void)close(requests);
	return 0;
}

/* Asks for it, and is the host's end of what comes of that. */
static int ask(uint32_t guest_port, uint32_t host_port)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);

	const struct vsock_request r = {guest_port, host_port, pair[1]};

	assert_int_equal(write(requests, &r, sizeof(r)), sizeof(r));
	return pair[0];
}

static int client(const char *says)
{
	int fd = ask(1024, FIRST_PORT);

	assert_int_equal(send(fd, says, strlen(says), MSG_NOSIGNAL), strlen(says));
	fake_turns(&g.f, 3);
	return fd;
}

static void says_nothing(int fd)
{
	char c;

	fake_turns(&g.f, 3);
	assert_int_equal(recv(fd, &c, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void says(int fd, const char *want)
{
	char got[64];
	ssize_t n;

	fake_turns(&g.f, 3);
	n = recv(fd, got, sizeof(got), 0);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, (size_t)n);
}

/* The end, or its ruder form when the client's words were not read. */
static void says_end(int fd)
{
	char c;
	ssize_t n;

	fake_turns(&g.f, 3);
	n = recv(fd, &c, 1, 0);
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	(void)close(fd);
}

static void answer(const struct virtio_vsock_hdr *to, uint16_t op, const char *data)
{
	struct virtio_vsock_hdr h = vguest_hdr(op, data ? (uint32_t)strlen(data) : 0);

	h.src_port = to->dst_port;
	h.dst_port = to->src_port;
	vguest_send_hdr(&g, h, data);
}

static void test_connect(void **state)
{
	int fd = client("first words");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST), rw;
	uint8_t data[RX_SIZE];

	(void)state;
	assert_int_equal(h.dst_port, 1024);
	assert_int_equal(h.src_port, FIRST_PORT);
	assert_int_equal(h.buf_alloc, VSOCK_BUF_SIZE);
	vguest_expect_none(&g);
	answer(&h, VIRTIO_VSOCK_OP_RESPONSE, NULL);
	says_nothing(fd);
	assert_true(vguest_recv(&g, &rw, data));
	assert_int_equal(rw.op, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(rw.len, 11);
	assert_memory_equal(data, "first words", 11);
	answer(&h, VIRTIO_VSOCK_OP_RW, "and an answer");
	says(fd, "and an answer");
	(void)close(fd);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(h.flags, VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND);
}

/* In the order in which they were asked for, and no two of the same ports. */
static void test_several(void **state)
{
	int fds[4], twice;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = ask(1024, FIRST_PORT + i);
	twice = ask(1024, FIRST_PORT + 1);
	for (uint32_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);

		assert_int_equal(h.src_port, FIRST_PORT + i);
	}
	says_end(twice);
	vguest_expect_none(&g);
	for (uint32_t i = 0; i < ARRAY_SIZE(fds); i++) {
		says_nothing(fds[i]);
		(void)close(fds[i]);
	}
}

static void test_guest_refuses(void **state)
{
	int fd = client("");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);

	(void)state;
	answer(&h, VIRTIO_VSOCK_OP_RST, NULL);
	says_end(fd);
	vguest_expect_none(&g);
}

static void test_data_before_response(void **state)
{
	int fd = client("");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);

	(void)state;
	answer(&h, VIRTIO_VSOCK_OP_RW, "too early");
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
	says_end(fd);
}

/* What the host's end wrote before it went reaches a guest that answers later, and so does the end. */
static void test_end_before_response(void **state)
{
	static const char *const said[] = {"all of it", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		size_t len = strlen(said[i]), n = 0;
		struct virtio_vsock_hdr h;
		uint8_t data[RX_SIZE];

		(void)close(client(said[i]));
		h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);
		vguest_expect_none(&g);
		answer(&h, VIRTIO_VSOCK_OP_RESPONSE, NULL);
		do {
			assert_true(vguest_recv(&g, &h, data));
			if (h.op == VIRTIO_VSOCK_OP_RW) {
				assert_memory_equal(data, said[i] + n, h.len);
				n += h.len;
			}
		} while (!(h.op == VIRTIO_VSOCK_OP_SHUTDOWN &&
			   h.flags & VIRTIO_VSOCK_SHUTDOWN_SEND));
		assert_int_equal(n, len);
		answer(&h, VIRTIO_VSOCK_OP_RST, NULL);
		vguest_expect_none(&g);
	}
}

/* A guest that does not answer: ten seconds. */
static void test_silence(void **state)
{
	struct err err = ERR_INIT;
	int fd = client("");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);

	(void)state;
	says_nothing(fd);
	while (!vguest_recv(&g, &h, NULL))
		assert_int_equal(loop_turn(g.f.loop, 20000, &err), 0);
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RST);
	says_end(fd);
}

static void test_no_guest(void **state)
{
	int fd;

	(void)state;
	fake_reset(&g.f);
	says_end(client(""));
	vguest_start(&g, true);
	fd = client("");
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);
	fake_reset(&g.f);
	says_end(fd);
}

/* What the device has not read is closed with it: tests/unit/leaks.h looks for descriptors. */
static void test_end_of_the_device(void **state)
{
	int fd = ask(1024, FIRST_PORT);
	char c;

	(void)state;
	fake_teardown(&g.f);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	(void)close(fd);
	(void)close(requests);
	(void)setup(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connect),         TEST(test_several),
		TEST(test_guest_refuses),   TEST(test_data_before_response),
		TEST(test_end_before_response), TEST(test_silence),
		TEST(test_no_guest),        TEST(test_end_of_the_device),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
