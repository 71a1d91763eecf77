// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * linux.intelRdt: cache and memory bandwidth classes, and monitoring groups, on the resctrl file
 * system. A container without closID gets a class of its own, named by its id and removed with it.
 * A class that the configuration names belongs to the host's administrator: it is made when it is
 * missing and schemata are given, never removed, and one that exists must already have the schemata
 * asked for, because changing them would change other containers.
 *
 * The kernel refuses in few errno values and says more in info/last_cmd_status, which every message
 * here repeats. See runtime-spec config-linux.md#intelrdt and Documentation/arch/x86/resctrl.rst.
 */
#include "cgroups/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/parse.h"

#define RESCTRL "/sys/fs/resctrl"

int rdt_open_root(const struct rdt_config *c, struct err *err)
{
	const char *path = c->root ? c->root : RESCTRL;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* The kernel makes the directory when the processor has RDT; mounting it is the host's
	 * part. */
	if (fd < 0 || faccessat(fd, "schemata", F_OK, 0) < 0) {
		fd_close(fd);
		return err_set(err, EOPNOTSUPP,
			       "linux.intelRdt: this host has no resctrl file system on '%s'",
			       path);
	}
	return fd;
}

char *rdt_class(const struct rdt_config *c)
{
	const char *name = c->clos_id ? c->clos_id : c->id;

	return mem_xstrdup(strcmp(name, "/") == 0 ? "." : name);
}

char *rdt_monitor_group(const struct rdt_config *c)
{
	FREE char *class = rdt_class(c);

	return mem_xprintf("%s/mon_groups/%s", class, c->id);
}

/* Adds what the kernel has to say to a failure of the last command. */
static int explain(int root, int r, struct err *err)
{
	char why[256];

	if (!err || cgroup_read_at(root, "info/last_cmd_status", why, sizeof(why), NULL) <= 0 ||
	    strcmp(why, "ok") == 0)
		return r < 0 ? err_wrap(err, r, "linux.intelRdt") : r;
	return err_wrap(err, r, "linux.intelRdt: %s", why);
}

static int write_line(int root, const char *class, const char *line, struct err *err)
{
	FREE char *path = mem_xprintf("%s/schemata", class);
	FREE char *text = mem_xprintf("%s\n", line);
	int r = io_write_value(root, path, text, err);

	return r < 0 ? explain(root, r, err) : 0;
}

/* ---- schemata ---- */

/* The "0=ff;1=f0" of the line for resource ("L3", "MB") in text, or NULL. Cuts text. */
static char *find_resource(char *text, const char *resource, size_t len)
{
	char *line;

	while ((line = cgroup_word(&text, "\n"))) {
		line += strspn(line, " ");
		if (strncmp(line, resource, len) == 0 && line[len] == ':')
			return line + len + 1;
	}
	return NULL;
}

static bool same_value(const char *a, const char *b)
{
	a += strspn(a, " 0");
	b += strspn(b, " 0");
	return strcasecmp(a, b) == 0;
}

/* The value of domain id in "0=ff;1=f0", or NULL. Cuts text. */
static const char *find_domain(char *text, const char *id)
{
	char *domain;

	while ((domain = cgroup_word(&text, ";"))) {
		const char *name = strsep(&domain, "=");

		if (domain && same_value(name, id))
			return domain;
	}
	return NULL;
}

/* The kernel rounds a bandwidth up to the next step. */
static bool same_bandwidth(const char *have, const char *want, uint64_t step)
{
	uint64_t a, b;

	have += strspn(have, " ");
	want += strspn(want, " ");
	if (parse_u64(have, &a) < 0 || parse_u64(want, &b) < 0)
		return false;
	return a == b || (a > b && a - b < step);
}

/*
 * Whether the class has what line asks for. The kernel writes numbers its own way (leading zeros
 * and blanks, order of domains), so it is compared domain by domain. step: of bandwidths.
 */
static bool has_schema(const char *schemata, const char *line, uint64_t step)
{
	bool bandwidth = strncmp(line, "MB:", 3) == 0;
	size_t len = strcspn(line, ":");
	FREE char *text = mem_xstrdup(schemata);
	FREE char *wanted = mem_xstrdup(line);
	char *have = find_resource(text, line, len), *rest = wanted + len, *domain;

	if (!have || !*rest)
		return false;
	rest++;
	while ((domain = cgroup_word(&rest, ";"))) {
		const char *id = strsep(&domain, "=");
		FREE char *copy = mem_xstrdup(have);
		const char *value = find_domain(copy, id);

		if (!domain || !value)
			return false;
		if (!(bandwidth ? same_bandwidth(value, domain, step) : same_value(value, domain)))
			return false;
	}
	return true;
}

/* The n-th line of the configuration, NULL behind the last. */
static const char *config_line(const struct rdt_config *c, size_t n)
{
	const char *first[2];
	size_t n_first = 0;

	if (c->l3_cache_schema && *c->l3_cache_schema)
		first[n_first++] = c->l3_cache_schema;
	if (c->mem_bw_schema && *c->mem_bw_schema)
		first[n_first++] = c->mem_bw_schema;
	if (n < n_first)
		return first[n];
	if (!c->schemata)
		return NULL;
	for (size_t i = 0; i <= n - n_first; i++)
		if (!c->schemata[i])
			return NULL;
	return c->schemata[n - n_first];
}

