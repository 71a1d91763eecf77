/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests run inside containers beside busybox: one static program that shows or tries what
 * no shell can. `probe VERB [ARGUMENT]...`; the table at the end lists the verbs. Each prints what
 * it found on standard output, one fact a line, and exits 0 when it could find out, else 1.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static unsigned long number(const char *text)
{
	return strtoul(text, NULL, 0);
}

/* Real and effective user. */
static int show_ids(char **args)
{
	(void)args;
	printf("%u %u\n", getuid(), geteuid());
	return 0;
}

/* Each open descriptor and what it is. */
static int show_fds(char **args)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[PATH_MAX];

	(void)args;
	if (!dir)
		return fail("/proc/self/fd");
	while ((entry = readdir(dir))) {
		int fd = (int)number(entry->d_name);
		ssize_t len;

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		printf("%d %s\n", fd, target);
	}
	closedir(dir);
	return 0;
}

/* syscall NUMBER [ARGUMENT]...: the result, or the name of the error. */
static int try_syscall(char **args)
{
	unsigned long v[7] = {0};
	long rc;

	for (int i = 0; i < 7 && args[i]; i++)
		v[i] = number(args[i]);
	errno = 0;
	rc = syscall((long)v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
	if (rc < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%ld\n", rc);
	return 0;
}

/* eat MEBIBYTES: touches that much memory a mebibyte at a time and says so at the end. */
static int eat_memory(char **args)
{
	size_t want = number(args[0]);

	for (size_t i = 0; i < want; i++) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			return fail("mmap");
		memset(p, 1, 1 << 20);
	}
	printf("ate %zu\n", want);
	return 0;
}

/* fork N: starts up to N children that wait, prints how many it got, and ends them. */
static int fork_children(char **args)
{
	unsigned long want = number(args[0]), got;

	fflush(stdout);
	for (got = 0; got < want; got++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			pause();
			_exit(0);
		}
	}
	printf("%lu\n", got);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}

/* notify TEXT: what a service says to its manager. */
static int send_notify(char **args)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!path || fd < 0)
		return fail("NOTIFY_SOCKET");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (sendto(fd, args[0], strlen(args[0]), 0, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return fail(path);
	close(fd);
	return 0;
}

/* Scheduling, I/O priority, memory policy, personality of this process. */
static int show_attributes(char **args)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {0};
	unsigned long nodes[16] = {0};
	int mode = -1;
	long io;

	(void)args;
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) == 0)
		printf("policy %u\nsched_flags %llu\nnice %d\npriority %u\nruntime %llu\n",
		       attr.policy, (unsigned long long)attr.flags, attr.nice, attr.priority,
		       (unsigned long long)attr.runtime);
	io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	if (io >= 0)
		printf("ioprio %ld %ld\n", IOPRIO_PRIO_CLASS(io), IOPRIO_PRIO_DATA(io));
	if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof(nodes) * 8, NULL, 0) == 0)
		printf("mempolicy %d %lx\n", mode, nodes[0]);
	printf("personality %x\n", (unsigned int)personality(0xffffffff));
	return 0;
}

/* The session keyring's description: type;uid;gid;perm;name. */
static int show_keyring(char **args)
{
	char text[256] = "";

	(void)args;
	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text, sizeof(text) - 1) <
	    0)
		return fail("keyctl");
	puts(text);
	return 0;
}

static volatile sig_atomic_t last_signal;

/* A child's end, which is the kernel's to tell, is none. */
static void note_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig != SIGCHLD || info->si_code <= 0)
		last_signal = sig;
}

static const char *signal_name(int sig)
{
	static char name[16];

	if (sigabbrev_np(sig))
		return sigabbrev_np(sig);
	snprintf(name, sizeof(name), "RT%d", sig);
	return name;
}

/* signals N: says "ready", then the name of each of N signals as it comes. */
static int show_signals(char **args)
{
	struct sigaction action = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO};
	unsigned long left = number(args[0]);
	sigset_t all, old;

	sigfillset(&all);
	/* Of two that come at once the second waits for the next sigsuspend. */
	action.sa_mask = all;
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &action, NULL);
	puts("ready");
	fflush(stdout);
	while (left) {
		last_signal = 0;
		sigsuspend(&old);
		if (!last_signal)
			continue;
		printf("%s\n", signal_name(last_signal));
		fflush(stdout);
		left--;
	}
	return 0;
}

/* times: seconds of the clocks that a time namespace shifts. */
static int show_clocks(char **args)
{
	struct timespec mono, boot;

	(void)args;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	printf("monotonic %lld\nboottime %lld\n", (long long)mono.tv_sec, (long long)boot.tv_sec);
	return 0;
}

/* put KEY TEXT or get KEY: a message in a queue of the IPC namespace. */
static int use_queue(char **args)
{
	struct {
		long type;
		char text[64];
	} m = {.type = 1};
	int id = msgget((key_t)number(args[1]), IPC_CREAT | 0600);

	if (id < 0)
		return fail("msgget");
	if (!strcmp(args[0], "put") && args[2]) {
		strncpy(m.text, args[2], sizeof(m.text) - 1);
		return msgsnd(id, &m, sizeof(m.text), 0) < 0 ? fail("msgsnd") : 0;
	}
	if (msgrcv(id, &m, sizeof(m.text), 0, IPC_NOWAIT) < 0)
		return fail("msgrcv");
	printf("%.*s\n", (int)sizeof(m.text), m.text);
	return 0;
}

/* PATH: adds one to the number in a mapping that it shares with others, and shows it. */
static int count_shared(char **args)
{
	int fd = open(args[0], O_RDWR | O_CREAT, 0600);
	volatile int *n;

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return fail(args[0]);
	n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (n == MAP_FAILED)
		return fail("mmap");
	printf("%d\n", ++*n);
	fflush(stdout);
	/* Not what comes to be in the file at the end counts, but what others see now. */
	pause();
	return 0;
}

/* PATH [hold]: locks the file, if nobody else has; hold: for good. */
static int lock_file(char **args)
{
	int fd = open(args[0], O_RDWR | O_CREAT, 0600);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fail(args[0]);
	if (args[1])
		pause();
	return 0;
}

/* Sends each datagram to a UDP port back. */
static int echo_datagrams(char **args)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(args[0]))};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char data[2048];

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return fail("bind");
	for (;;) {
		socklen_t len = sizeof(at);
		ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&at, &len);

		if (n < 0 || sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&at, len) < 0)
			return fail("echo");
	}
}

static const struct verb {
	const char *name;
	int n_args; /* at least */
	int (*run)(char **args);
} verbs[] = {
	{"ids", 0, show_ids},
	{"fds", 0, show_fds},
	{"syscall", 1, try_syscall},
	{"eat", 1, eat_memory},
	{"fork", 1, fork_children},
	{"notify", 1, send_notify},
	{"attributes", 0, show_attributes},
	{"keyring", 0, show_keyring},
	{"signals", 1, show_signals},
	{"clocks", 0, show_clocks},
	{"queue", 2, use_queue},
	{"count", 1, count_shared},
	{"lock", 1, lock_file},
	{"echo", 1, echo_datagrams},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].name) && argc - 2 >= verbs[i].n_args)
			return verbs[i].run(argv + 2);
	fprintf(stderr, "probe: no such verb, or too few arguments\n");
	return 2;
}
