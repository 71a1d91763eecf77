// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One hierarchy's group: its directory, its small files, its sub-groups. The files of a cgroup file
 * system hold a page at most and are made anew for each open, so one read(2) into a buffer of a
 * page gives all of it and the read that would only say "end of file" is saved.
 */
#include "cgroups/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"

/* v1 says "no limit" by the largest multiple of the page size below 2^63. */
#define V1_NO_LIMIT (INT64_MAX - 65536)

int cgroup_hier_fd(struct cgroup_hier *h, struct err *err)
{
	if (h->fd < 0)
		h->fd = open(h->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->fd < 0)
		return err_sys(err, "open cgroup '%s'", h->dir);
	return h->fd;
}

ssize_t cgroup_read_at(int dirfd, const char *path, char *buf, size_t size, struct err *err)
{
	CLOSE_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	do {
		n = read(fd, buf, size - 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read '%s'", path);
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

ssize_t cgroup_read(struct cgroup_hier *h, const char *file, char *buf, size_t size,
		    struct err *err)
{
	int dirfd = cgroup_hier_fd(h, err);

	return dirfd < 0 ? dirfd : cgroup_read_at(dirfd, file, buf, size, err);
}

int cgroup_read_limit(struct cgroup_hier *h, const char *file, int64_t *ret, struct err *err)
{
	char text[64];
	ssize_t n = cgroup_read(h, file, text, sizeof(text), err);
	uint64_t v;

	if (n < 0)
		return (int)n;
	if (strcmp(text, "max") == 0 || text[0] == '-') {
		*ret = -1;
		return 0;
	}
	if (parse_u64(text, &v) < 0)
		return err_set(err, EINVAL, "read '%s': expected a number, found '%s'", file, text);
	*ret = v >= V1_NO_LIMIT ? -1 : (int64_t)v;
	return 0;
}

int cgroup_read_key(struct cgroup_hier *h, const char *file, const char *key, uint64_t *ret,
		    struct err *err)
{
	char text[4096];
	char *rest = text, *line;
	size_t len = strlen(key);
	ssize_t n = cgroup_read(h, file, text, sizeof(text), err);

	if (n < 0)
		return (int)n;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, key, len) == 0 && line[len] == ' ' &&
		    parse_u64(line + len + 1, ret) == 0)
			return 0;
	return err_set(err, ENODATA, "read '%s': no line '%s'", file, key);
}

int cgroup_write(struct cgroup_hier *h, const char *file, const char *value, struct err *err)
{
	int dirfd = cgroup_hier_fd(h, err);

	return dirfd < 0 ? dirfd : io_write_value(dirfd, file, value, err);
}

void cgroup_put(struct cgroup_hier *h, const char *file, const char *value)
{
	int r = cgroup_write(h, file, value, NULL);

	if (r < 0)
		log_debug("write '%s' to '%s/%s', ignoring: %s", value, h->dir, file,
			  strerrordesc_np(-r));
}

bool cgroup_has_file(struct cgroup_hier *h, const char *file)
{
	int dirfd = cgroup_hier_fd(h, NULL);

	return dirfd >= 0 && faccessat(dirfd, file, F_OK, 0) == 0;
}

int cgroup_mkdirs(struct cgroup_hier *h, struct err *err)
{
	FREE char *dir = mem_xstrdup(h->dir);
	size_t top = strlen(h->mount);

	if (mkdir(dir, 0755) == 0) {
		h->n_made++;
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return err_sys(err, "create cgroup '%s'", dir);
	for (char *p = strchr(dir + top + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(dir, 0755) == 0)
			h->n_made++;
		else if (errno != EEXIST)
			return err_sys(err, "create cgroup '%s'", dir);
		*p = '/';
	}
	if (mkdir(dir, 0755) < 0)
		return err_sys(err, "create cgroup '%s'", dir);
	h->n_made++;
	return 0;
}

/* ---- walking the sub-groups ---- */

struct name {
	char *name;
	size_t depth;
};

struct names {
	struct name *v;
	size_t n, cap;
};

static void names_push(struct names *s, char *name, size_t depth)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->v = mem_xrealloc(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = (struct name){name, depth};
}

static void names_release(struct names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].name);
	free(s->v);
}

/* A kernfs directory has a link for each sub-directory, so most groups need no reading. */
static int push_subgroups(int fd, size_t depth, struct names *todo, struct err *err)
{
	struct dirent *e;
	struct stat st;
	int dup_fd;
	DIR *dir;

	if (fstat(fd, &st) == 0 && st.st_nlink == 2)
		return 0;
	dup_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = dup_fd < 0 ? NULL : fdopendir(dup_fd);
	if (!dir) {
		fd_close(dup_fd);
		return errno == ENOENT || errno == ENODEV ? 0 : err_sys(err, "list sub-groups");
	}
	while ((e = readdir(dir)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			names_push(todo, mem_xstrdup(e->d_name), depth);
	(void)closedir(dir);
	return 0;
}

struct walk {
	const struct cgroup_visitor *v;
	struct names todo, path; /* path: names from the start down to fd */
	int fd;
};

/* Goes up until the current group is at depth. */
static int walk_up(struct walk *w, size_t depth, struct err *err)
{
	while (w->path.n > depth) {
		CLOSE_FD int parent = openat(w->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		FREE char *name = w->path.v[--w->path.n].name;
		int r = 0;

		if (parent < 0)
			return err_sys(err, "open the group above '%s'", name);
		fd_replace(&w->fd, fd_take(&parent));
		if (w->v->post)
			r = w->v->post(w->fd, name, w->v->ctx, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_down(struct walk *w, char *name, struct err *err)
{
	int fd = openat(w->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0) {
		r = errno == ENOENT ? 0 : err_sys(err, "open sub-group '%s'", name);
		free(name);
		return r;
	}
	fd_replace(&w->fd, fd);
	names_push(&w->path, name, 0);
	r = w->v->pre(w->fd, w->v->ctx, err);
	if (r < 0)
		return r;
	return push_subgroups(w->fd, w->path.n + 1, &w->todo, err);
}

int cgroup_walk(int dirfd, const struct cgroup_visitor *v, struct err *err)
{
	struct walk w = {.v = v, .fd = -1};
	int r = v->pre(dirfd, v->ctx, err);

	if (r >= 0)
		r = push_subgroups(dirfd, 1, &w.todo, err);
	if (r >= 0 && w.todo.n > 0) {
		w.fd = fd_dup(dirfd, err);
		r = w.fd < 0 ? w.fd : 0;
	}
	while (r >= 0 && w.todo.n > 0) {
		struct name next = w.todo.v[--w.todo.n];

		r = walk_up(&w, next.depth - 1, err);
		if (r >= 0)
			r = walk_down(&w, next.name, err);
		else
			free(next.name);
	}
	if (r >= 0)
		r = walk_up(&w, 0, err);
	fd_close(w.fd);
	names_release(&w.todo);
	names_release(&w.path);
	return r < 0 ? r : 0;
}

int64_t cgroup_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void cgroup_sleep_ms(unsigned int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (int64_t)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}
