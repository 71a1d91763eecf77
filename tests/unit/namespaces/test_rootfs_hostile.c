/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Roots that an attacker made: every link out of them is refused or stays inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

#include "base/sys.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/rootfs_env.h"

/* /mnt/victim plays what the host has: it must be the same afterwards. */
static int make_victim(void)
{
	CHECK(mkdir("/mnt/victim", 0755) == 0);
	write_text("/mnt/victim/ptmx", "precious");
	write_text("/mnt/victim/console", "precious");
	write_text("/mnt/victim/null", "precious");
	return 0;
}

static int check_victim(const char *dir)
{
	static const char *const made[] = {"fd", "stdin", "zero", "pts", "core", "tty", "proc"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
		CHECK(access(path, F_OK) < 0 && errno == ENOENT);
	}
	snprintf(path, sizeof(path), "%s/ptmx", dir);
	CHECK(has_text(path, "precious") && mode_of(path) == 0644);
	snprintf(path, sizeof(path), "%s/console", dir);
	CHECK(has_text(path, "precious"));
	snprintf(path, sizeof(path), "%s/null", dir);
	CHECK(has_text(path, "precious") && mode_of(path) == 0644);
	return 0;
}

/* CVE-2026-41579, CVE-2026-47766: /dev of the image leads to a directory of the host. */
static int dev_symlink(struct env *env)
{
	CHECK(make_victim() == 0);
	CHECK(symlink("../victim", "/mnt/root/dev") == 0);
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOTDIR);
	CHECK(strstr(env->e.msg, "'/dev' in the root is not an ordinary directory"));
	CHECK(check_victim("/mnt/victim") == 0);
	return 0;
}

static void cve_2026_41579_dev_is_a_symlink(void **state)
{
	RUN_ENV(dev_symlink, state);
}

static int dev_symlink_absolute(struct env *env)
{
	CHECK(make_victim() == 0);
	CHECK(symlink("/mnt/victim", "/mnt/root/dev") == 0);
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOTDIR);
	CHECK(check_victim("/mnt/victim") == 0);
	CHECK(access("/mnt/root/mnt", F_OK) < 0);
	return 0;
}

static void cve_2026_47766_dev_is_an_absolute_symlink(void **state)
{
	RUN_ENV(dev_symlink_absolute, state);
}

/* A mount over such a /dev stays inside of the root. */
static int dev_symlink_mounted(struct env *env)
{
	CHECK(make_victim() == 0);
	CHECK(symlink("/mnt/victim", "/mnt/root/dev") == 0);
	env_defaults(env);
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOTDIR);
	CHECK(check_victim("/mnt/victim") == 0);
	return 0;
}

static void a_mount_on_a_symlinked_dev(void **state)
{
	RUN_ENV(dev_symlink_mounted, state);
}

/* CVE-2026-88264: the console's place is a link to a file of the host. */
static int console_symlink(struct env *env)
{
	int master, slave;

	CHECK(make_victim() == 0);
	CHECK(mkdir("/mnt/root/dev", 0755) == 0);
	CHECK(symlink("../../victim/console", "/mnt/root/dev/console") == 0);
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK_RC(env_build(env), 0, env->e);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(master >= 0 && unlockpt(master) == 0);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(slave >= 0);
	CHECK(ns_rootfs_console(env->st, slave, &env->e) == -EEXIST);
	CHECK(strstr(env->e.msg, "/dev/console"));
	CHECK(unlink("/mnt/root/dev/console") == 0);
	CHECK(symlink("/mnt/victim/new", "/mnt/root/dev/console") == 0);
	CHECK(ns_rootfs_console(env->st, slave, &env->e) == -EEXIST);
	CHECK(access("/mnt/victim/new", F_OK) < 0);
	CHECK(check_victim("/mnt/victim") == 0);
	return 0;
}

static void cve_2026_88264_console_is_a_symlink(void **state)
{
	RUN_ENV(console_symlink, state);
}

