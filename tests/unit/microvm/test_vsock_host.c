/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket device: connections that a client of the host's unix socket begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/vsock_guest.h"

#define FIRST_PORT (1u << 30)

static struct vguest g;
static struct sockaddr_un address;
static socklen_t address_len;

static int setup(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	/* man 7 unix, autobind: an abstract name that is free. */
	address = (struct sockaddr_un){.sun_family = AF_UNIX};
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	address_len = sizeof(address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &address_len), 0);
	assert_int_equal(listen(fd, 8), 0);
	(void)vguest_setup_with(&g, fd);
	vguest_start(&g, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vguest_teardown(&g);
	return 0;
}

static int client(const char *says)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, address_len), 0);
	assert_int_equal(fd_set_nonblock(fd, 1, NULL), 0);
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
	int fd = client("CONNECT 1024\nfirst words");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST), rw;
	uint8_t data[RX_SIZE];

	(void)state;
	assert_int_equal(h.dst_port, 1024);
	assert_int_equal(h.src_port, FIRST_PORT);
	assert_int_equal(h.buf_alloc, VSOCK_BUF_SIZE);
	vguest_expect_none(&g);
	says_nothing(fd);
	answer(&h, VIRTIO_VSOCK_OP_RESPONSE, NULL);
	says(fd, "OK 1073741824\n");
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

static void test_line_in_parts(void **state)
{
	int fd = client("CONNECT");
	struct virtio_vsock_hdr h;

	(void)state;
	vguest_expect_none(&g);
	assert_int_equal(write(fd, " 7", 2), 2);
	vguest_expect_none(&g);
	assert_int_equal(write(fd, "\n", 1), 1);
	h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);
	assert_int_equal(h.dst_port, 7);
	(void)close(fd);
}

static void test_bad_lines(void **state)
{
	static const char *const bad[] = {
		"\n",
		"CONNECT\n",
		"CONNECT \n",
		"CONNECT x\n",
		"CONNECT -1\n",
		"CONNECT 4294967296\n",
		"CONNECT 1 2\n",
		"CONNECT  1\n",
		"connect 1\n",
		"GET / HTTP/1.1\r\n",
		"CONNECT 0000000000000000000000000000000000001\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		says_end(client(bad[i]));
	vguest_expect_none(&g);
}

static void test_guest_refuses(void **state)
{
	int fd = client("CONNECT 1024\n");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);

	(void)state;
	answer(&h, VIRTIO_VSOCK_OP_RST, NULL);
	says_end(fd);
	vguest_expect_none(&g);
}

static void test_data_before_response(void **state)
{
	int fd = client("CONNECT 1024\n");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);

	(void)state;
	answer(&h, VIRTIO_VSOCK_OP_RW, "too early");
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
	says_end(fd);
}

/* The client goes before the guest has answered: the guest hears of it. */
static void test_client_gives_up(void **state)
{
	int fd = client("CONNECT 1024\n");

	(void)state;
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);
	(void)close(fd);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RST);
	fd = client("CONNECT");
	(void)close(fd);
	vguest_expect_none(&g);
}

/* A guest that does not answer and a client that does not speak: two seconds. */
static void test_silence(void **state)
{
	struct err err = ERR_INIT;
	int fd = client("CONNECT 1024\n"), mute = client("");
	struct virtio_vsock_hdr h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);

	(void)state;
	says_nothing(fd);
	says_nothing(mute);
	while (!vguest_recv(&g, &h, NULL))
		assert_int_equal(loop_turn(g.f.loop, 10000, &err), 0);
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RST);
	says_end(fd);
	while (recv(mute, &h, 1, 0) != 0)
		assert_int_equal(loop_turn(g.f.loop, 10000, &err), 0);
	(void)close(mute);
}

/* Ports of the host's side differ, as long as a connection holds them. */
static void test_ports_differ(void **state)
{
	int fds[4];

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct virtio_vsock_hdr h;

		fds[i] = client("CONNECT 1024\n");
		h = vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);
		assert_int_equal(h.src_port, FIRST_PORT + i);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
}

static void test_no_guest(void **state)
{
	int fd;

	(void)state;
	fake_reset(&g.f);
	says_end(client("CONNECT 1024\n"));
	vguest_start(&g, true);
	fd = client("CONNECT 1024\n");
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_REQUEST);
	fake_reset(&g.f);
	says_end(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connect),
		TEST(test_line_in_parts),
		TEST(test_bad_lines),
		TEST(test_guest_refuses),
		TEST(test_data_before_response),
		TEST(test_client_gives_up),
		TEST(test_silence),
		TEST(test_ports_differ),
		TEST(test_no_guest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
