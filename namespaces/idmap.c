/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User namespace mappings: written by the parent, which holds the rights in the namespace above.
 * A writer without CAP_SETGID there must deny setgroups first (man 7 user_namespaces, "Interaction
 * with system calls that change process UIDs or GIDs"; CVE-2014-8989).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/proc.h"
#include "namespaces/namespaces.h"

#define MAP_MAX_BYTES 65536 /* 340 extents in columns of ten */

static int write_map(int proc_fd, pid_t pid, const char *file, const struct idmap *map, size_t n,
		     struct err *err)
{
	BUF text = BUF_INIT;
	char path[48];

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%u %u %u\n", map[i].inside, map[i].outside, map[i].count);
	snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	return proc_write(proc_fd, path, buf_str(&text), err);
}

int ns_write_idmaps(int proc_fd, pid_t pid, const struct idmaps *maps, struct err *err)
{
	int rc;

	if (geteuid() != 0) {
		char path[48];

		snprintf(path, sizeof(path), "%d/setgroups", (int)pid);
		rc = proc_write(proc_fd, path, "deny", err);
		if (rc < 0)
			return err_wrap(err, rc, "linux.gidMappings");
	}
	rc = write_map(proc_fd, pid, "gid_map", maps->gids, maps->n_gids, err);
	if (rc < 0)
		return err_wrap(err, rc, "linux.gidMappings");
	rc = write_map(proc_fd, pid, "uid_map", maps->uids, maps->n_uids, err);
	if (rc < 0)
		return err_wrap(err, rc, "linux.uidMappings");
	return 0;
}

/* "INSIDE OUTSIDE COUNT", in columns (man 7 user_namespaces). */
static bool parse_extent(char *line, struct idmap *ret)
{
	uint32_t *const fields[] = {&ret->inside, &ret->outside, &ret->count};
	size_t n = 0;

	for (char *word; (word = strsep(&line, " "));) {
		if (*word == '\0')
			continue;
		if (n == ARRAY_SIZE(fields) || parse_u32(word, fields[n++]) < 0)
			return false;
	}
	return n == ARRAY_SIZE(fields);
}

static bool has_extent(const struct idmap *maps, size_t n, const struct idmap *e)
{
	for (size_t i = 0; i < n; i++)
		if (maps[i].inside == e->inside && maps[i].outside == e->outside &&
		    maps[i].count == e->count)
			return true;
	return false;
}

static int check_map(int proc_fd, pid_t pid, const char *file, const struct idmap *maps, size_t n,
		     struct err *err)
{
	BUF text = BUF_INIT;
	char path[48];
	char *rest;
	size_t same = 0, others = 0;
	int rc;

	if (n == 0)
		return 0;
	snprintf(path, sizeof(path), "%d/%s", (int)pid, file);

	CLOSE_FD int fd = proc_open(proc_fd, path, O_RDONLY, err);

	if (fd < 0)
		return fd;
	rc = io_read_all(fd, file, MAP_MAX_BYTES, &text, err);
	if (rc < 0)
		return rc;
	rest = text.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		struct idmap e;

		if (*line == '\0')
			continue;
		if (parse_extent(line, &e) && has_extent(maps, n, &e))
			same++;
		else
			others++;
	}
	if (same != n || others > 0)
		return err_set(err, EINVAL,
			       "not the mappings of the user namespace that is joined");
	return 0;
}

int ns_check_idmaps(int proc_fd, pid_t pid, const struct idmaps *maps, struct err *err)
{
	int rc = check_map(proc_fd, pid, "uid_map", maps->uids, maps->n_uids, err);

	if (rc < 0)
		return err_wrap(err, rc, "linux.uidMappings");
	rc = check_map(proc_fd, pid, "gid_map", maps->gids, maps->n_gids, err);
	return rc < 0 ? err_wrap(err, rc, "linux.gidMappings") : 0;
}

bool ns_idmap_host(const struct idmap *maps, size_t n, uint32_t id, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (id >= maps[i].inside && id - maps[i].inside < maps[i].count) {
			*ret = maps[i].outside + (id - maps[i].inside);
			return true;
		}
	}
	return false;
}

int ns_become_root(struct err *err)
{
	if (setresgid(0, 0, 0) < 0)
		return err_sys(err, "become gid 0 of the user namespace");
	/* EPERM: setgroups is denied there; the groups are then those of an unprivileged caller. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(err, "drop supplementary groups");
	if (setresuid(0, 0, 0) < 0)
		return err_sys(err, "become uid 0 of the user namespace");
	/* Changing ids sets it to fs.suid_dumpable again (man 2 prctl, PR_SET_DUMPABLE). */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, "prctl PR_SET_DUMPABLE");
	return 0;
}
