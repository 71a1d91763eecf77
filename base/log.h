/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines of the programs: text or JSON, to standard error and, when asked, to a file. The JSON
 * form is one object a line, {"level":…,"msg":…,"time":RFC3339}, as runc writes it and as container
 * engines parse it. Library code logs at debug level only; it returns its errors.
 */
#ifndef HULL_BASE_LOG_H
#define HULL_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/*
 * Sets up the process-wide log. file may be NULL (standard error only); it is opened for append,
 * close-on-exec, mode 0644. Errors go to standard error too when a file is given; standard error
 * is always text, "prog: msg".
 */
int log_open(const char *prog, const char *file, enum log_format format, enum log_level level,
	     struct err *err) MUST_CHECK;

bool log_enabled(enum log_level level);
enum log_format log_file_format(void);
int log_fd(void); /* the file's descriptor or -1, so that close_range callers can spare it */

void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
