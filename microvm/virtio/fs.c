/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-fs in the VMM: tells the file server about activation and reset over its control socket and
 * waits for the answer, so that what the driver sees is true of the server. The server has the queues
 * where it maps the guest's memory; else they are here, and requests are copied (fs_bounce.c).
 */
#include "microvm/virtio/fs.h"

#include <errno.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "microvm/fsd/control.h"
#include "microvm/virtio/fs_bounce.h"

struct fs {
	struct virtio_device device;
	struct virtio_fs_config config; /* little-endian, as this host is */
	int control_fd, irq_fd;
	struct loop_source *source;
	bool gone; /* the server has ended */
	/* While suspended: what the server knows, and where its queues stand. */
	int saved_fd; /* -1: it is not */
	struct virtq_place places[FSD_QUEUES];
	struct fs_bounce *bounce; /* NULL: the server has the guest's memory and serves the queues */
};

/* The next message: 1, 0 when none is there (with MSG_DONTWAIT), or -EPIPE. */
static int receive(struct fs *fs, struct fsd_control *m, int flags)
{
	ssize_t n;

	do {
		n = recv(fs->control_fd, m, sizeof(*m), flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n != (ssize_t)sizeof(*m))
		return -EPIPE;
	m->text[sizeof(m->text) - 1] = '\0';
	return 1;
}

static void on_broken(struct fs *fs, const struct fsd_control *m)
{
	if (fs->device.active && m->what == FSD_BROKEN)
		virtio_needs_reset(&fs->device, m->text);
}

static void on_gone(struct fs *fs)
{
	if (fs->gone)
		return;
	fs->gone = true;
	loop_remove(fs->source); /* nothing more will come */
	fs->source = NULL;
	log_warn("device 'fs': the file server has ended");
	virtio_needs_reset(&fs->device, "no file server");
}

/* On the I/O thread, like all of this: what the server says unasked. */
static void on_control(void *arg, uint32_t events)
{
	struct fs *fs = arg;
	struct fsd_control m;
	int rc;

	(void)events;
	pthread_mutex_lock(&fs->device.lock);
	rc = receive(fs, &m, MSG_DONTWAIT);
	if (rc > 0)
		on_broken(fs, &m);
	if (rc < 0)
		on_gone(fs);
	pthread_mutex_unlock(&fs->device.lock);
}

/* Waits for the answer, however long the server's present request takes. */
static int wait_answer(struct fs *fs, struct fsd_control *m, struct err *err)
{
	do {
		if (receive(fs, m, 0) < 0) {
			on_gone(fs);
			return err_set(err, EPIPE, "the file server has ended");
		}
	} while (m->what != FSD_DONE);
	return m->code > 0 ? err_set(err, m->code, "%s", m->text) : 0;
}

static int wait_done(struct fs *fs, struct err *err)
{
	struct fsd_control m;

	return wait_answer(fs, &m, err);
}

/* file: fsd_save's words, length bytes; -1: the server knows nothing. */
static int activate_bounce(struct fs *fs, int file, uint64_t length, struct err *err)
{
	const struct fsd_control m = {.what = FSD_BOUNCE, .length = length};
	int fds[3] = {-1, -1, file};
	int rc = fs_bounce_open(fs->bounce, fds, err);

	if (rc < 0)
		return rc;
	rc = fd_send(fs->control_fd, fds, file < 0 ? 2 : 3, &m, sizeof(m), err);
	fd_close(fds[1]);
	return rc < 0 ? rc : wait_done(fs, err);
}

static int activate(struct virtio_device *d, struct err *err)
{
	struct fs *fs = (struct fs *)(void *)d;
	const int fds[] = {d->notify_fds[0], d->notify_fds[1], fs->irq_fd};
	struct fsd_control m = {.what = FSD_ACTIVATE,
				.event_idx = virtio_has(d, VIRTIO_RING_F_EVENT_IDX),
				.queues = {d->setup[0], d->setup[1]}};
	int rc;

	if (fs->gone)
		return err_set(err, EPIPE, "the file server has ended");
	if (fs->bounce)
		return activate_bounce(fs, -1, 0, err);
	rc = fd_send(fs->control_fd, fds, ARRAY_SIZE(fds), &m, sizeof(m), err);
	return rc < 0 ? rc : wait_done(fs, err);
}

static void reset(struct virtio_device *d)
{
	struct fs *fs = (struct fs *)(void *)d;
	const struct fsd_control m = {.what = FSD_RESET};

	if (fs->bounce)
		fs_bounce_close(fs->bounce);
	if (fs->gone)
		return;
	if (send(fs->control_fd, &m, sizeof(m), MSG_NOSIGNAL) == (ssize_t)sizeof(m))
		(void)wait_done(fs, NULL);
}

/* ---- saved and made again ---- */

static int suspend(struct virtio_device *d, struct err *err)
{
	struct fs *fs = (struct fs *)(void *)d;
	struct fsd_control m = {.what = FSD_SUSPEND};
	CLOSE_FD int file = memfd_create("hull-files", MFD_CLOEXEC);
	int rc;

	if (fs->gone)
		return err_set(err, EPIPE, "the file server has ended");
	if (file < 0)
		return err_sys(err, "memfd_create");
	if (fs->bounce && (rc = fs_bounce_drain(fs->bounce, err)) < 0)
		return rc;
	rc = fd_send(fs->control_fd, &file, 1, &m, sizeof(m), err);
	if (rc < 0 || (rc = wait_answer(fs, &m, err)) < 0)
		return rc;
	for (unsigned int q = 0; q < FSD_QUEUES; q++)
		fs->places[q] = fs->bounce ? virtq_place(&d->queues[q]) : m.places[q];
	fs->saved_fd = fd_take(&file);
	return 0;
}

static void resume(struct virtio_device *d)
{
	struct fs *fs = (struct fs *)(void *)d;
	const struct fsd_control m = {.what = FSD_RESUME};

	fd_replace(&fs->saved_fd, -1);
	if (!fs->gone)
		(void)!send(fs->control_fd, &m, sizeof(m), MSG_NOSIGNAL);
	for (unsigned int q = 0; q < FSD_QUEUES && fs->bounce; q++)
		virtio_serve_again(d, q);
}

static int save(struct virtio_device *d, struct buf *ret, struct err *err)
{
	struct fs *fs = (struct fs *)(void *)d;
	BUF words = BUF_INIT;
	int rc;

	if (fs->saved_fd < 0)
		return err_set(err, EINVAL, "it is not suspended");
	if (lseek(fs->saved_fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read what the file server knows");
	rc = io_read_all(fs->saved_fd, "files", FSD_SAVED_MAX, &words, err);
	if (rc < 0)
		return rc;
	for (unsigned int q = 0; q < FSD_QUEUES; q++) {
		state_put_u16(ret, fs->places[q].next_avail);
		state_put_u16(ret, fs->places[q].next_used);
		state_put_u16(ret, fs->places[q].signalled);
		state_put_u8(ret, fs->places[q].broken);
	}
	state_put_block(ret, words.data, words.len);
	return 0;
}

static int send_restore(struct fs *fs, struct fsd_control *m, const uint8_t *words, size_t len,
			struct err *err)
{
	const struct virtio_device *d = &fs->device;
	CLOSE_FD int file = memfd_create("hull-files", MFD_CLOEXEC);
	const int fds[] = {d->notify_fds[0], d->notify_fds[1], fs->irq_fd, file};
	int rc;

	m->length = len;
	if (file < 0)
		return err_sys(err, "memfd_create");
	rc = len ? io_write(file, words, len) : 0;
	if (rc < 0)
		return err_code(err, -rc, "write a file in memory");
	if (lseek(file, 0, SEEK_SET) < 0)
		return err_sys(err, "seek in a file in memory");
	if (fs->bounce)
		return activate_bounce(fs, file, len, err);
	rc = fd_send(fs->control_fd, fds, ARRAY_SIZE(fds), m, sizeof(*m), err);
	return rc < 0 ? rc : wait_done(fs, err);
}

static int restore(struct virtio_device *d, struct state_in *in, struct err *err)
{
	struct fs *fs = (struct fs *)(void *)d;
	struct fsd_control m = {.what = FSD_RESTORE,
				.event_idx = virtio_has(d, VIRTIO_RING_F_EVENT_IDX),
				.queues = {d->setup[0], d->setup[1]}};
	const uint8_t *words;
	size_t len = 0;

	for (unsigned int q = 0; q < FSD_QUEUES; q++) {
		m.places[q].next_avail = state_u16(in);
		m.places[q].next_used = state_u16(in);
		m.places[q].signalled = state_u16(in);
		m.places[q].broken = state_u8(in);
		if (fs->bounce && d->queues[q].active)
			virtq_set_place(&d->queues[q], &m.places[q]);
	}
	words = state_block(in, FSD_SAVED_MAX, &len);
	if (!words)
		return state_close(in, "files", err);
	if (fs->gone)
		return err_set(err, EPIPE, "the file server has ended");
	return send_restore(fs, &m, words, len, err);
}

/* Without a bounce the kicks go to the server; this is the driver's without eventfd. */
static void serve(struct virtio_device *d, unsigned int q)
{
	struct fs *fs = (struct fs *)(void *)d;

	if (fs->bounce)
		fs_bounce_serve(fs->bounce, q);
}

static void free_fs(struct virtio_device *d)
{
	struct fs *fs = (struct fs *)(void *)d;

	loop_remove(fs->source);
	fs_bounce_free(fs->bounce);
	fd_close(fs->saved_fd);
	free(fs);
}

static const struct virtio_ops fs_ops = {
	.name = "fs",
	.activate = activate,
	.reset = reset,
	.serve = serve,
	.suspend = suspend,
	.resume = resume,
	.save = save,
	.restore = restore,
	.free = free_fs,
};

int virtio_fs_new(const struct virtio_host *host, const struct virtio_fs_options *options,
		  struct virtio_device **ret, struct err *err)
{
	size_t tag_len = strlen(options->tag);
	struct fs *fs;
	int rc;

	if (!tag_len || tag_len > VIRTIO_FS_TAG_MAX)
		return err_set(err, EINVAL, "a file system tag of %zu bytes: '%s'", tag_len,
			       options->tag);
	fs = mem_xalloc(sizeof(*fs));
	memcpy(fs->config.tag, options->tag, tag_len);
	fs->config.num_request_queues = FSD_QUEUES - 1;
	fs->control_fd = options->control_fd;
	fs->irq_fd = options->irq_fd;
	fs->saved_fd = -1;
	fs->device.ops = &fs_ops;
	fs->device.id = VIRTIO_ID_FS;
	fs->device.config = (uint8_t *)&fs->config;
	fs->device.config_size = sizeof(fs->config);
	fs->device.n_queues = FSD_QUEUES;
	rc = virtio_init(&fs->device, host, err);
	/* The server cannot map what is private to this process. */
	if (rc == 0 && host->memory->fd < 0)
		rc = fs_bounce_new(&fs->device, &fs->bounce, err);
	/* Whoever reads a kick must serve it. */
	for (unsigned int q = 0; q < FSD_QUEUES && !fs->bounce; q++) {
		loop_remove(fs->device.sources[q]);
		fs->device.sources[q] = NULL;
	}
	if (!rc)
		rc = loop_add(host->loop, fs->control_fd, EPOLLIN, on_control, fs, &fs->source,
			      err);
	if (rc < 0) {
		virtio_destroy(&fs->device);
		return rc;
	}
	*ret = &fs->device;
	return 0;
}
