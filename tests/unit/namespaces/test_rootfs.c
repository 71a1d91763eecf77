/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root file system from prepare to seal, on real mounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <seccomp.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/sys.h"
#include "tests/unit/leaks.h"
#include "tests/unit/namespaces/rootfs_env.h"

static const char *const masked[] = {
	"/proc/acpi",          "/proc/asound",       "/proc/kcore", "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list",   "/proc/scsi",  "/sys/firmware",
	"/proc/nothing/here",  "/proc/keys/nothing",
};

static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/no/such/path",
};

static void add_paths(struct env *env)
{
	env->cfg.masked_paths = masked;
	env->cfg.n_masked_paths = ARRAY_SIZE(masked);
	env->cfg.readonly_paths = readonly;
	env->cfg.n_readonly_paths = ARRAY_SIZE(readonly);
}

static int check_mount(const struct env *env, const char *point, const char *type,
		       const char *options)
{
	struct mount_line line;
	char copy[128], *rest = copy, *word;

	CHECK(mount_find(env, point, &line));
	CHECK(strcmp(line.type, type) == 0);
	snprintf(copy, sizeof(copy), "%s", options);
	while ((word = strsep(&rest, ",")))
		CHECK(has_word(line.options, word));
	CHECK(line.optional[0] == '\0');
	return 0;
}

static int default_mounts(struct env *env)
{
	struct mount_line line;

	env_defaults(env);
	add_paths(env);
	env->cfg.readonly = true;
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(check_mount(env, "/", "tmpfs", "ro") == 0);
	CHECK(check_mount(env, "/proc", "proc", "rw,nosuid,nodev,noexec,relatime") == 0);
	CHECK(check_mount(env, "/dev", "tmpfs", "rw,nosuid") == 0);
	CHECK(mount_find(env, "/dev", &line));
	CHECK(!has_word(line.options, "relatime"));
	CHECK(has_word(line.super, "mode=755") && has_word(line.super, "size=65536k"));
	CHECK(check_mount(env, "/dev/pts", "devpts", "rw,nosuid,noexec,relatime") == 0);
	CHECK(mount_find(env, "/dev/pts", &line));
	CHECK(has_word(line.super, "ptmxmode=666") && has_word(line.super, "gid=5"));
	CHECK(check_mount(env, "/dev/shm", "tmpfs", "rw,nosuid,nodev,noexec") == 0);
	CHECK(check_mount(env, "/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec") == 0);
	CHECK(check_mount(env, "/sys", "sysfs", "ro,nosuid,nodev,noexec") == 0);
	CHECK(write_error("/x") == EROFS);
	CHECK(write_error("/dev/x") == 0);
	CHECK(mode_of("/dev/shm") == 01777);
	CHECK(mode_of("/dev") == 0755);
	return 0;
}

static void the_default_mounts(void **state)
{
	RUN_ENV(default_mounts, state);
}

static int default_devices(struct env *env)
{
	char cwd[64];

	env_defaults(env);
	umask(077);
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(umask(022) == 077);
	CHECK(is_device("/dev/null", S_IFCHR, 1, 3));
	CHECK(is_device("/dev/zero", S_IFCHR, 1, 5));
	CHECK(is_device("/dev/full", S_IFCHR, 1, 7));
	CHECK(is_device("/dev/random", S_IFCHR, 1, 8));
	CHECK(is_device("/dev/urandom", S_IFCHR, 1, 9));
	CHECK(is_device("/dev/tty", S_IFCHR, 5, 0));
	CHECK(mode_of("/dev/null") == 0666 && mode_of("/dev/tty") == 0666);
	CHECK(is_link("/dev/fd", "/proc/self/fd"));
	CHECK(is_link("/dev/stdin", "/proc/self/fd/0"));
	CHECK(is_link("/dev/stdout", "/proc/self/fd/1"));
	CHECK(is_link("/dev/stderr", "/proc/self/fd/2"));
	CHECK(is_link("/dev/ptmx", "pts/ptmx"));
	CHECK(access("/dev/core", F_OK) < 0 || is_link("/dev/core", "/proc/kcore"));
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/") == 0);
	return 0;
}

