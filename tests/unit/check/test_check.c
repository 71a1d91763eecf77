/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict over a kernel: what is reported as needed and useful, what counts as set, and that the
 * configuration of hull's own guest kernel has all of it. Run from the top of the tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/io.h"
#include "microvm/check/check.h"
#include "tests/unit/check/kernel_file.h"
#include "tests/unit/leaks.h"

static int check(const struct buf *content, struct buf *report)
{
	CLOSE_FD int fd = kernel_file(content);
	struct err err = ERR_INIT;

	return kernel_check(fd, "k", report, &err);
}

static int check_elf(uint32_t note, const char *config, struct buf *report)
{
	BUF b = BUF_INIT;

	kernel_elf(&b, note, config);
	return check(&b, report);
}

/* Lines of report that begin with word. */
static int count(const struct buf *report, const char *word)
{
	int n = 0;

	for (const char *p = buf_str(report); *p; p = strchr(p, '\n') + 1)
		n += strncmp(p, word, strlen(word)) == 0;
	return n;
}

static void load_own_config(struct buf *config)
{
	struct err err = ERR_INIT;

	if (io_read_file(AT_FDCWD, "microvm/guest/kernel/fast.config", 65536, config, &err))
		fail_msg("%s", err.msg);
}

static void own_kernel_has_everything(void **state)
{
	BUF config = BUF_INIT;
	BUF report = BUF_INIT;

	(void)state;
	load_own_config(&config);
	assert_int_equal(check_elf(KERNEL_NOTE_PVH, buf_str(&config), &report), 0);
	assert_string_equal(buf_str(&report), "");
}

static void a_missing_option_is_named_with_its_reason(void **state)
{
	BUF config = BUF_INIT;
	BUF report = BUF_INIT;
	char *line;

	(void)state;
	load_own_config(&config);
	line = strstr(config.data, "\nCONFIG_VIRTIO_FS=y\n");
	assert_non_null(line);
	line[1] = '#';
	assert_int_equal(check_elf(KERNEL_NOTE_PVH, config.data, &report), 1);
	assert_string_equal(
		buf_str(&report),
		"needed: CONFIG_VIRTIO_FS=y: root file systems and bind mounts from directories\n");
}

static void a_module_is_not_enough(void **state)
{
	BUF config = BUF_INIT;
	BUF report = BUF_INIT;
	char *line;

	(void)state;
	load_own_config(&config);
	line = strstr(config.data, "\nCONFIG_VSOCKETS=y\n");
	assert_non_null(line);
	line[strlen("\nCONFIG_VSOCKETS=")] = 'm';
	assert_int_equal(check_elf(KERNEL_NOTE_PVH, config.data, &report), 1);
	assert_string_equal(buf_str(&report),
			    "needed: CONFIG_VSOCKETS=y (is a module): the connection to "
			    "hull-agent, the container's stdio\n");
}

static void what_is_useful_does_not_count(void **state)
{
	BUF config = BUF_INIT;
	BUF report = BUF_INIT;
	char *line;

	(void)state;
	load_own_config(&config);
	line = strstr(config.data, "\nCONFIG_IPV6=y\n");
	assert_non_null(line);
	line[1] = '#';
	assert_int_equal(check_elf(KERNEL_NOTE_PVH, config.data, &report), 0);
	assert_string_equal(buf_str(&report), "useful: CONFIG_IPV6=y: IPv6\n");
}

/* An option whose name is another's beginning or end is not that one. */
static void names_are_compared_whole(void **state)
{
	BUF report = BUF_INIT;
	BUF all = BUF_INIT;
	int missing;

	(void)state;
	missing = check_elf(KERNEL_NOTE_PVH, "", &all);
	assert_true(missing > 20);
	assert_int_equal(count(&all, "needed: "), missing);
	assert_true(count(&all, "useful: ") > 5);
	assert_int_equal(check_elf(KERNEL_NOTE_PVH,
				   "CONFIG_NET_X=y\nXCONFIG_NET=y\nCONFIG_SMP_=y\n# CONFIG_UNIX=y\n"
				   "CONFIG_INET=\"y\"\n",
				   &report),
			 missing);
	buf_reset(&report);
	assert_int_equal(check_elf(KERNEL_NOTE_PVH, "CONFIG_SMP=y\nCONFIG_INET=y", &report),
			 missing - 2);
}

static void the_entry_points(void **state)
{
	BUF config = BUF_INIT;
	BUF report = BUF_INIT;
	BUF packed = BUF_INIT;
	BUF inner = BUF_INIT;
	BUF b = BUF_INIT;

	(void)state;
	load_own_config(&config);
	assert_int_equal(check_elf(1, buf_str(&config), &report), 1);
	assert_string_equal(buf_str(&report),
			    "needed: CONFIG_PVH=y: the entry point, told by a note in the file\n");
	buf_reset(&report);
	kernel_ikconfig(&inner, buf_str(&config));
	kernel_gzip(&packed, inner.data, inner.len);
	kernel_bzimage(&b, packed.data, packed.len);
	assert_int_equal(check(&b, &report), 0);
	assert_string_equal(buf_str(&report), "");
	b.data[0x236] = 0;
	assert_int_equal(check(&b, &report), 1);
	assert_string_equal(buf_str(&report),
			    "needed: CONFIG_64BIT=y: the entry point of a bzImage\n");
}

static void no_configuration_is_one_line(void **state)
{
	BUF report = BUF_INIT;

	(void)state;
	assert_int_equal(check_elf(KERNEL_NOTE_PVH, NULL, &report), 1);
	assert_string_equal(buf_str(&report),
			    "needed: CONFIG_IKCONFIG=y: all else is told by the configuration "
			    "inside the kernel, and there is none\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_kernel_has_everything),
		cmocka_unit_test(a_missing_option_is_named_with_its_reason),
		cmocka_unit_test(a_module_is_not_enough),
		cmocka_unit_test(what_is_useful_does_not_count),
		cmocka_unit_test(names_are_compared_whole),
		cmocka_unit_test(the_entry_points),
		cmocka_unit_test(no_configuration_is_one_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, leaks_setup, leaks_teardown);
}
