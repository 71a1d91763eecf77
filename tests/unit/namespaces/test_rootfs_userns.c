/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root file system of a container in a user namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sys.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/rootfs_env.h"

#define RUN_MAPPED(fn, state)                                                                      \
	do {                                                                                       \
		need_userns();                                                                     \
		RUN_ENV(fn, state);                                                                \
	} while (0)

#define HOST_ROOT 100000

static const struct idmap map = {0, HOST_ROOT, 65536};
static const struct idmaps maps = {.uids = &map, .gids = &map, .n_uids = 1, .n_gids = 1};

struct guest {
	struct env *env;
	int spaces; /* CLONE_NEW… beside the user and mount namespaces */
	int want;   /* result of ns_rootfs_mount */
	int (*check)(struct env *env);
	int ready[2], go[2];
};

static int in_namespaces(struct guest *g)
{
	CHECK_RC(ns_rootfs_mount(g->env->st, &g->env->e), g->want, g->env->e);
	if (g->want == 0)
		CHECK_RC(env_enter(g->env), 0, g->env->e);
	return g->check(g->env);
}

/* A new pid namespace is that of the next child. */
static int guest_child(struct guest *g)
{
	int status;
	pid_t pid;
	char c;

	CHECK(unshare(CLONE_NEWUSER) == 0);
	CHECK(write(g->ready[1], "", 1) == 1 && read(g->go[0], &c, 1) == 1);
	CHECK(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
	CHECK(unshare(CLONE_NEWNS | g->spaces) == 0);
	pid = fork();
	if (pid == 0)
		_exit(in_namespaces(g));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run_guest(struct guest *g)
{
	int status;
	pid_t pid;
	char c;

	g->env->cfg.in_userns = true;
	CHECK_RC(env_prepare(g->env), 0, g->env->e);
	CHECK(pipe(g->ready) == 0 && pipe(g->go) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(guest_child(g));
	close(g->ready[1]);
	CHECK(read(g->ready[0], &c, 1) == 1);
	CHECK_RC(ns_write_idmaps(g->env->proc_fd, pid, &maps, &g->env->e), 0, g->env->e);
	CHECK(write(g->go[1], "", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int own_root(void)
{
	CHECK(chown("/mnt/root", HOST_ROOT, HOST_ROOT) == 0);
	return 0;
}

#define ALL_SPACES (CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* ---- the default set ---- */

static int check_defaults(struct env *env)
{
	struct mount_line line;

	CHECK(mount_find(env, "/proc", &line) && strcmp(line.type, "proc") == 0);
	CHECK(mount_find(env, "/sys", &line) && strcmp(line.type, "sysfs") == 0);
	CHECK(mount_find(env, "/dev/pts", &line) && mount_find(env, "/dev/mqueue", &line));
	CHECK(is_device("/dev/null", S_IFCHR, 1, 3) && is_device("/dev/tty", S_IFCHR, 5, 0));
	CHECK(is_device("/dev/urandom", S_IFCHR, 1, 9));
	CHECK(mount_find(env, "/dev/null", &line));
	CHECK(write_error("/dev/null") == 0);
	CHECK(is_link("/dev/ptmx", "pts/ptmx") && is_link("/dev/fd", "/proc/self/fd"));
	CHECK(write_error("/new") == EROFS);
	CHECK(mount_find(env, "/proc/sys", &line) && has_word(line.options, "ro"));
	if (mount_find(env, "/proc/keys", &line))
		CHECK(is_device("/proc/keys", S_IFCHR, 1, 3));
	return 0;
}

static int defaults(struct env *env)
{
	static const char *const masked[] = {"/proc/keys", "/proc/acpi", "/proc/timer_list",
					     "/sys/firmware"};
	static const char *const readonly[] = {"/proc/sys", "/proc/bus"};
	struct guest g = {.env = env, .spaces = ALL_SPACES, .check = check_defaults};

	CHECK(own_root() == 0);
	env_defaults(env);
	env->cfg.masked_paths = masked;
	env->cfg.n_masked_paths = ARRAY_SIZE(masked);
	env->cfg.readonly_paths = readonly;
	env->cfg.n_readonly_paths = ARRAY_SIZE(readonly);
	env->cfg.readonly = true;
	return run_guest(&g);
}

static void the_default_set(void **state)
{
	RUN_MAPPED(defaults, state);
}

/* ---- where only the host's root may go ---- */

static int check_unreachable(struct env *env)
{
	struct stat st;

	CHECK(has_text("/volume/f", "text"));
	CHECK(stat("/mapped/f", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
	CHECK(write_error("/volume/new") == EROFS);
	CHECK(access("/mnt", F_OK) < 0);
	CHECK(mount_find(env, "/volume", &(struct mount_line){0}));
	return 0;
}

static int unreachable(struct env *env)
{
	struct guest g = {.env = env, .check = check_unreachable};

	CHECK(mkdir("/mnt/closed", 0700) == 0);
	CHECK(mkdir("/mnt/closed/root", 0755) == 0 && mkdir("/mnt/closed/src", 0755) == 0);
	CHECK(chown("/mnt/closed/root", HOST_ROOT, HOST_ROOT) == 0);
	write_text("/mnt/closed/src/f", "text");
	env->cfg.path = "/mnt/closed/root";
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	BIND(env, "/volume", "/mnt/closed/src", "rbind", "ro");
	BIND(env, "/mapped", "/mnt/closed/src", "rbind", "idmap")->idmaps = &maps;
	if (env->classic) {
		env->cfg.in_userns = true;
		CHECK(env_prepare(env) == -ENOSYS);
		return 0;
	}
	return run_guest(&g);
}

static void a_root_and_sources_out_of_reach(void **state)
{
	RUN_MAPPED(unreachable, state);
}

static int unreachable_shared(struct env *env)
{
	env->cfg.propagation = MS_SHARED | MS_REC;
	return unreachable(env);
}

static void a_shared_root_out_of_reach(void **state)
{
	RUN_MAPPED(unreachable_shared, state);
}

/* ---- flags that the kernel has locked ---- */

static int check_locked(struct env *env)
{
	struct mount_line line;

	CHECK(mount_find(env, "/ro", &line));
	CHECK(has_word(line.options, "ro") && has_word(line.options, "nosuid") &&
	      has_word(line.options, "nodev") && has_word(line.options, "noatime"));
	CHECK(mount_find(env, "/", &line));
	CHECK(has_word(line.options, "ro") && has_word(line.options, "nosuid"));
	return 0;
}

static int locked_flags(struct env *env)
{
	struct guest g = {.env = env, .check = check_locked};

	CHECK(mount("tmpfs", "/mnt/src", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOATIME, "mode=755") ==
	      0);
	CHECK(mount("tmpfs", "/mnt/root", "tmpfs", MS_NOSUID, "mode=755") == 0);
	CHECK(own_root() == 0);
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	BIND(env, "/ro", "/mnt/src", "rbind", "ro");
	env->cfg.readonly = true;
	return run_guest(&g);
}

static void locked_flags_stay(void **state)
{
	RUN_MAPPED(locked_flags, state);
}

static int check_refused(struct env *env)
{
	CHECK(strstr(env->e.msg, "mounts[0]") && strstr(env->e.msg, "/mnt/src"));
	return 0;
}

/* The child's own copy of the host's mounts is locked, so asking for less is an error. */
static int clear_locked(struct env *env)
{
	struct guest g = {.env = env, .check = check_refused, .want = -EPERM};

	CHECK(mount("tmpfs", "/mnt/src", "tmpfs", MS_NODEV, "mode=755") == 0);
	CHECK(own_root() == 0);
	BIND(env, "/dev-wanted", "/mnt/src", "rbind", "dev");
	return run_guest(&g);
}

static void locked_flags_are_not_dropped_in_silence(void **state)
{
	RUN_MAPPED(clear_locked, state);
}

/* ---- sysfs ---- */

static int check_sysfs(struct env *env)
{
	struct mount_line line;

	CHECK(mount_find(env, "/sys", &line) && strcmp(line.type, "sysfs") == 0);
	CHECK(has_word(line.options, "ro") && has_word(line.options, "nosuid"));
	if (mount_find(env, "/sys/fs/cgroup", &line)) {
		CHECK(has_word(line.options, "ro"));
		if (env->classic)
			CHECK(strcmp(line.type, "tmpfs") == 0 && has_word(line.super, "ro"));
	}
	return 0;
}

/* CVE-2023-25809: the host's /sys comes with the host's cgroups. */
static int host_sysfs(struct env *env)
{
	struct guest g = {.env = env, .spaces = CLONE_NEWPID, .check = check_sysfs};

	CHECK(own_root() == 0);
	env->cfg.new_netns = false;
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	MOUNT(env, "/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro");
	return run_guest(&g);
}

static void cve_2023_25809_sysfs_of_the_host(void **state)
{
	RUN_MAPPED(host_sysfs, state);
}

/* ---- devices ---- */

static int check_bound(struct env *env)
{
	struct stat st;

	CHECK(is_device("/opt/zero", S_IFCHR, 1, 5));
	CHECK(stat("/dev/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	(void)env;
	return 0;
}

static int devices(struct env *env)
{
	static const struct ns_device list[] = {{'c', "/dev/zero", 1, 5, 0666, 0, 0},
						{'p', "/dev/fifo", 0, 0, 0600, 0, 0}};
	struct guest g = {.env = env, .check = check_bound};

	CHECK(own_root() == 0);
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	BIND(env, "/opt/zero", "/dev/zero", "bind");
	env->cfg.devices = list;
	env->cfg.n_devices = ARRAY_SIZE(list);
	return run_guest(&g);
}

static void devices_are_bound(void **state)
{
	RUN_MAPPED(devices, state);
}

static bool looks_like(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & 07777) == mode && st.st_uid == uid &&
	       st.st_gid == gid;
}

static int check_made(struct env *env)
{
	struct mount_line line;
	char c = 1;
	CLOSE_FD int fd = open("/dev/mine", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 0);
	CHECK(is_device("/dev/mine", S_IFCHR, 1, 5) && looks_like("/dev/mine", 0640, 7, 8));
	CHECK(is_device("/opt/disk", S_IFBLK, 7, 99) && looks_like("/opt/disk", 0600, 0, 0));
	CHECK(is_device("/dev/null", S_IFCHR, 1, 3) && looks_like("/dev/null", 0666, 0, 0));
	CHECK(write_error("/dev/null") == 0);
	CHECK(mount_find(env, "/dev/mine", &line) && has_word(line.options, "nosuid"));
	CHECK(!has_word(line.options, "nodev"));
	/* The tmpfs itself is gone from here. */
	CHECK(mount_find(env, "/", &line) && strcmp(line.type, "tmpfs") == 0);
	CHECK(access("/0", F_OK) < 0);
	return 0;
}

/* Neither node is on the host by that path. */
static int made_devices(struct env *env)
{
	static const struct ns_device list[] = {{'c', "/dev/mine", 1, 5, 0640, 7, 8},
						{'b', "/opt/disk", 7, 99, 0600, 0, 0}};
	struct guest g = {.env = env, .check = check_made};

	CHECK(own_root() == 0);
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	env->cfg.devices = list;
	env->cfg.n_devices = ARRAY_SIZE(list);
	env->cfg.userns_maps = &maps;
	umask(077);
	return run_guest(&g);
}

static void devices_are_made_by_the_parent(void **state)
{
	RUN_MAPPED(made_devices, state);
}

static int unmapped_device(struct env *env)
{
	struct ns_device d = {'c', "/dev/mine", 1, 5, 0640, 65536, 0};

	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	env->cfg.devices = &d;
	env->cfg.n_devices = 1;
	env->cfg.in_userns = true;
	env->cfg.userns_maps = &maps;
	CHECK_RC(env_prepare(env), -EINVAL, env->e);
	CHECK(strstr(env->e.msg, "linux.devices[0]") && strstr(env->e.msg, "uid 65536"));
	d.uid = 0;
	d.gid = 65536;
	CHECK_RC(env_prepare(env), -EINVAL, env->e);
	CHECK(strstr(env->e.msg, "gid 65536"));
	return 0;
}

static void an_owner_that_is_not_mapped(void **state)
{
	RUN_MAPPED(unmapped_device, state);
}

static int check_wrong(struct env *env)
{
	CHECK(strstr(env->e.msg, "linux.devices[0]") && strstr(env->e.msg, "/dev/zero"));
	return 0;
}

static int wrong_device(struct env *env)
{
	static const struct ns_device list[] = {{'c', "/dev/zero", 1, 7, 0666, 0, 0}};
	struct guest g = {.env = env, .check = check_wrong, .want = -ENODEV};

	CHECK(own_root() == 0);
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	env->cfg.devices = list;
	env->cfg.n_devices = 1;
	return run_guest(&g);
}

static void a_bound_device_must_be_the_one(void **state)
{
	RUN_MAPPED(wrong_device, state);
}

/* ---- sysctls ---- */

static int check_sysctl(struct env *env)
{
	static const struct ns_sysctl list[] = {{"net.ipv4.ip_unprivileged_port_start", "81"},
						{"kernel.msgmax", "8193"},
						{"user.max_uts_namespaces", "3"}};

	CHECK_RC(ns_sysctl_write(env->proc_fd, list, ARRAY_SIZE(list), &env->e), 0, env->e);
	return 0;
}

static int sysctls(struct env *env)
{
	struct guest g = {.env = env, .spaces = ALL_SPACES, .check = check_sysctl};

	CHECK(own_root() == 0);
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	return run_guest(&g);
}

static void sysctls_by_the_hosts_proc(void **state)
{
	RUN_MAPPED(sysctls, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(the_default_set),
		BOTH_WAYS(a_root_and_sources_out_of_reach),
		BOTH_WAYS(a_shared_root_out_of_reach),
		BOTH_WAYS(locked_flags_stay),
		CLASSIC_ONLY(locked_flags_are_not_dropped_in_silence),
		BOTH_WAYS(cve_2023_25809_sysfs_of_the_host),
		BOTH_WAYS(devices_are_bound),
		cmocka_unit_test(devices_are_made_by_the_parent),
		cmocka_unit_test(an_owner_that_is_not_mapped),
		BOTH_WAYS(a_bound_device_must_be_the_one),
		BOTH_WAYS(sysctls_by_the_hosts_proc),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
