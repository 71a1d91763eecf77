/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console: what comes through, and that no flood of output or input grows anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "microvm/virtio/console.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/fake.h"

#define DATA    0x200000u
#define LOG_MAX 16384u
#define SIZE    1ull /* VIRTIO_CONSOLE_F_SIZE */

enum { RX, TX };

static struct fake f;
static int host = -1; /* our end of what the console is connected to */

static void start(const struct console_config *config)
{
	struct err e = ERR_INIT;

	if (virtio_console_new(&f.host, config, &f.d, &e))
		fail_msg("%s", e.msg);
	fake_start(&f, SIZE);
	fake_turns(&f, 2);
}

static int set_up(void **state)
{
	(void)state;
	fake_setup(&f);
	return 0;
}

/* Input and output are one socket. */
static int set_up_socket(void **state)
{
	struct console_config config = {.columns = 80, .rows = 25};
	int fds[2];

	set_up(state);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	host = fds[0];
	config.in_fd = config.out_fd = fds[1];
	start(&config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_teardown(&f);
	fd_replace(&host, -1);
	return 0;
}

static void kick(unsigned int q)
{
	fake_write(&f, VIRTIO_MMIO_QUEUE_NOTIFY, q);
	fake_turns(&f, 2);
}

static void say(const struct fake_buf *bufs, unsigned int n)
{
	uint16_t head;
	uint32_t len;

	fake_add(&f, TX, 0, bufs, n);
	kick(TX);
	assert_true(fake_used(&f, TX, &head, &len));
	assert_int_equal(len, 0);
}

static void send_bytes(uint8_t byte, uint32_t len)
{
	const struct fake_buf b = {DATA, len, false};

	memset(fake_at(&f, DATA), byte, len);
	say(&b, 1);
}

static void give_buffer(uint16_t head, uint32_t len)
{
	const struct fake_buf b = {DATA + head * 0x1000u, len, true};

	memset(fake_at(&f, b.gpa), 0, len);
	fake_add(&f, RX, head, &b, 1);
}

static void received(uint16_t head, const char *text)
{
	uint16_t found;
	uint32_t len;

	assert_true(fake_used(&f, RX, &found, &len));
	assert_int_equal(found, head);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(fake_at(&f, DATA + head * 0x1000u), text, len);
}

static struct console_stats stats(void)
{
	struct console_stats s;

	virtio_console_stats(f.d, &s);
	return s;
}

/* ---- output ---- */

static void output(void **state)
{
	const struct fake_buf bufs[] = {
		{DATA, 3, false}, {DATA + 3, 0, false}, {DATA + 3, 9, false}};
	char found[64];

	(void)state;
	memcpy(fake_at(&f, DATA), "hello, world", 12);
	say(bufs, 3);
	assert_int_equal(read(host, found, sizeof(found)), 12);
	assert_memory_equal(found, "hello, world", 12);
	assert_int_equal(stats().out, 12);
	assert_int_equal(stats().dropped, 0);
}

static void output_that_nobody_reads(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++)
		send_bytes('x', 65536);
	assert_true(stats().dropped > 0);
	assert_int_equal(stats().out + stats().dropped, 200 * 65536);
}

static void output_to_nowhere(void **state)
{
	const struct console_config config = {.out_fd = -1, .in_fd = -1};

	(void)state;
	start(&config);
	send_bytes('x', 100);
	assert_int_equal(stats().dropped, 100);
	give_buffer(1, 10);
	kick(RX);
}

static void reader_gone(void **state)
{
	(void)state;
	fd_replace(&host, -1);
	send_bytes('x', 100);
	assert_int_equal(stats().dropped, 100);
}

/* A request of 4 GiB less a bit, made of the same memory again and again. */
static void endless_request(void **state)
{
	struct fake_buf bufs[250];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bufs); i++)
		bufs[i] = (struct fake_buf){DATA, 16u << 20, false};
	say(bufs, ARRAY_SIZE(bufs));
	assert_true(stats().out <= 64 << 10);
	assert_int_equal(stats().out + stats().dropped, 250ull * (16 << 20));
}

