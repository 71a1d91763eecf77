/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request of the host, taken apart. Private to microvm/guest. */
#ifndef HULL_GUEST_REQUEST_H
#define HULL_GUEST_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/netconf.h"
#include "microvm/proto.h"

enum { PORT_STDIN, PORT_STDOUT, PORT_STDERR, PORT_TTY, PORT_MAX };

#define NO_ID UINT32_MAX /* no user or group has it */

struct numbers {
	uint32_t *list;
	size_t n;
};

struct request {
	uint16_t op;
	uint32_t id;                         /* of the frame */
	unsigned int connection;             /* the guest's count of them: where the answer goes */
	char *container, *exec;              /* exec: NULL for the container's first process */
	char *text; /* config.json, process.json or resources; NULL: EXEC has args */
	char *source, *type, *target, *data; /* of a mount */
	uint32_t mount_flags;
	struct netconf *network;
	uint32_t port[PORT_MAX]; /* of the host's side; 0: no such stream */
	uint32_t rows, columns; /* 0: not given */
	uint32_t signal;
	uint32_t cpus;
	uint32_t all, force, no_pivot, no_new_keyring;
	char *passwd; /* NULL: not given */
	/* Of an EXEC; NULL and NO_ID: not given. */
	char **args, **env, **caps; /* NULL-terminated, one allocation each */
	char *cwd, *selinux_label, *apparmor_profile;
	uint32_t uid, gid, no_new_privs;
	struct numbers groups;
};

/*
 * Strings are copied, ids are not empty, rows, columns and signal are in range. -ENOSYS: not an
 * operation for the guest; -EINVAL: a field is missing or has no sense; -EPROTO.
 */
int request_parse(const struct proto_frame *frame, struct request *ret, struct err *err) MUST_CHECK;
void request_release(struct request *q);

#endif
