/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "microvm/state.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define SECTION_HEADER 8 /* le32 type, le32 length */

/* ---- writing ---- */

void state_put_bytes(struct buf *b, const void *data, size_t len)
{
	if (len)
		buf_add(b, data, len);
}

void state_put_u8(struct buf *b, uint8_t value)
{
	buf_add(b, &value, sizeof(value));
}

void state_put_u16(struct buf *b, uint16_t value)
{
	value = htole16(value);
	buf_add(b, &value, sizeof(value));
}

void state_put_u32(struct buf *b, uint32_t value)
{
	value = htole32(value);
	buf_add(b, &value, sizeof(value));
}

void state_put_u64(struct buf *b, uint64_t value)
{
	value = htole64(value);
	buf_add(b, &value, sizeof(value));
}

void state_put_block(struct buf *b, const void *data, size_t len)
{
	state_put_u32(b, (uint32_t)len);
	state_put_bytes(b, data, len);
}

size_t state_begin(struct buf *b, enum state_section type)
{
	state_put_u32(b, type);
	state_put_u32(b, 0);
	return b->len;
}

void state_end(struct buf *b, size_t begun)
{
	uint32_t len = htole32((uint32_t)(b->len - begun));

	memcpy(b->data + begun - sizeof(len), &len, sizeof(len));
}

/* ---- reading ---- */

void state_bytes(struct state_in *in, void *ret, size_t len)
{
	if (in->failed || in->left < len) {
		in->failed = true;
		memset(ret, 0, len);
		return;
	}
	memcpy(ret, in->at, len);
	in->at += len;
	in->left -= len;
}

uint8_t state_u8(struct state_in *in)
{
	uint8_t value;

	state_bytes(in, &value, sizeof(value));
	return value;
}

uint16_t state_u16(struct state_in *in)
{
	uint16_t value;

	state_bytes(in, &value, sizeof(value));
	return le16toh(value);
}

uint32_t state_u32(struct state_in *in)
{
	uint32_t value;

	state_bytes(in, &value, sizeof(value));
	return le32toh(value);
}

uint64_t state_u64(struct state_in *in)
{
	uint64_t value;

	state_bytes(in, &value, sizeof(value));
	return le64toh(value);
}

const uint8_t *state_block(struct state_in *in, size_t max, size_t *ret_len)
{
	size_t len = state_u32(in);
	const uint8_t *data = in->at;

	if (in->failed || len > max || len > in->left) {
		in->failed = true;
		return NULL;
	}
	in->at += len;
	in->left -= len;
	*ret_len = len;
	return data;
}

int state_open(struct state_in *in, enum state_section type, struct state_in *ret, struct err *err)
{
	uint32_t found = state_u32(in), len = state_u32(in);

	if (in->failed || found != type || len > in->left)
		return err_set(err, EINVAL, "section %d is missing, or is cut", type);
	*ret = (struct state_in){in->at, len, false};
	in->at += len;
	in->left -= len;
	return 0;
}

int state_close(const struct state_in *in, const char *what, struct err *err)
{
	if (in->failed)
		return err_set(err, EINVAL, "%s: the state is cut, or makes no sense", what);
	if (in->left)
		return err_set(err, EINVAL, "%s: %zu bytes too many", what, in->left);
	return 0;
}

/* ---- checksums ---- */

/* Each step can be undone, so no change of a single word goes unnoticed. */
static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
	return sum ^ sum >> 32;
}

uint64_t state_checksum(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = mix(sum, le64toh(word));
	}
	if (len) {
		word = 0;
		memcpy(&word, at, len);
		sum = mix(sum, le64toh(word) ^ (uint64_t)len << 56);
	}
	return sum;
}
