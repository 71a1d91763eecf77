/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first program of a guest under test. It says what it sees over a socket to the host's port 1,
 * line by line, and asks for a reset. "test=WORD" on the kernel's command line chooses what it does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)

static char *word(const char *name)
{
	static char line[4096];
	char *at;
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t n = read(fd, line, sizeof(line) - 1);

	close(fd);
	line[n > 0 ? n : 0] = '\0';
	at = strstr(line, name);
	if (!at)
		return NULL;
	at += strlen(name);
	at[strcspn(at, " \n")] = '\0';
	return at;
}

static void mount_at(const char *source, const char *target, const char *type)
{
	mkdir(target, 0755);
	if (mount(source, target, type, 0, NULL) < 0)
		printf("mount %s: %s\n", target, strerror(errno));
}

static void say_file(const char *name, const char *path)
{
	char text[256] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		snprintf(text, sizeof(text), "%s", strerror(errno));
	text[strcspn(text, "\n")] = '\0';
	printf("%s=%s\n", name, text);
	close(fd);
}

static void show(void)
{
	struct timespec t = {.tv_nsec = 100000000}, before, after;
	uint8_t random[16];
	int fd;

	printf("cpus=%d\n", get_nprocs());
	say_file("version", "/share/version");
	clock_gettime(CLOCK_MONOTONIC, &before);
	nanosleep(&t, NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	printf("slept=%d\n", after.tv_sec * 1000 + after.tv_nsec / 1000000 - before.tv_sec * 1000 -
					     before.tv_nsec / 1000000 >=
				     100);
	fd = open("/dev/hwrng", O_RDONLY);
	printf("hwrng=%zd\n", read(fd, random, sizeof(random)));
	close(fd);
	if (fork() == 0)
		_exit(7);
	wait(&fd);
	printf("child=%d\n", WEXITSTATUS(fd));
}

/* 32 MiB there and back, each byte looked at. */
static void copy(void)
{
	static uint8_t block[MIB];
	unsigned int wrong = 0;
	int fd = open("/share/data", O_RDWR | O_CREAT | O_TRUNC, 0640);

	for (unsigned int i = 0; i < 32; i++) {
		for (unsigned int k = 0; k < MIB; k++)
			block[k] = (uint8_t)(i + k * 7 + k / 251);
		wrong += write(fd, block, MIB) != MIB;
	}
	wrong += fsync(fd) < 0 || close(fd) < 0;
	umount("/share");
	mount_at("hull", "/share", "virtiofs");
	fd = open("/share/data", O_RDONLY);
	for (unsigned int i = 0; i < 32; i++) {
		wrong += read(fd, block, MIB) != MIB;
		for (unsigned int k = 0; k < MIB; k++)
			wrong += block[k] != (uint8_t)(i + k * 7 + k / 251);
	}
	close(fd);
	printf("wrong=%u\n", wrong);
}

/* The share as a root file system, and /script in it. */
static void script(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		mount_at("dev", "/share/dev", "devtmpfs");
		mount_at("proc", "/share/proc", "proc");
		mount_at("sys", "/share/sys", "sysfs");
		mount_at("tmp", "/share/tmp", "tmpfs");
		if (chroot("/share") == 0 && chdir("/") == 0)
			execl("/bin/sh", "sh", "/script", NULL);
		printf("script: %s\n", strerror(errno));
		_exit(127);
	}
	while (wait(&status) != pid)
		;
	printf("status=%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(void)
{
	const struct sockaddr_vm host = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 1};
	int sock = socket(AF_VSOCK, SOCK_STREAM, 0);
	const char *test;

	if (connect(sock, (const struct sockaddr *)&host, sizeof(host)) < 0)
		reboot(RB_AUTOBOOT);
	dup2(sock, 1);
	dup2(sock, 2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("hello");
	mount_at("proc", "/proc", "proc");
	mount_at("dev", "/dev", "devtmpfs");
	mount_at("hull", "/share", "virtiofs");
	test = word("test=");
	if (test && strcmp(test, "show") == 0)
		show();
	else if (test && strcmp(test, "copy") == 0)
		copy();
	else if (test && strcmp(test, "script") == 0)
		script();
	else if (test && strcmp(test, "fault") == 0)
		__builtin_trap(); /* the end of init is the kernel's: it panics */
	puts("bye");
	shutdown(sock, SHUT_WR);
	usleep(200000);
	sync();
	reboot(RB_AUTOBOOT);
	return 1;
}
