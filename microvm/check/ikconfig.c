/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The embedded configuration (see ikconfig.h). The mark alone may turn up by chance, in a kernel
 * that holds this very program for one, so it counts only with the start of gzip data behind it, and
 * when that data turns out to be none the search goes on; a file full of marks is given up.
 */
#include "microvm/check/ikconfig.h"

#include <errno.h>
#include <string.h>

#define GZIP_WINDOW (15 + 16) /* zlib.h, inflateInit2: gzip's header is expected */

/* No byte of it but the first is an 'I', so a mismatch need not look back. */
static const uint8_t mark[] = {'I', 'K', 'C', 'F', 'G', '_', 'S', 'T', 0x1f, 0x8b, 0x08};
#define MARK_GZIP       8 /* where the packed data begins */
#define FALSE_MARKS_MAX 64

void ikconfig_init(struct ikconfig *k, struct buf *text)
{
	memset(k, 0, sizeof(*k));
	k->text = text;
}

void ikconfig_release(struct ikconfig *k)
{
	if (k->inflating)
		(void)inflateEnd(&k->z);
	k->inflating = false;
}

/* Returns how many bytes were used: all, or up to the end of the mark. */
static size_t match(struct ikconfig *k, const uint8_t *data, size_t len)
{
	size_t i = 0;

	while (i < len && k->matched < sizeof(mark)) {
		if (k->matched == 0) {
			const uint8_t *first = memchr(data + i, mark[0], len - i);

			if (!first)
				return len;
			i = (size_t)(first - data);
		}
		if (data[i] == mark[k->matched]) {
			k->matched++;
			i++;
		} else if (k->matched) {
			k->matched = 0; /* and this byte once more */
		}
	}
	return i;
}

/* Unpacks what there is of input; true: it went well so far. */
static int unpack(struct ikconfig *k, bool *ret_good, struct err *err)
{
	int rc;

	*ret_good = true;
	do {
		char out[16384];

		k->z.next_out = (Bytef *)out;
		k->z.avail_out = sizeof(out);
		rc = inflate(&k->z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
			*ret_good = false;
			return 0;
		}
		buf_add(k->text, out, sizeof(out) - k->z.avail_out);
		if (k->text->len > IKCONFIG_MAX)
			return err_set(err, EFBIG,
				       "the embedded configuration has more than %u MiB",
				       IKCONFIG_MAX >> 20);
	} while (rc != Z_STREAM_END && k->z.avail_out == 0);
	k->found = rc == Z_STREAM_END;
	return 0;
}

static int feed_unpacker(struct ikconfig *k, const uint8_t *data, size_t len, size_t *ret_used,
			 struct err *err)
{
	bool good;
	int rc;

	k->z.next_in = data;
	k->z.avail_in = (uInt)len;
	rc = unpack(k, &good, err);
	*ret_used = len - k->z.avail_in;
	if (rc)
		return rc;
	if (!good || k->found)
		ikconfig_release(k);
	if (!good) {
		buf_reset(k->text);
		k->false_marks++;
	}
	return 0;
}

static int start_unpacker(struct ikconfig *k, struct err *err)
{
	size_t used;

	k->matched = 0;
	memset(&k->z, 0, sizeof(k->z));
	if (inflateInit2(&k->z, GZIP_WINDOW) != Z_OK)
		return err_set(err, ENOMEM, "unpack the embedded configuration: out of memory");
	k->inflating = true;
	return feed_unpacker(k, mark + MARK_GZIP, sizeof(mark) - MARK_GZIP, &used, err);
}

int ikconfig_feed(struct ikconfig *k, const uint8_t *data, size_t len, struct err *err)
{
	size_t used;
	int rc;

	while (len && !k->found && k->false_marks < FALSE_MARKS_MAX) {
		if (k->inflating) {
			rc = feed_unpacker(k, data, len, &used, err);
			if (rc)
				return rc;
		} else {
			used = match(k, data, len);
			if (k->matched == sizeof(mark)) {
				rc = start_unpacker(k, err);
				if (rc)
					return rc;
			}
		}
		data += used;
		len -= used;
	}
	return 0;
}
