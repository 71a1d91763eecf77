/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames and their fields. A frame is handed out only once its fields are known to fill the body
 * exactly, so that looking one up needs no further care; memory follows the bytes that came, never a
 * length that was only announced.
 */
#include "microvm/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

#define FIELD_HEADER 8
#define MAX_ERRNO    4095       /* the kernel's */
#define KEEP_BODY    (64 << 10) /* a larger buffer is given back after its frame */

const char *proto_op_name(unsigned int op)
{
	static const char *const names[PROTO_OP_END] = {
		[PROTO_HELLO] = "hello",
		[PROTO_MOUNT_FS] = "mount",
		[PROTO_UMOUNT] = "umount",
		[PROTO_NET_CONFIG] = "net config",
		[PROTO_CREATE] = "create",
		[PROTO_START] = "start",
		[PROTO_EXEC] = "exec",
		[PROTO_SIGNAL] = "signal",
		[PROTO_WAIT] = "wait",
		[PROTO_RESIZE_TTY] = "resize tty",
		[PROTO_CLOSE_STDIN] = "close stdin",
		[PROTO_UPDATE] = "update",
		[PROTO_STATS] = "stats",
		[PROTO_PAUSE] = "pause",
		[PROTO_RESUME] = "resume",
		[PROTO_DELETE] = "delete",
		[PROTO_PS] = "ps",
		[PROTO_EVENT] = "event",
		[PROTO_SHUTDOWN] = "shutdown",
		[PROTO_SUSPEND] = "suspend",
		[PROTO_ATTACH] = "attach",
		[PROTO_SET_CPUS] = "set cpus",
	};

	return op < PROTO_OP_END && names[op] ? names[op] : "?";
}

/* ---- little-endian numbers ---- */

static void put_le(uint8_t *p, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_le(const uint8_t *p, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)p[i] << 8 * i;
	return value;
}

static uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)get_le(p, 4);
}

static uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)get_le(p, 2);
}

/* ---- building a body ---- */

struct proto_body proto_body_of(const struct buf *b)
{
	return (struct proto_body){(const uint8_t *)buf_str(b), b->len};
}

/* A value of 4 GiB or more cannot be said; proto_send refuses long before that. */
static void put_header(struct buf *b, enum proto_field type, size_t len)
{
	uint8_t h[FIELD_HEADER] = {0};

	if (len > UINT32_MAX)
		abort();
	put_le(h, type, 2);
	put_le(h + 4, len, 4);
	buf_add(b, h, sizeof(h));
}

static void put_number(struct buf *b, enum proto_field type, uint64_t value, size_t bytes)
{
	uint8_t v[8];

	put_header(b, type, bytes);
	put_le(v, value, bytes);
	buf_add(b, v, bytes);
}

void proto_put_u32(struct buf *b, enum proto_field type, uint32_t value)
{
	put_number(b, type, value, 4);
}

void proto_put_u64(struct buf *b, enum proto_field type, uint64_t value)
{
	put_number(b, type, value, 8);
}

void proto_put_bytes(struct buf *b, enum proto_field type, const void *data, size_t len)
{
	put_header(b, type, len);
	buf_add(b, data, len);
}

void proto_put_string(struct buf *b, enum proto_field type, const char *value)
{
	proto_put_bytes(b, type, value, strlen(value));
}

void proto_put_strings(struct buf *b, enum proto_field type, const char *const *list)
{
	size_t len = 0;

	for (size_t i = 0; list[i]; i++)
		len += strlen(list[i]) + 1;
	put_header(b, type, len);
	for (size_t i = 0; list[i]; i++)
		buf_add(b, list[i], strlen(list[i]) + 1);
}

void proto_put_u64s(struct buf *b, enum proto_field type, const uint64_t *list, size_t n)
{
	uint8_t v[8];

	put_header(b, type, n * sizeof(v));
	for (size_t i = 0; i < n; i++) {
		put_le(v, list[i], sizeof(v));
		buf_add(b, v, sizeof(v));
	}
}

