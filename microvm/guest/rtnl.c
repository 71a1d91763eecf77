/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/guest/rtnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define ANSWER_MAX 32768 /* a dump's messages are cut to the reader's buffer, up to this */

static size_t aligned(size_t len)
{
	return (len + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

/* ---- building ---- */

/* Zeroed bytes at the end; NULL when they do not fit. */
static uint8_t *extend(struct rtnl_msg *m, size_t len)
{
	uint8_t *at = m->bytes + m->len;

	if (m->overflow || len > sizeof(m->bytes) || aligned(len) > sizeof(m->bytes) - m->len) {
		m->overflow = true;
		return NULL;
	}
	memset(at, 0, aligned(len));
	m->len += aligned(len);
	return at;
}

void rtnl_begin(struct rtnl_msg *m, uint16_t type, uint16_t flags, const void *fixed, size_t len)
{
	uint8_t *at;

	m->len = 0;
	m->overflow = false;
	(void)extend(m, sizeof(m->header));
	m->header.nlmsg_type = type;
	m->header.nlmsg_flags = NLM_F_REQUEST | flags;
	at = extend(m, len);
	if (at)
		memcpy(at, fixed, len);
}

void rtnl_put(struct rtnl_msg *m, uint16_t type, const void *data, size_t len)
{
	const struct rtattr attr = {
		.rta_len = (unsigned short)(sizeof(attr) + len),
		.rta_type = type,
	};
	uint8_t *at = extend(m, sizeof(attr) + len);

	if (!at)
		return;
	memcpy(at, &attr, sizeof(attr));
	if (len)
		memcpy(at + sizeof(attr), data, len);
}

void rtnl_put_u8(struct rtnl_msg *m, uint16_t type, uint8_t value)
{
	rtnl_put(m, type, &value, sizeof(value));
}

void rtnl_put_u32(struct rtnl_msg *m, uint16_t type, uint32_t value)
{
	rtnl_put(m, type, &value, sizeof(value));
}

size_t rtnl_nest(struct rtnl_msg *m, uint16_t type)
{
	const size_t at = m->len;

	rtnl_put(m, type, NULL, 0);
	return at;
}

void rtnl_nest_end(struct rtnl_msg *m, size_t nest)
{
	const uint16_t len = (uint16_t)(m->len - nest);

	if (!m->overflow)
		memcpy(m->bytes + nest + offsetof(struct rtattr, rta_len), &len, sizeof(len));
}

/* ---- asking ---- */

int rtnl_open(struct err *err)
{
	CLOSE_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};

	if (fd < 0)
		return err_sys(err, "open a netlink socket");
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return err_sys(err, "bind a netlink socket");
	return fd_take(&fd);
}

static int send_message(int fd, struct rtnl_msg *m)
{
	ssize_t n;

	if (m->overflow)
		return -EMSGSIZE;
	m->header.nlmsg_len = (uint32_t)m->len;
	do
		n = send(fd, m->bytes, m->len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Messages of one answer. 1: it goes on; else the end, 0 or -errno. */
static int take_answer(const uint8_t *p, size_t len, rtnl_fn *fn, void *arg)
{
	struct nlmsghdr h;
	int error = 0;

	while (len >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return -EBADMSG;
		/* Both begin with an error number; of a dump's end it may be left out. */
		if (h.nlmsg_type == NLMSG_DONE || h.nlmsg_type == NLMSG_ERROR) {
			if (h.nlmsg_len >= sizeof(h) + sizeof(error))
				memcpy(&error, p + sizeof(h), sizeof(error));
			return error < 0 ? error : 0;
		}
		if (fn)
			fn(arg, h.nlmsg_type, p + sizeof(h), h.nlmsg_len - sizeof(h));
		if (aligned(h.nlmsg_len) >= len)
			break;
		p += aligned(h.nlmsg_len);
		len -= aligned(h.nlmsg_len);
	}
	return 1;
}

static int talk(int fd, struct rtnl_msg *m, rtnl_fn *fn, void *arg)
{
	uint8_t answer[ANSWER_MAX];
	int rc = send_message(fd, m);

	if (rc < 0)
		return rc;
	for (rc = 1; rc > 0;) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		rc = take_answer(answer, (size_t)n, fn, arg);
	}
	return rc;
}

int rtnl_ask(int fd, struct rtnl_msg *m, rtnl_fn *fn, void *arg)
{
	m->header.nlmsg_flags |= NLM_F_ACK;
	return talk(fd, m, fn, arg);
}

int rtnl_talk(int fd, struct rtnl_msg *m)
{
	return rtnl_ask(fd, m, NULL, NULL);
}

int rtnl_dump(int fd, struct rtnl_msg *m, rtnl_fn *fn, void *arg)
{
	m->header.nlmsg_flags |= NLM_F_DUMP;
	return talk(fd, m, fn, arg);
}

/* ---- reading ---- */

const uint8_t *rtnl_find(const uint8_t *attrs, size_t len, uint16_t type, size_t *ret_len)
{
	struct rtattr a;

	while (len >= sizeof(a)) {
		memcpy(&a, attrs, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len)
			return NULL;
		if ((a.rta_type & NLA_TYPE_MASK) == type) {
			*ret_len = a.rta_len - sizeof(a);
			return attrs + sizeof(a);
		}
		if (aligned(a.rta_len) >= len)
			return NULL;
		attrs += aligned(a.rta_len);
		len -= aligned(a.rta_len);
	}
	return NULL;
}

uint32_t rtnl_find_u32(const uint8_t *attrs, size_t len, uint16_t type)
{
	size_t value_len = 0;
	const uint8_t *at = rtnl_find(attrs, len, type, &value_len);
	uint32_t value;

	if (!at || value_len < sizeof(value))
		return 0;
	memcpy(&value, at, sizeof(value));
	return value;
}
