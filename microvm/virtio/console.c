/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console device (virtio 1.2, 5.3). Output is copied in small parts through the stack; there is
 * no buffer that a guest could fill. Input is read only when the guest has room for it, right into
 * its buffers; its descriptor is watched edge-triggered, so one that nobody reads costs no wakeups.
 */
#include "microvm/virtio/console.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define RX          0
#define TX          1
#define PART        4096
#define REQUEST_MAX (64u << 10) /* bytes of output taken of one request */
#define READS       16          /* a wakeup */

struct console {
	struct virtio_device base;
	struct virtio_console_config space;
	struct console_stats stats;
	int out_fd, in_fd;
	bool log;          /* out_fd is a regular file */
	uint64_t log_size; /* its length now */
	uint64_t log_max;
	bool readable; /* in_fd, until it says EAGAIN */
	bool live;     /* between activation and reset */
	struct loop_source *input;
};

/* ---- from the guest ---- */

/* Gives up the older half. Lost on an error: what is in the file anyway. */
static void shorten_log(struct console *c)
{
	uint64_t keep = c->log_max / 2, from = c->log_size > keep ? c->log_size - keep : 0;
	uint64_t done = 0;
	uint8_t part[PART];
	ssize_t n;

	while ((n = pread(c->out_fd, part, sizeof(part), (off_t)(from + done))) > 0) {
		if (pwrite(c->out_fd, part, (size_t)n, (off_t)done) != n)
			break;
		done += (size_t)n;
	}
	(void)!ftruncate(c->out_fd, (off_t)done);
	c->log_size = done;
}

static ssize_t put(struct console *c, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	if (c->out_fd < 0)
		return 0;
	if (!c->log)
		return write(c->out_fd, bytes, len);
	if (c->log_size + len > c->log_max)
		shorten_log(c);
	n = pwrite(c->out_fd, bytes, len, (off_t)c->log_size);
	if (n > 0)
		c->log_size += (size_t)n;
	return n;
}

static uint32_t take_output(struct virtio_device *d, const struct virtq_chain *chain)
{
	struct console *c = (struct console *)d;
	size_t len = chain->out_len < REQUEST_MAX ? chain->out_len : REQUEST_MAX, done = 0;
	uint8_t part[PART];

	while (done < len) {
		size_t want = len - done < PART ? len - done : PART;
		ssize_t n = put(c, part, virtq_read(chain, done, part, want));

		if (n > 0)
			done += (size_t)n;
		if (n < (ssize_t)want)
			break;
	}
	c->stats.out += done;
	c->stats.dropped += chain->out_len - done;
	return 0;
}

/* ---- to the guest ---- */

