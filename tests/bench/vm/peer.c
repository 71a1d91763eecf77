/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of a guest's network, for load.c: takes a stream, gives one, answers datagrams. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1u << 20)

enum { PORT_SINK = 7001, PORT_SOURCE, PORT_ECHO };

static char block[MIB];

static int serve(int type, uint16_t port)
{
	const struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 8) < 0)) {
		perror("peer");
		exit(1);
	}
	return fd;
}

static void sink(int fd)
{
	while (read(fd, block, sizeof(block)) > 0)
		;
	(void)!write(fd, block, 1);
}

static void source(int fd)
{
	/* As in load.c. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) < 0)
		perror("peer: reno");
	while (write(fd, block, sizeof(block)) > 0)
		;
}

static void take(int listener, void (*fn)(int fd))
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0) {
		fn(fd);
		close(fd);
	}
}

static void echo(int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, block, sizeof(block), 0, (struct sockaddr *)&from, &len);

	if (n >= 0)
		(void)!sendto(fd, block, (size_t)n, 0, (struct sockaddr *)&from, len);
}

int main(void)
{
	struct pollfd p[] = {{.fd = serve(SOCK_STREAM, PORT_SINK), .events = POLLIN},
			     {.fd = serve(SOCK_STREAM, PORT_SOURCE), .events = POLLIN},
			     {.fd = serve(SOCK_DGRAM, PORT_ECHO), .events = POLLIN}};

	(void)signal(SIGPIPE, SIG_IGN);
	while (poll(p, 3, -1) > 0) {
		if (p[0].revents)
			take(p[0].fd, sink);
		if (p[1].revents)
			take(p[1].fd, source);
		if (p[2].revents)
			echo(p[2].fd);
	}
	return 1;
}
