/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.sysctl: only keys that belong to a namespace of the container's own are taken, everything
 * else would change the host. Keys are written as sysctl.d(5) has it: the first separator decides,
 * "net.ipv4.conf.eth0/1.forwarding" and "net/ipv4/conf/eth0.1/forwarding" are the same key.
 *
 * Values go through hull's own verified procfs. It shows the namespaces of the task that opens the
 * file, not those of the procfs, so a procfs of the host serves a child that has entered its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/proc.h"
#include "namespaces/namespaces.h"

static const struct {
	const char *path; /* ends in "/": everything below */
	enum ns_kind kind;
} sysctl_spaces[] = {
	{"fs/mqueue/", NS_IPC},
	{"kernel/domainname", NS_UTS},
	{"kernel/msgmax", NS_IPC},
	{"kernel/msgmnb", NS_IPC},
	{"kernel/msgmni", NS_IPC},
	{"kernel/msg_next_id", NS_IPC},
	{"kernel/sem", NS_IPC},
	{"kernel/sem_next_id", NS_IPC},
	{"kernel/shmall", NS_IPC},
	{"kernel/shmmax", NS_IPC},
	{"kernel/shmmni", NS_IPC},
	{"kernel/shm_next_id", NS_IPC},
	{"kernel/shm_rmid_forced", NS_IPC},
	{"net/", NS_NETWORK},
	{"user/", NS_USER},
};

/* The file of a key below /proc/sys. Caller frees. */
static char *key_path(const char *key)
{
	size_t first = strcspn(key, "./");
	char *path = mem_xstrdup(key);

	if (key[first] != '.')
		return path;
	for (char *p = path; *p; p++) {
		if (*p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
	return path;
}

/* Names and dots as the kernel has them; nothing that another program could take for syntax. */
static bool is_plain(const char *path)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:";

	if (path[strspn(path, allowed)] != '\0')
		return false;
	for (const char *p = path;; p++) {
		size_t len = strcspn(p, "/");

		if (len == 0 || (len == 1 && p[0] == '.') ||
		    (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += len;
		if (*p == '\0')
			return true;
	}
}

static bool matches(const char *path, const char *pattern)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '/')
		return strncmp(path, pattern, len) == 0;
	return strcmp(path, pattern) == 0;
}

/* Whether the container has a namespace of this kind that is not the caller's. 1, 0 or -errno. */
static int own_space(const struct ns_spaces *spaces, enum ns_kind kind, struct err *err)
{
	const struct ns_space *space = &spaces->kind[kind];
	FREE char *mine = mem_xprintf("/proc/self/ns/%s", ns_kind_file(kind));
	struct stat a, b;

	if (!space->listed)
		return 0;
	if (!space->path)
		return 1;
	if (stat(space->path, &a) < 0)
		return err_sys(err, "inspect namespace '%s'", space->path);
	if (stat(mine, &b) < 0)
		return err_sys(err, "inspect namespace '%s'", mine);
	return a.st_dev != b.st_dev || a.st_ino != b.st_ino;
}

int ns_sysctl_check(const char *key, const struct ns_spaces *spaces, struct err *err)
{
	FREE char *path = key_path(key);

	if (!is_plain(path))
		return err_set(err, EINVAL, "sysctl '%s' is not a valid key", key);
	if (strcmp(path, "kernel/hostname") == 0)
		return err_set(err, EINVAL, "sysctl '%s' is what the property hostname is for",
			       key);
	for (size_t i = 0; i < ARRAY_SIZE(sysctl_spaces); i++) {
		enum ns_kind kind = sysctl_spaces[i].kind;
		int rc;

		if (!matches(path, sysctl_spaces[i].path))
			continue;
		rc = own_space(spaces, kind, err);
		if (rc < 0)
			return err_wrap(err, rc, "sysctl '%s'", key);
		if (rc == 0)
			return err_set(err, EINVAL,
				       "sysctl '%s' needs a %s namespace of the container's own",
				       key, ns_kind_name(kind));
		return 0;
	}
	return err_set(err, EINVAL, "sysctl '%s' does not belong to a namespace", key);
}

int ns_sysctl_write(int proc_fd, const struct ns_sysctl *sysctls, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		FREE char *path = key_path(sysctls[i].key);
		FREE char *file = mem_xprintf("sys/%s", path);
		int rc = proc_write(proc_fd, file, sysctls[i].value, err);

		if (rc < 0)
			return err_wrap(err, rc, "sysctl '%s'", sysctls[i].key);
	}
	return 0;
}