static void the_default_devices(void **state)
{
	RUN_ENV(default_devices, state);
}

static int hidden_paths(struct env *env)
{
	struct mount_line first, second;

	env_defaults(env);
	add_paths(env);
	CHECK_RC(env_go(env), 0, env->e);
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
		struct stat st;
		bool found = stat(masked[i], &st) == 0;

		if (!found)
			continue;
		CHECK(mount_find(env, masked[i], &first));
		if (S_ISDIR(st.st_mode)) {
			CHECK(st.st_nlink == 2 && strcmp(first.type, "tmpfs") == 0);
			CHECK(has_word(first.options, "ro"));
		} else {
			CHECK(is_device(masked[i], S_IFCHR, 1, 3));
		}
	}
	CHECK(mount_find(env, "/sys/firmware", &first));
	if (mount_find(env, "/proc/acpi", &second))
		CHECK(strcmp(first.super, second.super) == 0);
	for (size_t i = 0; i < 4; i++) {
		CHECK(mount_find(env, readonly[i], &first));
		CHECK(has_word(first.options, "ro") && has_word(first.options, "nosuid") &&
		      has_word(first.options, "nodev") && has_word(first.options, "noexec"));
	}
	CHECK(open("/proc/sys/kernel/domainname", O_WRONLY | O_CLOEXEC) < 0 && errno == EROFS);
	return 0;
}

static void masked_and_readonly_paths(void **state)
{
	RUN_ENV(hidden_paths, state);
}

/* A directory mask is shared: whatever one shows, all show, so none may be writable. */
static int many_masks(struct env *env)
{
	static const char *const paths[] = {"/a", "/b", "/c", "/f", "/g", "/a", "/link"};

	CHECK(mkdir("/mnt/root/a", 0755) == 0 && mkdir("/mnt/root/b", 0755) == 0);
	CHECK(mkdir("/mnt/root/c", 0755) == 0);
	write_text("/mnt/root/f", "secret");
	write_text("/mnt/root/g", "secret");
	write_text("/mnt/root/h", "secret");
	write_text("/mnt/root/a/x", "secret");
	CHECK(symlink("/h", "/mnt/root/link") == 0);
	env->cfg.masked_paths = paths;
	env->cfg.n_masked_paths = ARRAY_SIZE(paths);
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(access("/a/x", F_OK) < 0);
	CHECK(write_error("/a/y") == EROFS && write_error("/b/y") == EROFS);
	CHECK(write_error("/c/y") == EROFS);
	CHECK(has_text("/f", "") && has_text("/g", "") && has_text("/h", ""));
	return 0;
}

static void masks_of_every_kind(void **state)
{
	RUN_ENV(many_masks, state);
}

static int stdio_null(struct env *env)
{
	struct stat in, null_node, out;
	int fd = open("/dev/null", O_RDWR);
	int pipe_fds[2];

	CHECK(fd >= 0 && dup2(fd, 0) == 0);
	CHECK(pipe(pipe_fds) == 0 && dup2(pipe_fds[1], 1) == 1);
	close(fd);
	env_defaults(env);
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(fstat(0, &in) == 0 && stat("/dev/null", &null_node) == 0);
	CHECK(in.st_dev == null_node.st_dev && in.st_ino == null_node.st_ino);
	CHECK(fstat(1, &out) == 0 && S_ISFIFO(out.st_mode));
	CHECK((fcntl(0, F_GETFD) & FD_CLOEXEC) == 0);
	return 0;
}

static void stdio_gets_the_own_null(void **state)
{
	RUN_ENV(stdio_null, state);
}

