/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls, answers and events with an agent on the other end of a socket pair, honest and hostile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "microvm/agent.h"
#include "tests/unit/leaks.h"

static struct loop *loop;
static struct agent *agent;
static struct proto_reader in; /* the guest's */
static int guest;
static struct err err, lost_err, why_err;
static int n_ready, n_exited, n_oom, n_logs, n_lost, n_replies, n_failures;
static uint64_t boot[2];
static struct agent_exit last_exit;
static char last_id[64], last_exec[64], last_text[512], last_pid[16];

static void on_ready(void *arg, const uint64_t boot_ns[2])
{
	assert_ptr_equal(arg, &agent);
	memcpy(boot, boot_ns, sizeof(boot));
	n_ready++;
}

static void on_exited(void *arg, const char *id, const char *exec, const struct agent_exit *e)
{
	(void)arg;
	(void)snprintf(last_id, sizeof(last_id), "%s", id);
	(void)snprintf(last_exec, sizeof(last_exec), "%s", exec);
	last_exit = *e;
	n_exited++;
}

static void on_oom(void *arg, const char *id)
{
	(void)arg;
	(void)snprintf(last_id, sizeof(last_id), "%s", id);
	n_oom++;
}

static void on_log(void *arg, const char *text)
{
	(void)arg;
	(void)snprintf(last_text, sizeof(last_text), "%s", text);
	n_logs++;
}

static void on_lost(void *arg, const struct err *why)
{
	(void)arg;
	lost_err = *why;
	n_lost++;
	agent_free(agent);
	agent = NULL;
}

static void on_reply(void *arg, const struct proto_body *body, const struct err *why)
{
	uint32_t pid = 0;

	assert_ptr_equal(arg, &n_replies);
	assert_true(!body != !why);
	if (why) {
		why_err = *why;
		n_failures++;
		return;
	}
	n_replies++;
	if (proto_get_u32(body, PROTO_F_PID, &pid, &err) == 1)
		(void)snprintf(last_pid, sizeof(last_pid), "%u", pid);
}

static const struct agent_events events = {on_ready, on_exited, on_oom, on_log, on_lost};

static int set_up(void **state)
{
	int s[2];

	n_ready = n_exited = n_oom = n_logs = n_lost = n_replies = n_failures = 0;
	lost_err = why_err = (struct err)ERR_INIT;
	if (leaks_setup(state) < 0 || loop_new(&loop, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) < 0)
		return -1;
	guest = s[0];
	proto_reader_init(&in);
	if (agent_new(loop, &events, &agent, &agent, &err) < 0)
		return -1;
	return agent_connected(agent, s[1], &err);
}

static int tear_down(void **state)
{
	agent_free(agent);
	agent = NULL;
	loop_free(loop);
	proto_reader_release(&in);
	close(guest);
	return leaks_teardown(state);
}

static void turns(int n)
{
	while (n--)
		assert_int_equal(loop_turn(loop, 0, &err), 0);
}

/* What the guest sends: a frame with the fields in b (NULL: none), which it empties. */
static void send_frame(uint16_t op, uint16_t flags, uint32_t id, uint32_t error, struct buf *b)
{
	struct proto_frame f = {.op = op, .flags = flags, .id = id, .error = error};
	struct proto_writer w;

	proto_writer_init(&w);
	if (b)
		f.body = proto_body_of(b);
	assert_int_equal(proto_send(&w, &f, &err), 0);
	assert_int_equal(proto_flush(&w, guest, &err), 0);
	proto_writer_release(&w);
	if (b)
		buf_reset(b);
	turns(2);
}

static const struct proto_frame *receive(void)
{
	turns(2);
	if (proto_read(&in, guest, &err) != PROTO_READ_FRAME)
		fail_msg("nothing has come");
	return &in.frame;
}