/* CVE-2026-88265: what stands for /dev/null is something else when it is made, or later. */
static int null_replaced(struct env *env)
{
	static const char *const names[] = {"link to a file", "link to the node", "file", "node"};
	struct stat before, after;
	int fd = open("/dev/null", O_RDWR);

	CHECK(fd >= 0 && dup2(fd, 0) == 0 && fstat(0, &before) == 0);
	CHECK(make_victim() == 0);
	CHECK(mkdir("/mnt/root/dev", 0755) == 0);
	CHECK(mknod("/mnt/root/other", S_IFCHR | 0666, makedev(1, 3)) == 0);
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK_RC(env_build(env), 0, env->e);
	CHECK_RC(ns_rootfs_pivot(env->st, &env->e), 0, env->e);
	for (int i = 0; i < 4; i++) {
		CHECK(unlink("/dev/null") == 0);
		if (i == 0)
			CHECK(symlink("/other", "/dev/null") == 0 && unlink("/other") == 0);
		if (i == 1) {
			CHECK(mknod("/other", S_IFCHR | 0666, makedev(1, 3)) == 0);
			CHECK(symlink("/other", "/dev/null") == 0);
		}
		if (i == 2)
			write_text("/dev/null", "");
		if (i == 3)
			CHECK(mknod("/dev/null", S_IFCHR | 0666, makedev(1, 5)) == 0);
		if (ns_rootfs_seal(env->st, &env->e) != -ENODEV) {
			fprintf(stderr, "# /dev/null is a %s\n", names[i]);
			return 1;
		}
		CHECK(strstr(env->e.msg, "/dev/null"));
		CHECK(fstat(0, &after) == 0 && after.st_ino == before.st_ino &&
		      after.st_dev == before.st_dev);
	}
	return 0;
}

static void cve_2026_88265_null_is_not_null(void **state)
{
	RUN_ENV(null_replaced, state);
}

static int image_null(struct env *env)
{
	CHECK(make_victim() == 0);
	CHECK(mkdir("/mnt/root/dev", 0755) == 0);
	CHECK(symlink("/mnt/victim/null", "/mnt/root/dev/null") == 0);
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -EEXIST && strstr(env->e.msg, "/dev/null"));
	CHECK(unlink("/mnt/root/dev/null") == 0);
	CHECK(mknod("/mnt/root/dev/null", S_IFCHR | 0666, makedev(1, 11)) == 0);
	CHECK(env_build(env) == -EEXIST && strstr(env->e.msg, "/dev/null"));
	CHECK(check_victim("/mnt/victim") == 0);
	return 0;
}

static void an_image_brings_a_false_null(void **state)
{
	RUN_ENV(image_null, state);
}

/* CVE-2025-31133: a mask must be the true /dev/null whatever lies in the container's /dev. */
static int mask_source(struct env *env)
{
	static const char *const paths[] = {"/secret"};

	write_text("/mnt/root/secret", "secret");
	write_text("/mnt/root/open", "writable");
	env->cfg.masked_paths = paths;
	env->cfg.n_masked_paths = 1;
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK_RC(env_build(env), 0, env->e);
	CHECK_RC(ns_rootfs_pivot(env->st, &env->e), 0, env->e);
	/* Standard streams aside: nothing here is /dev/null then. */
	CHECK(close(0) == 0 && open("/open", O_RDONLY) == 0);
	CHECK(dup2(0, 1) == 1 && dup2(0, 2) == 2);
	CHECK(unlink("/dev/null") == 0 && symlink("/open", "/dev/null") == 0);
	if (env->classic) {
		CHECK(ns_rootfs_seal(env->st, &env->e) < 0);
		CHECK(has_text("/secret", "secret"));
	} else {
		CHECK_RC(ns_rootfs_seal(env->st, &env->e), 0, env->e);
		CHECK(is_device("/secret", S_IFCHR, 1, 3));
	}
	return 0;
}

static void cve_2025_31133_false_mask(void **state)
{
	RUN_ENV(mask_source, state);
}

