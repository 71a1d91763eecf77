/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of what a process does to itself run in a forked child: a function that returns 0, or
 * CHILD_SKIP with its reason on standard error, or anything else for a failure that CHECK or
 * CHECK_RC has described there. Include after <cmocka.h>.
 */
#ifndef HULL_TESTS_UNIT_NAMESPACES_CHILD_H
#define HULL_TESTS_UNIT_NAMESPACES_CHILD_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SKIP 77

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "# %s:%d: %s (errno %d)\n", __FILE__, __LINE__,            \
				#condition, errno);                                                \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* call returned rc; e says why it failed. */
#define CHECK_RC(call, want, e)                                                                    \
	do {                                                                                       \
		int check_rc = (call);                                                             \
		if (check_rc != (want)) {                                                          \
			fprintf(stderr, "# %s:%d: %s is %d, not %d: %s\n", __FILE__, __LINE__,     \
				#call, check_rc, (want), (e).msg);                                 \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

#define SKIP_CHILD(...)                                                                            \
	do {                                                                                       \
		fprintf(stderr, "# skipped: " __VA_ARGS__);                                        \
		fputc('\n', stderr);                                                               \
		return CHILD_SKIP;                                                                 \
	} while (0)

/* Wait status of fn in a child. */
static inline int child_status(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int rc = fn(arg);

		fflush(stderr);
		_exit(rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline void child_run(int (*fn)(void *arg), void *arg)
{
	int status = child_status(fn, arg);

	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_SKIP)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void need_root(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "# skipped: needs root\n");
		skip();
	}
}

/* Asked in a child, as it cannot be undone; a chroot is not allowed to (man 2 clone). */
static inline void need_userns(void)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	print_message("# user namespaces are not permitted here\n");
	skip();
}

/* The value of a field of the caller's /proc/self/status, blanks in front cut off; "" if absent. */
static inline const char *status_field(const char *field)
{
	static char line[512];
	FILE *f = fopen("/proc/self/status", "re");
	size_t len = strlen(field);

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, len) == 0 && line[len] == ':') {
			fclose(f);
			line[strcspn(line, "\n")] = '\0';
			return line + len + 1 + strspn(line + len + 1, " \t");
		}
	}
	if (f)
		fclose(f);
	return "";
}

/* Makes a directory below /tmp; the caller removes it with test_dir_remove. */
static inline char *test_dir(char path[static 64])
{
	snprintf(path, 64, "/tmp/hull-test-XXXXXX");
	return mkdtemp(path);
}

static inline void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

#endif