static void send_hello(uint32_t version)
{
	static const uint64_t times[2] = {11, 22};
	BUF b = BUF_INIT;

	proto_put_u32(&b, PROTO_F_VERSION, version);
	proto_put_u64(&b, PROTO_F_FEATURES, 7);
	proto_put_u64s(&b, PROTO_F_BOOT_NS, times, 2);
	send_frame(PROTO_HELLO, 0, 1, 0, &b);
}

static void greet(void)
{
	send_hello(PROTO_VERSION);
	(void)receive();
	assert_int_equal(n_ready, 1);
}

/* Returns the request's id, as the guest has seen it. */
static uint32_t call(enum proto_op op, uint32_t timeout_ms)
{
	const struct proto_frame *f;

	assert_int_equal(agent_call(agent, op, NULL, timeout_ms, on_reply, &n_replies, &err), 0);
	f = receive();
	assert_int_equal(f->op, op);
	assert_int_equal(f->flags, 0);
	return f->id;
}

static void is_lost(int code)
{
	turns(2);
	assert_int_equal(n_lost, 1);
	assert_int_equal(lost_err.code, code);
	assert_null(agent);
}

/* ---- honest ---- */

static void test_hello(void **state)
{
	const struct proto_frame *f;
	uint8_t entropy[PROTO_ENTROPY_LEN];
	uint64_t clock = 0;
	uint32_t version = 0;
	int zeros = 0;

	(void)state;
	assert_int_equal(agent_call(agent, PROTO_PS, NULL, 0, on_reply, &n_replies, &err),
			 -ENOTCONN);
	assert_false(agent_is_ready(agent));
	send_hello(PROTO_VERSION);
	f = receive();
	assert_int_equal(f->op, PROTO_HELLO);
	assert_int_equal(f->flags, PROTO_REPLY);
	assert_int_equal(f->id, 1);
	assert_int_equal(f->error, 0);
	assert_int_equal(proto_get_u32(&f->body, PROTO_F_VERSION, &version, &err), 1);
	assert_int_equal(proto_get_u64(&f->body, PROTO_F_CLOCK_NS, &clock, &err), 1);
	assert_int_equal(proto_get_array(&f->body, PROTO_F_ENTROPY, entropy, sizeof(entropy), &err),
			 1);
	for (size_t i = 0; i < sizeof(entropy); i++)
		zeros += entropy[i] == 0;
	assert_true(zeros < 8);
	assert_true(clock / 1000000000 - (uint64_t)time(NULL) + 5 < 10);
	assert_int_equal(version, PROTO_VERSION);
	assert_int_equal(n_ready, 1);
	assert_int_equal(boot[0], 11);
	assert_int_equal(boot[1], 22);
	assert_true(agent_is_ready(agent));
}

static void test_answers_find_their_calls(void **state)
{
	uint32_t first, second, third;
	BUF b = BUF_INIT;

	(void)state;
	greet();
	first = call(PROTO_CREATE, 0);
	second = call(PROTO_START, 5000);
	third = call(PROTO_WAIT, 0);
	proto_put_string(&b, PROTO_F_MESSAGE, "no\nsuch\033thing");
	send_frame(PROTO_START, PROTO_REPLY, second, ENOENT, &b);
	assert_int_equal(n_failures, 1);
	assert_int_equal(why_err.code, ENOENT);
	assert_string_equal(why_err.msg, "no?such?thing");
	proto_put_u32(&b, PROTO_F_PID, 42);
	send_frame(PROTO_CREATE, PROTO_REPLY, first, 0, &b);
	assert_int_equal(n_replies, 1);
	assert_string_equal(last_pid, "42");
	send_frame(PROTO_WAIT, PROTO_REPLY, third, 0, NULL);
	assert_int_equal(n_replies, 2);
	assert_int_equal(n_lost, 0);
}