/* CVE-2019-19921, CVE-2023-27561: /proc or /sys is a link. */
static int proc_symlink(struct env *env)
{
	CHECK(make_victim() == 0);
	CHECK(symlink("../victim", "/mnt/root/proc") == 0);
	CHECK(symlink("/tmp", "/mnt/root/sys") == 0);
	CHECK(mkdir("/mnt/root/tmp", 0755) == 0);
	MOUNT(env, "/proc", "proc", "proc", "nosuid");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOTDIR);
	CHECK(strstr(env->e.msg, "mounts[0]") && strstr(env->e.msg, "/proc"));
	CHECK(check_victim("/mnt/victim") == 0);
	ns_rootfs_free(env->st);
	env->cfg.n_mounts = 0;
	MOUNT(env, "/sys/", "sysfs", "sysfs", "ro");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOTDIR);
	CHECK(strstr(env->e.msg, "/sys"));
	return 0;
}

static void cve_2019_19921_proc_is_a_symlink(void **state)
{
	RUN_ENV(proc_symlink, state);
}

static int proc_file(struct env *env)
{
	write_text("/mnt/root/proc", "");
	MOUNT(env, "/proc", "proc", "proc", "nosuid");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -ENOTDIR);
	return 0;
}

static void proc_is_a_file(void **state)
{
	RUN_ENV(proc_file, state);
}

/* CVE-2019-16884: an image with a link into /proc, so that a volume covers a file of procfs. */
static int into_proc(struct env *env)
{
	static const char *const links[] = {"/proc/sys", "/proc/self/attr", "/proc/1/../sys"};

	CHECK(mkdir("/mnt/src/d", 0755) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		CHECK(symlink(links[i], "/mnt/root/volume") == 0);
		env->cfg.n_mounts = 0;
		MOUNT(env, "/proc", "proc", "proc", "nosuid");
		BIND(env, "/volume", "/mnt/src/d", "rbind");
		CHECK_RC(env_prepare(env), 0, env->e);
		CHECK(env_build(env) < 0);
		CHECK(strstr(env->e.msg, "mounts[1]"));
		CHECK(strstr(env->e.msg, "leads into /proc"));
		ns_rootfs_free(env->st);
		close(env->host_ns);
		CHECK(unlink("/mnt/root/volume") == 0);
	}
	return 0;
}

static void cve_2019_16884_volume_into_proc(void **state)
{
	RUN_ENV(into_proc, state);
}

static int onto_root(struct env *env)
{
	CHECK(symlink("/", "/mnt/root/volume") == 0);
	CHECK(mkdir("/mnt/root/d", 0755) == 0);
	CHECK(symlink("../../../../../..", "/mnt/root/d/up") == 0);
	BIND(env, "/volume", "/mnt/src", "rbind");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -EINVAL && strstr(env->e.msg, "leads to the root itself"));
	ns_rootfs_free(env->st);
	env->cfg.n_mounts = 0;
	MOUNT(env, "/d/up", "tmpfs", "tmpfs", "ro");
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -EINVAL && strstr(env->e.msg, "leads to the root itself"));
	return 0;
}

static void a_link_to_the_root(void **state)
{
	RUN_ENV(onto_root, state);
}

/* CVE-2019-18837 and its kind: targets out of the root end inside of it. */
static int out_of_root(struct env *env)
{
	CHECK(make_victim() == 0);
	CHECK(symlink("../../../mnt/victim", "/mnt/root/volume") == 0);
	CHECK(symlink("/mnt/victim/deep", "/mnt/root/other") == 0);
	write_text("/mnt/src/f", "from the source");
	MOUNT(env, "/volume", "tmpfs", "tmpfs", "mode=700");
	BIND(env, "/other/f", "/mnt/src/f", "bind");
	CHECK(mkdir("/mnt/root/mnt", 0755) == 0 && mkdir("/mnt/root/mnt/victim", 0755) == 0);
	CHECK(mkdir("/mnt/root/mnt/victim/deep", 0755) == 0);
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK_RC(env_build(env), 0, env->e);
	CHECK(check_victim("/mnt/victim") == 0);
	CHECK(access("/mnt/victim/deep", F_OK) < 0);
	CHECK_RC(env_enter(env), 0, env->e);
	/* The first mount covers the directory that the second was to land in: made anew in it. */
	CHECK(mode_of("/mnt/victim") == 0700);
	CHECK(has_text("/mnt/victim/deep/f", "from the source"));
	return 0;
}

