// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What resctrl tells of a container's class: limits of the processor from info/, the schemata in
 * force, and the monitoring counters of each cache domain, from the container's own monitoring
 * group when it has one, else from its class, which others may share.
 */
#include "cgroups/rdt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/parse.h"

static bool exists(int root, const char *path)
{
	return faccessat(root, path, F_OK, 0) == 0;
}

/* A number of info/ or mon_data/. "Unavailable", which a counter may say, is 0. */
static int read_number(int root, const char *path, uint64_t *ret, struct err *err)
{
	char text[64];
	ssize_t n = cgroup_read_at(root, path, text, sizeof(text), err);

	if (n < 0)
		return err_wrap(err, (int)n, "linux.intelRdt");
	if (parse_u64(text, ret) < 0)
		*ret = 0;
	return 0;
}

static int read_info(int root, struct rdt_stats *st, struct err *err)
{
	const struct {
		const char *path;
		uint64_t *value;
		bool wanted;
	} numbers[] = {
		{"info/L3/min_cbm_bits", &st->min_cbm_bits, st->has_l3},
		{"info/L3/num_closids", &st->l3_num_closids, st->has_l3},
		{"info/MB/bandwidth_gran", &st->bandwidth_gran, st->has_mb},
		{"info/MB/delay_linear", &st->delay_linear, st->has_mb},
		{"info/MB/min_bandwidth", &st->min_bandwidth, st->has_mb},
		{"info/MB/num_closids", &st->mb_num_closids, st->has_mb},
	};
	char mask[64];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int r = numbers[i].wanted
				? read_number(root, numbers[i].path, numbers[i].value, err)
				: 0;

		if (r < 0)
			return r;
	}
	if (st->has_l3 && cgroup_read_at(root, "info/L3/cbm_mask", mask, sizeof(mask), NULL) > 0)
		st->cbm_mask = arena_strdup(&st->arena, mask);
	return 0;
}

/* Lines of a schemata file without leading blanks; NULL-terminated. */
static int read_schemata(int root, const char *class, struct rdt_stats *st, const char ***ret,
			 struct err *err)
{
	const char *path = arena_printf(&st->arena, "%s/schemata", class);
	char text[4096];
	char *rest = text, *line;
	size_t n = 0;
	ssize_t len = cgroup_read_at(root, path, text, sizeof(text), err);

	if (len < 0)
		return err_wrap(err, (int)len, "linux.intelRdt");
	*ret = arena_alloc(&st->arena, (size_t)len + 2, sizeof(**ret));
	while ((line = cgroup_word(&rest, "\n")))
		(*ret)[n++] = arena_strdup(&st->arena, line + strspn(line, " "));
	return 0;
}

static const char *find_line(const char *const *lines, const char *resource)
{
	for (; lines && *lines; lines++)
		if (strncmp(*lines, resource, strlen(resource)) == 0)
			return *lines;
	return NULL;
}

static void read_features(int root, struct rdt_stats *st, bool *ret_total, bool *ret_local)
{
	char text[512];
	char *rest = text, *word;

	*ret_total = *ret_local = false;
	st->has_l3 = exists(root, "info/L3");
	st->has_mb = exists(root, "info/MB");
	if (cgroup_read_at(root, "info/L3_MON/mon_features", text, sizeof(text), NULL) < 0)
		return;
	while ((word = cgroup_word(&rest, "\n"))) {
		*ret_total |= strcmp(word, "mbm_total_bytes") == 0;
		*ret_local |= strcmp(word, "mbm_local_bytes") == 0;
		st->has_cmt |= strcmp(word, "llc_occupancy") == 0;
	}
	st->has_mbm = *ret_total || *ret_local;
}

static int read_domain(int root, const char *dir, bool total, bool local, struct rdt_stats *st,
		       struct err *err)
{
	struct rdt_domain_stats *d = &st->domains[st->n_domains++];
	int r = 0;

	if (total)
		r = read_number(root, arena_printf(&st->arena, "%s/mbm_total_bytes", dir),
				&d->mbm_total_bytes, err);
	if (r == 0 && local)
		r = read_number(root, arena_printf(&st->arena, "%s/mbm_local_bytes", dir),
				&d->mbm_local_bytes, err);
	if (r == 0 && st->has_cmt)
		r = read_number(root, arena_printf(&st->arena, "%s/llc_occupancy", dir),
				&d->llc_occupancy, err);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* mon_data/mon_L3_00, mon_L3_01, …, one a cache: their paths, sorted, in the arena. */
static int list_domains(int root, const char *data, struct arena *arena, char ***ret, size_t *ret_n,
			struct err *err)
{
	int fd = openat(root, data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char **paths = NULL;
	size_t n = 0;

	if (!dir) {
		int rc = err_sys(err, "linux.intelRdt: list '%s'", data);

		fd_close(fd);
		return rc;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (strncmp(e->d_name, "mon_L3_", 7) != 0)
			continue;
		paths = mem_xrealloc(paths, n + 1, sizeof(*paths));
		paths[n++] = arena_printf(arena, "%s/%s", data, e->d_name);
	}
	closedir(dir);
	if (n > 0)
		qsort(paths, n, sizeof(*paths), by_name);
	*ret = paths;
	*ret_n = n;
	return 0;
}

static int read_domains(int root, const char *group, bool total, bool local, struct rdt_stats *st,
			struct err *err)
{
	const char *data = arena_printf(&st->arena, "%s/mon_data", group);
	FREE char **paths = NULL;
	size_t n = 0;
	int r = list_domains(root, data, &st->arena, &paths, &n, err);

	if (r < 0)
		return r;
	st->domains = arena_alloc(&st->arena, n + 1, sizeof(*st->domains));
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_domain(root, paths[i], total, local, st, err);
	return r;
}

static int read_all(const struct rdt_config *c, int root, struct rdt_stats *st, struct err *err)
{
	FREE char *class = rdt_class(c);
	FREE char *group = rdt_monitor_group(c);
	const char **top = NULL;
	bool total, local;
	int r;

	read_features(root, st, &total, &local);
	r = read_info(root, st, err);
	if (r == 0)
		r = read_schemata(root, ".", st, &top, err);
	if (r == 0)
		r = read_schemata(root, class, st, &st->schemata, err);
	if (r < 0)
		return r;
	st->l3_schema_root = find_line(top, "L3:");
	st->mb_schema_root = find_line(top, "MB:");
	st->l3_schema = find_line(st->schemata, "L3:");
	st->mb_schema = find_line(st->schemata, "MB:");
	if (!st->has_mbm && !st->has_cmt)
		return 0;
	return read_domains(root, c->monitoring ? group : class, total, local, st, err);
}

int rdt_stats_read(const struct rdt_config *c, struct rdt_stats *ret, struct err *err)
{
	CLOSE_FD int root = rdt_open_root(c, err);
	struct rdt_stats st = {0};
	int r;

	if (root < 0)
		return root;
	r = read_all(c, root, &st, err);
	if (r < 0) {
		rdt_stats_release(&st);
		return r;
	}
	*ret = st;
	return 0;
}

void rdt_stats_release(struct rdt_stats *st)
{
	arena_release(&st->arena);
}
