/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks as bytes: what comes back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/netconf.h"
#include "tests/unit/leaks.h"

static struct netconf *conf;

/* One of each, with a number of its own in each field. */
static int set_up(void **state)
{
	(void)state;
	conf = netconf_new();
	conf->n_links = 2;
	conf->links[0] = (struct netconf_link){
		.name = "eth0",
		.mac = {2, 1, 2, 3, 4, 5},
		.mtu = 1400,
		.noarp = 1,
		.accept_ra = 2,
		.autoconf = 1,
		.addr_gen_mode = 3,
	};
	conf->links[1] = (struct netconf_link){.name = "abcdefghijklmno",
					       .mac = {2, 1, 2, 3, 4, 6},
					       .mtu = 65535,
					       .disable_ipv6 = 1};
	conf->n_addresses = 2;
	conf->addresses[0] = (struct netconf_address){
		.link = 0,
		.family = AF_INET,
		.prefix_len = 24,
		.scope = 253,
		.flags = 0x200,
		.valid_s = 0x01020304,
		.preferred_s = 0x01020303,
		.priority = 7,
		.local = {10, 0, 0, 2},
		.peer = {10, 0, 0, 1},
		.has_broadcast = 1,
		.broadcast = {10, 0, 0, 255},
		.label = "eth0:x",
	};
	conf->addresses[1] = (struct netconf_address){
		.link = 1,
		.family = AF_INET6,
		.prefix_len = 128,
		.valid_s = NETCONF_FOREVER,
		.preferred_s = NETCONF_FOREVER,
		.local = {0xfd, [15] = 2},
		.peer = {0xfd, [15] = 2},
	};
	conf->n_routes = 2;
	conf->routes[0] = (struct netconf_route){
		.link = 1,
		.family = AF_INET,
		.dst_len = 9,
		.tos = 16,
		.protocol = 4,
		.type = RTN_UNICAST,
		.flags = RTNH_F_ONLINK,
		.priority = 0xa0b0c0d0,
		.gateway_family = AF_INET6,
		.has_prefsrc = 1,
		.dst = {10, 128},
		.gateway = {0xfe, 0x80, [15] = 1},
		.prefsrc = {10, 0, 0, 2},
		.has_metrics = 1u << 1 | 1u << 7,
		.metrics = {[1] = 1300, [7] = 1200},
	};
	conf->routes[1] = (struct netconf_route){
		.link = NETCONF_NO_LINK,
		.family = AF_INET6,
		.type = RTN_BLACKHOLE,
		.pref = 3,
		.expires_s = 77,
	};
	conf->n_neighbours = 1;
	conf->neighbours[0] = (struct netconf_neighbour){
		.family = AF_INET6, .router = 1, .dst = {0xfd, 1}, .mac = {2, 9}};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(conf);
	return 0;
}

