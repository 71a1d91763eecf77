/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices saved and made again in other memory with the same content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "microvm/state.h"
#include "microvm/virtio/balloon.h"
#include "microvm/virtio/net.h"
#include "microvm/virtio/rng.h"
#include "tests/unit/leaks.h"
#include "tests/unit/microvm/vsock_guest.h"

#define EVENTS_AT 0x800000u

/* What the driver has in its hands is the same on the other side. */
static void carry_over(struct fake *to, const struct fake *from)
{
	memcpy(fake_at(to, 0), from->memory.regions[0].host, FAKE_RAM);
	for (unsigned int q = 0; q < from->d->n_queues; q++) {
		uint64_t at = FAKE_RINGS * (q + 1ull);

		to->queues[q] = (struct fake_queue){
			.desc = (struct vring_desc *)(void *)fake_at(to, at),
			.avail = (struct vring_avail *)(void *)fake_at(to, at + 0x4000),
			.used = (struct vring_used *)(void *)fake_at(to, at + 0x8000),
			.last_used = from->queues[q].last_used,
		};
	}
}

static void save(struct fake *f, struct buf *state)
{
	struct err e = ERR_INIT;

	if (virtio_suspend(f->d, &e) < 0 || virtio_save(f->d, state, &e) < 0)
		fail_msg("%s", e.msg);
	virtio_resume(f->d);
}

static int restore(struct fake *f, const struct buf *state, struct err *err)
{
	struct state_in in = {(const uint8_t *)state->data, state->len, false};

	return virtio_restore(f->d, &in, err);
}

static void move(struct fake *to, struct fake *from)
{
	BUF state = BUF_INIT;
	struct err e = ERR_INIT;

	save(from, &state);
	carry_over(to, from);
	if (restore(to, &state, &e) < 0)
		fail_msg("%s", e.msg);
}

/* ---- sockets ---- */

static void give_events(struct vguest *g)
{
	for (uint16_t i = 0; i < 8; i++) {
		struct fake_buf b = {EVENTS_AT + i * 64u, sizeof(struct virtio_vsock_event), true};

		fake_add(&g->f, EVENT, i, &b, 1);
	}
}

