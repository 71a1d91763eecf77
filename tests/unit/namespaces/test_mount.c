/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bind mounts with their options, id maps, and what is refused, on real mounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sys.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/rootfs_env.h"

/* ---- binds ---- */

/* A source that is a mount with flags, and one below it. */
static int make_source(unsigned long flags)
{
	CHECK(mount("tmpfs", "/mnt/src", "tmpfs", flags, "mode=755") == 0);
	CHECK(mkdir("/mnt/src/sub", 0755) == 0);
	CHECK(mount("tmpfs", "/mnt/src/sub", "tmpfs", flags, "mode=755") == 0);
	return 0;
}

static int bind_flags(struct env *env)
{
	static const struct {
		const char *option, *has, *lacks;
	} cases[] = {
		{"ro", "ro,nosuid,nodev,relatime", "noexec"},
		{"rw", "rw,nosuid,nodev", "ro"},
		{"noexec", "rw,nosuid,nodev,noexec", "ro"},
		{"dev", "rw,nosuid", "nodev"},
		{"suid", "rw,nodev", "nosuid"},
		{"noatime", "noatime,nosuid", "relatime"},
		{"nodiratime", "nodiratime,relatime", "noatime"},
		{"strictatime", "nosuid,nodev", "relatime"},
		{"nosymfollow", "nosymfollow,nosuid", "ro"},
		{"rbind", "rw,nosuid,nodev,relatime", "ro"},
	};

	CHECK(make_source(MS_NOSUID | MS_NODEV) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *dest = arena_printf(&env->arena, "/to/%zu", i);

		BIND(env, dest, "/mnt/src", "bind", cases[i].option);
	}
	CHECK_RC(env_go(env), 0, env->e);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char dest[32], words[64], *rest = words, *word;
		struct mount_line line;

		snprintf(dest, sizeof(dest), "/to/%zu", i);
		CHECK(mount_find(env, dest, &line));
		snprintf(words, sizeof(words), "%s", cases[i].has);
		while ((word = strsep(&rest, ","))) {
			if (!has_word(line.options, word))
				fprintf(stderr, "# %s: %s lacks %s\n", cases[i].option,
					line.options, word);
			CHECK(has_word(line.options, word));
		}
		CHECK(!has_word(line.options, cases[i].lacks));
		snprintf(dest, sizeof(dest), "/to/%zu/sub", i);
		CHECK(mount_find(env, dest, &line) == (strcmp(cases[i].option, "rbind") == 0));
	}
	return 0;
}

static void options_of_binds(void **state)
{
	RUN_ENV(bind_flags, state);
}

static int recursive_options(struct env *env)
{
	struct mount_line top, sub;

	CHECK(make_source(MS_NODEV) == 0);
	BIND(env, "/r", "/mnt/src", "rbind", "rro", "rnosuid", "rdev", "rnoatime");
	if (env->classic) {
		CHECK_RC(env_prepare(env), 0, env->e);
		CHECK(env_build(env) == -ENOSYS);
		CHECK(strstr(env->e.msg, "mounts[0]") && strstr(env->e.msg, "mount_setattr"));
		return 0;
	}
	BIND(env, "/t", "/mnt/src", "rbind", "ro");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/r", &top) && mount_find(env, "/r/sub", &sub));
	CHECK(strcmp(top.options, sub.options) == 0);
	CHECK(has_word(top.options, "ro") && has_word(top.options, "nosuid") &&
	      has_word(top.options, "noatime") && !has_word(top.options, "nodev"));
	CHECK(write_error("/r/sub/x") == EROFS);
	/* The plain option is for the mount itself. */
	CHECK(write_error("/t/x") == EROFS && write_error("/t/sub/x") == 0);
	return 0;
}

static void recursive_options_reach_submounts(void **state)
{
	RUN_ENV(recursive_options, state);
}

