/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waits for the HELLO of guests whose sockets the host's kernel serves (vhost-vsock), and says when
 * each came: a line "hello NANOSECONDS" (CLOCK_MONOTONIC). HELLO is the first thing an agent sends
 * (microvm/proto.h), so its first bytes are taken for it; of other guests (load.c), one at a time,
 * the lines are passed on.
 */
#include <ctype.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void say(const void *text, size_t len)
{
	fwrite(text, 1, len, stdout);
	fflush(stdout);
}

static void follow(int guest)
{
	char data[4096];
	ssize_t n = read(guest, data, sizeof(data));
	struct timespec t;

	if (n > 0 && !isalpha((unsigned char)data[0])) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		printf("hello %lld%09ld\n", (long long)t.tv_sec, t.tv_nsec);
		fflush(stdout);
		return; /* open: an agent without a host would reset its machine */
	}
	for (; n > 0; n = read(guest, data, sizeof(data)))
		say(data, (size_t)n);
	close(guest);
}

int main(void)
{
	const struct sockaddr_vm port = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 1};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&port, sizeof(port)) < 0 ||
	    listen(fd, 8) < 0) {
		perror("hello: vsock");
		return 1;
	}
	puts("listens 0");
	fflush(stdout);
	for (;;) {
		int guest = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (guest >= 0)
			follow(guest);
	}
}