static int check_schemata(const struct rdt_config *c, int root, const char *class, struct err *err)
{
	FREE char *path = mem_xprintf("%s/schemata", class);
	char text[4096], gran[32];
	uint64_t step = 1;
	const char *line;
	ssize_t n;

	if (!config_line(c, 0))
		return 0;
	n = cgroup_read_at(root, path, text, sizeof(text), err);
	if (n < 0)
		return err_wrap(err, (int)n, "linux.intelRdt");
	if (cgroup_read_at(root, "info/MB/bandwidth_gran", gran, sizeof(gran), NULL) > 0 &&
	    parse_u64(gran, &step) < 0)
		step = 1;
	for (size_t i = 0; (line = config_line(c, i)); i++)
		if (!has_schema(text, line, step))
			return err_set(
				err, EINVAL,
				"linux.intelRdt: closID '%s' exists and its schemata are not '%s'",
				c->clos_id, line);
	return 0;
}

static int write_schemata(const struct rdt_config *c, int root, const char *class, struct err *err)
{
	const char *line;
	int r = 0;

	for (size_t i = 0; r == 0 && (line = config_line(c, i)); i++)
		r = write_line(root, class, line, err);
	return r;
}

/* ---- apply ---- */

static int move_in(int root, const char *group, pid_t pid, struct err *err)
{
	FREE char *path = mem_xprintf("%s/tasks", group);
	char number[16];
	int r;

	(void)snprintf(number, sizeof(number), "%d", pid);
	r = io_write_value(root, path, number, err);
	return r < 0 ? explain(root, r, err) : 0;
}

static bool has_tasks(int root, const char *group)
{
	FREE char *path = mem_xprintf("%s/tasks", group);
	char text[16];

	return cgroup_read_at(root, path, text, sizeof(text), NULL) > 0;
}

/* *ret_made: the class was made and is empty of anybody else. */
static int make_class(const struct rdt_config *c, int root, const char *class, bool *ret_made,
		      struct err *err)
{
	*ret_made = false;
	if (strcmp(class, ".") == 0)
		return check_schemata(c, root, class, err);
	if (c->clos_id && !config_line(c, 0)) {
		if (faccessat(root, class, F_OK, 0) < 0)
			return err_set(
				err, ENOENT,
				"linux.intelRdt: closID '%s' does not exist and no schemata are "
				"given to make it",
				c->clos_id);
		return 0;
	}
	if (mkdirat(root, class, 0755) == 0) {
		*ret_made = true;
		return write_schemata(c, root, class, err);
	}
	if (errno != EEXIST)
		return explain(root, err_sys(err, "make class '%s'", class), err);
	if (c->clos_id)
		return check_schemata(c, root, class, err);
	/* An own class without tasks is what a crash left behind. */
	if (has_tasks(root, class))
		return err_set(err, EEXIST, "linux.intelRdt: class '%s' is in use already", class);
	*ret_made = true;
	return write_schemata(c, root, class, err);
}

static int make_monitor_group(const char *group, int root, pid_t pid, struct err *err)
{
	int r;

	if (mkdirat(root, group, 0755) < 0 && (errno != EEXIST || has_tasks(root, group)))
		return explain(root, err_sys(err, "make monitoring group '%s'", group), err);
	r = move_in(root, group, pid, err);
	if (r < 0)
		(void)unlinkat(root, group, AT_REMOVEDIR);
	return r;
}

int rdt_apply(const struct rdt_config *c, pid_t pid, struct err *err)
{
	CLOSE_FD int root = rdt_open_root(c, err);
	FREE char *class = rdt_class(c);
	FREE char *group = rdt_monitor_group(c);
	bool made = false;
	int r;

	if (root < 0)
		return root;
	r = make_class(c, root, class, &made, err);
	if (r == 0)
		r = move_in(root, class, pid, err);
	if (r == 0 && c->monitoring)
		r = make_monitor_group(group, root, pid, err);
	if (r < 0 && made)
		(void)unlinkat(root, class, AT_REMOVEDIR);
	return r;
}

/* ---- update and remove ---- */

/* The line that class has for the resource of line now, whole; NULL: none. Caller frees. */
static char *current_line(int root, const char *class, const char *line)
{
	FREE char *path = mem_xprintf("%s/schemata", class);
	size_t len = strcspn(line, ":");
	char text[4096];
	const char *value;

	if (cgroup_read_at(root, path, text, sizeof(text), NULL) < 0)
		return NULL;
	value = find_resource(text, line, len);
	return value ? mem_xprintf("%.*s:%s", (int)len, line, value) : NULL;
}

int rdt_update(const struct rdt_config *c, struct err *err)
{
	const struct rdt_config both = {
		.l3_cache_schema = c->l3_cache_schema,
		.mem_bw_schema = c->mem_bw_schema,
	};
	CLOSE_FD int root = rdt_open_root(c, err);
	FREE char *class = rdt_class(c);
	const char *line = config_line(&both, 0), *second = config_line(&both, 1);
	FREE char *old = NULL;
	int r;

	if (root < 0 || !line)
		return root < 0 ? root : 0;
	old = current_line(root, class, line);
	r = write_line(root, class, line, err);
	if (r < 0 || !second)
		return r;
	r = write_line(root, class, second, err);
	if (r < 0 && old && write_line(root, class, old, NULL) < 0)
		return err_wrap(err, r, "'%s' stays in force", line);
	return r;
}

int rdt_remove(const struct rdt_config *c, struct err *err)
{
	CLOSE_FD int root = rdt_open_root(c, NULL);
	FREE char *class = rdt_class(c);
	FREE char *group = rdt_monitor_group(c);
	const char *path = c->clos_id ? group : class;

	/* Nothing can be left of it on a host that has no resctrl any more. */
	if (root < 0 || (c->clos_id && !c->monitoring))
		return 0;
	if (unlinkat(root, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, "linux.intelRdt: remove '%s'", path);
	return 0;
}
