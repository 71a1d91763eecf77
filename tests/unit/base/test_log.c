/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines: levels, both formats, where each goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/base/child.h"
#include "tests/unit/base/tmp.h"

/* What fn writes to standard error. The log is process-wide, so fn has a process of its own. */
static void stderr_of(int (*fn)(void), struct buf *out)
{
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(p[1], 2);
		_exit(fn());
	}
	fd_close(p[1]);
	assert_int_equal(io_read_all(p[0], "pipe", 1 << 20, out, NULL), 0);
	fd_close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void log_all_levels(void)
{
	log_error("open '%s'", "x");
	log_warn("w");
	log_info("i");
	log_debug("d");
}

static int text_child(void)
{
	if (log_open("hull-oci", NULL, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG, NULL) < 0)
		return 1;
	log_all_levels();
	return log_fd() != -1;
}

static void without_a_file_all_goes_to_stderr(void **state)
{
	BUF out = BUF_INIT;

	(void)state;
	stderr_of(text_child, &out);
	assert_string_equal(buf_str(&out), "hull-oci: open 'x'\nhull-oci: warning: w\n"
					   "hull-oci: info: i\nhull-oci: debug: d\n");
}

static int level_child(void)
{
	if (log_open("p", NULL, LOG_FORMAT_JSON, LOG_LEVEL_WARN, NULL) < 0)
		return 1;
	log_all_levels();
	return !(log_enabled(LOG_LEVEL_ERROR) && log_enabled(LOG_LEVEL_WARN) &&
		 !log_enabled(LOG_LEVEL_INFO) && !log_enabled(LOG_LEVEL_DEBUG));
}

static void levels_filter_and_stderr_is_text(void **state)
{
	BUF out = BUF_INIT;

	(void)state;
	stderr_of(level_child, &out);
	assert_string_equal(buf_str(&out), "p: open 'x'\np: warning: w\n");
}

static int open_file_log(enum log_format format)
{
	FREE char *path = mem_xprintf("%s/log", tmp_path);

	return log_open("p", path, format, LOG_LEVEL_DEBUG, NULL);
}

static int json_child(void)
{
	if (open_file_log(LOG_FORMAT_JSON) < 0)
		return 1;
	errno = EBUSY;
	log_error("quote \" backslash \\ newline \n tab \t bell \a end");
	if (errno != EBUSY)
		return 2;
	log_all_levels();
	return log_fd() < 3 || !(fcntl(log_fd(), F_GETFD) & FD_CLOEXEC);
}

static void check_time(const char *t)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";

	assert_int_equal(strlen(t), strlen(pattern));
	for (size_t i = 0; pattern[i]; i++)
		assert_true(pattern[i] == 'd' ? t[i] >= '0' && t[i] <= '9' : t[i] == pattern[i]);
}

static void check_json_line(const char *line, const char *level, const char *msg)
{
	JSON *doc = NULL;
	const char *s;

	assert_int_equal(json_parse("log", line, strlen(line), &doc, NULL), 0);
	assert_int_equal(json_count(json_root(doc)), 3);
	assert_int_equal(json_get_string(json_root(doc), "level", &s, NULL), 1);
	assert_string_equal(s, level);
	assert_int_equal(json_get_string(json_root(doc), "msg", &s, NULL), 1);
	assert_string_equal(s, msg);
	assert_int_equal(json_get_string(json_root(doc), "time", &s, NULL), 1);
	check_time(s);
}

static void json_lines_in_a_file(void **state)
{
	static const char *const expected[][2] = {
		{"error", "quote \" backslash \\ newline \n tab \t bell \a end"},
		{"error", "open 'x'"},
		{"warning", "w"},
		{"info", "i"},
		{"debug", "d"},
	};
	BUF out = BUF_INIT;
	BUF file = BUF_INIT;
	char *p, *line;
	size_t i = 0;

	(void)state;
	tmp_write("log", "{\"level\":\"debug\",\"msg\":\"d\",\"time\":\"2026-01-02T03:04:05Z\"}\n");
	stderr_of(json_child, &out);
	assert_string_equal(buf_str(&out),
			    "p: quote \" backslash \\ newline ? tab ? bell ? end\np: open 'x'\n");
	assert_int_equal(io_read_file(tmp_fd, "log", 1 << 20, &file, NULL), 0);
	p = file.data;
	/* The line that was there before stays: the file is appended to. */
	check_json_line(strsep(&p, "\n"), "debug", "d");
	while ((line = strsep(&p, "\n")) && *line) {
		assert_true(i < ARRAY_SIZE(expected));
		check_json_line(line, expected[i][0], expected[i][1]);
		i++;
	}
	assert_int_equal(i, ARRAY_SIZE(expected));
}

static int text_file_child(void)
{
	if (open_file_log(LOG_FORMAT_TEXT) < 0)
		return 1;
	log_error("a \"b\"");
	return 0;
}

static void text_lines_in_a_file(void **state)
{
	BUF out = BUF_INIT;
	BUF file = BUF_INIT;

	(void)state;
	stderr_of(text_file_child, &out);
	assert_string_equal(buf_str(&out), "p: a \"b\"\n");
	assert_int_equal(io_read_file(tmp_fd, "log", 1 << 20, &file, NULL), 0);
	assert_int_equal(strncmp(file.data, "time=\"2", 7), 0);
	assert_string_equal(strchr(file.data, 'Z'), "Z\" level=error msg=\"a \\\"b\\\"\"\n");
}

static int many_child(void)
{
	if (open_file_log(LOG_FORMAT_JSON) < 0)
		return 1;
	for (int i = 0; i < 200; i++)
		log_debug("%d %0*d", (int)getpid(), 2000, i);
	return 0;
}

/* Lines of several processes do not mix: each is one write to a file opened for append. */
static void lines_are_whole(void **state)
{
	BUF file = BUF_INIT;
	size_t lines = 0;
	char *p, *line;
	pid_t pids[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(many_child());
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(io_read_file(tmp_fd, "log", 16 << 20, &file, NULL), 0);
	p = file.data;
	for (; (line = strsep(&p, "\n")) && *line; lines++) {
		JSON *doc = NULL;

		assert_int_equal(json_parse("log", line, strlen(line), &doc, NULL), 0);
	}
	assert_int_equal(lines, 800);
}

static void a_file_that_cannot_be_opened(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(log_open("p", "/no/log", LOG_FORMAT_TEXT, LOG_LEVEL_WARN, &e), -ENOENT);
	assert_string_equal(e.msg, "open log file '/no/log': No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmp_test(without_a_file_all_goes_to_stderr),
		tmp_test(levels_filter_and_stderr_is_text),
		tmp_test(json_lines_in_a_file),
		tmp_test(text_lines_in_a_file),
		tmp_test(lines_are_whole),
		tmp_test(a_file_that_cannot_be_opened),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