static void sockets_are_reset(void **state)
{
	struct virtio_vsock_event event = {.id = 77};
	struct vguest a, b;
	uint16_t head = 0, asked = 0;
	uint32_t len = 0;

	(void)state;
	vguest_setup_with(&a, -1);
	vguest_setup_with(&b, -1);
	vguest_start(&a, true);
	give_events(&a);
	vguest_send(&a, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	(void)vguest_expect(&a, VIRTIO_VSOCK_OP_RESPONSE);
	vguest_reap_tx(&a);
	memcpy(fake_at(&a.f, EVENTS_AT), &event, sizeof(event));
	move(&b.f, &a.f);

	/* The event is there, and nothing else until its buffer is back. */
	assert_true(fake_used(&b.f, EVENT, &head, &len));
	assert_int_equal(len, sizeof(event));
	memcpy(&event, fake_at(&b.f, EVENTS_AT + head * 64u), sizeof(event));
	assert_int_equal(event.id, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	assert_true(b.f.interrupts > 0);
	vguest_send(&b, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	assert_int_equal(b.connects, 1);
	fake_turns(&b.f, 5);
	vguest_expect_none(&b);
	fake_kick(&b.f, EVENT);
	vguest_expect_none(&b);
	/* avail_event asks for a notification of the very next buffer. */
	memcpy(&asked, &b.f.queues[EVENT].used->ring[FAKE_SIZE], sizeof(asked));
	assert_int_equal(asked, b.f.queues[EVENT].avail->idx);
	fake_add(&b.f, EVENT, head, &(struct fake_buf){EVENTS_AT + head * 64u, sizeof(event), true},
		 1);
	fake_kick(&b.f, EVENT);
	(void)vguest_expect(&b, VIRTIO_VSOCK_OP_RESPONSE);
	vguest_teardown(&a);
	vguest_teardown(&b);
}

/* Those of the saved machine go on when it does. */
static void sockets_go_on(void **state)
{
	BUF saved = BUF_INIT;
	struct vguest g;
	char text[8] = "";

	(void)state;
	vguest_setup_with(&g, -1);
	vguest_start(&g, true);
	vguest_send(&g, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	(void)vguest_expect(&g, VIRTIO_VSOCK_OP_RESPONSE);
	save(&g.f, &saved);
	vguest_send(&g, VIRTIO_VSOCK_OP_RW, "hello", 5);
	assert_int_equal(read(g.host, text, sizeof(text)), 5);
	vguest_teardown(&g);
}

/* ---- network ---- */

static bool to_spare; /* what make_net makes */

static void make_net(struct fake *f, int *ret_tap, uint8_t last)
{
	struct net_config config = {.mac = {2, 0, 0, 0, 0, last}, .spare = to_spare};
	struct err e = ERR_INIT;
	int pair[2];

	fake_setup(f);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	config.fd = pair[0];
	*ret_tap = pair[1];
	if (virtio_net_new(&f->host, &config, &f->d, &e) < 0)
		fail_msg("%s", e.msg);
}

#define BUFFER_AT(i) (0x300000u + (i)*0x1000u)

static void give_buffer(struct fake *f, uint16_t i, uint32_t len)
{
	fake_add(f, RX, i, &(struct fake_buf){BUFFER_AT(i), len, true}, 1);
	fake_kick(f, RX);
}

/* A frame that waits for more buffers is lost, the buffers it has are not. */
static void frame_in_hand(void **state)
{
	uint8_t frame[12 + 600] = {0};
	int tap_a, tap_b;
	struct fake a, b;
	uint16_t head = 0;
	uint32_t len = 0;

	(void)state;
	make_net(&a, &tap_a, 1);
	make_net(&b, &tap_b, 1);
	fake_start(&a, a.d->offered);
	give_buffer(&a, 0, 128);
	assert_int_equal(send(tap_a, frame, sizeof(frame), 0), sizeof(frame));
	fake_turns(&a, 4);
	assert_false(fake_used(&a, RX, &head, &len));
	move(&b, &a);
	assert_true(fake_used(&b, RX, &head, &len));
	assert_int_equal(head, 0);
	assert_int_equal(len, 0);
	for (uint16_t i = 0; i < 8; i++)
		give_buffer(&b, i, 2048);
	frame[20] = 0x5a;
	assert_int_equal(send(tap_b, frame, sizeof(frame), 0), sizeof(frame));
	fake_turns(&b, 4);
	assert_true(fake_used(&b, RX, &head, &len));
	assert_int_equal(len, sizeof(frame));
	assert_int_equal(*fake_at(&b, BUFFER_AT(head) + 20), 0x5a);
	close(tap_a);
	close(tap_b);
	fake_teardown(&a);
	fake_teardown(&b);
}

/* A guest knows its address: a machine with another one is another machine. */
static void other_address(void **state)
{
	BUF saved = BUF_INIT;
	struct err e = ERR_INIT;
	int tap_a, tap_b;
	struct fake a, b;

	(void)state;
	make_net(&a, &tap_a, 1);
	make_net(&b, &tap_b, 2);
	fake_start(&a, a.d->offered);
	save(&a, &saved);
	assert_int_equal(restore(&b, &saved, &e), -EINVAL);
	assert_string_equal(e.msg, "device 'net': the snapshot's has the address 02:00:00:00:00:01, and "
				   "not 02:00:00:00:00:02");
	close(tap_a);
	close(tap_b);
	fake_teardown(&a);
	fake_teardown(&b);
}

static bool passes(struct fake *f, int tap, uint8_t last)
{
	const struct fake_buf bufs[] = {{BUFFER_AT(9), 12 + 60, false}};
	uint8_t frame[12 + 60] = {0}, got[100];
	uint16_t head;
	uint32_t len;

	frame[12 + 6] = 2;
	frame[12 + 11] = last;
	memcpy(fake_at(f, BUFFER_AT(9)), frame, sizeof(frame));
	fake_add(f, TX, 9, bufs, 1);
	fake_kick(f, TX);
	fake_turns(f, 4);
	assert_true(fake_used(f, TX, &head, &len));
	return recv(tap, got, sizeof(got), MSG_DONTWAIT) == (ssize_t)sizeof(frame);
}

/* One to spare becomes anybody's: what it shows stays, what it lets through is the new owner's. */
static void spare_address(void **state)
{
	uint8_t shown[6] = {0};
	int tap_a, tap_b;
	struct fake a, b;

	(void)state;
	to_spare = true;
	make_net(&a, &tap_a, 1);
	to_spare = false;
	make_net(&b, &tap_b, 2);
	fake_start(&a, a.d->offered);
	move(&b, &a);
	virtio_mmio_read(b.d, VIRTIO_MMIO_CONFIG, shown, sizeof(shown));
	assert_int_equal(shown[5], 1);
	assert_true(passes(&b, tap_b, 2));
	assert_false(passes(&b, tap_b, 1));
	/* Saved again it is to spare no more. */
	fake_teardown(&a);
	close(tap_a);
	make_net(&a, &tap_a, 2);
	move(&a, &b);
	virtio_mmio_read(a.d, VIRTIO_MMIO_CONFIG, shown, sizeof(shown));
	assert_int_equal(shown[5], 1);
	assert_true(passes(&a, tap_a, 2));
	close(tap_a);
	close(tap_b);
	fake_teardown(&a);
	fake_teardown(&b);
}

/* ---- balloon ---- */

static void make_balloon(struct fake *f)
{
	const struct balloon_config config = {.stats = true};
	struct err e = ERR_INIT;

	fake_setup(f);
	if (virtio_balloon_new(&f->host, &config, &f->d, &e) < 0)
		fail_msg("%s", e.msg);
}

/* The guest's buffer for statistics, which the device keeps, is given back by the other one. */
static void statistics_are_asked(void **state)
{
	struct balloon_state s;
	struct fake a, b;
	uint16_t head = 0;
	uint32_t len = 0;

	(void)state;
	make_balloon(&a);
	make_balloon(&b);
	fake_start(&a, a.d->offered);
	fake_add(&a, 2, 7, &(struct fake_buf){0x300000, 10, false}, 1);
	fake_kick(&a, 2);
	virtio_balloon_set_target(a.d, 1 << 20);
	assert_false(fake_used(&a, 2, &head, &len));
	move(&b, &a);
	assert_int_equal(virtio_balloon_ask_stats(b.d), 0);
	assert_true(fake_used(&b, 2, &head, &len));
	assert_int_equal(head, 7);
	virtio_balloon_state(b.d, &s);
	assert_int_equal(s.target, 1 << 20);
	fake_teardown(&a);
	fake_teardown(&b);
}

/* ---- any device ---- */

static void another_kind(void **state)
{
	BUF saved = BUF_INIT;
	struct err e = ERR_INIT;
	struct fake a, b;

	(void)state;
	make_balloon(&a);
	fake_setup(&b);
	assert_int_equal(virtio_rng_new(&b.host, &b.d, &e), 0);
	save(&a, &saved);
	assert_int_equal(restore(&b, &saved, &e), -EINVAL);
	assert_string_equal(e.msg,
			    "device 'rng': the snapshot has a device of kind 5 in its place");
	fake_teardown(&a);
	fake_teardown(&b);
}

/* A driver that has not begun, or is half-way, is no other on the other side. */
static void half_way(void **state)
{
	struct err e = ERR_INIT;
	struct fake a, b;

	(void)state;
	fake_setup(&a);
	fake_setup(&b);
	assert_int_equal(virtio_rng_new(&a.host, &a.d, &e), 0);
	assert_int_equal(virtio_rng_new(&b.host, &b.d, &e), 0);
	fake_write(&a, VIRTIO_MMIO_STATUS, 1);
	fake_write(&a, VIRTIO_MMIO_STATUS, 3);
	fake_write(&a, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fake_write(&a, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	move(&b, &a);
	assert_int_equal(fake_read(&b, VIRTIO_MMIO_STATUS), 3);
	fake_write(&b, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(fake_read(&b, VIRTIO_MMIO_STATUS), 11);
	fake_make_queue(&b, 0);
	fake_write(&b, VIRTIO_MMIO_STATUS, 15);
	assert_int_equal(fake_read(&b, VIRTIO_MMIO_STATUS), 15);
	fake_teardown(&a);
	fake_teardown(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_are_reset),
		cmocka_unit_test(sockets_go_on),
		cmocka_unit_test(frame_in_hand),
		cmocka_unit_test(other_address),
		cmocka_unit_test(spare_address),
		cmocka_unit_test(statistics_are_asked),
		cmocka_unit_test(another_kind),
		cmocka_unit_test(half_way),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