/* 1: read, 0: nothing there, -1: the end. */
static int read_input(struct console *c, const struct virtq_chain *chain, uint32_t *ret_len)
{
	ssize_t n = readv(c->in_fd, virtq_chain_in(chain), (int)chain->n_in);

	if (n > 0) {
		*ret_len = (uint32_t)n;
		c->stats.in += (size_t)n;
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void end_input(struct console *c)
{
	loop_remove(c->input);
	c->input = NULL;
}

/* The guest's next buffers in *chain, or false. */
static bool pop_rx(struct console *c, struct virtq_chain *chain)
{
	struct virtq *q = &c->base.queues[RX];
	int rc = virtq_pop(q, chain);

	if (rc == 0 && virtq_listen(q))
		rc = virtq_pop(q, chain);
	if (rc < 0) {
		c->live = false;
		virtio_needs_reset(&c->base, "available index out of reach");
	}
	return rc > 0;
}

static void give_input(struct console *c)
{
	struct virtq *q = &c->base.queues[RX];
	struct virtq_chain chain;
	unsigned int left = READS;

	while (c->readable && c->input && left-- && pop_rx(c, &chain)) {
		uint32_t len = 0;
		int rc = chain.in_len ? read_input(c, &chain, &len) : 1;

		if (rc > 0) {
			virtq_push(q, chain.head, len);
			continue;
		}
		virtq_unpop(q);
		c->readable = false;
		if (rc < 0)
			end_input(c);
	}
	virtio_interrupt_queue(&c->base, RX);
	if (left == UINT32_MAX)
		virtio_serve_again(&c->base, RX);
}

static void on_input(void *arg, uint32_t events)
{
	struct console *c = arg;

	(void)events;
	pthread_mutex_lock(&c->base.lock);
	c->readable = true;
	if (c->live && !(c->base.status & VIRTIO_CONFIG_S_NEEDS_RESET))
		give_input(c);
	pthread_mutex_unlock(&c->base.lock);
}

/* ---- the device ---- */

static void console_serve(struct virtio_device *d, unsigned int q)
{
	struct console *c = (struct console *)d;

	if (q == TX)
		virtio_answer_queue(d, TX, take_output);
	else if (c->live)
		give_input(c);
}

static int console_activate(struct virtio_device *d, struct err *err)
{
	(void)err;
	((struct console *)d)->live = true;
	return 0;
}

static void console_reset(struct virtio_device *d)
{
	((struct console *)d)->live = false;
}

static void console_free(struct virtio_device *d)
{
	struct console *c = (struct console *)d;

	end_input(c);
	fd_close(c->out_fd);
	if (c->in_fd != c->out_fd)
		fd_close(c->in_fd);
	free(c);
}

static const struct virtio_ops console_ops = {
	.name = "console",
	.activate = console_activate,
	.reset = console_reset,
	.serve = console_serve,
	.free = console_free,
};

static int set_output(struct console *c, const struct console_config *config, struct err *err)
{
	struct stat st;

	if (config->out_fd < 0)
		return 0;
	if (fstat(config->out_fd, &st) < 0)
		return err_sys(err, "console: stat of its output");
	c->log = S_ISREG(st.st_mode);
	if (!c->log)
		return fd_set_nonblock(config->out_fd, 1, err);
	if ((fcntl(config->out_fd, F_GETFL) & (O_ACCMODE | O_APPEND)) != O_RDWR)
		return err_set(err, EINVAL, "console: its log is not open for reading and writing");
	c->log_size = (uint64_t)st.st_size;
	c->log_max = config->log_max ? config->log_max : CONSOLE_LOG_MAX;
	if (c->log_max < 2 * PART)
		return err_set(err, EINVAL, "console: a log of %llu bytes is too short",
			       (unsigned long long)c->log_max);
	return 0;
}

static int set_input(struct console *c, int fd, struct err *err)
{
	int rc;

	if (fd < 0)
		return 0;
	rc = fd_set_nonblock(fd, 1, err);
	if (rc < 0)
		return rc;
	return loop_add(c->base.host.loop, fd, EPOLLIN | EPOLLET, on_input, c, &c->input, err);
}

int virtio_console_new(const struct virtio_host *host, const struct console_config *config,
		       struct virtio_device **ret, struct err *err)
{
	struct console *c = mem_xalloc(sizeof(*c));
	int rc;

	c->out_fd = c->in_fd = -1;
	c->space = (struct virtio_console_config){
		.cols = htole16(config->columns),
		.rows = htole16(config->rows),
		.max_nr_ports = htole32(1),
	};
	c->base.ops = &console_ops;
	c->base.id = VIRTIO_ID_CONSOLE;
	c->base.offered = 1ull << VIRTIO_CONSOLE_F_SIZE;
	c->base.config = (uint8_t *)&c->space;
	c->base.config_size = sizeof(c->space);
	c->base.n_queues = 2;
	rc = virtio_init(&c->base, host, err);
	if (rc == 0)
		rc = set_output(c, config, err);
	if (rc == 0)
		rc = set_input(c, config->in_fd, err);
	if (rc < 0) {
		virtio_destroy(&c->base);
		return rc;
	}
	c->out_fd = config->out_fd;
	c->in_fd = config->in_fd;
	*ret = &c->base;
	return 0;
}

void virtio_console_resize(struct virtio_device *d, uint16_t columns, uint16_t rows)
{
	struct console *c = (struct console *)d;

	pthread_mutex_lock(&d->lock);
	c->space.cols = htole16(columns);
	c->space.rows = htole16(rows);
	virtio_config_changed(d);
	pthread_mutex_unlock(&d->lock);
}

void virtio_console_stats(struct virtio_device *d, struct console_stats *ret)
{
	struct console *c = (struct console *)d;

	pthread_mutex_lock(&d->lock);
	*ret = c->stats;
	pthread_mutex_unlock(&d->lock);
}
