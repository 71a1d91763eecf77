/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a machine of microvm/machine.h whose guest's init is guest.c, and prints what the guest says
 * over its socket, then how it ended.
 *
 *   host KERNEL INITRAMFS SHARE CPUS [WORD]...     WORDs go to the kernel's command line
 *
 * Exit status: 0 when the guest asked for a reset, 3 when it ended otherwise, 1 for an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/parse.h"
#include "microvm/machine.h"

#define TIMEOUT_MS    120000
#define LAST_WORDS_MS 300

static int accepted[2]; /* a pipe from the I/O thread: our end of each connection */

static int on_connect(void *arg, uint32_t port)
{
	int pair[2];

	(void)arg;
	if (port != 1)
		return -ECONNREFUSED;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	if (write(accepted[1], &pair[0], sizeof(int)) != (ssize_t)sizeof(int))
		return -EAGAIN;
	return pair[1];
}

/* Passes the guest's words on until it ends, and what is still on its way then. */
static void follow(struct vm *vm)
{
	struct pollfd p[] = {{.fd = vm_wait_fd(vm), .events = POLLIN},
			     {.fd = accepted[0], .events = POLLIN},
			     {.fd = -1, .events = POLLIN}};
	int timeout_ms = TIMEOUT_MS;
	char text[4096];

	while (poll(p, 3, timeout_ms) > 0) {
		if (p[1].revents && read(accepted[0], &p[2].fd, sizeof(int)) > 0)
			p[1].fd = -1;
		if (p[2].fd >= 0 && p[2].revents) {
			ssize_t n = read(p[2].fd, text, sizeof(text));

			if (n <= 0)
				p[2].fd = -1;
			else
				fwrite(text, 1, (size_t)n, stdout);
		}
		if (p[0].revents) {
			p[0].fd = -1;
			timeout_ms = LAST_WORDS_MS;
		}
	}
	if (p[0].fd >= 0)
		puts("timeout");
}

int main(int argc, char **argv)
{
	struct machine_config config = {.kvm_fd = -1, .serial_fd = -1, .connect = on_connect};
	struct err e = ERR_INIT;
	struct machine m = MACHINE_INIT;
	BUF words = BUF_INIT;
	uint32_t cpus;
	int status;

	if (argc < 5 || parse_u32(argv[4], &cpus) < 0 || pipe2(accepted, O_CLOEXEC) < 0)
		return 1;
	for (int i = 5; i < argc; i++)
		buf_addf(&words, "%s ", argv[i]);
	config.kernel_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	config.initramfs_fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	config.share_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	config.cpus = cpus;
	config.memory = 256ull << 20;
	config.cmdline = buf_str(&words);
	if (machine_start(&config, &m, &e) < 0) {
		printf("error: %s\n", e.msg);
		return 1;
	}
	follow(m.vm);
	status = vm_end_reason(m.vm) == VM_RESET ? 0 : 3;
	printf("end: %s\n", vm_end_text(m.vm));
	machine_end(&m);
	return status;
}
