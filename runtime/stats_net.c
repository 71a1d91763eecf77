/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of network interfaces out of the text of /proc/PID/net/dev (man 5 proc): two lines of
 * header, then "name: bytes packets errs drop fifo frame compressed multicast bytes packets …". The
 * member names are runc's, capitals included.
 */
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "runtime/stats.h"

#define N_FIELDS     16
#define HEADER_LINES 2

static const struct {
	const char *key;
	int field;
} counters[] = {
	{"RxBytes", 0}, {"RxPackets", 1}, {"RxErrors", 2},  {"RxDropped", 3},
	{"TxBytes", 8}, {"TxPackets", 9}, {"TxErrors", 10}, {"TxDropped", 11},
};

/* Cuts line up. False when it is not what the kernel writes. */
static bool read_line(char *line, const char **ret_name, uint64_t *ret)
{
	char *colon = strrchr(line, ':'), *rest, *word; /* a name may have colons */
	int n = 0;

	if (!colon)
		return false;
	*colon = '\0';
	*ret_name = line + strspn(line, " ");
	rest = colon + 1;
	while (n < N_FIELDS && (word = strsep(&rest, " "))) {
		if (*word && parse_u64(word, &ret[n++]))
			return false;
	}
	return n == N_FIELDS;
}

void stats_write_network(struct json_writer *w, const char *net_dev)
{
	FREE char *text = mem_xstrdup(net_dev);
	char *rest = text, *line;
	int number = 0;

	json_w_array(w, "network_interfaces");
	while ((line = strsep(&rest, "\n"))) {
		uint64_t values[N_FIELDS];
		const char *name;

		if (number++ < HEADER_LINES || !read_line(line, &name, values))
			continue;
		json_w_object(w, NULL);
		json_w_string(w, "Name", name);
		for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
			json_w_u64(w, counters[i].key, values[counters[i].field]);
		json_w_end(w);
	}
	json_w_end(w);
}
