/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A root file system to try things on. Everything happens in a forked child with a mount namespace
 * of its own that plays the host: a tmpfs lies on /mnt with the root in /mnt/root and room for bind
 * sources beside it. env_go then does to a second mount namespace what a container's child does.
 * Nothing is left behind. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_NAMESPACES_ROOTFS_ENV_H
#define HULL_TESTS_UNIT_NAMESPACES_ROOTFS_ENV_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "namespaces/namespaces.h"
#include "tests/unit/namespaces/child.h"

#define ENV_MAX_MOUNTS 16

struct env {
	struct arena arena;
	struct ns_mount mounts[ENV_MAX_MOUNTS];
	struct ns_rootfs cfg;
	struct ns_rootfs_state *st;
	int proc_fd;
	int host_ns;  /* keeps the mount namespace that plays the host */
	bool classic; /* HULL_NO_MOUNT_API=1 */
	struct err e;
};

/* A test function runs twice: with the mount API and with mount(2) alone; or once. */
#define CLASSIC_ONLY(f)                                                                            \
	{                                                                                          \
#f "_classic", f, NULL, NULL, (void *)(uintptr_t)1                                 \
	}
#define BOTH_WAYS(f) {#f, f, NULL, NULL, NULL}, CLASSIC_ONLY(f)

/* For the first function of a cmocka test: runs fn(struct env *) in a child, in the way of *state.
 */
#define RUN_ENV(fn, state) env_run(fn, *(state) != NULL)

static inline int env_init(struct env *env, bool classic)
{
	memset(env, 0, sizeof(*env));
	env->classic = classic;
	if (classic)
		setenv("HULL_NO_MOUNT_API", "1", 1);
	else
		unsetenv("HULL_NO_MOUNT_API");
	umask(022);
	if (unshare(CLONE_NEWNS) < 0)
		SKIP_CHILD("needs CAP_SYS_ADMIN for a mount namespace");
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") == 0);
	CHECK(mkdir("/mnt/root", 0755) == 0);
	CHECK(mkdir("/mnt/src", 0755) == 0);
	env->proc_fd = proc_open_root(&env->e);
	CHECK(env->proc_fd >= 0);
	env->cfg.path = "/mnt/root";
	env->cfg.mounts = env->mounts;
	env->cfg.new_mount_ns = true;
	env->cfg.new_netns = true;
	return 0;
}

struct env_run {
	int (*fn)(struct env *env);
	bool classic;
};

static inline int env_child(void *arg)
{
	const struct env_run *run = arg;
	struct env env;
	int rc = env_init(&env, run->classic);

	return rc ? rc : run->fn(&env);
}

static inline void env_run(int (*fn)(struct env *env), bool classic)
{
	struct env_run run = {fn, classic};

	need_root();
	child_run(env_child, &run);
}

/* Adds a mount; options are NULL-terminated. */
static inline struct ns_mount *env_mount(struct env *env, const char *dest, const char *source,
					 const char *type, const char *const *options)
{
	struct ns_mount *m = &env->mounts[env->cfg.n_mounts++];
	size_t n = 0;

	if (env->cfg.n_mounts > ENV_MAX_MOUNTS)
		abort();
	while (options[n])
		n++;
	m->destination = dest;
	m->source = source;
	m->type = type;
	if (ns_mount_options(options, n, m, &env->arena, &env->e) < 0) {
		fprintf(stderr, "# %s\n", env->e.msg);
		abort();
	}
	return m;
}

#define MOUNT(env, dest, source, type, ...)                                                        \
	env_mount(env, dest, source, type, (const char *const[]){__VA_ARGS__, NULL})
#define BIND(env, dest, source, ...) MOUNT(env, dest, source, NULL, __VA_ARGS__)

/* What `spec` lists, but for cgroups. */
static inline void env_defaults(struct env *env)
{
	MOUNT(env, "/proc", "proc", "proc", "nosuid", "noexec", "nodev");
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k");
	MOUNT(env, "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance",
	      "ptmxmode=0666", "mode=0620", "gid=5");
	MOUNT(env, "/dev/shm", "shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777",
	      "size=65536k");
	MOUNT(env, "/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev");
	MOUNT(env, "/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro");
}

