/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files can be a container's root. Their superblocks are made by hand; real ones are in image_vm.bats. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "runtime/vm_root_image.h"

struct row {
	uint32_t erofs_magic;
	uint8_t erofs_bits;
	uint16_t ext4_magic;
	uint32_t ext4_log;
	size_t size;
	int rc;
	const char *is; /* the type, or part of the message */
};

static void try(const struct row *r)
{
	char path[] = "/tmp/hull-image-XXXXXX";
	uint8_t sb[64] = {0};
	const uint32_t erofs = htole32(r->erofs_magic), log_block = htole32(r->ext4_log);
	const uint16_t ext4 = htole16(r->ext4_magic);
	struct err e = ERR_INIT;
	const char *type = NULL;
	int fd = mkstemp(path), image = -1, rc;

	assert_true(fd >= 0);
	memcpy(sb + 24, &log_block, sizeof(log_block));
	memcpy(sb + 56, &ext4, sizeof(ext4));
	if (r->erofs_magic) {
		memcpy(sb, &erofs, sizeof(erofs));
		sb[12] = r->erofs_bits;
	}
	assert_int_equal(pwrite(fd, sb, sizeof(sb), 1024), sizeof(sb));
	assert_int_equal(ftruncate(fd, (off_t)r->size), 0);
	rc = vm_root_image_open(path, &image, &type, &e);
	assert_int_equal(rc, r->rc);
	if (rc < 0) {
		assert_non_null(strstr(e.msg, r->is));
		assert_non_null(strstr(e.msg, path));
	} else {
		assert_string_equal(type, r->is);
		assert_int_equal(fcntl(image, F_GETFL) & O_ACCMODE, O_RDONLY);
		assert_int_equal(fcntl(image, F_GETFD), FD_CLOEXEC);
		close(image);
	}
	close(fd);
	unlink(path);
}

static void test_superblocks(void **state)
{
	static const struct row rows[] = {
		{.erofs_magic = 0xe0f5e1e2, .erofs_bits = 12, .size = 8192, .is = "erofs"},
		{.ext4_magic = 0xef53, .ext4_log = 2, .size = 8192, .is = "ext4"},
		{.erofs_magic = 0xe0f5e1e2,
		 .erofs_bits = 9,
		 .size = 8192,
		 .rc = -ENOTSUP,
		 .is = "its erofs has no blocks of 4096 bytes"},
		{.ext4_magic = 0xef53,
		 .ext4_log = 0,
		 .size = 8192,
		 .rc = -ENOTSUP,
		 .is = "its ext4 has no blocks of 4096 bytes"},
		{.ext4_magic = 0xef53,
		 .ext4_log = UINT32_MAX,
		 .size = 8192,
		 .rc = -ENOTSUP,
		 .is = "its ext4 has no blocks of 4096 bytes"},
		{.size = 8192, .rc = -EINVAL, .is = "neither EROFS nor ext4"},
		{.erofs_magic = 0xe0f5e1e2,
		 .erofs_bits = 12,
		 .size = 1087,
		 .rc = -EINVAL,
		 .is = "too short for a file system"},
		{.size = 0, .rc = -EINVAL, .is = "too short for a file system"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		try(&rows[i]);
}

static void test_what_is_no_file(void **state)
{
	struct err e = ERR_INIT;
	const char *type;
	int fd;

	(void)state;
	assert_int_equal(vm_root_image_open("/tmp", &fd, &type, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "neither a regular file nor a block device"));
	assert_int_equal(vm_root_image_open("/dev/null", &fd, &type, &e), -EINVAL);
	assert_int_equal(vm_root_image_open("/nowhere/x", &fd, &type, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_superblocks),
		cmocka_unit_test(test_what_is_no_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
