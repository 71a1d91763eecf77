/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"

struct source {
	struct loop *loop;
	struct loop_source *s, *other;
	int fd;
	unsigned int calls;
	uint32_t events;
};

static struct loop *l;
static struct err e;

static int set_up(void **state)
{
	(void)state;
	return loop_new(&l, &e);
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(l);
	return 0;
}

static void count(void *arg, uint32_t events)
{
	struct source *s = arg;

	s->calls++;
	s->events = events;
}

static void add(struct source *s, loop_fn *fn)
{
	*s = (struct source){.loop = l, .fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
	assert_true(s->fd >= 0);
	assert_int_equal(loop_add(l, s->fd, EPOLLIN, fn, s, &s->s, &e), 0);
}

static void turn(void)
{
	assert_int_equal(loop_turn(l, 0, &e), 0);
}

static void events(void **state)
{
	struct source s;

	(void)state;
	add(&s, count);
	turn();
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.events, EPOLLIN);
	assert_int_equal(loop_set_events(s.s, EPOLLOUT, &e), 0);
	turn();
	assert_int_equal(s.events, EPOLLOUT);
	assert_int_equal(loop_set_events(s.s, 0, &e), 0);
	turn();
	assert_int_equal(s.calls, 2);
	loop_remove(s.s);
	loop_remove(NULL);
	close(s.fd);
}

static void remove_itself(void *arg, uint32_t events)
{
	struct source *s = arg;

	count(arg, events);
	loop_remove(s->s);
}

static void removed_in_its_own_function(void **state)
{
	struct source s;

	(void)state;
	add(&s, remove_itself);
	turn();
	turn();
	assert_int_equal(s.calls, 1);
	close(s.fd);
}

static void remove_other(void *arg, uint32_t events)
{
	struct source *s = arg;

	count(arg, events);
	loop_remove(s->other);
	s->other = NULL;
}

/* Both are ready in the same round: whoever comes first removes the other, which is not called. */
static void removed_by_another(void **state)
{
	struct source a, b;

	(void)state;
	add(&a, remove_other);
	add(&b, remove_other);
	a.other = b.s;
	b.other = a.s;
	turn();
	assert_int_equal(a.calls + b.calls, 1);
	close(a.fd);
	close(b.fd);
}

static void timer(void **state)
{
	struct source s = {.events = 7};

	(void)state;
	assert_int_equal(loop_add_timer(l, count, &s, &s.s, &e), 0);
	turn();
	assert_int_equal(s.calls, 0);
	assert_int_equal(loop_set_timer(s.s, 1, &e), 0);
	assert_int_equal(loop_turn(l, 10000, &e), 0);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.events, 0);
	turn();
	assert_int_equal(s.calls, 1); /* once */
	assert_int_equal(loop_set_timer(s.s, 3600ull * 1000000000, &e), 0);
	assert_int_equal(loop_set_timer(s.s, 0, &e), 0);
	turn();
	assert_int_equal(s.calls, 1);
	loop_remove(s.s);
}

static void stop(void *arg, uint32_t events)
{
	struct source *s = arg;

	count(arg, events);
	if (s->calls == 3)
		loop_stop(s->loop);
}

static void stopped_from_within(void **state)
{
	struct source s;

	(void)state;
	add(&s, stop);
	assert_int_equal(loop_run(l, &e), 0);
	assert_int_equal(s.calls, 3);
	close(s.fd);
}

static void what_cannot_be_watched(void **state)
{
	struct loop_source *s = NULL;

	(void)state;
	assert_int_equal(loop_add(l, -1, EPOLLIN, count, NULL, &s, &e), -EBADF);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(events), TEST(removed_in_its_own_function), TEST(removed_by_another),
		TEST(timer),  TEST(stopped_from_within),         TEST(what_cannot_be_watched),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