static void links_out_of_the_root_stay_inside(void **state)
{
	RUN_ENV(out_of_root, state);
}

/* CVE-2021-30465: a directory and a link out of the root change places all the time. */
static pid_t start_swapper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			(void)syscall(SYS_renameat2, AT_FDCWD, "/mnt/root/share/dir", AT_FDCWD,
				      "/mnt/root/share/link", 2 /* RENAME_EXCHANGE */);
	}
	return pid;
}

static int race_once(void *arg)
{
	struct env *env = arg;
	struct mount_line line;
	int rc;

	rc = env_prepare(env);
	CHECK_RC(rc, 0, env->e);
	rc = env_build(env);
	/* Losing is fine as long as nothing lands outside. */
	CHECK(!mount_find(env, "/mnt/victim", &line));
	CHECK(!mount_find(env, "/mnt/victim/in", &line));
	if (rc < 0)
		return 0;
	CHECK_RC(env_enter(env), 0, env->e);
	return 0;
}

static int swap_race(struct env *env)
{
	pid_t swapper;
	int failed = 0;

	CHECK(make_victim() == 0);
	CHECK(mkdir("/mnt/root/share", 0755) == 0 && mkdir("/mnt/root/share/dir", 0755) == 0);
	CHECK(symlink("/mnt/victim", "/mnt/root/share/link") == 0);
	MOUNT(env, "/share/dir/in", "tmpfs", "tmpfs", "mode=700");
	MOUNT(env, "/share/dir", "tmpfs", "tmpfs", "mode=700");
	swapper = start_swapper();
	CHECK(swapper > 0);
	for (int i = 0; i < 200 && !failed; i++) {
		int status = child_status(race_once, env);

		failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	kill(swapper, SIGKILL);
	CHECK(waitpid(swapper, NULL, 0) == swapper);
	CHECK(!failed);
	CHECK(check_victim("/mnt/victim") == 0);
	CHECK(access("/mnt/victim/in", F_OK) < 0);
	return 0;
}

static void cve_2021_30465_exchanged_links(void **state)
{
	RUN_ENV(swap_race, state);
}

/* Masks and read-only paths follow links of the image inside of the root only. */
static int mask_links(struct env *env)
{
	static const char *const masked[] = {"/m", "/loop"};
	static const char *const readonly[] = {"/r"};
	struct mount_line line;

	CHECK(make_victim() == 0);
	CHECK(symlink("../../victim", "/mnt/root/m") == 0);
	CHECK(symlink("/victim", "/mnt/root/r") == 0);
	CHECK(mkdir("/mnt/root/victim", 0755) == 0);
	env->cfg.masked_paths = masked;
	env->cfg.n_masked_paths = 1;
	env->cfg.readonly_paths = readonly;
	env->cfg.n_readonly_paths = 1;
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/victim", &line) && strcmp(line.type, "tmpfs") == 0);
	CHECK(has_word(line.options, "ro"));
	CHECK(symlink("loop", "/loop") == 0);
	return 0;
}

static void masks_stay_inside(void **state)
{
	RUN_ENV(mask_links, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(cve_2026_41579_dev_is_a_symlink),
		BOTH_WAYS(cve_2026_47766_dev_is_an_absolute_symlink),
		BOTH_WAYS(a_mount_on_a_symlinked_dev),
		BOTH_WAYS(cve_2026_88264_console_is_a_symlink),
		BOTH_WAYS(cve_2026_88265_null_is_not_null),
		BOTH_WAYS(an_image_brings_a_false_null),
		BOTH_WAYS(cve_2025_31133_false_mask),
		BOTH_WAYS(cve_2019_19921_proc_is_a_symlink),
		BOTH_WAYS(proc_is_a_file),
		BOTH_WAYS(cve_2019_16884_volume_into_proc),
		BOTH_WAYS(a_link_to_the_root),
		BOTH_WAYS(links_out_of_the_root_stay_inside),
		BOTH_WAYS(cve_2021_30465_exchanged_links),
		BOTH_WAYS(masks_stay_inside),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