static int propagation(struct env *env)
{
	struct mount_line line;

	CHECK(make_source(0) == 0);
	CHECK(mount(NULL, "/mnt/src", NULL, MS_SHARED | MS_REC, NULL) == 0);
	BIND(env, "/slave", "/mnt/src", "rbind", "rslave");
	BIND(env, "/private", "/mnt/src", "rbind", "rprivate");
	BIND(env, "/both", "/mnt/src", "rbind", "slave", "shared");
	BIND(env, "/order", "/mnt/src", "rbind", "rshared", "rprivate");
	MOUNT(env, "/tmp", "tmpfs", "tmpfs", "shared");
	BIND(env, "/unbindable", "/mnt/src", "rbind", "runbindable");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/slave", &line) && strncmp(line.optional, "master:", 7) == 0);
	CHECK(!strstr(line.optional, "shared"));
	CHECK(mount_find(env, "/private", &line) && line.optional[0] == '\0');
	CHECK(mount_find(env, "/private/sub", &line) && line.optional[0] == '\0');
	CHECK(mount_find(env, "/both", &line) && strstr(line.optional, "shared:") &&
	      strstr(line.optional, "master:"));
	CHECK(mount_find(env, "/both/sub", &line) && !strstr(line.optional, "shared:"));
	CHECK(mount_find(env, "/order", &line) && line.optional[0] == '\0');
	CHECK(mount_find(env, "/tmp", &line) && strncmp(line.optional, "shared:", 7) == 0);
	CHECK(mount_find(env, "/unbindable/sub", &line) && strstr(line.optional, "unbindable"));
	return 0;
}

static void propagation_options(void **state)
{
	RUN_ENV(propagation, state);
}

static int file_binds(struct env *env)
{
	write_text("/mnt/src/f", "text");
	CHECK(symlink("f", "/mnt/src/link") == 0);
	CHECK(mkdir("/mnt/root/dir", 0755) == 0);
	BIND(env, "/etc/deep/f", "/mnt/src/f", "bind", "ro");
	BIND(env, "relative/f", "/mnt/src/link", "bind");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/etc/deep/f", "text") && has_text("/relative/f", "text"));
	CHECK(write_error("/etc/deep/f") == EROFS && write_error("/relative/f") == 0);
	CHECK(mode_of("/etc/deep") == 0755);
	return 0;
}

static void files_and_links_as_sources(void **state)
{
	RUN_ENV(file_binds, state);
}

static int kinds_differ(struct env *env)
{
	write_text("/mnt/src/f", "text");
	CHECK(mkdir("/mnt/root/dir", 0755) == 0);
	write_text("/mnt/root/file", "");
	BIND(env, "/dir", "/mnt/src/f", "bind");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -EISDIR && strstr(env->e.msg, "mounts[0]"));
	ns_rootfs_free(env->st);
	env->cfg.n_mounts = 0;
	BIND(env, "/file", "/mnt/src", "bind");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOTDIR && strstr(env->e.msg, "/file"));
	return 0;
}

static void a_file_goes_on_a_file(void **state)
{
	RUN_ENV(kinds_differ, state);
}

static int order(struct env *env)
{
	write_text("/mnt/src/f", "first");
	CHECK(mkdir("/mnt/two", 0755) == 0);
	write_text("/mnt/two/f", "second");
	BIND(env, "/a", "/mnt/src", "rbind");
	BIND(env, "/a", "/mnt/two", "rbind");
	MOUNT(env, "/b", "tmpfs", "tmpfs", "mode=755");
	BIND(env, "/b/c/d", "/mnt/src", "rbind");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/a/f", "second") && has_text("/b/c/d/f", "first"));
	return 0;
}

static void later_mounts_lie_on_earlier_ones(void **state)
{
	RUN_ENV(order, state);
}

static int copy_links(struct env *env)
{
	CHECK(symlink("../target/of it", "/mnt/src/link") == 0);
	CHECK(symlink("../target/of it", "/mnt/root/same") == 0);
	write_text("/mnt/src/f", "text");
	BIND(env, "/deep/link", "/mnt/src/link", "bind", "copy-symlink");
	BIND(env, "/same", "/mnt/src/link", "bind", "copy-symlink");
	BIND(env, "/f", "/mnt/src/f", "bind", "copy-symlink");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(is_link("/deep/link", "../target/of it"));
	CHECK(has_text("/f", "text"));
	return 0;
}

static void copy_symlink(void **state)
{
	RUN_ENV(copy_links, state);
}