static void test_all_comes_back(void **state)
{
	NETCONF *back = NULL;
	struct err err = ERR_INIT;
	BUF text = BUF_INIT, again = BUF_INIT;

	(void)state;
	netconf_encode(conf, &text);
	if (netconf_decode(text.data, text.len, &back, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(back->n_links, 2);
	assert_memory_equal(back->links, conf->links, sizeof(conf->links));
	assert_memory_equal(back->addresses, conf->addresses, 2 * sizeof(conf->addresses[0]));
	assert_memory_equal(back->routes, conf->routes, 2 * sizeof(conf->routes[0]));
	assert_memory_equal(back->neighbours, conf->neighbours, sizeof(conf->neighbours[0]));
	netconf_encode(back, &again);
	assert_int_equal(again.len, text.len);
	assert_memory_equal(again.data, text.data, text.len);
	assert_memory_equal(text.data, "hcn1\2\0\2\0\2\0\1\0eth0", 16);
}

/* Each shorter and each longer one. */
static void test_every_length(void **state)
{
	struct netconf *back = NULL;
	struct err err = ERR_INIT;
	BUF text = BUF_INIT;

	(void)state;
	netconf_encode(conf, &text);
	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(netconf_decode(text.data, len, &back, &err), -EPROTO);
	buf_addc(&text, 0);
	assert_int_equal(netconf_decode(text.data, text.len, &back, &err), -EPROTO);
	text.data[0] = 'H';
	assert_int_equal(netconf_decode(text.data, text.len - 1, &back, &err), -EPROTO);
	assert_null(back);
}

/* Numbers of records beyond the limits, whatever follows. */
static void test_counts(void **state)
{
	static const size_t limits[] = {NETCONF_LINKS_MAX,
					NETCONF_LINKS_MAX * NETCONF_ADDRESSES_MAX,
					NETCONF_ROUTES_MAX, NETCONF_NEIGHBOURS_MAX};
	static uint8_t data[NETCONF_BYTES_MAX];
	struct netconf *back = NULL;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		memset(data, 0, sizeof(data));
		memcpy(data, "hcn1", 4);
		data[4 + 2 * i] = (uint8_t)(limits[i] + 1);
		data[5 + 2 * i] = (uint8_t)((limits[i] + 1) >> 8);
		assert_int_equal(netconf_decode(data, sizeof(data), &back, &err), -EPROTO);
		assert_string_equal(err.msg, "a network of too many parts");
	}
	memset(data + 4, 0xff, 8);
	assert_int_equal(netconf_decode(data, sizeof(data), &back, &err), -EPROTO);
}

static void test_largest(void **state)
{
	NETCONF *back = NULL;
	struct err err = ERR_INIT;
	BUF text = BUF_INIT;

	(void)state;
	conf->n_links = NETCONF_LINKS_MAX;
	for (uint8_t i = 0; i < NETCONF_LINKS_MAX; i++) {
		conf->links[i] = conf->links[0];
		conf->links[i].name[3] = (char)('a' + i);
		conf->links[i].mac[5] = i;
	}
	conf->n_addresses = ARRAY_SIZE(conf->addresses);
	for (size_t i = 1; i < conf->n_addresses; i++) {
		conf->addresses[i] = conf->addresses[0];
		conf->addresses[i].link = (uint8_t)(i % NETCONF_LINKS_MAX);
	}
	conf->n_routes = NETCONF_ROUTES_MAX;
	for (size_t i = 1; i < conf->n_routes; i++)
		conf->routes[i] = conf->routes[0];
	conf->n_neighbours = NETCONF_NEIGHBOURS_MAX;
	for (size_t i = 1; i < conf->n_neighbours; i++)
		conf->neighbours[i] = conf->neighbours[0];
	netconf_encode(conf, &text);
	assert_true(text.len <= NETCONF_BYTES_MAX);
	if (netconf_decode(text.data, text.len, &back, &err) < 0)
		fail_msg("%s", err.msg);
	conf->addresses[1].link = 0;
	assert_int_equal(netconf_check(conf, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "'etha' has more than 64 addresses"));
}

/* Each has one value that makes no sense; what is said names the interface where there is one. */
#define CASE(says, ...)                                                                            \
	do {                                                                                       \
		struct err e = ERR_INIT;                                                           \
		(void)tear_down(NULL);                                                             \
		(void)set_up(NULL);                                                                \
		assert_int_equal(netconf_check(conf, &e), 0);                                      \
		__VA_ARGS__;                                                                       \
		if (netconf_check(conf, &e) != -EINVAL || !strstr(e.msg, says))                    \
			fail_msg("%s: '%s' instead of '%s'", #__VA_ARGS__, e.msg, says);           \
	} while (0)

static void test_links_that_make_no_sense(void **state)
{
	struct netconf_link *l;

	(void)state;
#define NAME(text)                                                                                 \
	l = &conf->links[0], memset(l->name, 0, sizeof(l->name)),                                  \
	memcpy(l->name, text, sizeof(text))
	CASE("name", NAME(""));
	CASE("name", NAME("."));
	CASE("name", NAME(".."));
	CASE("name", NAME("lo"));
	CASE("name", NAME("a/b"));
	CASE("name", NAME("a b"));
	CASE("name", NAME("a:b"));
	CASE("name", NAME("a%d"));
	CASE("name", NAME("a\nb"));
	CASE("name", NAME("a\177"));
	CASE("name", memset(conf->links[0].name, 'a', NETCONF_NAME_LEN));
	CASE("name", conf->links[0].name[6] = 'x');
	CASE("'eth0' has no unicast", conf->links[0].mac[0] = 3);
	CASE("'eth0' has no unicast", memset(conf->links[0].mac, 0, NETCONF_MAC_LEN));
	CASE("'eth0': an MTU of 67", conf->links[0].mtu = 67);
	CASE("'eth0': a flag", conf->links[0].noarp = 2);
	CASE("'eth0': a flag", conf->links[0].disable_ipv6 = 2);
	CASE("'eth0': a flag", conf->links[0].accept_ra = 3);
	CASE("'eth0': a flag", conf->links[0].autoconf = 9);
	CASE("'eth0': a flag", conf->links[0].addr_gen_mode = 4);
	CASE("two interfaces 'eth0'", memcpy(conf->links[1].name, conf->links[0].name, 16));
	CASE("'eth0' and 'abcdefghijklmno' have the same", conf->links[1].mac[5] = 5);
#undef NAME
}

static void test_addresses_that_make_no_sense(void **state)
{
	(void)state;
	CASE("of no interface", conf->addresses[0].link = 2);
	CASE("'eth0': an address that is none", conf->addresses[0].family = 3);
	CASE("'eth0': an address that is none", conf->addresses[0].prefix_len = 33);
	CASE("an address that is none", conf->addresses[1].prefix_len = 129);
	CASE("'eth0': an address that is none", conf->addresses[0].local[4] = 1);
	CASE("'eth0': an address that is none", conf->addresses[0].peer[15] = 1);
	CASE("'eth0': an address with", conf->addresses[0].flags = 1);
	CASE("'eth0': an address with", conf->addresses[0].valid_s = 0);
	CASE("'eth0': an address with", conf->addresses[0].preferred_s = NETCONF_FOREVER);
	CASE("'eth0': an address with", conf->addresses[0].has_broadcast = 2);
	CASE("'eth0': an address with", conf->addresses[0].label[2] = '\n');
	CASE("'eth0': an address with", memset(conf->addresses[0].label, 'x', 16));
	CASE("an address with", conf->addresses[1].has_broadcast = 1);
	CASE("an address with", conf->addresses[1].label[0] = 'x');
}

static void test_routes_and_neighbours_that_make_no_sense(void **state)
{
	(void)state;
	CASE("no network", conf->routes[0].family = 0);
	CASE("no network", conf->routes[0].dst_len = 33);
	CASE("no network", conf->routes[1].dst_len = 129);
	CASE("no network", conf->routes[0].dst[5] = 1);
	CASE("no interface", conf->routes[0].link = 2);
	CASE("no interface", conf->routes[0].link = NETCONF_NO_LINK);
	CASE("no interface", conf->routes[1].link = 0);
	CASE("no interface", conf->routes[1].type = RTN_LOCAL);
	CASE("gateway", conf->routes[0].gateway_family = 5);
	CASE("gateway", conf->routes[1].gateway_family = AF_INET6);
	CASE("gateway", conf->routes[0].gateway_family = AF_INET);
	CASE("gateway", conf->routes[0].family = AF_INET6; conf->routes[0].gateway_family = AF_INET;
	     memset(conf->routes[0].gateway, 0, 16));
	CASE("makes no sense", conf->routes[0].has_prefsrc = 2);
	CASE("makes no sense", conf->routes[0].prefsrc[4] = 2);
	CASE("makes no sense", conf->routes[0].flags = RTNH_F_DEAD);
	CASE("makes no sense", conf->routes[0].has_metrics = 1u << (RTAX_CC_ALGO - 1));
	CASE("makes no sense", conf->routes[0].has_metrics = 1u << RTAX_MAX);
	CASE("makes no sense", conf->routes[0].pref = 4);
	CASE("neighbour", conf->neighbours[0].link = 2);
	CASE("neighbour", conf->neighbours[0].family = 1);
	CASE("neighbour", conf->neighbours[0].router = 2);
}

/* No byte of an encoding can be changed into something that does not survive a second time. */
static void test_bytes_changed(void **state)
{
	BUF text = BUF_INIT;
	size_t n = 0;

	(void)state;
	netconf_encode(conf, &text);
	for (size_t i = 0; i < text.len; i++) {
		NETCONF *back = NULL;
		BUF again = BUF_INIT;

		text.data[i] = (char)~text.data[i];
		if (netconf_decode(text.data, text.len, &back, NULL) == 0) {
			netconf_encode(back, &again);
			assert_int_equal(again.len, text.len);
			assert_memory_equal(again.data, text.data, text.len);
			n++;
		}
		text.data[i] = (char)~text.data[i];
	}
	assert_true(n > 0 && n < text.len);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_comes_back),
		TEST(test_every_length),
		TEST(test_counts),
		TEST(test_largest),
		TEST(test_links_that_make_no_sense),
		TEST(test_addresses_that_make_no_sense),
		TEST(test_routes_and_neighbours_that_make_no_sense),
		TEST(test_bytes_changed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
