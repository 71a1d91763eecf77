/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mounts of file systems: tmpfs and what it takes over, cgroup, any other type, on real mounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sys.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/rootfs_env.h"

/* ---- file systems ---- */

static int tmpfs_modes(struct env *env)
{
	struct stat st;

	CHECK(mkdir("/mnt/root/owned", 0) == 0 && chown("/mnt/root/owned", 1000, 1001) == 0);
	CHECK(chmod("/mnt/root/owned", 02750) == 0);
	CHECK(mkdir("/mnt/root/given", 0700) == 0 && chown("/mnt/root/given", 5, 6) == 0);
	MOUNT(env, "/owned", "tmpfs", "tmpfs", "size=1m");
	MOUNT(env, "/given", "tmpfs", "tmpfs", "mode=1777", "uid=7", "gid=8");
	MOUNT(env, "/new", "tmpfs", "tmpfs", "nosuid");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(stat("/owned", &st) == 0 && (st.st_mode & 07777) == 02750);
	CHECK(st.st_uid == 1000 && st.st_gid == 1001);
	CHECK(stat("/given", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(st.st_uid == 7 && st.st_gid == 8);
	CHECK(mode_of("/new") == 01777);
	return 0;
}

static void a_tmpfs_inherits_mode_and_owner(void **state)
{
	RUN_ENV(tmpfs_modes, state);
}

static int make_tree(void)
{
	const struct timespec times[2] = {{1000, 0}, {2000, 0}};

	CHECK(mkdir("/mnt/root/var", 0755) == 0 && mkdir("/mnt/root/var/d", 0755) == 0);
	write_text("/mnt/root/var/d/f", "text");
	CHECK(chmod("/mnt/root/var/d/f", 04751) == 0);
	CHECK(chown("/mnt/root/var/d/f", 1000, 1001) == 0 &&
	      chmod("/mnt/root/var/d/f", 04751) == 0);
	CHECK(chmod("/mnt/root/var/d", 01700) == 0);
	CHECK(utimensat(AT_FDCWD, "/mnt/root/var/d", times, 0) == 0);
	CHECK(symlink("/outside", "/mnt/root/var/link") == 0);
	CHECK(mkfifo("/mnt/root/var/fifo", 0600) == 0);
	CHECK(mknod("/mnt/root/var/dev", S_IFCHR | 0600, makedev(1, 5)) == 0);
	return 0;
}

static int copyup(struct env *env)
{
	struct stat st;

	CHECK(make_tree() == 0);
	MOUNT(env, "/var", "tmpfs", "tmpfs", "tmpcopyup");
	MOUNT(env, "/fresh", "tmpfs", "tmpfs", "tmpcopyup");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/var/d/f", "text"));
	CHECK(stat("/var/d/f", &st) == 0 && (st.st_mode & 07777) == 04751);
	CHECK(st.st_uid == 1000 && st.st_gid == 1001);
	CHECK(stat("/var/d", &st) == 0 && (st.st_mode & 07777) == 01700);
	CHECK(st.st_mtim.tv_sec == 2000);
	CHECK(is_link("/var/link", "/outside"));
	CHECK(lstat("/var/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(is_device("/var/dev", S_IFCHR, 1, 5));
	CHECK(unlink("/var/d/f") == 0);
	CHECK(umount2("/var", MNT_DETACH) == 0);
	CHECK(has_text("/var/d/f", "text"));
	return 0;
}

static void tmpcopyup_copies_the_covered(void **state)
{
	RUN_ENV(copyup, state);
}

static int copyup_deep(struct env *env)
{
	int dir;

	CHECK(mkdir("/mnt/root/var", 0755) == 0);
	dir = open("/mnt/root/var", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 2000; i++) {
		int next;

		CHECK(mkdirat(dir, "d", 0755) == 0);
		next = openat(dir, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		CHECK(next >= 0);
		close(dir);
		dir = next;
	}
	close(dir);
	MOUNT(env, "/var", "tmpfs", "tmpfs", "tmpcopyup");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ELOOP && strstr(env->e.msg, "/var"));
	return 0;
}

static void tmpcopyup_has_a_bound(void **state)
{
	RUN_ENV(copyup_deep, state);
}

static int copyup_full(struct env *env)
{
	char block[65536];
	int fd;

	memset(block, 'x', sizeof(block));
	CHECK(mkdir("/mnt/root/var", 0755) == 0);
	fd = open("/mnt/root/var/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	for (int i = 0; i < 4; i++)
		CHECK(write(fd, block, sizeof(block)) == (ssize_t)sizeof(block));
	close(fd);
	MOUNT(env, "/var", "tmpfs", "tmpfs", "tmpcopyup", "size=64k");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOSPC && strstr(env->e.msg, "'f'"));
	return 0;
}

static void tmpcopyup_that_does_not_fit(void **state)
{
	RUN_ENV(copyup_full, state);
}

/* Read-only file systems that others are mounted in turn read-only in the end. */
static int late_readonly(struct env *env)
{
	struct mount_line line;

	MOUNT(env, "/ro", "tmpfs", "tmpfs", "ro", "mode=755");
	MOUNT(env, "/ro/in", "tmpfs", "tmpfs", "mode=755");
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "ro", "nosuid", "mode=755");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(write_error("/ro/x") == EROFS && write_error("/ro/in/x") == 0);
	CHECK(write_error("/dev/x") == EROFS && is_device("/dev/null", S_IFCHR, 1, 3));
	CHECK(mount_find(env, "/dev", &line) && has_word(line.options, "nosuid"));
	return 0;
}

static void readonly_tmpfs_is_filled_first(void **state)
{
	RUN_ENV(late_readonly, state);
}

static int bad_file_systems(struct env *env)
{
	static const struct {
		const char *type, *option, *part;
		int rc;
	} cases[] = {
		{"nosuchfs", "ro", "does not know this file system type", -ENODEV},
		{"tmpfs", "nosuchoption=5", "mounts[0]: mount 'tmpfs' on '/a'", -EINVAL},
		{"tmpfs", "size=many", "mounts[0]: mount 'tmpfs' on '/a'", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		env->cfg.n_mounts = 0;
		MOUNT(env, "/a", "src", cases[i].type, cases[i].option);
		CHECK_RC(env_prepare(env), 0, env->e);
		CHECK_RC(env_build(env), cases[i].rc, env->e);
		CHECK(strstr(env->e.msg, cases[i].part));
		if (!env->classic && i > 0)
			CHECK(strstr(env->e.msg, i == 1 ? "nosuchoption" : "size"));
		ns_rootfs_free(env->st);
		close(env->host_ns);
	}
	return 0;
}

static void errors_of_file_systems(void **state)
{
	RUN_ENV(bad_file_systems, state);
}

static int overlay(struct env *env)
{
	struct mount_line line;

	CHECK(mkdir("/mnt/lower", 0755) == 0 && mkdir("/mnt/a,b", 0755) == 0);
	CHECK(mkdir("/mnt/work", 0755) == 0);
	write_text("/mnt/lower/f", "lower");
	MOUNT(env, "/o", "overlay", "overlay", "lowerdir=/mnt/lower", "upperdir=/mnt/a\\,b",
	      "workdir=/mnt/work", "nodev", "noatime");
	CHECK_RC(env_prepare(env), 0, env->e);
	if (env_build(env) < 0) {
		if (strstr(env->e.msg, "does not know"))
			SKIP_CHILD("the kernel has no overlay");
		fprintf(stderr, "# %s\n", env->e.msg);
		return 1;
	}
	CHECK_RC(env_enter(env), 0, env->e);
	CHECK(has_text("/o/f", "lower") && write_error("/o/g") == 0);
	CHECK(mount_find(env, "/o", &line) && has_word(line.options, "nodev") &&
	      has_word(line.options, "noatime"));
	return 0;
}

static void any_other_type(void **state)
{
	RUN_ENV(overlay, state);
}

static int superblock_flags(struct env *env)
{
	struct mount_line line;

	MOUNT(env, "/s", "tmpfs", "tmpfs", "sync", "dirsync", "lazytime", "mode=755");
	MOUNT(env, "/q", "tmpfs", "tmpfs", "silent", "iversion", "nosymfollow", "mode=700");
	MOUNT(env, "/p", "none", "ramfs", "nodiratime", "rnoexec");
	if (env->classic) {
		env->cfg.n_mounts = 2;
	}
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/s", &line) && has_word(line.super, "sync") &&
	      has_word(line.super, "dirsync") && has_word(line.super, "lazytime"));
	CHECK(mount_find(env, "/q", &line) && has_word(line.options, "nosymfollow"));
	CHECK(mode_of("/q") == 0700);
	if (!env->classic)
		CHECK(mount_find(env, "/p", &line) && has_word(line.options, "nodiratime") &&
		      has_word(line.options, "noexec"));
	return 0;
}

static void flags_of_the_superblock(void **state)
{
	RUN_ENV(superblock_flags, state);
}

static int remount(struct env *env)
{
	struct mount_line line;

	MOUNT(env, "/t", "tmpfs", "tmpfs", "size=1m", "mode=755");
	MOUNT(env, "/t", "tmpfs", "tmpfs", "remount", "size=2m", "nosuid", "ro");
	MOUNT(env, "/b", "tmpfs", "tmpfs", "nodev", "mode=755");
	MOUNT(env, "/b", NULL, NULL, "bind", "remount", "ro");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/b", &line) && has_word(line.options, "nodev"));
	CHECK(write_error("/b/x") == EROFS && !has_word(line.super, "ro"));
	CHECK(mount_find(env, "/t", &line) && has_word(line.options, "nosuid"));
	CHECK(has_word(line.super, "size=2048k") && write_error("/t/x") == EROFS);
	return 0;
}

static void the_remount_option(void **state)
{
	RUN_ENV(remount, state);
}

/* ---- cgroup ---- */

static int cgroup_binds(struct env *env)
{
	static const char *const links[] = {"cpu", "cpuacct", NULL};
	struct ns_cgroup_dir dirs[] = {
		{"cpu,cpuacct", "/mnt/src/one", "cpu,cpuacct", links},
		{"unified", "/mnt/src/two", "", NULL},
	};
	const struct ns_cgroup_view view = {.dirs = dirs, .n_dirs = 2};
	struct mount_line line;

	CHECK(mkdir("/mnt/src/one", 0755) == 0 && mkdir("/mnt/src/two", 0755) == 0);
	write_text("/mnt/src/one/tasks", "1\n");
	env->cfg.cgroups = &view;
	MOUNT(env, "/cg", "cgroup", "cgroup", "nosuid");
	MOUNT(env, "/rw", "cgroup", "cgroup", "rw");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/cg/cpu,cpuacct/tasks", "1\n") && has_text("/cg/cpu/tasks", "1\n"));
	CHECK(is_link("/cg/cpuacct", "cpu,cpuacct"));
	CHECK(mount_find(env, "/cg", &line) && strcmp(line.type, "tmpfs") == 0);
	CHECK(has_word(line.options, "ro") && has_word(line.options, "nodev"));
	CHECK(mount_find(env, "/cg/cpu,cpuacct", &line));
	CHECK(has_word(line.options, "ro") && has_word(line.options, "nosuid") &&
	      has_word(line.options, "noexec"));
	CHECK(write_error("/cg/unified/x") == EROFS);
	CHECK(write_error("/rw/unified/x") == 0 && write_error("/rw/x") == 0);
	return 0;
}

static void cgroup_v1_is_readonly_unless_asked(void **state)
{
	RUN_ENV(cgroup_binds, state);
}

static int cgroup_unified_bind(struct env *env)
{
	struct ns_cgroup_dir dir = {.source = "/mnt/src", .options = ""};
	const struct ns_cgroup_view view = {.unified = true, .dirs = &dir, .n_dirs = 1};
	struct mount_line line;

	write_text("/mnt/src/cgroup.procs", "1\n");
	env->cfg.cgroups = &view;
	MOUNT(env, "/ro", "cgroup", "cgroup", "ro", "nosuid");
	MOUNT(env, "/rw", "cgroup", "cgroup", "nosuid");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/ro/cgroup.procs", "1\n") && write_error("/ro/x") == EROFS);
	CHECK(write_error("/rw/x") == 0);
	CHECK(mount_find(env, "/rw", &line) && has_word(line.options, "nosuid"));
	return 0;
}

static void cgroup_v2_without_a_namespace(void **state)
{
	RUN_ENV(cgroup_unified_bind, state);
}

static int cgroup_own_ns(struct env *env)
{
	struct ns_cgroup_dir dir = {.source = "/mnt/src", .options = ""};
	const struct ns_cgroup_view view = {.unified = true, .dirs = &dir, .n_dirs = 1};
	struct mount_line line;

	if (unshare(CLONE_NEWCGROUP) < 0)
		SKIP_CHILD("no cgroup namespaces");
	env->cfg.new_cgroupns = true;
	env->cfg.cgroups = &view;
	MOUNT(env, "/cg", "cgroup", "cgroup", "ro", "nosuid", "noexec");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/cg", &line) && strcmp(line.type, "cgroup2") == 0);
	CHECK(has_word(line.options, "ro") && has_word(line.options, "noexec"));
	CHECK(!has_word(line.super, "ro"));
	CHECK(access("/cg/cgroup.procs", F_OK) == 0);
	return 0;
}

static void cgroup_v2_in_a_namespace(void **state)
{
	RUN_ENV(cgroup_own_ns, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(a_tmpfs_inherits_mode_and_owner),
		BOTH_WAYS(tmpcopyup_copies_the_covered),
		BOTH_WAYS(tmpcopyup_has_a_bound),
		BOTH_WAYS(tmpcopyup_that_does_not_fit),
		BOTH_WAYS(readonly_tmpfs_is_filled_first),
		BOTH_WAYS(errors_of_file_systems),
		BOTH_WAYS(any_other_type),
		BOTH_WAYS(flags_of_the_superblock),
		BOTH_WAYS(the_remount_option),
		BOTH_WAYS(cgroup_v1_is_readonly_unless_asked),
		BOTH_WAYS(cgroup_v2_without_a_namespace),
		BOTH_WAYS(cgroup_v2_in_a_namespace),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