static void test_body_arrives(void **state)
{
	FREE char *config = mem_xalloc(700001);
	BUF b = BUF_INIT;
	const struct proto_frame *f = NULL;
	char *got = NULL;

	(void)state;
	greet();
	memset(config, 'c', 700000);
	proto_put_string(&b, PROTO_F_CONFIG, config);
	assert_int_equal(agent_call(agent, PROTO_CREATE, &b, 0, on_reply, &n_replies, &err), 0);
	for (int i = 0; i < 100 && !f; i++) {
		turns(1);
		if (proto_read(&in, guest, &err) == PROTO_READ_FRAME)
			f = &in.frame;
	}
	assert_non_null(f);
	assert_int_equal(proto_get_string(&f->body, PROTO_F_CONFIG, PROTO_BODY_MAX, &got, &err), 1);
	assert_string_equal(got, config);
	free(got);
	for (size_t i = 0; i < 2; i++)
		proto_put_string(&b, PROTO_F_DATA, config);
	assert_int_equal(agent_call(agent, PROTO_CREATE, &b, 0, on_reply, &n_replies, &err),
			 -E2BIG);
}

static void test_events(void **state)
{
	static const uint64_t written[2] = {5, 6};
	BUF b = BUF_INIT;

	(void)state;
	greet();
	proto_put_u32(&b, PROTO_F_EVENT, PROTO_EVENT_EXIT);
	proto_put_string(&b, PROTO_F_ID, "box");
	proto_put_string(&b, PROTO_F_EXEC_ID, "e1");
	proto_put_u32(&b, PROTO_F_STATUS, 3 << 8);
	proto_put_u64s(&b, PROTO_F_WRITTEN, written, 2);
	send_frame(PROTO_EVENT, 0, 0, 0, &b);
	assert_int_equal(n_exited, 1);
	assert_string_equal(last_id, "box");
	assert_string_equal(last_exec, "e1");
	assert_int_equal(last_exit.code, 3);
	assert_int_equal(last_exit.signal, 0);
	assert_false(last_exit.oom);
	assert_int_equal(last_exit.written[1], 6);
	proto_put_u32(&b, PROTO_F_EVENT, PROTO_EVENT_EXIT);
	proto_put_string(&b, PROTO_F_ID, "box");
	proto_put_u32(&b, PROTO_F_STATUS, 9 | 0x80);
	proto_put_u32(&b, PROTO_F_OOM, 1);
	send_frame(PROTO_EVENT, 0, 0, 0, &b);
	assert_int_equal(n_exited, 2);
	assert_string_equal(last_exec, "");
	assert_int_equal(last_exit.signal, 9);
	assert_true(last_exit.oom);
	proto_put_u32(&b, PROTO_F_EVENT, PROTO_EVENT_OOM);
	proto_put_string(&b, PROTO_F_ID, "box");
	send_frame(PROTO_EVENT, 0, 0, 0, &b);
	assert_int_equal(n_oom, 1);
	proto_put_u32(&b, PROTO_F_EVENT, PROTO_EVENT_LOG);
	proto_put_string(&b, PROTO_F_TEXT, "a\033[31mb\n");
	send_frame(PROTO_EVENT, 0, 0, 0, &b);
	assert_string_equal(last_text, "a?[31mb?");
	/* of a later version: passed over */
	proto_put_u32(&b, PROTO_F_EVENT, 77);
	send_frame(PROTO_EVENT, 0, 0, 0, &b);
	assert_int_equal(n_lost, 0);
}

static void test_timeout(void **state)
{
	uint32_t slow, id;

	(void)state;
	greet();
	slow = call(PROTO_WAIT, 0);
	id = call(PROTO_PS, 20);
	for (int i = 0; i < 100 && !n_failures; i++)
		assert_int_equal(loop_turn(loop, 20, &err), 0);
	assert_int_equal(n_failures, 1);
	assert_int_equal(why_err.code, ETIMEDOUT);
	/* too late: dropped */
	send_frame(PROTO_PS, PROTO_REPLY, id, 0, NULL);
	assert_int_equal(n_replies, 0);
	send_frame(PROTO_WAIT, PROTO_REPLY, slow, 0, NULL);
	assert_int_equal(n_replies, 1);
	assert_int_equal(n_lost, 0);
}