static void wrong_direction(void **state)
{
	const struct fake_buf in = {DATA, 100, true};
	const struct fake_buf out = {DATA + 0x1000, 100, false};
	uint16_t head;
	uint32_t len;

	(void)state;
	say(&in, 1);
	assert_int_equal(stats().out + stats().dropped, 0);
	fake_add(&f, RX, 1, &out, 1);
	kick(RX);
	assert_int_equal(write(host, "x", 1), 1);
	fake_turns(&f, 2);
	assert_true(fake_used(&f, RX, &head, &len));
	assert_int_equal(len, 0);
	give_buffer(2, 10);
	kick(RX);
	received(2, "x");
}

static void output_storm(void **state)
{
	const struct fake_buf b = {DATA, 1, false};
	unsigned int done = 0;
	uint16_t head;
	uint32_t len;

	(void)state;
	for (unsigned int i = 0; i < FAKE_SIZE; i++)
		fake_add(&f, TX, 0, &b, 1);
	fake_kick(&f, TX);
	while (fake_used(&f, TX, &head, &len))
		done++;
	assert_in_range(done, 1, FAKE_SIZE - 1);
	fake_turns(&f, 10);
	while (fake_used(&f, TX, &head, &len))
		done++;
	assert_int_equal(done, FAKE_SIZE);
}

/* ---- the log ---- */

static void log_keeps_the_newest(void **state)
{
	const struct console_config config = {
		.out_fd = memfd_create("log", MFD_CLOEXEC), .log_max = LOG_MAX, .in_fd = -1};
	uint8_t found[LOG_MAX];
	struct stat st;

	(void)state;
	host = fd_dup(config.out_fd, NULL);
	start(&config);
	send_bytes('a', 100);
	assert_int_equal(fstat(host, &st), 0);
	assert_int_equal(st.st_size, 100);
	for (int i = 0; i < 100; i++) {
		send_bytes((uint8_t)i, 1000);
		assert_int_equal(fstat(host, &st), 0);
		assert_in_range(st.st_size, 100, LOG_MAX);
	}
	assert_int_equal(stats().out, 100100);
	assert_true(st.st_size >= LOG_MAX / 2);
	assert_int_equal(pread(host, found, LOG_MAX, 0), st.st_size);
	for (off_t i = 0; i < st.st_size; i++)
		assert_int_equal(found[st.st_size - 1 - i], 99 - i / 1000);
}

static void log_goes_on_in_a_file(void **state)
{
	const struct console_config config = {
		.out_fd = memfd_create("log", MFD_CLOEXEC), .log_max = LOG_MAX, .in_fd = -1};
	struct stat st;
	char found[10];

	(void)state;
	host = fd_dup(config.out_fd, NULL);
	assert_int_equal(ftruncate(host, 10 * LOG_MAX), 0);
	assert_int_equal(pwrite(host, "old", 3, 10 * LOG_MAX - 3), 3);
	start(&config);
	send_bytes('n', 3);
	assert_int_equal(fstat(host, &st), 0);
	assert_int_equal(st.st_size, LOG_MAX / 2 + 3);
	assert_int_equal(pread(host, found, 6, st.st_size - 6), 6);
	assert_memory_equal(found, "oldnnn", 6);
}

static void wrong_files(void **state)
{
	const struct {
		const char *path;
		int flags;
		bool input;
	} rows[] = {{"/proc/self/exe", O_RDONLY, false}, {"/proc/self/exe", O_RDONLY, true}};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLOSE_FD int fd = open(rows[i].path, rows[i].flags | O_CLOEXEC);
		const struct console_config config = {.out_fd = rows[i].input ? -1 : fd,
						      .in_fd = rows[i].input ? fd : -1};

		assert_true(fd >= 0);
		assert_true(virtio_console_new(&f.host, &config, &f.d, &e) < 0);
		f.d = NULL;
	}
}

/* ---- input ---- */