static int console(struct env *env)
{
	struct stat slave_st, node;
	int master, slave, off = 0;

	env_defaults(env);
	env->cfg.terminal = true;
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK_RC(env_build(env), 0, env->e);
	master = open("dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(master >= 0);
	CHECK(ioctl(master, TIOCSPTLCK, &off) == 0);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(slave >= 0);
	CHECK_RC(ns_rootfs_console(env->st, slave, &env->e), 0, env->e);
	CHECK_RC(env_enter(env), 0, env->e);
	CHECK(fstat(slave, &slave_st) == 0 && lstat("/dev/console", &node) == 0);
	CHECK(S_ISCHR(node.st_mode) && node.st_rdev == slave_st.st_rdev);
	CHECK(node.st_dev == slave_st.st_dev && node.st_ino == slave_st.st_ino);
	return 0;
}

static void the_console_is_the_pty(void **state)
{
	RUN_ENV(console, state);
}

static int config_devices(struct env *env)
{
	static const struct ns_device devices[] = {
		{'c', "/dev/fuse", 10, 229, 0640, 1000, 1001},
		{'b', "/dev/deep/er/loop", 7, 3, 0600, 0, 0},
		{'p', "/dev/fifo", 0, 0, 0622, 0, 0},
		{'u', "/opt/zero", 1, 5, 04606, 0, 0},
		{'c', "/dev/null", 1, 3, 0600, 7, 8},
		{'c', "/dev/ptmx", 5, 2, 0666, 0, 0},
	};
	struct stat st;

	env_defaults(env);
	env->cfg.devices = devices;
	env->cfg.n_devices = ARRAY_SIZE(devices);
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(is_device("/dev/fuse", S_IFCHR, 10, 229) && mode_of("/dev/fuse") == 0640);
	CHECK(stat("/dev/fuse", &st) == 0 && st.st_uid == 1000 && st.st_gid == 1001);
	CHECK(is_device("/dev/deep/er/loop", S_IFBLK, 7, 3));
	CHECK(stat("/dev/fifo", &st) == 0 && S_ISFIFO(st.st_mode) && mode_of("/dev/fifo") == 0622);
	CHECK(is_device("/opt/zero", S_IFCHR, 1, 5));
	CHECK(is_device("/dev/null", S_IFCHR, 1, 3) && mode_of("/dev/null") == 0600);
	CHECK(stat("/dev/null", &st) == 0 && st.st_uid == 7 && st.st_gid == 8);
	CHECK(is_link("/dev/ptmx", "pts/ptmx"));
	return 0;
}

static void devices_of_the_configuration(void **state)
{
	RUN_ENV(config_devices, state);
}

static int existing_devices(struct env *env)
{
	static const struct ns_device good[] = {{'c', "/opt/d", 1, 5, 0666, 0, 0}};
	static const struct ns_device bad[] = {{'c', "/opt/d", 1, 7, 0666, 0, 0}};

	CHECK(mkdir("/mnt/root/opt", 0755) == 0);
	CHECK(mknod("/mnt/root/opt/d", S_IFCHR | 0600, makedev(1, 5)) == 0);
	env->cfg.n_devices = 1;
	env->cfg.devices = bad;
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(env_build(env) == -EEXIST);
	CHECK(strstr(env->e.msg, "linux.devices[0]") && strstr(env->e.msg, "/opt/d"));
	env->cfg.devices = good;
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(is_device("/opt/d", S_IFCHR, 1, 5));
	return 0;
}

static void an_existing_node_must_be_the_device(void **state)
{
	RUN_ENV(existing_devices, state);
}

static int bound_dev(struct env *env)
{
	static const struct ns_device devices[] = {{'c', "/dev/mine", 1, 5, 0666, 0, 0},
						   {'c', "/opt/mine", 1, 5, 0666, 0, 0}};

	CHECK(mkdir("/mnt/src/dev", 0755) == 0);
	write_text("/mnt/src/dev/ptmx", "the host's");
	BIND(env, "/dev/", "/mnt/src/dev", "rbind");
	env->cfg.devices = devices;
	env->cfg.n_devices = ARRAY_SIZE(devices);
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/dev/ptmx", "the host's"));
	CHECK(access("/dev/null", F_OK) < 0 && access("/dev/fd", F_OK) < 0);
	CHECK(access("/dev/mine", F_OK) < 0);
	CHECK(is_device("/opt/mine", S_IFCHR, 1, 5));
	return 0;
}

static void a_bound_dev_is_left_alone(void **state)
{
	RUN_ENV(bound_dev, state);
}

/* ---- root.path ---- */

static int bad_roots(struct env *env)
{
	CHECK(symlink("root", "/mnt/link") == 0);
	write_text("/mnt/file", "");
	env->cfg.path = "/mnt/link";
	CHECK(env_prepare(env) == -ELOOP);
	CHECK(strstr(env->e.msg, "root.path") && strstr(env->e.msg, "'/mnt/link' is a symlink"));
	env->cfg.path = "/mnt/link//";
	CHECK(env_prepare(env) == -ELOOP);
	env->cfg.path = "/mnt/missing";
	CHECK(env_prepare(env) == -ENOENT);
	CHECK(strstr(env->e.msg, "root.path") && strstr(env->e.msg, "/mnt/missing"));
	env->cfg.path = "/mnt/file";
	CHECK(env_prepare(env) == -ENOTDIR);
	env->cfg.path = "/mnt/root/";
	CHECK_RC(env_go(env), 0, env->e);
	return 0;
}

static void a_root_must_be_a_directory(void **state)
{
	RUN_ENV(bad_roots, state);
}

static int label(struct env *env)
{
	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		SKIP_CHILD("the host has SELinux");
	env->cfg.mount_label = "system_u:object_r:container_file_t:s0:c1,c2";
	CHECK(env_prepare(env) == -EOPNOTSUPP && strstr(env->e.msg, "linux.mountLabel"));
	return 0;
}

static void a_label_without_selinux(void **state)
{
	RUN_ENV(label, state);
}

static int replaced_root(struct env *env)
{
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK(rename("/mnt/root", "/mnt/elsewhere") == 0);
	CHECK(mkdir("/mnt/root", 0755) == 0);
	CHECK(env_build(env) == -EXDEV);
	CHECK(strstr(env->e.msg, "replaced"));
	return 0;
}

static void a_root_replaced_meanwhile(void **state)
{
	RUN_ENV(replaced_root, state);
}

static int submounts(struct env *env)
{
	CHECK(mkdir("/mnt/root/sub", 0755) == 0);
	CHECK(mount("tmpfs", "/mnt/root/sub", "tmpfs", 0, NULL) == 0);
	write_text("/mnt/root/sub/f", "below");
	env->cfg.readonly = true;
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(has_text("/sub/f", "below"));
	CHECK(write_error("/x") == EROFS && write_error("/sub/x") == 0);
	return 0;
}

static void the_root_keeps_its_submounts(void **state)
{
	RUN_ENV(submounts, state);
}

static int locked_root(struct env *env)
{
	struct mount_line line;

	CHECK(mount("/mnt/root", "/mnt/root", NULL, MS_BIND, NULL) == 0);
	CHECK(mount(NULL, "/mnt/root", NULL,
		    MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOATIME, NULL) == 0);
	MOUNT(env, "/dev", "tmpfs", "tmpfs", "mode=755");
	env->cfg.readonly = true;
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/", &line));
	CHECK(has_word(line.options, "ro") && has_word(line.options, "nosuid") &&
	      has_word(line.options, "nodev") && has_word(line.options, "noatime"));
	return 0;
}

static void a_readonly_root_keeps_its_flags(void **state)
{
	RUN_ENV(locked_root, state);
}

/* ---- without a mount namespace, without pivot_root ---- */

static int chroot_only(struct env *env)
{
	static const char *const one[] = {"/proc/keys"};
	struct stat before, after;

	write_text("/mnt/root/here", "yes");
	CHECK(stat("/mnt/root", &before) == 0);
	env->cfg.new_mount_ns = false;
	env->cfg.masked_paths = one;
	env->cfg.n_masked_paths = 1;
	CHECK(env_prepare(env) == -EINVAL && strstr(env->e.msg, "linux.maskedPaths"));
	env->cfg.n_masked_paths = 0;
	env->cfg.readonly = true;
	CHECK(env_prepare(env) == -EINVAL && strstr(env->e.msg, "root.readonly"));
	env->cfg.readonly = false;
	MOUNT(env, "/proc", "proc", "proc", "ro");
	CHECK(env_prepare(env) == -EINVAL && strstr(env->e.msg, "mounts"));
	env->cfg.n_mounts = 0;
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK_RC(ns_rootfs_mount(env->st, &env->e), 0, env->e);
	CHECK_RC(env_enter(env), 0, env->e);
	CHECK(has_text("/here", "yes"));
	CHECK(stat("/", &after) == 0 && after.st_ino == before.st_ino);
	CHECK(access("/dev", F_OK) < 0);
	CHECK(!mount_find(env, "/", &(struct mount_line){0}));
	return 0;
}

static void no_mount_namespace_is_a_chroot(void **state)
{
	RUN_ENV(chroot_only, state);
}

static int no_pivot(struct env *env)
{
	int host, rc;

	env_defaults(env);
	add_paths(env);
	env->cfg.no_pivot = true;
	CHECK_RC(env_prepare(env), 0, env->e);
	CHECK_RC(env_build(env), 0, env->e);
	host = open("/", O_PATH | O_CLOEXEC);
	CHECK(faccessat(host, "proc/version", F_OK, 0) == 0);
	rc = env_enter(env);
	if (rc == -ENOTSUP && strstr(env->e.msg, "not in a chroot"))
		SKIP_CHILD("this is a chroot");
	CHECK_RC(rc, 0, env->e);
	CHECK(check_mount(env, "/proc", "proc", "rw") == 0);
	CHECK(access("/mnt", F_OK) < 0);
	/* The host's own are gone from the namespace. */
	CHECK(faccessat(host, "proc/version", F_OK, 0) < 0);
	CHECK(faccessat(host, "sys/kernel", F_OK, 0) < 0);
	return 0;
}

static void no_pivot_hides_the_hosts_proc(void **state)
{
	RUN_ENV(no_pivot, state);
}

static int no_pivot_private(struct env *env)
{
	env->cfg.no_pivot = true;
	env->cfg.propagation = MS_PRIVATE | MS_REC;
	CHECK(env_prepare(env) == -EINVAL && strstr(env->e.msg, "linux.rootfsPropagation"));
	return 0;
}

static void no_pivot_refuses_private(void **state)
{
	RUN_ENV(no_pivot_private, state);
}

/* ---- propagation ---- */

static int go_in_child(void *arg)
{
	struct env *env = arg;

	CHECK_RC(env_go(env), 0, env->e);
	return 0;
}

/* A host whose mounts are all shared, as systemd has it, must not notice a container. */
static int shared_host(struct env *env)
{
	static const unsigned long ways[] = {
		0,
		MS_SLAVE,
		MS_SLAVE | MS_REC,
		MS_PRIVATE,
		MS_PRIVATE | MS_REC,
		MS_SHARED,
		MS_SHARED | MS_REC,
		MS_UNBINDABLE,
		MS_UNBINDABLE | MS_REC,
	};
	size_t before;

	env_defaults(env);
	BIND(env, "/vol", "/mnt/src", "rbind", "ro");
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0);
	before = mount_count(env, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int status;

		env->cfg.propagation = ways[i];
		status = child_status(go_in_child, env);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fprintf(stderr, "# propagation %#lx\n", ways[i]);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		CHECK(mount_count(env, NULL) == before);
	}
	return 0;
}