void proto_put_u32s(struct buf *b, enum proto_field type, const uint32_t *list, size_t n)
{
	uint8_t v[4];

	put_header(b, type, n * sizeof(v));
	for (size_t i = 0; i < n; i++) {
		put_le(v, list[i], sizeof(v));
		buf_add(b, v, sizeof(v));
	}
}

/* ---- reading a body ---- */

/* Steps to the field at *offset. False at the end, or where the rest is no field. */
static bool next_field(const struct proto_body *b, size_t *offset, uint16_t *type,
		       struct proto_body *value)
{
	size_t rest = b->len - *offset;
	const uint8_t *p = b->data + *offset;
	uint32_t len;

	if (rest < FIELD_HEADER)
		return false;
	len = get_le32(p + 4);
	if (get_le16(p + 2) != 0 || len > rest - FIELD_HEADER)
		return false;
	*type = get_le16(p);
	*value = (struct proto_body){p + FIELD_HEADER, len};
	*offset += FIELD_HEADER + len;
	return true;
}

static bool is_well_formed(const struct proto_body *b)
{
	size_t offset = 0;
	uint16_t type;
	struct proto_body value;

	while (offset < b->len) {
		if (!next_field(b, &offset, &type, &value))
			return false;
	}
	return true;
}

int proto_check(const struct proto_body *b, struct err *err)
{
	return is_well_formed(b) ? 0 : err_set(err, EPROTO, "a body that is no fields");
}

static bool find(const struct proto_body *b, enum proto_field type, struct proto_body *ret)
{
	size_t offset = 0;
	uint16_t t;

	while (offset < b->len && next_field(b, &offset, &t, ret)) {
		if (t == type)
			return true;
	}
	return false;
}

static int bad_field(struct err *err, enum proto_field type, const char *why)
{
	return err_set(err, EPROTO, "field %d %s", (int)type, why);
}

static int get_number(const struct proto_body *b, enum proto_field type, size_t bytes,
		      uint64_t *ret, struct err *err)
{
	struct proto_body v;

	if (!find(b, type, &v))
		return 0;
	if (v.len != bytes)
		return bad_field(err, type, "is no number of its size");
	*ret = get_le(v.data, bytes);
	return 1;
}

int proto_get_u32(const struct proto_body *b, enum proto_field type, uint32_t *ret, struct err *err)
{
	uint64_t value = 0;
	int rc = get_number(b, type, 4, &value, err);

	if (rc == 1)
		*ret = (uint32_t)value;
	return rc;
}

int proto_get_u64(const struct proto_body *b, enum proto_field type, uint64_t *ret, struct err *err)
{
	return get_number(b, type, 8, ret, err);
}

int proto_get_bytes(const struct proto_body *b, enum proto_field type, const uint8_t **ret,
		    size_t *ret_len, struct err *err)
{
	struct proto_body v;

	(void)err;
	if (!find(b, type, &v))
		return 0;
	*ret = v.data;
	*ret_len = v.len;
	return 1;
}

int proto_get_array(const struct proto_body *b, enum proto_field type, uint8_t *ret, size_t len,
		    struct err *err)
{
	struct proto_body v;

	if (!find(b, type, &v))
		return 0;
	if (v.len != len)
		return bad_field(err, type, "has the wrong length");
	memcpy(ret, v.data, len);
	return 1;
}

int proto_get_string(const struct proto_body *b, enum proto_field type, size_t max, char **ret,
		     struct err *err)
{
	struct proto_body v;
	char *s;

	if (!find(b, type, &v))
		return 0;
	if (v.len > max)
		return bad_field(err, type, "is too long");
	if (memchr(v.data, '\0', v.len))
		return bad_field(err, type, "has a NUL inside");
	s = mem_try_calloc(v.len + 1, 1);
	if (!s)
		return err_code(err, ENOMEM, "field %d", (int)type);
	memcpy(s, v.data, v.len);
	*ret = s;
	return 1;
}

int proto_get_strings(const struct proto_body *b, enum proto_field type, size_t max, char ***ret,
		      struct err *err)
{
	struct proto_body v;
	size_t n = 0;
	char **list, *text;

