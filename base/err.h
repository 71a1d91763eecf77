/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one error idiom of hull: a function that can fail returns 0 (or a documented non-negative
 * value) or -errno, and describes the failure in a struct err of its caller's frame. It is of fixed
 * size, so it can be filled between clone and execve and sent to another process in one atomic write.
 */
#ifndef HULL_BASE_ERR_H
#define HULL_BASE_ERR_H

#include <stdarg.h>

#define ERR_MSG_LEN 480

struct err {
	int code;              /* errno, positive; 0 = no error */
	char msg[ERR_MSG_LEN]; /* one line, NUL-terminated, no full stop */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		0                                                                                  \
	}

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/*
 * All accept err == NULL. A message that does not fit loses its middle (the path), never its
 * reason. Reasons come from a constant table (strerrordesc_np), so they are safe in a forked child.
 */

/* Describes a failed system call: "fmt: reason of errno". Returns -errno. */
int err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same for an error number at hand (positive). Returns -errnum. */
int err_code(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Describes a failure found by hull itself; fmt is the whole message. Returns -errnum. */
int err_set(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

int err_vset(struct err *err, int errnum, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

/* Puts "fmt: " in front of what err already says. Returns rc. */
int err_wrap(struct err *err, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
