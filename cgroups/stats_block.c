// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Block device statistics. On v1 three generations of files count the same things; of those that
 * exist the first one that has counted anything is taken, because a kernel with BFQ shows its files
 * also when no device uses that scheduler. On v2 io.stat is sorted into the lists of v1.
 *
 * See cgroup-v1/blkio-controller.rst, cgroup-v2.rst, io.stat.
 */
#include "cgroups/stats.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"

static void add_stat(struct arena *a, struct cgroup_block_stats *list,
		     const struct cgroup_block_stat *s)
{
	/* Grown at powers of two, from 8. */
	if ((list->n & (list->n - 1)) == 0 && (list->n == 0 || list->n >= 8)) {
		struct cgroup_block_stat *old = list->v;

		list->v = arena_alloc(a, list->n ? list->n * 2 : 8, sizeof(*list->v));
		if (old)
			memcpy(list->v, old, list->n * sizeof(*old));
	}
	list->v[list->n++] = *s;
}

/* "8:0" */
static bool parse_device(char *word, struct cgroup_block_stat *ret)
{
	const char *major = strsep(&word, ":");

	return word && parse_u64(major, &ret->major) == 0 && parse_u64(word, &ret->minor) == 0;
}

/* Lines "8:0 Read 4096" or "8:0 4096"; a line "Total 4096" sums them up. */
void cgroup_stats_parse_v1_block(char *text, struct arena *a, struct cgroup_block_stats *ret)
{
	char *line;

	while ((line = cgroup_word(&text, "\n"))) {
		char *device = strsep(&line, " ");
		const char *op = strsep(&line, " "), *value = line;
		struct cgroup_block_stat s = {.op = ""};

		if (!op || !parse_device(device, &s))
			continue;
		if (value)
			s.op = arena_strdup(a, op);
		if (parse_u64(value ? value : op, &s.value) == 0)
			add_stat(a, ret, &s);
	}
}

static int read_v1(struct cgroup_hier *h, const char *name, struct arena *a,
		   struct cgroup_block_stats *ret, struct err *err)
{
	static const char *const families[] = {
		"blkio.bfq.%s_recursive",
		"blkio.%s_recursive",
		"blkio.throttle.%s_recursive",
		"blkio.throttle.%s",
	};

	for (size_t i = 0; i < ARRAY_SIZE(families) && ret->n == 0; i++) {
		const char *hole = strstr(families[i], "%s");
		BUF text = BUF_INIT;
		char file[80];
		int r;

		(void)snprintf(file, sizeof(file), "%.*s%s%s", (int)(hole - families[i]),
			       families[i], name, hole + 2);
		r = cgroup_stats_text(h, file, &text, err);
		if (r < 0)
			return r;
		cgroup_stats_parse_v1_block(text.data, a, ret);
	}
	return 0;
}

/* Lines "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0" */
void cgroup_stats_parse_io_stat(char *text, struct cgroup_stats *st)
{
	const struct {
		const char *key, *op;
		struct cgroup_block_stats *list;
	} keys[] = {
		{"rbytes", "Read", &st->block.service_bytes},
		{"wbytes", "Write", &st->block.service_bytes},
		{"dbytes", "Discard", &st->block.service_bytes},
		{"rios", "Read", &st->block.serviced},
		{"wios", "Write", &st->block.serviced},
		{"dios", "Discard", &st->block.serviced},
	};
	char *line, *word;

	while ((line = cgroup_word(&text, "\n"))) {
		struct cgroup_block_stat s = {0};

		if (!parse_device(strsep(&line, " "), &s))
			continue;
		while ((word = cgroup_word(&line, " "))) {
			const char *key = strsep(&word, "=");

			for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
				if (strcmp(key, keys[i].key) != 0 || !word ||
				    parse_u64(word, &s.value) < 0)
					continue;
				s.op = keys[i].op;
				add_stat(&st->arena, keys[i].list, &s);
			}
		}
	}
}

int cgroup_stats_block(struct cgroup *cg, struct cgroup_stats *st, struct err *err)
{
	struct cgroup_hier *h = cg->at[CTRL_IO];
	const struct {
		const char *name;
		struct cgroup_block_stats *list;
	} lists[] = {
		{"io_service_bytes", &st->block.service_bytes},
		{"io_serviced", &st->block.serviced},
		{"io_queued", &st->block.queued},
		{"io_service_time", &st->block.service_time},
		{"io_wait_time", &st->block.wait_time},
		{"io_merged", &st->block.merged},
		{"time", &st->block.time},
		{"sectors", &st->block.sectors},
	};
	BUF text = BUF_INIT;
	int r = 0;

	if (h && h->v2) {
		r = cgroup_stats_text(h, "io.stat", &text, err);
		if (r == 0)
			cgroup_stats_parse_io_stat(text.data, st);
		return r;
	}
	for (size_t i = 0; h && r == 0 && i < ARRAY_SIZE(lists); i++)
		r = read_v1(h, lists[i].name, &st->arena, lists[i].list, err);
	return r;
}
