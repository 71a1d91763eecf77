/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A yardstick for `make bench`: the container of `hull-oci spec` made by the system calls that it
 * takes and nothing else. No configuration, no state, no checks, no cleaning up after an error; it
 * must not be used for anything but measuring. tests/bench/run compares what a process sees inside
 * with what it sees in hull-oci's container before it trusts the numbers.
 *
 *   minimal ROOTFS NAME [HIERARCHY]... -- COMMAND [ARGUMENT]...
 *
 * HIERARCHY is a cgroup v1 mount below /sys/fs/cgroup with the mount option that names it,
 * "systemd=none,name=systemd" or "cpu=cpu", or "unified=" for a cgroup2 mount. A group NAME is made
 * in each. With no hierarchy there is no cgroup and no mount of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define CGROUP_ROOT "/sys/fs/cgroup/"
#define CAPS        (1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE)

struct plan {
	const char *rootfs, *name;
	char **hiers; /* "directory=option", n of them */
	int n_hiers;
	char **command;
	int ready[2]; /* P writes one byte once the child is in its groups */
};

static void die(const char *what)
{
	fprintf(stderr, "minimal: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		die(what);
}

/* ---- cgroups, the parent's side ---- */

/* The device rules that every container gets behind the configuration's "deny all". */
static const char *const device_rules[] = {
	"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
	"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
};

static int hier_word(const char *hier)
{
	return (int)(strchr(hier, '=') - hier);
}

static void write_at(int dir, const char *file, const char *text)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	must(fd, file);
	must((int)write(fd, text, strlen(text)), file);
	close(fd);
}

static void copy_from_parent(int dir, const char *file, const char *parent)
{
	char text[4096];
	int fd = openat(dir, parent, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	must(fd, parent);
	n = read(fd, text, sizeof(text) - 1);
	must((int)n, parent);
	close(fd);
	text[n] = '\0';
	write_at(dir, file, text);
}

static int make_group(const struct plan *p, const char *hier)
{
	char path[512];
	int dir;

	snprintf(path, sizeof(path), CGROUP_ROOT "%.*s/%s", hier_word(hier), hier, p->name);
	must(mkdir(path, 0755), path);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(dir, path);
	if (!strncmp(hier, "cpuset=", 7)) {
		copy_from_parent(dir, "cpuset.cpus", "../cpuset.cpus");
		copy_from_parent(dir, "cpuset.mems", "../cpuset.mems");
	}
	if (!strncmp(hier, "devices=", 8)) {
		write_at(dir, "devices.deny", "a");
		for (size_t i = 0; i < LEN(device_rules); i++)
			write_at(dir, "devices.allow", device_rules[i]);
	}
	return dir;
}

static void join_groups(const struct plan *p, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (int i = 0; i < p->n_hiers; i++) {
		int dir = make_group(p, p->hiers[i]);

		write_at(dir, "cgroup.procs", text);
		close(dir);
	}
}

static void remove_groups(const struct plan *p)
{
	char path[512];

	for (int i = 0; i < p->n_hiers; i++) {
		snprintf(path, sizeof(path), CGROUP_ROOT "%.*s/%s", hier_word(p->hiers[i]),
			 p->hiers[i], p->name);
		must(rmdir(path), path);
	}
}

/* ---- the root file system, the child's side; the working directory is the new root ---- */

static void mount_on(const char *type, const char *target, unsigned long flags, const char *data)
{
	must(mount(type, target, type, flags, data), target);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(path);
}

static void make_devices(void)
{
	static const struct {
		const char *path;
		unsigned int minor;
	} nodes[] = {{"dev/null", 3},
		     {"dev/zero", 5},
		     {"dev/full", 7},
		     {"dev/random", 8},
		     {"dev/urandom", 9}};
	static const char *const links[][2] = {
		{"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"},
		{"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
		{"pts/ptmx", "dev/ptmx"},
	};

	umask(0);
	for (size_t i = 0; i < LEN(nodes); i++)
		must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(1, nodes[i].minor)),
		     nodes[i].path);
	must(mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)), "dev/tty");
	umask(0022);
	for (size_t i = 0; i < LEN(links); i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
	if (!access("/proc/kcore", F_OK))
		must(symlink("/proc/kcore", "dev/core"), "dev/core");
}

