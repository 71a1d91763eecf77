/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a machine of microvm/machine.h whose guest's init is guest.c, and prints what the guest says
 * over its socket, then how it ended.
 *
 *   host [OPTION]... KERNEL INITRAMFS SHARE CPUS [WORD]...
 *
 * WORDs go to the kernel's command line. -d FILE is a disk, -r FILE one that is read-only, each with
 * the file's name as its serial; -n NAME is a network device on the tap of this name.
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
#include "microvm/tap.h"

#define DEVICES_MAX   4
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

/* What the options ask for. */
struct devices {
	struct machine_disk disks[DEVICES_MAX];
	struct machine_net nets[DEVICES_MAX];
	size_t n_disks, n_nets;
};

static int add_disk(struct devices *d, const char *path, bool readonly, struct err *err)
{
	const char *slash = strrchr(path, '/');
	int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (d->n_disks == DEVICES_MAX)
		return err_set(err, E2BIG, "too many disks");
	d->disks[d->n_disks++] = (struct machine_disk){fd, slash ? slash + 1 : path, readonly};
	return 0;
}

static int add_net(struct devices *d, const char *name, struct err *err)
{
	const struct machine_net net = {
		.fd = tap_open(name, err),
		.mac = {2, 'h', 'u', 'l', 'l', (uint8_t)d->n_nets},
	};

	if (net.fd < 0)
		return net.fd;
	if (d->n_nets == DEVICES_MAX)
		return err_set(err, E2BIG, "too many network devices");
	d->nets[d->n_nets++] = net;
	return 0;
}

static int parse_options(int argc, char **argv, struct devices *d, struct err *err)
{
	int option, rc = 0;

	while (rc == 0 && (option = getopt(argc, argv, "+d:r:n:")) != -1) {
		if (option == 'd' || option == 'r')
			rc = add_disk(d, optarg, option == 'r', err);
		else if (option == 'n')
			rc = add_net(d, optarg, err);
		else
			rc = err_set(err, EINVAL, "unknown option");
	}
	return rc;
}

/* The arguments behind the options. */
static int run(char **args, struct machine_config *config, struct err *err)
{
	struct machine m = MACHINE_INIT;
	BUF words = BUF_INIT;
	uint32_t cpus;
	int rc;

	if (parse_u32(args[3], &cpus) < 0 || pipe2(accepted, O_CLOEXEC) < 0)
		return err_set(err, EINVAL, "'%s' processors", args[3]);
	for (size_t i = 4; args[i]; i++)
		buf_addf(&words, "%s ", args[i]);
	config->kernel_fd = open(args[0], O_RDONLY | O_CLOEXEC);
	config->initramfs_fd = open(args[1], O_RDONLY | O_CLOEXEC);
	config->share_fd = open(args[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	config->cpus = cpus;
	config->memory = 256ull << 20;
	config->cmdline = buf_str(&words);
	if ((rc = machine_start(config, &m, err)) < 0)
		return rc;
	follow(m.vm);
	rc = vm_end_reason(m.vm) == VM_RESET ? 0 : 3;
	printf("end: %s\n", vm_end_text(m.vm));
	machine_end(&m);
	return rc;
}

int main(int argc, char **argv)
{
	struct devices d = {0};
	struct machine_config config = {
		.kvm_fd = -1,
		.image_fd = -1,
		.serial_fd = -1,
		.connect = on_connect,
		.requests_fd = -1,
		.disks = d.disks,
		.nets = d.nets,
	};
	struct err e = ERR_INIT;
	int rc = parse_options(argc, argv, &d, &e);

	setvbuf(stdout, NULL, _IOLBF, 0); /* who ends this by a signal sees what there was */
	config.n_disks = d.n_disks;
	config.n_nets = d.n_nets;
	if (rc == 0)
		rc = argc - optind < 4 ? err_set(&e, EINVAL, "arguments are missing")
				       : run(argv + optind, &config, &e);
	if (rc < 0)
		printf("error: %s\n", e.msg);
	return rc < 0 ? 1 : rc;
}
