/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process-wide log. A line is put together in memory and leaves in one write(2) to a file
 * opened for append, so lines of several processes do not mix. The file gets every line of the
 * chosen level; standard error gets the errors, or every line when there is no file.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/utc.h"

static struct {
	char *prog;
	int fd;
	enum log_format format;
	enum log_level level;
} logger = {.fd = -1, .level = LOG_LEVEL_WARN};

/* The names that logrus writes and that container engines know. */
static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

int log_open(const char *prog, const char *file, enum log_format format, enum log_level level,
	     struct err *err)
{
	int fd = -1;

	if (file) {
		fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_sys(err, "open log file '%s'", file);
	}
	free(logger.prog);
	logger.prog = mem_xstrdup(prog);
	fd_replace(&logger.fd, fd);
	logger.format = format;
	logger.level = level;
	return 0;
}

bool log_enabled(enum log_level level)
{
	return level <= logger.level;
}

enum log_format log_file_format(void)
{
	return logger.format;
}

int log_fd(void)
{
	return logger.fd;
}

/* Quotes s as JSON does; bytes that are no UTF-8 pass as they are. */
static void add_quoted(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_addc(b, '\\');
		if (c == '\n')
			buf_adds(b, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\u%04x", c);
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '"');
}

static void to_file(enum log_level level, const char *msg)
{
	struct timespec t = {0};
	BUF line = BUF_INIT;
	char now[UTC_LEN];

	(void)clock_gettime(CLOCK_REALTIME, &t);
	utc_format(&t, UTC_SECONDS, now);
	if (logger.format == LOG_FORMAT_JSON)
		buf_addf(&line, "{\"level\":\"%s\",\"msg\":", level_names[level]);
	else
		buf_addf(&line, "time=\"%s\" level=%s msg=", now, level_names[level]);
	add_quoted(&line, msg);
	if (logger.format == LOG_FORMAT_JSON)
		buf_addf(&line, ",\"time\":\"%s\"}", now);
	buf_addc(&line, '\n');
	/* Nobody is left to be told when the log cannot be written. */
	(void)!write(logger.fd, line.data, line.len);
}

static void to_stderr(enum log_level level, const char *msg)
{
	BUF line = BUF_INIT;

	if (logger.prog)
		buf_addf(&line, "%s: ", logger.prog);
	if (level != LOG_LEVEL_ERROR)
		buf_addf(&line, "%s: ", level_names[level]);
	buf_adds(&line, msg);
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.data[i] < 0x20 || line.data[i] == 0x7f)
			line.data[i] = '?';
	buf_addc(&line, '\n');
	(void)!write(STDERR_FILENO, line.data, line.len);
}

static void PRINTF_LIKE(2, 0) emit(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;
	FREE char *msg = NULL;

	if (vasprintf(&msg, fmt, ap) < 0)
		abort();
	if (logger.fd >= 0)
		to_file(level, msg);
	if (logger.fd < 0 || level == LOG_LEVEL_ERROR)
		to_stderr(level, msg);
	errno = saved;
}

#define LOG_BODY(level)                                                                            \
	va_list ap;                                                                                \
                                                                                                   \
	if (!log_enabled(level))                                                                   \
		return;                                                                            \
	va_start(ap, fmt);                                                                         \
	emit(level, fmt, ap);                                                                      \
	va_end(ap)

void log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG);
}

void log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO);
}

void log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN);
}

void log_error(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR);
}
