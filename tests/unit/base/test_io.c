/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files: reading with a cap, single writes, atomic replacement, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/mem.h"
#include "tests/unit/base/child.h"
#include "tests/unit/base/tmp.h"

static void read_file_appends(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	tmp_write("f", "hello");
	buf_adds(&b, "say ");
	assert_int_equal(io_read_file(tmp_fd, "f", 5, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "say hello");
}

static void read_file_has_a_cap(void **state)
{
	BUF b = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	tmp_write("f", "hello");
	assert_int_equal(io_read_file(tmp_fd, "f", 4, &b, &e), -EFBIG);
	assert_string_equal(e.msg, "'f' is larger than 4 bytes");
	tmp_write("empty", "");
	buf_reset(&b);
	assert_int_equal(io_read_file(tmp_fd, "empty", 0, &b, &e), 0);
	assert_int_equal(b.len, 0);
}

static void read_file_says_what_is_missing(void **state)
{
	BUF b = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(io_read_file(tmp_fd, "no", 10, &b, &e), -ENOENT);
	assert_string_equal(e.msg, "open 'no': No such file or directory");
	assert_int_equal(io_read_file(AT_FDCWD, tmp_path, 10, &b, &e), -EISDIR);
}

/* Files of procfs tell a size of 0; sizes around the chunk borders come whole. */
static void read_all_sizes(void **state)
{
	static const size_t sizes[] = {1, 4095, 4096, 4097, 8191, 8192, 8193, 100000};
	FREE char *data = mem_xalloc(100000);
	BUF b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		data[i] = (char)(i * 7);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int p[2];
		pid_t pid;

		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		pid = fork();
		if (pid == 0)
			_exit(io_write(p[1], data, sizes[i]) < 0);
		fd_close(p[1]);
		buf_reset(&b);
		assert_int_equal(io_read_all(p[0], "pipe", sizes[i], &b, NULL), 0);
		assert_int_equal(b.len, sizes[i]);
		assert_memory_equal(b.data, data, sizes[i]);
		fd_close(p[0]);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	buf_reset(&b);
	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/maps", 1 << 20, &b, NULL), 0);
	assert_true(b.len > 100);
}

static void read_all_stops_an_endless_file(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	assert_int_equal(io_read_file(AT_FDCWD, "/dev/zero", 10000, &b, NULL), -EFBIG);
	assert_int_equal(b.len, 10001);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal handler without SA_RESTART interrupts every blocking call. */
static void interruptions_are_retried(void **state)
{
	const struct sigaction act = {.sa_handler = on_alarm};
	const struct itimerval tick = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
	const struct itimerval off = {0};
	struct sigaction old;
	char data[3000], got[3000];
	int p[2];
	pid_t pid;

	(void)state;
	memset(data, 'd', sizeof(data));
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < 3; i++) {
			(void)usleep(20000);
			if (io_write(p[1], data + i * 1000, 1000) < 0)
				_exit(1);
		}
		_exit(0);
	}
	fd_close(p[1]);
	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &tick, NULL), 0);
	assert_int_equal(io_read(p[0], got, sizeof(got)), sizeof(got));
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_memory_equal(got, data, sizeof(got));
	fd_close(p[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void read_is_short_at_the_end(void **state)
{
	char data[16];

	(void)state;
	tmp_write("f", "abc");
	CLOSE_FD int fd = openat(tmp_fd, "f", O_RDONLY | O_CLOEXEC);

	assert_int_equal(io_read(fd, data, sizeof(data)), 3);
	assert_int_equal(io_read(fd, data, sizeof(data)), 0);
	assert_int_equal(io_read(900, data, 1), -EBADF);
	assert_int_equal(io_write(fd, "x", 1), -EBADF);
}

static void write_value_needs_the_file(void **state)
{
	BUF b = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(io_write_value(tmp_fd, "pids.max", "7", &e), -ENOENT);
	assert_string_equal(e.msg, "open 'pids.max': No such file or directory");
	tmp_write("pids.max", "");
	assert_int_equal(io_write_value(tmp_fd, "pids.max", "7", &e), 0);
	assert_int_equal(io_read_file(tmp_fd, "pids.max", 10, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "7");
	assert_int_equal(io_write_value(AT_FDCWD, "/dev/full", "7", &e), -ENOSPC);
	assert_string_equal(e.msg, "write '7' to '/dev/full': No space left on device");
}

static size_t count_entries(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static void replace_file_creates_and_replaces(void **state)
{
	mode_t mask = umask(077);
	BUF b = BUF_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(io_replace_file(tmp_fd, "state.json", 0644, "old", 3, NULL), 0);
	assert_int_equal(io_replace_file(tmp_fd, "state.json", 0640, "new!", 4, NULL), 0);
	(void)umask(mask);
	assert_int_equal(io_read_file(tmp_fd, "state.json", 10, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "new!");
	assert_int_equal(fstatat(tmp_fd, "state.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(count_entries(tmp_path), 1);
}

/* A link planted in place of the file is replaced, not followed. */
static void replace_file_does_not_follow(void **state)
{
	BUF b = BUF_INIT;

	(void)state;
	tmp_write("victim", "safe");
	assert_int_equal(symlinkat("victim", tmp_fd, "pid"), 0);
	assert_int_equal(io_replace_file(tmp_fd, "pid", 0644, "1", 1, NULL), 0);
	assert_int_equal(io_read_file(tmp_fd, "victim", 10, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "safe");
}

static void replace_file_failures_leave_nothing(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkdirat(tmp_fd, "dir", 0755), 0);
	assert_int_equal(io_replace_file(tmp_fd, "dir", 0644, "x", 1, &e), -EISDIR);
	assert_string_equal(e.msg, "write 'dir': Is a directory");
	assert_int_equal(count_entries(tmp_path), 1);
	assert_int_equal(io_replace_file(tmp_fd, "no/f", 0644, "x", 1, &e), -ENOENT);
	assert_string_equal(e.msg, "create a temporary file for 'no/f': No such file or directory");
}

static bool has_one_file(const char *name, const char *text, mode_t mode)
{
	BUF b = BUF_INIT;
	struct stat st;

	return io_read_file(tmp_fd, name, 10, &b, NULL) == 0 && strcmp(buf_str(&b), text) == 0 &&
	       fstatat(tmp_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_mode == (S_IFREG | mode) && count_entries(tmp_path) == 1;
}

static void place_file_creates_and_replaces(void **state)
{
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(io_place_file(tmp_fd, "pid", 0644, "12", 2, NULL), 0);
	assert_true(has_one_file("pid", "12", 0644));
	assert_int_equal(io_place_file(tmp_fd, "pid", 0640, "1", 1, NULL), 0);
	assert_true(has_one_file("pid", "1", 0640));
	(void)umask(mask);
	assert_int_equal(unlinkat(tmp_fd, "pid", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", tmp_fd, "pid"), 0);
	assert_int_equal(io_place_file(tmp_fd, "pid", 0644, "3", 1, NULL), 0);
	assert_true(has_one_file("pid", "3", 0644));
}

static void place_file_failures_leave_nothing(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkdirat(tmp_fd, "dir", 0755), 0);
	assert_int_equal(io_place_file(tmp_fd, "dir", 0644, "x", 1, &e), -EISDIR);
	assert_string_equal(e.msg, "write 'dir': Is a directory");
	assert_int_equal(count_entries(tmp_path), 1);
}

/* Whoever has no capability may link what it has opened only by its name below /proc. */
static int unprivileged_child(void)
{
	CHILD_CHECK(chmod(tmp_path, 0777) == 0);
	if (setresuid(65534, 65534, 65534) < 0)
		return CHILD_SKIP;
	CHILD_CHECK(io_place_file(tmp_fd, "pid", 0644, "1", 1, NULL) == 0);
	CHILD_CHECK(io_place_file(tmp_fd, "pid", 0644, "2", 1, NULL) == 0);
	CHILD_CHECK(has_one_file("pid", "2", 0644));
	return 0;
}

static void place_file_without_privileges(void **state)
{
	(void)state;
	run_in_child(unprivileged_child);
}

static int full_disk_child(void)
{
	static char data[64 << 10];
	BUF b = BUF_INIT;
	struct err e = ERR_INIT;

	if (!own_mounts())
		return CHILD_SKIP;
	CHILD_CHECK(mount("tmpfs", tmp_path, "tmpfs", 0, "size=16k") == 0);
	CLOSE_FD int dir = open(tmp_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHILD_CHECK(io_replace_file(dir, "f", 0644, "old", 3, &e) == 0);
	CHILD_CHECK(io_replace_file(dir, "f", 0644, data, sizeof(data), &e) == -ENOSPC);
	CHILD_CHECK(strcmp(e.msg, "write 'f': No space left on device") == 0);
	CHILD_CHECK(io_read_file(dir, "f", 100, &b, NULL) == 0);
	CHILD_CHECK(strcmp(buf_str(&b), "old") == 0);
	CHILD_CHECK(count_entries(tmp_path) == 1);
	return 0;
}

static void a_full_disk_keeps_the_old_file(void **state)
{
	(void)state;
	run_in_child(full_disk_child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmp_test(read_file_appends),
		tmp_test(read_file_has_a_cap),
		tmp_test(read_file_says_what_is_missing),
		tmp_test(read_all_sizes),
		tmp_test(read_all_stops_an_endless_file),
		tmp_test(interruptions_are_retried),
		tmp_test(read_is_short_at_the_end),
		tmp_test(write_value_needs_the_file),
		tmp_test(replace_file_creates_and_replaces),
		tmp_test(replace_file_does_not_follow),
		tmp_test(replace_file_failures_leave_nothing),
		tmp_test(place_file_creates_and_replaces),
		tmp_test(place_file_failures_leave_nothing),
		tmp_test(place_file_without_privileges),
		tmp_test(a_full_disk_keeps_the_old_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
