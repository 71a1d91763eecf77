/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waits for the HELLO of guests whose sockets the host's kernel serves (vhost-vsock), and says when
 * each came: a line "hello NANOSECONDS" (CLOCK_MONOTONIC). HELLO is the first thing an agent sends
 * (microvm/proto.h), so its first bytes are taken for it.
 */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	const struct sockaddr_vm port = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 1};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char frame[4096];

	if (fd < 0 || bind(fd, (const struct sockaddr *)&port, sizeof(port)) < 0 ||
	    listen(fd, 8) < 0) {
		perror("hello: vsock");
		return 1;
	}
	puts("listens 0");
	fflush(stdout);
	for (;;) {
		struct timespec t;
		int guest = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (guest < 0)
			continue;
		if (read(guest, frame, sizeof(frame)) > 0) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			printf("hello %lld%09ld\n", (long long)t.tv_sec, t.tv_nsec);
			fflush(stdout);
		}
		/* stays open: an agent without a host would reset its machine */
	}
}
