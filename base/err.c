/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages are put together in a scratch buffer on the stack and then squeezed into the struct:
 * what is too much is cut out of the middle, where the paths are, so that the operation in front
 * and the reason at the end survive. Only a message longer than the scratch buffer, which quotes
 * kilobytes of a configuration, takes memory for its end to be seen. Control characters become '?',
 * since a message is one line and may quote names that an image chose.
 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_LEN (2 * PATH_MAX)
#define CUT_MARK    "..."

static_assert(sizeof(struct err) <= PIPE_BUF, "struct err must travel in one atomic write");

static size_t append(char *scratch, size_t used, const char *s)
{
	size_t len = strnlen(s, SCRATCH_LEN - 1 - used);

	memcpy(scratch + used, s, len);
	scratch[used + len] = '\0';
	return used + len;
}

static size_t PRINTF_LIKE(3, 0)
	append_format(char *scratch, size_t reserve, const char *fmt, va_list ap)
{
	int n = vsnprintf(scratch, SCRATCH_LEN - reserve, fmt, ap);

	if (n < 0) {
		scratch[0] = '\0';
		return 0;
	}
	return (size_t)n < SCRATCH_LEN - reserve ? (size_t)n : SCRATCH_LEN - reserve - 1;
}

static void store(struct err *err, int errnum, const char *text, size_t len)
{
	size_t room = sizeof(err->msg) - 1;
	size_t mark = sizeof(CUT_MARK) - 1;
	size_t head = (room - mark) / 3;
	size_t tail = room - mark - head;

	if (len <= room) {
		memcpy(err->msg, text, len);
	} else {
		memcpy(err->msg, text, head);
		memcpy(err->msg + head, CUT_MARK, mark);
		memcpy(err->msg + head + mark, text + len - tail, tail);
		len = room;
	}
	err->msg[len] = '\0';
	for (char *p = err->msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	err->code = errnum;
}

static int PRINTF_LIKE(3, 0) describe(struct err *err, int errnum, const char *fmt, va_list ap)
{
	char scratch[SCRATCH_LEN];
	char unknown[32];
	const char *reason;
	size_t len;

	/* A failed call that left errno at 0 must not look like success. */
	if (errnum <= 0)
		errnum = EIO;
	if (!err)
		return -errnum;

	reason = strerrordesc_np(errnum);
	if (!reason) {
		(void)snprintf(unknown, sizeof(unknown), "error %d", errnum);
		reason = unknown;
	}
	len = append_format(scratch, ERR_MSG_LEN, fmt, ap);
	len = append(scratch, len, ": ");
	len = append(scratch, len, reason);
	store(err, errnum, scratch, len);
	return -errnum;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int errnum = errno;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = describe(err, errnum, fmt, ap);
	va_end(ap);
	return rc;
}

int err_code(struct err *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = describe(err, errnum, fmt, ap);
	va_end(ap);
	return rc;
}

int err_vset(struct err *err, int errnum, const char *fmt, va_list ap)
{
	char scratch[SCRATCH_LEN], *whole = NULL;
	va_list again;
	size_t len;
	int n = -1;

	if (errnum <= 0)
		errnum = EIO;
	if (!err)
		return -errnum;

	va_copy(again, ap);
	len = append_format(scratch, 0, fmt, ap);
	if (len == SCRATCH_LEN - 1)
		n = vasprintf(&whole, fmt, again);
	va_end(again);
	if (n >= 0) {
		store(err, errnum, whole, (size_t)n);
		free(whole);
	} else {
		store(err, errnum, scratch, len);
	}
	return -errnum;
}

int err_set(struct err *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = err_vset(err, errnum, fmt, ap);
	va_end(ap);
	return rc;
}

int err_wrap(struct err *err, int rc, const char *fmt, ...)
{
	char scratch[SCRATCH_LEN];
	va_list ap;
	size_t len;

	if (!err)
		return rc;

	va_start(ap, fmt);
	len = append_format(scratch, ERR_MSG_LEN + 2, fmt, ap);
	va_end(ap);
	len = append(scratch, len, ": ");
	len = append(scratch, len, err->msg);
	store(err, rc < 0 ? -rc : err->code, scratch, len);
	return rc;
}