static void test_outstanding_calls_are_bounded(void **state)
{
	(void)state;
	greet();
	for (int i = 0; i < PROTO_PENDING_MAX; i++)
		assert_int_equal(agent_call(agent, PROTO_PS, NULL, 0, on_reply, &n_replies, &err),
				 0);
	assert_int_equal(agent_call(agent, PROTO_PS, NULL, 0, on_reply, &n_replies, &err), -EAGAIN);
	for (int i = 0; i < AGENT_WAITS_MAX; i++)
		assert_int_equal(agent_call(agent, PROTO_WAIT, NULL, 0, on_reply, &n_replies, &err),
				 0);
	assert_int_equal(agent_call(agent, PROTO_WAIT, NULL, 0, on_reply, &n_replies, &err),
			 -EAGAIN);
	assert_int_equal(n_failures, 0);
	agent_free(agent);
	agent = NULL;
	assert_int_equal(n_failures, PROTO_PENDING_MAX + AGENT_WAITS_MAX);
	assert_int_equal(why_err.code, ECANCELED);
	assert_int_equal(n_lost, 0);
}

static void test_end_of_agent_answers_all(void **state)
{
	(void)state;
	greet();
	(void)call(PROTO_WAIT, 0);
	(void)call(PROTO_PS, 1000);
	shutdown(guest, SHUT_RDWR);
	is_lost(ECONNRESET);
	assert_int_equal(n_failures, 2);
	assert_int_equal(why_err.code, ECONNRESET);
}

static void test_second_connection_is_refused(void **state)
{
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(agent_connected(agent, s[0], &err), -EBUSY);
	close(s[1]);
}

static void test_exit_of_wait(void **state)
{
	static const struct {
		uint32_t status;
		int rc, code, signal;
	} cases[] = {
		{0, 0, 0, 0},
		{255 << 8, 0, 255, 0},
		{1, 0, 0, 1},
		{64, 0, 0, 64},
		{65, -EPROTO, 0, 0},
		{0x7f, -EPROTO, 0, 0},
		{0x137f, -EPROTO, 0, 0},
		{0xffff, -EPROTO, 0, 0},
		{0x10000, -EPROTO, 0, 0},
		{UINT32_MAX, -EPROTO, 0, 0},
	};
	struct proto_body empty = {NULL, 0};
	struct agent_exit e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		BUF b = BUF_INIT;
		struct proto_body body;

		proto_put_u32(&b, PROTO_F_STATUS, cases[i].status);
		body = proto_body_of(&b);
		assert_int_equal(agent_exit_of(&body, &e, &err), cases[i].rc);
		if (cases[i].rc)
			continue;
		assert_int_equal(e.code, cases[i].code);
		assert_int_equal(e.signal, cases[i].signal);
	}
	assert_int_equal(agent_exit_of(&empty, &e, &err), -EPROTO);
}

/* ---- hostile ---- */

static void test_no_hello(void **state)
{
	(void)state;
	send_frame(PROTO_EVENT, 0, 0, 0, NULL);
	is_lost(EPROTO);
	assert_int_equal(n_ready, 0);
}

static void test_hello_as_answer(void **state)
{
	(void)state;
	send_frame(PROTO_HELLO, PROTO_REPLY, 1, 0, NULL);
	is_lost(EPROTO);
}

static void test_hello_twice(void **state)
{
	(void)state;
	greet();
	send_hello(PROTO_VERSION);
	is_lost(EPROTO);
}

static void test_other_version(void **state)
{
	(void)state;
	send_hello(PROTO_VERSION + 1);
	is_lost(EPROTO);
}

static void test_hello_without_times(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	proto_put_u32(&b, PROTO_F_VERSION, PROTO_VERSION);
	send_frame(PROTO_HELLO, 0, 1, 0, &b);
	is_lost(EPROTO);
}

static void test_answer_to_nothing(void **state)
{
	(void)state;
	greet();
	send_frame(PROTO_PS, PROTO_REPLY, 1, 0, NULL);
	is_lost(EPROTO);
}

