/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first program of a guest that loads its devices, whose words say "load=disk" or "load=net". It
 * says what it measured over a socket to the host's port 1, a line "NAME NUMBER" each, and the clock
 * is the guest's own (KVM's).
 *
 *   disk  /dev/vda, past the page cache: in a row by 1 MiB, at random by 4 KiB
 *   net   eth0 and what peer.c does at the other end: streams of TCP, and questions by UDP
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIB      (1u << 20)
#define PAGE     4096u
#define DISK_MIB 48u
#define N_RANDOM 2000u
#define DEPTH    16u
#define NET_MIB  96u
#define WARM_MIB 16u /* of a stream: until its window is open and its code has run once */
#define N_ASK    2000u
#define HOST     "10.98.76.1"
#define GUEST    "10.98.76.2"

enum { PORT_SINK = 7001, PORT_SOURCE, PORT_ECHO };

static uint8_t block[MIB] __attribute__((aligned(4096)));

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	sleep(1);
	reboot(RB_AUTOBOOT);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const char *name, double amount, double since)
{
	printf("%s %.0f\n", name, amount / (now() - since));
}

/* ---- disk ---- */

static uint64_t random_page(void)
{
	static uint64_t state = 88172645463325252ull; /* xorshift: the same pages for everyone */

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % (DISK_MIB * (MIB / PAGE)) * PAGE;
}

static void in_a_row(int fd, const char *name, bool write)
{
	double start = now();

	for (uint64_t i = 0; i < DISK_MIB; i++) {
		off_t at = (off_t)(i * MIB);

		if ((write ? pwrite(fd, block, MIB, at) : pread(fd, block, MIB, at)) != MIB)
			die(name);
	}
	report(name, DISK_MIB, start);
}

static void at_random(int fd, const char *name, bool write)
{
	double start = now();

	for (unsigned int i = 0; i < N_RANDOM; i++) {
		off_t at = (off_t)random_page();

		if ((write ? pwrite(fd, block, PAGE, at) : pread(fd, block, PAGE, at)) != PAGE)
			die(name);
	}
	report(name, N_RANDOM, start);
}

/* DEPTH requests are on their way all the time. */
static void many_at_random(int fd, const char *name)
{
	struct iocb requests[DEPTH], *all[DEPTH];
	struct io_event events[DEPTH];
	aio_context_t context = 0;
	unsigned int asked = DEPTH, done = 0;
	double start;

	if (syscall(SYS_io_setup, DEPTH, &context) < 0)
		die("io_setup");
	for (unsigned int i = 0; i < DEPTH; i++) {
		all[i] = &requests[i];
		requests[i] = (struct iocb){.aio_data = i,
					    .aio_lio_opcode = IOCB_CMD_PREAD,
					    .aio_fildes = (uint32_t)fd,
					    .aio_buf = (uintptr_t)(block + i * PAGE),
					    .aio_nbytes = PAGE,
					    .aio_offset = (int64_t)random_page()};
	}
	start = now();
	if (syscall(SYS_io_submit, context, DEPTH, all) != DEPTH)
		die("io_submit");
	while (done < 2 * N_RANDOM) {
		long n = syscall(SYS_io_getevents, context, 1, DEPTH, events, NULL), again = 0;

		if (n <= 0)
			die("io_getevents");
		done += (unsigned int)n;
		for (long i = 0; i < n && asked < 2 * N_RANDOM; i++, asked++) {
			struct iocb *r = &requests[events[i].data];

			if (events[i].res != PAGE)
				die(name);
			r->aio_offset = (int64_t)random_page();
			all[again++] = r;
		}
		if (again && syscall(SYS_io_submit, context, again, all) != again)
			die("io_submit");
	}
	report(name, 2 * N_RANDOM, start);
}

static void load_disk(void)
{
	int fd = open("/dev/vda", O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		die("/dev/vda");
	in_a_row(fd, "write", true);
	in_a_row(fd, "read", false);
	at_random(fd, "random-write", true);
	at_random(fd, "random-read", false);
	many_at_random(fd, "random-read-16");
	close(fd);
}

/* ---- net ---- */

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}

static void set_up(void)
{
	struct ifreq r = {.ifr_name = "eth0"};
	struct sockaddr_in a = address(GUEST, 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&r.ifr_addr, &a, sizeof(a));
	if (ioctl(fd, SIOCSIFADDR, &r) < 0)
		die("eth0: address");
	a = address("255.255.255.0", 0);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	if (ioctl(fd, SIOCSIFNETMASK, &r) < 0)
		die("eth0: mask");
	r.ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		die("eth0: up");
	close(fd);
}

/*
 * A stream's window grows as Reno's does, without what CUBIC guesses from round-trip times (HyStart):
 * it took the jitter of an emulated host for a full line, at a window of anything from 27 to 2700
 * segments, and the rest of the stream was as fast as that window.
 */
static int reach(int type, uint16_t port)
{
	const struct sockaddr_in a = address(HOST, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (type == SOCK_STREAM && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) < 0)
		die("reno");
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect");
	return fd;
}

static void send_all(int fd, unsigned int mib)
{
	for (size_t left = (size_t)mib * MIB; left;) {
		ssize_t n = write(fd, block, left < MIB ? left : MIB);

		if (n <= 0)
			die("send");
		left -= (size_t)n;
	}
}

static void receive_all(int fd, unsigned int mib)
{
	for (size_t left = (size_t)mib * MIB; left;) {
		ssize_t n = read(fd, block, left < MIB ? left : MIB);

		if (n <= 0)
			die("receive");
		left -= (size_t)n;
	}
}

static void stream_out(void)
{
	int fd = reach(SOCK_STREAM, PORT_SINK);
	double start;

	send_all(fd, WARM_MIB);
	start = now();
	send_all(fd, NET_MIB);
	shutdown(fd, SHUT_WR);
	if (read(fd, block, 1) != 1) /* all of it has arrived */
		die("sink");
	report("send", NET_MIB, start);
	close(fd);
}

static void stream_in(void)
{
	int fd = reach(SOCK_STREAM, PORT_SOURCE);
	double start;

	receive_all(fd, WARM_MIB);
	start = now();
	receive_all(fd, NET_MIB);
	report("receive", NET_MIB, start);
	close(fd);
}

static void ask(void)
{
	int fd = reach(SOCK_DGRAM, PORT_ECHO);
	const struct timeval limit = {.tv_sec = 1};
	double start = now();

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (unsigned int i = 0; i < N_ASK; i++) {
		if (write(fd, &i, sizeof(i)) < 0 || read(fd, block, PAGE) < 0)
			die("ask");
	}
	report("ask", N_ASK, start);
	close(fd);
}

static void load_net(void)
{
	set_up();
	stream_out();
	stream_in();
	ask();
}

int main(void)
{
	const struct sockaddr_vm host = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 1};
	char words[4096] = "";
	int sock = -1, fd;

	for (int i = 0; i < 100 && sock < 0; i++) {
		sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(sock, (const struct sockaddr *)&host, sizeof(host)) == 0)
			break;
		close(sock);
		sock = -1;
		usleep(10000);
	}
	dup2(sock, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (read(fd, words, sizeof(words) - 1) > 0 && strstr(words, "load=disk"))
		load_disk();
	else
		load_net();
	puts("done 1");
	sleep(1);
	sync();
	reboot(RB_AUTOBOOT);
	return 1;
}
