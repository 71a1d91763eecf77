/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the kernel's routing netlink (man 7 netlink, rtnetlink), as few as the agent needs: it
 * is a static program, and Debian has no static libmnl. Private to microvm/guest.
 */
#ifndef HULL_GUEST_RTNL_H
#define HULL_GUEST_RTNL_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RTNL_MESSAGE_MAX 1024

/* A message that is being built. What no longer fits makes rtnl_talk fail with -EMSGSIZE. */
struct rtnl_msg {
	union {
		struct nlmsghdr header;
		uint8_t bytes[RTNL_MESSAGE_MAX];
	};
	size_t len; /* a multiple of 4 */
	bool overflow;
};

/* Begins with the fixed part of type, such as a struct rtmsg. */
void rtnl_begin(struct rtnl_msg *m, uint16_t type, uint16_t flags, const void *fixed, size_t len);
void rtnl_put(struct rtnl_msg *m, uint16_t type, const void *data, size_t len);
void rtnl_put_u8(struct rtnl_msg *m, uint16_t type, uint8_t value);
void rtnl_put_u32(struct rtnl_msg *m, uint16_t type, uint32_t value);
/* Attributes until rtnl_nest_end lie inside this one. */
size_t rtnl_nest(struct rtnl_msg *m, uint16_t type);
void rtnl_nest_end(struct rtnl_msg *m, size_t nest);

/* A socket in the caller's network namespace. Returns it or -errno. */
int rtnl_open(struct err *err) MUST_CHECK;

/* Sends the message and waits for its acknowledgement. 0 or the kernel's -errno. */
int rtnl_talk(int fd, struct rtnl_msg *m) MUST_CHECK;

/*
 * With fn for each message of the answer: its type, and what follows its header. A
 * dump is of a whole table.
 */
typedef void rtnl_fn(void *arg, uint16_t type, const uint8_t *data, size_t len);
int rtnl_ask(int fd, struct rtnl_msg *m, rtnl_fn *fn, void *arg) MUST_CHECK;
int rtnl_dump(int fd, struct rtnl_msg *m, rtnl_fn *fn, void *arg) MUST_CHECK;

/* The attribute type of a message's attributes; NULL: it has none. *ret_len: bytes of its value. */
const uint8_t *rtnl_find(const uint8_t *attrs, size_t len, uint16_t type, size_t *ret_len);
/* 0 when there is none. */
uint32_t rtnl_find_u32(const uint8_t *attrs, size_t len, uint16_t type);

#endif