static void test_answer_with_another_operation(void **state)
{
	uint32_t id;

	(void)state;
	greet();
	id = call(PROTO_PS, 0);
	send_frame(PROTO_STATS, PROTO_REPLY, id, 0, NULL);
	is_lost(EPROTO);
	assert_int_equal(n_replies, 0);
	assert_int_equal(n_failures, 1);
}

static void test_answer_twice(void **state)
{
	uint32_t id;

	(void)state;
	greet();
	id = call(PROTO_PS, 0);
	send_frame(PROTO_PS, PROTO_REPLY, id, 0, NULL);
	send_frame(PROTO_PS, PROTO_REPLY, id, 0, NULL);
	assert_int_equal(n_replies, 1);
	send_frame(PROTO_PS, PROTO_REPLY, 0, 0, NULL);
	is_lost(EPROTO);
}

static void test_broken_events(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	greet();
	proto_put_u32(&b, PROTO_F_EVENT, PROTO_EVENT_EXIT);
	proto_put_string(&b, PROTO_F_ID, "box");
	proto_put_u32(&b, PROTO_F_STATUS, 0x7f);
	send_frame(PROTO_EVENT, 0, 0, 0, &b);
	is_lost(EPROTO);
	assert_int_equal(n_exited, 0);
}

static void test_requests_of_the_guest(void **state)
{
	const struct proto_frame *f;

	(void)state;
	greet();
	send_frame(PROTO_CREATE, 0, 9, 0, NULL);
	f = receive();
	assert_int_equal(f->error, ENOSYS);
	assert_int_equal(f->id, 9);
	assert_int_equal(f->flags, PROTO_REPLY);
	send_frame(12345, 0, 10, 0, NULL);
	assert_int_equal(receive()->error, ENOSYS);
	assert_int_equal(n_lost, 0);
}

/* A guest that asks and never reads: the queue of answers fills up, no more. */
static void test_flood_without_reading(void **state)
{
	uint8_t frames[16 * 256] = {0};

	(void)state;
	greet();
	for (size_t i = 0; i < 256; i++)
		frames[i * 16 + 4] = PROTO_CREATE;
	for (int i = 0; i < 4000 && !n_lost; i++) {
		(void)!send(guest, frames, sizeof(frames), MSG_NOSIGNAL);
		turns(20);
	}
	is_lost(ENOBUFS);
}

static void test_log_flood(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	greet();
	for (int i = 0; i < 1000; i++) {
		proto_put_u32(&b, PROTO_F_EVENT, PROTO_EVENT_LOG);
		proto_put_string(&b, PROTO_F_TEXT, "again");
		send_frame(PROTO_EVENT, 0, 0, 0, &b);
	}
	assert_true(n_logs > 0 && n_logs <= 128);
	assert_int_equal(n_lost, 0);
}

static void test_garbage(void **state)
{
	(void)state;
	greet();
	assert_int_equal(send(guest, "\xff\xff\xff\xff garbage ....", 17, 0), 17);
	is_lost(EPROTO);
}

static void test_cut_frame(void **state)
{
	(void)state;
	greet();
	assert_int_equal(send(guest, "\1", 1, 0), 1);
	shutdown(guest, SHUT_WR);
	is_lost(ECONNRESET);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_hello),
		TEST(test_answers_find_their_calls),
		TEST(test_body_arrives),
		TEST(test_events),
		TEST(test_timeout),
		TEST(test_outstanding_calls_are_bounded),
		TEST(test_end_of_agent_answers_all),
		TEST(test_second_connection_is_refused),
		TEST(test_exit_of_wait),
		TEST(test_no_hello),
		TEST(test_hello_as_answer),
		TEST(test_hello_twice),
		TEST(test_other_version),
		TEST(test_hello_without_times),
		TEST(test_answer_to_nothing),
		TEST(test_answer_with_another_operation),
		TEST(test_answer_twice),
		TEST(test_broken_events),
		TEST(test_requests_of_the_guest),
		TEST(test_flood_without_reading),
		TEST(test_log_flood),
		TEST(test_garbage),
		TEST(test_cut_frame),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