static void mount_cgroups(const struct plan *p)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;
	char target[128];

	if (!p->n_hiers)
		return;
	must(mount("tmpfs", "sys/fs/cgroup", "tmpfs", flags, "mode=755"), "sys/fs/cgroup");
	for (int i = 0; i < p->n_hiers; i++) {
		const char *hier = p->hiers[i], *option = strchr(hier, '=') + 1;
		const char *type = *option ? "cgroup" : "cgroup2";

		snprintf(target, sizeof(target), "sys/fs/cgroup/%.*s", hier_word(hier), hier);
		must(mkdir(target, 0755), target);
		must(mount(type, target, type, flags | MS_RDONLY, *option ? option : NULL), target);
	}
	must(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | flags | MS_RDONLY, NULL),
	     "sys/fs/cgroup");
}

static void mount_all(void)
{
	mount_on("proc", "proc", 0, NULL);
	mount_on("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	make_dir("dev/pts");
	mount_on("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC,
		 "newinstance,ptmxmode=0666,mode=0620,gid=5");
	make_dir("dev/shm");
	must(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV,
		   "mode=1777,size=65536k"),
	     "dev/shm");
	make_dir("dev/mqueue");
	mount_on("mqueue", "dev/mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	mount_on("sysfs", "sys", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL);
}

static void pivot(void)
{
	int old = open("/", O_DIRECTORY | O_PATH | O_CLOEXEC);

	must(old, "/");
	must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(fchdir(old), "old root");
	must(umount2(".", MNT_DETACH), "umount");
	close(old);
	must(chdir("/"), "chdir");
}

/* In a network namespace, which is never without the loopback interface. */
static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd, "socket");
	must(ioctl(fd, SIOCSIFFLAGS, &ifr), "lo");
	close(fd);
}

/* ---- after pivot ---- */

static void hide_paths(void)
{
	static const char *const masked[] = {
		"/proc/acpi",
		"/proc/asound",
		"/proc/interrupts",
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/sys/devices/virtual/powercap",
		"/sys/firmware",
	};
	static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					       "/proc/sysrq-trigger"};
	const char *empty = NULL;

	for (size_t i = 0; i < LEN(readonly); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0) {
			if (errno != ENOENT)
				die(readonly[i]);
			continue;
		}
		must(mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_RELATIME,
			   NULL),
		     readonly[i]);
	}
	for (size_t i = 0; i < LEN(masked); i++) {
		if (!mount("/dev/null", masked[i], NULL, MS_BIND, NULL) || errno == ENOENT)
			continue;
		if (errno != ENOTDIR)
			die(masked[i]);
		/* one empty file system for all directories */
		if (empty)
			must(mount(empty, masked[i], NULL, MS_BIND, NULL), masked[i]);
		else
			must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY,
				   "size=4k,nr_inodes=2,mode=755"),
			     masked[i]);
		empty = masked[i];
	}
	must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "/");
}

static void drop_privileges(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = CAPS, .permitted = CAPS}};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (cap >= 32 || !(CAPS & 1u << cap))
			must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "bounding set");
	}
	must(setgroups(0, NULL), "setgroups");
	must((int)syscall(SYS_capset, &head, data), "capset");
}

static void child(const struct plan *p)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm",
		"HOME=/root", NULL};
	struct rlimit limit = {1024, 1024};
	char byte;

	loopback_up();
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, p->name);
	must(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "/");
	must(mount(p->rootfs, p->rootfs, NULL, MS_BIND | MS_REC, NULL), p->rootfs);
	must(chdir(p->rootfs), p->rootfs);
	mount_all();
	make_devices();
	if (read(p->ready[0], &byte, 1) != 1)
		die("parent");
	must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
	mount_cgroups(p);
	pivot();
	hide_paths();
	must(setsid(), "setsid");
	must(sethostname("hull", 4), "hostname");
	must(setrlimit(RLIMIT_NOFILE, &limit), "rlimit");
	drop_privileges();
	execve(p->command[0], p->command, (char *const *)env);
	die(p->command[0]);
}

static pid_t clone_child(void)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS,
		.exit_signal = SIGCHLD,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

int main(int argc, char **argv)
{
	struct plan p = {0};
	int i = 3, status;
	pid_t pid;

	while (i < argc && strcmp(argv[i], "--"))
		i++;
	if (i + 1 >= argc) {
		fprintf(stderr,
			"usage: minimal ROOTFS NAME [HIERARCHY]... -- COMMAND [ARGUMENT]...\n");
		return 2;
	}
	p.rootfs = argv[1];
	p.name = argv[2];
	p.hiers = argv + 3;
	p.n_hiers = i - 3;
	p.command = argv + i + 1;
	must(pipe2(p.ready, O_CLOEXEC), "pipe");
	pid = clone_child();
	must(pid, "clone");
	if (!pid)
		child(&p);
	join_groups(&p, pid);
	must((int)write(p.ready[1], "", 1), "pipe");
	must(waitpid(pid, &status, 0), "wait");
	remove_groups(&p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
