// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel counts for a group, read once. Units are those of cgroup v1 (bytes, nanoseconds)
 * on both versions, because the users of runc's events command expect them. A file that the running
 * kernel does not have leaves its numbers 0; one that cannot be read is an error. Pressure comes
 * from the cgroup2 directory, which on a hybrid host has it as well.
 *
 * See cgroup-v1/{cpuacct,cpusets,memory,hugetlb}.rst, cgroup-v2.rst, accounting/psi.rst.
 */
#include "cgroups/stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/parse.h"

#define STATS_FILE_MAX (4u << 20)
#define NS_PER_TICK    10000000u /* USER_HZ is 100 on every architecture of today */
#define NS_PER_US      1000u

int cgroup_stats_text(struct cgroup_hier *h, const char *file, struct buf *text, struct err *err)
{
	int dirfd = cgroup_hier_fd(h, err);
	int r = dirfd < 0 ? dirfd : io_read_file(dirfd, file, STATS_FILE_MAX, text, err);

	/* Pressure that is switched off (psi=0) has files which say so. */
	return r == -ENOENT || r == -EOPNOTSUPP ? 0 : r;
}

int cgroup_stats_u64(struct cgroup_hier *h, const char *file, uint64_t *ret, struct err *err)
{
	char text[64];
	ssize_t n = cgroup_read(h, file, text, sizeof(text), err);

	if (n == -ENOENT || n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return (int)n;
	if (strcmp(text, "max") == 0)
		*ret = UINT64_MAX;
	else if (parse_u64(text, ret) < 0)
		return err_set(err, EINVAL, "read '%s': expected a number, found '%s'", file, text);
	return 0;
}

struct key {
	const char *name;
	uint64_t *value;
	uint64_t factor;
};

/* Lines "name number"; what is not asked for is passed over. */
static int read_keys(struct cgroup_hier *h, const char *file, const struct key *keys, size_t n,
		     struct err *err)
{
	BUF text = BUF_INIT;
	int r = cgroup_stats_text(h, file, &text, err);
	char *rest = text.data, *line;

	if (r < 0)
		return r;
	while ((line = cgroup_word(&rest, "\n"))) {
		const char *name = strsep(&line, " ");

		for (size_t i = 0; i < n; i++) {
			if (strcmp(name, keys[i].name) != 0 || !line)
				continue;
			if (parse_u64(line, keys[i].value) == 0)
				*keys[i].value *= keys[i].factor;
		}
	}
	return 0;
}

static void add_u64(struct arena *a, struct cgroup_u64s *list, size_t *cap, uint64_t v)
{
	if (list->n == *cap) {
		uint64_t *old = list->v;

		*cap = *cap ? *cap * 2 : 16;
		list->v = arena_alloc(a, *cap, sizeof(*list->v));
		if (old)
			memcpy(list->v, old, list->n * sizeof(*old));
	}
	list->v[list->n++] = v;
}

/* ---- pressure ---- */

/* "12.34" -> 1234 */
static uint32_t hundredths(const char *s)
{
	uint32_t v = 0;

	for (; *s && v < 100000; s++)
		if (*s >= '0' && *s <= '9')
			v = v * 10 + (uint32_t)(*s - '0');
	return v;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static void parse_psi_line(char *line, struct cgroup_psi_line *ret)
{
	char *word;

	while ((word = cgroup_word(&line, " "))) {
		if (strncmp(word, "avg10=", 6) == 0)
			ret->avg10 = hundredths(word + 6);
		else if (strncmp(word, "avg60=", 6) == 0)
			ret->avg60 = hundredths(word + 6);
		else if (strncmp(word, "avg300=", 7) == 0)
			ret->avg300 = hundredths(word + 7);
		else if (strncmp(word, "total=", 6) == 0 && parse_u64(word + 6, &ret->total_us) < 0)
			ret->total_us = 0;
	}
}

static int read_psi(struct cgroup *cg, const char *file, struct cgroup_psi *ret, struct err *err)
{
	BUF text = BUF_INIT;
	int r = cg->v2 ? cgroup_stats_text(cg->v2, file, &text, err) : 0;
	char *rest = text.data, *line;

	if (r < 0)
		return r;
	while ((line = cgroup_word(&rest, "\n"))) {
		const char *kind = strsep(&line, " ");

		ret->set = true;
		parse_psi_line(line, strcmp(kind, "full") == 0 ? &ret->full : &ret->some);
	}
	return 0;
}

/* ---- cpu ---- */

static int read_percpu(struct cgroup_hier *h, struct cgroup_stats *st, struct err *err)
{
	BUF text = BUF_INIT, modes = BUF_INIT;
	size_t cap[3] = {0};
	char *rest, *word;
	uint64_t v, user, kernel;
	int r = cgroup_stats_text(h, "cpuacct.usage_percpu", &text, err);

	if (r == 0)
		r = cgroup_stats_text(h, "cpuacct.usage_all", &modes, err);
	if (r < 0)
		return r;
	rest = text.data;
	while ((word = cgroup_word(&rest, " \n")))
		if (parse_u64(word, &v) == 0)
			add_u64(&st->arena, &st->cpu.percpu_ns, &cap[0], v);
	/* "cpu user system", then a line for each processor. */
	rest = modes.data;
	while ((word = cgroup_word(&rest, "\n"))) {
		const char *number = strsep(&word, " "), *a = strsep(&word, " ");
		const char *b = strsep(&word, " ");

		if (parse_u64(number, &v) < 0 || !b || parse_u64(a, &user) < 0 ||
		    parse_u64(b, &kernel) < 0)
			continue;
		add_u64(&st->arena, &st->cpu.percpu_user_ns, &cap[1], user);
		add_u64(&st->arena, &st->cpu.percpu_kernel_ns, &cap[2], kernel);
	}
	return 0;
}

static int read_cpu_v1(struct cgroup *cg, struct cgroup_stats *st, struct err *err)
{
	struct cgroup_hier *cpu = cg->at[CTRL_CPU], *acct = cg->at[CTRL_CPUACCT];
	const struct key ticks[] = {
		{"user", &st->cpu.user_ns, NS_PER_TICK},
		{"system", &st->cpu.kernel_ns, NS_PER_TICK},
	};
	const struct key throttling[] = {
		{"nr_periods", &st->cpu.periods, 1},
		{"nr_throttled", &st->cpu.throttled_periods, 1},
		{"throttled_time", &st->cpu.throttled_ns, 1},
	};
	int r = 0;

	if (acct) {
		r = cgroup_stats_u64(acct, "cpuacct.usage", &st->cpu.total_ns, err);
		if (r == 0)
			r = read_keys(acct, "cpuacct.stat", ticks, ARRAY_SIZE(ticks), err);
		if (r == 0)
			r = read_percpu(acct, st, err);
	}
	if (r == 0 && cpu && !cpu->v2)
		r = read_keys(cpu, "cpu.stat", throttling, ARRAY_SIZE(throttling), err);
	return r;
}

/* cpu.stat is there with and without the controller. */
static int read_cpu_v2(struct cgroup_hier *h, struct cgroup_stats *st, struct err *err)
{
	const struct key keys[] = {
		{"usage_usec", &st->cpu.total_ns, NS_PER_US},
		{"user_usec", &st->cpu.user_ns, NS_PER_US},
		{"system_usec", &st->cpu.kernel_ns, NS_PER_US},
		{"nr_periods", &st->cpu.periods, 1},
		{"nr_throttled", &st->cpu.throttled_periods, 1},
		{"throttled_usec", &st->cpu.throttled_ns, NS_PER_US},
	};

	return read_keys(h, "cpu.stat", keys, ARRAY_SIZE(keys), err);
}

static int read_cpu(struct cgroup *cg, struct cgroup_stats *st, struct err *err)
{
	int r = 0;

	if (cg->v2 && !cg->at[CTRL_CPUACCT])
		r = read_cpu_v2(cg->v2, st, err);
	if (r == 0)
		r = read_cpu_v1(cg, st, err);
	return r < 0 ? r : read_psi(cg, "cpu.pressure", &st->cpu.psi, err);
}

/* ---- cpuset ---- */

/* "0-3,7" as numbers. */
static void parse_list(struct arena *a, char *text, struct cgroup_u64s *ret)
{
	size_t cap = 0;
	char *range;

	while ((range = cgroup_word(&text, ",\n"))) {
		const char *low = strsep(&range, "-"), *high = range ? range : low;
		uint32_t first, last;

		if (parse_u32(low, &first) < 0 || parse_u32(high, &last) < 0 || last > UINT16_MAX)
			continue;
		for (uint32_t i = first; i <= last; i++)
			add_u64(a, ret, &cap, i);
	}
}

static int read_list(struct cgroup_hier *h, const char *file, struct arena *a,
		     struct cgroup_u64s *ret, struct err *err)
{
	BUF text = BUF_INIT;
	int r = cgroup_stats_text(h, file, &text, err);

	if (r == 0 && text.data)
		parse_list(a, text.data, ret);
	return r;
}

static int read_cpuset_flags(struct cgroup_hier *h, struct cgroup_stats *st, struct err *err)
{
	const struct {
		const char *file;
		uint64_t *value;
	} flags[] = {
		{"cpuset.cpu_exclusive", &st->cpuset.cpu_exclusive},
		{"cpuset.mem_hardwall", &st->cpuset.mem_hardwall},
		{"cpuset.mem_exclusive", &st->cpuset.mem_exclusive},
		{"cpuset.memory_migrate", &st->cpuset.memory_migrate},
		{"cpuset.memory_spread_page", &st->cpuset.memory_spread_page},
		{"cpuset.memory_spread_slab", &st->cpuset.memory_spread_slab},
		{"cpuset.memory_pressure", &st->cpuset.memory_pressure},
		{"cpuset.sched_load_balance", &st->cpuset.sched_load_balance},
	};
	char level[32];

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int r = cgroup_stats_u64(h, flags[i].file, flags[i].value, err);

		if (r < 0)
			return r;
	}
	if (cgroup_read(h, "cpuset.sched_relax_domain_level", level, sizeof(level), NULL) > 0 &&
	    parse_i64(level, &st->cpuset.sched_relax_domain_level) < 0)
		st->cpuset.sched_relax_domain_level = -1;
	return 0;
}

static int read_cpuset(struct cgroup *cg, struct cgroup_stats *st, struct err *err)
{
	struct cgroup_hier *h = cg->at[CTRL_CPUSET];
	int r;

	if (!h)
		return 0;
	r = read_list(h, h->v2 ? "cpuset.cpus.effective" : "cpuset.cpus", &st->arena,
		      &st->cpuset.cpus, err);
	if (r == 0)
		r = read_list(h, h->v2 ? "cpuset.mems.effective" : "cpuset.mems", &st->arena,
			      &st->cpuset.mems, err);
	return r < 0 || h->v2 ? r : read_cpuset_flags(h, st, err);
}

/* ---- pids, hugetlb ---- */

static int read_pids(struct cgroup *cg, struct cgroup_stats *st, struct err *err)
{
	struct cgroup_hier *h = cg->at[CTRL_PIDS];
	PID_LIST list = {0};
	int r;

	if (h) {
		r = cgroup_stats_u64(h, "pids.current", &st->pids.current, err);
		if (r == 0)
			r = cgroup_stats_u64(h, "pids.max", &st->pids.limit, err);
		if (st->pids.limit == UINT64_MAX)
			st->pids.limit = 0;
		return r;
	}
	r = cgroup_hier_pids(cgroup_main_hier(cg), &list, err);
	st->pids.current = list.n;
	return r;
}

/* "hugepages-2048kB" -> "2MB", as the controller spells it. */
static const char *page_size_of(struct arena *a, const char *entry)
{
	static const char *const units[] = {"KB", "MB", "GB"};
	char number[24];
	uint64_t size;
	size_t unit = 0;

	if (strncmp(entry, "hugepages-", 10) != 0)
		return NULL;
	(void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(entry + 10, "k"), entry + 10);
	if (parse_u64(number, &size) < 0 || size == 0)
		return NULL;
	for (; size % 1024 == 0 && unit < 2; unit++)
		size /= 1024;
	return arena_printf(a, "%llu%s", (unsigned long long)size, units[unit]);
}

static int read_page_size(struct cgroup_hier *h, struct cgroup_stats *st, const char *size,
			  struct err *err)
{
	struct cgroup_hugetlb_stats *g = &st->hugetlb[st->n_hugetlb];
	const char *unit = arena_printf(&st->arena, "hugetlb.%s", size);
	const char *current = h->v2 ? "current" : "usage_in_bytes";
	const char *file = arena_printf(&st->arena, "%s.rsvd.%s", unit, current);
	const struct key max = {"max", &g->failcnt, 1};
	int r;

	if (!cgroup_has_file(h, file)) {
		file = arena_printf(&st->arena, "%s.%s", unit, current);
		if (!cgroup_has_file(h, file))
			return 0;
	}
	g->page_size = size;
	st->n_hugetlb++;
	r = cgroup_stats_u64(h, file, &g->usage, err);
	if (r == 0 && h->v2)
		return read_keys(h, arena_printf(&st->arena, "%s.events", unit), &max, 1, err);
	if (r == 0)
		r = cgroup_stats_u64(h, arena_printf(&st->arena, "%s.max_usage_in_bytes", unit),
				     &g->max, err);
	if (r == 0)
		r = cgroup_stats_u64(h, arena_printf(&st->arena, "%s.failcnt", unit), &g->failcnt,
				     err);
	return r;
}

#define PAGE_SIZES_MAX 16

static int read_hugetlb(struct cgroup *cg, struct cgroup_stats *st, struct err *err)
{
	struct cgroup_hier *h = cg->at[CTRL_HUGETLB];
	DIR *dir = h ? opendir("/sys/kernel/mm/hugepages") : NULL;
	struct dirent *e;
	int r = 0;

	if (!dir)
		return 0;
	st->hugetlb = arena_alloc(&st->arena, PAGE_SIZES_MAX, sizeof(*st->hugetlb));
	while (r == 0 && st->n_hugetlb < PAGE_SIZES_MAX && (e = readdir(dir))) {
		const char *size = page_size_of(&st->arena, e->d_name);

		if (size)
			r = read_page_size(h, st, size, err);
	}
	(void)closedir(dir);
	return r;
}

/* ---- memory ---- */

static int read_raw(struct cgroup_hier *h, struct cgroup_stats *st, struct err *err)
{
	const char *cache = h->v2 ? "file" : "cache";
	BUF text = BUF_INIT;
	int r = cgroup_stats_text(h, "memory.stat", &text, err);
	char *rest = text.data, *line;
	size_t n = 1;

	if (r < 0)
		return r;
	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == '\n';
	st->memory.raw = arena_alloc(&st->arena, n, sizeof(*st->memory.raw));
	while ((line = cgroup_word(&rest, "\n"))) {
		struct cgroup_stat_pair *pair = &st->memory.raw[st->memory.n_raw];
		const char *name = strsep(&line, " ");

		if (!line || parse_u64(line, &pair->value) < 0)
			continue;
		pair->name = arena_strdup(&st->arena, name);
		st->memory.n_raw++;
		if (strcmp(name, cache) == 0)
			st->memory.cache = pair->value;
	}
	return 0;
}

/* kind: "memory", "memory.memsw", "memory.kmem", … */
static int read_memory_v1(struct cgroup_hier *h, const char *kind, struct cgroup_memory_stats *ret,
			  struct err *err)
{
	const struct {
		const char *suffix;
		uint64_t *value;
	} files[] = {
		{"usage_in_bytes", &ret->usage},
		{"max_usage_in_bytes", &ret->max},
		{"failcnt", &ret->failcnt},
		{"limit_in_bytes", &ret->limit},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char file[64];
		int r;

		(void)snprintf(file, sizeof(file), "%s.%s", kind, files[i].suffix);
		r = cgroup_stats_u64(h, file, files[i].value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Swap is reported with memory, as v1 does; a highest sum of both is not known. */
static int read_memory_v2(struct cgroup_hier *h, struct cgroup_stats *st, struct err *err)
{
	struct cgroup_memory_stats *m = &st->memory.usage, *s = &st->memory.swap;
	const struct {
		const char *file;
		uint64_t *value;
	} files[] = {
		{"memory.current", &m->usage},  {"memory.max", &m->limit},
		{"memory.peak", &m->max},       {"memory.swap.current", &s->usage},
		{"memory.swap.max", &s->limit},
	};
	const struct key max = {"max", &m->failcnt, 1}, swap_max = {"max", &s->failcnt, 1};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = cgroup_stats_u64(h, files[i].file, files[i].value, err);
	if (r == 0)
		r = read_keys(h, "memory.events", &max, 1, err);
	if (r == 0)
		r = read_keys(h, "memory.swap.events", &swap_max, 1, err);
	s->usage += m->usage;
	if (__builtin_add_overflow(s->limit, m->limit, &s->limit))
		s->limit = UINT64_MAX;
	return r;
}

static int read_memory(struct cgroup *cg, struct cgroup_stats *st, struct err *err)
{
	struct cgroup_hier *h = cg->at[CTRL_MEMORY];
	int r = h ? read_raw(h, st, err) : 0;

	if (r == 0 && h && h->v2)
		r = read_memory_v2(h, st, err);
	if (r == 0 && h && !h->v2) {
		r = read_memory_v1(h, "memory", &st->memory.usage, err);
		if (r == 0)
			r = read_memory_v1(h, "memory.memsw", &st->memory.swap, err);
		if (r == 0)
			r = read_memory_v1(h, "memory.kmem", &st->memory.kernel, err);
		if (r == 0)
			r = read_memory_v1(h, "memory.kmem.tcp", &st->memory.kernel_tcp, err);
	}
	return r < 0 ? r : read_psi(cg, "memory.pressure", &st->memory.psi, err);
}

/* ---- all of it ---- */

int cgroup_stats_read(struct cgroup *cg, struct cgroup_stats *ret, struct err *err)
{
	struct cgroup_stats st = {0};
	int r;

	if (cg->manager == CGROUP_MANAGER_DISABLED)
		return cgroup_disabled(err, "read statistics");
	r = cgroup_hier_fd(cgroup_main_hier(cg), err);
	if (r < 0)
		return r;
	cgroup_v2_load(cg);
	r = read_cpu(cg, &st, err);
	if (r == 0)
		r = read_cpuset(cg, &st, err);
	if (r == 0)
		r = read_memory(cg, &st, err);
	if (r == 0)
		r = read_pids(cg, &st, err);
	if (r == 0)
		r = read_hugetlb(cg, &st, err);
	if (r == 0)
		r = cgroup_stats_block(cg, &st, err);
	if (r == 0)
		r = read_psi(cg, "io.pressure", &st.block.psi, err);
	if (r < 0) {
		cgroup_stats_release(&st);
		return err_wrap(err, r, "statistics of cgroup '%s'", cg->path);
	}
	*ret = st;
	return 0;
}

void cgroup_stats_release(struct cgroup_stats *st)
{
	arena_release(&st->arena);
}
