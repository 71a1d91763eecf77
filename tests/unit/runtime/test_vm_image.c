/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory of a checkpoint: whether its memory is known to be what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "runtime/vm_image.h"
#include "tests/unit/base/tmp.h"

static void make(const char *memory)
{
	struct vm_image_maker m = VM_IMAGE_MAKER_INIT;
	const size_t len = strlen(memory);
	BUF config = BUF_INIT;
	struct err e = ERR_INIT;

	buf_adds(&config, "{}");
	if (vm_image_begin_at(tmp_fd, "image", &m, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(write(m.memory_fd, memory, len), len);
	if (vm_image_finish(&m, "box", &config, &e) < 0)
		fail_msg("%s", e.msg);
	vm_image_end(&m);
}

static bool is_unchanged(void)
{
	struct vm_image i = VM_IMAGE_INIT;
	struct err e = ERR_INIT;
	bool unchanged;

	if (vm_image_open_at(tmp_fd, &i, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(i.guest_id, "box");
	unchanged = i.unchanged;
	vm_image_close(&i);
	return unchanged;
}

static void as_it_was_made(void **state)
{
	(void)state;
	make("memory");
	assert_true(is_unchanged());
	assert_true(is_unchanged());
	make("another");
	assert_true(is_unchanged());
}

static void written_to(void **state)
{
	CLOSE_FD int fd = -1;

	(void)state;
	make("memory");
	fd = openat(tmp_fd, "memory", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 2), 1);
	assert_false(is_unchanged());
}

/* Of the same length, with the old times: its inode is another, and so is the time of its change. */
static void replaced(void **state)
{
	struct timespec times[2];
	struct stat st;

	(void)state;
	make("memory");
	assert_int_equal(fstatat(tmp_fd, "memory", &st, 0), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(renameat(tmp_fd, "memory", tmp_fd, "old"), 0);
	tmp_write("memory", "memorx");
	assert_int_equal(utimensat(tmp_fd, "memory", times, 0), 0);
	assert_false(is_unchanged());
}

/* An image of before says nothing about it. */
static void not_told(void **state)
{
	(void)state;
	make("memory");
	tmp_write("hull.json", "{\"version\": 1, \"id\": \"box\"}");
	assert_false(is_unchanged());
}

/* Begins empty, is kept, and goes with the memory that it is of. */
static void working_set(void **state)
{
	struct vm_image i = VM_IMAGE_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	make("memory");
	assert_int_equal(vm_image_open_at(tmp_fd, &i, &e), 0);
	assert_int_equal(fstat(i.working_set_fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(write(i.working_set_fd, "set", 3), 3);
	vm_image_close(&i);
	assert_int_equal(vm_image_open_at(tmp_fd, &i, &e), 0);
	assert_int_equal(fstat(i.working_set_fd, &st), 0);
	assert_int_equal(st.st_size, 3);
	vm_image_close(&i);
	make("another");
	assert_int_equal(vm_image_open_at(tmp_fd, &i, &e), 0);
	assert_int_equal(fstat(i.working_set_fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	vm_image_close(&i);
	/* Nothing else is taken for one. */
	assert_int_equal(unlinkat(tmp_fd, "working-set", 0), 0);
	assert_int_equal(mkfifoat(tmp_fd, "working-set", 0600), 0);
	assert_int_equal(vm_image_open_at(tmp_fd, &i, &e), 0);
	assert_int_equal(i.working_set_fd, -1);
	vm_image_close(&i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tmp_test(as_it_was_made), tmp_test(written_to),  tmp_test(replaced),
		tmp_test(not_told),       tmp_test(working_set),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