static int copy_link_exists(struct env *env)
{
	CHECK(symlink("there", "/mnt/src/link") == 0);
	CHECK(symlink("elsewhere", "/mnt/root/link") == 0);
	BIND(env, "/link", "/mnt/src/link", "bind", "copy-symlink");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -EEXIST && strstr(env->e.msg, "/link"));
	CHECK(is_link("/mnt/root/link", "elsewhere"));
	return 0;
}

static void copy_symlink_spares_what_is_there(void **state)
{
	RUN_ENV(copy_link_exists, state);
}

/* ---- what prepare refuses ---- */

static int refuse(struct env *env, const struct ns_mount *m, int want, const char *part)
{
	env->cfg.mounts = m;
	env->cfg.n_mounts = 1;
	CHECK_RC(env_prepare(env), want, env->e);
	CHECK(strncmp(env->e.msg, "mounts[0]: ", 11) == 0);
	if (!strstr(env->e.msg, part))
		fprintf(stderr, "# '%s' lacks '%s'\n", env->e.msg, part);
	CHECK(strstr(env->e.msg, part));
	return 0;
}

static int bad_mounts(struct env *env)
{
	const struct idmap map = {0, 1000, 1};
	const struct idmaps maps = {.uids = &map, .gids = &map, .n_uids = 1, .n_gids = 1};
	const struct idmaps half = {.uids = &map, .n_uids = 1};
	static const char *const roots[] = {"/", "//", "/..", "/a/..", ".", "a/../.."};
	static const char *const procs[] = {"/proc/sys", "/proc/self/attr", "proc/1/",
					    "/a/../proc/cpuinfos", "/proc/sys/kernel"};
	struct ns_mount m = {.source = "/mnt/src", .bind = true, .flags = MS_BIND};

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		m.destination = roots[i];
		CHECK(refuse(env, &m, -EINVAL, "is the root itself") == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(procs); i++) {
		m.destination = procs[i];
		CHECK(refuse(env, &m, -EINVAL, "inside /proc") == 0);
	}
	m.destination = "";
	CHECK(refuse(env, &m, -EINVAL, "destination") == 0);
	m.destination = "/proc";
	CHECK(refuse(env, &m, -EINVAL, "'/mnt/src' cannot cover /proc") == 0);
	m.destination = "/a";
	m.source = "/mnt/src/missing";
	CHECK(refuse(env, &m, -ENOENT, "source '/mnt/src/missing'") == 0);
	m.source = "relative";
	CHECK(refuse(env, &m, -EINVAL, "source") == 0);
	m.source = NULL;
	CHECK(refuse(env, &m, -EINVAL, "source") == 0);
	m.source = "/mnt/src";
	m.idmap = true;
	CHECK(refuse(env, &m, -EINVAL, "uidMappings") == 0);
	m.idmaps = &half;
	CHECK(refuse(env, &m, -EINVAL, "both uidMappings and gidMappings") == 0);
	m.bind = false;
	m.flags = 0;
	m.type = "tmpfs";
	m.idmaps = &maps;
	CHECK(refuse(env, &m, -EINVAL, "bind mounts only") == 0);
	m.idmaps = NULL;
	m.idmap = false;
	m.destination = "/proc";
	CHECK(refuse(env, &m, -EINVAL, "'tmpfs' cannot cover /proc") == 0);
	m.destination = "/a";
	m.type = "ext4";
	m.tmpcopyup = true;
	CHECK(refuse(env, &m, -EINVAL, "tmpcopyup") == 0);
	m.tmpcopyup = false;
	m.type = "cgroup";
	CHECK(refuse(env, &m, -ENOTSUP, "cgroup") == 0);
	m.type = NULL;
	CHECK(refuse(env, &m, -EINVAL, "type") == 0);
	return 0;
}

static void bad_mounts_are_found_beforehand(void **state)
{
	RUN_ENV(bad_mounts, state);
}

/* ---- /proc ---- */

static int proc_files(struct env *env)
{
	struct mount_line line;

	write_text("/mnt/src/cpuinfo", "my own\n");
	write_text("/mnt/src/fips", "1\n");
	MOUNT(env, "/proc", "proc", "proc", "nosuid");
	BIND(env, "/proc/cpuinfo", "/mnt/src/cpuinfo", "bind", "ro");
	BIND(env, "/proc//./uptime", "/mnt/src/cpuinfo", "bind");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/proc/cpuinfo", "my own\n") && has_text("/proc/uptime", "my own\n"));
	CHECK(mount_find(env, "/proc/cpuinfo", &line) && has_word(line.options, "ro"));
	return 0;
}

