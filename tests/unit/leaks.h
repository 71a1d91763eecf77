/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor leaks: compares /proc/self/fd before and after a group of tests or one test. Use as
 * cmocka_run_group_tests(tests, leaks_setup, leaks_teardown), or with
 * cmocka_unit_test_setup_teardown to find the test that leaks. Include after <cmocka.h>. Neither
 * function touches *state.
 */
#ifndef HULL_TESTS_UNIT_LEAKS_H
#define HULL_TESTS_UNIT_LEAKS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEAKS_MAX_FD 1024

static bool leaks_before[LEAKS_MAX_FD];

/* Notes which descriptors are open; -1 when /proc/self/fd cannot be read. */
static inline int leaks_scan(bool open_fds[LEAKS_MAX_FD])
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	if (!d)
		return -1;
	memset(open_fds, 0, LEAKS_MAX_FD * sizeof(*open_fds));
	while ((e = readdir(d))) {
		size_t fd = 0;

		for (const char *p = e->d_name; *p >= '0' && *p <= '9' && fd < LEAKS_MAX_FD; p++)
			fd = fd * 10 + (size_t)(*p - '0');
		if (e->d_name[0] != '.' && fd < LEAKS_MAX_FD && fd != (size_t)dirfd(d))
			open_fds[fd] = true;
	}
	(void)closedir(d);
	return 0;
}

static inline int leaks_setup(void **state)
{
	(void)state;
	return leaks_scan(leaks_before);
}

static inline int leaks_teardown(void **state)
{
	bool after[LEAKS_MAX_FD];
	int changed = 0;

	(void)state;
	if (leaks_scan(after) < 0)
		return -1;
	for (int fd = 0; fd < LEAKS_MAX_FD; fd++) {
		char link[32], target[256];
		ssize_t n;

		if (after[fd] == leaks_before[fd])
			continue;
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		print_message("# descriptor %d %s %s\n", fd, after[fd] ? "leaked:" : "was closed",
			      target);
		changed++;
	}
	return changed ? -1 : 0;
}

#endif