static void a_shared_host_stays_as_it_is(void **state)
{
	RUN_ENV(shared_host, state);
}

static int root_shared(struct env *env)
{
	struct mount_line line;

	CHECK(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0);
	MOUNT(env, "/tmp", "tmpfs", "tmpfs", "mode=1777");
	env->cfg.propagation = MS_SHARED | MS_REC;
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/", &line) && strncmp(line.optional, "shared:", 7) == 0);
	CHECK(!strstr(line.optional, "master:"));
	CHECK(mount_find(env, "/tmp", &line) && strstr(line.optional, "shared:"));
	return 0;
}

static void a_shared_root(void **state)
{
	RUN_ENV(root_shared, state);
}

static int root_unbindable(struct env *env)
{
	struct mount_line line;

	env->cfg.propagation = MS_UNBINDABLE;
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/", &line) && strstr(line.optional, "unbindable"));
	return 0;
}

static void an_unbindable_root(void **state)
{
	RUN_ENV(root_unbindable, state);
}

/* With nothing asked for the host's later mounts still show in binds, never the other way round. */
static int default_slave(struct env *env)
{
	struct mount_line line;

	CHECK(mount("tmpfs", "/mnt/src", "tmpfs", 0, NULL) == 0);
	CHECK(mount(NULL, "/mnt/src", NULL, MS_SHARED, NULL) == 0);
	BIND(env, "/vol", "/mnt/src", "rbind");
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/vol", &line) && strncmp(line.optional, "master:", 7) == 0);
	CHECK(!strstr(line.optional, "shared:"));
	return 0;
}

