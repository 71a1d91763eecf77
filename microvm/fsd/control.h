/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hull-vmm and a file server tell each other, one message a packet of their socket pair. The
 * server begins with READY or FAILED; then it answers what it is told with DONE, in turn, and
 * says BROKEN when the guest's queues make no sense. The end of file of either side is the other's
 * end. Neither trusts the other with more than these.
 *
 * Further trees have a socket pair of their own, as they come and go while a guest is served and nobody
 * waits for the answer: struct fsd_tree_request one way, struct fsd_tree_answer in turn the other.
 */
#ifndef HULL_MICROVM_FSD_CONTROL_H
#define HULL_MICROVM_FSD_CONTROL_H

#include <stdint.h>

#include "base/err.h"
#include "microvm/fsd/fsd.h"
#include "microvm/virtio/queue.h"

#define FSD_QUEUES    2           /* high priority (FORGET), requests */
#define FSD_SAVED_MAX (48u << 20) /* bytes of fsd_save's words */

enum fsd_control_what {
	FSD_READY = 1,
	FSD_FAILED,   /* code, text: why there is no server */
	FSD_ACTIVATE, /* event_idx, queues; with eventfds: the queues' kicks, the interrupt */
	FSD_RESET,    /* nothing touches guest memory after the answer */
	/*
	 * With a file, which gets fsd_save's words; the answer has places. Nothing is served from then on
	 * until RESUME, which has no answer.
	 */
	FSD_SUSPEND,
	FSD_RESUME,
	/* As ACTIVATE, and places; with a file of length bytes of fsd_save's as a fourth descriptor. */
	FSD_RESTORE,
	/*
	 * In place of ACTIVATE, for a server without the guest's memory: with the window and a socket
	 * (bounce.h). In place of RESTORE: with a file of length bytes as a third descriptor.
	 */
	FSD_BOUNCE,
	FSD_DONE, /* code: 0 or what is wrong, text */
	FSD_BROKEN,
	FSD_TREES, /* with the server's end of the socket pair for trees; not answered */
};

struct fsd_control {
	uint32_t what;
	int32_t code; /* errno, positive */
	bool event_idx;
	struct virtq_setup queues[FSD_QUEUES];
	struct virtq_place places[FSD_QUEUES];
	uint64_t length;
	char text[ERR_MSG_LEN];
};

struct fsd_tree_request {
	bool add; /* with a descriptor; else: remove */
	char name[FSD_TREE_NAME_MAX + 1];
};

struct fsd_tree_answer {
	int32_t code; /* 0 or errno, positive */
};

#endif
