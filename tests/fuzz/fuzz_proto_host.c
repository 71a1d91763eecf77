/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may send to the host's side of the agent. The input is the guest's bytes; before each
 * piece (its length in the first byte) the host makes a call, so that there is something to answer.
 * Every call is answered once, the connection is lost at most once, and text is printable.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "microvm/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_calls, n_answers, n_lost;

static void check_text(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
	}
}

static void on_ready(void *arg, const uint64_t boot_ns[2])
{
	(void)arg;
	(void)boot_ns;
}

static void on_exited(void *arg, const char *id, const char *exec, const struct agent_exit *e)
{
	(void)arg;
	check_text(id);
	check_text(exec);
	if (e->code < 0 || e->code > 255 || e->signal < 0 || e->signal > 64 ||
	    (e->code && e->signal))
		abort();
}

static void on_text(void *arg, const char *text)
{
	(void)arg;
	check_text(text);
}

static void on_lost(void *arg, const struct err *why)
{
	(void)arg;
	if (!why->code)
		abort();
	check_text(why->msg);
	n_lost++;
}

static void on_reply(void *arg, const struct proto_body *body, const struct err *why)
{
	struct agent_exit e;

	(void)arg;
	n_answers++;
	if (!body == !why)
		abort();
	if (why)
		check_text(why->msg);
	else if (agent_exit_of(body, &e, NULL) == 0 && e.code && e.signal)
		abort();
}

static const struct agent_events events = {on_ready, on_exited, on_text, on_text, on_lost};

/* The host's answers and requests, unread, must not make it wait. */
static void read_away(int guest)
{
	char rest[4096];

	while (recv(guest, rest, sizeof(rest), MSG_DONTWAIT) > 0)
		;
}

static void feed(struct loop *loop, struct agent *agent, int guest, const uint8_t *data,
		 size_t size)
{
	while (size) {
		size_t n = data[0];
		enum proto_op op = (enum proto_op)(data[0] % PROTO_OP_END);

		data++;
		size--;
		if (n > size)
			n = size;
		if (agent_call(agent, op, NULL, 0, on_reply, NULL, NULL) == 0)
			n_calls++;
		(void)!send(guest, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)!loop_turn(loop, 0, NULL);
		read_away(guest);
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loop *loop;
	struct agent *agent;
	int s[2];

	n_calls = n_answers = n_lost = 0;
	if (loop_new(&loop, NULL) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) < 0 ||
	    agent_new(loop, &events, NULL, &agent, NULL) < 0 ||
	    agent_connected(agent, s[0], NULL) < 0)
		abort();
	feed(loop, agent, s[1], data, size);
	close(s[1]);
	for (int i = 0; i < 3 && !n_lost; i++)
		(void)!loop_turn(loop, 0, NULL);
	agent_free(agent);
	loop_free(loop);
	if (n_calls != n_answers || n_lost > 1)
		abort();
	return 0;
}
