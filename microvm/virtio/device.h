/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all virtio devices share: features, the status machine, configuration space, queues, and
 * their registers on the memory bus (virtio 1.2, 2.1, 3.1, 4.2). A device is a table of functions
 * and a struct that begins with struct virtio_device.
 *
 * Two kinds of thread come here: a vCPU that reads or writes a register, and the I/O thread that
 * serves queues, activates and resets. The lock is held around each call of an ops function, so all
 * of these but config_written are called on the I/O thread alone and may use its loop.
 */
#ifndef HULL_MICROVM_VIRTIO_DEVICE_H
#define HULL_MICROVM_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "microvm/memory.h"
#include "microvm/state.h"
#include "microvm/virtio/queue.h"

#define VIRTIO_QUEUES_MAX 8
#define VIRTIO_MMIO_SIZE  0x1000

struct virtio_device;

struct virtio_ops {
	const char *name; /* "blk": of messages and statistics */
	/* The driver is ready; features are what it took. -errno: the device wants a reset. */
	int (*activate)(struct virtio_device *d, struct err *err);
	/* Ends or waits for all requests in flight; nothing may touch guest memory afterwards. */
	void (*reset)(struct virtio_device *d);
	/* The driver notified queue q (or just became ready): serves until it is empty. */
	void (*serve)(struct virtio_device *d, unsigned int q);
	/* Optional. Within the config_size bytes of config. */
	void (*config_written)(struct virtio_device *d, uint32_t offset, uint32_t len);
	/*
	 * Optional, all four, for saving (saved.c), of an active device only. Between suspend and resume
	 * nothing touches guest memory. save appends what the common part does not have; restore, in
	 * place of activate, reads it and goes on from there: the queues stand where they stood.
	 */
	int (*suspend)(struct virtio_device *d, struct err *err);
	void (*resume)(struct virtio_device *d);
	int (*save)(struct virtio_device *d, struct buf *ret, struct err *err);
	int (*restore)(struct virtio_device *d, struct state_in *in, struct err *err);
	void (*free)(struct virtio_device *d);
};

/* How a device reaches the world around it; given by the VM, by tests a fake. */
struct virtio_host {
	const struct guest_memory *memory;
	struct loop *loop; /* the I/O thread's */
	/* Raises the device's interrupt line; from any thread. */
	void (*interrupt)(void *arg);
	void *arg;
	/* Calls fn(fn_arg) on the I/O thread and waits for it; NULL: the caller is that thread. */
	void (*run)(void *run_arg, void (*fn)(void *fn_arg), void *fn_arg);
	void *run_arg;
	/* A page for the registers that the driver reads, zeroed; NULL: the device has its own. */
	uint8_t *registers;
};

struct virtio_device {
	const struct virtio_ops *ops;
	uint32_t id;       /* virtio 1.2, 5 */
	uint64_t offered;  /* feature bits; VERSION_1 and EVENT_IDX are added */
	uint64_t features; /* the driver's choice, valid from activate on */
	uint8_t *config;   /* what the driver sees of the configuration space */
	uint32_t config_size;
	bool config_writable;
	bool config_kept; /* one that is made again shows the driver what the saved one showed */
	unsigned int n_queues;
	struct virtq queues[VIRTIO_QUEUES_MAX];
	int notify_fds[VIRTIO_QUEUES_MAX]; /* eventfds that KVM writes to for QueueNotify */

	pthread_mutex_t lock;
	struct virtio_host host;
	bool active;

	uint8_t *registers; /* as the driver reads them, VIRTIO_MMIO_SIZE bytes */
	bool own_registers;
	uint32_t status, device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features;
	struct virtq_setup setup[VIRTIO_QUEUES_MAX];
	struct loop_source *sources[VIRTIO_QUEUES_MAX];
	struct virtio_bell {
		struct virtio_device *d;
		unsigned int q;
	} bells[VIRTIO_QUEUES_MAX];
	uint64_t faults; /* what the guest did wrong: the first is logged */
};

/* Fills the common part; ops, id, offered, config and n_queues are set by the caller before. */
int virtio_init(struct virtio_device *d, const struct virtio_host *host,
		struct err *err) MUST_CHECK;
void virtio_destroy(struct virtio_device *d); /* calls ops->free last */

/* Registers (mmio.c). offset < VIRTIO_MMIO_SIZE; data is little-endian; reads fill all of it. */
void virtio_mmio_read(struct virtio_device *d, uint64_t offset, uint8_t *data, uint32_t len);
void virtio_mmio_write(struct virtio_device *d, uint64_t offset, const uint8_t *data, uint32_t len);

/*
 * Saving and restoring (saved.c), on the I/O thread or while there is none; no processor runs.
 * virtio_restore is for a device as it was made: -EINVAL when it is not of the saved one's kind.
 */
int virtio_suspend(struct virtio_device *d, struct err *err) MUST_CHECK;
void virtio_resume(struct virtio_device *d);
int virtio_save(struct virtio_device *d, struct buf *ret, struct err *err) MUST_CHECK;
int virtio_restore(struct virtio_device *d, struct state_in *in, struct err *err) MUST_CHECK;

/* For devices, with the lock held: */
void virtio_interrupt_queue(struct virtio_device *d, unsigned int q); /* if the driver wants one */
void virtio_config_changed(struct virtio_device *d);                  /* after writing d->config */
void virtio_needs_reset(struct virtio_device *d, const char *why);    /* the guest is at fault */
void virtio_fault(struct virtio_device *d, const char *what); /* logs the first, counts all */

/* Has ops->serve called again for queue q, after the loop's other sources. */
void virtio_serve_again(struct virtio_device *d, unsigned int q);

/*
 * An ops->serve for requests that are answered at once: fn returns how many bytes it wrote. Takes a
 * bounded number of requests a call, whatever the driver adds meanwhile.
 */
typedef uint32_t virtio_answer_fn(struct virtio_device *d, const struct virtq_chain *c);
void virtio_answer_queue(struct virtio_device *d, unsigned int q, virtio_answer_fn *fn);

static inline bool virtio_has(const struct virtio_device *d, unsigned int bit)
{
	return d->features >> bit & 1;
}

#endif
