/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Behind one share of files the guest sees no mounts of the host. What they say beside their content
 * (nosuid, noexec, …), and where one begins below another, is looked up in proc_pid_mountinfo(5) and
 * told to the guest as mounts of its own.
 */
#include "runtime/vm_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/parse.h"

#define TABLE     "/proc/self/mountinfo"
#define TABLE_MAX (64u << 20)

struct line {
	uint64_t id, parent;
	char *point, *options;
	bool unbindable, taken;
};

/* "\040" and its like, in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* id parent major:minor root point options [tag]... - type source super-options */
static bool read_line(char *text, struct line *l)
{
	char *field[6], *rest = text, *tag;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strsep(&rest, " ");
		if (!field[i])
			return false;
	}
	if (!rest || parse_u64(field[0], &l->id) < 0 || parse_u64(field[1], &l->parent) < 0)
		return false;
	unescape(field[4]);
	l->point = field[4];
	l->options = field[5];
	while ((tag = strsep(&rest, " ")) && strcmp(tag, "-") != 0)
		l->unbindable |= strcmp(tag, "unbindable") == 0;
	return true;
}

/* text is taken apart, and must live as long as the lines. */
static struct line *read_table(char *text, struct arena *a, size_t *ret_n)
{
	size_t n = 1;
	struct line *lines;

	for (const char *p = text; *p; p++)
		n += *p == '\n';
	lines = arena_alloc(a, n, sizeof(*lines));
	*ret_n = 0;
	for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
		if (read_line(line, &lines[*ret_n]))
			(*ret_n)++;
	}
	return lines;
}

static struct line *by_id(struct line *lines, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (lines[i].id == id)
			return &lines[i];
	}
	return NULL;
}

/* "" when point is path, what follows when it lies below, else NULL. */
static const char *below(const char *point, const char *path)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);

	if (strncmp(point, path, len) != 0 || (point[len] && point[len] != '/'))
		return NULL;
	return point + len;
}

/* Children may stand before their parents, so this goes on until nothing is found any more. */
static void take_children(struct line *lines, size_t n, const char *path)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			struct line *l = &lines[i], *on = by_id(lines, n, l->parent);

			if (l->taken || l->unbindable || !on || !on->taken ||
			    !below(l->point, path) || l->id == l->parent)
				continue;
			l->taken = more = true;
		}
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct vm_mount *)a)->below, ((const struct vm_mount *)b)->below);
}

int vm_mounts_of(const char *source, bool recursive, struct arena *a, struct vm_mount **ret,
		 size_t *ret_n, struct err *err)
{
	BUF text = BUF_INIT;
	FREE char *path = realpath(source, NULL);
	struct statx stx;
	struct line *lines, *own;
	size_t n;
	int rc;

	*ret = NULL;
	*ret_n = 0;
	if (!path || statx(AT_FDCWD, path, 0, STATX_MNT_ID, &stx) < 0 ||
	    !(stx.stx_mask & STATX_MNT_ID))
		return 0;
	rc = io_read_file(AT_FDCWD, TABLE, TABLE_MAX, &text, err);
	if (rc < 0)
		return rc;
	lines = read_table(arena_strdup(a, buf_str(&text)), a, &n);
	own = by_id(lines, n, stx.stx_mnt_id);
	if (!own)
		return 0;
	own->taken = true;
	if (recursive)
		take_children(lines, n, path);
	*ret = arena_alloc(a, n, sizeof(**ret));
	(*ret)[(*ret_n)++] = (struct vm_mount){"", own->options};
	for (size_t i = 0; i < n; i++) {
		if (lines[i].taken && &lines[i] != own)
			(*ret)[(*ret_n)++] =
				(struct vm_mount){below(lines[i].point, path), lines[i].options};
	}
	qsort(*ret + 1, *ret_n - 1, sizeof(**ret), compare);
	return 0;
}