static void binds_are_slaves_by_default(void **state)
{
	RUN_ENV(default_slave, state);
}

/* ---- a container engine around hull ---- */

/* As old seccomp profiles treat calls that they do not know. */
static int deny_mount_api(uint32_t action)
{
	static const char *const calls[] = {"fsopen",    "fsconfig",   "fsmount",      "fspick",
					    "open_tree", "move_mount", "mount_setattr"};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	CHECK(ctx);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int nr = seccomp_syscall_resolve_name(calls[i]);

		CHECK(nr >= 0 && seccomp_rule_add(ctx, action, nr, 0) == 0);
	}
	CHECK(seccomp_load(ctx) == 0);
	seccomp_release(ctx);
	return 0;
}

static int denied(struct env *env, uint32_t action)
{
	struct mount_line line;

	env_defaults(env);
	add_paths(env);
	env->cfg.readonly = true;
	BIND(env, "/vol", "/mnt/src", "rbind", "ro", "rprivate");
	CHECK(deny_mount_api(action) == 0);
	CHECK_RC(env_go(env), 0, env->e);
	CHECK(mount_find(env, "/proc", &line) && has_word(line.options, "nosuid"));
	CHECK(mount_find(env, "/proc/sys", &line) && has_word(line.options, "ro"));
	CHECK(write_error("/vol/x") == EROFS && write_error("/x") == EROFS);
	return 0;
}

