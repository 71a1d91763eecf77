/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers of frames that a guest sends: what passes, what is cleared, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "microvm/virtio/net_frame.h"

#define BIT(n)   (1ull << VIRTIO_NET_F_##n)
#define OFFLOADS (BIT(CSUM) | BIT(HOST_TSO4) | BIT(HOST_TSO6))

static void test_headers(void **state)
{
	enum { PASS, DROP, CLEARED };
	static const struct {
		const char *what;
		struct virtio_net_hdr_v1 h;
		uint64_t features;
		int fate;
	} cases[] = {
		{"plain", {0}, 0, PASS},
		{"checksum", {.flags = 1, .csum_start = 34, .csum_offset = 16}, OFFLOADS, PASS},
		{"checksum, not negotiated", {.flags = 1, .csum_start = 34}, 0, DROP},
		{"checksum at the end", {.flags = 1, .csum_start = 98}, OFFLOADS, PASS},
		{"checksum over the end", {.flags = 1, .csum_start = 99}, OFFLOADS, DROP},
		{"sum of both over the end",
		 {.flags = 1, .csum_start = 50, .csum_offset = 49},
		 OFFLOADS,
		 DROP},
		{"both at their limits",
		 {.flags = 1, .csum_start = 65535, .csum_offset = 65535},
		 OFFLOADS,
		 DROP},
		{"other flags", {.flags = 0xfe}, OFFLOADS, CLEARED},
		{"offsets without the flag", {.csum_start = 99, .csum_offset = 9}, 0, CLEARED},
		{"sizes without segments", {.hdr_len = 999, .gso_size = 9}, 0, CLEARED},
		{"buffers", {.num_buffers = 9}, 0, CLEARED},
		{"tcp4",
		 {.flags = 1, .gso_type = 1, .gso_size = 20, .hdr_len = 54},
		 OFFLOADS,
		 PASS},
		{"tcp6",
		 {.flags = 1, .gso_type = 4, .gso_size = 20, .hdr_len = 54},
		 OFFLOADS,
		 PASS},
		{"tcp4, not negotiated",
		 {.flags = 1, .gso_type = 1, .gso_size = 20},
		 BIT(CSUM) | BIT(HOST_TSO6),
		 DROP},
		{"tcp6, not negotiated",
		 {.flags = 1, .gso_type = 4, .gso_size = 20},
		 BIT(CSUM) | BIT(HOST_TSO4),
		 DROP},
		{"tcp4 without checksum", {.gso_type = 1, .gso_size = 20}, OFFLOADS, DROP},
		{"tcp4 in segments of 0", {.flags = 1, .gso_type = 1}, OFFLOADS, DROP},
		{"headers at the end",
		 {.flags = 1, .gso_type = 1, .gso_size = 20, .hdr_len = 100},
		 OFFLOADS,
		 PASS},
		{"headers over the end",
		 {.flags = 1, .gso_type = 1, .gso_size = 20, .hdr_len = 101},
		 OFFLOADS,
		 DROP},
		{"udp", {.flags = 1, .gso_type = 3, .gso_size = 20}, ~0ull, DROP},
		{"udp segments", {.flags = 1, .gso_type = 5, .gso_size = 20}, ~0ull, DROP},
		{"ecn", {.flags = 1, .gso_type = 0x81, .gso_size = 20}, ~0ull, DROP},
		{"ecn alone", {.gso_type = 0x80}, ~0ull, DROP},
		{"type 255", {.flags = 1, .gso_type = 255, .gso_size = 20}, ~0ull, DROP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct virtio_net_hdr_v1 h = cases[i].h, zero = {0};

		print_message("# %s\n", cases[i].what);
		assert_int_equal(net_check_header(&h, 100, cases[i].features),
				 cases[i].fate != DROP);
		if (cases[i].fate == PASS)
			assert_memory_equal(&h, &cases[i].h, sizeof(h));
		if (cases[i].fate == CLEARED)
			assert_memory_equal(&h, &zero, sizeof(h));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
