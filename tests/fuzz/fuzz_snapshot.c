/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a saved machine, as anybody may have written it. The first byte chooses: the file as a
 * whole, or what is behind its checksum for one kind of device, which then works on with what it was
 * given; the rest is the guest's memory from the rings on and the state.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "microvm/snapshot.h"
#include "microvm/virtio/balloon.h"
#include "microvm/virtio/blk.h"
#include "microvm/virtio/console.h"
#include "microvm/virtio/net.h"
#include "microvm/virtio/rng.h"
#include "microvm/virtio/vsock.h"
#include "tests/fuzz/virtio_guest.h"

#define RINGS 512 /* bytes of memory */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_file(const uint8_t *data, size_t size)
{
	BUF payload = BUF_INIT;
	struct state_in all, in;
	struct err err = ERR_INIT;
	CLOSE_FD int fd = memfd_create("state", MFD_CLOEXEC);

	if (fd < 0 || io_write(fd, data, size) < 0)
		abort();
	if (snapshot_read(fd, &payload, &err) < 0)
		return;
	all = (struct state_in){(const uint8_t *)payload.data, payload.len, false};
	for (int type = STATE_MACHINE; type <= STATE_DEVICE; type++) {
		if (state_open(&all, (enum state_section)type, &in, &err) < 0)
			return;
		while (in.left && !in.failed) {
			size_t len;

			(void)state_block(&in, 64, &len);
		}
	}
}

static int refuse(void *arg, uint32_t port)
{
	(void)arg;
	(void)port;
	return -ECONNREFUSED;
}

static int make_net(struct fake *f)
{
	struct net_config config = {.mac = {2, 0, 0, 0, 0, 1}};
	struct err err;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	close(pair[1]);
	config.fd = pair[0];
	return virtio_net_new(&f->host, &config, &f->d, &err);
}

static int make_disk(struct fake *f)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	const struct blk_config config = {.disk = {.files = &fd, .n_files = 1}};
	struct err err;

	if (fd < 0 || ftruncate(fd, 1 << 20) < 0)
		abort();
	return virtio_blk_new(&f->host, &config, &f->d, &err);
}

static int make_device(struct fake *f, unsigned int kind)
{
	const struct console_config console = {.out_fd = -1, .in_fd = -1};
	const struct balloon_config balloon = {.stats = true, .reporting = true};
	const struct vsock_config vsock = {.guest_cid = 3, .connect = refuse, .requests_fd = -1};
	struct err err;

	switch (kind) {
	case 1:
		return virtio_rng_new(&f->host, &f->d, &err);
	case 2:
		return virtio_console_new(&f->host, &console, &f->d, &err);
	case 3:
		return virtio_balloon_new(&f->host, &balloon, &f->d, &err);
	case 4:
		return virtio_vsock_new(&f->host, &vsock, &f->d, &err);
	case 5:
		return make_disk(f);
	default:
		return make_net(f);
	}
}

static void restore_device(unsigned int kind, const uint8_t *data, size_t size)
{
	size_t rings = size < RINGS ? size : RINGS;
	struct state_in in = {data + rings, size - rings, false};
	struct err err = ERR_INIT;
	struct fake f;

	fake_setup(&f);
	if (make_device(&f, kind) < 0)
		abort();
	memcpy(fake_at(&f, FAKE_RINGS), data, rings);
	if (virtio_restore(f.d, &in, &err) == 0) {
		BUF again = BUF_INIT;

		fake_turns(&f, 4);
		if (virtio_suspend(f.d, &err) < 0 || virtio_save(f.d, &again, &err) < 0)
			abort();
		virtio_resume(f.d);
		fake_write(&f, VIRTIO_MMIO_STATUS, 0);
	}
	fake_teardown(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;

	(void)log_open("fuzz", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, &err);
	if (!size)
		return 0;
	if (data[0] % 7 == 0)
		read_file(data + 1, size - 1);
	else
		restore_device(data[0] % 7, data + 1, size - 1);
	return 0;
}
