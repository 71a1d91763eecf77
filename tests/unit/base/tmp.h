/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of its own for each test, as cmocka setup and teardown. Include after <cmocka.h>. */
#ifndef HULL_TESTS_UNIT_BASE_TMP_H
#define HULL_TESTS_UNIT_BASE_TMP_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/leaks.h"

static char tmp_path[64];
static int tmp_fd = -1;

static inline int tmp_setup(void **state)
{
	const char *template = "/tmp/hull-unit-XXXXXX";

	if (leaks_setup(state) < 0)
		return -1;
	(void)snprintf(tmp_path, sizeof(tmp_path), "%s", template);
	if (!mkdtemp(tmp_path))
		return -1;
	tmp_fd = open(tmp_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return tmp_fd < 0 ? -1 : 0;
}

static inline int tmp_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int tmp_teardown(void **state)
{
	(void)close(tmp_fd);
	if (nftw(tmp_path, tmp_remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		return -1;
	return leaks_teardown(state);
}

/* The test fn in a directory of its own, checked for leaks. */
#define tmp_test(fn) cmocka_unit_test_setup_teardown(fn, tmp_setup, tmp_teardown)

/* A file in the directory with the given content. */
static inline void tmp_write(const char *name, const char *content)
{
	int fd = openat(tmp_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(close(fd), 0);
}

#endif