	if (!find(b, type, &v))
		return 0;
	if (v.len && v.data[v.len - 1] != '\0')
		return bad_field(err, type, "is no list of strings");
	for (size_t i = 0; i < v.len; i++)
		n += v.data[i] == '\0';
	if (n > max)
		return bad_field(err, type, "is too long a list");
	list = mem_try_calloc(1, (n + 1) * sizeof(*list) + v.len + 1);
	if (!list)
		return err_code(err, ENOMEM, "field %d", (int)type);
	text = (char *)(list + n + 1);
	memcpy(text, v.data, v.len);
	for (size_t i = 0; i < n; i++) {
		list[i] = text;
		text += strlen(text) + 1;
	}
	*ret = list;
	return 1;
}

int proto_get_u64s(const struct proto_body *b, enum proto_field type, uint64_t *ret, size_t max,
		   size_t *ret_n, struct err *err)
{
	struct proto_body v;

	if (!find(b, type, &v))
		return 0;
	if (v.len % 8 || v.len / 8 > max)
		return bad_field(err, type, "is no list of its size");
	*ret_n = v.len / 8;
	for (size_t i = 0; i < *ret_n; i++)
		ret[i] = get_le(v.data + 8 * i, 8);
	return 1;
}

int proto_get_u32s(const struct proto_body *b, enum proto_field type, uint32_t **ret, size_t *ret_n,
		   struct err *err)
{
	struct proto_body v;
	uint32_t *list;

	if (!find(b, type, &v))
		return 0;
	if (v.len % 4)
		return bad_field(err, type, "is no list of numbers");
	list = mem_try_calloc(v.len / 4 + 1, sizeof(*list));
	if (!list)
		return err_code(err, ENOMEM, "field %d", (int)type);
	*ret_n = v.len / 4;
	for (size_t i = 0; i < *ret_n; i++)
		list[i] = get_le32(v.data + 4 * i);
	*ret = list;
	return 1;
}

/* ---- frames in ---- */

void proto_reader_init(struct proto_reader *r)
{
	*r = (struct proto_reader){0};
}

void proto_reader_release(struct proto_reader *r)
{
	free(r->body);
	*r = (struct proto_reader){0};
}

static void begin_frame(struct proto_reader *r)
{
	r->n_header = r->n_body = 0;
	r->done = false;
	if (r->cap_body > KEEP_BODY) {
		free(ptr_take(&r->body));
		r->cap_body = 0;
	}
}

static int check_header(const struct proto_reader *r, struct err *err)
{
	uint32_t len = get_le32(r->header);

	if (len > PROTO_BODY_MAX)
		return err_set(err, EPROTO, "frame of %u bytes, at most %u are allowed", len,
			       PROTO_BODY_MAX);
	if (get_le16(r->header + 6) & ~PROTO_REPLY)
		return err_set(err, EPROTO, "frame with unknown flags 0x%x",
			       get_le16(r->header + 6));
	if (get_le32(r->header + 12) > MAX_ERRNO)
		return err_set(err, EPROTO, "frame with error number %u", get_le32(r->header + 12));
	return 0;
}

static int finish_frame(struct proto_reader *r, struct err *err)
{
	r->frame = (struct proto_frame){
		.op = get_le16(r->header + 4),
		.flags = get_le16(r->header + 6),
		.id = get_le32(r->header + 8),
		.error = get_le32(r->header + 12),
		.body = {r->body, r->n_body},
	};
	if (!is_well_formed(&r->frame.body))
		return err_set(err, EPROTO, "frame '%s' with a broken field",
			       proto_op_name(r->frame.op));
	r->done = true;
	return PROTO_READ_FRAME;
}

/* How much of the frame is missing: of its header, then of its body. */
static size_t missing(const struct proto_reader *r)
{
	if (r->n_header < PROTO_HEADER_LEN)
		return PROTO_HEADER_LEN - r->n_header;
	return get_le32(r->header) - r->n_body;
}

static int add_body(struct proto_reader *r, const uint8_t *data, size_t len, struct err *err)
{
	if (r->n_body + len > r->cap_body) {
		size_t cap = r->cap_body ? r->cap_body : 256;
		uint8_t *body;

		while (cap < r->n_body + len)
			cap *= 2;
		body = realloc(r->body, cap);
		if (!body)
			return err_code(err, ENOMEM, "frame of %zu bytes", cap);
		r->body = body;
		r->cap_body = cap;
	}
	memcpy(r->body + r->n_body, data, len);
	r->n_body += len;
	return 0;
}