static void files_of_proc_that_may_be_covered(void **state)
{
	RUN_ENV(proc_files, state);
}

static int proc_bound(struct env *env)
{
	struct mount_line line;

	BIND(env, "/proc", "/proc", "rbind");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/proc", &line) && strcmp(line.type, "proc") == 0);
	return 0;
}

static void the_hosts_proc_may_be_bound(void **state)
{
	RUN_ENV(proc_bound, state);
}

/* ---- idmapped mounts ---- */

static int idmapped(struct env *env)
{
	const struct idmap map = {0, 1000, 2000}, other = {0, 5000, 10};
	const struct idmaps maps = {.uids = &map, .gids = &other, .n_uids = 1, .n_gids = 1};
	struct stat st;

	CHECK(make_source(0) == 0);
	write_text("/mnt/src/f", "");
	write_text("/mnt/src/g", "");
	write_text("/mnt/src/sub/f", "");
	CHECK(chown("/mnt/src/g", 7, 3) == 0);
	BIND(env, "/one", "/mnt/src", "rbind", "idmap")->idmaps = &maps;
	BIND(env, "/all", "/mnt/src", "rbind", "ridmap", "ro")->idmaps = &maps;
	BIND(env, "/bare", "/mnt/src", "bind")->idmaps = &maps;
	if (env->classic) {
		CHECK(env_prepare(env) == -ENOSYS && strstr(env->e.msg, "mounts[0]"));
		return 0;
	}
	if (env_prepare(env) < 0) {
		if (strstr(env->e.msg, "does not support"))
			SKIP_CHILD("no idmapped tmpfs (Linux 6.3)");
		fprintf(stderr, "# %s\n", env->e.msg);
		return 1;
	}
	CHECK_RC(env_build(env), 0, env->e);
	CHECK_RC(env_enter(env), 0, env->e);
	CHECK(stat("/one/f", &st) == 0 && st.st_uid == 1000 && st.st_gid == 5000);
	CHECK(stat("/one/g", &st) == 0 && st.st_uid == 1007 && st.st_gid == 5003);
	CHECK(stat("/one/sub/f", &st) == 0 && st.st_uid == 0);
	CHECK(stat("/all/sub/f", &st) == 0 && st.st_uid == 1000 && st.st_gid == 5000);
	CHECK(write_error("/all/x") == EROFS);
	CHECK(stat("/bare/f", &st) == 0 && st.st_uid == 1000);
	return 0;
}

static void idmapped_binds(void **state)
{
	need_userns();
	RUN_ENV(idmapped, state);
}

static int idmap_unsupported(struct env *env)
{
	const struct idmap map = {0, 1000, 1};
	const struct idmaps maps = {.uids = &map, .gids = &map, .n_uids = 1, .n_gids = 1};

	BIND(env, "/one", "/proc", "bind", "idmap")->idmaps = &maps;
	env->mounts[0].destination = "/x";
	CHECK(env_prepare(env) == (env->classic ? -ENOSYS : -EINVAL));
	if (!env->classic)
		CHECK(strstr(env->e.msg, "does not support"));
	return 0;
}

static void idmap_where_it_is_not_supported(void **state)
{
	need_userns();
	RUN_ENV(idmap_unsupported, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(options_of_binds),
		BOTH_WAYS(recursive_options_reach_submounts),
		BOTH_WAYS(propagation_options),
		BOTH_WAYS(files_and_links_as_sources),
		BOTH_WAYS(a_file_goes_on_a_file),
		BOTH_WAYS(later_mounts_lie_on_earlier_ones),
		BOTH_WAYS(copy_symlink),
		BOTH_WAYS(copy_symlink_spares_what_is_there),
		BOTH_WAYS(bad_mounts_are_found_beforehand),
		BOTH_WAYS(files_of_proc_that_may_be_covered),
		BOTH_WAYS(the_hosts_proc_may_be_bound),
		BOTH_WAYS(idmapped_binds),
		BOTH_WAYS(idmap_where_it_is_not_supported),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