static int denied_eperm(struct env *env)
{
	return denied(env, SCMP_ACT_ERRNO(EPERM));
}

static int denied_enosys(struct env *env)
{
	return denied(env, SCMP_ACT_ERRNO(ENOSYS));
}

static void a_filter_answers_eperm(void **state)
{
	RUN_ENV(denied_eperm, state);
}

static void a_filter_answers_enosys(void **state)
{
	RUN_ENV(denied_enosys, state);
}

static int leaves_no_fds(struct env *env)
{
	bool before[LEAKS_MAX_FD], after[LEAKS_MAX_FD];

	env_defaults(env);
	add_paths(env);
	CHECK(leaks_scan(before) == 0);
	CHECK_RC(env_go(env), 0, env->e);
	ns_rootfs_free(env->st);
	close(env->host_ns);
	CHECK(leaks_scan(after) == 0);
	CHECK(memcmp(before, after, sizeof(before)) == 0);
	return 0;
}

static void no_descriptor_is_left(void **state)
{
	RUN_ENV(leaves_no_fds, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(the_default_mounts),
		BOTH_WAYS(the_default_devices),
		BOTH_WAYS(masked_and_readonly_paths),
		BOTH_WAYS(masks_of_every_kind),
		BOTH_WAYS(stdio_gets_the_own_null),
		BOTH_WAYS(the_console_is_the_pty),
		BOTH_WAYS(devices_of_the_configuration),
		BOTH_WAYS(an_existing_node_must_be_the_device),
		BOTH_WAYS(a_bound_dev_is_left_alone),
		BOTH_WAYS(a_root_must_be_a_directory),
		BOTH_WAYS(a_root_replaced_meanwhile),
		cmocka_unit_test(a_label_without_selinux),
		BOTH_WAYS(the_root_keeps_its_submounts),
		BOTH_WAYS(a_readonly_root_keeps_its_flags),
		BOTH_WAYS(no_mount_namespace_is_a_chroot),
		BOTH_WAYS(no_pivot_hides_the_hosts_proc),
		BOTH_WAYS(no_pivot_refuses_private),
		BOTH_WAYS(a_shared_host_stays_as_it_is),
		BOTH_WAYS(a_shared_root),
		BOTH_WAYS(an_unbindable_root),
		BOTH_WAYS(binds_are_slaves_by_default),
		cmocka_unit_test(a_filter_answers_eperm),
		cmocka_unit_test(a_filter_answers_enosys),
		BOTH_WAYS(no_descriptor_is_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