static inline int env_prepare(struct env *env)
{
	return ns_rootfs_prepare(&env->cfg, env->proc_fd, &env->st, &env->e);
}

/* The child's part up to /dev. */
static inline int env_build(struct env *env)
{
	env->host_ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (env->host_ns < 0 || unshare(CLONE_NEWNS) < 0)
		return -errno;
	return ns_rootfs_mount(env->st, &env->e);
}

static inline int env_enter(struct env *env)
{
	int rc = ns_rootfs_pivot(env->st, &env->e);

	return rc < 0 ? rc : ns_rootfs_seal(env->st, &env->e);
}

/* Everything. */
static inline int env_go(struct env *env)
{
	int rc = env_prepare(env);

	if (rc == 0)
		rc = env_build(env);
	return rc == 0 ? env_enter(env) : rc;
}

/* ---- what came of it ---- */

struct mount_line {
	char options[256];  /* of the mount */
	char optional[128]; /* "shared:1 master:2" */
	char type[32], source[256];
	char super[512]; /* options of the file system */
	unsigned int id;
};

/* The uppermost mount on point, as /proc/self/mountinfo has it (man 5 proc). False: there is none.
 */
static inline bool mount_find(const struct env *env, const char *point, struct mount_line *ret)
{
	BUF text = BUF_INIT;
	struct err e = ERR_INIT;
	CLOSE_FD int fd = proc_open(env->proc_fd, "self/mountinfo", O_RDONLY, &e);
	bool found = false;
	char *rest, *line;

	if (fd < 0 || io_read_all(fd, "mountinfo", 1 << 20, &text, &e) < 0)
		abort();
	rest = text.data;
	while ((line = strsep(&rest, "\n")) && *line) {
		char *tail = strstr(line, " - ") + 3, *field[6];

		tail[-3] = '\0';
		for (int i = 0; i < 6; i++)
			field[i] = strsep(&line, " ");
		if (strcmp(field[4], point) != 0)
			continue;
		found = true;
		ret->id = 0;
		for (const char *p = field[0]; *p; p++)
			ret->id = ret->id * 10 + (unsigned int)(*p - '0');
		snprintf(ret->options, sizeof(ret->options), "%s", field[5]);
		snprintf(ret->optional, sizeof(ret->optional), "%s", line ? line : "");
		snprintf(ret->type, sizeof(ret->type), "%s", strsep(&tail, " "));
		snprintf(ret->source, sizeof(ret->source), "%s", strsep(&tail, " "));
		snprintf(ret->super, sizeof(ret->super), "%s", tail);
	}
	return found;
}

/* The number of mounts in the namespace that are of this type; NULL: of any. */
static inline size_t mount_count(const struct env *env, const char *type)
{
	BUF text = BUF_INIT;
	struct err e = ERR_INIT;
	CLOSE_FD int fd = proc_open(env->proc_fd, "self/mountinfo", O_RDONLY, &e);
	size_t n = 0;
	char *rest, *line;

	if (fd < 0 || io_read_all(fd, "mountinfo", 1 << 20, &text, &e) < 0)
		abort();
	rest = text.data;
	while ((line = strsep(&rest, "\n")) && *line) {
		const char *tail = strstr(line, " - ") + 3;

		if (!type || (strncmp(tail, type, strlen(type)) == 0 && tail[strlen(type)] == ' '))
			n++;
	}
	return n;
}

/* Whether the comma separated list has the word. */
static inline bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

static inline bool is_device(const char *path, mode_t type, unsigned int major, unsigned int minor)
{
	struct stat st;

	return lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	       st.st_rdev == makedev(major, minor);
}

static inline bool is_link(const char *path, const char *text)
{
	char there[256];
	ssize_t n = readlink(path, there, sizeof(there) - 1);

	if (n < 0)
		return false;
	there[n] = '\0';
	return strcmp(there, text) == 0;
}

static inline mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? (mode_t)-1 : st.st_mode & 07777;
}

static inline bool has_text(const char *path, const char *text)
{
	char there[256];
	CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, there, sizeof(there) - 1);

	if (n < 0)
		return false;
	there[n] = '\0';
	return strcmp(there, text) == 0;
}

/* errno of an attempt to create a file there, 0 when it works. */
static inline int write_error(const char *path)
{
	CLOSE_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? errno : 0;
}

#endif