static void input(void **state)
{
	(void)state;
	give_buffer(1, 100);
	give_buffer(2, 2);
	give_buffer(3, 100);
	kick(RX);
	assert_int_equal(write(host, "one", 3), 3);
	fake_turns(&f, 2);
	received(1, "one");
	assert_int_equal(write(host, "three", 5), 5);
	fake_turns(&f, 2);
	received(2, "th");
	received(3, "ree");
	assert_int_equal(stats().in, 8);
	assert_true(f.interrupts > 0);
}

static void input_before_there_is_room(void **state)
{
	(void)state;
	assert_int_equal(write(host, "early", 5), 5);
	fake_turns(&f, 2);
	give_buffer(1, 0);
	give_buffer(2, 100);
	kick(RX);
	received(1, "");
	received(2, "early");
}

static void input_across_a_reset(void **state)
{
	uint16_t head;
	uint32_t len;

	(void)state;
	give_buffer(1, 100);
	kick(RX);
	fake_reset(&f);
	assert_int_equal(write(host, "kept", 4), 4);
	fake_turns(&f, 2);
	assert_false(fake_used(&f, RX, &head, &len));
	fake_start(&f, SIZE);
	give_buffer(2, 100);
	kick(RX);
	received(2, "kept");
}

static void input_ends(void **state)
{
	uint16_t head;
	uint32_t len;

	(void)state;
	give_buffer(1, 100);
	give_buffer(2, 100);
	kick(RX);
	assert_int_equal(write(host, "last", 4), 4);
	fd_replace(&host, -1);
	fake_turns(&f, 3);
	received(1, "last");
	kick(RX);
	assert_false(fake_used(&f, RX, &head, &len));
}

static void input_flood(void **state)
{
	static const char bytes[64] = "0123456789abcdef";
	unsigned int done = 0;
	uint16_t head;
	uint32_t len;

	(void)state;
	for (uint16_t i = 0; i < 128; i++)
		give_buffer(i, 1);
	fake_kick(&f, RX);
	assert_int_equal(write(host, bytes, sizeof(bytes)), sizeof(bytes));
	fake_turns(&f, 1);
	while (fake_used(&f, RX, &head, &len))
		done++;
	assert_in_range(done, 1, 32);
	fake_turns(&f, 20);
	while (fake_used(&f, RX, &head, &len))
		done++;
	assert_int_equal(done, 64);
}

static void broken_queues(void **state)
{
	const unsigned int queues[] = {RX, TX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		f.queues[queues[i]].avail->idx = 1000;
		assert_int_equal(write(host, "x", 1), 1);
		kick(queues[i]);
		assert_true(fake_read(&f, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
		fake_reset(&f);
		fake_start(&f, SIZE);
	}
	give_buffer(1, 100);
	kick(RX);
	received(1, "xx");
}

/* ---- size ---- */

static void size(void **state)
{
	uint32_t generation = fake_read(&f, VIRTIO_MMIO_CONFIG_GENERATION);

	(void)state;
	assert_int_equal(fake_read(&f, VIRTIO_MMIO_CONFIG), 25u << 16 | 80);
	virtio_console_resize(f.d, 132, 50);
	assert_int_equal(fake_read(&f, VIRTIO_MMIO_CONFIG), 50u << 16 | 132);
	assert_int_not_equal(fake_read(&f, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	assert_true(fake_read(&f, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(f.interrupts, 1);
	fake_write(&f, VIRTIO_MMIO_CONFIG, 0);
	assert_int_equal(fake_read(&f, VIRTIO_MMIO_CONFIG), 50u << 16 | 132);
}

#define TEST(fn)   cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define SOCKET(fn) cmocka_unit_test_setup_teardown(fn, set_up_socket, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOCKET(output),
		SOCKET(output_that_nobody_reads),
		TEST(output_to_nowhere),
		SOCKET(reader_gone),
		SOCKET(endless_request),
		SOCKET(wrong_direction),
		SOCKET(output_storm),
		TEST(log_keeps_the_newest),
		TEST(log_goes_on_in_a_file),
		TEST(wrong_files),
		SOCKET(input),
		SOCKET(input_before_there_is_room),
		SOCKET(input_across_a_reset),
		SOCKET(input_ends),
		SOCKET(input_flood),
		SOCKET(broken_queues),
		SOCKET(size),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