/* Adds at most what is missing of the current part. */
static int add(struct proto_reader *r, const uint8_t *data, size_t len, struct err *err)
{
	if (r->n_header == PROTO_HEADER_LEN)
		return add_body(r, data, len, err);
	memcpy(r->header + r->n_header, data, len);
	r->n_header += len;
	return r->n_header == PROTO_HEADER_LEN ? check_header(r, err) : 0;
}

int proto_feed(struct proto_reader *r, const uint8_t *data, size_t len, size_t *ret_used,
	       struct err *err)
{
	size_t used = 0;

	if (r->done)
		begin_frame(r);
	for (;;) {
		size_t want = missing(r), n = len - used < want ? len - used : want;
		int rc;

		if (want == 0)
			break;
		if (n == 0) {
			*ret_used = used;
			return PROTO_READ_AGAIN;
		}
		rc = add(r, data + used, n, err);
		if (rc < 0)
			return rc;
		used += n;
	}
	*ret_used = used;
	return finish_frame(r, err);
}

int proto_read(struct proto_reader *r, int fd, struct err *err)
{
	uint8_t chunk[16384];

	if (r->done)
		begin_frame(r);
	for (;;) {
		/* no more than the frame needs: what is left stays in the socket */
		size_t want = missing(r), used = 0;
		ssize_t n;
		int rc;

		n = recv(fd, chunk, want < sizeof(chunk) ? want : sizeof(chunk), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return PROTO_READ_AGAIN;
		if (n < 0)
			return err_sys(err, "receive a frame");
		if (n == 0 && r->n_header == 0)
			return PROTO_READ_END;
		if (n == 0)
			return err_set(err, ECONNRESET, "the connection ended inside a frame");
		rc = proto_feed(r, chunk, (size_t)n, &used, err);
		if (rc != PROTO_READ_AGAIN)
			return rc;
	}
}

/* ---- frames out ---- */

void proto_writer_init(struct proto_writer *w)
{
	*w = (struct proto_writer){.max = PROTO_QUEUE_MAX};
}

void proto_writer_release(struct proto_writer *w)
{
	buf_release(&w->out);
	w->done = 0;
}

int proto_send(struct proto_writer *w, const struct proto_frame *frame, struct err *err)
{
	uint8_t h[PROTO_HEADER_LEN];

	if (frame->body.len > PROTO_BODY_MAX)
		return err_set(err, E2BIG, "%s: %zu bytes, at most %u are allowed",
			       proto_op_name(frame->op), frame->body.len, PROTO_BODY_MAX);
	if (w->out.len - w->done + sizeof(h) + frame->body.len > w->max)
		return err_set(err, ENOBUFS, "%s: too much waits to be sent",
			       proto_op_name(frame->op));
	put_le(h, frame->body.len, 4);
	put_le(h + 4, frame->op, 2);
	put_le(h + 6, frame->flags, 2);
	put_le(h + 8, frame->id, 4);
	put_le(h + 12, frame->error, 4);
	buf_add(&w->out, h, sizeof(h));
	buf_add(&w->out, frame->body.data, frame->body.len);
	return 0;
}

/* Forgets what is written, so that the queue does not grow for ever. */
static void compact(struct proto_writer *w)
{
	if (w->done == w->out.len) {
		if (w->out.cap > KEEP_BODY)
			buf_release(&w->out);
		buf_reset(&w->out);
	} else {
		memmove(w->out.data, w->out.data + w->done, w->out.len - w->done);
		w->out.len -= w->done;
	}
	w->done = 0;
}

int proto_flush(struct proto_writer *w, int fd, struct err *err)
{
	while (w->done < w->out.len) {
		ssize_t n = send(fd, w->out.data + w->done, w->out.len - w->done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return err_sys(err, "send a frame");
		w->done += (size_t)n;
	}
	if (w->done)
		compact(w);
	return w->out.len ? 1 : 0;
}
